package consumers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
)

// step handles the head of a lane as far as it goes without waiting: read again? known? subscribed? decode ▸ note ▸ decide,
// and then finish, hold, or ask for a call. These are all the steps of an event.
func (e *engine) step(ln *lane) {
	for p := ln.part; !ln.busy && !ln.waiting && p.store != nil && p.revoked == nil && !e.stopping; {
		it := ln.head()
		if it == nil {
			if ln.commit <= e.committed {
				delete(p.lanes, ln.key)
			}
			return
		}
		if it.parked == nil && !it.late && (p.store.Settled(ln.key, it.rec.Offset) || e.beyond(p, it.rec)) {
			e.counts.replayed.Inc()
			e.pop(ln)
			e.batch.offsets = true
			continue
		}
		if it.discarded != "" {
			e.finish(ln, it, rules.Decision{Kind: schemas.Discarded, Reason: schemas.ReasonOperator, Detail: it.discarded})
			continue
		}
		if len(it.rec.Key) == 0 {
			e.park(ln, it, hold{reason: schemas.ReasonMissingKey, detail: "the record has no key: no order to handle it under"})
			continue
		}
		if it.ev == nil && it.env.Type != "" && !e.in.ActsOn(it.env.Type) && !it.env.Type.Corrects() { // what a person decided is noted
			if d, done := e.known(ln, it); done {
				e.finish(ln, it, d)
			} else {
				e.finish(ln, it, rules.Decision{Kind: schemas.Withheld, Reason: schemas.ReasonNotSubscribed, Detail: e.in.Name + " does not act on " + string(it.env.Type)})
			}
			continue
		}
		if it.ev == nil && !e.decode(ln, it) {
			return
		}
		if it.ev == nil {
			continue // poison: parked
		}
		e.recall(ln, it)
		d := e.decide(ln, it)
		it.withheld, it.why = d.Withheld, d.Why
		switch d.Action {
		case rules.Finish:
			e.finish(ln, it, d)
		case rules.Hold:
			e.park(ln, it, hold{reason: d.Reason, detail: d.Detail, needs: d.Needs, until: d.Until, op: d.Route.Operation})
		case rules.Call:
			switch {
			case !it.opened:
				if !e.open(ln, it) {
					return
				}
			case it.ev.Sealed != nil || e.Serde.Erased(it.ev):
				e.erased(ln, it)
			case e.ask(ln, it, d):
				return
			}
		}
	}
}

// erased ends an event whose personal data is erased: what is left of it is not what the downstream was to be told. Where a
// call may have had its effect, a person must know.
func (e *engine) erased(ln *lane, it *item) {
	it.decision = nil // it was made of what is no more to be told
	if it.unknown && it.released == "" {
		e.park(ln, it, hold{reason: schemas.ReasonUnknown, detail: "a call was made, its effect is unknown, and what it told is erased", op: it.op})
		return
	}
	e.finish(ln, it, rules.Decision{Kind: schemas.Withheld, Reason: schemas.ReasonErased, Detail: "its personal data is erased"})
}

// recall notes what the event tells of its order, and finds the intent that an earlier life of the worker left: then a call
// may have been made, and nobody knows what came of it.
func (e *engine) recall(ln *lane, it *item) {
	if it.noted != nil {
		return
	}
	c := *ln.part.store.Entry(ln.key)
	if it.noted = &c; it.parked == nil || e.unheard(ln, it) { // a parked one was noted when it was parked, and others have spoken since
		it.noted = rules.Note(e.owners, &c, it.ev)
	}
	route := rules.RouteOf(e.in, it.noted, it.ev)
	if route == nil || it.recalled {
		return
	}
	it.recalled = true
	if since, may := ln.part.inherited(it, route.Operation); may {
		e.mayHaveCalled(it, route.Operation, rules.Key(e.in, route, it.ev), since)
	} else {
		ln.part.clear(it)
	}
	for _, op := range it.noted.Operations {
		if own := op.EventID == it.env.ID && it.ownKey(e.in, route, op.Key); op.State == schemas.OpIntent && op.Name == route.Operation && (own || route.Once && it.again == nil) {
			if it.intent = it.intent || own; own {
				ln.part.clear(it)
			}
			e.mayHaveCalled(it, op.Name, op.Key, op.At)
			it.saw = op.Facts
		}
	}
}

// mayHaveCalled notes that an earlier life may have made the item's call, at a time or later: a moment ago, for all that is known.
func (e *engine) mayHaveCalled(it *item, operation, key string, at time.Time) {
	it.op, it.key = operation, key
	it.called, it.unknown, it.calledAt = true, true, at
	it.settled = e.Now().Add(e.in.Idempotency.Settles.D())
}

