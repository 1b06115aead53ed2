package consumers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// none is keyed for a downstream that knows nothing.
var none = strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1)

// neighbours are orders in A's partition, A first.
func (b *bench) neighbours(n int) []string {
	out := []string{"A"}
	for i := 0; len(out) < n; i++ {
		if key := fmt.Sprint("N", i); b.partition(key) == b.partition("A") {
			out = append(out, key)
		}
	}
	return out
}

// heardAll waits until every decision so far about A's partition was taken in, by one about an order of its own behind them.
func (b *bench) heardAll(id string) {
	b.Helper()
	b.publish(event(id, schemas.OrderCreated, b.neighbours(9)[8], 1))
	of := func(list []*schemas.Outcome, again bool) *schemas.Outcome {
		for _, o := range list {
			if string(o.EventID) == id && o.Kind == schemas.Delivered && (o.Replay != nil) == again {
				return o
			}
		}
		return nil
	}
	seen := b.outcomes(id, func(list []*schemas.Outcome) bool { return of(list, false) != nil })
	b.redeliver(of(seen, false), schemas.ReasonStale)
	b.outcomes(id+" again", func(list []*schemas.Outcome) bool { return of(list, true) != nil })
}

// kindsOf is what became of an order so far.
func (b *bench) kindsOf(order string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return kinds(slices.DeleteFunc(slices.Clone(b.seen), func(o *schemas.Outcome) bool { return o.OrderID != order }))
}

// awaits waits for so many outcomes of an order and gives the newest.
func (b *bench) awaits(order string, n int) *schemas.Outcome {
	b.Helper()
	var last *schemas.Outcome
	b.outcomes(fmt.Sprintf("%d outcomes of %s", n, order), func(list []*schemas.Outcome) bool {
		list = slices.DeleteFunc(slices.Clone(list), func(o *schemas.Outcome) bool { return o.OrderID != order })
		if len(list) < n {
			return false
		}
		last = list[n-1]
		return true
	})
	return last
}

// must compares what became of A with what should have.
func (b *bench) must(want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.kindsOf("A")); diff != "" {
		b.Errorf("A (-want +got):\n%s", diff)
	}
}

// TestADecisionToDeliverAgainIsTakenInOnce: the commands are read from their start at every start, and the ledger remembers, also of
// what came to no call.
func TestADecisionToDeliverAgainIsTakenInOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	copied := event("a2", schemas.OrderCreated, "A", 1)
	copied.BusinessID = event("a1", schemas.OrderCreated, "A", 1).BusinessID
	b.publish(event("a1", schemas.OrderCreated, "A", 1), copied)
	second := b.awaits("A", 2)
	first := b.awaits("A", 1)
	b.redeliver(first, "")
	b.redeliver(second, "")
	b.heardAll("z1")
	stop()
	b.start()
	b.heardAll("z2")
	want := []string{"a1=delivered", "a1=delivered", "a1=parked/replay", "a2=duplicate/same_business", "a2=duplicate/same_business", "a2=parked/replay"}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(b.kindsOf("A")))); diff != "" {
		t.Error(diff)
	}
	store, err := ledger.Read(t.Context(), ledger.Source{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Group: b.topo.Group("down"), Serde: b.serde,
		Ledger: b.topo.Ledger("down"), Parked: b.topo.Parked("down"), Topic: schemas.TopicOrders, TopicID: b.topicID(b.topo.TopicName(schemas.TopicOrders)), Partition: b.partition("A")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range store.Entry("A").Events {
		got = append(got, fmt.Sprintf("%s %s %v", f.ID, f.Kind, f.Heard > 0))
	}
	if diff := cmp.Diff([]string{"a1 delivered true", "a2 duplicate true"}, slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("the ledger (-want +got):\n%s", diff)
	}
}

// TestTheWishIsKnownBeforeTheCall, whatever the idempotency: a worker that takes over must know of it.
func TestTheWishIsKnownBeforeTheCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1))
	found := make(chan string, 1)
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n == 2 {
			waiting, err := b.parked(r.Context(), "A")
			if err != nil || len(waiting) != 1 || waiting[0].Replay == nil {
				t.Errorf("parked: %v, %v", waiting, err)
				found <- ""
			} else {
				found <- string(waiting[0].Reason) + " " + waiting[0].Replay.String()
			}
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.redeliver(b.awaits("A", 1), "")
	if got, want := <-found, "replay again by ann: it lost a day (replay r1)"; got != want {
		t.Errorf("at the call it is parked as %q, want %q", got, want)
	}
	b.awaits("A", 3)
}

