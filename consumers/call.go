package consumers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ask prepares the head's call: what must be durable before it is made durable, and then the lane stands in line. False
// when the event was parked instead, as a call was made before and may not be repeated.
func (e *engine) ask(ln *lane, it *item, d rules.Decision) bool {
	it.op, it.key = d.Route.Operation, d.Key
	now := e.Now()
	if why := e.unrepeatable(it, now); why != "" && it.released == "" { // who released it takes the repetition upon himself
		e.park(ln, it, hold{reason: schemas.ReasonUnknown, detail: why, op: it.op})
		return false
	}
	if ln.asked {
		return true // it stands in line: its turn comes
	}
	if e.lacksFacts(it, d.Route, now) {
		e.line(&e.unfacted, ln)
		return true
	}
	if (!e.intended(ln, it, d.Route, now) || it.otherFacts() && !e.probes(it)) && durable(e.in.Idempotency, d.Route) {
		if !it.called && !it.reserved && !e.mayIntend(now) {
			e.line(&e.unintended, ln)
			return true
		}
		switch {
		case !e.bounds(ln, it, d.Route):
			e.intend(ln, it, it.since(now))
		case !it.reserved || ln.commit <= e.committed: // else the transaction that tells it is under way, or is the next
			e.bind(ln, it)
		}
	}
	if ln.commit <= e.committed { // else onCommit goes on
		if it.facts != nil {
			e.first(ln) // they grow old
			return true
		}
		e.line(&e.ready, ln)
	}
	return true
}

// durable tells whether it must be known after a crash that a call was made: where a repetition is not harmless, or will not
// be once the key is forgotten, and where a later event may make the call pointless.
func durable(id topology.Idempotency, route *topology.Route) bool {
	return id.None || id.Probe != "" || id.Key != "" && id.Remembers > 0 || len(route.SupersededBy) > 0
}

// line puts a lane at the end of a queue.
func (e *engine) line(queue *[]*lane, ln *lane) {
	ln.asked = true
	*queue = append(*queue, ln)
}

// mayIntend bounds the calls that are intended and not made: after a crash each of them may have been made, so that where
// that cannot be asked and not be repeated a person must decide. It is twice what was called during the last transaction,
// for an intent waits for one, beside what may be out at once; and one while the gate is shut.
func (e *engine) mayIntend(now time.Time) bool {
	if e.gate.closed(now) {
		return e.intents == 0
	}
	return e.intents < e.in.InFlight+2*e.flow
}

// unrepeatable says why the item's call may not be made again; empty when it may, or when there was none of unknown effect.
func (e *engine) unrepeatable(it *item, now time.Time) string {
	if !it.unknown {
		return ""
	}
	return rules.Unrepeatable(e.in, it.calledAt, now)
}

// intend writes the operation's intent, of a call that is made at a time or later; it waits for the transaction that carries it.
func (e *engine) intend(ln *lane, it *item, at time.Time) {
	if it.facts != nil {
		it.saw = it.facts.Seen()
	}
	entry := *ln.part.store.Entry(ln.key)
	setIntent(&entry, it, at)
	e.put(ln, &entry)
	it.intent = true
	ln.part.clear(it)
	e.reserve(it)
}

// reserve takes note that a call is intended and not made.
func (e *engine) reserve(it *item) {
	if !it.reserved {
		it.reserved = true
		e.intents++
	}
}

// unreserve takes note that an intended call was made, or will not be.
func (e *engine) unreserve(it *item) {
	if it.reserved {
		it.reserved = false
		e.intents--
	}
}

