package review

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Review asks the six questions of a topology that was loaded and not scaled: numbers that a demo has compressed contradict those
// it has not. now is what waivers expire by. It does no I/O.
func Review(t *topology.Topology, now time.Time) Report {
	return examine(t, nil, now)
}

// Folder is Review of a folder of files, with the faults that keep it from loading among the findings. lookup gives environment
// variables; what depends on one that is not set is not judged.
func Folder(fsys fs.FS, lookup func(string) (string, bool), now time.Time) Report {
	t, faults := topology.LoadForReview(fsys, lookup)
	return examine(t, faults, now)
}

func examine(t *topology.Topology, faults []*topology.Fault, now time.Time) Report {
	s := &scope{t: t, now: now, bodies: map[*topology.Route][]schemas.Field{}, report: Report{At: now.UTC(), Environment: t.Environment, Integrations: []Subject{}, Sources: []Subject{}, Findings: []Finding{}}}
	s.faults(faults)
	for i := range rules {
		if s.rule = &rules[i]; !s.silent[s.rule.Question] {
			s.apply()
		}
	}
	for i := range t.Integrations {
		if in := &t.Integrations[i]; in.Name != "" {
			s.report.Integrations = append(s.report.Integrations, s.integration(in))
		}
	}
	for i := range t.Sources {
		if src := &t.Sources[i]; src.Name != "" {
			s.report.Sources = append(s.report.Sources, s.source(src))
		}
	}
	s.waive()
	slices.SortStableFunc(s.report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return s.report
}

// weight sorts errors before warnings before notes, and what is waived last.
func weight(f Finding) int {
	if f.Waived != nil {
		return 3
	}
	return slices.Index([]Severity{Error, Warning, Note}, f.Severity)
}

// scope is what a rule sees: the topology, and what it is asked about.
type scope struct {
	t      *topology.Topology
	now    time.Time
	report Report
	bodies map[*topology.Route][]schemas.Field
	blind  map[string]bool   // files that could not be read
	silent map[Question]bool // questions that cannot be asked for that
	rule   *Rule
	on     string // of the subject
	file   string
}

// apply asks the scope's rule of everything it is about.
func (s *scope) apply() {
	if s.rule.in != nil {
		for i := range s.t.Integrations {
			if in := &s.t.Integrations[i]; in.Name != "" && len(in.Deliver) > 0 { // else the loader has said so
				s.on, s.file = "integrations/"+in.Name, topology.File(in.Mark)
				s.rule.in(s, in)
			}
		}
	}
	if s.rule.src != nil {
		for i := range s.t.Sources {
			if src := &s.t.Sources[i]; src.Name != "" {
				s.on, s.file = "sources/"+src.Name, topology.File(src.Mark)
				s.rule.src(s, src)
			}
		}
	}
	if s.rule.all != nil {
		s.rule.all(s)
	}
}

// found records a finding on the subject, at a key of its file.
func (s *scope) found(key, format string, args ...any) {
	s.at(s.on, s.file, key, format, args...)
}

// at records a finding on anything, at a key of any file.
func (s *scope) at(on, file, key, format string, args ...any) {
	line, _, _ := s.t.Written(file, key)
	s.report.Findings = append(s.report.Findings, Finding{Rule: s.rule.ID, Question: s.rule.Question, Severity: s.rule.Severity,
		On: on, File: file, Line: line, Text: fmt.Sprintf(format, args...), Mend: s.rule.Mend})
}

// text is a key of the subject's file as it is written, with its variables.
func (s *scope) text(key string) string {
	_, text, _ := s.t.Written(s.file, key)
	return text
}

// says tells whether a key of the subject's file is written.
func (s *scope) says(key string) bool {
	_, _, ok := s.t.Written(s.file, key)
	return ok
}

// emitters are the sources that may send a type.
func (s *scope) emitters(et schemas.EventType) []*topology.Source {
	var out []*topology.Source
	for i := range s.t.Sources {
		if src := &s.t.Sources[i]; src.May(et) {
			out = append(out, src)
		}
	}
	return out
}

// speakers are the sources that speak for a system.
func (s *scope) speakers(system schemas.System) []*topology.Source {
	var out []*topology.Source
	for i := range s.t.Sources {
		if src := &s.t.Sources[i]; src.System == system {
			out = append(out, src)
		}
	}
	return out
}
