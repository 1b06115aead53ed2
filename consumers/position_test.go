package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// commits is what the group committed in an order's partition, once it is at an offset.
func (b *bench) commits(order string, offset int64) kadm.Offset {
	b.Helper()
	var got kadm.Offset
	topologytest.Eventually(b.T, "the offset is committed", func() error {
		all, err := kadm.NewClient(b.client).FetchOffsets(kadm.RequireStable(b.Context()), b.topo.Group("down"))
		o, _ := all.Lookup(b.topo.TopicName(schemas.TopicOrders), b.partition(order))
		if got = o.Offset; got.At != offset {
			return fmt.Errorf("it is at %d, %w", got.At, err)
		}
		return nil
	})
	return got
}

// mark is what a worker writes beside an offset of an order's partition.
func (b *bench) mark(offset int64) string {
	b.Helper()
	m, err := kadm.NewClient(b.client).BrokerMetadata(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("seam/1 %s %s %d", m.Cluster, b.topicID(b.topo.TopicName(schemas.TopicOrders)), offset)
}

// commit commits an offset of a group that has no members, as a tool does that keeps a commit's metadata.
func (b *bench) commit(o kadm.Offset) {
	b.Helper()
	to := kadm.Offsets{}
	to.Add(o)
	if err := kadm.NewClient(b.client).CommitAllOffsets(b.Context(), b.topo.Group("down"), to); err != nil {
		b.Fatal(err)
	}
}

// TestCommitsSayWhatTheyAreOf: of which topic of which cluster, and the offset, whether something was written beside it or not.
func TestCommitsSayWhatTheyAreOf(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	if diff := cmp.Diff(b.mark(1), b.commits("A", 1).Metadata); diff != "" {
		t.Errorf("in a transaction: %s", diff)
	}
	stop()
	b.reset("A", 0)
	b.start() // all that it reads is finished
	if diff := cmp.Diff(b.mark(1), b.commits("A", 1).Metadata); diff != "" {
		t.Errorf("beside nothing: %s", diff)
	}
}

// TestCallsThatAnotherToolSkipped: a worker died, its group's offset was moved past what it may have called, and that is read after
// all when the downstream has forgotten the keys.
func TestCallsThatAnotherToolSkipped(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ago  time.Duration
		ours bool // the worker itself committed the offset: it had finished all before
		back bool // read after all as the offset is reset once more, and not as a replay
		kind string
	}{
		"the keys are forgotten":                {ago: 25 * time.Hour, kind: "parked/unknown"},
		"and the offset is reset":               {ago: 25 * time.Hour, back: true, kind: "parked/unknown"},
		"the keys are remembered":               {ago: 23 * time.Hour, kind: "delivered"},
		"the worker had come so far and died":   {ago: 25 * time.Hour, ours: true, kind: "delivered"},
		"so far, and the offset is reset later": {ago: 25 * time.Hour, ours: true, back: true, kind: "delivered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, keyed+"order: pass\n")
			b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
			b.leftBound(b.topicID(b.topo.TopicName(schemas.TopicOrders)), "A", 2, time.Now().Add(-tt.ago), "do")
			to := kadm.Offset{Topic: b.topo.TopicName(schemas.TopicOrders), Partition: b.partition("A"), At: 2, LeaderEpoch: -1}
			if tt.ours {
				to.Metadata = b.mark(2)
			}
			b.commit(to)
			stop := b.start()
			other := b.neighbours(2)[1]
			b.publish(event("o1", schemas.OrderCreated, other, 1)) // from now on the ledger has a bound of this worker
			b.wait(1)
			if tt.back {
				stop()
				b.reset("A", 0)
				b.start()
			} else {
				p := b.plan(b.request(nil))
				plan := map[string]map[string]int{"delivered": {"POST " + strings.TrimPrefix(b.down.URL, "http://") + "/things": 2}, "parked/unknown": {"parked/unknown": 2}}
				if diff := cmp.Diff(plan[tt.kind], count(slices.Concat(p.Calls, p.Others))); diff != "" {
					t.Errorf("planned (-want +got):\n%s", diff)
				}
				b.order("A", schemas.Command{Kind: schemas.Reread, From: 0, To: 2})
			}
			want := []string{"o1=delivered", "a1=" + tt.kind, "a2=" + tt.kind}
			if diff := cmp.Diff(want, kinds(b.wait(3))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAPlanKnowsWhatADeadWorkerIntended: a replay of an event that it may have called, and that an offset was reset past, leaves the
// call to a person, and says so before.
func TestAPlanKnowsWhatADeadWorkerIntended(t *testing.T) {
	t.Parallel()
	b := newBench(t, none)
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.left("A", "a1", "do")
	b.reset("A", 1)
	p := b.plan(b.request(nil))
	if diff := cmp.Diff(map[string]int{"parked/unknown": 1}, count(slices.Concat(p.Calls, p.Others))); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}
	b.start()
	b.order("A", schemas.Command{Kind: schemas.Reread, From: 0, To: 1})
	if diff := cmp.Diff([]string{"a1=parked/unknown"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}

// TestTheOffsetOfADeletedTopic: it says nothing of the topic that was made anew, of which nothing is left out. That of another
// cluster was translated by whoever copied it, and counts.
func TestTheOffsetOfADeletedTopic(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		other bool
		want  []string
	}{
		"of this cluster": {false, []string{"a1=delivered", "a2=delivered", "a3=delivered", "a4=delivered"}},
		"of another":      {true, []string{"a1=delivered", "a2=delivered", "a4=delivered"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, keyed)
			stop := b.start()
			b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
			b.wait(2)
			stop()
			left := b.commits("A", 2)
			left.At, left.LeaderEpoch = 1, -1
			left.Metadata = left.Metadata[:len(left.Metadata)-1] + "1"
			if tt.other {
				left.Metadata = "seam/1 another" + left.Metadata[len("seam/1 "):]
			}
			b.anew(left.Topic)
			b.commit(left) // by a transaction that ended when the topic was gone
			fresh := b.kafka.Client(t, kgo.ProducerLinger(0))
			b.publishBy(fresh, event("a3", schemas.OrderUpdated, "A", 3), event("a4", schemas.OrderUpdated, "A", 4))
			b.start()
			if diff := cmp.Diff(tt.want, kinds(b.wait(len(tt.want)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// anew deletes a topic and makes it again.
func (b *bench) anew(topic string) {
	b.Helper()
	was := b.topicID(topic)
	if _, err := kadm.NewClient(b.client).DeleteTopic(b.Context(), topic); err != nil {
		b.Fatal(err)
	}
	topologytest.Eventually(b.T, "the topic is made anew", func() error {
		if _, err := topology.Ensure(context.Background(), b.topo, b.client, b.kafka.RegistryClient(b.T)); err != nil {
			return err
		}
		if id := b.topicID(topic); slices.Contains([]string{was, ledger.TopicID([16]byte{})}, id) {
			return errors.New("not yet")
		}
		return nil
	})
}
