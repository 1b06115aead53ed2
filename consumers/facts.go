package consumers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Facts tells the facts of an order under an integration's policy (facts: in its file). An order of which nothing is known is
// no error but a refusal (missing). An error says that nobody could be asked: the events wait, and none counts as failed. It
// is safe for concurrent use.
type Facts interface {
	Facts(ctx context.Context, integration, order string) (*topology.FactSet, error)
}

const (
	factsAtOnce   = 8                      // questions under way: the view is a database, and others ask it too
	factsFresh    = 2 * time.Second        // facts that are older are asked for again before the call
	factsSoon     = 200 * time.Millisecond // first wait after a refusal: the view is often just behind
	factsPatience = 3 * time.Second        // so long a refused event waits in its lane; then it is parked, and asked for again
	factsAwayMost = 10 * time.Second       // longest wait before somebody who could not be asked is asked again
)

// factDesk is what the loop knows of questions for facts.
type factDesk struct {
	out   int           // under way
	after time.Time     // no question before: nobody could be asked
	wait  time.Duration // of after; 0 while they are answered
	why   string        // why nobody could be asked; empty while they are answered
	due   map[schemas.EventID]factDue
}

// factDue is when a parked event is asked for again, and how long it waited for that.
type factDue struct {
	at   time.Time
	wait time.Duration
}

// refused is since when an event's facts are refused, and how long it waits before the next question.
type refused struct {
	since time.Time
	wait  time.Duration
}

// evFacts is the answer to a question.
type evFacts struct {
	ln  *lane
	it  *item
	set *topology.FactSet
	err error
}

// probes tells whether the item's next call only asks whether an earlier one had its effect.
func (e *engine) probes(it *item) bool { return it.unknown && e.in.Idempotency.Probe != "" }

// lacksFacts tells whether the item's next call carries facts, and there are none that are fresh.
func (e *engine) lacksFacts(it *item, route *topology.Route, now time.Time) bool {
	return e.in.Facts != nil && route.TellsFacts() && !e.probes(it) && (it.facts == nil || now.Sub(it.got) > factsFresh)
}

// otherFacts tells whether the item's intent names other facts than its call would carry.
func (it *item) otherFacts() bool {
	return it.facts != nil && (it.saw == nil || it.saw.ID != it.facts.ID)
}

// first puts a lane at the head of those whose call is next.
func (e *engine) first(ln *lane) {
	ln.asked = true
	e.ready = append([]*lane{ln}, e.ready...)
}

// factsNext asks for the facts of lanes that wait for them, as far as may be asked at once.
func (e *engine) factsNext(now time.Time) {
	for len(e.unfacted) > 0 && e.facts.out < factsAtOnce && !e.stopping && e.broken == nil {
		if wait := e.facts.after.Sub(now); wait > 0 {
			e.wake.Reset(wait)
			return
		}
		ln := e.unfacted[0]
		e.unfacted, ln.asked = e.unfacted[1:], false
		it := ln.head()
		if !e.stands(ln, it) {
			continue
		}
		if d := e.decide(ln, it); d.Route == nil || !e.lacksFacts(it, d.Route, now) { // it was superseded meanwhile
			e.step(ln)
			continue
		}
		ln.busy = true
		e.facts.out++
		e.work.Go(func() {
			ctx, cancel := context.WithTimeout(ln.part.ctx, e.in.Timeout.D())
			defer cancel()
			set, err := e.Facts.Facts(ctx, e.in.Name, ln.key)
			e.send(evFacts{ln, it, set, err})
		})
	}
}

// told takes facts, or that there are none, and lets the lane go on or wait. It is no attempt: neither the breaker nor the
// budget of repetitions hears of it.
func (e *engine) told(ev evFacts) {
	ln, it, now := ev.ln, ev.it, e.Now()
	e.facts.out--
	ln.busy = false
	if ev.err != nil {
		e.factsAway(now, ev.err)
	} else {
		e.factsBack()
	}
	if !e.holds(ln, it) || ln.part.revoked != nil {
		return
	}
	switch {
	case ev.err != nil:
		e.line(&e.unfacted, ln)
	case !usable(ev.set, it.ev):
		e.refuse(ln, it, ev.set, now)
	default:
		it.facts, it.got, it.refused = ev.set, now, nil
		delete(e.facts.due, it.env.ID)
		e.step(ln)
	}
}

