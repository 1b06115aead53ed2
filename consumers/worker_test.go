package consumers_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
)

const keyed = `
operation: do
idempotency: {key: Idempotency-Key, remembers: 24h}
timeout: 2s
retry: {initial: 10ms, max: 50ms, give_up_after: 10s}
deliver:
  - on: [order.created, order.updated]
    http: {url: "URL/things"}
    body: {reference: event.id}
`

func TestEveryEventEndsInOneOutcome(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	b.publish(
		event("a1", schemas.OrderCreated, "A", 1),
		event("a2", schemas.OrderUpdated, "A", 2),
		event("a1", schemas.OrderCreated, "A", 1), // the source's retry
		event("b1", schemas.OrderCreated, "B", 1),
		event("b2", schemas.FulfillmentShipped, "B", 1), // nobody subscribed
		event("a0", schemas.OrderUpdated, "A", 1),       // older than what was applied
	)
	seen := b.wait(6)
	got := map[string]string{}
	for _, o := range seen {
		got[string(o.EventID)+"@"+string(o.Kind)] = string(o.Reason)
	}
	want := map[string]string{"a1@delivered": "", "a2@delivered": "", "a1@duplicate": "same_event", "b1@delivered": "", "b2@withheld": "not_subscribed", "a0@superseded": "stale"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 3 {
		t.Errorf("%d calls, want 3: %v", n, b.down.calls)
	}
}

func TestRetryKeepsOrderAndKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n <= 3 {
			return 503, nil, false
		}
		return 201, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	seen := b.wait(2)
	if diff := cmp.Diff([]string{"a1=delivered", "a2=delivered"}, kinds(seen)); diff != "" {
		t.Error(diff)
	}
	if got := len(seen[0].Attempts); got != 4 {
		t.Errorf("%d attempts recorded, want 4", got)
	}
	for _, c := range b.down.calls[1:4] {
		if c != b.down.calls[0] {
			t.Errorf("a retry is %q, the first call was %q", c, b.down.calls[0])
		}
	}
	if diff := cmp.Diff([]string{"a1", "a2"}, b.down.order); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownEffectIsRepeatedUnderTheSameKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n == 1 {
			return 0, nil, true // done, and the answer lost
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	seen := b.wait(1)
	if diff := cmp.Diff([]string{"a1=delivered"}, kinds(seen)); diff != "" {
		t.Error(diff)
	}
	if b.down.effects["a1"] != 1 || b.down.count() != 2 {
		t.Errorf("effects %v in %d calls, want 1 in 2", b.down.effects, b.down.count())
	}
	if got := seen[0].Attempts[0].Class; got != "unknown" {
		t.Errorf("the lost answer was classed %q, want unknown", got)
	}
}

func TestUnknownEffectIsParkedWhereNothingDeduplicates(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1))
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 0, nil, true }
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	seen := b.wait(2)
	if diff := cmp.Diff([]string{"a1=parked/unknown", "a2=parked/behind"}, kinds(seen)); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 1 {
		t.Errorf("%d calls, want 1: a call of unknown effect was repeated", n)
	}
}

// mustFindOneEffect has a worker handle an event whose first call has an effect that only a probe can tell of.
func (b *bench) mustFindOneEffect() {
	b.Helper()
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	if diff := cmp.Diff([]string{"a1=already_done"}, kinds(b.wait(1))); diff != "" {
		b.Error(diff)
	}
	if b.down.effects["a1"] != 1 {
		b.Errorf("effects %v, want one", b.down.effects)
	}
}

func TestUnknownEffectIsProbed(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", `{probe: "GET URL/things?reference={event.id}"}`, 1))
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n == 1 {
			return 0, nil, true
		}
		return 200, nil, r.Method == http.MethodPost
	}
	b.mustFindOneEffect()
}

// TestAnEffectThatComesLateIsWaitedFor: a probe that finds nothing while the call may still be at work is no leave to make
// another.
func TestAnEffectThatComesLateIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", `{probe: "GET URL/things?reference={event.id}", settles: 5s}`, 1))
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		switch n {
		case 1:
			return 0, nil, false // lost, and at work
		case 3:
			b.down.effects["a1"] = 1 // not there when it was asked for first, and there now
		}
		return 200, nil, r.Method == http.MethodPost
	}
	b.mustFindOneEffect()
}

