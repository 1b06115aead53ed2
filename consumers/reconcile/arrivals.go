package reconcile

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// arrival is what came from a source in an hour of our clock. Its parts do not depend on the order in which events come.
type arrival struct {
	n           int64
	last        time.Time // our clock
	ahead, late int64     // ms: how far a source clock was ahead of ours at most, and behind it at least
}

type arrivalKey struct {
	system, source string
	hour           time.Time
}

// arrived counts an event that came for the first time.
func (b *intake) arrived(ev *schemas.Event) {
	if ev == nil || ev.IngestedAt.IsZero() || ev.Type.Corrects() || ev.Type == schemas.OrderObserved {
		return // people have no rhythm, and who is asked has not spoken by himself
	}
	k := arrivalKey{sqlText(string(ev.System)), sqlText(ev.Source), ev.IngestedAt.UTC().Truncate(time.Hour)}
	behind := ev.IngestedAt.Sub(ev.Time).Milliseconds()
	b.arrivals[k] = b.arrivals[k].with(arrival{1, ev.IngestedAt, -behind, behind})
}

func (a arrival) with(o arrival) arrival {
	if a.n == 0 {
		return o
	}
	if a.last.Before(o.last) {
		a.last = o.last
	}
	return arrival{a.n + o.n, a.last, max(a.ahead, o.ahead), min(a.late, o.late)}
}

// writeArrivals adds an intake's arrivals to what the database has.
func (v *View) writeArrivals(ctx context.Context, tx *sql.Tx, b *intake) error {
	var rows [][]any
	for k, a := range b.arrivals {
		var had arrival
		var last moment
		err := tx.QueryRowContext(ctx, v.db.bind("SELECT events, last_at, ahead_ms, behind_ms FROM arrivals WHERE system = ? AND source = ? AND hour = ?"), k.system, k.source, v.db.arg(k.hour)).
			Scan(&had.n, &last, &had.ahead, &had.late)
		switch {
		case err == nil:
			had.last = last.Time
			a = had.with(a)
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("read arrivals: %w", err)
		}
		rows = append(rows, []any{k.system, k.source, k.hour, a.n, a.last, a.ahead, a.late})
	}
	return v.db.upsert(ctx, tx, arrivalsTable, "", rows)
}

// Source is what a system's sources do: their rhythm, their clocks, and whether they have fallen silent.
type Source struct {
	System schemas.System `json:"system"`
	Teams  []string       `json:"teams"`   // of its sources, sorted
	Events int            `json:"events"`  // in the last day of our clock that the view knows
	LastAt time.Time      `json:"last_at"` // our clock; zero where nothing came in two weeks
	// AheadMS is how far its clock was ahead of ours at most in that day, 0 where it never was: events that came before they
	// happened. Only more
	// than 0 is a fault of a clock. BehindMS is how old its events were at least, below 0 where one came before it happened.
	AheadMS  int64 `json:"ahead_ms"`
	BehindMS int64 `json:"behind_ms"`
	// Limit is how long it may be silent, as declared (silent_after), else learned: the longest run of hours without an event
	// in two weeks, and two hours more. Zero while neither is known: a week must have been seen.
	LimitMS  int64 `json:"limit_ms"`
	Declared bool  `json:"declared"`
	Silent   bool  `json:"silent"`
}

const (
	learnFrom  = 14 * 24 * time.Hour
	learnAfter = 7 * 24 * time.Hour
)

// Sources tells of every system that a source speaks for, sorted, as of the moment that the view knows everything of.
func (v *View) Sources(ctx context.Context) ([]Source, error) {
	now := v.horizon()
	rows, err := v.db.QueryContext(ctx, v.db.bind("SELECT system, hour, sum(events), max(last_at), max(ahead_ms), min(behind_ms) FROM arrivals WHERE hour > ? GROUP BY system, hour ORDER BY system, hour"), v.db.arg(now.Add(-learnFrom)))
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	defer rows.Close()
	hours := map[schemas.System][]arrivalHour{}
	for rows.Next() {
		var system schemas.System
		var h arrivalHour
		var hour, last moment
		if err := rows.Scan(&system, &hour, &h.n, &last, &h.ahead, &h.late); err != nil {
			return nil, fmt.Errorf("sources: %w", err)
		}
		h.hour, h.last = hour.Time, last.Time
		hours[system] = append(hours[system], h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	return sourcesOf(v.topo, hours, now), nil
}

// arrivalHour is an hour in which a system spoke.
type arrivalHour struct {
	arrival
	hour time.Time
}

// sourcesOf judges the systems by their hours, which are in order.
func sourcesOf(topo *topology.Topology, hours map[schemas.System][]arrivalHour, now time.Time) []Source {
	by := map[schemas.System]*Source{}
	for i := range topo.Sources {
		s := &topo.Sources[i]
		if by[s.System] == nil {
			by[s.System] = &Source{System: s.System}
		}
		out := by[s.System]
		if !slices.Contains(out.Teams, s.Team) {
			out.Teams = append(out.Teams, s.Team)
		}
		if d := s.SilentAfter.D().Milliseconds(); d > 0 && (!out.Declared || d < out.LimitMS) {
			out.Declared, out.LimitMS = true, d
		}
	}
	for system := range hours {
		if by[system] == nil {
			by[system] = &Source{System: system, Teams: []string{}}
		}
	}
	var out []Source
	for system, s := range by {
		s.judge(hours[system], now)
		slices.Sort(s.Teams)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Source) int { return cmp.Compare(a.System, b.System) })
	return out
}

func (s *Source) judge(hours []arrivalHour, now time.Time) {
	var longest time.Duration
	first := true
	for i, h := range hours {
		if i > 0 {
			longest = max(longest, h.hour.Sub(hours[i-1].hour)-time.Hour)
		}
		if h.last.After(s.LastAt) {
			s.LastAt = h.last
		}
		if h.hour.Before(now.Add(-24 * time.Hour)) {
			continue
		}
		s.Events += int(h.n)
		s.AheadMS = max(s.AheadMS, h.ahead)
		if first || h.late < s.BehindMS {
			s.BehindMS, first = h.late, false
		}
	}
	if !s.Declared && len(hours) > 0 && now.Sub(hours[0].hour) >= learnAfter {
		s.LimitMS = (longest + 2*time.Hour).Milliseconds()
	}
	s.Silent = s.LimitMS > 0 && !now.IsZero() && now.Sub(s.LastAt).Milliseconds() > s.LimitMS
}