// factsAway takes note that nobody could be asked; the next question waits, longer each time.
func (e *engine) factsAway(now time.Time, err error) {
	if now.Before(e.facts.after) {
		return // of those that were asked with it
	}
	if e.facts.wait == 0 {
		e.log.Warn("facts cannot be asked for: events that need them wait", "team", e.in.Team, "err", err)
	}
	e.facts.wait = min(max(2*e.facts.wait, factsSoon), factsAwayMost)
	e.facts.after, e.facts.why = now.Add(e.facts.wait), "facts cannot be asked for: "+err.Error()
	e.Metrics.factsAway.WithLabelValues(e.in.Name).Set(1)
}

func (e *engine) factsBack() {
	if e.facts.wait == 0 {
		return
	}
	e.log.Info("facts are answered again")
	e.facts.wait, e.facts.after, e.facts.why = 0, time.Time{}, ""
	e.Metrics.factsAway.WithLabelValues(e.in.Name).Set(0)
}

// usable tells whether the policy lets the facts be used, and they can know of the event itself. What they cannot is added
// to the refusals.
func usable(set *topology.FactSet, ev *schemas.Event) bool {
	if set.Usable && set.KnownAt.Before(ev.IngestedAt) {
		set.Refusals = append(set.Refusals, topology.FactRefusal{Reason: topology.RefusedBehind,
			Detail: "the event came at " + ev.IngestedAt.UTC().Format(time.RFC3339Nano) + ", and what came is known up to " + set.KnownAt.UTC().Format(time.RFC3339Nano)})
		return false
	}
	return set.Usable
}

// refuse lets an event wait whose facts may not be told: a moment in its lane, then parked, and asked for again until the
// policy's wait is over. What a person released waits for a person again.
func (e *engine) refuse(ln *lane, it *item, set *topology.FactSet, now time.Time) {
	for _, r := range set.Refusals {
		e.Metrics.factsRefused.WithLabelValues(e.in.Name, r.Reason).Inc()
	}
	if it.refused == nil {
		it.refused = &refused{since: now}
	}
	it.facts, it.refused.wait = nil, max(2*it.refused.wait, factsSoon)
	switch w := it.parked; {
	case w != nil && w.Reason == schemas.ReasonFacts && w.Until != nil:
		due := factDue{wait: min(max(2*e.facts.due[it.env.ID].wait, time.Second), max(e.in.Retry.Max.D(), time.Second))}
		due.at = now.Add(due.wait)
		e.facts.due[it.env.ID] = due
		e.pop(ln) // its record stays
		e.step(ln)
	case now.Sub(it.refused.since) < factsPatience:
		e.later(ln, it, it.refused.wait)
	default:
		h := hold{reason: schemas.ReasonFacts, detail: refusals(set), until: it.refused.since.Add(e.in.Facts.Wait.D()), op: it.op}
		if it.released != "" {
			h.until = time.Time{}
		}
		e.park(ln, it, h)
		e.step(ln)
	}
}

// refusals is the refusals in one line, the first few of them.
func refusals(set *topology.FactSet) string {
	const most = 3
	var parts []string
	for i, r := range set.Refusals {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(set.Refusals)-most))
			break
		}
		what := strings.TrimSpace(string(r.Field) + " " + r.Object)
		if what != "" {
			what += ": "
		}
		parts = append(parts, what+r.Reason+": "+r.Detail)
	}
	return "facts refused: " + strings.Join(parts, "; ")
}

// askParked brings parked events whose facts were refused back to their lanes when they are due.
func (e *engine) askParked() {
	if e.in.Facts == nil || e.stopping || e.broken != nil {
		return
	}
	now := e.Now()
	for _, p := range e.parts {
		if p.store == nil || p.revoked != nil {
			continue
		}
		for _, key := range p.store.ParkedKeys() {
			for _, w := range p.store.Parked(key) {
				if w.Reason != schemas.ReasonFacts || w.Until == nil || now.Before(e.facts.due[w.EventID].at) || p.lane(key).holds(w.EventID) {
					continue
				}
				ln := p.lane(key)
				if it := e.unparked(ln, w); it.ev != nil {
					ln.front(it)
					e.step(ln)
				}
			}
		}
	}
}
