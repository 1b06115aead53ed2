package contract

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binaryandbeyond/seam/schemas"
)

const (
	sampleEvery = 16      // one document in so many is looked at, once the first were
	closely     = 100     // documents that are looked at beside those from which a shape is learned
	maxPaths    = 2000    // of a subject: at some 400 bytes each
	maxPath     = 300     // bytes of one
	maxAllPaths = 100_000 // of all subjects of a process: 40 MB
	maxItems    = 64      // elements of one array that are looked at: the rest look alike
	maxDrifts   = 200     // kept of a subject; what is beyond is counted
	// sure is how many values make it likely that a path always has one.
	sure = 20
)

// Subject is the shape of one topic of a source, or one route of an integration. A nil Subject looks at nothing. Safe for
// concurrent use.
type Subject struct {
	key, side, name, topic, team string
	learn                        int64 // documents from which the shape is learned
	log                          *slog.Logger
	now                          func() time.Time
	drifted                      func(kind string)
	observed                     prometheus.Counter
	room                         *atomic.Int64 // paths that the process may still keep, of all its subjects

	passed atomic.Int64

	mu       sync.Mutex
	root     *place
	paths    int
	base     schemas.Contract // what was known before this process
	declared string           // file, learned; empty while learning
	docs     int64            // looked at since
	crowded  int64
	first    time.Time
	last     time.Time
	wrote    time.Time
	statuses map[int]*schemas.ContractStatus // since
	drifts   map[schemas.ContractDrift]*drift
	news     bool // something that readers should know soon
	counted  bool // counts that can wait
}

// keyOf tells one drift from another: what is new is so whatever it holds.
func keyOf(d schemas.ContractDrift) schemas.ContractDrift {
	if d.Kind == New {
		d.Seen = ""
	}
	return schemas.ContractDrift{Kind: d.Kind, Path: d.Path, Seen: d.Seen}
}

// drift is counted under its kind, path and what was seen.
type drift struct {
	schemas.ContractDrift
	doc int64 // that had it last
}

// Wants tells whether the next document is to be looked at; it counts it as passed.
func (s *Subject) Wants() bool {
	if s == nil {
		return false
	}
	n := s.passed.Add(1)
	return n <= s.learn+closely || n%sampleEvery == 0
}

// See folds a document in and tells of what is not as expected.
func (s *Subject) See(v Value) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs++
	s.observed.Inc()
	s.last, s.counted = s.now(), true
	if s.first.IsZero() {
		s.first = s.last
	}
	if v.Kind() == Null {
		s.root.nulls++
	} else {
		s.root.present++
		s.walk(s.root, v, s.declared != "")
	}
	if s.declared == "" && s.base.Documents+s.docs >= s.learn {
		s.settle()
	}
}

// walk folds one value that is not null into its place. held tells whether the place is held to its rule.
func (s *Subject) walk(p *place, v Value, held bool) {
	kind := v.Kind()
	if p.last = s.last; p.first.IsZero() {
		p.first = s.last
		s.news = true
	}
	if p.kinds&kind == 0 {
		p.kinds |= kind
		s.news = true
	}
	if held = held && s.fits(p, kind); held && p.rule.words != nil && kind == String && !p.rule.words[v.Text()] {
		seen := v.Text()
		if !p.worded || !word(seen) {
			seen = "" // it may be personal
		}
		s.drift(Word, p.path, seen)
	}
	switch kind {
	case String:
		p.note(v.Text())
	case Array:
		s.elements(p, v, held)
	case Object:
		s.members(p, v, held)
	case Null, Boolean, Number: // nothing is kept of them
	}
}

// fits tells whether what is below a value is held to anything: its own type is as expected, and says something.
func (s *Subject) fits(p *place, kind Kind) bool {
	switch {
	case p.rule == nil:
		s.drift(New, p.path, kind.String())
		return false
	case p.rule.kinds == 0:
		return false
	case p.rule.kinds&kind == 0:
		s.drift(Type, p.path, kind.String())
		return false
	}
	return true
}

