package contract

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Kinds of drift.
const (
	New     = "new"     // a path that was not expected
	Missing = "missing" // a path that always had a value has none
	Type    = "type"    // another type than expected
	Word    = "value"   // another word of an enumeration
	Status  = "status"  // a status that the integration does not declare
)

// The values of schemas.Contract.Declared.
const (
	ByFile    = "file"
	ByLearned = "learned"
)

// Learn is what is expected of a shape that was seen: its types, what always had a value, and the words of enumerations whose
// words came often. Of what came seldom nothing is required.
func Learn(paths []schemas.ContractPath) []schemas.ContractRule {
	out := make([]schemas.ContractRule, 0, len(paths))
	for _, p := range paths {
		r := schemas.ContractRule{Path: p.Path, Types: (kindsOf(p.Types) &^ Null).String(), Required: p.Absent == 0 && p.Present >= sure}
		if !p.Open && p.Present >= int64(sure*len(p.Values)) {
			r.Values = p.Values
		}
		out = append(out, r)
	}
	return out
}

// Rules are the rules of a shape that a file declares, by path. Its root is what the paths say: a list where they begin with [].
func Rules(shape topology.Shape) []schemas.ContractRule {
	out := []schemas.ContractRule{}
	for path, r := range shape {
		out = append(out, schemas.ContractRule{Path: path, Types: strings.Join(r.Types, "|"), Required: !r.Optional, Values: r.Values})
	}
	if _, said := shape[""]; !said {
		root := Object
		if len(shape) == 0 {
			root = 0
		}
		for path := range shape {
			if strings.HasPrefix(path, "[]") {
				root = Array
			}
		}
		out = append(out, schemas.ContractRule{Types: root.String(), Required: true})
	}
	slices.SortFunc(out, func(a, b schemas.ContractRule) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// settle makes what was seen so far what is expected.
func (s *Subject) settle() {
	s.hold(ByLearned, Learn(s.seen()))
	s.log.Info("contract learned", "side", s.side, "name", s.name, "topic", s.topic, "documents", s.base.Documents+s.docs)
}

// hold has documents held to rules.
func (s *Subject) hold(declared string, rules []schemas.ContractRule) {
	s.declared, s.news = declared, true
	for _, r := range rules {
		p := s.find(r.Path)
		if p == nil {
			continue
		}
		p.rule = &rule{kinds: kindsOf(r.Types), required: r.Required}
		if r.Values != nil {
			p.rule.words = map[string]bool{}
			for _, text := range r.Values {
				p.rule.words[text] = true
			}
		}
	}
	s.root.each(func(p, _ *place) {
		p.needs = 0
		for _, kid := range p.kids {
			if kid.rule != nil && kid.rule.required {
				p.needs++
			}
		}
	})
}

// seen is every path with what was seen at it, in order. Places that rules made and nothing was seen at are none.
func (s *Subject) seen() []schemas.ContractPath {
	out := []schemas.ContractPath{}
	s.root.each(func(p, parent *place) {
		if c := p.seen(parent); !c.First.IsZero() || c.Types != "" {
			out = append(out, c)
		}
	})
	slices.SortFunc(out, func(a, b schemas.ContractPath) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// Pending is the drift of a shape that rules do not account for, the newest first. declares tells of a status whether it is
// declared by now.
func Pending(drifts []schemas.ContractDrift, rules []schemas.ContractRule, declares func(status string) bool) []schemas.ContractDrift {
	byPath := map[string]*schemas.ContractRule{}
	for i := range rules {
		byPath[rules[i].Path] = &rules[i]
	}
	out := []schemas.ContractDrift{}
	for _, d := range drifts {
		r := byPath[d.Path]
		closed := false
		switch d.Kind {
		case New:
			closed = r != nil || below(byPath, d.Path)
		case Missing:
			closed = r == nil || !r.Required
		case Type:
			closed = r == nil || r.Types == "" || kindsOf(r.Types)&kindsOf(d.Seen) != 0
		case Word:
			closed = r == nil || r.Values == nil || slices.Contains(r.Values, d.Seen)
		case Status:
			closed = declares(d.Seen)
		}
		if !closed {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b schemas.ContractDrift) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Seen, b.Seen))
	})
	return out
}

// below tells whether a path is under one at which anything may be.
func below(rules map[string]*schemas.ContractRule, path string) bool {
	for path != "" {
		if cut, ok := strings.CutSuffix(path, "[]"); ok {
			path = cut
		} else {
			path = path[:max(0, strings.LastIndexByte(path, '.'))]
		}
		if r := rules[path]; r != nil && r.Types == "" {
			return true
		}
	}
	return false
}

// Accept is what a file must declare for what was seen to be as expected: what it declared before, and what was seen beside.
func Accept(before topology.Shape, paths []schemas.ContractPath) topology.Shape {
	out := maps.Clone(before)
	if out == nil {
		out = topology.Shape{}
	}
	for _, r := range Learn(paths) {
		at, _ := slices.BinarySearchFunc(paths, r.Path, func(p schemas.ContractPath, path string) int { return cmp.Compare(p.Path, path) })
		p := paths[at]
		old, known := before[r.Path]
		next := topology.ShapeRule{Optional: !r.Required, Values: r.Values}
		if r.Types != "" {
			next.Types = strings.Split(r.Types, "|")
		}
		if known {
			next.Optional = old.Optional || p.Absent > 0
			next.Types = union(old.Types, next.Types)
			if len(old.Types) == 0 {
				next.Types = nil
			}
			if next.Values = nil; old.Values != nil && !p.Open {
				next.Values = union(old.Values, p.Values)
			}
		}
		if r.Path != "" || len(next.Types) != 1 {
			out[r.Path] = next
		}
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
