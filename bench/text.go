package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Text writes the report for people: a line per result, and beneath it what was compared and what was wrong.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka %s · %s · %d CPUs · %d events · %d partitions\n\n", r.Where, r.Go, r.CPUs, r.Events, r.Partitions)
	for _, res := range r.Results {
		fmt.Fprintf(&b, "%-20s seam %10s %s", res.Case, number(median(res.Seam)), res.Unit)
		if len(res.Bare) > 0 {
			fmt.Fprintf(&b, "   bare %10s   ratio %.2f", number(median(res.Bare)), res.Ratio)
		}
		b.WriteString(res.verdict() + "\n    " + res.Note + "\n")
		for _, f := range res.Faults {
			b.WriteString("    WRONG: " + f + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict is the target and whether it is reached; empty without one.
func (res *Result) verdict() string {
	got, word := res.Ratio, "at least"
	switch {
	case res.Most:
		got, word = median(res.Seam), "at most"
	case res.Least:
		got = median(res.Seam)
	}
	if res.Target == 0 {
		return ""
	}
	met := "reached"
	if res.Most == (got > res.Target) {
		met = "MISSED"
	}
	return fmt.Sprintf("   target %s %s: %s", word, strconv.FormatFloat(res.Target, 'f', -1, 64), met)
}

// number is a value with its thousands apart.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
