package review

import (
	"strings"
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

// closed is the week of an integration's maintenance windows.
func closed(windows []topology.Window, now time.Time) *week {
	w := new(week)
	for _, win := range windows {
		w.add(win, now)
	}
	return w
}

// hours reads when a team answers: "24x7", "mon-fri 08:00-18:00", several with commas, with a zone at the end. False where
// it cannot be read.
func hours(text string, now time.Time) (*week, bool) {
	w := new(week)
	if text = strings.TrimSpace(text); text == "24x7" || text == "24/7" {
		for i := range w {
			w[i] = true
		}
		return w, true
	}
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) < 2 || len(words) > 3 {
			return nil, false
		}
		days, ok := daysOf(strings.ToLower(words[0]))
		from, to, cut := strings.Cut(words[1], "-")
		if !ok || !cut || !clock(from) || !clock(to) {
			return nil, false
		}
		zone := ""
		if len(words) == 3 {
			zone = words[2]
		}
		if _, err := time.LoadLocation(zone); err != nil {
			return nil, false
		}
		for _, day := range days {
			w.add(topology.Window{Every: day, From: from, To: to, Zone: zone}, now)
		}
	}
	return w, true
}

// daysOf reads "mon", "mon-fri", "day".
func daysOf(text string) ([]string, bool) {
	if text == "day" {
		return weekdays, true
	}
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	from, to := dayOf(first), dayOf(last)
	if from < 0 || to < 0 {
		return nil, false
	}
	var out []string
	for i := from; ; i = (i + 1) % 7 {
		out = append(out, weekdays[i])
		if i == to {
			return out, true
		}
	}
}

func dayOf(text string) int {
	for i, d := range weekdays {
		if d == text {
			return i
		}
	}
	return -1
}

func clock(text string) bool {
	_, err := time.Parse("15:04", text)
	return err == nil
}

// unattended is the longest time in a week in which nobody answers for a team: outside its hours, and those of the team that is
// paged then. False where its hours cannot be read.
func (s *scope) unattended(team string) (time.Duration, bool) {
	covered := new(week)
	for seen := map[string]bool{}; team != "" && !seen[team]; {
		seen[team] = true
		t, known := s.t.Teams[team]
		w, ok := hours(t.Hours, s.now)
		if !known || !ok {
			return 0, false
		}
		for i := range covered {
			covered[i] = covered[i] || w[i]
		}
		team = t.AfterHours
	}
	return covered.longest(false), true
}
