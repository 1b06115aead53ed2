package reconcile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// WriteStatus writes a line per integration for a person; now is our clock.
func WriteStatus(w io.Writer, list []Status, now time.Time) error {
	rows := make([]string, len(list))
	for i, s := range list {
		success := "never"
		if s.LastSuccess != nil {
			success = about(now.Sub(*s.LastSuccess)).String() + " ago"
		}
		circuit := cmp.Or(s.Circuit, "?")
		if s.CircuitWhy != "" {
			circuit += ": " + flat(s.CircuitWhy)
		}
		rows[i] = strings.Join([]string{
			s.Integration, s.State, fmt.Sprint(s.LagRecords), fmt.Sprintf("%ds", s.LagSeconds), success, parkedText(s.Parked, s.ParkedBy), fmt.Sprint(s.alive()), circuit,
		}, "\t")
	}
	return columns(w, "integration\tstate\tlag\tage\tlast success\tparked\tworkers\tcircuit", rows)
}

// alive is how many instances spoke lately and have not stopped.
func (s Status) alive() int {
	n := 0
	for _, i := range s.Instances {
		if i.State == stateRunning || i.State == statePaused {
			n++
		}
	}
	return n
}

// parkedText is "3 (2 contract, 1 unknown)", most first.
func parkedText(n int64, by map[schemas.Reason]int64) string {
	if n == 0 {
		return "0"
	}
	reasons := make([]schemas.Reason, 0, len(by))
	for r := range by {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(a, b schemas.Reason) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
	parts := make([]string, len(reasons))
	for i, r := range reasons {
		parts[i] = fmt.Sprintf("%d %s", by[r], r)
	}
	return fmt.Sprintf("%d (%s)", n, strings.Join(parts, ", "))
}
