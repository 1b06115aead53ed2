package topology

import (
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// Facts is the policy under which an integration is told facts of an order: which, how old, and what if systems differ.
type Facts struct {
	// Fields are names ("order.total"), names with a question mark ("customer.segment?") and patterns ("order.*", "*") of
	// owned fields. What is named without one must be known; of the others what is known is told. At least one.
	Fields []string `yaml:"fields"`
	// MaxStaleness is the greatest age of a fact. Default 0: any.
	MaxStaleness Duration `yaml:"max_staleness"`
	// MaxStalenessOf is the greatest age of some fields, by name or pattern, in place of MaxStaleness; of several the
	// longest pattern counts.
	MaxStalenessOf map[string]Duration `yaml:"max_staleness_of"`
	// OnDisagreement refuse: nothing is told while another system differs from a field's owner; flag: it is told with the
	// fact. Default refuse.
	OnDisagreement string `yaml:"on_disagreement"`
	// Wait is how long an event whose facts are refused is kept and asked for again before a person is asked. Default the
	// integration's complete_within.
	Wait Duration `yaml:"wait"`
}

// The words of Facts.OnDisagreement.
const (
	DisagreementRefuse = "refuse"
	DisagreementFlag   = "flag"
)

// defaults fills what a policy left out; nil has none.
func (f *Facts) defaults(within Duration) {
	if f != nil {
		or(&f.OnDisagreement, DisagreementRefuse)
		or(&f.Wait, within)
	}
}

// scale is Topology.Scale of a policy; nil has nothing to scale.
func (f *Facts) scale(scale func(*Duration)) {
	if f == nil {
		return
	}
	scale(&f.MaxStaleness)
	scale(&f.Wait)
	for pattern, d := range f.MaxStalenessOf {
		scale(&d)
		f.MaxStalenessOf[pattern] = d
	}
}

// MatchField tells whether a pattern covers a field: "*" covers all, "order.*" those that begin with "order.", and all else,
// with a question mark or without, the field of that name.
func MatchField(pattern string, field schemas.Field) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return (start == "" || strings.HasSuffix(start, ".")) && strings.HasPrefix(string(field), start)
	}
	return strings.TrimSuffix(pattern, "?") == string(field)
}

// MustKnow tells whether a pattern of Facts.Fields is a name without a question mark: the field must be known.
func MustKnow(pattern string) bool {
	return !strings.HasSuffix(pattern, "*") && !strings.HasSuffix(pattern, "?")
}

// Covers tells whether a pattern covers a field that has an owner.
func (t *Topology) Covers(pattern string) bool {
	for field := range t.Ownership {
		if MatchField(pattern, field) {
			return true
		}
	}
	return false
}

// TellsFacts tells whether requests of the route carry facts: its body names them.
func (r *Route) TellsFacts() bool { return r.Body.names(factsRoot) }

// TellsFacts tells whether some route of the integration does.
func (in *Integration) TellsFacts() bool {
	return slices.ContainsFunc(in.Deliver, func(r Route) bool { return r.TellsFacts() })
}

// routeFacts checks what a route says of facts.
func (l *loader) routeFacts(file, at string, in *Integration, r *Route) {
	if in.Facts == nil && r.TellsFacts() {
		l.at(file, at+".body", "body names facts, and %s has no facts policy: say with facts: which it may be told", in.Name)
	}
	if r.HTTP != nil {
		if t, err := ParseTemplate(r.HTTP.URL); err == nil && t.names(factsRoot) {
			l.at(file, at+".http.url", "url names facts: they belong in the body, as a probe has none")
		}
	}
}

func (l *loader) facts(t *Topology, file string, f *Facts) {
	if f == nil {
		return
	}
	if len(f.Fields) == 0 {
		l.at(file, "facts", "fields is missing: which facts may it be told?")
	}
	for _, pattern := range f.Fields {
		l.factField(t, file, "facts.fields", pattern)
	}
	for pattern := range f.MaxStalenessOf {
		l.factField(t, file, "facts.max_staleness_of."+pattern, pattern)
	}
	if f.OnDisagreement != DisagreementRefuse && f.OnDisagreement != DisagreementFlag {
		l.at(file, "facts.on_disagreement", "on_disagreement is %q: write refuse or flag", f.OnDisagreement)
	}
}

// factField checks a name or pattern against the model and its owners.
func (l *loader) factField(t *Topology, file, at, pattern string) {
	known := slices.ContainsFunc(schemas.Fields(), func(f schemas.Field) bool { return MatchField(pattern, f) })
	switch {
	case !known:
		l.at(file, at, "unknown field %q: the fields are %s, and patterns like order.*", pattern, join(schemas.Fields()))
	case !t.Covers(pattern):
		l.at(file, at, "nobody owns %q: give it an owner in ownership.yaml", pattern)
	}
}