// call makes one attempt, or asks whether an earlier one had its effect.
func (e *engine) call(ln *lane, it *item, d rules.Decision) {
	now := e.Now()
	e.gate.pace.called(it.tries > 0)
	it.sent, it.forced = d.Fields, d.Forced
	e.unreserve(it)
	e.started++
	it.tries++
	if it.first.IsZero() {
		it.first, it.shutAt = now, e.gate.shutFor(now)
	}
	req := deliver.Request{Event: d.Sent(it.ev), Whole: it.ev, Route: d.Route, Key: it.key, Attempt: it.tries, Topic: ln.part.name, Partition: ln.part.tp.partition, TraceParent: it.env.TraceParent, TraceState: it.env.TraceState, Answers: e.Contracts.Integration(e.in, d.Route), SendBy: time.Now().Add(e.lease.left())}
	probe := e.probes(it)
	if !probe {
		if it.facts != nil {
			it.saw = it.facts.Seen()
		}
		req.Facts, it.facts = it.facts, nil // a repetition asks anew
	}
	ln.busy = true
	ln.part.calls[it] = now
	e.inFlight++
	e.attempt(attempt{ln, it, req, probe, e.gate.epoch, e.handling(ln.part.ctx, ln, it)})
}

// attempt is one call to be made.
type attempt struct {
	ln    *lane
	it    *item
	req   deliver.Request
	probe bool
	epoch int             // of the gate when the call starts
	life  context.Context // of the partition: ends the call with it
}

// attempt hands a call to a goroutine that has none, or to a new one: there are as many as calls were ever out at once, and
// each keeps the stack that its first call grew.
func (e *engine) attempt(a attempt) {
	if e.inFlight > e.callers {
		e.callers++
		go func() {
			for {
				select {
				case a := <-e.attempts:
					e.try(a)
				case <-e.ctx.Done():
					return
				}
			}
		}()
	}
	e.attempts <- a // has room for every call that may be out
}

// try makes one call and tells the loop what came of it.
func (e *engine) try(a attempt) {
	ctx, cancel := context.WithTimeout(a.life, e.in.Timeout.D())
	defer cancel()
	what := "deliver"
	if a.probe {
		what = "probe"
	}
	ctx, span := beginCall(ctx, e.Tracer, what, e.in, &a.req)
	var res deliver.Result
	if a.probe {
		res = e.kinds.Probe(ctx, a.req)
	} else {
		res = e.kinds.Deliver(ctx, a.req)
	}
	endCall(span, res)
	e.send(evResult{a.ln, a.it, res, a.probe, a.epoch})
}

// cutCalls ends the calls of a worker that heard nothing from its group for a whole session: its partitions are another's
// by now, who makes the same calls.
func (e *engine) cutCalls() {
	if e.lease.left() > -e.Session/4 {
		return
	}
	for _, p := range e.parts {
		if len(p.calls) > 0 {
			p.cancel()
			p.ctx, p.cancel = context.WithCancel(e.ctx)
		}
	}
}

// result takes note of an attempt and decides what follows.
func (e *engine) result(ev evResult) {
	ln, it, res, now := ev.ln, ev.it, ev.res, e.Now()
	ln.busy = false
	delete(ln.part.calls, it)
	e.gate.leave(now, ev.epoch, res)
	e.counts.attempt(now, res, it.env.TraceParent)
	if !e.holds(ln, it) {
		return // the partition is another's by now, who makes the call again under the same key
	}
	detail := res.Detail
	if ev.probe {
		detail = "probe: " + detail
	}
	it.note(schemas.Attempt{At: now.Add(-res.Took), TookMS: res.Took.Milliseconds(), Status: res.Status, Class: string(res.Class), Detail: detail})
	switch res.Class {
	case deliver.Delivered:
		e.delivered(ln, it, schemas.Delivered, res)
	case deliver.AlreadyDone:
		e.delivered(ln, it, schemas.AlreadyDone, res)
	case deliver.Rejected:
		e.rejected(ln, it, res)
	case deliver.Contract:
		it.uncertain(now.Add(-res.Took)) // an answer that nobody understands may well mean yes
		e.log.Error("the downstream answers outside its contract", "team", e.in.Team, "status", res.Status, "event_id", it.env.ID)
		e.park(ln, it, hold{reason: schemas.ReasonContract, detail: fmt.Sprintf("answered %d, which %s does not declare: %s", res.Status, e.in.Mark, res.Detail), op: it.op})
	case deliver.Unmappable:
		e.park(ln, it, hold{reason: schemas.ReasonMapping, detail: res.Detail, op: it.op})
	case deliver.Credentials:
		// The gate is shut now; the event stands in line until somebody mends the key.
		e.log.Error("credentials are refused: calls stop until they work", "team", e.in.Team, "status", res.Status)
	case deliver.Barred:
		// So is it here, until somebody mends the address or the settings.
		e.log.Error("a call may not go out: calls stop until it may", "team", e.in.Team, "why", res.Detail)
	case deliver.Unknown:
		it.released = ""
		it.uncertain(now.Add(-res.Took))
		it.unknown, it.settled = true, now.Add(e.in.Idempotency.Settles.D()-res.Took)
		e.intendCalled(ln, it, it.calledAt)
		e.again(ln, it, res)
	case deliver.Retry:
		if wait := it.settled.Sub(now); ev.probe && wait > 0 {
			e.later(ln, it, wait) // the call may still be at work: what is not there yet may come
			break
		}
		if ev.probe {
			it.unknown, it.called, it.calledAt = false, false, time.Time{} // asked: it is not there
			it.decision = nil                                              // it was made of a call that may have had its effect
		}
		e.again(ln, it, res)
	}
	if ln.part.revoked == nil {
		e.step(ln)
	}
}