// TestGivenUpAndThenWanted: a call of unknown effect that a person gave up is not in the way of one who wants it made after all.
func TestGivenUpAndThenWanted(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(none, "    http:", "    once: true\n    http:", 1))
	var well atomic.Bool
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		if well.Load() {
			return 200, nil, true
		}
		return 0, nil, false
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.awaits("A", 1)
	b.decide(schemas.Discard, "A", "a1")
	b.awaits("A", 2)
	b.publish(event("a2", schemas.OrderCreated, "A", 2)) // may have been made, as it is made once
	b.awaits("A", 3)
	b.decide(schemas.Discard, "A", "a2")
	second := b.awaits("A", 4)
	well.Store(true)
	b.redeliver(second, "")
	b.awaits("A", 6)
	b.must("a1=parked/unknown", "a1=discarded/operator", "a2=parked/unknown", "a2=discarded/operator", "a2=parked/replay", "a2=delivered")
	if n := b.down.count(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// TestItsOwnOldCallIsNotInTheWay either.
func TestItsOwnOldCallIsNotInTheWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, none)
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n == 1 {
			return 0, nil, false
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.awaits("A", 1)
	b.decide(schemas.Discard, "A", "a1")
	b.redeliver(b.awaits("A", 2), "")
	b.awaits("A", 4)
	b.must("a1=parked/unknown", "a1=discarded/operator", "a1=parked/replay", "a1=delivered")
}

// TestWhatWasNoneOfItsBusinessThen is handled when a person says so, and the order knows of it from then on.
func TestWhatWasNoneOfItsBusinessThen(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	b.publish(event("p1", schemas.PaymentCaptured, "A", 1))
	first := b.awaits("A", 1)
	stop()
	b.start(func(c *consumers.Config) {
		in := *c.Integration
		pay, refund := in.Deliver[0], in.Deliver[0]
		pay.On, pay.Operation = []schemas.EventType{schemas.PaymentCaptured}, "pay"
		refund.On, refund.Operation, refund.Needs = []schemas.EventType{schemas.RefundSucceeded}, "refund", []schemas.EventType{schemas.PaymentCaptured}
		in.Deliver = append(slices.Clone(in.Deliver), pay, refund)
		c.Integration = &in
	})
	b.redeliver(first, "")
	b.awaits("A", 3)
	b.publish(event("r1", schemas.RefundSucceeded, "A", 2))
	b.awaits("A", 4)
	b.must("p1=withheld/not_subscribed", "p1=parked/replay", "p1=delivered", "r1=delivered")
}

// TestAgainWaitsForWhatItNeeds: a person had released it without, and now wants it again.
func TestAgainWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.awaits("A", 1)
	b.decide(schemas.Release, "A", "a1")
	b.redeliver(b.awaits("A", 3), "")
	b.awaits("A", 5)
	b.publish(event("a2", schemas.DisputeOpened, "A", 2)) // the order learns something, and not what is needed
	b.awaits("A", 6)
	b.publish(event("a3", schemas.PaymentCaptured, "A", 3))
	if last := b.awaits("A", 8); last.EventID != "a1" || last.Replay == nil {
		t.Errorf("the last outcome is %+v", last)
	}
	b.must("a1=parked/needs", "a1=parked/released", "a1=delivered", "a1=parked/replay", "a1=parked/needs", "a2=withheld/not_subscribed", "a3=withheld/prerequisite_only", "a1=delivered")
}

