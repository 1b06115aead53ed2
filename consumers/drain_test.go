package consumers_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
)

// once is an integration that never repeats a call of unknown effect, one call at a time.
var once = strings.NewReplacer("{key: Idempotency-Key, remembers: 24h}", "{none: true}",
	"{initial: 10ms, max: 50ms, give_up_after: 10s}", "{initial: 400h, max: 400h, give_up_after: 800h, budget: 100%}").Replace(keyed) + "in_flight: 1\n"

// intended waits until so many orders have an intent in the ledger.
func (b *bench) intended(n int) {
	b.Helper()
	for {
		known, err := b.intents(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if len(known) >= n {
			return
		}
	}
}

// TestAStopLeavesNothingToAPerson: what was intended and not called, and what certainly had no effect, is called by the
// successor; one call is made of each order, and nobody is asked.
func TestAStopLeavesNothingToAPerson(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"stop", "rebalance"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			const orders = 12
			b := newBench(t, once)
			second, release := make(chan struct{}), make(chan struct{})
			b.down.Config.Handler = hold(b.down, second, release)
			stop := b.start(func(c *consumers.Config) { c.Instance = "first" })
			var events []*schemas.Event
			for i := range orders {
				events = append(events, event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("o%d", i), 1))
			}
			b.publishAll(events)
			<-second
			b.intended(3) // refused for now, called, and next in line
			goOn := sync.OnceFunc(func() { close(release) })
			defer goOn()
			if how == "stop" {
				go func() {
					<-time.After(50 * time.Millisecond) // it is stopping, or will be: both must hold
					goOn()
				}()
				stop()
				if known, err := b.intents(t.Context()); err != nil || len(known) > 0 {
					t.Errorf("a worker that stopped left intents of %v, %v", known, err)
				}
				b.start(func(c *consumers.Config) { c.Instance = "second" })
			} else {
				revoked := make(chan struct{}, 1)
				b.start(func(c *consumers.Config) {
					c.Instance = "second"
					c.Report = func(st *schemas.WorkerStatus) {
						if st.Partitions > 0 {
							select {
							case revoked <- struct{}{}:
							default:
							}
						}
					}
				})
				goOn()
				<-revoked
				stop() // the one that is refused for an hour may have stayed with it
			}
			final := b.outcomes("every order delivered or parked", func(seen []*schemas.Outcome) bool { return len(seen) >= orders })
			for _, o := range final {
				if o.Kind != schemas.Delivered {
					t.Errorf("%s of %s is %s: %s", o.EventID, o.OrderID, o.Kind, o.Detail)
				}
			}
			b.down.mu.Lock()
			defer b.down.mu.Unlock()
			for ref, n := range b.down.effects {
				if n != 1 {
					t.Errorf("%s has %d effects", ref, n)
				}
			}
			if len(b.down.effects) != orders {
				t.Errorf("%d effects of %d orders", len(b.down.effects), orders)
			}
		})
	}
}

// hold answers the first call 503 and the second when release is closed; second is closed when that has come.
func hold(d *downstream, second, release chan struct{}) http.Handler {
	var mu sync.Mutex
	n := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		call := n
		mu.Unlock()
		switch call {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 2:
			close(second)
			<-release
		}
		d.handle(w, r)
	})
}

// TestAStopEndsWithinItsGrace although the downstream hangs: what was settled meanwhile is committed, and the call that
// outlasts the grace is what it would be after a crash.
func TestAStopEndsWithinItsGrace(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.NewReplacer("in_flight: 1", "in_flight: 4", "timeout: 2s", "timeout: 10m").Replace(once))
	hangs, quick := make(chan struct{}), make(chan struct{})
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	b.down.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Seam-Event-Id"), "hangs") {
			close(hangs)
			<-end
			return
		}
		if strings.Contains(r.Header.Get("Seam-Event-Id"), "refused") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		<-quick
		b.down.handle(w, r)
	})
	stop := b.start(func(c *consumers.Config) { c.Grace = 2 * time.Second })
	b.publish(event("hangs", schemas.OrderCreated, "A", 1), event("quick", schemas.OrderCreated, "B", 1), event("refused", schemas.OrderCreated, "C", 1))
	<-hangs
	b.intended(3)
	close(quick)
	stop() // or the test's own time is up
	if known, err := b.intents(t.Context()); err != nil || known["A"] != 1 || len(known) != 1 {
		t.Errorf("the ledger has intents of %v, %v: want that of the call that hung", known, err)
	}
	b.start()
	seen := map[schemas.EventID]*schemas.Outcome{}
	b.outcomes("one outcome of each", func(list []*schemas.Outcome) bool {
		for _, o := range list {
			seen[o.EventID] = o
		}
		return len(seen) == 2 // what was refused is tried again, and is refused for longer than the test lasts
	})
	if o := seen["quick"]; o.Kind != schemas.Delivered {
		t.Errorf("what ended in time is %s", o.Kind)
	}
	if o := seen["hangs"]; o.Kind != schemas.Parked || o.Reason != schemas.ReasonUnknown {
		t.Errorf("the call that hung is %s/%s: a person must know of it", o.Kind, o.Reason)
	}
}
