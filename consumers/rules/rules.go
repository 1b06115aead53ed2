package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Action is what to do with the event now.
type Action int

// The actions.
const (
	Finish Action = iota // an outcome without a call: Decision.Kind, final
	Hold                 // park it: Decision.Reason, Needs, Until
	Call                 // deliver Decision.Sent by Decision.Route
)

// String is the word of the trace.
func (a Action) String() string { return [...]string{"finish", "hold", "call"}[a] }

// Waiting is an event of the same order that is parked.
type Waiting struct {
	ID         schemas.EventID
	BusinessID string // empty when not known
	Reason     schemas.Reason
}

// Facts is everything a decision rests on.
type Facts struct {
	Event  *schemas.Event
	Entry  *schemas.LedgerEntry // after Note; never nil
	Parked []Waiting            // earlier events of the order that are parked
	Behind []schemas.EventType  // types of the order's events that wait behind this one, from systems that speak for them
	// Attempted true: a call was made whose effect is not known to be absent, so it may be neither superseded nor expired.
	Attempted bool
	// Released true: a person asked for it now, whatever it waited for.
	Released bool
	// Again is set where a person asked for an event that is finished to be delivered again: see again.go.
	Again *schemas.Replay
	Now   time.Time
}

// Decision is what becomes of the event, and why.
type Decision struct {
	Action   Action
	Kind     schemas.Kind // with Finish
	Reason   schemas.Reason
	Detail   string
	Route    *topology.Route  // with Call and Hold
	Dropped  schemas.FieldSet // with Call: what is withheld of the event: see Sent
	Withheld []string         // fields of the event that are not sent; nil when all are
	Why      []schemas.Reason // why, one for each of Withheld
	Fields   schemas.FieldSet // with Call: what is sent, for Apply
	Forced   schemas.FieldSet // with Call: those of Fields that a person wants sent though the systems that share them differ
	Key      string           // with Call: the idempotency key of every attempt
	Needs    []schemas.EventType
	Until    time.Time // with Hold: when a person is asked; zero: now
}

// Sent is what is told of the event that was decided about, which may have been opened since: what is personal of it changes
// nothing of a decision.
func (d *Decision) Sent(ev *schemas.Event) *schemas.Event { return schemas.Without(ev, d.Dropped) }

// Decide says what the integration does with the event. Explain says why in full.
func Decide(in *topology.Integration, own *Owners, f Facts) Decision { return decide(in, own, f, nil) }

func decide(in *topology.Integration, own *Owners, f Facts, t *trace) Decision {
	ev := f.Event
	if d, done := dedup(in, f); done {
		return d
	}
	t.passed(RuleDuplicate)
	if !in.ActsOn(ev.Type) {
		return finish(schemas.Withheld, schemas.ReasonNotSubscribed, "%s does not act on %s", in.Name, ev.Type)
	}
	t.passed(RuleSubscribed)
	if !SpeaksFor(own, ev.Type, ev.System, ev.Time) {
		return finish(schemas.Withheld, schemas.ReasonNotOwner, "%s is not %s's to say", ev.Type, ev.System)
	}
	t.passed(RuleSpeaker)
	s := owned(in, own, f)
	if d, done := misdirected(in, ev); done {
		return d
	}
	t.passed(RuleCorrection)
	if s.barren() {
		d := finish(schemas.Withheld, schemas.ReasonNotOwner, "no field of it is %s's to write into %s", ev.System, in.System)
		d.Withheld, d.Why = s.withheld(own)
		return d
	}
	t.passed(RuleOwner)
	route := RouteOf(in, f.Entry, ev)
	if route == nil {
		return finish(schemas.Withheld, schemas.ReasonPrerequisite, "noted: %s is waited for or supersedes, and makes no call itself", ev.Type)
	}
	t.passed(RuleRoute)
	s.refuse(own, route, f)
	d := decideRoute(in, own, route, f, &s, t)
	d.Route = route
	d.Withheld, d.Why = s.withheld(own)
	if d.Action == Call {
		d.Fields, d.Forced = s.left(), s.forced
		d.Dropped, d.Key = s.said&^s.left(), KeyAgain(Key(in, route, ev), f.Again)
	}
	return d
}

