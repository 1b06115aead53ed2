package review

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// Refusal is why something may not be started or applied: errors of a review that are not waived.
type Refusal struct{ Findings []Finding }

// Error lists the findings, and says how to see more.
func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the review refuses the topology, for %s:\n", count(len(r.Findings), "reason"))
	var subjects []string
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s\n", f)
		if name := f.Name(); (strings.HasPrefix(f.On, "integrations/") || strings.HasPrefix(f.On, "sources/")) && !slices.Contains(subjects, name) {
			subjects = append(subjects, name)
		}
	}
	b.WriteString(strings.TrimRight("see: seam review "+strings.Join(subjects, " "), " "))
	return b.String()
}

// Admit gives a Refusal where a review of the topology finds errors in what is to run; nil where it does not. only are the roles
// of the process, as app.Config.Only: integrations and sources that it does not run do not matter, and what is about all does. The
// topology is one that was loaded and not yet scaled.
func Admit(t *topology.Topology, now time.Time, only []string) error {
	report := Review(t, now)
	runs := func(role string) bool { return len(only) == 0 || slices.Contains(only, role) }
	var refused []Finding
	for _, f := range report.Findings {
		if f.Severity != Error || f.Waived != nil {
			continue
		}
		switch kind, name, _ := strings.Cut(f.On, "/"); {
		case kind == "integrations" && !runs(name), kind == "sources" && !runs("edge"):
		default:
			refused = append(refused, f)
		}
	}
	if len(refused) > 0 {
		return &Refusal{refused}
	}
	return nil
}
