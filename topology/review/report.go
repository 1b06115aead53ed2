package review

import (
	"strconv"
	"strings"
	"time"
)

// Question is one of the six, from 1; 0 is the files themselves, before any question.
type Question int

// The questions.
const (
	Files Question = iota
	Twice
	Owner
	Stale
	Outage
	Success
	Paged
)

// Questions are the six, in their order.
var Questions = []Question{Twice, Owner, Stale, Outage, Success, Paged}

// String is the question as one asks it.
func (q Question) String() string {
	return [...]string{
		"Can the files be read?",
		"What happens if this message arrives twice?",
		"Which system owns this field when they conflict?",
		"How long can the target operate on stale data before the business is harmed?",
		"What is the recovery path when the target is unavailable for an hour?",
		"Can we observe cross-system success, not just transport success?",
		"Who is paged when finance and operations see different numbers?",
	}[q]
}

// Severity says what follows from a finding.
type Severity string

// The severities. An error refuses what it is about; the others refuse nothing.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Report is a review.
type Report struct {
	At           time.Time `json:"at"`
	Environment  string    `json:"environment"`
	Integrations []Subject `json:"integrations"` // sorted by name
	Sources      []Subject `json:"sources"`      // sorted by name
	Findings     []Finding `json:"findings"`     // errors first, then by file and line
}

// Subject is one integration or source with its six answers.
type Subject struct {
	Name    string   `json:"name"`
	On      string   `json:"on"` // as in Finding.On
	Team    string   `json:"team"`
	Answers []Answer `json:"answers"`
	Budget  *Budget  `json:"budget,omitempty"` // of integrations
}

// Answer is what the files say to one question, in sentences.
type Answer struct {
	Question Question `json:"question"`
	Asked    string   `json:"asked"`
	Says     []string `json:"says"`
}

// Finding is a place where an answer is missing, vague or contradicted.
type Finding struct {
	Rule     string   `json:"rule"`
	Question Question `json:"question"`
	Severity Severity `json:"severity"`
	// On is what it is about: "integrations/warehouse", "sources/shopify", "ownership/order.total", "teams/finance",
	// "operations/place", "topics", "money", "waivers/0".
	On     string  `json:"on"`
	File   string  `json:"file"`
	Line   int     `json:"line"` // from 1
	Text   string  `json:"text"`
	Mend   string  `json:"mend"`
	Waived *Waived `json:"waived,omitempty"` // it counts as no error then
}

// Waived says by whom, why and until when a finding is let be.
type Waived struct {
	Owner   string `json:"owner"`
	Reason  string `json:"reason"`
	Expires string `json:"expires"`
}

// Name is On without what kind of thing it is.
func (f Finding) Name() string {
	_, name, ok := strings.Cut(f.On, "/")
	if !ok {
		return f.On
	}
	return name
}

// String is "file:line: text (rule)".
func (f Finding) String() string {
	return f.File + ":" + strconv.Itoa(f.Line) + ": " + f.Text + " (" + f.Rule + ")"
}

// Count is how many findings of a severity are not waived.
func (r *Report) Count(s Severity) int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Severity == s && r.Findings[i].Waived == nil {
			n++
		}
	}
	return n
}

// Waived is how many findings are waived.
func (r *Report) Waived() int {
	n := 0
	for i := range r.Findings {
		if r.Findings[i].Waived != nil {
			n++
		}
	}
	return n
}

// About is the findings on one thing, those that are waived too.
func (r *Report) About(on string) []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.On == on {
			out = append(out, f)
		}
	}
	return out
}

// Narrow leaves of a report what is about the integrations and sources named, and what is about all; unknown holds the names
// that are neither.
func (r *Report) Narrow(names []string) (unknown []string) {
	if len(names) == 0 {
		return nil
	}
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	known := map[string]bool{}
	keep := func(list []Subject) []Subject {
		out := []Subject{}
		for _, s := range list {
			known[s.Name], known[s.On] = true, true
			if wanted[s.Name] || wanted[s.On] {
				out = append(out, s)
			}
		}
		return out
	}
	r.Integrations, r.Sources = keep(r.Integrations), keep(r.Sources)
	left := []Finding{}
	for _, f := range r.Findings {
		known[f.Name()], known[f.On] = true, true // a file that could not be read has no section
		kind, _, _ := strings.Cut(f.On, "/")
		if (kind != "integrations" && kind != "sources") || wanted[f.On] || wanted[f.Name()] {
			left = append(left, f)
		}
	}
	r.Findings = left
	for _, n := range names {
		if !known[n] {
			unknown = append(unknown, n)
		}
	}
	return unknown
}
