package consumers_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// leftBound is what a worker that died had told of an order's partition of an event topic by Kafka's id: below which offset it may
// have called, since when.
func (b *bench) leftBound(topicID, order string, below int64, since time.Time, of ...string) {
	b.Helper()
	b.leftEntry(order, &schemas.LedgerEntry{Topic: schemas.TopicOrders, TopicID: topicID, Key: ledger.PartitionKey, Settled: -1, Calls: &schemas.Calls{Below: below, Since: since, Of: of}, UpdatedAt: since})
}

// TestCallsOfADeadWorker: what it may have called is called again under the same key while that is remembered, and waits for a
// person afterwards; what it cannot have called is no matter.
func TestCallsOfADeadWorker(t *testing.T) {
	t.Parallel()
	const key = "{key: Idempotency-Key, remembers: 24h}"
	for name, tt := range map[string]struct {
		idempotency string
		below       int64
		ago         time.Duration
		of          string
		want        []string
		calls       int
	}{
		"the key is remembered":           {key, 3, 23 * time.Hour, "do", []string{"a1=delivered", "a2=delivered"}, 2},
		"the key is forgotten":            {key, 3, 25 * time.Hour, "do", []string{"a1=parked/unknown", "a2=delivered"}, 1}, // a2 waited for a1, and was not called
		"it had not come so far":          {key, 0, 25 * time.Hour, "do", []string{"a1=delivered", "a2=delivered"}, 2},
		"its calls had intents":           {key, 3, 25 * time.Hour, "other", []string{"a1=delivered", "a2=delivered"}, 2},
		"the topic was made anew":         {key, 3, 25 * time.Hour, "do", []string{"a1=delivered", "a2=delivered"}, 2},
		"a repetition does no harm now":   {"{upsert: true}", 3, 25 * time.Hour, "do", []string{"a1=delivered", "a2=delivered"}, 2},
		"a repetition does harm now":      {"{none: true}", 3, time.Second, "do", []string{"a1=parked/unknown", "a2=delivered"}, 1},
		"it can be asked for now, and is": {`{probe: "GET URL/things?reference={event.id}"}`, 3, time.Second, "do", []string{"a1=already_done", "a2=delivered"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(keyed, key, tt.idempotency, 1)+"order: pass\n")
			if strings.Contains(tt.idempotency, "probe") {
				b.down.effects["a1"] = 1
			}
			b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
			id := b.topicID(b.topo.TopicName(schemas.TopicOrders))
			if strings.Contains(name, "anew") {
				id = "another"
			}
			b.leftBound(id, "A", tt.below, time.Now().Add(-tt.ago), tt.of)
			b.start()
			if diff := cmp.Diff(tt.want, kinds(b.wait(2))); diff != "" {
				t.Error(diff)
			}
			if n := b.down.posts(); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

// TestWhatADeadWorkerMayHaveCalledIsKnownByItself: from its next call on it has an intent of its own, with the time of the first
// one, so that the next worker to die does not make it younger.
func TestWhatADeadWorkerMayHaveCalledIsKnownByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	since := time.Now().Add(-23 * time.Hour).Truncate(time.Microsecond)
	called := make(chan schemas.Operation, 1)
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		if store, err := b.read("A"); err != nil {
			t.Error(err)
		} else if ops := store.Entry("A").Operations; len(ops) == 1 {
			called <- ops[0]
		} else {
			t.Errorf("the ledger has %v", ops)
			close(called)
		}
		return 200, nil, true
	}
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.leftBound(b.topicID(b.topo.TopicName(schemas.TopicOrders)), "A", 1, since, "do")
	b.start()
	b.wait(1)
	if got := <-called; got.State != schemas.OpIntent || got.EventID != "a1" || !got.At.Equal(since) {
		t.Errorf("at the call the ledger has %+v, want an intent of %s", got, since)
	}
}

// TestACallOfUnknownEffectIsKnownByItself: while it waits for its repetition, the calls of others move on.
func TestACallOfUnknownEffectIsKnownByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{initial: 10ms, max: 50ms, give_up_after: 10s}", "{initial: 1000h, max: 1000h, give_up_after: 20h}", 1))
	var lost atomic.Bool
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		return 500, nil, !lost.Swap(true)
	}
	b.start(func(c *consumers.Config) { c.Grace = time.Second })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.intended(1)
	if ops := b.orderEntry("A").Operations; len(ops) != 1 || ops[0].State != schemas.OpIntent || ops[0].EventID != "a1" || time.Since(ops[0].At) > time.Minute {
		t.Errorf("the ledger has %+v", ops)
	}
}

// TestAStopLeavesNoDoubt: whoever comes next calls what was not called as if nothing had been told.
func TestAStopLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	if calls := b.partitionEntry("A").Calls; calls == nil || calls.Below != 1 {
		t.Errorf("told are %+v, want calls below 1", calls)
	}
	stop()
	if calls := b.partitionEntry("A").Calls; calls != nil {
		t.Errorf("a worker that stopped leaves calls: %+v", calls)
	}
}

// TestACallThatAReplayOvertakesIsKnownByItself: an event that an offset was reset past comes late, before one of its order that is
// being called; after a crash that one would not be the first that is not finished.
func TestACallThatAReplayOvertakesIsKnownByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "timeout: 2s", "timeout: 10m", 1)) // it ends when it is let go on, not before
	called, goOn := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(goOn) })
	defer end()
	b.holds("a2", 1, called, goOn)
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	b.reset("A", 1)
	b.start()
	<-called
	b.order("A", schemas.Command{Kind: schemas.Reread, From: 0, To: 1})
	topologytest.Eventually(t, "the call under way has an intent", func() error {
		if ops := b.orderEntry("A").Operations; len(ops) != 1 || ops[0].State != schemas.OpIntent || ops[0].EventID != "a2" {
			return fmt.Errorf("the ledger has %+v", ops)
		}
		return nil
	})
	end()
	if diff := cmp.Diff([]string{"a2=delivered", "a1=superseded/stale"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
}
