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
		o.worse(in.State, in.Since, in.Until)
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
	for _, op := range o.Operations {
		o.worse(op.State, op.Since, op.Until)
		if op.State.rank() > StatePending.rank() {
			o.Pages = append(o.Pages, op.Page)
			if lacks := op.lacks(o); lacks != "" {
				o.Verdict += ", " + op.Name + " lacks " + lacks
			}
		}
	}
	o.judgeMoney()
	o.judgeDerived()
	overdue := map[string]bool{}
	open := []string{}
	for _, d := range o.Disagreements {
		if d.State != DisagreementOverdue && !(d.State == DisagreementAcknowledged && d.Overdue) {
			continue
		}
		if d.State == DisagreementOverdue {
			o.Pages = append(o.Pages, d.Page)
		}
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

// lacks names what an operation waits for beyond its time, less what the integrations' own states tell already.
func (op *Operation) lacks(o *Order) string {
	var out []string
	for _, n := range op.Steps {
		if n.State.rank() <= StatePending.rank() {
			continue
		}
		name, _, isCall := strings.Cut(n.What, "/")
		if in := o.integration(name); isCall && in != nil && in.State.rank() > StatePending.rank() {
			continue
		}
		out = append(out, n.What)
	}
	return strings.Join(out, " and ")
}

// judgeMoney says which sums do not come out even for too long.
func (o *Order) judgeMoney() {
	if o.Money == nil {
		return
	}
	var names []string
	for _, d := range o.Money.Differences {
		if !d.Overdue {
			continue
		}
		if names = append(names, d.Name); d.Page != "" {
			o.Pages = append(o.Pages, d.Page)
		}
	}
	if len(names) > 0 {
		o.Verdict += ", money differs: " + strings.Join(slices.Compact(names), ", ")
	}
}

// worse takes in the state of an integration or operation, as Integration.worse takes in an answer.
func (o *Order) worse(state State, since, until *time.Time) {
	more := state.rank() - o.State.rank()
	switch {
	case since == nil || more < 0:
		return
	case more > 0 || o.Since == nil:
		o.State, o.Since, o.Until = state, since, until
	case state == StateComplete:
		o.Since = later(o.Since, since)
	default:
		o.Since = earlier(o.Since, since)
	}
	if state == StatePending {
		o.Until = earlier(o.Until, until)
	}
}

// later is the later of two times.
func later(a, b *time.Time) *time.Time {
	if b.After(*a) {
		return b
	}
	return a
}
