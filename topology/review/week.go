package review

import (
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// week is the minutes of a week in UTC from Sunday 00:00, true where something holds.
type week [7 * 24 * 60]bool

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// add marks a window. A zone's clock counts as it stands now: an hour more or less twice a year changes no answer.
func (w *week) add(win topology.Window, now time.Time) {
	from, err1 := time.Parse("15:04", win.From)
	to, err2 := time.Parse("15:04", win.To)
	zone, err3 := time.LoadLocation(win.Zone)
	if err1 != nil || err2 != nil || err3 != nil {
		return // the loader has said so
	}
	_, offset := now.In(zone).Zone()
	length := (int(to.Sub(from).Minutes()) + 24*60) % (24 * 60)
	for day, name := range weekdays {
		if win.Every != "day" && win.Every != name {
			continue
		}
		start := day*24*60 + from.Hour()*60 + from.Minute() - offset/60
		for m := range length {
			w[((start+m)%len(w)+len(w))%len(w)] = true
		}
	}
}

// longest is the longest run of a value, over the end of the week too.
func (w *week) longest(value bool) time.Duration {
	best, run := 0, 0
	for i := range 2 * len(w) {
		if w[i%len(w)] != value {
			run = 0
			continue
		}
		run++
		best = max(best, min(run, len(w)))
	}
	return time.Duration(best) * time.Minute
}

// total is the minutes that hold.
func (w *week) total() time.Duration {
	n := 0
	for _, on := range w {
		if on {
			n++
		}
	}
	return time.Duration(n) * time.Minute
}

// closed is the week of some windows.
func closed(windows []topology.Window, now time.Time) *week {
	w := new(week)
	for _, win := range windows {
		w.add(win, now)
	}
	return w
}

// hours is the week in which a team answers. False where its hours cannot be read.
func hours(t topology.Team, now time.Time) (*week, bool) {
	windows, always, ok := t.Answers()
	w := closed(windows, now)
	for i := range w {
		w[i] = w[i] || always
	}
	return w, ok
}

// unattended is the longest time in a week in which nobody answers for a team: outside its hours, and those of the team that is
// paged then. False where its hours cannot be read.
func (s *scope) unattended(team string) (time.Duration, bool) {
	covered := new(week)
	next := team
	for _, t := range s.t.PagedInTurn(team) {
		w, ok := hours(t, s.now)
		if !ok {
			return 0, false
		}
		next = t.AfterHours
		for i := range covered {
			covered[i] = covered[i] || w[i]
		}
	}
	if _, known := s.t.Teams[next]; next != "" && !known {
		return 0, false
	}
	return covered.longest(false), true
}
