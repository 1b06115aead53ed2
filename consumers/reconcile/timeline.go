package reconcile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// row is one line of the timeline.
type row struct {
	at     time.Time
	rank   int    // of rows at one time: events, calls, outcomes
	source string // source clock
	where  string
	what   string
}

// timeline is a tab-separated line per fact.
func (o *Order) timeline() []string {
	var rows []row
	for _, ev := range o.Events {
		rows = append(rows, ev.row())
	}
	quiet := map[quietKey]*quiet{}
	for _, in := range o.Integrations {
		for _, a := range in.Answers {
			if a.Reason != schemas.ReasonNotSubscribed {
				rows = append(rows, a.rows(in.Name, quiet)...)
			}
		}
	}
	for _, q := range quiet {
		rows = append(rows, q.row())
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rank, b.rank), cmp.Compare(a.where, b.where), cmp.Compare(a.what, b.what))
	})
	out := make([]string, len(rows))
	for i, r := range rows {
		clock := "?"
		if !r.at.IsZero() {
			clock = r.at.Format(clockForm)
		}
		out[i] = strings.Join([]string{clock, r.source, r.where, flat(r.what)}, "\t")
	}
	return out
}

// row is the line of an event.
func (ev Event) row() row {
	r := row{at: ev.IngestedAt, where: cmp.Or(string(ev.System), "?")}
	switch {
	case ev.Time.IsZero():
	case ev.Time.Format(time.DateOnly) == ev.IngestedAt.Format(time.DateOnly):
		r.source = ev.Time.Format("15:04:05.000")
	default:
		r.source = ev.Time.Format(clockForm)
	}
	r.what = cmp.Or(string(ev.Type), "event") + "  " + string(ev.ID)
	if at, err := time.Parse(time.RFC3339Nano, ev.SourceVersion); ev.SourceVersion != "" && (err != nil || !at.Equal(ev.Time)) {
		r.what += " version " + ev.SourceVersion
	}
	if ev.Copies > 1 {
		r.what += fmt.Sprintf(" (came %d times)", ev.Copies)
	}
	if ev.Copies == 0 {
		r.what += " (no longer in the topic)"
	}
	if ev.SameFactAs != "" {
		r.what += " (the same fact as " + short(ev.SameFactAs) + ")"
	}
	if ev.ReadBack != "" {
		r.what += " (read-back of " + ev.ReadBack + ")"
	}
	if c := ev.Correction; c != nil {
		r.what += fmt.Sprintf(": %s is what %s says, decided by %s: %s", fieldOf(c.Field, c.Object), c.Of, c.Who, c.Why)
	}
	if ev.Undecodable != "" {
		r.what += " (cannot be read: " + ev.Undecodable + ")"
	}
	return r
}

// short is the first group of an id that is a UUID.
func short(id schemas.EventID) string {
	if len(id) == 36 && id[8] == '-' {
		return string(id[:8])
	}
	return string(id)
}

// what names the event of an answer.
func (a Answer) what() string { return strings.TrimSpace(string(a.EventType) + " " + short(a.EventID)) }

// rows is the calls of an answer and its outcomes. The call that made a final outcome stands in its line; outcomes without
// a call are put into quiet.
func (a Answer) rows(integration string, quiet map[quietKey]*quiet) []row {
	var out []row
	calls, last := a.Attempts, a.last()
	for i, s := range a.Steps {
		held := ""
		if i == last {
			held = a.withheld()
		}
		r := row{at: s.At, rank: 2, where: integration, what: a.what() + ": " + strings.ReplaceAll(string(s.Kind), "_", " ")}
		switch s.Kind {
		case schemas.Duplicate, schemas.Withheld, schemas.Superseded:
			gather(quiet, a, s, integration, held)
			continue
		case schemas.Delivered, schemas.AlreadyDone:
			if n := len(calls); n > 0 && calls[n-1].Class == string(s.Kind) {
				r.what += " by call " + calls[n-1].text(n)
				calls = calls[:n-1]
			}
			if a.Reference != "" {
				r.what += ", reference " + a.Reference
			}
		default:
		}
		if s.Reason != "" {
			r.what += " (" + string(s.Reason) + ")"
		}
		if s.Detail != "" {
			r.what += ": " + s.Detail
		}
		r.what += held
		out = append(out, r)
	}
	for i, t := range calls {
		text := a.what() + ": call " + t.text(i+1) + ": " + t.Class
		if t.Detail != "" {
			text += ": " + t.Detail
		}
		out = append(out, row{at: t.At, rank: 1, where: integration, what: text})
	}
	return out
}