const warehouse = `
operation: fulfill
idempotency: {key: Idempotency-Key, remembers: 24h}
retry: {initial: 10ms, max: 50ms, give_up_after: 10s}
deliver:
  - on: [order.created]
    once: true
    needs: [payment.captured]
    superseded_by: [order.cancelled, refund.full]
    http: {url: "URL/fulfillments"}
    body: {reference: event.subject}
  - on: [order.cancelled, refund.full]
    operation: cancel
    undoes: fulfill
    once: true
    http: {url: "URL/cancellations"}
    body: {reference: '"cancel " + event.subject'}
`

func TestPrerequisiteHoldsTheEventAndNothingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a9", schemas.OrderUpdated, "A", 1))
	b.wait(2)
	b.publish(event("a2", schemas.PaymentCaptured, "A", 2), event("a3", schemas.OrderCreated, "A", 3))
	want := []string{"a1=parked/needs", "a9=withheld/not_subscribed", "a2=withheld/prerequisite_only", "a1=delivered", "a3=duplicate/once"}
	if diff := cmp.Diff(want, kinds(b.wait(5))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"A": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

func TestRefundBeforeFulfilmentSupersedesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.RefundSucceeded, "A", 2), event("a3", schemas.PaymentCaptured, "A", 3))
	want := []string{"a1=parked/needs", "a2=withheld/nothing_to_undo", "a1=superseded/cancelled", "a3=withheld/prerequisite_only"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 0 {
		t.Errorf("%d calls for an order that was refunded before it was fulfilled", n)
	}
}

func TestRefundAfterFulfilmentSendsTheCancellation(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.start()
	b.publish(event("a1", schemas.PaymentCaptured, "A", 1), event("a2", schemas.OrderCreated, "A", 2))
	b.wait(2)
	b.publish(event("a3", schemas.RefundSucceeded, "A", 3), event("a4", schemas.OrderCancelled, "A", 4))
	want := []string{"a1=withheld/prerequisite_only", "a2=delivered", "a3=delivered", "a4=withheld/nothing_to_undo"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"A": 1, "cancel A": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

func TestCredentialsPauseAndNothingIsParked(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"breaker: {open: 100ms}\n")
	disabled := true
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if disabled && n < 4 {
			return 401, nil, false
		}
		disabled = false
		return 200, nil, true
	}
	b.start()
	for _, order := range []string{"A", "B", "C", "D", "E"} {
		b.publish(event(order+"1", schemas.OrderCreated, order, 1))
	}
	for _, o := range b.wait(5) {
		if o.Kind != schemas.Delivered {
			t.Errorf("%s is %s, want delivered when the key works again", o.EventID, o.Kind)
		}
	}
}

func TestAnswerOutsideTheContractIsParked(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 299, nil, true }
	var log bytes.Buffer
	stop := b.start(func(c *consumers.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	})
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	if diff := cmp.Diff([]string{"a1=parked/contract"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
	stop() // nobody writes to the log any more
	if want := `msg="the downstream answers outside its contract" integration=down team=ops status=299 event_id=a1`; strings.Count(log.String(), want) != 1 {
		t.Errorf("the team is told %q, want once %q", log.String(), want)
	}
}

func TestStuckOrderHoldsOnlyItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
		return 200, nil, true
	}
	release := make(chan struct{})
	b.down.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Seam-Event-Id") == "a1" {
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		b.down.handle(w, r)
	})
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	for i := range 50 {
		b.publish(event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("order-%d", i), 1))
	}
	for _, o := range b.wait(50) {
		if strings.HasPrefix(string(o.EventID), "a") {
			t.Errorf("%s is finished while it is stuck", o.EventID)
		}
	}
	close(release)
	b.wait(52)
}

func TestRestartCallsNothingTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	for i := range 20 {
		b.publish(event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("o%d", i), 1))
	}
	b.wait(20)
	stop()
	calls := b.down.count()
	b.start()
	b.publish(event("last", schemas.OrderCreated, "z", 1))
	seen := b.wait(21)
	if len(seen) != 21 {
		t.Errorf("%d outcomes, want 21", len(seen))
	}
	if got := b.down.count(); got != calls+1 {
		t.Errorf("%d calls after the restart, want 1", got-calls)
	}
}

func TestTwoWorkersShareAndHandOver(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	stop := b.start()
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			b.publish(event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("o%d", i), 1))
		}
	}
	publish(0, 30)
	b.start()
	publish(30, 60)
	b.wait(60)
	stop()
	publish(60, 90)
	seen := b.wait(90)
	ids := map[schemas.EventID]int{}
	for _, o := range seen {
		ids[o.EventID]++
	}
	if len(ids) != 90 || len(seen) != 90 {
		t.Errorf("%d outcomes of %d events, want 90 of 90", len(seen), len(ids))
	}
	for ref, n := range b.down.effects {
		if n != 1 {
			t.Errorf("%s has %d effects", ref, n)
		}
	}
}

// TestRestartBehindAStuckOrder: the group's offset stands at the stuck order, and what was settled behind it is read again
// and not sent again.
func TestRestartBehindAStuckOrder(t *testing.T) {
	t.Parallel()
	const others = 1000
	b := newBench(t, strings.Replace(keyed, "give_up_after: 10s", "give_up_after: 1h", 1)+"breaker: {of: 10000}\n")
	var sent sync.Map // event id to how often
	b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
		id := r.Header.Get("Seam-Event-Id")
		n, _ := sent.LoadOrStore(id, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
		if id == "stuck" {
			return 503, nil, false
		}
		return 200, nil, true
	}
	events := []*schemas.Event{event("stuck", schemas.OrderCreated, "S", 1)}
	for i := range others {
		events = append(events, event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("o%d", i), 1))
	}
	b.publishAll(events)
	stop := b.start()
	b.wait(others)
	stop()
	b.publish(event("last", schemas.OrderCreated, "z", 1))
	b.start()
	for _, o := range b.wait(others + 1) {
		if o.EventID == "stuck" {
			t.Errorf("%s is %s", o.EventID, o.Kind)
		}
	}
	again := 0
	sent.Range(func(id, n any) bool {
		if n.(*atomic.Int64).Load() > 1 && id != "stuck" {
			again++
		}
		return true
	})
	if again > 0 {
		t.Errorf("%d of %d events were sent again", again, others)
	}
}

// TestSupersededWhileItStandsInLine: the call of one order is out, and that of another stands behind it when its cancellation
// comes. It is not made any more.
func TestSupersededWhileItStandsInLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse+"in_flight: 1\n")
	here := []string{}
	for i := 0; len(here) < 3; i++ { // of one partition, so that what came last tells of what came before
		if order := fmt.Sprint("o", i); b.partition(order) == 0 {
			here = append(here, order)
		}
	}
	out, goOn := make(chan struct{}, 9), make(chan struct{})
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		out <- struct{}{}
		<-goOn
		return 200, nil, true
	}
	b.start()
	b.publish(event("p0", schemas.PaymentCaptured, here[0], 1), event("p1", schemas.PaymentCaptured, here[1], 1), event("c0", schemas.OrderCreated, here[0], 2))
	<-out
	b.publish(event("c1", schemas.OrderCreated, here[1], 2), event("x1", schemas.OrderCancelled, here[1], 3), event("last", schemas.OrderUpdated, here[2], 1))
	b.outcomes("what came last", func(seen []*schemas.Outcome) bool {
		return slices.Contains(kinds(seen), "last=withheld/not_subscribed")
	})
	close(goOn)
	got := map[string]bool{}
	for _, k := range kinds(b.wait(6)) {
		got[k] = true
	}
	if !got["c0=delivered"] || !got["c1=superseded/cancelled"] {
		t.Errorf("outcomes %v", got)
	}
	if b.down.effects[here[1]] != 0 {
		t.Errorf("effects %v: what was cancelled was asked for", b.down.effects)
	}
}
