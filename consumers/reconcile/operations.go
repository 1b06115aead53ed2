package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Operation is how far a business step of an order is.
type Operation struct {
	Name  string     `json:"name"`
	State State      `json:"state"`           // the worst of its steps; complete where it is void
	Void  string     `json:"void,omitempty"`  // the event that made the rest needless
	Begun time.Time  `json:"begun"`           // our clock
	Since *time.Time `json:"since,omitempty"` // as Order.Since
	Until *time.Time `json:"until,omitempty"` // as Order.Until
	Page  string     `json:"page"`
	Steps []Needed   `json:"steps"` // sorted by What
}

// Needed is one thing that must come true for an operation.
type Needed struct {
	What   string     `json:"what"` // integration/operation, or an event type
	State  State      `json:"state"`
	Since  *time.Time `json:"since,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Detail string     `json:"detail,omitempty"`
	Void   bool       `json:"-"` // it was not needed any more
}

// operations is every operation that began, as of now, by the integrations' answers.
func (f *Fold) operations(o *Order, line []*fact, now time.Time) []Operation {
	var out []Operation
	for i := range f.topo.Operations {
		op := &f.topo.Operations[i]
		first := firstOf(line, op.Begins)
		if first == nil {
			continue
		}
		res := Operation{Name: op.Name, State: StateComplete, Begun: first.IngestedAt, Page: op.Page, Void: f.void(op, line, o)}
		for key, within := range op.Done {
			in, operation := f.topo.DoneBy(key)
			n := done(o.integration(in.Name), operation, in.Name, first.IngestedAt, within.D(), now)
			res.Steps = append(res.Steps, n)
		}
		for et, within := range op.Seen {
			res.Steps = append(res.Steps, seen(firstOf(line, []schemas.EventType{et}), et, first.IngestedAt, within.D(), now))
		}
		slices.SortFunc(res.Steps, func(a, b Needed) int { return cmp.Compare(a.What, b.What) })
		out = append(out, res)
	}
	lacking := lacked(out)
	for i := range out {
		op := &out[i]
		for j := range op.Steps {
			f.excuse(&op.Steps[j], line, lacking)
			op.worse(&op.Steps[j])
		}
	}
	return out
}

// lacked is the event types that operations wait for beyond their time.
func lacked(ops []Operation) []schemas.EventType {
	var out []schemas.EventType
	for _, op := range ops {
		for _, n := range op.Steps {
			if et := schemas.EventType(n.What); op.Void == "" && n.State == StateMissing && slices.Contains(schemas.EventTypes, et) {
				out = append(out, et)
			}
		}
	}
	return out
}

// excuse lets an integration wait that nobody has asked yet, where what would ask it is missed already: one team is paged for
// one cause.
func (f *Fold) excuse(n *Needed, line []*fact, lacking []schemas.EventType) {
	in, operation := f.topo.DoneBy(n.What)
	if in == nil || n.State != StateLate && n.State != StateMissing {
		return
	}
	missed := schemas.EventType("")
	for i := range in.Deliver {
		r := &in.Deliver[i]
		if r.Operation != operation {
			continue
		}
		if firstOf(line, r.On) != nil {
			return
		}
		for _, et := range r.On {
			if slices.Contains(lacking, et) {
				missed = et
			}
		}
	}
	if missed != "" {
		n.State, n.Detail = StatePending, "nobody has asked: "+string(missed)+" has not come"
	}
}

// worse takes in one step, as Integration.worse takes in an answer.
func (op *Operation) worse(n *Needed) {
	if op.Void != "" && n.State != StateComplete && n.State != StateParked && n.State != StateUnknown {
		n.State, n.Until, n.Detail, n.Void = StateComplete, nil, cmp.Or(n.Detail, "not needed any more: "+op.Void), true
	}
	more := n.State.rank() - op.State.rank()
	switch {
	case more > 0 || op.Since == nil:
		op.State, op.Since, op.Until = n.State, n.Since, n.Until
	case more < 0 || n.Since == nil:
	case n.State == StateComplete:
		op.Since = later(op.Since, n.Since)
	default:
		op.Since, op.Until = earlier(op.Since, n.Since), earlier(op.Until, n.Until)
	}
}

// firstOf is the first event of some types by our clock; nil for none. What only outcomes tell of counts too.
func firstOf(line []*fact, types []schemas.EventType) *fact {
	for _, ev := range line {
		if slices.Contains(types, ev.Type) && !ev.IngestedAt.IsZero() {
			return ev
		}
	}
	return nil
}

// void is what makes the rest of an operation needless; empty for nothing.
func (f *Fold) void(op *topology.Operation, line []*fact, o *Order) string {
	if ev := firstOf(line, op.Void); ev != nil {
		return string(ev.Type)
	}
	if slices.Contains(op.Void, topology.RefundFull) && o.Money != nil && fullyRefunded(o.Money.Totals) {
		return string(topology.RefundFull)
	}
	return ""
}

// integration is how an integration stands with the order; nil when it is not concerned.
func (o *Order) integration(name string) *Integration {
	for i := range o.Integrations {
		if o.Integrations[i].Name == name {
			return &o.Integrations[i]
		}
	}
	return nil
}

// done judges whether an integration's calls for an operation succeeded. Of several events that ask for the operation all
// must have, and what waits for a person stays theirs.
func done(in *Integration, operation, name string, begun time.Time, within time.Duration, now time.Time) Needed {
	due := begun.Add(within)
	out := Needed{What: name + "/" + operation, State: StatePending, Since: &begun, Until: &due}
	known, ended, unread := false, "", out
	var at *time.Time
	for i := range answersOf(in) {
		a := &in.Answers[i]
		switch {
		case a.State == StateMissing && a.ReadBack == schemas.ReadMissing && a.Operation == operation:
			out.stuck(a)
		case (a.Kind == schemas.Delivered || a.Kind == schemas.AlreadyDone) && a.Operation == operation:
			if at == nil || a.Since.After(*at) {
				at = a.Since
			}
		case (a.State == StateParked || a.State == StateUnknown) && a.Operation == operation:
			out.stuck(a)
		case a.State == StateParked || a.State == StateUnknown:
			unread.stuck(a)
		case a.Kind != "" && a.Kind.Final() && a.Operation == operation && a.Kind != schemas.Duplicate:
			ended = a.why()
		}
		known = known || a.Kind != "" && a.Reason != schemas.ReasonNotSubscribed
	}
	switch {
	case out.State != StatePending:
	case at != nil:
		out.State, out.Since, out.Until = StateComplete, at, nil
	case unread.State != StatePending: // it may be this operation's
		return unread
	case now.After(due):
		out.Since, out.Until, out.State = &due, nil, StateMissing
		if out.Detail = ended; known {
			out.State = StateLate
		}
	}
	return out
}

// stuck takes in an answer that waits for a person.
func (n *Needed) stuck(a *Answer) {
	if a.State.rank() > n.State.rank() {
		n.State, n.Since, n.Until, n.Detail = a.State, a.Since, nil, a.why()
	}
}

func answersOf(in *Integration) []Answer {
	if in == nil {
		return nil
	}
	return in.Answers
}

// seen judges whether an event came; ev is nil while it has not.
func seen(ev *fact, et schemas.EventType, begun time.Time, within time.Duration, now time.Time) Needed {
	due := begun.Add(within)
	switch {
	case ev != nil:
		return Needed{What: string(et), State: StateComplete, Since: &ev.IngestedAt, Detail: "said by " + string(ev.System)}
	case now.After(due):
		return Needed{What: string(et), State: StateMissing, Since: &due, Detail: "nobody has said it"}
	}
	return Needed{What: string(et), State: StatePending, Since: &begun, Until: &due}
}