func (s *Subject) elements(p *place, v Value, held bool) {
	n := v.Len()
	if n == 0 {
		return
	}
	if p.items == nil {
		if p.items = s.place(p.path + "[]"); p.items == nil {
			return
		}
	}
	held = held && p.items.rule != nil // of lists that were always empty nothing is known
	for i := range min(n, maxItems) {
		_, item := v.At(i)
		if item.Kind() != Null {
			p.items.present++
			s.walk(p.items, item, held)
			continue
		}
		p.items.kinds |= Null
		if p.items.nulls++; held && p.items.rule.required {
			s.drift(Missing, p.items.path, "")
		}
	}
}

func (s *Subject) members(p *place, v Value, held bool) {
	p.objects++
	hits := 0
	for i := range v.Len() {
		name, member := v.At(i)
		kid := s.kid(p, name)
		if kid == nil {
			continue
		}
		if member.Kind() == Null {
			if kid.kinds |= Null; kid.first.IsZero() {
				kid.first, s.news = s.last, true
			}
			kid.last = s.last
			if held && kid.rule == nil {
				s.drift(New, kid.path, Null.String())
			}
			continue
		}
		if kid.at != p.objects {
			kid.at = p.objects
			kid.present++
			if kid.rule != nil && kid.rule.required {
				hits++
			}
		}
		s.walk(kid, member, held)
	}
	if !held || hits >= p.needs {
		return
	}
	for _, kid := range p.kids {
		if kid.rule != nil && kid.rule.required && kid.at != p.objects {
			s.drift(Missing, kid.path, "")
		}
	}
}

// kid is the place of a member; nil beyond the bounds.
func (s *Subject) kid(p *place, name string) *place {
	if kid := p.kids[name]; kid != nil && !p.free {
		return kid
	}
	if name = step(name); p.free {
		name = anyName
	}
	if kid := p.kids[name]; kid != nil {
		return kid
	}
	path := name
	if p.path != "" {
		path = p.path + "." + name
	}
	kid := s.place(path)
	if kid == nil {
		return nil
	}
	if p.kids == nil {
		p.kids = map[string]*place{}
	}
	kid.free = freeNames[name]
	p.kids[name] = kid
	return kid
}

// place is a new one; nil where there are too many.
func (s *Subject) place(path string) *place {
	if s.paths >= maxPaths || len(path) > maxPath || s.room.Add(-1) < 0 {
		s.crowded++
		return nil
	}
	s.paths++
	return newPlace(path, keepsWords(s.topic, path))
}

// find is the place at a path, made where there is none; nil beyond the bounds.
func (s *Subject) find(path string) *place {
	p := s.root
	if path == "" {
		return p
	}
	for _, part := range strings.Split(path, ".") {
		name := strings.TrimRight(part, "[]")
		if name != "" {
			if p = s.kid(p, name); p == nil {
				return nil
			}
		}
		for range strings.Count(part, "[]") {
			if p.items == nil {
				p.items = s.place(p.path + "[]")
			}
			if p = p.items; p == nil {
				return nil
			}
		}
	}
	return p
}

// Answered counts the status of a downstream's answer. declared tells whether the integration's answers, or HTTP, say what it means.
func (s *Subject) Answered(status int, declared bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	st := s.statuses[status]
	if st == nil {
		if len(s.statuses) >= maxDrifts {
			return
		}
		st = &schemas.ContractStatus{Status: int64(status), First: at}
		s.statuses[status], s.news = st, true
	}
	st.Count, st.Declared, st.Last, s.counted = st.Count+1, declared, at, true
	if s.last = at; s.first.IsZero() {
		s.first = at
	}
	if !declared {
		s.drift(Status, "", strconv.Itoa(status))
	}
}

// drift counts what is not as expected, once per document, and tells of it the first time.
func (s *Subject) drift(kind, path, seen string) {
	key := keyOf(schemas.ContractDrift{Kind: kind, Path: path, Seen: seen})
	d := s.drifts[key]
	if d == nil {
		s.drifted(kind)
		if len(s.drifts) >= maxDrifts {
			return
		}
		d = &drift{ContractDrift: key, doc: s.docs}
		d.Seen, d.Count, d.Since, d.Last = seen, 1, s.last, s.last
		s.drifts[key], s.news = d, true
		s.log.Warn("contract drift", "side", s.side, "name", s.name, "topic", s.topic, "team", s.team, "kind", kind, "path", path, "seen", seen)
		return
	}
	if d.Last = s.last; d.doc != s.docs || kind == Status {
		d.doc = s.docs
		d.Count++
		s.drifted(kind)
	}
}
