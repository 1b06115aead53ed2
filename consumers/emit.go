package consumers

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
)

// delivered ends an event whose effect is in the downstream.
func (e *engine) delivered(ln *lane, it *item, kind schemas.Kind, res deliver.Result) {
	now := e.Now()
	e.lastSuccess = &now
	route := rules.RouteOf(e.in, it.noted, it.ev)
	done := schemas.Operation{Name: it.op, State: schemas.OpDone, EventID: it.env.ID, Key: it.key, Version: it.ev.SourceVersion, System: it.ev.System, Reference: res.Reference, At: now}
	rules.Done(e.owners, it.noted, route, it.ev, done, it.sent, it.forced)
	e.finishWith(ln, it, rules.Decision{Kind: kind}, res.Reference)
}

// finish ends the head with a final outcome.
func (e *engine) finish(ln *lane, it *item, d rules.Decision) { e.finishWith(ln, it, d, "") }

// finishWith writes the outcome, the ledger and, for an event that was parked, the end of that; then the lane goes on.
func (e *engine) finishWith(ln *lane, it *item, d rules.Decision, reference string) {
	p, now := ln.part, e.Now()
	entry := e.entry(ln, it)
	if again := it.again != nil; again || d.Kind != schemas.Duplicate && d.Reason != schemas.ReasonNotSubscribed {
		done := schemas.FinishedEvent{ID: it.env.ID, Kind: d.Kind, At: now, Heard: it.heard()}
		if d.Kind == schemas.Delivered || d.Kind == schemas.AlreadyDone || d.Kind == schemas.Rejected {
			done.BusinessID = it.env.BusinessID
		}
		entry.Events = append(slices.Clip(entry.Events), done) // a copy: others may read the old one
		if again {
			entry.Events = finishedAgain(entry.Events)
		}
	}
	// The intent that a repetition finds is that of the parked event it repeats, and the effect of a call that a person gave
	// up may be there all the same.
	if d.Kind != schemas.Duplicate && d.Kind != schemas.Discarded {
		dropIntent(entry, it)
	}
	e.put(ln, ledger.Prune(entry, now.Add(-e.in.DedupWindow.D())))
	if it.released != "" && d.Detail == "" {
		d.Detail = "released " + it.released
	}
	if it.again != nil {
		d.Detail = strings.TrimPrefix(d.Detail+"; "+it.again.String(), "; ")
	}
	o := e.outcome(ln, it, d.Kind, d.Reason, d.Detail)
	o.Reference = reference
	if d.Withheld != nil {
		o.WithheldFields, o.WithheldReasons = d.Withheld, d.Why
	}
	e.ended(p, it, o)
	e.emit(p, o)
	if it.parked != nil {
		p.store.Unpark(ln.key, it.parked.EventID)
		e.batch.add(p, &kgo.Record{Topic: e.Topology.Parked(e.in.Name), Partition: p.tp.partition, Key: []byte(ledger.ParkedKey(p.name, ln.key, it.parked.EventID))})
	}
	e.pop(ln)
	e.recheck(ln)
}

// entry is the ledger entry to write when the head is settled: with what it told, and its offset.
func (e *engine) entry(ln *lane, it *item) *schemas.LedgerEntry {
	entry := it.noted
	if entry == nil {
		c := *ln.part.store.Entry(ln.key)
		entry = &c
	}
	if it.parked == nil {
		entry.Settled = max(entry.Settled, it.rec.Offset)
	} else {
		entry.Settled = max(entry.Settled, ln.part.store.Entry(ln.key).Settled)
	}
	entry.UpdatedAt = e.Now()
	return entry
}

// dropIntent takes back the item's own intent: it ends without an effect.
func dropIntent(entry *schemas.LedgerEntry, it *item) {
	if !it.intent {
		return
	}
	entry.Operations = slices.DeleteFunc(slices.Clone(entry.Operations), func(o schemas.Operation) bool {
		return o.State == schemas.OpIntent && o.EventID == it.env.ID
	})
}

// hold says why an event is parked.
type hold struct {
	reason schemas.Reason
	detail string
	needs  []schemas.EventType
	until  time.Time
	op     string
}

// park keeps the head durably, so that the lane and the offset can pass it.
func (e *engine) park(ln *lane, it *item, h hold) {
	entry := e.entry(ln, it)
	if it.called {
		setIntent(entry, it, it.calledAt) // what follows must know that an effect may be there
	} else {
		dropIntent(entry, it)
	}
	e.put(ln, entry)
	w := e.parkedOf(ln.part, ln.key, it.rec)
	w.EventID, w.EventType, w.Reason, w.Detail, w.Needs, w.Operation, w.Attempts = poisonID(it), it.env.Type, h.reason, h.detail, h.needs, h.op, it.attempts
	if it.parked != nil {
		w.Since, w.Command, w.Replay = it.parked.Since, it.parked.Command, it.parked.Replay
	}
	if !h.until.IsZero() {
		w.Until = &h.until
	}
	e.parkRecord(ln.part, w, it)
	e.pop(ln)
	e.recheck(ln)
}

