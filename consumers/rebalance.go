package consumers

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
)

// drain is told when the partitions of one revocation are dropped.
type drain struct {
	left int
	done chan struct{}
}

// topicIDs is Kafka's ids of the input topics; requests that carry them and entries of the ledger need them.
type topicIDs struct {
	mu sync.Mutex
	m  map[string][16]byte
}

func (t *topicIDs) get(topic string) [16]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[topic]
}

func (t *topicIDs) set(topic string, id [16]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[string][16]byte{}
	}
	t.m[topic] = id
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
func (e *engine) assign(tp topicPartition) {
	if e.parts[tp] != nil {
		return
	}
	p := &partition{tp: tp, name: strings.TrimPrefix(tp.topic, e.Topology.Prefix), lanes: map[string]*lane{}, offsets: newOffsets()}
	p.ctx, p.cancel = context.WithCancel(e.ctx)
	e.parts[tp] = p
	e.Metrics.restoring.WithLabelValues(e.in.Name).Inc()
	go func() {
		store, err := e.restore(p)
		e.send(evRestored{p, store, err})
	}()
}

func (e *engine) restore(p *partition) (*ledger.Store, error) {
	topics, err := kadm.NewClient(e.cl).ListTopics(p.ctx, p.tp.topic)
	if err != nil {
		return nil, err
	}
	if err := topics[p.tp.topic].Err; err != nil {
		return nil, fmt.Errorf("topic %s: %w", p.tp.topic, err)
	}
	id := topics[p.tp.topic].ID
	e.topicIDs.set(p.tp.topic, id)
	return ledger.Restore(p.ctx, ledger.Source{Options: e.Options, Group: e.Topology.Group(e.in.Name), Serde: e.Serde,
		Ledger: e.Topology.Ledger(e.in.Name), Parked: e.Topology.Parked(e.in.Name), Topic: p.name,
		TopicID: base64.RawURLEncoding.EncodeToString(id[:]), Partition: p.tp.partition})
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
	for _, key := range p.store.ParkedKeys() {
		e.recheck(p.lane(key))
	}
	for _, ln := range p.lanes {
		e.step(ln)
	}
	e.log.Info("partition restored", "topic", p.tp.topic, "partition", p.tp.partition, "orders", p.store.Len(), "parked", p.store.ParkedCount())
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
			if e.committing != nil {
				e.lost = append(e.lost, p) // should its transaction be aborted, it is not repeated for this one
			}
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
		if p.revoked == nil || p.calls > 0 {
			continue
		}
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

// remove forgets a partition and what its lanes hold.
func (e *engine) remove(p *partition) {
	delete(e.parts, p.tp)
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			if it.parked == nil {
				e.queued--
			}
		}
	}
	e.throttle()
}
