package consumers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// batch is what the next transaction carries.
type batch struct {
	seq     int64 // from 1, one more for each batch
	records []pending
	dirty   []*lane // whose ledger entries to write, as they are when the transaction is built; each once
	waiting []*lane // whose next call waits for the transaction, though it carries nothing of them
	offsets bool    // a watermark moved without any record
	entries map[*partition][]written
	commits map[topicPartition]int64
}

// written is a ledger entry and the record of it. The entry is not changed any more: who changes one changes a copy.
type written struct {
	key   string
	entry *schemas.LedgerEntry
	rec   *kgo.Record
}

type pending struct {
	part    *partition
	rec     *kgo.Record
	outcome *schemas.Outcome // of which the record gets its value; nil where it has one
}

func newBatch(seq int64) *batch { return &batch{seq: seq} }

func (b *batch) add(p *partition, rec *kgo.Record) {
	b.records = append(b.records, pending{part: p, rec: rec})
}

func (b *batch) empty() bool {
	return len(b.records) == 0 && len(b.dirty) == 0 && len(b.waiting) == 0 && !b.offsets
}

// touches tells whether the batch holds anything of a partition.
func (b *batch) touches(p *partition) bool {
	for _, r := range b.records {
		if r.part == p {
			return true
		}
	}
	for _, ln := range b.dirty {
		if ln.part == p {
			return true
		}
	}
	return false
}

// drop takes everything of a lost partition out.
func (b *batch) drop(p *partition) {
	kept := b.records[:0]
	for _, r := range b.records {
		if r.part != p {
			kept = append(kept, r)
		}
	}
	b.records = kept
	of := func(ln *lane) bool { return ln.part == p }
	b.dirty, b.waiting = slices.DeleteFunc(b.dirty, of), slices.DeleteFunc(b.waiting, of)
}

// change has a lane's ledger entry written by the transaction; the lane's next call waits for that.
func (b *batch) change(ln *lane) {
	if ln.commit = b.seq; ln.changed != b.seq {
		ln.changed = b.seq
		b.dirty = append(b.dirty, ln)
	}
}

// await has a lane's next call wait for the transaction.
func (b *batch) await(ln *lane) {
	if ln.commit != b.seq {
		ln.commit = b.seq
		b.waiting = append(b.waiting, ln)
	}
}

// commit starts the transaction of everything settled, unless one is under way. The member and generation are captured
// first: whoever loses a partition from here on is refused by them.
func (e *engine) commit() {
	if !e.mayCommit() {
		return
	}
	member, generation := e.cl.GroupMetadata()
	if generation < 0 {
		return // not in the group now: nothing can be committed until it is
	}
	b := e.batch
	e.sayBounds()
	records := e.build(b)
	e.batch = newBatch(b.seq + 1)
	e.committing = b
	e.began = e.Now()
	e.work.Go(func() {
		start := time.Now()
		if err := e.encode(b); err != nil {
			e.send(evCommit{err, true})
			return
		}
		err, fatal := e.transact(records, b.commits, member, generation)
		e.Metrics.commits.WithLabelValues(e.in.Name).Observe(time.Since(start).Seconds())
		if err == nil {
			e.counts.settled(b.records, e.Now())
			if err = b.shelve(); err != nil {
				fatal = true
			}
		}
		e.send(evCommit{err, fatal})
	})
}

// mayCommit tells whether a transaction may begin now, and has anything to carry.
func (e *engine) mayCommit() bool {
	return e.committing == nil && !e.batch.empty() && e.broken == nil && !e.void.Load() && !e.Now().Before(e.commitAfter)
}

// shelve takes the ledger's part of a committed batch into the local stores.
func (b *batch) shelve() error {
	for p, list := range b.entries {
		out := make([]ledger.Record, len(list))
		for i, w := range list {
			out[i] = ledger.Record{Key: w.key, Value: w.rec.Value, Offset: w.rec.Offset, At: w.rec.Timestamp.Unix()}
		}
		if err := p.store.Shelve(out); err != nil {
			return err
		}
	}
	return nil
}

// build is every record of the batch, ledger entries last and without their values, and the watermarks in b.commits.
func (e *engine) build(b *batch) []*kgo.Record {
	out := make([]*kgo.Record, 0, len(b.records)+len(b.dirty))
	touched := map[*partition]bool{}
	b.entries = map[*partition][]written{}
	for _, r := range b.records {
		out = append(out, r.rec)
		touched[r.part] = true
	}
	for _, ln := range b.dirty {
		touched[ln.part] = true
		rec := &kgo.Record{Topic: e.names.ledger, Partition: ln.part.tp.partition, Key: []byte(ledger.EntryKey(ln.part.name, ln.key))}
		out = append(out, rec)
		b.entries[ln.part] = append(b.entries[ln.part], written{ln.key, ln.part.store.Entry(ln.key), rec})
	}
	b.commits = map[topicPartition]int64{}
	for tp, p := range e.parts {
		if w := p.offsets.watermark(); p.store != nil && w >= 0 && (touched[p] || w != p.offsets.done) {
			b.commits[tp] = w
		}
	}
	return out
}

// encode gives the batch's outcomes and ledger entries their values, beside the loop.
func (e *engine) encode(b *batch) error {
	for _, r := range b.records {
		if r.outcome == nil || r.rec.Value != nil {
			continue
		}
		value, err := e.Serde.EncodeOutcome(e.ctx, e.names.outcomes, r.outcome)
		if err != nil {
			return fmt.Errorf("outcome of %s: %w", r.outcome.EventID, err)
		}
		r.rec.Value = value
	}
	for _, list := range b.entries {
		for _, w := range list {
			value, err := e.Serde.EncodeLedgerEntry(e.ctx, e.names.ledgerEntries, w.entry)
			if err != nil {
				return fmt.Errorf("ledger of %s: %w", w.key, err)
			}
			w.rec.Value = value
		}
	}
	return nil
}