// last is the place of the step that the answer's kind is of; -1 for none.
func (a Answer) last() int {
	for i := len(a.Steps) - 1; i >= 0; i-- {
		if a.Steps[i].Kind == a.Kind && a.Steps[i].Reason == a.Reason {
			return i
		}
	}
	return -1
}

// withheld is "; withheld order.status: stale, order.total: not_owner"; empty where nothing was.
func (a Answer) withheld() string {
	out := ""
	for i, field := range a.WithheldFields {
		sep := ", "
		if i == 0 {
			sep = "; withheld "
		}
		if out += sep + field; a.whyWithheld(i) != "" {
			out += ": " + a.whyWithheld(i)
		}
	}
	return out
}

// withheldJSON is {"order.status":"stale","order.total":"not_owner"}, by field.
func (a Answer) withheldJSON() string {
	out := make(map[string]string, len(a.WithheldFields))
	for i, field := range a.WithheldFields {
		out[field] = a.whyWithheld(i)
	}
	b, _ := json.Marshal(out) // of strings
	return string(b)
}

// whyWithheld is the reason of one of WithheldFields; empty where it was not kept.
func (a Answer) whyWithheld(i int) string {
	if i >= len(a.WithheldReasons) {
		return ""
	}
	return string(a.WithheldReasons[i])
}

// text is "2 (503 in 12ms)".
func (t Attempt) text(n int) string {
	status := ""
	if t.Status != 0 {
		status = fmt.Sprintf("%d in ", t.Status)
	}
	return fmt.Sprintf("%d (%s%s)", n, status, time.Duration(t.TookMS)*time.Millisecond)
}

// quietKey is what outcomes without a call have in common to stand in one line.
type quietKey struct {
	event  schemas.EventID
	kind   schemas.Kind
	reason schemas.Reason
	held   string // what was withheld, and why
}

// quiet is what several integrations made of one event without a call.
type quiet struct {
	quietKey
	at     time.Time // of the first
	what   string
	detail string // empty where they differ
	names  []string
	mixed  bool
}

func gather(all map[quietKey]*quiet, a Answer, s Step, integration, held string) {
	k := quietKey{a.EventID, s.Kind, s.Reason, held}
	q := all[k]
	if q == nil {
		q = &quiet{quietKey: k, at: s.At, what: a.what(), detail: s.Detail}
		all[k] = q
	}
	if s.At.Before(q.at) {
		q.at = s.At
	}
	q.mixed = q.mixed || q.detail != s.Detail
	if !slices.Contains(q.names, integration) {
		q.names = append(q.names, integration)
	}
}

// row is "order.updated ac608fd8: duplicate (same_business) in erp, tax".
func (q *quiet) row() row {
	r := row{at: q.at, rank: 2, where: q.names[0], what: fmt.Sprintf("%s: %s (%s)", q.what, q.kind, q.reason)}
	if len(q.names) > 1 {
		r.where = fmt.Sprintf("%d systems", len(q.names))
		r.what += " in " + strings.Join(q.names, ", ")
	}
	if !q.mixed && q.detail != "" {
		r.what += ": " + q.detail
	}
	r.what += q.held
	return r
}

// standings is a tab-separated line per integration.
func (o *Order) standings() []string {
	var out []string
	for _, in := range o.Integrations {
		since := ""
		if in.Since != nil {
			since = in.Since.Format(clockForm)
		}
		out = append(out, strings.Join([]string{in.Name, string(in.State), since, in.counts()}, "\t"))
	}
	return out
}

// counts is "2 delivered, 1 parked, 3 duplicate, by 4 calls": what has no outcome counts by its state.
func (in Integration) counts() string {
	by, calls := map[string]int{}, 0
	for _, a := range in.Answers {
		if a.Reason != schemas.ReasonNotSubscribed {
			by[cmp.Or(string(a.Kind), string(a.State))]++
			calls += len(a.Attempts)
		}
	}
	order := []schemas.Kind{schemas.Delivered, schemas.AlreadyDone, schemas.Rejected, schemas.Parked, schemas.Discarded, schemas.Expired, schemas.Superseded, schemas.Withheld, schemas.Duplicate, schemas.Unrecognized,
		schemas.Kind(StatePending), schemas.Kind(StateLate), schemas.Kind(StateMissing)}
	var parts []string
	for _, k := range order {
		if n := by[string(k)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(k), "_", " ")))
		}
	}
	if calls > 0 {
		parts = append(parts, fmt.Sprintf("by %d calls", calls))
	}
	return strings.ReplaceAll(strings.Join(parts, ", "), "by 1 calls", "by 1 call")
}
