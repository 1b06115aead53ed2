package consumers

import (
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/topology"
)

var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) // 09:00 in Vienna

// during counts the permits that a pace gives in d from a moment on, asked every millisecond.
func during(p *pace, from time.Time, d time.Duration) int {
	n := 0
	for at := from; at.Before(from.Add(d)); at = at.Add(time.Millisecond) {
		if _, ok := p.take(at); ok {
			n++
		}
	}
	return n
}

func TestPaceOfTheHour(t *testing.T) {
	t.Parallel()
	in := &topology.Integration{InFlight: 64, Rate: topology.Rate{Limit: 50, Slow: []topology.Slow{
		{Window: topology.Window{Every: "mon", From: "06:00", To: "10:00", Zone: "Europe/Vienna"}, Limit: 5}}}}
	p := newPace(in)
	p.take(monday.Add(-time.Minute)) // the burst of the start is spent in these tests' first second
	if n := during(p, monday.Add(10*time.Second), 10*time.Second); n < 50 || n > 56 {
		t.Errorf("%d calls in ten slow seconds, want about 50", n)
	}
	if n := during(p, monday.Add(3*time.Hour), 10*time.Second); n < 500 || n > 551 {
		t.Errorf("%d calls in ten usual seconds, want about 500", n)
	}
	p.own(2, 8)
	if n := during(p, monday.Add(4*time.Hour), 10*time.Second); n < 125 || n > 138 {
		t.Errorf("%d calls in ten seconds of a quarter of the partitions, want about 125", n)
	}
}

func TestWindowFallsAndRises(t *testing.T) {
	t.Parallel()
	p := newPace(&topology.Integration{InFlight: 64, Timeout: topology.Duration(time.Second)})
	if !p.room(63) || p.room(64) {
		t.Error("a healthy downstream takes in_flight calls at once")
	}
	now := monday
	for range 30 { // one burst of failures is one sign of trouble
		p.answered(now, deliver.Retry)
	}
	if !p.room(31) || p.room(32) {
		t.Errorf("window %.0f after one bad second, want 32", p.window)
	}
	for range 20 {
		now = now.Add(time.Second)
		p.answered(now, deliver.Unknown)
	}
	if !p.room(0) || p.room(1) {
		t.Errorf("window %.0f after twenty bad seconds, want 1", p.window)
	}
	for range 3000 {
		p.answered(now, deliver.Delivered)
	}
	if !p.room(63) || p.room(64) {
		t.Errorf("window %.0f after 3000 good calls, want 64", p.window)
	}
}

func TestRetryBudget(t *testing.T) {
	t.Parallel()
	p := newPace(&topology.Integration{InFlight: 64, Retry: topology.Retry{Budget: 20}})
	now, repeated := monday, 0
	for i := range 60_000 { // a minute, 1000 calls a second, all of them to be repeated
		now = now.Add(time.Millisecond)
		p.called(false)
		if _, ok := p.mayRepeat(now); ok {
			p.called(true)
			repeated++
		}
		if i == 30_000 {
			repeated = 0 // what was saved before is spent by now
		}
	}
	if repeated < 6000 || repeated > 6400 { // 20 % of 30,000, and 10 a second
		t.Errorf("%d repetitions of 30000 calls, want about 6300", repeated)
	}
	for p.tokens >= 1 {
		p.called(true)
	}
	if wait, ok := p.mayRepeat(now); ok || wait <= 0 || wait > 100*time.Millisecond {
		t.Errorf("an empty budget says %v, %v; the next is a tenth of a second away", wait, ok)
	}
}

// TestBudgetLeft: looking at the budget does not use it.
func TestBudgetLeft(t *testing.T) {
	t.Parallel()
	p := newPace(&topology.Integration{InFlight: 64, Retry: topology.Retry{Budget: 10}})
	if got := p.budget(monday); got != 1 {
		t.Errorf("%v is left at first, want 1", got)
	}
	for range 5 * minRetries {
		p.mayRepeat(monday)
		p.called(true)
	}
	if got := p.budget(monday); got != 0.5 {
		t.Errorf("%v is left of it, want a half", got)
	}
	if got := p.budget(monday.Add(time.Second)); got != 0.6 {
		t.Errorf("%v is left a second later, want 0.6", got)
	}
	if got := p.budget(monday.Add(time.Hour)); got != 1 {
		t.Errorf("%v is left after an hour, want 1", got)
	}
}
