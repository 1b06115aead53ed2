package reconcile_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestApplyTakesEachRecordOnce offers records again, as a reader does that starts anew.
func TestApplyTakesEachRecordOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rec := b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), "")
	view := openView(t, sqliteFile(t), b.topo, noon)
	foreign := *rec
	foreign.Topic = "orders" // of another environment
	for _, r := range []*kgo.Record{rec, rec, &foreign} {
		if err := view.Apply(t.Context(), b.serde, r); err != nil {
			t.Fatal(err)
		}
	}
	if s := summary(t, view); s.Events != 1 || s.Duplicates != 0 || s.Orders != 1 {
		t.Errorf("%+v", s)
	}
}

// TestApplyWaitsForTheRegistry keeps a record that cannot be read now from being taken for poison.
func TestApplyWaitsForTheRegistry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rec := b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), "")
	client, err := sr.NewClient(sr.URLs("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	view := openView(t, sqliteFile(t), b.topo, noon)
	if err := view.Apply(t.Context(), schemas.NewSerde(client), rec); !errors.Is(err, schemas.ErrRegistry) {
		t.Fatalf("with the registry away: %v", err)
	}
	if err := view.Apply(t.Context(), b.serde, rec); err != nil {
		t.Fatal(err)
	}
	if s := summary(t, view); s.Events != 1 || s.Undecodable != 0 {
		t.Errorf("%+v", s)
	}
}

// TestViewIsReadWhileItGrows is for the race detector.
func TestViewIsReadWhileItGrows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	view := openView(t, sqliteFile(t), b.topo, noon)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				_, err := view.Order(ctx, "1001")
				if err == nil || errors.Is(err, reconcile.ErrNotFound) {
					_, _, err = view.Orders(ctx, 10, reconcile.StatePending)
				}
				if err == nil {
					_, _, err = view.Disagreements(ctx, true, 10)
				}
				if err == nil {
					_, err = view.Summary(ctx)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range int64(200) {
		ev := order(t, event(string(rune('a'+i)), schemas.OrderUpdated, []schemas.System{"shop", "erp"}[i%2], int(i)), "20.00 EUR", []string{"paid", "pending"}[i%3%2])
		for _, x := range []any{ev, outcome("books", string(ev.ID), ev.Type, schemas.Delivered, "", int(i))} {
			rec := b.record(x, "")
			rec.Offset = i
			if err := view.Apply(t.Context(), b.serde, rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	readers.Wait()
	if o := answer(t, view, "1001"); len(o.Events) != 200 || len(o.Integrations[0].Answers) != 200 {
		t.Errorf("%d events", len(o.Events))
	}
}

// TestCaughtUpNeedsAFollow says so when ctx ends.
func TestCaughtUpNeedsAFollow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	view := openView(t, sqliteFile(t), load(t, ""), noon)
	if err := view.CaughtUp(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if f := view.Freshness(); f.BehindRecords != -1 {
		t.Errorf("%+v", f)
	}
}
