package review

import (
	"fmt"
	"io"
	"strings"
)

const textWidth = 100

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) error {
	p := &printer{w: w}
	for _, list := range [][]Subject{r.Integrations, r.Sources} {
		for i := range list {
			r.subject(p, &list[i])
		}
	}
	general := r.general()
	if len(general) > 0 {
		p.line("THE WHOLE")
		for _, f := range general {
			p.finding(f)
		}
		p.line("")
	}
	p.line(r.verdict())
	return p.err
}

// general is the findings that are about no integration and no source.
func (r *Report) general() []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if !strings.HasPrefix(f.On, "integrations/") && !strings.HasPrefix(f.On, "sources/") || !r.has(f.On) {
			out = append(out, f)
		}
	}
	return out
}

// has tells whether a thing has a section of its own.
func (r *Report) has(on string) bool {
	for _, list := range [][]Subject{r.Integrations, r.Sources} {
		for i := range list {
			if list[i].On == on {
				return true
			}
		}
	}
	return false
}

// subject writes one integration or source.
func (r *Report) subject(p *printer, s *Subject) {
	kind := "integration"
	if s.Budget == nil {
		kind = "source"
	}
	p.line(fmt.Sprintf("%s  %s, of team %s: %s", strings.ToUpper(s.Name), kind, s.Team, r.state(s)))
	about := r.About(s.On)
	for _, a := range s.Answers {
		p.line(fmt.Sprintf("  %d %s", a.Question, a.Asked))
		for _, says := range a.Says {
			p.wrap("    ", says)
		}
		for _, f := range about {
			if f.Question == a.Question {
				p.finding(f)
			}
		}
	}
	for _, f := range about {
		if f.Question == Files {
			p.finding(f)
		}
	}
	p.line("")
}

// state is a subject's verdict in a few words.
func (r *Report) state(s *Subject) string {
	errs, warns := 0, 0
	for _, f := range r.About(s.On) {
		switch {
		case f.Waived != nil:
		case f.Severity == Error:
			errs++
		case f.Severity == Warning:
			warns++
		}
	}
	switch {
	case errs > 0:
		return fmt.Sprintf("REFUSED, %d to mend", errs)
	case warns > 0:
		return fmt.Sprintf("may run, %s", count(warns, "warning"))
	}
	return "may run"
}

// verdict is the last line.
func (r *Report) verdict() string {
	text := fmt.Sprintf("%s, %s: %s, %s, %s", count(len(r.Integrations), "integration"), count(len(r.Sources), "source"),
		count(r.Count(Error), "error"), count(r.Count(Warning), "warning"), count(r.Count(Note), "note"))
	if n := r.Waived(); n > 0 {
		text += fmt.Sprintf(", %d waived", n)
	}
	if r.Count(Error) > 0 {
		return text + ". What is refused is not started and not applied."
	}
	return text + "."
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, text)
	}
}

// wrap writes a text in lines of textWidth, each indented.
func (p *printer) wrap(indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > textWidth && strings.TrimSpace(line) != "" {
			p.line(line)
			line = indent
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += word
	}
	p.line(line)
}

// finding writes one with its mend.
func (p *printer) finding(f Finding) {
	if f.Waived != nil {
		p.wrap("    ", fmt.Sprintf("waived  %s (%s)", f.Text, f.Rule))
		p.wrap("            ", fmt.Sprintf("by %s until %s: %s", f.Waived.Owner, f.Waived.Expires, f.Waived.Reason))
		return
	}
	p.line(fmt.Sprintf("    %s  %s", strings.ToUpper(string(f.Severity)), f))
	if f.Severity != Note {
		p.wrap("            ", f.Mend)
	}
}