// rejected ends or parks an event the business refused.
func (e *engine) rejected(ln *lane, it *item, res deliver.Result) {
	detail := fmt.Sprintf("answered %d: %s", res.Status, res.Detail)
	if route := rules.RouteOf(e.in, it.noted, it.ev); route != nil && route.OnRejected == "final" {
		e.finish(ln, it, rules.Decision{Kind: schemas.Rejected, Reason: schemas.ReasonBusinessNo, Detail: detail})
		return
	}
	e.park(ln, it, hold{reason: schemas.ReasonBusinessNo, detail: detail, op: it.op})
}

// again sets the next attempt, or parks the event when its time is used up. The time the gate was shut does not count.
func (e *engine) again(ln *lane, it *item, res deliver.Result) {
	if res.Class == deliver.Unknown && e.in.Idempotency.None {
		return // step parks it: it may not be repeated
	}
	now := e.Now()
	used := now.Sub(it.first) - (e.gate.shutFor(now) - it.shutAt)
	if used >= e.in.Retry.GiveUpAfter.D() {
		reason := schemas.ReasonRetryExhausted
		if it.unknown {
			reason = schemas.ReasonUnknown
		}
		e.park(ln, it, hold{reason: reason, detail: fmt.Sprintf("%d attempts in %s, the last: %s", it.tries, used.Round(time.Second), res.Detail), op: it.op})
		return
	}
	e.later(ln, it, max(backoff(e.in.Retry, it.tries), res.RetryAfter))
}

// backoff is the wait after so many attempts: full jitter under a ceiling that doubles.
func backoff(r topology.Retry, tries int) time.Duration {
	ceiling := r.Initial.D()
	for ; tries > 1 && ceiling < r.Max.D(); tries-- {
		ceiling *= 2
	}
	return time.Duration(rand.Int64N(int64(max(0, min(ceiling, r.Max.D()))) + 1))
}

// since is when the first call was made that may have had an effect; now when there was none.
func (it *item) since(now time.Time) time.Time {
	if it.called {
		return it.calledAt
	}
	return now
}

// uncertain notes that an attempt may have had an effect.
func (it *item) uncertain(at time.Time) {
	if it.called = true; it.calledAt.IsZero() {
		it.calledAt = at
	}
}

// note keeps the first attempt and the latest ones.
func (it *item) note(a schemas.Attempt) {
	if len(it.attempts) >= maxAttempts {
		it.attempts = slices.Delete(it.attempts, 1, 2)
	}
	it.attempts = append(it.attempts, a)
}

// setIntent adds the item's intent to an entry, beside how the operation stood before.
func setIntent(entry *schemas.LedgerEntry, it *item, at time.Time) {
	dropIntent(entry, it)
	entry.Operations = append(slices.Clone(entry.Operations), schemas.Operation{Name: it.op, State: schemas.OpIntent, EventID: it.env.ID, Key: it.key, At: at, Facts: it.saw})
}
