package review

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Markdown writes the report as a page, as GitHub shows it.
func (r *Report) Markdown(w io.Writer) error {
	p := &printer{w: w}
	p.line("# Reliability review\n")
	p.line(fmt.Sprintf("%s, environment %s. %s\n", r.At.Format(time.DateOnly), cell(r.Environment), r.verdict()))
	r.summary(p)
	if general := r.general(); len(general) > 0 {
		p.line("## The whole\n")
		for _, f := range general {
			p.item(f)
		}
		p.line("")
	}
	for _, list := range [][]Subject{r.Integrations, r.Sources} {
		for i := range list {
			r.section(p, &list[i])
		}
	}
	return p.err
}

// summary is the budgets in a table.
func (r *Report) summary(p *printer) {
	if len(r.Integrations) == 0 {
		return
	}
	p.line("| integration | state | in time | late after | harm after | usual, peak | limit | an hour drains in | tried | remembers |")
	p.line("|---|---|---|---|---|---|---|---|---|---|")
	for i := range r.Integrations {
		s := &r.Integrations[i]
		b := s.Budget
		limit := perSecond(b.Rate)
		if !b.RateDeclared {
			limit += " (none declared)"
		}
		drains := b.Drain.String()
		if b.SlowRate > 0 {
			drains += ", slow hours " + b.DrainSlow.String()
		}
		p.line(fmt.Sprintf("| %s | %s | %s%% | %s | %s | %s, %s | %s | %s | %d times | %s |", s.Name, r.state(s), trim(b.Objective), b.CompleteWithin, b.StaleAfter,
			perSecond(b.Usual), perSecond(b.Peak), limit, drains, b.Attempts, b.Dedup))
	}
	p.line("")
}

// section is one integration or source.
func (r *Report) section(p *printer, s *Subject) {
	p.line(fmt.Sprintf("## %s\n", cell(s.On)))
	p.line(fmt.Sprintf("Team %s. **%s**\n", cell(s.Team), r.state(s)))
	about := r.About(s.On)
	for _, a := range s.Answers {
		p.line(fmt.Sprintf("**%d. %s** %s\n", a.Question, a.Asked, cell(strings.Join(a.Says, " "))))
	}
	for _, f := range about {
		p.item(f)
	}
	if len(about) > 0 {
		p.line("")
	}
}

// item is a finding in a list.
func (p *printer) item(f Finding) {
	if f.Waived != nil {
		p.line(fmt.Sprintf("- waived by %s until %s: %s (`%s`): %s", cell(f.Waived.Owner), f.Waived.Expires, cell(f.Text), f.Rule, cell(f.Waived.Reason)))
		return
	}
	p.line(fmt.Sprintf("- **%s** `%s:%d` %s (`%s`). Mend: %s", f.Severity, f.File, f.Line, cell(f.Text), f.Rule, cell(f.Mend)))
}

// cell keeps a text of the files from being Markdown of its own.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_", "\n", " ").Replace(text)
}

// RulesMarkdown writes every rule in tables by question: docs/review.md holds it.
func RulesMarkdown(w io.Writer) error {
	p := &printer{w: w}
	for _, q := range append([]Question{Files}, Questions...) {
		title := q.String()
		if q != Files {
			title = fmt.Sprintf("%d. %s", q, q)
		}
		p.line("### " + title + "\n")
		p.line("| id | severity | what | why | mend |")
		p.line("|---|---|---|---|---|")
		for i := range rules {
			if rule := &rules[i]; rule.Question == q {
				severity := string(rule.Severity)
				if rule.Invariant {
					severity += ", never waived"
				}
				p.line(fmt.Sprintf("| `%s` | %s | %s | %s | %s |", rule.ID, severity, cell(rule.Title), cell(rule.Why), cell(rule.Mend)))
			}
		}
		p.line("")
	}
	return p.err
}

// RulesText writes every rule for a terminal.
func RulesText(w io.Writer) error {
	p := &printer{w: w}
	for _, q := range append([]Question{Files}, Questions...) {
		p.line(fmt.Sprintf("%d %s", q, q))
		for i := range rules {
			if rule := &rules[i]; rule.Question == q {
				p.line(fmt.Sprintf("  %-30s %s: %s", rule.ID, rule.Severity, rule.Title))
				p.wrap("      ", rule.Why)
				p.wrap("      ", "Mend: "+rule.Mend+".")
			}
		}
		p.line("")
	}
	return p.err
}
