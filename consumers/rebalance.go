package consumers

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
)

// drain is told when the partitions of one revocation are dropped.
type drain struct {
	left int
	done chan struct{}
}

func list(parts map[string][]int32) []topicPartition {
	var out []topicPartition
	for topic, nums := range parts {
		for _, n := range nums {
			out = append(out, topicPartition{topic, n})
		}
	}
	return out
}

func (e *engine) onAssigned(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	e.send(evAssigned{list(parts)})
	select {
	case e.joined <- struct{}{}:
	default:
	}
}

// onRevoked lets the calls under way end and their outcomes be committed before the partitions go, within a bound: the
// group's rebalance waits for it.
func (e *engine) onRevoked(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	done := make(chan struct{})
	if len(parts) == 0 || !e.send(evRevoked{parts: list(parts), done: done}) {
		return
	}
	select {
	case <-done:
	case <-e.ctx.Done():
	case <-time.After(2 * drainLimit):
		// The group goes on without us, and with its next generation a commit would be taken although the partition is
		// another's: this engine must not commit again.
		e.void.Store(true)
		e.send(evFatal{fmt.Errorf("revoked partitions did not drain within %s", 2*drainLimit)})
	}
}

func (e *engine) onLost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	e.lease.revoke()
	done := make(chan struct{})
	if len(parts) == 0 || !e.send(evRevoked{parts: list(parts), lost: true, done: done}) {
		return
	}
	select {
	case <-done:
	case <-e.ctx.Done():
	}
}

// assign restores a partition's ledger beside the loop; its records wait in their lanes until then.
func (e *engine) assign(tp topicPartition) error {
	if old := e.parts[tp]; old != nil && old.revoked != nil {
		return fmt.Errorf("partition %d of %s came back before it had drained", tp.partition, tp.topic)
	} else if old != nil {
		return nil
	}
	p := &partition{tp: tp, name: strings.TrimPrefix(tp.topic, e.Topology.Prefix), lanes: map[string]*lane{}, calls: map[*item]time.Time{}, offsets: newOffsets()}
	p.ctx, p.cancel = context.WithCancel(e.ctx)
	e.parts[tp] = p
	e.share()
	e.Metrics.restoring.WithLabelValues(e.in.Name).Inc()
	if err := e.hear(tp.partition); err != nil {
		return err
	}
	e.work.Go(func() {
		store, err := e.restore(p)
		e.send(evRestored{p, store, err})
	})
	return nil
}

func (e *engine) restore(p *partition) (*ledger.Store, error) {
	if err := e.identify(p.ctx, p.tp.topic); err != nil {
		return nil, err
	}
	store, err := ledger.Restore(p.ctx, ledger.Source{Options: e.Options, Group: e.Topology.Group(e.in.Name), Serde: e.Serde,
		Ledger: e.Topology.Ledger(e.in.Name), Parked: e.Topology.Parked(e.in.Name), Topic: p.name,
		TopicID: ledger.TopicID(e.identities.of(p.tp.topic)), Partition: p.tp.partition, Disk: e.Ledger, Window: e.in.DedupWindow.D(), Logger: e.log})
	if err != nil {
		return nil, err
	}
	for _, key := range store.ParkedKeys() {
		for _, w := range store.Parked(key) { // the loop must not wait for the registry
			if _, err := e.Serde.DecodeEvent(p.ctx, w.Value); err != nil && !undecodable(err) {
				return nil, fmt.Errorf("parked event %s: %w", w.EventID, err)
			}
		}
	}
	p.committed, p.moved, err = e.position(p.ctx, p.tp)
	return store, err
}

// restored starts a partition.
func (e *engine) restored(ev evRestored) error {
	e.Metrics.restoring.WithLabelValues(e.in.Name).Dec()
	p := ev.p
	if e.parts[p.tp] != p || p.revoked != nil {
		return nil
	}
	if ev.err != nil {
		return ev.err
	}
	p.store = ev.store
	p.store.OnFault(e.fail) // at once: what it cannot tell must be neither called nor committed
	p.offsets.start(p.committed)
	p.marked = e.firstMark(p.store.Entry(ledger.PartitionKey).UpdatedAt)
	e.skip(p)
	p.inherit()
	e.resume(p)
	for _, key := range p.store.ParkedKeys() {
		e.recheck(p.lane(key))
	}
	for _, cmd := range p.commands {
		e.command(cmd)
	}
	p.commands = nil
	for _, ln := range p.lanes {
		e.step(ln)
	}
	e.log.Info("partition restored", "topic", p.tp.topic, "partition", p.tp.partition, "records", p.store.Read(), "parked", p.store.ParkedCount())
	return nil
}

// revoke starts the drain of partitions that go to another member, or drops at once those that are lost already.
func (e *engine) revoke(ev evRevoked) {
	d := &drain{done: ev.done}
	for _, tp := range ev.parts {
		p := e.parts[tp]
		switch {
		case p == nil:
		case ev.lost:
			p.cancel()
			e.remove(p)
			e.batch.drop(p)
		default:
			d.left++
			p.revoked = d
			time.AfterFunc(drainLimit, p.cancel)
		}
	}
	if d.left == 0 {
		close(d.done)
	}
}

// settleRevoked drops revoked partitions whose calls have ended and whose work is committed.
func (e *engine) settleRevoked() {
	for _, p := range e.parts {
		if p.revoked == nil || len(p.calls) > 0 {
			continue
		}
		e.withdraw(p)
		if e.batch.touches(p) {
			e.commit()
			continue
		}
		if e.committing != nil && e.committing.touches(p) {
			continue
		}
		p.cancel()
		e.remove(p)
		if p.revoked.left--; p.revoked.left == 0 {
			close(p.revoked.done)
		}
	}
}

// share tells the pace which part of the integration is this process's.
func (e *engine) share() {
	e.gate.pace.own(len(e.parts), int(e.Topology.Partitions)*len(e.Topology.InputTopics(e.in)))
}

// remove forgets a partition and what its lanes hold.
func (e *engine) remove(p *partition) {
	delete(e.parts, p.tp)
	if p.die != nil {
		p.die()
	}
	e.Metrics.lost.DeleteLabelValues(e.in.Name, p.tp.topic, strconv.Itoa(int(p.tp.partition)))
	e.share()
	p.abandon()
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			e.unreserve(it)
			if it.parked == nil {
				e.queued--
			}
		}
	}
	e.throttle()
}
