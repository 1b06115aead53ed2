package topology

import (
	"fmt"
	"time"
)

var weekdays = map[string]time.Weekday{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

// check tells what is wrong with the window as written.
func (w Window) check() error {
	if _, ok := weekdays[w.Every]; !ok && w.Every != "day" {
		return fmt.Errorf("every is %q: write day or mon, tue, wed, thu, fri, sat, sun", w.Every)
	}
	for _, s := range []string{w.From, w.To} {
		if _, err := time.Parse("15:04", s); err != nil {
			return fmt.Errorf("%q is not a time of day: write \"02:00\"", s)
		}
	}
	if w.From == w.To {
		return fmt.Errorf("from and to are both %s", w.From)
	}
	if _, err := time.LoadLocation(w.Zone); err != nil {
		return fmt.Errorf("unknown tz %q: write an IANA zone like Europe/Vienna", w.Zone)
	}
	return nil
}

// Until is the end of the window that holds now, and whether one does. Days are calendar days of the window's zone, so a
// window that a clock change makes shorter or longer still starts and ends at its times of day.
func (w Window) Until(now time.Time) (time.Time, bool) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return time.Time{}, false // check refused it at load
	}
	local := now.In(zone)
	for _, back := range []int{0, -1} { // a window that began yesterday may reach into today
		y, m, d := local.AddDate(0, 0, back).Date()
		day := time.Date(y, m, d, 0, 0, 0, 0, zone)
		if w.Every != "day" && day.Weekday() != weekdays[w.Every] {
			continue
		}
		start, end := clock(y, m, d, w.From, zone), clock(y, m, d, w.To, zone)
		if w.To < w.From {
			end = clock(y, m, d+1, w.To, zone)
		}
		if !now.Before(start) && now.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// clock is a time of day on a date; check has validated the text.
func clock(y int, m time.Month, d int, hhmm string, zone *time.Location) time.Time {
	t, _ := time.Parse("15:04", hhmm)
	return time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, zone)
}

// Closed is the end of the maintenance window that holds now, and whether one does.
func (in *Integration) Closed(now time.Time) (time.Time, bool) {
	for _, w := range in.Windows {
		if end, ok := w.Until(now); ok {
			return end, true
		}
	}
	return time.Time{}, false
}
