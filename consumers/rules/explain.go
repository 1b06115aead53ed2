package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Rule names one of the questions that Decide asks, in the order it asks them.
type Rule string

// The rules.
const (
	RuleDuplicate  Rule = "duplicate"  // was the event, or its business fact, finished before?
	RuleSubscribed Rule = "subscribed" // does any route name its type?
	RuleSpeaker    Rule = "speaker"    // may its system say such an event?
	RuleCorrection Rule = "correction" // is a person's correction for this downstream?
	RuleOwner      Rule = "owner"      // which of its fields may its system write into the downstream?
	RuleRoute      Rule = "route"      // which request is it?
	RuleExpired    Rule = "expired"    // is it too old to do any good?
	RuleUndoes     Rule = "undoes"     // is there an effect to take back?
	RuleOnce       Rule = "once"       // was the operation made for this order?
	RuleStale      Rule = "stale"      // does something newer stand in the downstream?
	RuleSuperseded Rule = "superseded" // did something come that makes it pointless?
	RuleNeeds      Rule = "needs"      // has all come that it waits for?
	RuleBehind     Rule = "behind"     // does an earlier event of the order wait?
	RuleConflict   Rule = "conflict"   // do systems that share a field differ?
)

// Rules lists every rule in the order they are asked.
var Rules = []Rule{RuleDuplicate, RuleSubscribed, RuleSpeaker, RuleCorrection, RuleOwner, RuleRoute, RuleExpired, RuleUndoes, RuleOnce, RuleStale,
	RuleSuperseded, RuleNeeds, RuleBehind, RuleConflict}

// trace notes the rules that let an event pass. A nil trace notes nothing, at the cost of a comparison.
type trace struct{ rules []Rule }

func (t *trace) passed(r Rule) {
	if t != nil {
		t.rules = append(t.rules, r)
	}
}

// Step is one rule's part in a decision.
type Step struct {
	Rule   Rule   `json:"rule"`
	Looked string `json:"looked"` // what it looked at; holds nothing personal
	Said   string `json:"said"`   // "pass", or what became of the event: "hold: needs"
	// Fields are what the event says, with RuleOwner.
	Fields []FieldStep `json:"fields,omitempty"`
	// Decision is with the last step alone: what Decide gives.
	Decision *Decision `json:"-"`
}

// FieldStep is what becomes of one field that an event says.
type FieldStep struct {
	Field  schemas.Field    `json:"field"`
	Owners topology.Systems `json:"owners,omitempty"` // at the event's time; none where it is nobody's
	Sent   bool             `json:"sent"`             // may be written, whether or not a call is made
	Reason schemas.Reason   `json:"reason,omitempty"` // why not
}

// Explain is Decide with its reasons: a Step for each rule that was asked, in order. The last one's Decision is what Decide
// gives for the same facts; rules after it were not asked. It does no I/O.
func Explain(in *topology.Integration, own *Owners, f Facts) []Step {
	t := &trace{}
	d := decide(in, own, f, t)
	asked := t.rules
	if len(asked) < len(Rules) {
		asked = append(asked, Rules[len(asked)])
	}
	steps := make([]Step, len(asked))
	for i, r := range asked {
		steps[i] = Step{Rule: r, Looked: looked(in, own, f, r), Said: "pass"}
		if r == RuleOwner {
			steps[i].Fields = fieldSteps(in, own, f)
		}
	}
	last := &steps[len(steps)-1]
	last.Said, last.Decision = said(d), &d
	return steps
}

// said is a decision in a few words.
func said(d Decision) string {
	switch d.Action {
	case Call:
		return "call " + d.Route.Operation
	case Hold:
		return fmt.Sprintf("hold: %s, %s", d.Reason, d.Detail)
	default:
		return fmt.Sprintf("%s: %s, %s", d.Kind, d.Reason, d.Detail)
	}
}

// looked tells what a rule looks at for these facts.
func looked(in *topology.Integration, own *Owners, f Facts, r Rule) string {
	ev, entry := f.Event, f.Entry
	if text := lookedAtRoute(in, f, r); text != "" {
		return text
	}
	switch r {
	case RuleDuplicate:
		return fmt.Sprintf("event %s among %d finished and %d parked of %s", ev.ID, len(entry.Events), len(f.Parked), ev.Subject)
	case RuleSubscribed:
		return fmt.Sprintf("%s acts on %s", in.Name, list(in.Subscribes()))
	case RuleSpeaker:
		field, ok := principal[ev.Type]
		if !ok {
			return fmt.Sprintf("%s carries a state: anybody may tell it, its fields are judged one by one", ev.Type)
		}
		return fmt.Sprintf("%s speaks; %s is the word of who owns %s: %s", ev.System, ev.Type, field, orNobody(own.ownersOf(field).At(ev.Time)))
	case RuleCorrection:
		if !ev.Type.Corrects() {
			return "no correction"
		}
		return "a person's correction"
	case RuleOwner:
		return fmt.Sprintf("%d fields that %s says", len(schemas.Says(ev).Names()), ev.System)
	case RuleRoute:
		route := RouteOf(in, entry, ev)
		if route == nil {
			return fmt.Sprintf("no route is on %s", ev.Type)
		}
		return fmt.Sprintf("the route on %s does %s", list(route.On), route.Operation)
	default:
		s := judged(in, own, f)
		return fmt.Sprintf("%d fields are left; of shared ones differ: %s", len(s.left().Names()), orNone(s.conflict.Names()))
	}
}

