package consumers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// order is a person's decision about records that an order's outcomes tell of.
func (b *bench) order(key string, c schemas.Command) {
	b.Helper()
	topic := b.topo.TopicName(topology.TopicCommands)
	c.ID, c.Integration, c.Topic, c.Key, c.Who, c.Why, c.Replay, c.At = "c", "down", schemas.TopicOrders, key, "ann", "it lost a day", "r1", noon
	value, err := b.serde.EncodeCommand(b.Context(), topic+"-value", &c)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.client.ProduceSync(b.Context(), &kgo.Record{Topic: topic, Key: []byte(key), Value: value}).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// redeliver asks for the event of an outcome to be delivered again.
func (b *bench) redeliver(o *schemas.Outcome, even schemas.Reason) {
	b.Helper()
	b.order(o.OrderID, schemas.Command{Kind: schemas.Redeliver, EventID: o.EventID, From: o.Offset, To: o.Offset + 1, Even: even})
}

// outcomeOf is the first outcome of an event.
func outcomeOf(list []*schemas.Outcome, id schemas.EventID) *schemas.Outcome {
	for _, o := range list {
		if o.EventID == id {
			return o
		}
	}
	return nil
}

// TestDeliveredAgain: one decision is one more call under a key of its own, however often it is read, and the outcome says who
// wanted it and why.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("b1", schemas.OrderCreated, "B", 1))
	first := outcomeOf(b.wait(2), "a1")
	b.redeliver(first, "")
	seen := b.wait(4)[2:]
	if diff := cmp.Diff([]string{"a1=parked/replay", "a1=delivered"}, kinds(seen)); diff != "" {
		t.Fatal(diff)
	}
	want := &schemas.Replay{ID: "r1", Who: "ann", Why: "it lost a day"}
	if diff := cmp.Diff(want, seen[1].Replay); diff != "" || seen[1].Detail != "again by ann: it lost a day (replay r1)" || seen[1].IdempotencyKey == first.IdempotencyKey {
		t.Errorf("%q under key %s, first %s; %s", seen[1].Detail, seen[1].IdempotencyKey, first.IdempotencyKey, diff)
	}
	if first.Replay != nil {
		t.Errorf("the first outcome says %v", first.Replay)
	}
	stop() // the decision is read again, and changes nothing
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("b2", schemas.OrderUpdated, "B", 2))
	b.outcomes("both", func(list []*schemas.Outcome) bool { return len(list) >= 6 })
	if diff := cmp.Diff(map[string]int{"a1": 2, "b1": 1, "b2": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
	b.redeliver(first, "") // another decision is another call, though under the same replay it is the same request
	b.wait(8)
	if n := b.down.count(); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
	if diff := cmp.Diff(map[string]int{"a1": 2, "b1": 1, "b2": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

// TestDeliveredAgainOnce: a worker that dies at any step of it leaves what its successor needs to make one call.
func TestDeliveredAgainOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		id, want string
		effects  int
	}{
		"a key":                                  {"{key: Idempotency-Key, remembers: 24h}", "a1=delivered", 2},
		"nobody knows whether the call was made": {"{none: true}", "a1=parked/unknown", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", tt.id, 1))
			called := make(chan struct{})
			var dead atomic.Bool
			b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
				if n == 2 {
					close(called)
					return 0, nil, true // the effect is made, and nobody hears of it
				}
				return 200, nil, true
			}
			stop := b.start(func(c *consumers.Config) { c.Instance = "one" })
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			first := b.wait(1)[0]
			b.redeliver(first, "")
			<-called
			stop()
			dead.Store(true)
			b.start()
			seen := b.outcomes("the end", func(list []*schemas.Outcome) bool { return kinds(list)[len(list)-1] == tt.want && len(list) > 2 })
			if last := seen[len(seen)-1]; last.Replay == nil || last.IdempotencyKey == first.IdempotencyKey {
				t.Errorf("the last outcome is %+v", last)
			}
			if diff := cmp.Diff(map[string]int{"a1": tt.effects}, b.down.effects); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTakenInAndNotCalled: a worker died between a decision and the call it asks for. That no intent has the replay's key says that
// no call was made, even where nothing else could tell.
func TestTakenInAndNotCalled(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1))
	stop := b.start()
	ev := event("a1", schemas.OrderCreated, "A", 1)
	b.publish(ev)
	b.wait(1)
	stop()
	b.leftParked(ev, schemas.ParkedRecord{Reason: schemas.ReasonReplay, Replay: &schemas.Replay{ID: "r1", Who: "ann", Why: "lost"}})
	b.start()
	if diff := cmp.Diff([]string{"a1=delivered", "a1=delivered"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// TestWhatAReplayDoesNotOverride is everything but that the event is finished.
func TestWhatAReplayDoesNotOverride(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	foreign, copied := event("a3", schemas.OrderUpdated, "A", 3), event("a4", schemas.OrderCreated, "A", 1)
	foreign.System, copied.BusinessID = "erp", event("a1", schemas.OrderCreated, "A", 1).BusinessID
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2), foreign, copied, event("a5", schemas.FulfillmentShipped, "A", 5))
	seen := b.wait(5)
	for _, o := range seen {
		b.redeliver(o, "")
	}
	got := map[string]bool{}
	for _, k := range kinds(b.outcomes("five more", func(list []*schemas.Outcome) bool { return len(list) >= 15 })[5:]) {
		if !strings.HasSuffix(k, "parked/replay") {
			got[k] = true
		}
	}
	want := map[string]bool{"a1=superseded/stale": true, "a2=delivered": true, "a3=withheld/not_owner": true, "a4=duplicate/same_business": true, "a5=withheld/not_subscribed": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.redeliver(seen[0], schemas.ReasonStale)
	if diff := cmp.Diff([]string{"a1=parked/replay", "a1=delivered"}, kinds(b.wait(17)[15:])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"a1": 2, "a2": 2}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

// TestLiveTrafficGoesOn while a downstream takes its time with what is delivered again: other orders are not held, and the
// order's own events come after it.
func TestLiveTrafficGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	held, release := make(chan struct{}), make(chan struct{})
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n == 2 {
			close(held)
			go func() { <-release }()
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.redeliver(b.wait(1)[0], "")
	<-held
	b.publish(event("a2", schemas.OrderUpdated, "A", 2), event("b1", schemas.OrderCreated, "B", 1))
	close(release)
	b.wait(5)
	if diff := cmp.Diff(map[string]int{"a1": 2, "a2": 1, "b1": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

// read is the ledger of an order's partition.
func (b *bench) read(order string) (*ledger.Store, error) {
	return ledger.Read(b.Context(), ledger.Source{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Group: b.topo.Group("down"), Serde: b.serde,
		Ledger: b.topo.Ledger("down"), Parked: b.topo.Parked("down"), Topic: schemas.TopicOrders, TopicID: b.topicID(b.topo.TopicName(schemas.TopicOrders)), Partition: b.partition(order)})
}

// partitionEntry is what the ledger has of an order's partition itself.
func (b *bench) partitionEntry(order string) *schemas.LedgerEntry {
	b.Helper()
	return b.entryOf(order, ledger.PartitionKey)
}

// orderEntry is what the ledger has of an order.
func (b *bench) orderEntry(order string) *schemas.LedgerEntry {
	b.Helper()
	return b.entryOf(order, order)
}

func (b *bench) entryOf(order, key string) *schemas.LedgerEntry {
	b.Helper()
	store, err := b.read(order)
	if err != nil {
		b.Fatal(err)
	}
	return store.Entry(key)
}

// reset commits an offset of a group that has no members, as Kafka's own tool does.
func (b *bench) reset(order string, offset int64) {
	b.Helper()
	b.commit(kadm.Offset{Topic: b.topo.TopicName(schemas.TopicOrders), Partition: b.partition(order), At: offset, LeaderEpoch: -1})
}

// TestReread: what is finished stays finished, what an offset was reset past is handled, in the order's place, and both are
// counted. Read again, the decision does nothing.
func TestReread(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	stop()
	other := "B"
	for b.partition(other) != b.partition("A") {
		other += "B"
	}
	b.publish(event("b1", schemas.OrderCreated, other, 1), event("a2", schemas.OrderUpdated, "A", 2))
	b.reset("A", 3) // past both: Kafka's tool with --to-latest
	stop = b.start()
	b.order("A", schemas.Command{Kind: schemas.Reread, From: 0, To: 3})
	if diff := cmp.Diff([]string{"a2=delivered", "b1=delivered"}, slices.Sorted(slices.Values(kinds(b.wait(3)[1:])))); diff != "" {
		t.Error(diff)
	}
	var got *schemas.ReadAgain
	topologytest.Eventually(t, "the replay is in the ledger", func() error {
		if got = b.partitionEntry("A").ReadAgain; got == nil {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	want := &schemas.ReadAgain{ID: "r1", Heard: got.Heard, To: 3, Read: 3, Finished: 1, Handled: 2, At: got.At}
	if diff := cmp.Diff(want, got); diff != "" || got.Heard < 1 {
		t.Error(diff)
	}
	stop()
	b.start()
	b.publish(event("c1", schemas.OrderCreated, other, 2))
	b.wait(4)
	if again := b.partitionEntry("A").ReadAgain; !again.At.Equal(got.At) {
		t.Errorf("the decision was taken in a second time at %s", again.At)
	}
	if n := b.down.count(); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
}

// TestResetBeyondTheLedgersMemory: with whatever tool somebody goes back, what the ledger has forgotten is not done again.
func TestResetBeyondTheLedgersMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"dedup_window: 840h\n")
	var by atomic.Int64
	stop := b.start(ahead(&by))
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	by.Store(int64(2 * time.Minute)) // it has come long enough ago
	topologytest.Eventually(t, "the partition's own entry", func() error {
		if at := b.partitionEntry("A").Settled; at != 0 {
			return fmt.Errorf("it says %d", at)
		}
		return nil
	})
	stop()
	b.place(&kgo.Record{Topic: b.topo.Ledger("down"), Partition: b.partition("A"), Key: []byte("A")}) // forgotten, as by retention
	b.reset("A", 0)
	by.Store(int64(841 * time.Hour))
	b.start(ahead(&by))
	b.publish(event("a2", schemas.OrderUpdated, "A", 2)) // older than the window by that clock, but never read
	if diff := cmp.Diff([]string{"a1=delivered", "a2=delivered"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
}

// TestReplayAskedForTooLongAgo may have been taken in and forgotten.
func TestReplayAskedForTooLongAgo(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"dedup_window: 840h\n")
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	first := b.wait(1)[0]
	stop()
	b.redeliver(first, "")
	var by atomic.Int64
	by.Store(int64(800 * time.Hour))
	b.start(ahead(&by))
	b.decide(schemas.Discard, "A", "nobody") // heard after it
	b.publish(event("a2", schemas.OrderUpdated, "A", 2))
	if diff := cmp.Diff([]string{"a1=delivered", "a2=delivered"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
}