// decide is what the rules say of the head. That it is to be called stays true until an event comes into the lane, or it
// grows too old.
func (e *engine) decide(ln *lane, it *item) rules.Decision {
	if it.decision != nil && it.grown == ln.grown && e.in.ExpiresAfter == 0 {
		return *it.decision
	}
	d := rules.Decide(e.in, e.owners, e.ruleFacts(ln, it))
	if it.decision = nil; d.Action == rules.Call {
		it.decision, it.grown = &d, ln.grown
	}
	return d
}

// ruleFacts is what rules.Decide needs to know of the head.
func (e *engine) ruleFacts(ln *lane, it *item) rules.Facts {
	f := rules.Facts{Event: it.ev, Entry: it.noted, Behind: ln.behind(), Attempted: it.called, Released: it.released != "", Again: it.again, Now: e.Now()}
	for _, w := range ln.part.store.Parked(ln.key) {
		if it.parked == nil || w.EventID != it.parked.EventID && w.Offset < it.parked.Offset {
			f.Parked = append(f.Parked, rules.Waiting{ID: w.EventID, BusinessID: w.Headers["ce_businessid"], Reason: w.Reason})
		}
	}
	return f
}

// known answers duplicates from the envelope alone.
func (e *engine) known(ln *lane, it *item) (rules.Decision, bool) {
	for _, done := range ln.part.store.Entry(ln.key).Events {
		if done.ID == it.env.ID {
			return rules.Decision{Kind: schemas.Duplicate, Reason: schemas.ReasonSameEvent, Detail: fmt.Sprintf("%s at %s", done.Kind, done.At.UTC().Format(time.RFC3339))}, true
		}
	}
	return rules.Decision{}, false
}

// decode decodes the head. It gives false where that waits for the registry or for keys; the lane then goes on by evDecoded.
func (e *engine) decode(ln *lane, it *item) bool {
	if e.Serde.Cached(it.rec.Value) {
		ev, opened, err := e.event(noWait, it.rec.Value)
		if !errors.Is(err, context.Canceled) {
			e.decodedItem(ln, it, ev, opened, err)
			return !ln.waiting
		}
	}
	e.decodeAside(ln, it, e.event)
	return false
}

// decodeAside decodes the head outside the loop.
func (e *engine) decodeAside(ln *lane, it *item, decode func(context.Context, []byte) (*schemas.Event, bool, error)) {
	ln.busy = true
	go func() {
		ctx, cancel := context.WithTimeout(e.ctx, registryLimit)
		defer cancel()
		ev, opened, err := decode(ctx, it.rec.Value)
		e.send(evDecoded{ln, it, ev, opened, err})
	}()
}

// open opens the head, which is to be called; as decode does.
func (e *engine) open(ln *lane, it *item) bool {
	if err := e.Serde.OpenEvent(noWait, it.ev, it.rec.Value); !errors.Is(err, context.Canceled) {
		e.decodedItem(ln, it, it.ev, true, err)
		return !ln.waiting
	}
	e.decodeAside(ln, it, e.whole)
	return false
}

// noWait has ended: what is decoded under it does no I/O.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// event decodes a value. What is personal of it is opened where the rules read it; for most decisions it is enough to know
// which fields the event speaks of. A parked record that another's tool put back into its topic counts as the event it holds:
// its id is known, so that nothing is done twice.
func (e *engine) event(ctx context.Context, value []byte) (_ *schemas.Event, opened bool, err error) {
	ev, err := e.Serde.DecodeSealed(ctx, value)
	switch {
	case err == nil && ev.Sealed == nil:
		return ev, true, nil
	case err == nil && (ev.Type.Corrects() || e.owners.Compares(ev.SealedSays)):
		return ev, true, e.Serde.OpenEvent(ctx, ev, value)
	case err != nil && errors.Is(err, schemas.ErrPoison):
		if w, parkedErr := e.Serde.DecodeParkedRecord(ctx, value); parkedErr == nil {
			return e.whole(ctx, w.Value)
		}
	}
	return ev, false, err
}

// whole decodes a value with what is personal of it.
func (e *engine) whole(ctx context.Context, value []byte) (_ *schemas.Event, opened bool, err error) {
	ev, err := e.Serde.DecodeEvent(ctx, value)
	return ev, true, err
}