// lookedAtRoute is looked for the rules of the route that takes the event; empty for others.
func lookedAtRoute(in *topology.Integration, f Facts, r Rule) string {
	ev, entry := f.Event, f.Entry
	route := RouteOf(in, entry, ev)
	if route == nil {
		return ""
	}
	switch r {
	case RuleExpired:
		if in.ExpiresAfter == 0 {
			return "it never expires"
		}
		return fmt.Sprintf("%s old of at most %s", f.Now.Sub(ev.Time), in.ExpiresAfter.D())
	case RuleUndoes:
		if route.Undoes == "" {
			return "it takes nothing back"
		}
		return fmt.Sprintf("takes %s back: %s", route.Undoes, state(entry, route.Undoes))
	case RuleOnce:
		if !route.Once {
			return "as often as it comes"
		}
		return fmt.Sprintf("once for each order: %s", state(entry, route.Operation))
	case RuleStale:
		switch {
		case route.Each:
			return "every event is a record of its own"
		case route.Once:
			return "a request that is made once"
		}
		return fmt.Sprintf("version %s; %s", orNone([]string{ev.SourceVersion}), state(entry, route.Operation))
	case RuleSuperseded:
		if len(route.SupersededBy) == 0 {
			return "nothing makes it pointless"
		}
		return fmt.Sprintf("pointless after %s; seen: %s; behind it: %s", list(route.SupersededBy), list(entry.Seen), list(f.Behind))
	case RuleNeeds:
		if len(route.Needs) == 0 {
			return "it waits for nothing"
		}
		return fmt.Sprintf("waits for %s; seen: %s", list(route.Needs), list(entry.Seen))
	case RuleBehind:
		return fmt.Sprintf("order: %s; %d of the order are parked", in.Order, len(f.Parked))
	default:
		return ""
	}
}

// state is how an operation stands, in words.
func state(entry *schemas.LedgerEntry, operation string) string {
	op := OperationOf(entry, operation)
	switch {
	case op == nil && IntentOf(entry, operation) != nil:
		return operation + " was begun, and its effect is not known"
	case op == nil:
		return operation + " was not made"
	case op.Version != "":
		return fmt.Sprintf("%s is %s, of version %s, by event %s", operation, op.State, op.Version, op.EventID)
	}
	return fmt.Sprintf("%s is %s by event %s", operation, op.State, op.EventID)
}

// judged is what an event's fields came to, as far as the rules went.
func judged(in *topology.Integration, own *Owners, f Facts) sift {
	s := owned(in, own, f)
	if route := RouteOf(in, f.Entry, f.Event); route != nil {
		s.refuse(own, route, f)
	}
	return s
}

// fieldSteps tells of every field that the event says.
func fieldSteps(in *topology.Integration, own *Owners, f Facts) []FieldStep {
	s := judged(in, own, f)
	names, why := s.withheld(own)
	out := []FieldStep{}
	for place, field := range s.said.All() {
		step := FieldStep{Field: field, Owners: own.of[place].At(f.Event.Time), Sent: true}
		if i := slices.Index(names, string(field)); i >= 0 {
			step.Sent, step.Reason = false, why[i]
		}
		out = append(out, step)
	}
	return out
}

// ownersOf is the entry of a field; without owners where it is nobody's.
func (o *Owners) ownersOf(field schemas.Field) *topology.Owner {
	for place := range schemas.SetOf(field).All() {
		return &o.of[place]
	}
	return &topology.Owner{}
}

func orNobody(s topology.Systems) string {
	if len(s) == 0 {
		return "nobody"
	}
	return list(s)
}

func orNone(names []string) string {
	if text := strings.Join(names, ", "); text != "" {
		return text
	}
	return "none"
}

// list is "a, b", or "none".
func list[T ~string](items []T) string {
	names := make([]string, len(items))
	for i, s := range items {
		names[i] = string(s)
	}
	return orNone(names)
}
