package deliver

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// contracts is how each kind of the table is set up for the contract; a new kind without a row fails.
var contracts = map[string]func(t *testing.T) *topology.Integration{
	"http": func(t *testing.T) *topology.Integration {
		seen := map[string]bool{}
		address := server(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "hang") {
				<-r.Context().Done()
				return
			}
			if key := r.Header.Get("Idempotency-Key"); seen[key] {
				w.WriteHeader(409)
			} else {
				seen[key] = true
			}
		})
		return load(t, address, keyed)
	},
	"file": func(t *testing.T) *topology.Integration {
		return load(t, t.TempDir(), "idempotency: {key: idempotency_key, remembers: 3650d}\ndeliver:\n  - {on: [order.created], file: {dir: \"URL\"}, required: [id], body: {id: order.id, note: order.note}}\n")
	},
}

// TestContract is what the worker relies on, of every kind.
func TestContract(t *testing.T) {
	t.Parallel()
	for name := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setUp := contracts[name]
			if setUp == nil {
				t.Fatalf("kind %s has no row in contracts", name)
			}
			in := setUp(t)
			s, r := set(t, in), request(t, in)
			if KindOf(r.Route) != name {
				t.Fatalf("its route is of kind %s", KindOf(r.Route))
			}
			s.mustDeliver(t, r, Delivered)
			r.Attempt++
			s.mustDeliver(t, r, AlreadyDone)

			empty := r
			ev := *r.Event
			order := *ev.Order
			order.ID, ev.Order, empty.Event = "", &order, &ev
			s.mustDeliver(t, empty, Unmappable)

			if res := s.Probe(t.Context(), r); res.Class == AlreadyDone || res.Class == Retry {
				t.Errorf("without a probe it says %s, as if it knew", res.Class)
			}

			held := r
			ev2 := *r.Event
			order2 := *ev2.Order
			order2.Note, ev2.Order, held.Event, held.Key = "hang", &order2, &ev2, "key-held"
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			res := s.Deliver(ctx, held)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s beyond its deadline", took)
			}
			if !slices.Contains(Classes, res.Class) || res.Class == Rejected || len(res.Detail) > 300 {
				t.Errorf("%+v", res)
			}
		})
	}
}