// decideRoute holds the rules of the route that acts on the event.
func decideRoute(in *topology.Integration, own *Owners, route *topology.Route, f Facts, s *sift, t *trace) Decision {
	ev := f.Event
	if max := in.ExpiresAfter.D(); max > 0 && f.Now.Sub(ev.Time) > max && !f.Attempted && !f.evenStale() {
		return finish(schemas.Expired, schemas.ReasonTooOld, "%s old, and of no use after %s", f.Now.Sub(ev.Time).Round(time.Second), max)
	}
	t.passed(RuleExpired)
	if route.Undoes != "" && !mayHaveEffect(f.Entry, route.Undoes) && !f.undid(route) {
		return finish(schemas.Withheld, schemas.ReasonNothingToUndo, "%s was not made for this order", route.Undoes)
	}
	t.passed(RuleUndoes)
	op := OperationOf(f.Entry, route.Operation)
	if route.Once && op != nil && !f.made(op) {
		return finish(schemas.Duplicate, schemas.ReasonOnce, "%s was made for this order by event %s", route.Operation, op.EventID)
	}
	t.passed(RuleOnce)
	if !route.Each && op != nil && op.State == schemas.OpDone && stateful(ev.Type) && !f.evenStale() && (op.System == "" || op.System == ev.System) {
		if cmp, ok := schemas.CompareVersions(ev.SourceVersion, op.Version); ok && cmp < 0 {
			return finish(schemas.Superseded, schemas.ReasonStale, "version %s is older than %s, which was applied", ev.SourceVersion, op.Version)
		}
	}
	if s.barren() && s.conflict == 0 && s.ruled == s.said&^(s.foreign|s.theirs) && onlyFields(ev.Type) {
		return finish(schemas.Superseded, schemas.ReasonCorrected, "a person decided otherwise, and knew version %s", ev.SourceVersion)
	}
	if s.barren() && s.conflict == 0 && onlyFields(ev.Type) {
		return finish(schemas.Superseded, schemas.ReasonStale, "of all that version %s says, newer was applied", ev.SourceVersion)
	}
	t.passed(RuleStale)
	if by, ok := superseding(route, f); ok && !f.Attempted {
		return finish(schemas.Superseded, schemas.ReasonCancelled, "%s came before %s was made", by, route.Operation)
	}
	t.passed(RuleSuperseded)
	if missing := Missing(route, f.Entry); len(missing) > 0 && !f.Released {
		return Decision{Action: Hold, Reason: schemas.ReasonNeeds, Needs: missing, Until: f.Now.Add(route.NeedsWithin.D()),
			Detail: fmt.Sprintf("waits for %v", missing)}
	}
	t.passed(RuleNeeds)
	if in.Order == "hold" {
		for _, w := range f.Parked {
			if w.Reason != schemas.ReasonNeeds {
				return Decision{Action: Hold, Reason: schemas.ReasonBehind, Detail: fmt.Sprintf("event %s of this order is parked: %s", w.ID, w.Reason)}
			}
		}
	}
	t.passed(RuleBehind)
	return differing(own, route, f, s)
}

// differing is the rule of fields that systems share and differ about: they are withheld, unless the whole event is to wait,
// or would be a request that is never made.
func differing(own *Owners, route *topology.Route, f Facts, s *sift) Decision {
	if s.conflict == 0 {
		return Decision{Action: Call}
	}
	names := strings.Join(s.conflict.Names(), ", ")
	switch {
	case s.conflict&own.parks != 0 || s.barren() && route.Once:
		return Decision{Action: Hold, Reason: schemas.ReasonConflict, Detail: "the systems that share " + names + " differ: they must agree, or a person decides"}
	case s.barren() && onlyFields(f.Event.Type):
		return finish(schemas.Withheld, schemas.ReasonConflict, "the systems that share %s differ, and nothing else may be sent", names)
	default:
		return Decision{Action: Call}
	}
}

// dedup knows events that were finished, or are parked, and business facts that came under two ids.
func dedup(in *topology.Integration, f Facts) (Decision, bool) {
	ev := f.Event
	for _, done := range f.Entry.Events {
		if f.Again != nil && done.ID == ev.ID {
			continue
		}
		if done.ID == ev.ID {
			return finish(schemas.Duplicate, schemas.ReasonSameEvent, "%s at %s", done.Kind, done.At.UTC().Format(time.RFC3339)), true
		}
		if done.BusinessID != "" && done.BusinessID == ev.BusinessID {
			return finish(schemas.Duplicate, schemas.ReasonSameBusiness, "the same fact as event %s, %s at %s", done.ID, done.Kind, done.At.UTC().Format(time.RFC3339)), true
		}
	}
	for _, w := range f.Parked {
		if w.Reason == schemas.ReasonPoison {
			continue // bytes that nobody could read are not this event, whatever their headers say
		}
		if w.ID == ev.ID {
			return finish(schemas.Duplicate, schemas.ReasonSameEvent, "%s has it parked: %s", in.Name, w.Reason), true
		}
		if w.BusinessID != "" && w.BusinessID == ev.BusinessID {
			return finish(schemas.Duplicate, schemas.ReasonSameBusiness, "the same fact as event %s, which %s has parked: %s", w.ID, in.Name, w.Reason), true
		}
	}
	return Decision{}, false
}

