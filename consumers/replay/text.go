package replay

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText tells a plan to a person.
func (p *Plan) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TOPIC\tPARTITION\tFROM\tTO\tEVENTS")
	for _, part := range p.Partitions {
		if part.From < part.To {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\n", part.Topic, part.Partition, part.From, part.To, part.Events)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s (group %s): %s of %s\n", p.Integration, p.Group, many(p.Events, "event"), many(p.Orders, "order"))
	finished := 0
	for _, n := range p.Finished {
		finished += n
	}
	if finished > 0 {
		fmt.Fprintf(w, "  finished  %d: %s\n", finished, counted(p.Finished))
	}
	p.line(w, "parked", p.Parked, "they wait, and go on waiting (seam parked)")
	p.line(w, "beyond", p.Beyond, "older than the ledger remembers: taken as finished")
	if p.Redeliver {
		p.line(w, "unread", p.Unread, "nobody has handled them: a replay without --redeliver does")
		fmt.Fprintf(w, "  chosen    %d, of which %s of %s are delivered again\n", p.Chosen, many(p.Again, "event"), many(p.AgainOf, "order"))
	} else {
		p.line(w, "unread", p.Unread, "nobody has handled them: they are handled as any event")
	}
	if err := p.writeSteps(w); err != nil {
		return err
	}
	if len(p.Calls) == 0 {
		_, err := fmt.Fprintln(w, "\nNo call would be made.")
		return err
	}
	return nil
}

// line is one count, where there is any.
func (p *Plan) line(w io.Writer, what string, n int, means string) {
	if n > 0 {
		fmt.Fprintf(w, "  %-8s  %d: %s\n", what, n, means)
	}
}

// writeSteps is a table of the calls and of what ends without one.
func (p *Plan) writeSteps(w io.Writer) error {
	if len(p.Calls)+len(p.Others) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nCOUNT\tWHAT\tOPERATION\tEXAMPLE\tDETAIL")
	for _, s := range append(slices.Clone(p.Calls), p.Others...) {
		what := s.Request
		if s.Kind != "" {
			what = "no call: " + strings.TrimSuffix(string(s.Kind)+"/"+string(s.Reason), "/")
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s of %s\t%s\n", s.Count, what, cmp.Or(s.Operation, "-"), s.Example.EventType, s.Example.Key, s.Example.Detail)
	}
	return t.Flush()
}

// WriteText tells a run to a person.
func (run *Run) WriteText(w io.Writer) error {
	if run.plan.Redeliver {
		_, err := fmt.Fprintf(w, "replay %s: %d of %d events have come to an end or wait, %s made: %s\n", run.ID, run.Done, run.Asked, many(run.Called, "call"), cmp.Or(counted(run.Outcomes), "nothing yet"))
		return err
	}
	_, err := fmt.Fprintf(w, "replay %s: %d of %d partitions read: %s, %d finished before, %d beyond the ledger's memory, %d handled\n", run.ID, run.Done, run.Asked, many(int(run.Read), "event"), run.Finished, run.Beyond, run.Handled)
	return err
}

// counted is "12 delivered, 3 withheld", the most first.
func counted(of map[string]int) string {
	names := slices.Sorted(maps.Keys(of))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(of[b], of[a]) })
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(out, ", ")
}

// many is "1 order", "2 orders".
func many(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
