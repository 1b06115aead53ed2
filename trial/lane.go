package trial

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Trial is what would become of one event.
type Trial struct {
	Event   schemas.EventID   `json:"event"`
	Type    schemas.EventType `json:"type"`
	System  schemas.System    `json:"system"`
	Subject string            `json:"subject"`
	Time    time.Time         `json:"time"`
	Version string            `json:"version,omitempty"`
	// After is the type of the event that let this one go on, which was held before; empty for one that just came.
	After schemas.EventType `json:"after,omitempty"`
	Steps []rules.Step      `json:"steps"` // every rule that was asked, in order
	// Decision is "call", or kind and reason as an outcome has them: "withheld/not_owner", "parked/needs".
	Decision  string                    `json:"decision"`
	Detail    string                    `json:"detail,omitempty"`
	Operation string                    `json:"operation,omitempty"`
	Withheld  map[string]schemas.Reason `json:"withheld,omitempty"` // fields that would not be sent, and why
	Values    map[string]string         `json:"values,omitempty"`   // what the event says of comparable fields
	Request   *Request                  `json:"request,omitempty"`  // with "call"
	Note      string                    `json:"note,omitempty"`     // what the request cannot show
}

// Call is the Decision of an event for which a request would be made.
const Call = "call"

// Config is what a Lane needs.
type Config struct {
	Topology    *topology.Topology
	Integration string
	// Entry is what the ledger knows of the order; nil: nothing.
	Entry *schemas.LedgerEntry
	// Parked are events of the order that are parked already.
	Parked []rules.Waiting
	// Personal true shows personal values; they are masked otherwise.
	Personal bool
	// Now is the clock; nil: the time of the event that is judged.
	Now func() time.Time
}

// Lane plays the events of one order in one integration. It is not safe for concurrent use.
type Lane struct {
	cfg    Config
	in     *topology.Integration
	own    *rules.Owners
	set    deliver.Set
	entry  *schemas.LedgerEntry
	held   []held
	parked []rules.Waiting
}

// held is an event that waits in the play.
type held struct {
	Input
	reason schemas.Reason
}

// Input is an event that comes, and where it stands.
type Input struct {
	Event     *schemas.Event
	Partition int32
	// Behind are the types of the order's events that wait behind it.
	Behind []schemas.EventType
	// Attempted and Released are of rules.Facts.
	Attempted, Released bool
	TraceParent         string
	// Facts are told to an integration whose body names facts; nil: something stands in their place.
	Facts *topology.FactSet
}

// factsLater stands for facts: they are asked for when a call is made, under the integration's policy.
var factsLater = &topology.FactSet{ID: "asked for when the call is made", Usable: true}

// New makes a lane. An integration that the topology does not have is an error that names those it has.
func New(cfg Config) (*Lane, error) {
	in := cfg.Topology.Integration(cfg.Integration)
	if in == nil {
		var names []string
		for _, known := range cfg.Topology.Integrations {
			names = append(names, known.Name)
		}
		return nil, fmt.Errorf("unknown integration %q: the topology has %v", cfg.Integration, names)
	}
	set, err := deliver.New(in, cfg.Topology.Outbound())
	if err != nil {
		return nil, err
	}
	l := &Lane{cfg: cfg, in: in, own: rules.NewOwners(cfg.Topology.Ownership), set: set, entry: &schemas.LedgerEntry{Settled: -1}, parked: cfg.Parked}
	if cfg.Entry != nil {
		l.entry = cfg.Entry
	}
	return l, nil
}

// Try plays one event as if its call, where it comes to one, succeeded. The first Trial is its own; the others are of events
// held before that may go on now.
func (l *Lane) Try(in Input) []Trial {
	entry := l.entry
	if l.in.ActsOn(in.Event.Type) || in.Event.Type.Corrects() { // a worker does not read what it does not act on
		entry = rules.Note(l.own, entry, in.Event)
	}
	out := []Trial{l.judge(in, entry, l.waiting(len(l.held)))}
	for again := true; again; {
		again = false
		blocked := len(l.parked) > 0
		for i := 0; i < len(l.held) && !again; i++ {
			h := l.held[i]
			behind, differ := h.reason == schemas.ReasonBehind, h.reason == schemas.ReasonConflict
			if h.reason != schemas.ReasonNeeds && !differ && !behind {
				blocked = true
				continue
			}
			if behind && blocked || h.Event == in.Event {
				continue
			}
			d := rules.Decide(l.in, l.own, rules.Facts{Event: h.Event, Entry: l.entry, Parked: l.waiting(i), Now: l.now(h.Event)})
			if d.Action == rules.Hold {
				blocked = blocked || differ
				continue
			}
			l.held = slices.Delete(l.held, i, i+1)
			t := l.judge(h.Input, l.entry, l.waiting(i))
			t.After, again = in.Event.Type, true
			out = append(out, t)
		}
	}
	return out
}