// transact writes records and offsets atomically. fatal tells that what the broker holds is not known, or that this member
// is fenced: the engine must end. An error that is not fatal means nothing was written.
func (e *engine) transact(records []*kgo.Record, commits map[topicPartition]int64, member string, generation int32) (err error, fatal bool) {
	ctx, cancel := context.WithTimeout(e.ctx, 3*txnTimeout)
	defer cancel()
	if len(records) == 0 {
		return e.commitOffsets(ctx, commits, member, generation), false
	}
	if err := e.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err), true
	}
	err = e.cl.ProduceSync(ctx, records...).FirstErr()
	if err == nil {
		err = e.txnOffsets(ctx, commits, member, generation)
	}
	if err != nil {
		if abortErr := e.cl.EndTransaction(ctx, kgo.TryAbort); abortErr != nil {
			return fmt.Errorf("%w; abort: %w", err, abortErr), true
		}
		return err, fenced(err)
	}
	if err := e.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: whether it was done is not known: %w", err), true
	}
	return nil, false
}

// fenced tells whether an error means that another member has this one's place.
func fenced(err error) bool {
	for _, k := range []error{kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidTxnState} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// txnOffsets adds the watermarks to the transaction under the captured generation: the one thing that refuses a member
// which lost its partitions. The records before it began the transaction on the broker (KIP-890, Kafka 4).
func (e *engine) txnOffsets(ctx context.Context, commits map[topicPartition]int64, member string, generation int32) error {
	id, epoch, err := e.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	group := e.Topology.Group(e.in.Name)
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = group+"/"+e.Instance, group, id, epoch
	req.MemberID, req.Generation = member, generation
	if e.Static {
		req.InstanceID = kmsg.StringPtr(e.Instance)
	}
	byTopic := map[string][]kmsg.TxnOffsetCommitRequestTopicPartition{}
	for tp, offset := range commits {
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = tp.partition, offset, -1, kmsg.StringPtr(e.identities.mark(tp.topic, offset))
		byTopic[tp.topic] = append(byTopic[tp.topic], rp)
	}
	for topic, parts := range byTopic {
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID, rt.Partitions = topic, e.identities.of(topic), parts
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, e.cl)
	if err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("offset of %s/%d: %w", rt.Topic, rp.Partition, err)
			}
		}
	}
	return nil
}

// commitOffsets moves watermarks past records that were only read again: there is nothing to write beside them.
func (e *engine) commitOffsets(ctx context.Context, commits map[topicPartition]int64, member string, generation int32) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = e.Topology.Group(e.in.Name), member, generation
	if e.Static {
		req.InstanceID = kmsg.StringPtr(e.Instance)
	}
	byTopic := map[string][]kmsg.OffsetCommitRequestTopicPartition{}
	for tp, offset := range commits {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = tp.partition, offset, -1, kmsg.StringPtr(e.identities.mark(tp.topic, offset))
		byTopic[tp.topic] = append(byTopic[tp.topic], rp)
	}
	for topic, parts := range byTopic {
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic, rt.TopicID, rt.Partitions = topic, e.identities.of(topic), parts
		req.Topics = append(req.Topics, rt)
	}
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, e.cl)
	if err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("offset of %s/%d: %w", rt.Topic, rp.Partition, err)
			}
		}
	}
	return nil
}

// onCommit goes on after a transaction: lanes that waited for it, or the same work once more.
func (e *engine) onCommit(ev evCommit) error {
	if ev.fatal {
		return ev.err
	}
	b := e.committing
	e.committing = nil
	e.flow, e.started = e.started, 0
	if ev.err != nil {
		e.aborts++
		wait := min(10*time.Millisecond<<min(e.aborts, 10), time.Second)
		e.commitAfter = e.Now().Add(wait)
		e.log.Warn("a transaction was aborted and is repeated", "err", ev.err, "times", e.aborts, "in", wait)
		if e.aborts >= maxAborts {
			return fmt.Errorf("%d transactions were aborted one after the other, the last: %w", e.aborts, ev.err)
		}
		e.repeat(b)
		return nil
	}
	e.aborts = 0
	e.committed = b.seq
	for tp, w := range b.commits {
		if p := e.parts[tp]; p != nil {
			p.offsets.done = w
		}
	}
	for p := range b.entries {
		p.store.Shelved(b.seq)
		p.bound.said()
	}
	for _, ln := range slices.Concat(b.dirty, b.waiting) {
		if e.parts[ln.part.tp] == ln.part {
			e.step(ln)
		}
	}
	return nil
}

// repeat puts what an aborted transaction held before what came since, less the partitions that were lost meanwhile: those
// may be here again in a new life, which restored without it.
func (e *engine) repeat(b *batch) {
	var kept []pending
	for _, r := range b.records {
		if e.parts[r.part.tp] == r.part {
			r.rec.Context = nil // of the attempt that has ended: kgo keeps the first, and fails a record whose context is done
			kept = append(kept, r)
		}
	}
	e.batch.records = append(kept, e.batch.records...)
	for _, ln := range b.dirty {
		if e.parts[ln.part.tp] == ln.part {
			e.batch.change(ln)
		}
	}
	for _, ln := range b.waiting {
		if e.parts[ln.part.tp] == ln.part {
			e.batch.await(ln)
		}
	}
	e.batch.offsets = e.batch.offsets || b.offsets
}
