package consumers

import (
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// gated is a gate with a clock that only the test moves.
type gated struct {
	*testing.T
	g   *gate
	now time.Time
}

func newGated(t *testing.T, change ...func(*topology.Integration)) *gated {
	in := &topology.Integration{Name: "down", Timeout: topology.Duration(5 * time.Second), Breaker: topology.Breaker{Failures: 50, Of: 4, Open: topology.Duration(30 * time.Second)}}
	for _, f := range change {
		f(in)
	}
	return &gated{t, newGate(in), time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

// open asks for a permit and fails the test unless there is one; it gives the epoch of the call.
func (g *gated) open() int {
	g.Helper()
	if wait, ok := g.g.enter(g.now); !ok {
		g.Fatalf("shut for %s (%s, %s)", wait, g.g.state, g.g.why)
	}
	return g.g.epoch
}

// shut fails the test unless there is no permit for d.
func (g *gated) shut(d time.Duration) {
	g.Helper()
	if wait, ok := g.g.enter(g.now); ok || wait != d {
		g.Fatalf("wait %s, open %v; want %s (%s)", wait, ok, d, g.g.state)
	}
}

// calls makes calls that end by the classes.
func (g *gated) calls(classes ...deliver.Class) {
	g.Helper()
	for _, c := range classes {
		g.g.leave(g.now, g.open(), deliver.Result{Class: c, Detail: string(c)})
	}
}

func (g *gated) after(d time.Duration) { g.now = g.now.Add(d) }

// is fails the test unless the circuit and the state are these.
func (g *gated) is(circuit, state string) {
	g.Helper()
	var st schemas.WorkerStatus
	if g.g.status(&st); st.Circuit != circuit || st.State != state {
		g.Errorf("%s, %s; want %s, %s", st.Circuit, st.State, circuit, state)
	}
}

func TestBreakerOpensWhenHalfOfTheLastCallsFail(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.calls(deliver.Retry, deliver.Delivered, deliver.Delivered) // one of three: too few to judge
	g.is(circuitClosed, "running")
	g.calls(deliver.Delivered, deliver.Unknown) // the first has left the window: one of four
	g.is(circuitClosed, "running")
	g.calls(deliver.Delivered, deliver.Retry)
	g.is(circuitOpen, "paused")
	g.shut(30 * time.Second)
	g.after(29 * time.Second)
	g.shut(time.Second)
}

func TestBreakerDoesNotCountWhatTheDownstreamAnswered(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	for range 20 {
		g.calls(deliver.Rejected, deliver.Contract, deliver.AlreadyDone, deliver.Unmappable)
	}
	g.is(circuitClosed, "running")
}

func TestHalfOpenLetsOneCallThrough(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.calls(deliver.Retry, deliver.Retry, deliver.Retry, deliver.Retry)
	g.after(30 * time.Second)
	epoch := g.open()
	g.is(circuitHalfOpen, "paused")
	g.shut(5 * time.Second) // until its answer
	g.g.leave(g.now, epoch, deliver.Result{Class: deliver.Unknown})
	g.is(circuitOpen, "paused")
	g.shut(30 * time.Second)
	g.after(30 * time.Second)
	g.calls(deliver.Rejected) // it answers: it is there
	g.is(circuitClosed, "running")
	g.calls(deliver.Retry, deliver.Delivered) // and starts with a clean sheet
	g.is(circuitClosed, "running")
}

func TestHalfOpenIsNotStuckWhenNothingWasSent(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.calls(deliver.Retry, deliver.Retry, deliver.Retry, deliver.Retry)
	g.after(30 * time.Second)
	g.calls(deliver.Unmappable, deliver.Delivered)
	g.is(circuitClosed, "running")
}

// 64 calls are out when the first of them trips the breaker.
func TestCallsFromBeforeTheTripDecideNothing(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	late := g.open()
	g.calls(deliver.Retry, deliver.Retry, deliver.Retry, deliver.Retry)
	g.after(10 * time.Second)
	g.g.leave(g.now, late, deliver.Result{Class: deliver.Delivered})
	g.is(circuitOpen, "paused")
	g.g.leave(g.now, late, deliver.Result{Class: deliver.Unknown})
	g.shut(20 * time.Second) // not put off either
}

func TestRefusedCredentialsShutAtOnce(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	late := g.open()
	g.calls(deliver.Delivered, deliver.Credentials)
	g.is(circuitOpen, "paused")
	g.after(time.Second)
	g.g.leave(g.now, late, deliver.Result{Class: deliver.Credentials}) // another that was out
	g.shut(29 * time.Second)
	g.after(29 * time.Second)
	g.calls(deliver.Credentials)
	g.shut(30 * time.Second)
	g.after(30 * time.Second)
	g.calls(deliver.Delivered)
	g.is(circuitClosed, "running")
}

// TestBarredShutsAtOnce: a call that may not go out is not tried again and again, and goes out once it may.
func TestBarredShutsAtOnce(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.calls(deliver.Delivered, deliver.Barred)
	g.is(circuitOpen, "paused")
	if !strings.HasPrefix(g.g.why, "not let out: ") {
		t.Errorf("it says %q", g.g.why)
	}
	g.shut(30 * time.Second)
	g.after(30 * time.Second)
	g.calls(deliver.Barred)
	g.shut(30 * time.Second)
	g.after(30 * time.Second)
	g.calls(deliver.Delivered)
	g.is(circuitClosed, "running")
}

// TestShutClock: the clocks of events stop while no call could be made, and for exactly as long.
func TestShutClock(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.calls(deliver.Credentials)
	g.after(time.Minute)
	if d := g.g.shutFor(g.now); d != time.Minute {
		t.Errorf("shut for %s, want 1m", d)
	}
	g.calls(deliver.Credentials) // the probe finds it still shut
	g.after(time.Minute)
	g.calls(deliver.Delivered)
	g.after(time.Hour)
	g.calls(deliver.Delivered)
	if d := g.g.shutFor(g.now); d != 2*time.Minute {
		t.Errorf("shut for %s, want 2m", d)
	}
	g.calls(deliver.Credentials)
	g.after(30 * time.Second)
	if d := g.g.shutFor(g.now); d != 2*time.Minute+30*time.Second {
		t.Errorf("shut for %s, want 2m30s", d)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(in *topology.Integration) { in.Rate.Limit = 2 })
	g.calls(deliver.Delivered, deliver.Delivered)
	g.shut(500 * time.Millisecond)
	g.shut(500 * time.Millisecond) // asking costs nothing
	g.after(500 * time.Millisecond)
	g.calls(deliver.Delivered)
	g.shut(500 * time.Millisecond)
	g.is(circuitClosed, "running")
}

// TestWindows goes through maintenance windows with the clock changes of Vienna in 2026: 29 March and 25 October.
func TestWindows(t *testing.T) {
	t.Parallel()
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	local := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, vienna)
	}
	utc := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	sunday := topology.Window{Every: "sun", From: "01:00", To: "04:00", Zone: "Europe/Vienna"}
	night := topology.Window{Every: "day", From: "23:00", To: "01:00", Zone: "Europe/Vienna"}
	saturday := topology.Window{Every: "sat", From: "22:00", To: "02:00", Zone: "Europe/Vienna"}
	for _, tt := range []struct {
		name   string
		window topology.Window
		now    time.Time
		want   time.Duration // 0: open
	}{
		{"before", sunday, local(11, 22, 0, 59), 0},
		{"at its start", sunday, local(11, 22, 1, 0), 3 * time.Hour},
		{"at its end", sunday, local(11, 22, 4, 0), 0},
		{"on another day", sunday, local(11, 23, 2, 0), 0},
		{"spring: the hour from 2 to 3 is not there", sunday, local(3, 29, 1, 0), 2 * time.Hour},
		{"spring: after the gap", sunday, local(3, 29, 3, 0), time.Hour},
		{"autumn: the hour from 2 to 3 is there twice", sunday, local(10, 25, 1, 0), 4 * time.Hour},
		{"autumn: the second of them", sunday, utc(10, 25, 1, 30), 90 * time.Minute},
		{"over midnight, before it", night, local(11, 23, 23, 30), 90 * time.Minute},
		{"over midnight, after it", night, local(11, 24, 0, 30), 30 * time.Minute},
		{"over midnight, at noon", night, local(11, 24, 12, 0), 0},
		{"begun on Saturday, ends on Sunday", saturday, local(11, 22, 1, 0), time.Hour},
		{"the next day's night is not Saturday's", saturday, local(11, 23, 1, 0), 0},
		{"the clock of the caller does not matter", sunday, utc(11, 22, 0, 0), 3 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, func(in *topology.Integration) { in.Windows = []topology.Window{tt.window} })
			g.now = tt.now
			if tt.want == 0 {
				g.open()
				return
			}
			g.shut(tt.want)
			g.is(circuitClosed, "paused")
			g.after(tt.want)
			g.open()
			if d := g.g.shutFor(g.now); d != tt.want {
				t.Errorf("shut for %s, want %s", d, tt.want)
			}
		})
	}
}

// TestWhyNoCallIsMade: one reason holds at a time, and a window is one also while nobody asks for a call.
func TestWhyNoCallIsMade(t *testing.T) {
	t.Parallel()
	g := newGated(t, func(in *topology.Integration) {
		in.Windows = []topology.Window{{Every: "mon", From: "14:00", To: "15:00", Zone: "UTC"}}
	})
	is := func(want string) {
		t.Helper()
		if got := g.g.holds(g.now); got != want {
			t.Errorf("%q holds, want %q", got, want)
		}
	}
	is("")
	g.calls(deliver.Credentials)
	is(shutByCredentials)
	g.after(30 * time.Second)
	g.open()
	is(shutByCredentials) // until the call that tries has its answer
	g.g.leave(g.now, g.g.epoch, deliver.Result{Class: deliver.Delivered})
	is("")
	g.calls(deliver.Retry, deliver.Retry, deliver.Retry, deliver.Retry)
	is(shutByBreaker)
	g.after(2 * time.Hour)
	is(shutByWindow)
	g.after(time.Hour)
	is(shutByBreaker)
}
