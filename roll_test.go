package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestRollingRestart restarts two instances one after the other, several times, while orders come: one by name, which keeps its
// partitions, and one without, which leaves its group. The downstream knows nothing of keys, so that one call too many is counted
// and one of which nothing is known waits for a person: there must be none of both.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const rounds, between = 6, 30
	s := newSmall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s.answer = func(_ string, call int) (int, <-chan struct{}) { // long enough to be under way when a stop comes
		done := make(chan struct{})
		time.AfterFunc(30*time.Millisecond, func() { close(done) })
		return http.StatusOK, done
	}
	edges := []string{freeAddress(t), freeAddress(t)}
	procs := []*proc{s.proc("named", "--only", "edge,down", "--instance", "named", "--listen", edges[0]), s.proc("nameless", "--only", "edge,down", "--listen", edges[1])}
	for _, p := range procs {
		if err := p.start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var sent atomic.Int64
	var sending sync.WaitGroup
	enough := make(chan struct{})
	for w := range 3 {
		sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-enough:
					return
				default:
				}
				order := fmt.Sprintf("o%d-%d", w, n)
				for try := 0; ; try++ { // a source repeats what was not taken
					if err := s.order(ctx, edges[(n+try)%2], order); err == nil {
						break
					} else if ctx.Err() != nil {
						t.Errorf("%s was never taken: %v", order, err)
						return
					}
				}
				sent.Add(1)
			}
		})
	}
	for round := range rounds {
		want := s.tally.of("call") + between
		if err := s.tally.until(ctx, func() bool { return s.tally.of("call") >= want }); err != nil {
			t.Fatalf("round %d: calls stopped at %d: %v", round, s.tally.of("call"), err)
		}
		if err := procs[round%2].stop(ctx); err != nil {
			t.Fatal(err)
		}
		if err := procs[round%2].start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	close(enough)
	sending.Wait()
	outcomes := s.outcomes(ctx, int(sent.Load()))
	if len(outcomes) != int(sent.Load()) {
		t.Errorf("%d orders have outcomes, %d were sent", len(outcomes), sent.Load())
	}
	for order, list := range outcomes {
		if o := list[0]; len(list) != 1 || o.Kind != schemas.Delivered {
			t.Errorf("%s: %d outcomes, the first %s/%s %s", order, len(list), o.Kind, o.Reason, o.Detail)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for order, n := range s.calls {
		if n != 1 {
			t.Errorf("%s: %d calls", order, n)
		}
	}
	t.Logf("%d orders over %d restarts", sent.Load(), rounds)
}

// TestASecondSignalEndsAtOnce what the first would still wait for.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSmall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	never := make(chan struct{})
	s.Cleanup(func() { close(never) })
	s.answer = func(string, int) (int, <-chan struct{}) { return http.StatusOK, never }
	edge := freeAddress(t)
	p := s.proc("hanging", "--only", "edge,down", "--listen", edge, "--grace", "1h")
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.order(ctx, edge, "o1"); err != nil {
		t.Fatal(err)
	}
	if err := s.tally.until(ctx, func() bool { return s.tally.of("call") > 0 }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := s.tally.until(ctx, func() bool { return s.tally.of("stops/hanging") > 0 }); err != nil {
			t.Fatalf("it did not begin to stop: %v\n%s", err, p.words())
		}
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatalf("it waits for its call\n%s", p.words())
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v, want the signal", p.err)
	}
}
