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
)

// ask prepares the head's call: what must be durable before it is made durable, and then the lane stands in line.
func (e *engine) ask(ln *lane, it *item, d rules.Decision) {
	it.op, it.key = d.Route.Operation, d.Key
	id := e.in.Idempotency
	// Where a repetition is not harmless, and where a later event may make the call pointless, it must be known after a
	// crash that a call was made.
	if durable := id.None || id.Probe != "" || len(d.Route.SupersededBy) > 0; durable && !it.intent {
		op := rules.OperationOf(ln.part.store.Entry(ln.key), it.op)
		if op != nil && op.State == schemas.OpIntent && op.EventID == it.env.ID {
			it.intent, it.called, it.unknown = true, true, true // of a life before this one
		} else {
			e.intend(ln, it)
		}
	}
	if it.unknown && id.None {
		e.park(ln, it, hold{reason: schemas.ReasonUnknown, detail: "a call was made and its effect is unknown; " + e.in.Name + " cannot be asked and would do it again", op: it.op})
		e.step(ln)
		return
	}
	if ln.commit > e.committed || ln.asked {
		return // onCommit goes on
	}
	ln.asked = true
	e.ready = append(e.ready, ln)
}

// intend writes the operation's intent; the call waits for the transaction that carries it.
func (e *engine) intend(ln *lane, it *item) {
	entry := *ln.part.store.Entry(ln.key)
	setOperation(&entry, schemas.Operation{Name: it.op, State: schemas.OpIntent, EventID: it.env.ID, Key: it.key, At: e.Now()})
	e.put(ln, &entry)
	it.intent = true
}

// call makes one attempt, or asks whether an earlier one had its effect.
func (e *engine) call(ln *lane, it *item, d rules.Decision) {
	now := e.Now()
	it.tries++
	if it.first.IsZero() {
		it.first, it.shutAt = now, e.gate.shutFor(now)
	}
	req := deliver.Request{Event: d.Event, Route: d.Route, Key: it.key, Attempt: it.tries, Topic: ln.part.name, Partition: ln.part.tp.partition, TraceParent: it.env.TraceParent}
	probe := it.unknown && e.in.Idempotency.Probe != ""
	ln.busy = true
	ln.part.calls++
	e.inFlight++
	go func() {
		ctx, cancel := context.WithTimeout(ln.part.ctx, e.in.Timeout.D())
		defer cancel()
		var res deliver.Result
		if probe {
			res = e.kinds.Probe(ctx, req)
		} else {
			res = e.kinds.Deliver(ctx, req)
		}
		e.send(evResult{ln, it, res, probe})
	}()
}

// result takes note of an attempt and decides what follows.
func (e *engine) result(ev evResult) {
	ln, it, res, now := ev.ln, ev.it, ev.res, e.Now()
	ln.busy = false
	ln.part.calls--
	e.gate.leave(now, res)
	e.Metrics.attempts.WithLabelValues(e.in.Name, string(res.Class)).Inc()
	e.Metrics.took.WithLabelValues(e.in.Name).Observe(res.Took.Seconds())
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
		e.park(ln, it, hold{reason: schemas.ReasonContract, detail: fmt.Sprintf("answered %d, which %s does not declare: %s", res.Status, e.in.Mark, res.Detail), op: it.op})
	case deliver.Unmappable:
		e.park(ln, it, hold{reason: schemas.ReasonMapping, detail: res.Detail, op: it.op})
	case deliver.Credentials:
		// The gate is shut now; the event stands in line until somebody mends the key.
		e.log.Error("credentials are refused: calls stop until they work", "team", e.in.Team, "status", res.Status)
	case deliver.Unknown:
		it.called, it.unknown = true, true
		e.again(ln, it, res)
	case deliver.Retry:
		if ev.probe {
			it.unknown, it.called = false, false // asked: it is not there
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
	ceiling := min(e.in.Retry.Max.D(), e.in.Retry.Initial.D()<<min(it.tries-1, 20))
	e.later(ln, it, max(time.Duration(rand.Int64N(int64(ceiling)+1)), res.RetryAfter))
}

// note keeps the first attempt and the latest ones.
func (it *item) note(a schemas.Attempt) {
	if len(it.attempts) >= maxAttempts {
		it.attempts = slices.Delete(it.attempts, 1, 2)
	}
	it.attempts = append(it.attempts, a)
}

// setOperation replaces the operation of that name in an entry.
func setOperation(entry *schemas.LedgerEntry, op schemas.Operation) {
	ops := slices.Clone(entry.Operations)
	i := slices.IndexFunc(ops, func(o schemas.Operation) bool { return o.Name == op.Name })
	if i < 0 {
		ops = append(ops, op)
	} else {
		ops[i] = op
	}
	entry.Operations = ops
}
