package review

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{-1: "never", 0: "0s", 1500 * time.Millisecond: "1.5s", 30 * time.Minute: "30m", 90 * time.Minute: "1h30m",
		24 * time.Hour: "24h", 48 * time.Hour: "2d", 62 * time.Hour: "2.6d", time.Hour + time.Second: "1h0m1s"} {
		if got := Span(d).String(); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
	for r, want := range map[float64]string{0: "none", 50: "50/s", 0.5: "30/m", 1.0 / 3600: "1/h"} {
		if got := perSecond(r); got != want {
			t.Errorf("%v a second is %q, want %q", r, got, want)
		}
	}
}

// TestHours: the longest time in which a team does not answer.
func TestHours(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		gap  time.Duration
		ok   bool
	}{
		{"24x7", 0, true}, {"24/7", 0, true},
		{"mon-fri 08:00-18:00", 62 * time.Hour, true},
		{"Mon-Fri 08:00-18:00 Europe/Vienna", 62 * time.Hour, true},
		{"day 06:00-22:00", 8 * time.Hour, true},
		{"day 22:00-06:00", 16 * time.Hour, true},
		{"fri-mon 08:00-18:00", 86 * time.Hour, true},
		{"mon-fri 08:00-18:00, sat 08:00-12:00", 44 * time.Hour, true},
		{"", 0, false}, {"office hours", 0, false}, {"mon-fri 8-18", 0, false}, {"mon-fri 08:00-18:00 Vienna", 0, false}, {"monday 08:00-18:00", 0, false},
	}
	for _, tt := range tests {
		w, ok := hours(topology.Team{Hours: tt.text}, today)
		if ok != tt.ok || ok && w.longest(false) != tt.gap {
			t.Errorf("%q: %v %v, want %v %v", tt.text, w.longest(false), ok, tt.gap, tt.ok)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	w := closed([]topology.Window{{Every: "sat", From: "22:00", To: "00:00"}, {Every: "sun", From: "00:00", To: "03:30"}, {Every: "wed", From: "23:00", To: "01:00", Zone: "Asia/Tokyo"}}, today)
	if got, want := w.longest(true), 5*time.Hour+30*time.Minute; got != want {
		t.Errorf("the longest window is %s, want %s: two that touch are one", got, want)
	}
	if got, want := w.total(), 7*time.Hour+30*time.Minute; got != want {
		t.Errorf("closed for %s a week, want %s", got, want)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		comes, rate float64
		want        Span
	}{{0, 10, 0}, {1, 2, Span(time.Hour)}, {1, 1, never}, {2, 1, never}, {1, 61, Span(time.Minute)}} {
		if got := drain(tt.comes, tt.rate); got != tt.want {
			t.Errorf("drain(%v, %v) = %s, want %s", tt.comes, tt.rate, got, tt.want)
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	retry := func(initial, max, giveUp time.Duration) topology.Retry {
		return topology.Retry{Initial: topology.Duration(initial), Max: topology.Duration(max), GiveUpAfter: topology.Duration(giveUp)}
	}
	for _, tt := range []struct {
		retry topology.Retry
		want  int
	}{
		{retry(2*time.Second, 2*time.Second, 10*time.Second), 10},
		{retry(2*time.Second, 8*time.Second, 10*time.Second), 4}, // after 1, 3 and 7 s
		{retry(time.Minute, time.Second, 10*time.Minute), 20},    // a greatest wait below the first
		{topology.Retry{}, 1},
	} {
		if got := attempts(tt.retry); got != tt.want {
			t.Errorf("%+v: %d attempts, want %d", tt.retry, got, tt.want)
		}
	}
}

// TestChecksExist: each check that has an id is one that package topology still makes.
func TestChecksExist(t *testing.T) {
	t.Parallel()
	literal := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	made := map[string]bool{"mapping key": true, "cannot unmarshal": true} // the YAML library's own
	names, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, quoted := range literal.FindAllString(string(text), -1) {
			if s, err := strconv.Unquote(quoted); err == nil {
				made[s] = true
				for _, start := range []string{" %q", " \""} { // as loading cuts a decoder's text
					if before, _, ok := strings.Cut(s, start); ok {
						made[before] = true
					}
				}
			}
		}
	}
	for check, id := range checks {
		if !made[check] {
			t.Errorf("%q is %s, and package topology does not check it any more", check, id)
		}
		if ruleOf(id) == nil {
			t.Errorf("%q is %s, which is no rule", check, id)
		}
	}
	for _, file := range []string{"integrations/a.yaml", "sources/a.yaml", "ownership.yaml", "operations.yaml", "money.yaml", "topics.yaml", "teams.yaml"} {
		if ruleOf(ofFile(file)) == nil {
			t.Errorf("checks of %s are %s, which is no rule", file, ofFile(file))
		}
	}
}
