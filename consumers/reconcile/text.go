package reconcile

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

const clockForm = "2006-01-02 15:04:05.000"

// Write writes the order for a person: the verdict, what is open or differs, one line per fact in the order of our clock,
// and how each integration stands. Times are UTC. What several integrations made of an event without a call is one line.
// Personal values are masked.
func (o *Order) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", noun(o.Topic), o.Key, o.Verdict)
	for _, in := range o.Integrations {
		if in.State != StateComplete || in.Detail != "" {
			fmt.Fprintf(&b, "  %s%s%s\n", in.phrase(), o.span(in.State, in.Since, in.Until), team(in.Team, in.State))
		}
	}
	brief := 0
	for _, d := range o.Disagreements {
		if d.Closed == nil || d.Overdue {
			fmt.Fprintf(&b, "  %s\n", d.phrase())
		} else {
			brief++
		}
	}
	if brief > 0 {
		fmt.Fprintf(&b, "  differences that closed within the time allowed: %d\n", brief)
	}
	if o.Erased {
		b.WriteString("  what is personal of it is erased\n")
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
	if rows := o.traces(); len(rows) > 0 {
		b.WriteString("\n")
		if err := columns(&b, "trace\tevents\t", rows); err != nil {
			return err
		}
	}
	if len(o.Operations) > 0 {
		b.WriteString("\n")
		if err := columns(&b, "operation\tstate\tsince\twhat it needs\t", o.needs()); err != nil {
			return err
		}
	}
	if len(o.ReadBacks) > 0 {
		b.WriteString("\n")
		if err := columns(&b, "read back\tresult\tits clock\tour clock\tage\tsays\t", o.readRows()); err != nil {
			return err
		}
	}
	if len(o.Derived) > 0 {
		b.WriteString("\n")
		if err := columns(&b, "made from facts\tid\tfact\twhose\tage\tothers\t", o.origins()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// needs is a tab-separated line per operation.
func (o *Order) needs() []string {
	var out []string
	for _, op := range o.Operations {
		since := ""
		if op.Since != nil {
			since = op.Since.Format(clockForm)
		}
		var steps []string
		for _, n := range op.Steps {
			text := n.What + " " + string(n.State)
			if n.Until != nil {
				text += " until " + n.Until.Format(clockForm)
			}
			if n.Detail != "" {
				text += " (" + flat(n.Detail) + ")"
			}
			steps = append(steps, text)
		}
		out = append(out, strings.Join([]string{op.Name, string(op.State), since, strings.Join(steps, ", ")}, "\t"))
	}
	return out
}

// traces is a tab-separated line per trace that events came in, in the order of the first.
func (o *Order) traces() []string {
	var ids []string
	types := map[string][]string{}
	for _, ev := range o.Events {
		if ev.TraceID == "" {
			continue
		}
		if types[ev.TraceID] == nil {
			ids = append(ids, ev.TraceID)
		}
		types[ev.TraceID] = append(types[ev.TraceID], string(ev.Type))
	}
	for i, id := range ids {
		ids[i] = id + "\t" + strings.Join(types[id], ", ")
	}
	return ids
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
	what := fieldOf(d.Field, d.Object)
	if d.Closed != nil {
		return fmt.Sprintf("agreed again on %s: %s said %q until %s, after %s; %s's word is %q", what, d.System, flat(d.Value), d.Closed.Format(clockForm), about(d.Duration()), d.Owner, flat(d.OwnerValue))
	}
	s := fmt.Sprintf("%s says %q of %s, %s (its owner) %q; since %s (%s)", d.System, flat(d.Value), what, d.Owner, flat(d.OwnerValue), d.Since.Format(clockForm), about(d.Duration()))
	if d.Accepted != "" {
		s += fmt.Sprintf("; %s's %q was accepted at %s by %s", d.Accepted, flat(d.AcceptedValue), d.AcceptedAt.Format(clockForm), d.AcceptedBy)
		if d.State == DisagreementAccepted || d.State == DisagreementOverdue {
			s += " (" + flat(d.Who) + "): " + flat(d.Why)
		}
	}
	switch d.State {
	case DisagreementOverdue:
		return s + "; page " + d.Page
	case DisagreementAccepted:
		return s + "; to come round until " + d.Deadline.Format(clockForm)
	case DisagreementAcknowledged:
		return s + "; acknowledged by " + d.Who + ": " + flat(d.Why)
	case DisagreementWaived:
		if d.WaivedUntil != nil {
			s += "; until " + d.WaivedUntil.Format(clockForm)
		}
		return s + " waived by " + d.Who + ": " + flat(d.Why)
	}
	return s + ", tolerated until " + d.Deadline.Format(clockForm)
}

// fieldOf is "payment.amount of ch_1".
func fieldOf(field schemas.Field, object string) string {
	if object == "" {
		return string(field)
	}
	return string(field) + " of " + object
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
	case f.BehindRecords < 0 && !f.CaughtUpAt.IsZero():
		return "everything that came before " + f.CaughtUpAt.Format(clockForm) + " is in this answer"
	case f.BehindRecords < 0:
		return "how far behind the topics this is, is not known yet"
	case f.BehindRecords == 0:
		return "nothing is behind, as of " + f.CheckedAt.Format(clockForm)
	case f.CaughtUpAt.IsZero():
		return fmt.Sprintf("%d records are not in this answer yet", f.BehindRecords)
	}
	return fmt.Sprintf("%d records are not in this answer yet: what happened since %s cannot be known", f.BehindRecords, f.CaughtUpAt.Format(clockForm))
}
