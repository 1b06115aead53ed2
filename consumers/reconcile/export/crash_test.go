package export_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

var errCrash = errors.New("crash")

// crashing is a destination whose process dies at one step: at the step and ever after, nothing works.
type crashing struct {
	export.Destination
	at     int  // step, from 1
	effect bool // the step has its effect, and its answer is lost
	steps  int
}

func (c *crashing) step() (dead, effect bool) {
	c.steps++
	return c.steps >= c.at, c.effect && c.steps == c.at
}

func (c *crashing) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if dead, _ := c.step(); dead {
		return nil, errCrash
	}
	return c.Destination.Open(ctx, name)
}

func (c *crashing) List(ctx context.Context, prefix string) ([]string, error) {
	if dead, _ := c.step(); dead {
		return nil, errCrash
	}
	return c.Destination.List(ctx, prefix)
}

func (c *crashing) Put(ctx context.Context, o export.Object) error {
	dead, effect := c.step()
	if dead && !effect {
		return errCrash
	}
	if err := c.Destination.Put(ctx, o); err != nil || !dead {
		return err
	}
	return errCrash
}

func (c *crashing) Remove(ctx context.Context, name string) error {
	dead, effect := c.step()
	if dead && !effect {
		return errCrash
	}
	if err := c.Destination.Remove(ctx, name); err != nil || !dead {
		return err
	}
	return errCrash
}

// TestCrash lets a run die at every step in turn: a reader sees the old version or the new one, whole, and the next run
// brings the day to where one run would have brought it.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, effect := range []bool{false, true} {
		each(t, func(t *testing.T, _ export.Destination) {
			open := newFolder
			if strings.Contains(t.Name(), "bucket") {
				open = newBucket
			}
			first := func(t *testing.T) export.Snapshot { return snapshot(t, orders(one{"1001", "10", "EUR", "a"})) }
			second := func(t *testing.T) export.Snapshot {
				return snapshot(t, orders(one{"1001", "11", "EUR", "a"}, one{"1002", "1", "EUR", "a"}))
			}
			whole := open(t)
			write(t, whole, first(t))
			write(t, whole, second(t))
			want := all(t, whole)

			finished := false
			for at := 1; !finished; at++ {
				to := open(t)
				write(t, to, first(t))
				put(t, to, "2026-11-24/v1/left-0123456789ab.csv", "left over, so that there is something to remove")
				_, err := export.Write(t.Context(), &crashing{Destination: to, at: at, effect: effect}, second(t))
				switch {
				case err == nil:
					finished = true
				case !errors.Is(err, errCrash):
					t.Fatalf("step %d: %v", at, err)
				}
				if v := reader(t, to).Version; v != 1 && v != 2 || finished && v != 2 {
					t.Errorf("step %d: a reader sees %s", at, v)
				}
				write(t, to, second(t))
				if d := cmp.Diff(want, all(t, to)); d != "" {
					t.Errorf("step %d: after the next run (-want +got):\n%s", at, d)
				}
				if at > 100 {
					t.Fatal("does not end")
				}
			}
		})
	}
}

// TestCrashThenUnchanged lets a run die in v2, and the next find that v1 is right after all.
func TestCrashThenUnchanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		s := func() export.Snapshot { return snapshot(t, orders(one{"1001", "10", "EUR", "a"})) }
		write(t, to, s())
		if _, err := export.Write(t.Context(), &crashing{Destination: to, at: 5}, snapshot(t, orders())); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if got := write(t, to, s()).String(); got != "2026-11-24: unchanged v1" {
			t.Error(got)
		}
		if v := reader(t, to).Version; v != 1 {
			t.Errorf("a reader sees %s", v)
		}
	})
}

// TestConcurrent lets runs of one day meet: every content becomes one version, each corrects the one before, and the
// runs with the same content share one.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		const contents, twins = 4, 2
		var wg sync.WaitGroup
		wrote := make(chan export.Version, contents*twins)
		for i := range contents * twins {
			s := snapshot(t, orders(one{"1001", fmt.Sprint(i % contents), "EUR", "a"}))
			wg.Go(func() {
				r, err := export.Write(t.Context(), to, s)
				if err != nil {
					t.Error(err)
				} else if !r.Unchanged {
					wrote <- r.Manifest.Version
				}
			})
		}
		wg.Wait()
		close(wrote)
		seen := map[export.Version]bool{}
		for v := range wrote {
			if seen[v] {
				t.Errorf("two runs wrote %s", v)
			}
			seen[v] = true
		}
		newest := reader(t, to)
		if int(newest.Version) != len(seen) || len(seen) < contents {
			t.Errorf("newest is %s after %d written versions of %d contents", newest.Version, len(seen), contents)
		}
		if len(names(t, to)) != 1+3*len(seen) {
			t.Errorf("objects %v", names(t, to))
		}
	})
}

// meeting calls a function once, before the first manifest is written.
type meeting struct {
	export.Destination
	once sync.Once
	then func()
}

func (m *meeting) Put(ctx context.Context, o export.Object) error {
	if o.Once {
		m.once.Do(m.then)
	}
	return m.Destination.Put(ctx, o)
}

// TestOvertaken lets another run finish while ours is about to claim its version.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, theirs, want string }{
		{"other content", "3", "2026-11-24: wrote v3, which corrects v2"},
		{"same content", "2", "2026-11-24: unchanged v2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, to export.Destination) {
				with := func(sum string) export.Snapshot { return snapshot(t, orders(one{"1001", sum, "EUR", "a"})) }
				write(t, to, with("1"))
				slow := &meeting{Destination: to, then: func() { write(t, to, with(tt.theirs)) }}
				if got := write(t, slow, with("2")).String(); got != tt.want {
					t.Error(got)
				}
				m := reader(t, to)
				if got := m.Corrects.Tables; len(got) != 1 || got[0].Changed != 1 {
					t.Errorf("%s differs by %v", m.Version, got)
				}
				if got := len(names(t, to)); got != 1+3*int(m.Version) {
					t.Errorf("objects %v", names(t, to))
				}
			})
		})
	}
}
