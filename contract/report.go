package contract

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Report is how the shapes of a topology stand.
type Report struct {
	Subjects []Standing `json:"subjects"` // by side, name and topic
	Open     int        `json:"open"`     // drifts of all
}

// Standing is what was expected of one subject, and what was seen.
type Standing struct {
	Side      string     `json:"side"`  // source or integration
	Name      string     `json:"name"`  // of it
	Topic     string     `json:"topic"` // the platform's topic or event type; the route
	Team      string     `json:"team"`
	Declared  string     `json:"declared"` // file, learned, or learning
	Learn     int        `json:"learn"`    // documents from which it is learned
	Documents int64      `json:"documents"`
	Passed    int64      `json:"passed"` // looked at or not
	First     time.Time  `json:"first,omitzero"`
	Last      time.Time  `json:"last,omitzero"`
	Paths     []Path     `json:"paths"`
	Statuses  []Answered `json:"statuses,omitempty"`
	Drifts    []Drift    `json:"drifts"` // open, newest first
}

// Path is one path: what is declared of it, empty for nothing, and what was seen, empty for nothing.
type Path struct {
	Path     string   `json:"path"`
	Declared string   `json:"declared,omitempty"` // string|number?
	Seen     string   `json:"seen,omitempty"`     // null|string
	Present  int64    `json:"present"`            // values
	Absent   int64    `json:"absent"`             // missing or null
	Values   []string `json:"values,omitempty"`
}

// Answered is how often a downstream answered a status.
type Answered struct {
	Status   int64     `json:"status"`
	Declared bool      `json:"declared"`
	Count    int64     `json:"count"`
	Last     time.Time `json:"last"`
}

// Drift is one thing that is not as expected, and still so.
type Drift struct {
	Kind  string    `json:"kind"` // new, missing, type, value, status
	Path  string    `json:"path,omitempty"`
	Seen  string    `json:"seen,omitempty"` // type, word or status; empty where it may be personal
	Count int64     `json:"count"`          // documents, of those looked at
	Since time.Time `json:"since"`
	Last  time.Time `json:"last"`
}

// Of reports what was seen against what the topology declares; names narrows it to sources and integrations of those names.
func Of(t *topology.Topology, seen map[string]*schemas.Contract, names []string) Report {
	out := Report{Subjects: []Standing{}}
	for _, c := range seen {
		if len(names) > 0 && !slices.Contains(names, c.Name) || !lives(t, c) {
			continue
		}
		s := standing(t, c)
		out.Open += len(s.Drifts)
		out.Subjects = append(out.Subjects, s)
	}
	slices.SortFunc(out.Subjects, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(b.Side, a.Side), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Topic, b.Topic))
	})
	return out
}

// lives tells whether the topology still has what the shape is of.
func lives(t *topology.Topology, c *schemas.Contract) bool {
	if c.Side == topology.SideSource {
		return t.Source(c.Name) != nil
	}
	return t.Integration(c.Name) != nil
}

func standing(t *topology.Topology, c *schemas.Contract) Standing {
	rules, declared := c.Baseline, "learning"
	if rules != nil {
		declared = ByLearned
	}
	if shape, ok := t.Declared(c.Side, c.Name, c.Topic); ok {
		rules, declared = Rules(shape), ByFile
	}
	s := Standing{Side: c.Side, Name: c.Name, Topic: c.Topic, Team: c.Team, Declared: declared, Learn: t.Learn, Documents: c.Documents, Passed: c.Passed,
		First: c.First, Last: c.Last, Paths: []Path{}, Drifts: []Drift{}}
	declares := Declares(t, c.Side, c.Name, c.Topic)
	for _, st := range c.Statuses {
		s.Statuses = append(s.Statuses, Answered{st.Status, st.Declared || declares(fmt.Sprint(st.Status)), st.Count, st.Last})
	}
	for _, d := range Pending(c.Drifts, rules, declares) {
		s.Drifts = append(s.Drifts, Drift{d.Kind, d.Path, d.Seen, d.Count, d.Since, d.Last})
	}
	byPath := map[string]*Path{}
	for _, p := range c.Paths {
		byPath[p.Path] = &Path{Path: p.Path, Seen: p.Types, Present: p.Present, Absent: p.Absent, Values: p.Values}
	}
	for _, r := range rules {
		if byPath[r.Path] == nil {
			byPath[r.Path] = &Path{Path: r.Path}
		}
		byPath[r.Path].Declared = ruleText(r)
	}
	for _, p := range byPath {
		s.Paths = append(s.Paths, *p)
	}
	slices.SortFunc(s.Paths, func(a, b Path) int { return cmp.Compare(a.Path, b.Path) })
	return s
}

func ruleText(r schemas.ContractRule) string {
	shape := topology.ShapeRule{Optional: !r.Required, Values: r.Values}
	if r.Types != "" {
		shape.Types = strings.Split(r.Types, "|")
	}
	text := shape.Text()
	if r.Values != nil {
		text += " (" + strings.Join(r.Values, ", ") + ")"
	}
	return text
}

// Text writes a report for people: a line for each subject, its open drift, and with paths every path.
func (r Report) Text(out io.Writer, paths bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SIDE\tNAME\tTOPIC\tDECLARED\tLOOKED AT\tOF\tPATHS\tDRIFT\tLAST\tTEAM")
	for _, s := range r.Subjects {
		declared := s.Declared
		if declared == "learning" {
			declared = fmt.Sprintf("learning, of %d", s.Learn)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Side, s.Name, s.Topic, declared, s.Documents, s.Passed, len(s.Paths), len(s.Drifts), stamp(s.Last), s.Team)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range r.Subjects {
		if err := s.text(out, paths); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%d drifts are open\n", r.Open)
	return err
}

func (s Standing) text(out io.Writer, paths bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Drifts) > 0 || paths {
		fmt.Fprintf(w, "\n%s %s, %s, asks team %s\n", s.Side, s.Name, s.Topic, s.Team)
	}
	for _, d := range s.Drifts {
		fmt.Fprintf(w, "  DRIFT %s\t%s\t%s\t%d documents\tsince %s\tlast %s\n", d.Kind, d.Path, d.Seen, d.Count, stamp(d.Since), stamp(d.Last))
	}
	if !paths {
		return w.Flush()
	}
	for _, a := range s.Statuses {
		declared := "declared"
		if !a.Declared {
			declared = "not declared"
		}
		fmt.Fprintf(w, "  status %d\t%s\t%d answers\tlast %s\n", a.Status, declared, a.Count, stamp(a.Last))
	}
	if len(s.Paths) > 0 {
		fmt.Fprintln(w, "  PATH\tDECLARED\tSEEN\tTHERE\tNOT THERE\tWORDS")
	}
	for _, p := range s.Paths {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%d\t%d\t%s\n", cmp.Or(p.Path, "(document)"), cmp.Or(p.Declared, "-"), cmp.Or(p.Seen, "-"), p.Present, p.Absent, strings.Join(p.Values, " "))
	}
	return w.Flush()
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}
