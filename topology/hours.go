package topology

import (
	"slices"
	"strings"
	"time"
)

// weekOrder is the days as Window.Every writes them, in the order of time.Weekday.
var weekOrder = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Answers is when the team answers, as windows of a week; always for "24x7". Not ok where Hours cannot be read: they are
// "24x7", or "mon-fri 08:00-18:00", several with commas, each with a zone at the end where it is not UTC.
func (t Team) Answers() (windows []Window, always, ok bool) {
	text := strings.TrimSpace(t.Hours)
	if text == "24x7" || text == "24/7" {
		return nil, true, true
	}
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) < 2 || len(words) > 3 {
			return nil, false, false
		}
		days, known := daysOf(strings.ToLower(words[0]))
		from, to, cut := strings.Cut(words[1], "-")
		if !known || !cut {
			return nil, false, false
		}
		zone := "UTC"
		if len(words) == 3 {
			zone = words[2]
		}
		for _, day := range days {
			w := Window{Every: day, From: from, To: to, Zone: zone}
			if w.check() != nil {
				return nil, false, false
			}
			windows = append(windows, w)
		}
	}
	return windows, false, true
}

// PagedInTurn is the team and those that are paged outside of its hours, by after_hours of each, without repetition.
func (t *Topology) PagedInTurn(team string) []Team {
	var out []Team
	for team != "" && !slices.ContainsFunc(out, func(had Team) bool { return had.Name == team }) {
		next, known := t.Teams[team]
		if !known {
			break
		}
		out = append(out, next)
		team = next.AfterHours
	}
	return out
}

// daysOf reads "mon", "mon-fri", "day".
func daysOf(text string) ([]string, bool) {
	if text == "day" {
		return weekOrder, true
	}
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	from, ok1 := weekdays[first]
	to, ok2 := weekdays[last]
	if !ok1 || !ok2 {
		return nil, false
	}
	var out []string
	for d := from; ; d = (d + 1) % time.Weekday(len(weekOrder)) {
		out = append(out, weekOrder[d])
		if d == to {
			return out, true
		}
	}
}
