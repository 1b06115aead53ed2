package consumers_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestTimeIsUsedUp: what could not be delivered within give_up_after waits for a person, who is told whether an effect may be
// there.
func TestTimeIsUsedUp(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{503: "a1=parked/retry_exhausted", 500: "a1=parked/unknown"} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(keyed, "give_up_after: 10s", "give_up_after: 50ms", 1))
			b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return status, nil, false }
			b.start()
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			if diff := cmp.Diff([]string{want}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoTimeIsUsedUpWhileTheGateIsShut, whenever that was: before an event's first attempt, it says nothing of the event.
func TestNoTimeIsUsedUpWhileTheGateIsShut(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "give_up_after: 10s", "give_up_after: 30m", 1)+"breaker: {open: 1h}\n")
	var ahead atomic.Int64 // of the worker's clock
	var delivered atomic.Bool
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		switch n {
		case 1: // the clock of a1 runs from here
			return 503, nil, false
		case 2: // shut for an hour
			return 401, nil, false
		case 3: // and for another
			return 503, nil, false
		case 4:
			return 200, nil, true
		case 6: // b1 has had its time
			ahead.Add(int64(31 * time.Minute))
		}
		return 503, nil, false
	}
	b.start(func(c *consumers.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		c.Report = func(st *schemas.WorkerStatus) {
			if st.Circuit == "open" && !delivered.Load() {
				ahead.Add(int64(time.Hour))
			}
		}
	})
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	delivered.Store(true)
	b.publish(event("b1", schemas.OrderCreated, "B", 1))
	if diff := cmp.Diff([]string{"a1=delivered", "b1=parked/retry_exhausted"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
}

// TestBusinessNo is a person's to look at, unless the integration says that it is the end.
func TestBusinessNo(t *testing.T) {
	t.Parallel()
	for declared, want := range map[string]string{"park": "a1=parked/business_no", "final": "a1=rejected/business_no"} {
		t.Run(declared, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(keyed, "    http:", "    on_rejected: "+declared+"\n    http:", 1))
			b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 422, nil, false }
			b.start()
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			if diff := cmp.Diff([]string{want}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
			if n := b.down.count(); n != 1 {
				t.Errorf("%d calls, want 1: a repetition would say no again", n)
			}
		})
	}
}

// TestNoRepetitionBeforeTheCallHasSettled: before that it may still have its effect, and would be made twice.
func TestNoRepetitionBeforeTheCallHasSettled(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprintf("of a dead worker %v", dead), func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", `{probe: "GET URL/things?reference={event.id}", settles: 2s}`, 1)
			b := newBench(t, strings.Replace(text, "timeout: 2s", "timeout: 1s", 1))
			var called, repeated atomic.Int64
			b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
				switch {
				case r.Method == http.MethodGet:
				case called.CompareAndSwap(0, time.Now().UnixNano()):
					return 0, nil, false // no answer, and no effect yet
				default:
					repeated.Store(time.Now().UnixNano())
				}
				return 200, nil, true
			}
			if dead {
				b.left("A", "a1", "do")
				called.Store(time.Now().UnixNano())
			}
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			b.start()
			if diff := cmp.Diff([]string{"a1=delivered"}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
			if waited := time.Duration(repeated.Load() - called.Load()); waited < 1900*time.Millisecond {
				t.Errorf("repeated %s after the call, whose effect may take 2s", waited)
			}
		})
	}
}

// TestWhatAProbeDoesNotFindWasNotMade: then a cancellation that came meanwhile comes before it.
func TestWhatAProbeDoesNotFindWasNotMade(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(warehouse, "{key: Idempotency-Key, remembers: 24h}", `{probe: "GET URL/things?reference={event.subject}"}`, 1)+"timeout: 1s\n")
	called, cancelled := make(chan struct{}), make(chan struct{})
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n == 1 {
			close(called)
			<-cancelled
			return 0, nil, false
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.PaymentCaptured, "A", 1), event("a2", schemas.OrderCreated, "A", 2))
	<-called
	b.publish(event("a3", schemas.OrderCancelled, "A", 3))
	behind := "B"
	for b.partition(behind) != b.partition("A") {
		behind += "B"
	}
	b.publish(event("b1", schemas.OrderUpdated, behind, 1)) // ends at once: what is before it was read
	b.wait(2)
	close(cancelled)
	want := []string{"a1=withheld/prerequisite_only", "b1=withheld/not_subscribed", "a2=superseded/cancelled", "a3=withheld/nothing_to_undo"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
	if len(b.down.effects) != 0 {
		t.Errorf("effects %v of a cancelled order", b.down.effects)
	}
}

// TestRepetitionsHaveABudget: when everything fails, hundreds of orders do not repeat their calls as fast as they could.
func TestRepetitionsHaveABudget(t *testing.T) {
	t.Parallel()
	const orders, kept = 40, 100 // as many repetitions are saved up
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1)+"breaker: {failures: 100%, of: 10000}\n")
	times := make(chan time.Time, 10_000)
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		times <- time.Now()
		return 503, nil, false
	}
	var events []*schemas.Event
	for i := range orders {
		events = append(events, event(fmt.Sprint("e", i), schemas.OrderCreated, fmt.Sprint("o", i), 1))
	}
	b.publishAll(events)
	b.start()
	for range orders + kept + 20 { // and what came in while those were made
		<-times
	}
	start := <-times
	for range 10 {
		<-times
	}
	if took := time.Since(start); took < 800*time.Millisecond {
		t.Errorf("ten repetitions in %s, want ten a second", took)
	}
}

// TestAtMostInFlightCalls are out at once.
func TestAtMostInFlightCalls(t *testing.T) {
	t.Parallel()
	const orders, limit = 30, 3
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1)+"in_flight: 3\n")
	var out, most atomic.Int64
	b.down.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := out.Add(1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		<-time.After(5 * time.Millisecond)
		out.Add(-1)
		b.down.handle(w, r)
	})
	var events []*schemas.Event
	for i := range orders {
		events = append(events, event(fmt.Sprint("e", i), schemas.OrderCreated, fmt.Sprint("o", i), 1))
	}
	b.publishAll(events)
	b.start()
	b.wait(orders)
	if n := most.Load(); n < 2 || n > limit {
		t.Errorf("%d calls were out at once, want up to %d", n, limit)
	}
}

// TestWhatComesAfterAPauseIsCommittedAtOnce and waits for no tick.
func TestWhatComesAfterAPauseIsCommittedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1))
	b.start(func(c *consumers.Config) { c.Tick = time.Hour })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
}

// TestOrdersThatWaitHoldNobody: more orders wait to be called again than may be intended at once, and another is called.
func TestOrdersThatWaitHoldNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"in_flight: 2\nbreaker: {failures: 100%, of: 1000}\n")
	b.down.answer = func(_ int, r *http.Request) (int, http.Header, bool) {
		if r.Header.Get("Seam-Event-Id") == "z1" {
			return 200, nil, true
		}
		return 429, http.Header{"Retry-After": {"3600"}}, false
	}
	b.start()
	for i := range 5 {
		b.publish(event(fmt.Sprint("e", i), schemas.OrderCreated, fmt.Sprint("o", i), 1))
	}
	topologytest.Eventually(t, "each was called once", func() error {
		if n := b.down.count(); n < 5 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
	b.publish(event("z1", schemas.OrderCreated, "Z", 1))
	if diff := cmp.Diff([]string{"z1=delivered"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}