// finish is a Decision without a call.
func finish(kind schemas.Kind, reason schemas.Reason, format string, args ...any) Decision {
	return Decision{Action: Finish, Kind: kind, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// RouteOf is the route that acts on the event; nil when the integration only takes note of it.
func RouteOf(in *topology.Integration, entry *schemas.LedgerEntry, ev *schemas.Event) *topology.Route {
	full := ev.Type == schemas.RefundSucceeded && FullyRefunded(entry)
	for i := range in.Deliver {
		r := &in.Deliver[i]
		if ev.Type.Corrects() && (ev.Correction == nil || !r.Takes(ev.Correction.Field)) {
			continue
		}
		if slices.Contains(r.On, ev.Type) || full && slices.Contains(r.On, topology.RefundFull) {
			return r
		}
	}
	return nil
}

// RouteFor is the route of an operation that acts on events of a type; nil for none.
func RouteFor(in *topology.Integration, et schemas.EventType, operation string) *topology.Route {
	for i := range in.Deliver {
		r := &in.Deliver[i]
		if r.Operation == operation && (slices.Contains(r.On, et) || et == schemas.RefundSucceeded && slices.Contains(r.On, topology.RefundFull)) {
			return r
		}
	}
	return nil
}

// Missing is what the route needs and the order has not seen.
func Missing(route *topology.Route, entry *schemas.LedgerEntry) []schemas.EventType {
	var out []schemas.EventType
	for _, need := range route.Needs {
		if !slices.Contains(entry.Seen, need) {
			out = append(out, need)
		}
	}
	return out
}

// superseding is the type that makes the route's effect pointless, seen or standing behind.
func superseding(route *topology.Route, f Facts) (schemas.EventType, bool) {
	for _, et := range route.SupersededBy {
		switch {
		case et == f.Event.Type:
		case et == topology.RefundFull:
			if FullyRefunded(f.Entry) {
				return et, true
			}
		case slices.Contains(f.Entry.Seen, et) || slices.Contains(f.Behind, et):
			return et, true
		}
	}
	return "", false
}

// mayHaveEffect tells whether the operation's effect stands in the downstream, or may stand there: a call was made, and
// what became of it is not known.
func mayHaveEffect(entry *schemas.LedgerEntry, operation string) bool {
	op := OperationOf(entry, operation)
	return op != nil && op.State == schemas.OpDone || IntentOf(entry, operation) != nil
}

// OperationOf is how an operation stands: done or undone; nil when it was never made.
func OperationOf(entry *schemas.LedgerEntry, name string) *schemas.Operation {
	return find(entry, func(op *schemas.Operation) bool { return op.Name == name && op.State != schemas.OpIntent })
}

// IntentOf is an operation that is under way, or was when its worker died, or ended with an effect that nobody knows; nil
// when there is none. The entry keeps it beside how the operation stood before.
func IntentOf(entry *schemas.LedgerEntry, name string) *schemas.Operation {
	return find(entry, func(op *schemas.Operation) bool { return op.Name == name && op.State == schemas.OpIntent })
}

func find(entry *schemas.LedgerEntry, is func(*schemas.Operation) bool) *schemas.Operation {
	for i := range entry.Operations {
		if is(&entry.Operations[i]) {
			return &entry.Operations[i]
		}
	}
	return nil
}

// keySpace is the UUID namespace of idempotency keys. Frozen: another would make every retry a new request.
var keySpace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("keys.seam.binaryandbeyond.github.com"))

// Key is the idempotency key of every attempt in every process: of the order's operation where that happens once, of the
// event otherwise. It is a hash: it holds nothing personal.
func Key(in *topology.Integration, route *topology.Route, ev *schemas.Event) string {
	what := "event\x00" + string(ev.ID)
	if route.Once {
		what = "once\x00" + ev.Type.Topic() + "\x00" + ev.Subject
	}
	return uuid.NewSHA1(keySpace, []byte(in.Name+"\x00"+route.Operation+"\x00"+what)).String()
}
