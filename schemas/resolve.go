package schemas

import (
	"errors"
	"fmt"
	"slices"
)

// resolver turns a native of a writer's schema into a native of the reader's. nil leaves it as it is.
type resolver func(any) (any, error)

// resolution is how one writer type is read as one reader type: Avro's schema resolution, worked out before any record.
// https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
type resolution struct {
	fn resolver
	// faults are what only some records would meet: a union branch or a symbol that the reader has no place for.
	faults []error
	err    error // why no record can be read
	open   bool  // while it is being worked out: a recursive schema met itself
}

// resolving works out one pair of schemas; each pair of types in them once.
type resolving map[[2]*node]*resolution

// compileResolver works out how records of schema w are read as schema r. An error names the field, and means that no
// record of w can be read; a record that alone cannot be read fails when it is resolved.
func compileResolver(w, r *node) (resolver, error) {
	res := resolving{}.pair(w, r)
	return res.fn, res.err
}

// incompatibilities lists why records of w might not be readable as r; none when every record is.
func incompatibilities(w, r *node) []error {
	res := resolving{}.pair(w, r)
	if res.err != nil {
		return []error{res.err}
	}
	return res.faults
}

// pair resolves w as r, from memory where it was done or is being done.
func (rs resolving) pair(w, r *node) *resolution {
	key := [2]*node{w, r}
	if known := rs[key]; known != nil {
		if !known.open {
			return known
		}
		return &resolution{fn: func(v any) (any, error) {
			if known.err != nil {
				return nil, known.err
			}
			return known.fn.apply(v)
		}}
	}
	res := &resolution{open: true}
	rs[key] = res
	done := rs.work(w, r)
	res.fn, res.faults, res.err, res.open = done.fn, done.faults, done.err, false
	return res
}

func (f resolver) apply(v any) (any, error) {
	if f == nil {
		return v, nil
	}
	return f(v)
}

func (rs resolving) work(w, r *node) *resolution {
	switch {
	case w.kind == avroUnion:
		return rs.fromUnion(w, r)
	case r.kind == avroUnion:
		return rs.toUnion(w, r)
	case w.kind != r.kind:
		return promote(w, r)
	case w.name != "" && nameMatch(w, r) == noMatch:
		return &resolution{err: fmt.Errorf("writer %s, reader %s", w.describe(), r.describe())}
	}
	switch r.kind {
	case avroRecord:
		return rs.records(w, r)
	case avroEnum:
		return enums(w, r)
	case avroArray:
		return rs.arrays(w, r)
	case avroMap:
		return rs.maps(w, r)
	case avroFixed:
		if w.size != r.size {
			return &resolution{err: fmt.Errorf("writer %s of %d bytes, reader of %d", w.name, w.size, r.size)}
		}
	}
	return meaning(w, r, nil)
}

// fromUnion resolves each branch that a writer may have chosen.
func (rs resolving) fromUnion(w, r *node) *resolution {
	branches := map[string]*resolution{}
	same := r.kind == avroUnion
	var faults, errs []error
	for _, b := range w.branches {
		res := rs.work1(b, r)
		branches[b.wire] = res
		if res.err != nil {
			errs = append(errs, res.err)
		}
		faults = append(faults, res.faults...)
		same = same && res.err == nil && rs.unchanged(b, r)
	}
	if len(errs) == len(w.branches) {
		return &resolution{err: errors.Join(errs...)}
	}
	if same {
		return &resolution{faults: faults}
	}
	return &resolution{faults: append(faults, errs...), fn: func(v any) (any, error) {
		wire := string(avroNull)
		if m, ok := v.(map[string]any); ok {
			for wire, v = range m { // goavro's union is a map of one
			}
		}
		res := branches[wire]
		if res == nil {
			return nil, fmt.Errorf("writer's union has no %s", wire)
		}
		if res.err != nil {
			return nil, res.err
		}
		return res.fn.apply(v)
	}}
}

// work1 resolves a branch of a writer's union against the whole reader.
func (rs resolving) work1(b, r *node) *resolution {
	if r.kind == avroUnion {
		return rs.toUnion(b, r)
	}
	return rs.pair(b, r)
}

// unchanged tells whether a branch keeps its place and its value in the reader's union.
func (rs resolving) unchanged(b, r *node) bool {
	chosen, res := rs.choose(b, r)
	return chosen != nil && chosen.wire == b.wire && res.fn == nil
}

// toUnion puts a writer's type, which is no union, into a branch of the reader's.
func (rs resolving) toUnion(w, r *node) *resolution {
	b, res := rs.choose(w, r)
	if b == nil {
		return res
	}
	if b.kind == avroNull {
		return &resolution{fn: func(any) (any, error) { return nil, nil }}
	}
	return &resolution{faults: res.faults, fn: func(v any) (any, error) {
		v, err := res.fn.apply(v)
		return map[string]any{b.wire: v}, err
	}}
}

// choose is the reader's branch for w: the first of its own type (by full name, then by short name), else the first it
// can be promoted to. A nil branch comes with the error.
func (rs resolving) choose(w, r *node) (*node, *resolution) {
	var last *resolution
	for _, want := range []match{exactMatch, shortMatch, noMatch} {
		if want == noMatch && last != nil {
			break // its own type is there and does not fit: a promotion would hide that
		}
		for _, b := range r.branches {
			m := exactMatch
			if b.kind != w.kind {
				m = noMatch
			} else if w.name != "" {
				m = nameMatch(w, b)
			}
			if m != want || m == noMatch && b.kind == w.kind {
				continue
			}
			res := rs.pair(w, b)
			if res.err == nil {
				return b, res
			}
			if last == nil && b.kind == w.kind {
				last = res
			}
		}
	}
	if last != nil {
		return nil, last
	}
	return nil, &resolution{err: fmt.Errorf("writer %s, reader %s", w.describe(), r.describe())}
}

// match is how two names of records, enums or fixed agree.
type match int

const (
	noMatch    match = iota
	shortMatch       // the same name in another namespace, as the specification allows
	exactMatch       // the same full name, or an alias of the reader
)

func nameMatch(w, r *node) match {
	switch {
	case w.kind != r.kind:
		return noMatch
	case w.name == r.name || slices.Contains(r.aliases, w.name):
		return exactMatch
	case shortName(w.name) == shortName(r.name):
		return shortMatch
	}
	return noMatch
}

// describe is a type in words for an error.
func (n *node) describe() string {
	switch {
	case n.logical == "decimal":
		return fmt.Sprintf("decimal(%d,%d)", n.precision, n.scale)
	case n.logical != "":
		return n.logical
	case n.name != "":
		return string(n.kind) + " " + n.name
	case n.kind == avroUnion:
		words := make([]string, len(n.branches))
		for i, b := range n.branches {
			words[i] = b.describe()
		}
		return fmt.Sprint(words)
	}
	return string(n.kind)
}