// TestAgainAndParked: what a person wanted again and another releases is still that wish, under its key.
func TestAgainAndParked(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n == 2 {
			return 418, nil, false
		}
		return 200, nil, true
	}
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	first := b.awaits("A", 1)
	b.redeliver(first, "")
	refused := b.awaits("A", 3)
	b.decide(schemas.Release, "A", "a1")
	last := b.awaits("A", 5)
	b.must("a1=delivered", "a1=parked/replay", "a1=parked/contract", "a1=parked/released", "a1=delivered")
	if last.Replay == nil || last.IdempotencyKey != refused.IdempotencyKey || last.IdempotencyKey == first.IdempotencyKey || !strings.Contains(last.Detail, "released by ann: looked; again by ann: it lost a day") {
		t.Errorf("%q %+v, refused %s, first %s", last.Detail, last.Replay, refused.IdempotencyKey, first.IdempotencyKey)
	}
	stop()
	b.start()
	b.heardAll("z1")
	if n := len(b.kindsOf("A")); n != 5 {
		t.Errorf("%d outcomes of A, want 5", n)
	}
}

// TestAgainOfWhatIsParked is nothing: a person must release it. The decision does not come true later, when it is finished.
func TestAgainOfWhatIsParked(t *testing.T) {
	t.Parallel()
	for _, underway := range []bool{false, true} {
		t.Run(fmt.Sprintf("under way %v", underway), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, keyed)
			called, goOn := make(chan struct{}), make(chan struct{})
			b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
				if n == 1 {
					return 418, nil, false
				}
				return 200, nil, true
			}
			b.holds("a1", 2, called, goOn)
			stop := b.start()
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			parked := b.awaits("A", 1)
			if underway {
				b.decide(schemas.Release, "A", "a1")
				<-called
			}
			b.redeliver(parked, "")
			b.heardAll("z1")
			if !underway {
				b.decide(schemas.Release, "A", "a1")
				<-called
			}
			close(goOn)
			b.outcomes("a1 delivered", func(list []*schemas.Outcome) bool { return slices.Contains(kinds(list), "a1=delivered") })
			had := len(b.kindsOf("A"))
			stop()
			b.start()
			b.heardAll("z2")
			if got := b.kindsOf("A"); len(got) != had {
				t.Errorf("%d outcomes became %v", had, got)
			}
		})
	}
}

// holds lets the n-th call about an event wait: called is closed when it comes, and it goes on with goOn.
func (b *bench) holds(id string, n int, called, goOn chan struct{}) {
	inner := b.down.Server.Config.Handler
	var calls atomic.Int32
	b.down.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body := peek(r); strings.Contains(body, `"`+id+`"`) && int(calls.Add(1)) == n {
			close(called)
			<-goOn
		}
		inner.ServeHTTP(w, r)
	})
}

// TestAgainNamesTheEvent: at another's place nothing is done.
func TestAgainNamesTheEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	b.awaits("A", 2)
	first := *b.awaits("A", 1)
	first.EventID = "a2"
	b.redeliver(&first, "")
	first.EventID, first.Offset = "a3", 1_000
	b.redeliver(&first, "")
	b.heardAll("z1")
	b.must("a1=delivered", "a2=delivered")
}

// TestReadAgainWhileLaterOnesAreHandled: what nobody had handled is handled between them, in order, and what is under way is not handled
// twice.
func TestReadAgainWhileLaterOnesAreHandled(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	called, goOn := make(chan struct{}), make(chan struct{})
	b.holds("a3", 1, called, goOn)
	b.publish(event("a2", schemas.OrderUpdated, "A", 2))
	b.reset("A", 1)
	b.start()
	b.publish(event("a3", schemas.OrderUpdated, "A", 3), event("a4", schemas.OrderUpdated, "A", 4))
	<-called
	b.order("A", schemas.Command{Kind: schemas.Reread, From: 0, To: 3})
	b.heardAll("z1")
	close(goOn)
	b.awaits("A", 3)
	b.must("a3=delivered", "a2=superseded/stale", "a4=delivered")
}

// peek is a request's body, which stays to be read.
func peek(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}
