package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestVersionSkew runs an older binary and this one in one group, under orders, and moves work both ways: the old one goes and comes
// back, as in an upgrade that is rolled back. What either has done the other must know: every order is delivered, under one key
// whoever calls, and none again when its webhook comes again. SEAM_OLD names the older binary; docs/upgrade.md says how to make one. TestPastVersions holds what is written to the
// bytes of every past version; this holds the two programs to each other.
func TestVersionSkew(t *testing.T) {
	t.Parallel()
	old := os.Getenv("SEAM_OLD")
	if old == "" {
		t.Skip("SEAM_OLD names no older binary of seam to run beside this one: docs/upgrade.md")
	}
	if out, err := exec.Command(old, "version").CombinedOutput(); err != nil {
		t.Fatalf("SEAM_OLD: %s version: %v\n%s", old, err, out)
	}
	s := newSmall(t)
	s.edit("integrations/down.yaml", "{none: true}", "{key: Idempotency-Key, remembers: 24h}") // what a version did not yet do at a rebalance is no matter here
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	edges := []string{freeAddress(t), freeAddress(t)}
	before, after := s.proc("old", "--only", "edge,down", "--listen", edges[0]), s.proc("new", "--only", "edge,down", "--listen", edges[1])
	before.binary = old
	sent := 0
	send := func(n int, edge string) {
		t.Helper()
		for range n {
			if err := s.order(ctx, edge, fmt.Sprintf("o%d", sent)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		for i := range sent {
			order := fmt.Sprintf("o%d", i)
			if err := s.tally.until(ctx, func() bool { return s.tally.of("call/"+order) > 0 }); err != nil {
				t.Fatalf("%s is not called: %v\n%s\n%s", order, err, before.words(), after.words())
			}
		}
	}
	do := func(step func(context.Context) error) {
		t.Helper()
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	do(before.start)
	send(40, edges[0])
	do(after.start) // in one group
	send(40, edges[0])
	send(40, edges[1])
	do(before.stop) // the upgrade is done
	send(40, edges[1])
	do(before.start)
	do(after.stop) // and taken back
	send(40, edges[0])
	calls := s.tally.of("call")
	for i := range sent { // both know what the other did: the same deliveries again call nobody
		if err := s.order(ctx, edges[0], fmt.Sprintf("o%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for order, list := range s.outcomes(ctx, 2*sent) {
		if len(list) != 2 || list[0].Kind != schemas.Delivered || list[1].Kind != schemas.Duplicate {
			t.Errorf("%s: %d outcomes, the first %s/%s, the last %s/%s", order, len(list), list[0].Kind, list[0].Reason, list[len(list)-1].Kind, list[len(list)-1].Reason)
		}
	}
	if n := s.tally.of("call"); n != calls {
		t.Errorf("%d calls were made, and %d more when the same webhooks came again", calls, n-calls)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for order, heads := range s.heads {
		for _, h := range heads {
			if key := h.Get("Idempotency-Key"); key == "" || key != heads[0].Get("Idempotency-Key") {
				t.Errorf("%s was called under %q and %q", order, heads[0].Get("Idempotency-Key"), key)
			}
		}
	}
}
