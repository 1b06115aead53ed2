package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/drills/sim"
)

// TestSimulate: the shop takes orders at each tick, and of some it thinks again: the edge is told of cancellations and refunds too.
func TestSimulate(t *testing.T) {
	t.Parallel()
	if err := orders(t.Context(), nil, 0); err == nil {
		t.Error("an order every 0s is taken")
	}
	topics := make(chan string, 1000)
	edge := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { topics <- r.Header.Get("X-Shopify-Topic") }))
	t.Cleanup(edge.Close)
	world, err := sim.New(sim.Config{Seed: 1, Scale: 1.0 / 10000, ERPDir: t.TempDir(), ExportDir: t.TempDir(), EdgeURL: func() string { return edge.URL }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return world.Run(ctx) })
	g.Go(func() error { return orders(ctx, world, 10*time.Millisecond) })
	for waiting := map[string]bool{"orders/create": true, "orders/paid": true, "orders/cancelled": true, "refunds/create": true}; len(waiting) > 0; {
		select {
		case topic := <-topics:
			delete(waiting, topic)
		case <-ctx.Done():
			t.Fatalf("not told in a minute: %v", waiting)
		}
	}
	cancel()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
