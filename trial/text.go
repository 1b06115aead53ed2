package trial

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/binaryandbeyond/seam/consumers/rules"
)

// Write tells of trials as a person reads them: what became of each event, every rule with what it looked at, and the request.
func Write(w io.Writer, integration string, trials []Trial) error {
	for i := range trials {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := trials[i].write(w, integration); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trial) write(w io.Writer, integration string) error {
	fmt.Fprintf(w, "%s of %s, said by %s at %s (event %s)\n", t.Type, t.Subject, t.System, t.Time.UTC().Format(time.RFC3339), t.Event)
	if t.After != "" {
		fmt.Fprintf(w, "was held before; %s lets it go on\n", t.After)
	}
	what := t.Decision
	if t.Detail != "" {
		what += ": " + t.Detail
	}
	if t.Operation != "" {
		what += " (" + t.Operation + ")"
	}
	fmt.Fprintf(w, "%s: %s\n", integration, what)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, s := range t.Steps {
		fmt.Fprintf(tab, "  %d\t%s\t%s\t%s\n", i+1, s.Rule, s.Looked, s.Said)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if err := t.writeFields(w); err != nil {
		return err
	}
	if t.Request == nil {
		return nil
	}
	if t.Note != "" {
		fmt.Fprintln(w, "  "+t.Note)
	}
	fmt.Fprintln(w, "  windows, rate and breaker are not asked here: they only make a call wait")
	return t.Request.write(w)
}

// writeFields tells of every field who owns it and whether it may be sent.
func (t *Trial) writeFields(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range t.Steps {
		for _, f := range s.Fields {
			verdict := "may be sent"
			if !f.Sent {
				verdict = "withheld: " + string(f.Reason)
			}
			owners := "nobody's"
			if len(f.Owners) > 0 {
				owners = "of " + fmt.Sprint(f.Owners)
			}
			fmt.Fprintf(tab, "    %s\t%s\t%s\t%s\n", f.Field, owners, verdict, clip(t.Values[string(f.Field)]))
		}
	}
	return tab.Flush()
}

// clip keeps a value on its line.
func clip(s string) string {
	const most = 60
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// write is the request as it goes over the wire, its body indented.
func (r *Request) write(w io.Writer) error {
	fmt.Fprintf(w, "  %s %s\n", r.Method, r.URL)
	for _, h := range r.Headers {
		fmt.Fprintf(w, "  %s: %s\n", h.Name, h.Value)
	}
	for _, h := range r.Row {
		fmt.Fprintf(w, "  %s = %s\n", h.Name, h.Value)
	}
	if r.Body != nil {
		text, err := json.MarshalIndent(r.Body, "  ", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n  %s\n", text)
	}
	_, err := fmt.Fprintf(w, "  its idempotency key is %s\n", r.Key)
	return err
}

// last is the rule whose word a trial's decision is.
func (t *Trial) last() rules.Step { return t.Steps[len(t.Steps)-1] }
