package reconcile

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Order is the answer as of now.
func (f *Fold) Order(now time.Time) *Order {
	line := f.timeline()
	o := &Order{Topic: f.topic, Key: f.key, AsOf: now.UTC(), State: StateComplete, Duplicates: f.Copies(), Erased: f.erased, Pages: []string{}, Events: []Event{}, Integrations: []Integration{}, Operations: []Operation{}}
	facts := map[string]schemas.EventID{} // business id to the first event
	for _, ev := range line {
		e := ev.Event
		if e.BusinessID != "" {
			if first, ok := facts[e.BusinessID]; ok {
				e.SameFactAs = first
			} else {
				facts[e.BusinessID] = e.ID
			}
		}
		o.Events = append(o.Events, e)
	}
	reads := readsOf(line)
	for _, name := range f.concerned() {
		o.Integrations = append(o.Integrations, f.integration(name, line, reads, now))
	}
	o.Money = f.money(now)
	o.Derived, o.ReadBacks = f.derived(o, line), readBacks(reads, now)
	o.Operations = append(o.Operations, f.operations(o, line, now)...)
	o.Fields = f.said()
	o.Disagreements = f.Disagreements(now)
	o.judge()
	return o
}

// concerned is every integration that acts on an event of the key, and every one that did more than pass one by.
func (f *Fold) concerned() []string {
	set := map[string]bool{}
	for i := range f.topo.Integrations {
		in := &f.topo.Integrations[i]
		for _, ev := range f.events {
			if f.acts.on(in.Name, ev.Type, ev.IngestedAt) {
				set[in.Name] = true
			}
		}
	}
	for k, a := range f.answers {
		if last := a.latest(); last == nil || last.reason != schemas.ReasonNotSubscribed {
			set[k.integration] = true
		}
	}
	out := make([]string, 0, len(set))
	for name := range set {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// integration is how one integration stands, over the events of a timeline and what was read back.
func (f *Fold) integration(name string, line, reads []*fact, now time.Time) Integration {
	in := f.topo.Integration(name)
	out := Integration{Name: name, State: StateComplete, Answers: []Answer{}}
	var within time.Duration
	if in != nil {
		out.Team, within = in.Team, in.CompleteWithin.D()
	} else {
		out.Detail = "is not in the topology any more"
	}
	known := false // it has said something of an event that it acts on
	for _, ev := range line {
		a := f.answers[answerKey{name, ev.ID}]
		if a == nil && (in == nil || ev.Copies == 0 || !f.acts.on(name, ev.Type, ev.IngestedAt)) {
			continue
		}
		answer := answerOf(a, ev, within, now)
		answer.lateBy(ev.IngestedAt.Add(within), within > 0, now)
		f.readBack(&answer, name, reads)
		out.Answers = append(out.Answers, answer)
		known = known || a != nil && (a.latest() == nil || a.latest().reason != schemas.ReasonNotSubscribed)
	}
	for i := range out.Answers {
		a := &out.Answers[i]
		if a.State == StateLate && !known {
			a.State = StateMissing
		}
		out.worse(*a)
	}
	if out.State == StateComplete && out.Detail == "" {
		out.Detail = withoutEffect(out.Answers)
	}
	return out
}

// worse takes in one answer: the worst speaks for all, and of equals the one that is so for longest.
func (in *Integration) worse(a Answer) {
	more := a.State.rank() - in.State.rank()
	switch {
	case more > 0 || in.Since == nil:
		in.State, in.Since, in.Until = a.State, a.Since, a.Until
	case more < 0 || a.Since == nil:
		return
	case a.State == StateComplete && a.Since.After(*in.Since):
		in.Since = a.Since
	case a.State != StateComplete && a.Since.Before(*in.Since):
		in.Since = a.Since
	case a.State != StatePending:
		return
	}
	if a.State == StatePending {
		in.Until = earlier(in.Until, a.Until)
	}
	if a.State != StateComplete && (more > 0 || a.Since == in.Since || in.Detail == "") {
		in.Detail = a.why()
	}
}

// earlier is the earlier of two times that may be nil.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// why is one phrase for an answer that is not complete.
func (a Answer) why() string {
	s := string(a.EventType)
	if s == "" {
		s = "event " + string(a.EventID)
	}
	switch {
	case a.Kind == "" && a.State == StatePending:
		return s + " has no outcome yet"
	case a.Kind == "":
		return s + " has no outcome"
	case a.Reason == schemas.ReasonNeeds && a.State == StatePending:
		return s + " " + a.Detail
	case a.State == StateMissing && a.Kind != "":
		return s + ": " + a.Detail
	case a.Detail == "":
		return fmt.Sprintf("%s: %s", s, a.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", s, a.Reason, a.Detail)
}

// withoutEffect names the final answers that left nothing in the downstream though it was asked to act.
func withoutEffect(answers []Answer) string {
	var out []string
	for _, a := range answers {
		switch a.Kind {
		case schemas.Rejected, schemas.Expired, schemas.Discarded:
			out = append(out, fmt.Sprintf("%s %s: %s", a.EventType, a.Kind, a.Detail))
		default:
		}
	}
	return strings.Join(out, "; ")
}

// answerOf is what an integration made of one event; a is nil when it has said nothing.
func answerOf(a *answer, ev *fact, within time.Duration, now time.Time) Answer {
	out := Answer{EventID: ev.ID, EventType: ev.Type, State: StatePending, Attempts: []Attempt{}, Steps: []Step{}}
	last := a.latest()
	switch {
	case last != nil:
		a.fill(&out, last, now)
	case a != nil && a.parked != nil:
		p := a.parked
		out.Kind, out.Reason, out.Detail, out.Operation = schemas.Parked, p.Reason, p.Detail, p.Operation
		out.attempts(p.Attempts)
		out.park(p.Since, p.Until, now)
		out.Steps = append(out.Steps, Step{At: p.Since, Kind: schemas.Parked, Reason: p.Reason, Detail: p.Detail, Offset: -1})
	default:
		since, due := ev.IngestedAt, ev.IngestedAt.Add(within)
		out.Since, out.Until = &since, &due
		if now.After(due) {
			out.State, out.Since, out.Until = StateLate, &due, nil
		}
	}
	if a != nil && a.parked != nil && out.Kind == schemas.Parked {
		out.Needs = a.parked.Needs
	}
	return out
}

// fill says what the outcomes say; last is the one that counts.
func (a *answer) fill(out *Answer, last *outcome, now time.Time) {
	out.Kind, out.Reason, out.Detail = last.kind, last.reason, last.detail
	if m := last.made; m != nil {
		out.Operation, out.Reference, out.IdempotencyKey, out.WithheldFields, out.WithheldReasons = m.operation, m.reference, m.key, m.withheld, m.why
		out.Facts = m.facts
		out.attempts(m.attempts)
	}
	parkedAt, run := last.time, true // run: of parkings for one reason that follow one another the first counts
	for i := len(a.outcomes) - 1; i >= 0; i-- {
		o := a.outcomes[i]
		if o != last && o.copied() {
			out.Duplicates++
			continue
		}
		if run = run && o.kind == schemas.Parked && o.reason == last.reason && (o.until == nil) == (last.until == nil); run {
			parkedAt = o.time
		}
	}
	for _, o := range a.outcomes {
		out.Steps = append(out.Steps, Step{At: o.time, Kind: o.kind, Reason: o.reason, Detail: o.detail, Instance: o.instance, Offset: o.at.Offset})
	}
	switch {
	case last.kind == schemas.Parked:
		out.park(parkedAt, last.until, now)
	case last.kind.Final():
		out.State, out.Since = StateComplete, &last.time
	default: // a kind that a newer version writes
		out.State, out.Since = StateUnknown, &last.time
		out.Detail = "an outcome of a kind that this version does not know"
	}
}

// park judges a parked event: one that waits for another event is pending until its time is over, then a person's.
func (a *Answer) park(since time.Time, until *time.Time, now time.Time) {
	a.State, a.Since = StateParked, &since
	switch {
	case a.Reason == schemas.ReasonUnknown:
		a.State = StateUnknown
	case (a.Reason == schemas.ReasonNeeds || a.Reason == schemas.ReasonFacts) && until != nil && !now.After(*until):
		a.State, a.Until = StatePending, until
	case (a.Reason == schemas.ReasonNeeds || a.Reason == schemas.ReasonFacts) && until != nil:
		a.Since = until
	}
}

// lateBy makes an answer late that waits for facts longer than the integration may take, though nobody is asked yet.
func (a *Answer) lateBy(due time.Time, limited bool, now time.Time) {
	switch {
	case a.Reason != schemas.ReasonFacts || a.State != StatePending || !limited:
	case now.After(due):
		a.State, a.Since, a.Until = StateLate, &due, nil
	default:
		a.Until = earlier(a.Until, &due)
	}
}

func (a *Answer) attempts(list []schemas.Attempt) {
	for _, t := range list {
		a.Attempts = append(a.Attempts, Attempt(t))
	}
}