func (e *engine) decoded(ev evDecoded) {
	ev.ln.busy = false
	if e.holds(ev.ln, ev.it) {
		e.decodedItem(ev.ln, ev.it, ev.ev, ev.opened, ev.err)
		e.step(ev.ln)
	}
}

// decodedItem takes a decoded event in, parks what can never be decoded, and lets what waits for the registry wait.
func (e *engine) decodedItem(ln *lane, it *item, ev *schemas.Event, opened bool, err error) {
	switch {
	case err == nil:
		it.ev, it.opened = ev, opened
		// The value is the event; headers may be missing or another's.
		it.env = schemas.Envelope{ID: ev.ID, Type: ev.Type, Source: ev.Source, System: ev.System, Subject: ev.Subject, BusinessID: ev.BusinessID, SourceVersion: ev.SourceVersion, Time: ev.Time, TraceParent: it.env.TraceParent, TraceState: it.env.TraceState}
	case undecodable(err):
		if d, done := e.known(ln, it); done {
			e.finish(ln, it, d)
			return
		}
		e.park(ln, it, hold{reason: schemas.ReasonPoison, detail: err.Error()})
	default:
		e.log.Warn("an event waits for the schema registry, or for keys of personal data", "topic", it.rec.Topic, "partition", it.rec.Partition, "offset", it.rec.Offset, "err", err)
		e.later(ln, it, time.Second)
	}
}

// undecodable tells an event that no waiting makes readable from one whose schema the registry did not tell.
func undecodable(err error) bool {
	return errors.Is(err, schemas.ErrPoison) || errors.Is(err, schemas.ErrUnknownSchema)
}

// later wakes the lane after d.
func (e *engine) later(ln *lane, it *item, d time.Duration) {
	ln.waiting = true
	time.AfterFunc(d, func() { e.send(evTimer{ln, it}) })
}

// pop takes the settled head out of its lane.
func (e *engine) pop(ln *lane) {
	it := ln.pop()
	e.unreserve(it)
	ln.part.clear(it)
	if it.parked == nil {
		ln.part.offsets.settle(it.rec.Offset)
		e.queued--
		e.throttle()
	}
}

// recheck puts parked events that may go on now to the front of their lane: what they needed came, systems that differed
// agree, they became pointless, or the one they stood behind is gone. It is called whenever the order learned something.
func (e *engine) recheck(ln *lane) {
	store, ready, blocked := ln.part.store, []*item(nil), false
	for _, w := range store.Parked(ln.key) {
		behind := w.Reason == schemas.ReasonBehind
		differ := w.Reason == schemas.ReasonConflict
		if w.Reason != schemas.ReasonNeeds && !differ && !behind {
			blocked = true
			continue
		}
		if behind && blocked || ln.holds(w.EventID) {
			continue
		}
		it := e.unparked(ln, w)
		if it.ev == nil {
			e.log.Warn("a parked event does not decode", "event_id", w.EventID)
			continue
		}
		d := rules.Decide(e.in, e.owners, rules.Facts{Event: it.ev, Entry: store.Entry(ln.key), Behind: ln.behind(), Again: it.again, Now: e.Now()})
		if d.Action != rules.Hold {
			ready = append(ready, it)
		} else if differ {
			blocked = true
		}
	}
	if ready != nil {
		ln.front(ready...)
	}
}

// expireParked hands what waited too long for another event to a person: the record stays, and says so.
func (e *engine) expireParked() {
	now := e.Now()
	for _, p := range e.parts {
		if p.store == nil || p.revoked != nil {
			continue
		}
		for _, key := range p.store.ParkedKeys() {
			for _, w := range p.store.Parked(key) {
				if w.Until != nil && now.After(*w.Until) {
					c := *w
					c.Until, c.Detail = nil, waitedInVain(w, now.Sub(w.Since).Round(time.Second))
					e.parkRecord(p, &c, nil)
				}
			}
		}
	}
}

// waitedInVain says what did not come of a parked event.
func waitedInVain(w *schemas.ParkedRecord, waited time.Duration) string {
	if w.Reason == schemas.ReasonFacts {
		return fmt.Sprintf("its facts were refused for %s, first for: %s; a person must release or discard it", waited, w.Detail)
	}
	return fmt.Sprintf("%v did not come within %s: a person must release or discard it", w.Needs, waited)
}

// poisonID is the id that stands for an event whose own cannot be read.
func poisonID(it *item) schemas.EventID {
	if it.env.ID != "" {
		return it.env.ID
	}
	return ledger.PoisonID(it.rec.Topic, it.rec.Partition, it.rec.Offset)
}
