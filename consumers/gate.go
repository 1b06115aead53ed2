package consumers

import (
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// gate decides whether the integration may be called now. It is shut by a maintenance window, by credentials that were
// refused, by calls that may not go out, and by the breaker; while it is shut no clock of an event runs. It is not safe for concurrent use.
type gate struct {
	in     *topology.Integration
	pace   *pace
	recent []bool // the last calls, true for failed
	next   int

	state     string // schemas.WorkerStatus.Circuit
	why       string
	reason    string // why it is not closed, as one of shutReasons
	openUntil time.Time
	probing   bool // half open: one call is out
	epoch     int  // counts trips: a call from before the last says nothing of how it is since

	shutSince time.Time
	shutTotal time.Duration
}

// The states of the circuit.
const (
	circuitClosed   = "closed"
	circuitOpen     = "open"
	circuitHalfOpen = "half_open"
)

// Why no call is made.
const (
	shutByWindow      = "window"
	shutByCredentials = "credentials"
	shutByBreaker     = "breaker"
	shutByGuard       = "outbound" // its address may not be called
)

var shutReasons = []string{shutByWindow, shutByCredentials, shutByBreaker, shutByGuard}

func newGate(in *topology.Integration) *gate {
	return &gate{in: in, pace: newPace(in), state: circuitClosed}
}

// enter takes a permit for one call, or says how long to wait before asking again.
func (g *gate) enter(now time.Time) (wait time.Duration, ok bool) {
	if end, closed := g.in.Closed(now); closed {
		g.shut(now)
		return end.Sub(now), false
	}
	if g.state != circuitClosed {
		if now.Before(g.openUntil) {
			return g.openUntil.Sub(now), false
		}
		if g.probing {
			return g.in.Timeout.D(), false // its answer wakes the gate before
		}
	}
	if d, ok := g.pace.take(now); !ok {
		return d, false
	}
	if g.state != circuitClosed {
		g.state, g.probing = circuitHalfOpen, true
	} else {
		g.open(now)
	}
	return 0, true
}

// closed tells whether no call may be made now but one that tries whether it may.
func (g *gate) closed(now time.Time) bool {
	_, window := g.in.Closed(now)
	return window || g.state != circuitClosed
}

// holds is the one of shutReasons for which no call is made now, but for one that tries whether it may; empty while calls are made.
func (g *gate) holds(now time.Time) string {
	if _, window := g.in.Closed(now); window {
		return shutByWindow
	}
	if g.state != circuitClosed {
		return g.reason
	}
	return ""
}

// admits tells whether enter would let a call through now.
func (g *gate) admits(now time.Time) bool {
	if _, closed := g.in.Closed(now); closed || g.state != circuitClosed && (now.Before(g.openUntil) || g.probing) {
		return false
	}
	limit, _ := g.pace.rate(now)
	return limit != g.pace.limiter.Limit() || g.pace.limiter.TokensAt(now) >= 1
}

// leave takes note of how a call went that was started in an epoch.
func (g *gate) leave(now time.Time, epoch int, res deliver.Result) {
	g.pace.answered(now, res.Class)
	if epoch != g.epoch {
		return // 64 calls were out when the first one tripped it: neither their failure nor their luck counts now
	}
	if res.Class == deliver.Unmappable {
		g.probing = false
		return // nothing was sent
	}
	switch res.Class {
	case deliver.Credentials:
		g.trip(now, shutByCredentials, "credentials refused: "+res.Detail)
		return
	case deliver.Barred:
		g.trip(now, shutByGuard, "not let out: "+res.Detail)
		return
	default:
	}
	failed := res.Class == deliver.Retry || res.Class == deliver.Unknown
	if g.state != circuitClosed {
		if failed {
			g.trip(now, shutByBreaker, res.Detail)
			return
		}
		g.state, g.why, g.probing, g.recent, g.next = circuitClosed, "", false, nil, 0
		g.open(now)
		return
	}
	if len(g.recent) < g.in.Breaker.Of {
		g.recent = append(g.recent, failed)
	} else {
		g.recent[g.next] = failed
		g.next = (g.next + 1) % len(g.recent)
	}
	if failed && len(g.recent) == g.in.Breaker.Of && 100*count(g.recent) >= float64(g.in.Breaker.Failures)*float64(len(g.recent)) {
		g.trip(now, shutByBreaker, res.Detail)
	}
}

// trip opens the circuit.
func (g *gate) trip(now time.Time, reason, why string) {
	g.state, g.reason, g.why, g.probing, g.recent, g.next = circuitOpen, reason, why, false, nil, 0
	g.epoch++
	g.openUntil = now.Add(g.in.Breaker.Open.D())
	g.shut(now)
}

func (g *gate) shut(now time.Time) {
	if g.shutSince.IsZero() {
		g.shutSince = now
	}
}

func (g *gate) open(now time.Time) {
	if !g.shutSince.IsZero() {
		g.shutTotal += now.Sub(g.shutSince)
		g.shutSince = time.Time{}
	}
}

// shutFor is how long the gate has been shut in all; the clocks of events stop meanwhile.
func (g *gate) shutFor(now time.Time) time.Duration {
	if g.shutSince.IsZero() {
		return g.shutTotal
	}
	return g.shutTotal + now.Sub(g.shutSince)
}

// status fills the circuit part of a report.
func (g *gate) status(st *schemas.WorkerStatus) {
	st.Circuit, st.CircuitWhy = g.state, g.why
	st.State = "running"
	if !g.shutSince.IsZero() {
		st.State = "paused"
	}
}

func count(list []bool) float64 {
	n := 0.0
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}