// parkedOf is a parked record of what was read, without what it is and why it waits.
func (e *engine) parkedOf(p *partition, key string, rec *kgo.Record) *schemas.ParkedRecord {
	w := &schemas.ParkedRecord{Integration: e.in.Name, Key: key, Topic: p.name, Partition: p.tp.partition, Offset: rec.Offset, Headers: map[string]string{}, Value: rec.Value, Since: e.Now(), Command: -1}
	for _, hd := range rec.Headers {
		w.Headers[hd.Key] = string(hd.Value)
	}
	return w
}

// parkRecord writes a parked record and the outcome that tells of it. it is nil for a record parked before.
func (e *engine) parkRecord(p *partition, w *schemas.ParkedRecord, it *item) {
	p.store.Park(w)
	value, err := e.Serde.EncodeParkedRecord(e.ctx, e.subject("parked."+e.in.Name), w)
	if err != nil {
		e.fail(err)
		return
	}
	headers := deadLetterHeaders(w, e.Topology.Group(e.in.Name), e.Topology.Prefix)
	for k, v := range w.Headers {
		headers = append(headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	e.batch.add(p, &kgo.Record{Topic: e.Topology.Parked(e.in.Name), Partition: p.tp.partition, Key: []byte(ledger.ParkedKey(p.name, w.Key, w.EventID)), Value: value, Headers: headers})
	if it == nil {
		it = &item{parked: w, rec: parkedRecord(w, e.Topology.Prefix), attempts: w.Attempts, op: w.Operation, again: w.Replay}
		it.env, _ = schemas.EnvelopeOf(it.rec.Headers)
	}
	o := e.outcome(&lane{part: p, key: w.Key}, it, schemas.Parked, w.Reason, w.Detail)
	o.EventID, o.Until = w.EventID, w.Until
	e.ended(p, it, o)
	e.emit(p, o)
}

// parkedRecord is the record that was parked, as it was read.
func parkedRecord(w *schemas.ParkedRecord, prefix string) *kgo.Record {
	rec := &kgo.Record{Topic: prefix + w.Topic, Partition: w.Partition, Offset: w.Offset, Key: []byte(w.Key), Value: w.Value}
	for k, v := range w.Headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	return rec
}

// outcome is the head's outcome.
func (e *engine) outcome(ln *lane, it *item, kind schemas.Kind, reason schemas.Reason, detail string) *schemas.Outcome {
	o := &schemas.Outcome{Integration: e.in.Name, EventID: poisonID(it), EventType: it.env.Type, OrderID: ln.key, Kind: kind, Reason: reason, Detail: detail,
		Operation: it.op, WithheldFields: it.withheld, WithheldReasons: it.why, IdempotencyKey: it.key, Attempts: slices.Clone(it.attempts), Facts: it.saw, EventTime: it.env.Time, At: e.Now(), Topic: ln.part.name,
		Partition: ln.part.tp.partition, Offset: it.rec.Offset, Instance: e.Instance, TraceParent: it.env.TraceParent, Replay: it.again}
	if it.ev != nil {
		o.IngestedAt = it.ev.IngestedAt
	}
	return o
}

// emit adds an outcome to the batch, and logs and counts it. It is not changed any more.
func (e *engine) emit(p *partition, o *schemas.Outcome) {
	key := []byte(o.OrderID)
	room := 6
	if o.TraceParent != "" {
		room++
	}
	headers := append(make([]kgo.RecordHeader, 0, room), kgo.RecordHeader{Key: "ce_specversion", Value: e.names.outcomeVersion},
		kgo.RecordHeader{Key: "ce_id", Value: []byte(o.Integration + "/" + string(o.EventID) + "/" + string(o.Kind))},
		kgo.RecordHeader{Key: "ce_type", Value: e.names.outcomeTypes[o.Kind]}, kgo.RecordHeader{Key: "ce_source", Value: e.names.outcomeSource},
		kgo.RecordHeader{Key: "ce_subject", Value: key}, kgo.RecordHeader{Key: "content-type", Value: e.names.outcomeContents})
	if o.TraceParent != "" {
		headers = append(headers, kgo.RecordHeader{Key: "traceparent", Value: []byte(o.TraceParent)})
	}
	e.batch.records = append(e.batch.records, pending{p, &kgo.Record{Topic: e.names.reconciliation, Partition: p.tp.partition, Key: key, Headers: headers}, o})
	e.counts.outcome(o.Kind, o.Reason)
	e.logOutcome(o)
}

// put changes the ledger in memory and marks it for the next transaction; the lane's next call waits for that.
func (e *engine) put(ln *lane, entry *schemas.LedgerEntry) {
	ln.part.store.Put(entry, e.batch.seq)
	e.batch.change(ln)
}

// subject is the registry subject of a topic's values.
func (e *engine) subject(topic string) string { return e.Topology.TopicName(topic) + "-value" }

// fail ends the engine before it calls or commits anything more: an outcome that cannot be written must not be lost, and
// what the ledger cannot tell must not be guessed.
func (e *engine) fail(err error) {
	if e.broken == nil {
		e.broken = err
		e.log.Error("the worker cannot go on", "err", err)
	}
}
