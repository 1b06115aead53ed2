package consumers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// leftReleased is an event that a person had released when the worker died: parked, and the decision taken in.
func (b *bench) leftReleased(ev *schemas.Event) {
	b.Helper()
	b.leftParked(ev, schemas.ParkedRecord{Reason: schemas.ReasonReleased, Released: "by ann: looked"})
}

// leftParked is an event that was parked when the worker died; why says for what.
func (b *bench) leftParked(ev *schemas.Event, why schemas.ParkedRecord) {
	b.Helper()
	read := b.record(ev)
	w := &schemas.ParkedRecord{Integration: "down", EventID: ev.ID, EventType: ev.Type, Key: ev.Subject, Topic: schemas.TopicOrders, Partition: b.partition(ev.Subject), Headers: map[string]string{},
		Value: read.Value, Reason: why.Reason, Released: why.Released, Needs: why.Needs, Replay: why.Replay, Since: time.Now()}
	for _, h := range read.Headers {
		w.Headers[h.Key] = string(h.Value)
	}
	topic := b.topo.Parked("down")
	value, err := b.serde.EncodeParkedRecord(b.Context(), topic+"-value", w)
	if err != nil {
		b.Fatal(err)
	}
	b.place(&kgo.Record{Topic: topic, Partition: w.Partition, Key: []byte(ledger.ParkedKey(schemas.TopicOrders, w.Key, ev.ID)), Value: value})
}

// TestReleasedByADeadWorker: whether its call was made is not known. Where a repetition does no harm or can be asked for, the
// event goes on as released; else a person must decide again.
func TestReleasedByADeadWorker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, integration, want string
		calls                   int
	}{
		{"a key makes the repetition harmless", keyed, "a1=delivered", 1},
		{"an upsert is harmless", strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1), "a1=delivered", 1},
		{"what it waited for did not come meanwhile", warehouse, "a1=delivered", 1},
		{"nothing helps", strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1), "a1=parked/unknown", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.integration)
			b.leftReleased(event("a1", schemas.OrderCreated, "A", 1))
			b.start()
			if diff := cmp.Diff([]string{tt.want}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
			if n := b.down.count(); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

// TestWhatCameWhileNobodyRan: the event that a parked one waits for is in the ledger when the partition is taken over.
func TestWhatCameWhileNobodyRan(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.left("A", "a2", "other") // an order that is paid
	b.leftParked(event("a1", schemas.OrderCreated, "A", 1), schemas.ParkedRecord{Reason: schemas.ReasonNeeds, Needs: []schemas.EventType{schemas.PaymentCaptured}})
	b.start()
	if diff := cmp.Diff([]string{"a1=delivered"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}

// TestADecisionIsTakenInOnce: the event is parked again after its release, and a restart reads the commands from their start.
func TestADecisionIsTakenInOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1))
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 0, nil, false }
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	b.wait(3)
	stop()
	b.start()
	b.decide(schemas.Discard, "A", "a1") // stands behind the release
	want := []string{"a1=parked/unknown", "a1=parked/released", "a1=parked/unknown", "a1=discarded/operator"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 2 {
		t.Errorf("%d calls, want one and one more for the release", n)
	}
}

// TestAnotherIntegrationsDecision is about an event of the same id that is parked there.
func TestAnotherIntegrationsDecision(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var bad switched
	b.down.answer = bad.answer(418, false)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	bad.off.Store(true)
	b.decideFor("other", schemas.Discard, "A", "a1")
	b.decide(schemas.Release, "A", "a1")
	if diff := cmp.Diff([]string{"a1=parked/contract", "a1=parked/released", "a1=delivered"}, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// parked reads what waits for an order as a new owner of its partition would.
func (b *bench) parked(ctx context.Context, order string) ([]*schemas.ParkedRecord, error) {
	store, err := ledger.Restore(ctx, ledger.Source{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Group: b.topo.Group("down"), Serde: b.serde,
		Ledger: b.topo.Ledger("down"), Parked: b.topo.Parked("down"), Topic: schemas.TopicOrders, Partition: b.partition(order)})
	if err != nil {
		return nil, err
	}
	return store.Parked(order), nil
}

// TestReleaseIsKnownBeforeTheCall: a worker that takes over must know that a person asked for the call, whatever the idempotency.
func TestReleaseIsKnownBeforeTheCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1))
	found := make(chan string, 1)
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n == 1 {
			return 418, nil, false
		}
		waiting, err := b.parked(r.Context(), "A")
		if err != nil || len(waiting) != 1 {
			t.Errorf("parked: %v, %v", waiting, err)
			found <- ""
		} else {
			found <- string(waiting[0].Reason) + " " + waiting[0].Released
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	if got, want := <-found, "released by ann: looked"; got != want {
		t.Errorf("at the call it is parked as %q, want %q", got, want)
	}
	b.wait(3)
}

// TestDecisionAboutWhatIsOnItsWay comes too late: a call is out, and its outcome stands.
func TestDecisionAboutWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	called, decided := make(chan struct{}), make(chan struct{})
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n < 3 {
			return 418, nil, false
		}
		if n == 3 {
			close(called)
			<-decided
		}
		return 200, nil, true
	}
	b.start()
	other := "B"
	for b.partition(other) != b.partition("A") {
		other += "B"
	}
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("b1", schemas.OrderCreated, other, 1))
	b.wait(2)
	b.decide(schemas.Release, "A", "a1")
	<-called
	b.decide(schemas.Discard, "A", "a1")
	b.decide(schemas.Discard, other, "b1") // stands behind it
	b.wait(4)
	close(decided)
	b.publish(event("a2", schemas.OrderUpdated, "A", 2))
	want := []string{"a1=parked/released", "b1=discarded/operator", "a1=delivered", "a2=delivered"}
	if diff := cmp.Diff(want, kinds(b.wait(6)[2:])); diff != "" {
		t.Error(diff)
	}
}

// TestReleasedWaitsForNothing: the time within which what it needed should have come is over, and is nobody's business.
func TestReleasedWaitsForNothing(t *testing.T) {
	t.Parallel()
	text := strings.Replace(warehouse, "needs: [payment.captured]", "needs: [payment.captured]\n    needs_within: 1h", 1)
	b := newBench(t, strings.Replace(text, "give_up_after: 10s", "give_up_after: 10h", 1)+"breaker: {open: 100ms}\n")
	var late, looked atomic.Bool
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		if looked.Load() {
			return 200, nil, true
		}
		late.Store(true)
		return 503, nil, false
	}
	b.start(func(c *consumers.Config) {
		c.Now = func() time.Time {
			if late.Load() {
				return time.Now().Add(2 * time.Hour)
			}
			return time.Now()
		}
		c.Report = func(*schemas.WorkerStatus) { // after the worker has looked for what waited too long
			if late.Load() {
				looked.Store(true)
			}
		}
	})
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	if diff := cmp.Diff([]string{"a1=parked/needs", "a1=parked/released", "a1=delivered"}, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}
