package consumers

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/tracing"
)

// found is what a read came to: the event that tells it, nil where it is to be tried again, and why.
type found struct {
	ev     *schemas.Event
	mark   string // result and version, or hash of the answer
	result string
	detail string
}

// readRetried is the result, for the metric, of a read that is tried again.
const readRetried = "retried"

// start makes the reads whose time has come, one of an order at a time, while the gate lets them.
func (r *reader) start() {
	now := r.Now()
	for len(r.due) > 0 && r.inFlight < r.in.InFlight {
		n := r.due[0]
		if n.gone {
			heap.Pop(&r.due)
			continue
		}
		if wait := n.at.Sub(now); wait > 0 {
			r.wake.Reset(wait)
			return
		}
		if key := n.out.OrderID; r.busy[key] { // its turn comes when that read ends
			heap.Pop(&r.due)
			n.at = now.Add(50 * time.Millisecond)
			heap.Push(&r.due, n)
			continue
		}
		wait, ok := r.gate.enter(now)
		if !ok {
			r.wake.Reset(max(wait, time.Millisecond))
			return
		}
		heap.Pop(&r.due)
		r.busy[n.out.OrderID] = true
		r.inFlight++
		if n.tries++; n.tries == 1 {
			n.first = now
		}
		epoch, gaveUp := r.gate.epoch, now.Sub(n.first) >= r.in.Retry.GiveUpAfter.D()
		slot, told := n.slot, n.told
		r.reads.Go(func() {
			ev := evRead{r: n, epoch: epoch}
			ev.res, ev.found = r.read(n, slot, gaveUp)
			if ev.found.ev != nil && ev.found.mark != told {
				ev.err = r.publish(ev.found.ev, n.out.TraceParent)
			}
			r.send(ev)
		})
	}
}

// read makes one read. last true: if it fails, that is told.
func (r *reader) read(n *reading, slot int, last bool) (deliver.Result, found) {
	ctx, cancel := context.WithTimeout(r.ctx, r.in.Timeout.D())
	defer cancel()
	o, rb := n.out, n.route.ReadBack
	call := topology.Called{Event: o.EventID, Type: o.EventType, Subject: o.OrderID, Key: o.IdempotencyKey, Reference: o.Reference}
	address, err := rb.Address(&call)
	if err != nil {
		return deliver.Result{Class: deliver.Unmappable, Detail: err.Error()}, r.event(n, slot, schemas.ReadFailed, "get: "+err.Error(), nil)
	}
	req := deliver.Request{Event: &schemas.Event{ID: o.EventID, Type: o.EventType, Subject: o.OrderID}, Route: n.route, Attempt: n.tries, TraceParent: o.TraceParent}
	ctx, span := beginCall(tracing.Remote(ctx, schemas.Trace{Parent: o.TraceParent}), r.Tracer, "read back", r.in, &req)
	res := r.kinds.Read(ctx, req, address)
	endCall(span, res)
	switch res.Class {
	case deliver.AlreadyDone:
		out := r.event(n, slot, schemas.ReadFound, "", res.Body)
		is, err := rb.Read(&call, res.Body, out.ev)
		switch {
		case err == nil && is:
			return res, r.identify(n, slot, out, res.Body)
		case err == nil:
			return res, r.event(n, slot, schemas.ReadMissing, "", nil)
		}
		res.Detail = err.Error() // not what was declared: a page of a proxy, perhaps
	case deliver.Rejected:
		return res, r.event(n, slot, schemas.ReadMissing, "", nil)
	case deliver.Unmappable:
		return res, r.event(n, slot, schemas.ReadFailed, res.Detail, nil)
	default:
	}
	if last {
		status := ""
		if res.Status > 0 {
			status = fmt.Sprintf("answered %d: ", res.Status)
		}
		return res, r.event(n, slot, schemas.ReadFailed, status+res.Detail, nil)
	}
	return res, found{detail: res.Detail}
}