// waiting is what is parked before the i-th held event.
func (l *Lane) waiting(i int) []rules.Waiting {
	out := slices.Clone(l.parked)
	for _, h := range l.held[:i] {
		out = append(out, rules.Waiting{ID: h.Event.ID, BusinessID: h.Event.BusinessID, Reason: h.reason})
	}
	return out
}

// now is the clock when an event is judged.
func (l *Lane) now(ev *schemas.Event) time.Time {
	if l.cfg.Now == nil {
		return ev.Time
	}
	return l.cfg.Now()
}

// judge asks the rules about an event, makes its request, and notes in the lane's ledger what would be there afterwards.
func (l *Lane) judge(in Input, entry *schemas.LedgerEntry, waiting []rules.Waiting) Trial {
	ev := in.Event
	f := rules.Facts{Event: ev, Entry: entry, Parked: waiting, Behind: in.Behind, Attempted: in.Attempted, Released: in.Released, Now: l.now(ev)}
	t := Trial{Event: ev.ID, Type: ev.Type, System: ev.System, Subject: ev.Subject, Time: ev.Time, Version: ev.SourceVersion, Steps: rules.Explain(l.in, l.own, f), Values: l.values(ev)}
	d := *t.Steps[len(t.Steps)-1].Decision
	for i, name := range d.Withheld {
		if t.Withheld == nil {
			t.Withheld = map[string]schemas.Reason{}
		}
		t.Withheld[name] = d.Why[i]
	}
	if d.Route != nil {
		t.Operation = d.Route.Operation
	}
	c := *entry
	l.entry = &c
	if d.Action == rules.Call && ev.Sealed != nil {
		d = rules.Decision{Action: rules.Finish, Kind: schemas.Withheld, Reason: schemas.ReasonErased, Detail: "its personal data is erased, or this user may not read it"}
	}
	switch d.Action {
	case rules.Finish:
		t.Decision, t.Detail = string(d.Kind)+"/"+string(d.Reason), d.Detail
		if d.Kind != schemas.Duplicate && d.Reason != schemas.ReasonNotSubscribed {
			l.finished(ev, d.Kind)
		}
	case rules.Hold:
		t.Decision, t.Detail = string(schemas.Parked)+"/"+string(d.Reason), d.Detail
		l.hold(in, d.Reason)
	case rules.Call:
		shown, err := l.show(in, d)
		if err != nil {
			t.Decision, t.Detail = string(schemas.Parked)+"/"+string(schemas.ReasonMapping), err.Error()
			l.hold(in, schemas.ReasonMapping)
			break
		}
		t.Decision, t.Request = Call, shown
		if in.Facts == nil && d.Route.TellsFacts() {
			t.Note = "its facts are asked for when the call is made, and it waits while they may not be used (docs/facts.md)"
		}
		l.delivered(ev, d)
	}
	return t
}

// values is what an event says, masked where that is personal.
func (l *Lane) values(ev *schemas.Event) map[string]string {
	if !l.cfg.Personal {
		ev = schemas.Masked(ev)
	}
	out := map[string]string{}
	for _, v := range schemas.FieldsOf(ev) {
		out[string(v.Field)] = v.Value
	}
	return out
}

func (l *Lane) hold(in Input, reason schemas.Reason) {
	l.held = append(l.held, held{in, reason})
}

// finished notes that an event needs no more handling.
func (l *Lane) finished(ev *schemas.Event, kind schemas.Kind) {
	done := schemas.FinishedEvent{ID: ev.ID, Kind: kind, At: l.now(ev)}
	if kind == schemas.Delivered {
		done.BusinessID = ev.BusinessID
	}
	l.entry.Events = append(slices.Clip(l.entry.Events), done)
}

// delivered notes that a call had its effect, as a worker does.
func (l *Lane) delivered(ev *schemas.Event, d rules.Decision) {
	done := schemas.Operation{Name: d.Route.Operation, State: schemas.OpDone, EventID: ev.ID, Key: d.Key, Version: ev.SourceVersion, System: ev.System, At: l.now(ev)}
	rules.Done(l.own, l.entry, d.Route, ev, done, d.Fields, d.Forced)
	l.finished(ev, schemas.Delivered)
}

// BehindEach is the types that wait behind each of several events of an order, from systems that speak for them.
func BehindEach(topo *topology.Topology, events []*schemas.Event) [][]schemas.EventType {
	own := rules.NewOwners(topo.Ownership)
	out := make([][]schemas.EventType, len(events))
	seen := map[schemas.EventType]bool{}
	for i := len(events) - 1; i >= 0; i-- {
		out[i] = slices.Sorted(maps.Keys(seen))
		if ev := events[i]; rules.SpeaksFor(own, ev.Type, ev.System, ev.Time) {
			seen[ev.Type] = true
		}
	}
	return out
}

// Waiting is what the rules ask of parked records.
func Waiting(parked []*schemas.ParkedRecord) []rules.Waiting {
	var out []rules.Waiting
	for _, p := range parked {
		out = append(out, rules.Waiting{ID: p.EventID, BusinessID: p.Headers["ce_businessid"], Reason: p.Reason})
	}
	return out
}
