package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// judge fills the state, the verdict and the teams from the integrations and the disagreements.
func (o *Order) judge() {
	byState := map[State][]string{}
	for _, in := range o.Integrations {
		byState[in.State] = append(byState[in.State], in.Name)
		o.worse(in)
		if in.Team != "" && in.State.rank() > StatePending.rank() {
			o.Pages = append(o.Pages, in.Team)
		}
	}
	if len(o.Integrations) == 0 {
		o.Verdict = "no integration acts on it"
	} else {
		o.Verdict = fmt.Sprintf("complete in %d of %d", len(byState[StateComplete]), len(o.Integrations))
	}
	for i := len(States) - 1; i >= 0; i-- {
		if names := byState[States[i]]; States[i] != StateComplete && len(names) > 0 {
			o.Verdict += fmt.Sprintf(", %s in %s", States[i], strings.Join(names, ", "))
		}
	}
	overdue := map[string]bool{}
	open := []string{}
	for _, d := range o.Disagreements {
		if d.Closed != nil || !d.Overdue {
			continue
		}
		o.Pages = append(o.Pages, d.Page)
		if what := string(d.Field) + " (" + string(d.System) + ")"; !overdue[what] {
			overdue[what] = true
			open = append(open, what)
		}
	}
	if len(open) > 0 {
		o.Verdict += ", in disagreement on " + strings.Join(open, ", ")
	}
	slices.Sort(o.Pages)
	o.Pages = slices.Compact(o.Pages)
	if len(o.Pages) > 0 {
		o.Verdict += "; page " + strings.Join(o.Pages, ", ")
	}
}

// worse takes in one integration, as Integration.worse takes in an answer.
func (o *Order) worse(in Integration) {
	more := in.State.rank() - o.State.rank()
	switch {
	case in.Since == nil || more < 0:
		return
	case more > 0 || o.Since == nil:
		o.State, o.Since, o.Until = in.State, in.Since, in.Until
	case in.State == StateComplete:
		o.Since = later(o.Since, in.Since)
	default:
		o.Since = earlier(o.Since, in.Since)
	}
	if in.State == StatePending {
		o.Until = earlier(o.Until, in.Until)
	}
}

// later is the later of two times.
func later(a, b *time.Time) *time.Time {
	if b.After(*a) {
		return b
	}
	return a
}
