package operate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// source is the alerts of one way in.
func (c *Config) source(s *topology.Source) []alert {
	out := []alert{c.quarantined(s), c.drift("source", s.Name, s.Team)}
	if s.Platform == topology.Files || s.Platform == topology.Poll {
		return append(out, c.unread(s))
	}
	out = append(out, c.unavailable(s), c.signatures(s))
	if s.Spool {
		out = append(out, c.spooled(s))
	}
	return out
}

func from(s *topology.Source) string { return fmt.Sprintf(`{source=%q}`, s.Name) }

func (c *Config) ofSource(name string, sev severity, s *topology.Source) alert {
	return alert{name: name, severity: sev, team: s.Team, about: map[string]string{"source": s.Name}}
}

func (c *Config) quarantined(s *topology.Source) alert {
	a := c.ofSource("SeamQuarantined", ticket, s)
	kept := "seam_ingest_quarantined_total" + from(s)
	a.expr = fmt.Sprintf("sum by (source) (increase(%s[%s])) > 0", kept, c.d(time.Hour))
	a.summary = fmt.Sprintf("{{ $value | humanize }} deliveries of %s could not be read in an hour: they are kept whole, and nobody downstream knows of them.", s.Name)
	a.command = "seam quarantine list"
	a.trials = []trial{{series: []series{rise(kept, 0, 1)}, shown: "60", wrong: 90 * time.Minute, again: 2 * time.Hour}}
	return a
}

func (c *Config) unread(s *topology.Source) alert {
	// A poll finds what webhooks missed; a folder is the only way in.
	sev := page
	if s.Platform == topology.Poll {
		sev = ticket
	}
	a := c.ofSource("SeamSourceUnread", sev, s)
	limit := max(3*s.Every.D(), c.span(10*time.Minute))
	looked := "seam_ingest_last_look_timestamp_seconds" + from(s)
	a.after = 5 * time.Minute
	a.expr = fmt.Sprintf("time() - max by (source) (%s) > %s", looked, seconds(limit))
	a.summary = fmt.Sprintf("Seam has not been able to look at %s for {{ $value | humanizeDuration }}: its folder or API fails.", s.Name)
	a.command = "seam sources"
	a.trials = []trial{{series: []series{stamp(looked, s.Every.D().Seconds(), 2*limit.Seconds())}, shown: spoken(2 * limit)}}
	return a
}

func (c *Config) unavailable(s *topology.Source) alert {
	a := c.ofSource("SeamIngestUnavailable", page, s)
	away := "seam_ingest_unavailable_total" + from(s)
	a.team, a.after = c.Topology.Team, 5*time.Minute
	a.expr = fmt.Sprintf("sum by (source) (increase(%s[%s])) > 0", away, c.d(5*time.Minute))
	a.summary = fmt.Sprintf("Deliveries of %s were answered 503 for five minutes: Kafka or the registry does not take them. The source repeats them for %s.", s.Name, orNever(s.RetriesFor.D()))
	a.command = "seam status"
	a.trials = []trial{{series: []series{rise(away, 0, 2)}, shown: "10"}}
	return a
}

func orNever(d time.Duration) string {
	if d == 0 {
		return "no time at all"
	}
	return duration(d)
}

// signaturesLeast is how many deliveries must have failed: anybody may send one.
const signaturesLeast = 10

func (c *Config) signatures(s *topology.Source) alert {
	a := c.ofSource("SeamSignaturesRefused", page, s)
	w := c.d(15 * time.Minute)
	failed, received := "seam_ingest_signature_failures_total"+from(s), "seam_ingest_received_total"+from(s)
	a.after = 2 * time.Minute
	a.expr = fmt.Sprintf("sum by (source) (increase(%s[%s])) > %d and sum by (source) (increase(%s[%s])) > sum by (source) (increase(%s[%s]))", failed, w, signaturesLeast, failed, w, received, w)
	a.summary = fmt.Sprintf("{{ $value | humanize }} deliveries of %s in 15 minutes were not signed with the secret that Seam has, more than those that were: the secret was rotated, or somebody tries.", s.Name)
	a.command = "seam sources"
	a.trials = []trial{{series: []series{rise(failed, 0, 2), rise(received, 2, 1)}, shown: "30"}, {series: []series{rise(failed, 0, 2), rise(received, 3, 3)}, quiet: true}}
	return a
}

func (c *Config) spooled(s *topology.Source) alert {
	a := c.ofSource("SeamSpooled", ticket, s)
	kept := "seam_ingest_spool_deliveries" + from(s)
	a.team, a.after = c.Topology.Team, 15*time.Minute
	a.expr = fmt.Sprintf("sum by (source) (%s) > 0", kept)
	a.summary = fmt.Sprintf("{{ $value | humanize }} deliveries of %s stand on a local disk and wait for Kafka: with that disk they would be lost, for %s does not repeat them.", s.Name, s.Name)
	a.command = "seam status"
	a.trials = []trial{{series: []series{level(kept, 0, 7)}, shown: "7"}}
	return a
}

