package consumers_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/console"
	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestFactsOfAView asks a view that follows the topics, in the process and by its console: an order that the ERP contradicts
// waits until they agree, and one that nobody contradicts is sent at once.
func TestFactsOfAView(t *testing.T) {
	t.Parallel()
	for name, provider := range map[string]func(*testing.T, *reconcile.View) consumers.Facts{
		"in the process": func(_ *testing.T, v *reconcile.View) consumers.Facts { return app.FactsOf(v) },
		"by the console": func(t *testing.T, v *reconcile.View) consumers.Facts {
			s := httptest.NewServer(console.Handler(v))
			t.Cleanup(s.Close)
			facts, err := consumers.FactsAt(s.URL + "/")
			if err != nil {
				t.Fatal(err)
			}
			return facts
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newOwnedBench(t, noted, enriching(byProbe, "1h"))
			view := b.view()
			b.start(func(c *consumers.Config) { c.Facts = provider(t, view) })
			erp := func(id, order, total string, version int) *schemas.Event {
				ev := now(event(id, schemas.OrderUpdated, order, version))
				ev.System, ev.Source = "erp", "/erp"
				ev.Order.Total, _ = schemas.NewMoney(total, "EUR")
				return ev
			}
			b.publish(erp("x", "a/1", "25.00", 1), now(event("a", schemas.OrderCreated, "a/1", 1)), now(event("c", schemas.OrderCreated, "o2", 1)))
			b.outcomes("one parked, one delivered", func(seen []*schemas.Outcome) bool {
				k := set(kinds(seen))
				return k["a=parked/facts"] && k["c=delivered"]
			})
			b.publish(erp("y", "a/1", "20.00", 2))
			seen := b.outcomes("delivered", func(seen []*schemas.Outcome) bool { return set(kinds(seen))["a=delivered"] })
			last := seen[len(seen)-1]
			var got []string
			for _, f := range last.Facts.Facts {
				got = append(got, string(f.Field)+" of "+string(f.Owner)+" version "+f.SourceVersion+" agree "+f.Agree)
			}
			if d := cmp.Diff([]string{"order.total of shop version 1 agree yes"}, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if n := b.down.posts(); n != 2 {
				t.Errorf("%d calls for two orders", n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := view.CaughtUp(ctx); err != nil {
				t.Fatal(err)
			}
			o, err := view.Order(ctx, "a/1")
			if err != nil {
				t.Fatal(err)
			}
			answer := o.Integrations[0].Answers[len(o.Integrations[0].Answers)-1]
			for _, a := range o.Integrations[0].Answers {
				if a.EventID == "a" {
					answer = a
				}
			}
			if answer.Facts == nil || answer.Facts.ID != last.Facts.ID || answer.Facts.Facts[0].Field != "order.total" {
				t.Errorf("the view keeps %+v", answer.Facts)
			}
		})
	}
}

// now lets an event come now.
func now(ev *schemas.Event) *schemas.Event {
	ev.Time = time.Now().UTC().Truncate(time.Microsecond)
	ev.IngestedAt = ev.Time
	return ev
}

// view follows the topics until the test ends.
func (b *bench) view() *reconcile.View {
	b.Helper()
	view, err := reconcile.OpenView(b.Context(), reconcile.ViewConfig{Topology: b.topo})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Serde: b.serde, Topology: b.topo, View: view})
	}()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, view.Close()); err != nil {
			b.Error(err)
		}
	})
	return view
}

// TestFactsAtFaults are consoles that tell no facts.
func TestFactsAtFaults(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "seam:8090", "ftp://seam"} {
		if _, err := consumers.FactsAt(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}
