package consumers_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
)

// ahead moves a worker's clock.
func ahead(by *atomic.Int64) func(*consumers.Config) {
	return func(c *consumers.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
	}
}

// TestExpiresWhileItWaits: an event that was to be called grows too old before its repetition.
func TestExpiresWhileItWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "give_up_after: 10s", "give_up_after: 10h", 1)+"expires_after: 1h\n")
	var by atomic.Int64
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		by.Store(int64(2 * time.Hour))
		return 503, nil, false
	}
	b.start(ahead(&by))
	ev := event("a1", schemas.OrderCreated, "A", 1)
	ev.Time = time.Now()
	b.publish(ev)
	if diff := cmp.Diff([]string{"a1=expired/too_old"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}

// TestDedupWindow: what was finished longer ago is not known by its id any more, and its version still is.
func TestDedupWindow(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"dedup_window: 840h\n")
	var by atomic.Int64
	b.start(ahead(&by))
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	by.Store(int64(841 * time.Hour))
	b.publish(event("a2", schemas.OrderUpdated, "A", 2), event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	want := []string{"a1=delivered", "a2=delivered", "a1=superseded/stale", "a2=duplicate/same_event"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
}

// TestAFactIsKnownWhenTheDownstreamHeardIt: what somebody said whose word does not count leaves the fact to be told by its owner.
func TestAFactIsKnownWhenTheDownstreamHeardIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	var events []*schemas.Event
	for _, id := range []string{"a1", "a2", "a3"} {
		ev := event(id, schemas.OrderCreated, "A", 1)
		ev.BusinessID = "created/A"
		events = append(events, ev)
	}
	events[0].System = "psp"
	b.publish(events...)
	want := []string{"a1=withheld/not_owner", "a2=delivered", "a3=duplicate/same_business"}
	if diff := cmp.Diff(want, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// TestNewestVersionStays when a fact of its own with an older one goes by the same operation.
func TestNewestVersionStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "order.created, order.updated", "order.updated, payment.captured", 1))
	b.start()
	b.publish(event("a5", schemas.OrderUpdated, "A", 5), event("a3", schemas.PaymentCaptured, "A", 3), event("a4", schemas.OrderUpdated, "A", 4))
	want := []string{"a5=delivered", "a3=delivered", "a4=superseded/stale"}
	if diff := cmp.Diff(want, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsParkedWasSeenAllTheSame: an event that waited for it goes on.
func TestWhatIsParkedWasSeenAllTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"  - {on: [refund.succeeded], needs: [order.created], http: {url: \"URL/refunds\"}, body: {reference: event.id}}\n")
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) { return []int{418, 200}[min(n, 2)-1], nil, n > 1 }
	b.start()
	b.publish(event("r1", schemas.RefundSucceeded, "A", 1), event("a2", schemas.OrderCreated, "A", 2))
	want := []string{"r1=parked/needs", "a2=parked/contract", "r1=delivered"}
	if diff := cmp.Diff(want, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// TestUnreadableBytesOfAFinishedEvent: its headers say which it is, and nobody is asked about it.
func TestUnreadableBytesOfAFinishedEvent(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	ev := event("a1", schemas.OrderCreated, "A", 1)
	b.publish(ev)
	b.wait(1)
	rec := b.record(ev)
	rec.Value = []byte("no Avro at all")
	b.produce(rec)
	if diff := cmp.Diff([]string{"a1=delivered", "a1=duplicate/same_event"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
}