const (
	silenceNow = "seam:source_silence:seconds" // how long nothing has come from a system
	silenceGap = "seam:source_gap:seconds"     // a silence that has just ended, and how long it was
)

// gapLeast is how long a silence is that is remembered: shorter ones would not move a limit that is two hours more.
const gapLeast = 30 * time.Minute

// system is whose word it is, with its sources and their teams.
type system struct {
	name    string
	sources []string
	teams   []string
	limit   time.Duration // declared; 0 to be learned
}

func (c *Config) systems() []system {
	by := map[string]*system{}
	for i := range c.Topology.Sources {
		s := &c.Topology.Sources[i]
		sys := by[string(s.System)]
		if sys == nil {
			sys = &system{name: string(s.System)}
			by[sys.name] = sys
		}
		sys.sources = append(sys.sources, s.Name)
		if !slices.Contains(sys.teams, s.Team) {
			sys.teams = append(sys.teams, s.Team)
		}
		if d := s.SilentAfter.D(); d > 0 && (sys.limit == 0 || d < sys.limit) {
			sys.limit = d
		}
	}
	var out []system
	for _, name := range sortedKeys(by) {
		slices.Sort(by[name].teams)
		out = append(out, *by[name])
	}
	return out
}

// recordedSilence is the silence of every system, whatever source brings what it says, and the silences that ended.
func (c *Config) recordedSilence() []rule {
	var out []rule
	step := c.d(time.Minute)
	for _, s := range c.systems() {
		labels := map[string]string{"system": s.name}
		out = append(out,
			rule{Record: silenceNow, Labels: labels, Expr: fmt.Sprintf(`time() - max(seam_ingest_last_received_timestamp_seconds{source=~%q})`, strings.Join(s.sources, "|"))},
			rule{Record: silenceGap, Labels: labels, Expr: fmt.Sprintf(`%s{system=%q} offset %s > %s{system=%q} and %s{system=%q} offset %s > %s`,
				silenceNow, s.name, step, silenceNow, s.name, silenceNow, s.name, step, seconds(c.span(gapLeast)))})
	}
	return out
}

// silence is the alerts of systems that say nothing. Where no source of a system declares silent_after, its longest silence of two
// weeks and two hours more is the limit, once it has been watched for a week: as seam sources says.
func (c *Config) silence() []alert {
	var out []alert
	for _, s := range c.systems() {
		now := fmt.Sprintf("max by (system) (%s{system=%q})", silenceNow, s.name)
		source := fmt.Sprintf("seam_ingest_last_received_timestamp_seconds{source=%q}", s.sources[0])
		a := alert{name: "SeamSourceSilent", severity: page, about: map[string]string{"system": s.name}, after: 2 * time.Minute, command: "seam sources",
			summary: fmt.Sprintf("Nothing has come from %s for {{ $value | humanizeDuration }}: its webhooks, files or polls have stopped.", s.name)}
		if s.limit > 0 {
			a.expr = fmt.Sprintf("%s > %s", now, seconds(s.limit))
			a.trials = []trial{{series: []series{stamp(source, 0, 2*s.limit.Seconds())}, shown: spoken(2 * s.limit)}}
		} else {
			longest := fmt.Sprintf("(max by (system) (max_over_time(%s{system=%q}[%s])) or 0 * %s)", silenceGap, s.name, c.d(14*24*time.Hour), now)
			a.expr = fmt.Sprintf("%s > %s + %s and max by (system) (%s{system=%q} offset %s)",
				now, longest, seconds(c.span(2*time.Hour)), silenceNow, s.name, c.d(7*24*time.Hour))
			a.trials = c.learned(source)
		}
		for _, team := range s.teams {
			a.team = team
			out = append(out, a)
		}
	}
	return out
}

// learned is the trials of a system that is heard every five minutes but for three hours each night, for eight days, and then no
// more: it is missed after five hours, and in the first week not at all.
func (c *Config) learned(source string) []trial {
	heard := 0.0
	s := series{name: source, at: func(m moment) float64 {
		if hour := int(m.now/m.step/12) % 24; !m.wrong && hour >= 3 || m.now == 0 {
			heard = m.now
		}
		return heard
	}}
	week := func(days int, quiet bool) trial {
		return trial{series: []series{s}, step: 5 * time.Minute, well: time.Duration(days)*24*time.Hour - time.Hour, wrong: 10 * time.Hour, again: 12 * time.Hour, quiet: quiet,
			shown: spoken(c.span(10 * time.Hour))}
	}
	return []trial{week(8, false), week(2, true)}
}