// event is what is told of one read.
func (r *reader) event(n *reading, slot int, result, detail string, body []byte) found {
	o, now := n.out, r.Now().UTC().Truncate(time.Microsecond)
	f := found{result: result, detail: detail, mark: result}
	f.ev = &schemas.Event{Type: schemas.OrderObserved, Source: schemas.ReadBackSource(r.in.Name), System: r.in.System, Subject: o.OrderID, Time: now, IngestedAt: now, CausationID: string(o.EventID), RawRef: rawRef(body),
		ReadBack: &schemas.ReadBack{Integration: r.in.Name, Operation: o.Operation, EventID: o.EventID, Reference: o.Reference, Result: result, Detail: detail}}
	return r.identify(n, slot, f, body)
}

// identify gives the event its id: of the call, of the time at which it was to be read, and of what was found. Who reads it
// again after a crash and finds the same tells the same event.
func (r *reader) identify(n *reading, slot int, f found, body []byte) found {
	if f.result == schemas.ReadFound {
		sum := sha256.Sum256(body)
		f.mark = f.result + "/" + cmp.Or(f.ev.SourceVersion, hex.EncodeToString(sum[:]))
	}
	f.ev.DeliveryID = string(n.out.EventID) + "/" + n.out.Operation + "/" + strconv.Itoa(slot) + "/" + f.mark
	f.ev.ID = schemas.NewEventID(f.ev.Source, f.ev.DeliveryID, "")
	f.ev.BusinessID = string(f.ev.Type) + "/" + f.ev.Subject + "/" + f.ev.DeliveryID
	if f.ev.Order != nil {
		f.ev.Order.ID = f.ev.Subject
	}
	return f
}

func rawRef(body []byte) string {
	if body == nil {
		return ""
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// publish writes the event into its order's partition, acknowledged by all replicas.
func (r *reader) publish(ev *schemas.Event, traceparent string) error {
	topic := r.Topology.TopicName(ev.Type.Topic())
	value, err := r.Serde.EncodeEvent(r.ctx, topic+"-value", ev)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ev.ID, err)
	}
	return r.out.ProduceSync(r.ctx, &kgo.Record{Topic: topic, Key: []byte(ev.Subject), Value: value, Headers: schemas.EventHeaders(ev, traceparent)}).FirstErr()
}

// result takes note of a read: it is told, and there may be another; or it is made again.
func (r *reader) result(ev evRead) {
	n, now := ev.r, r.Now()
	r.inFlight--
	delete(r.busy, n.out.OrderID)
	r.gate.leave(now, ev.epoch, ev.res)
	if n.gone || n.part.gone {
		return
	}
	switch {
	case ev.err != nil:
		r.log.Warn("what was read back is told later", "order_id", n.out.OrderID, "err", ev.err)
		n.at = now.Add(time.Second)
		n.first = now // Kafka was away, not the downstream
	case ev.found.ev == nil:
		r.Metrics.readBacks.WithLabelValues(r.in.Name, readRetried).Inc()
		n.at = now.Add(max(backoff(r.in.Retry, n.tries), ev.res.RetryAfter, 10*time.Millisecond))
	default:
		r.told(n, ev.found)
		if !n.next(now) {
			r.settle(n)
			return
		}
	}
	heap.Push(&r.due, n)
}

// next sets the time of the next read, less those that were missed; false when that was the last.
func (n *reading) next(now time.Time) bool {
	rb := n.route.ReadBack
	if rb.Every <= 0 {
		return false
	}
	begin, every := n.out.At.Add(rb.After.D()), rb.Every.D()
	n.slot, n.tries = max(n.slot+1, int(now.Sub(begin)/every)), 0
	n.at = begin.Add(time.Duration(n.slot) * every)
	return !n.at.After(n.out.At.Add(rb.Until.D()))
}

// told counts what was found, and calls for a person where that is none of what should be.
func (r *reader) told(n *reading, f found) {
	r.Metrics.readBacks.WithLabelValues(r.in.Name, f.result).Inc()
	if n.told == f.mark {
		return
	}
	n.told = f.mark
	log := r.log.With("team", r.in.Team, "order_id", n.out.OrderID, "event_id", n.out.EventID, "operation", n.out.Operation)
	switch f.result {
	case schemas.ReadMissing:
		log.Error("a call was answered and a read-back does not find what it made")
	case schemas.ReadFailed:
		log.Error("a read-back was given up", "detail", f.detail)
	default:
		log.Info("read back", "result", f.result)
	}
}
