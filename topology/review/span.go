package review

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is a duration that people read: "35d", "1h30m", "never" below zero.
type Span time.Duration

// never is the Span of what does not end.
const never Span = -1

// String is the text form.
func (s Span) String() string {
	d := time.Duration(s)
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "never"
	case d >= 2*day && d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	case d >= 2*day:
		return fmt.Sprintf("%.1fd", d.Hours()/24)
	case d >= time.Minute:
		d = d.Round(time.Second)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText is String, for JSON.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// long is the text of a duration of any type.
func long[D ~int64](d D) string { return Span(d).String() }

// perSecond is a rate as people say it: "50/s", "30/m".
func perSecond(r float64) string {
	switch {
	case r <= 0:
		return "none"
	case r < 1 && r*60 >= 1:
		return trim(r*60) + "/m"
	case r < 1:
		return trim(r*3600) + "/h"
	}
	return trim(r) + "/s"
}

// trim writes a number with at most one decimal, 99.95 with two.
func trim(f float64) string {
	text := strconv.FormatFloat(f, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// amount reads a decimal as far as a comparison with cents needs it.
func amount(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}
