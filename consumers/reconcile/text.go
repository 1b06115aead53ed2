package reconcile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

const clockForm = "2006-01-02 15:04:05.000"

// Write writes the order for a person: the verdict, one line per fact in the order of our clock, how each integration
// stands, and what systems disagree about. Times are UTC. Personal values are masked.
func (o *Order) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", noun(o.Topic), o.Key, o.Verdict)
	for _, in := range o.Integrations {
		if in.State != StateComplete || in.Detail != "" {
			fmt.Fprintf(&b, "  %s%s%s\n", in.phrase(), o.span(in.State, in.Since, in.Until), team(in.Team, in.State))
		}
	}
	for _, d := range o.Disagreements {
		fmt.Fprintf(&b, "  %s\n", d.phrase())
	}
	if o.Freshness != nil && o.Freshness.BehindRecords != 0 {
		fmt.Fprintf(&b, "  %s\n", o.Freshness)
	}
	b.WriteString("\n")
	if err := columns(&b, "clock (UTC)\tsource clock\twhere\twhat\t", o.timeline()); err != nil {
		return err
	}
	b.WriteString("\n")
	if err := columns(&b, "integration\tstate\tsince\tanswers\t", o.standings()); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columns writes a table without trailing spaces.
func columns(w io.Writer, head string, rows []string) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([]string{head}, rows...) {
		fmt.Fprintln(t, row)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// noun is what a key of a topic is.
func noun(topic string) string {
	switch topic {
	case schemas.TopicCustomers:
		return "customer"
	case schemas.TopicInventory:
		return "item"
	}
	return "order"
}

// phrase is "parked in warehouse: order.created: business_no: answered 422".
func (in Integration) phrase() string {
	s := string(in.State) + " in " + in.Name
	if in.Detail != "" {
		s += ": " + flat(in.Detail)
	}
	return s
}

// span is ", since 2026-11-23 07:15:00.000 (2h5m0s), until ..." of a state that lasts.
func (o *Order) span(s State, since, until *time.Time) string {
	if s == StateComplete || since == nil {
		return ""
	}
	text := fmt.Sprintf("; since %s (%s)", since.Format(clockForm), about(o.AsOf.Sub(*since)))
	if until != nil {
		text += ", until " + until.Format(clockForm)
	}
	return text
}

// team is "; page fulfilment" where a person is due.
func team(name string, s State) string {
	if name == "" || s.rank() <= StatePending.rank() {
		return ""
	}
	return "; page " + name
}

// phrase is one line for a disagreement.
func (d Disagreement) phrase() string {
	what := string(d.Field)
	if d.Object != "" {
		what += " of " + d.Object
	}
	if d.Closed != nil {
		return fmt.Sprintf("agreed again on %s: %s said %q until %s, after %s; %s's word is %q", what, d.System, flat(d.Value), d.Closed.Format(clockForm), about(d.Duration()), d.Owner, flat(d.OwnerValue))
	}
	s := fmt.Sprintf("%s says %q of %s, %s (its owner) %q; since %s (%s)", d.System, flat(d.Value), what, d.Owner, flat(d.OwnerValue), d.Since.Format(clockForm), about(d.Duration()))
	if d.Overdue {
		return s + "; page " + d.Page
	}
	return s + ", tolerated until " + d.Deadline.Format(clockForm)
}

// about rounds a duration to what a person takes in.
func about(d time.Duration) time.Duration {
	switch {
	case d < 0:
		return 0
	case d < 10*time.Second:
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

// row is one line of the timeline.
type row struct {
	at   time.Time
	rank int // of rows at one time: events, attempts, outcomes
	text string
}

// timeline is a tab-separated line per fact.
func (o *Order) timeline() []string {
	var rows []row
	for _, ev := range o.Events {
		rows = append(rows, ev.row())
	}
	for _, in := range o.Integrations {
		for _, a := range in.Answers {
			rows = append(rows, a.rows(in.Name)...)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.rank, b.rank)) })
	out := make([]string, len(rows))
	for i, r := range rows {
		clock := "?"
		if !r.at.IsZero() {
			clock = r.at.Format(clockForm)
		}
		out[i] = clock + "\t" + r.text
	}
	return out
}

func (ev Event) row() row {
	source, system := "", string(ev.System)
	if !ev.Time.IsZero() {
		source = ev.Time.Format(clockForm)
	}
	if system == "" {
		system = "?"
	}
	text := fmt.Sprintf("%s  %s", cmp.Or(string(ev.Type), "event"), ev.ID)
	if ev.SourceVersion != "" {
		text += " version " + ev.SourceVersion
	}
	if ev.Copies > 1 {
		text += fmt.Sprintf(" (came %d times)", ev.Copies)
	}
	if ev.Copies == 0 {
		text += " (no longer in the topic)"
	}
	if ev.SameFactAs != "" {
		text += " (the same fact as " + string(ev.SameFactAs) + ")"
	}
	if ev.Undecodable != "" {
		text += " (cannot be read: " + flat(ev.Undecodable) + ")"
	}
	return row{ev.IngestedAt, 0, source + "\t" + system + "\t" + text}
}

// rows is the calls of an answer and its outcomes. What an integration does not act on is left out.
func (a Answer) rows(integration string) []row {
	var out []row
	if a.Reason == schemas.ReasonNotSubscribed {
		return nil
	}
	what := cmp.Or(string(a.EventType), string(a.EventID))
	for i, t := range a.Attempts {
		answer := t.Class
		if t.Status != 0 {
			answer = fmt.Sprintf("%d %s", t.Status, t.Class)
		}
		text := fmt.Sprintf("%s: call %d: %s in %s", what, i+1, answer, time.Duration(t.TookMS)*time.Millisecond)
		if t.Detail != "" {
			text += ": " + flat(t.Detail)
		}
		out = append(out, row{t.At, 1, "\t" + integration + "\t" + text})
	}
	for i, s := range a.Steps {
		text := what + ": " + strings.ReplaceAll(string(s.Kind), "_", " ")
		if s.Reason != "" {
			text += " (" + string(s.Reason) + ")"
		}
		if s.Detail != "" {
			text += ": " + flat(s.Detail)
		}
		if a.Reference != "" && i == len(a.Steps)-1-a.trailing() {
			text += ", reference " + a.Reference
		}
		out = append(out, row{s.At, 2, "\t" + integration + "\t" + text})
	}
	return out
}

// trailing is how many of the last steps are about copies of the event.
func (a Answer) trailing() int {
	n := 0
	for i := len(a.Steps) - 1; i > 0 && a.Steps[i].Kind == schemas.Duplicate && a.Steps[i].Reason == schemas.ReasonSameEvent; i-- {
		n++
	}
	return n
}

// standings is a tab-separated line per integration.
func (o *Order) standings() []string {
	var out []string
	for _, in := range o.Integrations {
		var answers []string
		for _, a := range in.Answers {
			if a.Reason == schemas.ReasonNotSubscribed {
				continue
			}
			s := strings.ReplaceAll(cmp.Or(string(a.Kind), string(a.State)), "_", " ")
			if n := len(a.Attempts); n > 1 {
				s += fmt.Sprintf(" in %d calls", n)
			}
			answers = append(answers, cmp.Or(string(a.EventType), string(a.EventID))+" "+s)
		}
		since := ""
		if in.Since != nil {
			since = in.Since.Format(clockForm)
		}
		out = append(out, strings.Join([]string{in.Name, string(in.State), since, strings.Join(answers, ", ")}, "\t"))
	}
	return out
}

// flat keeps a text on one line of a table, without control characters that a terminal would obey.
func flat(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// String is one sentence.
func (f *Freshness) String() string {
	switch {
	case f.BehindRecords < 0:
		return "how far behind the topics this is, is not known yet"
	case f.BehindRecords == 0:
		return "nothing is behind, as of " + f.CheckedAt.Format(clockForm)
	case f.CaughtUpAt.IsZero():
		return fmt.Sprintf("%d records are not in this answer yet", f.BehindRecords)
	}
	return fmt.Sprintf("%d records are not in this answer yet; all before %s are", f.BehindRecords, f.CaughtUpAt.Format(clockForm))
}
