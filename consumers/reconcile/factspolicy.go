package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// FactsQuery says which facts are wanted, and under what conditions. The zero value wants all that are known, of any age,
// with disagreements flagged.
type FactsQuery struct {
	// For is an integration with a facts policy in its file. The other members then can only narrow it: fewer fields, a
	// lower age, refuse in place of flag; what the policy refuses stays refused, whatever fields are shown.
	For string
	// Fields are names and patterns as in topology.Facts. Default all that the policy has.
	Fields []string
	// MaxStaleness is the greatest age of a fact; 0 is the policy's.
	MaxStaleness time.Duration
	// OnDisagreement is refuse or flag; empty is the policy's, and flag without one.
	OnDisagreement string
}

// Policy is what decided about an answer.
type Policy struct {
	Fields         []string          `json:"fields"`
	MaxStaleness   string            `json:"max_staleness,omitempty"`    // as "24h0m0s"; empty: any
	MaxStalenessOf map[string]string `json:"max_staleness_of,omitempty"` // by pattern
	OnDisagreement string            `json:"on_disagreement"`
}

// Refusal is why an answer may not be used.
type Refusal struct {
	Field  schemas.Field `json:"field,omitempty"`  // empty: of the whole answer
	Object string        `json:"object,omitempty"` // as Fact.Object; of stock that nobody told of, the SKU
	Reason string        `json:"reason"`           // too_old, disagreement, missing or behind
	Detail string        `json:"detail"`
	Ask    string        `json:"ask,omitempty"` // team that is asked; empty: who runs Seam
}

// The reasons of a Refusal.
const (
	RefusedTooOld       = "too_old"      // the owner said it too long ago
	RefusedDisagreement = "disagreement" // another system differs
	RefusedMissing      = "missing"      // must be known, and its owner has not said it
	RefusedBehind       = "behind"       // the view cannot know what came since
)

// ErrBadQuery is the error for a FactsQuery that cannot be answered as it is put.
var ErrBadQuery = errors.New("facts cannot be asked for like this")

// rules is a query with its policy, checked.
type rules struct {
	policy topology.Facts
	show   []string      // patterns of what is shown, beside the policy's
	limit  time.Duration // the asker's own greatest age; 0 for none
}

// rulesOf joins a query with the policy that it names.
func rulesOf(topo *topology.Topology, q FactsQuery) (rules, error) {
	r := rules{policy: topology.Facts{Fields: q.Fields, OnDisagreement: topology.DisagreementFlag}, show: q.Fields, limit: q.MaxStaleness}
	if len(q.Fields) == 0 {
		r.policy.Fields = []string{"*"}
	}
	if q.For != "" {
		in := topo.Integration(q.For)
		if in == nil || in.Facts == nil {
			return r, fmt.Errorf("%w: no integration %q has facts in its file", ErrBadQuery, q.For)
		}
		r.policy = *in.Facts
	}
	switch q.OnDisagreement {
	case topology.DisagreementRefuse:
		r.policy.OnDisagreement = topology.DisagreementRefuse
	case "", topology.DisagreementFlag:
	default:
		return r, fmt.Errorf("%w: on_disagreement is %q: refuse or flag", ErrBadQuery, q.OnDisagreement)
	}
	if q.MaxStaleness < 0 {
		return r, fmt.Errorf("%w: max_staleness is %s", ErrBadQuery, q.MaxStaleness)
	}
	for _, pattern := range q.Fields {
		known := slices.ContainsFunc(schemas.Fields(), func(f schemas.Field) bool {
			_, owned := topo.Ownership[f]
			return owned && topology.MatchField(pattern, f) && covers(r.policy.Fields, f)
		})
		if !known {
			return r, fmt.Errorf("%w: field %q is none that has an owner and may be told: %s", ErrBadQuery, pattern, strings.Join(r.policy.Fields, ", "))
		}
	}
	return r, nil
}

func covers(patterns []string, field schemas.Field) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return topology.MatchField(p, field) })
}

// told is the policy as an answer tells it.
func (r *rules) told() Policy {
	p := Policy{Fields: r.policy.Fields, OnDisagreement: r.policy.OnDisagreement}
	if limit := r.least(r.policy.MaxStaleness.D()); limit > 0 {
		p.MaxStaleness = limit.String()
	}
	for pattern, d := range r.policy.MaxStalenessOf {
		if p.MaxStalenessOf == nil {
			p.MaxStalenessOf = map[string]string{}
		}
		p.MaxStalenessOf[pattern] = r.least(d.D()).String()
	}
	return p
}

// least is the lower of the policy's limit and the asker's; 0 is none.
func (r *rules) least(limit time.Duration) time.Duration {
	if limit == 0 || r.limit > 0 && r.limit < limit {
		return r.limit
	}
	return limit
}

// stale is the greatest age of a field: 0 for any.
func (r *rules) stale(field schemas.Field) time.Duration {
	longest, limit := -1, r.policy.MaxStaleness.D()
	for pattern, d := range r.policy.MaxStalenessOf {
		if topology.MatchField(pattern, field) && len(pattern) > longest {
			longest, limit = len(pattern), d.D()
		}
	}
	return r.least(limit)
}

// demanded is the fields of the policy, and of the asker, that must be known.
func (r *rules) demanded() []schemas.Field {
	var out []schemas.Field
	for _, pattern := range slices.Concat(r.policy.Fields, r.show) {
		if f := schemas.Field(pattern); topology.MustKnow(pattern) && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// decide keeps of an answer's facts what the rules show, and fills Usable, Refusals, FactsAt and ID. It does no I/O.
func (f *Facts) decide(r *rules) {
	f.Facts = slices.DeleteFunc(f.Facts, func(x Fact) bool { return !covers(r.policy.Fields, x.Field) })
	f.Refusals = []Refusal{}
	f.behind(r)
	for i := range f.Facts {
		f.judge(r, &f.Facts[i])
	}
	f.Facts = slices.DeleteFunc(f.Facts, func(x Fact) bool { return len(r.show) > 0 && !covers(r.show, x.Field) })
	slices.SortFunc(f.Facts, func(a, b Fact) int {
		return cmp.Or(compareText(a.Field, b.Field), cmp.Compare(a.Object, b.Object), cmp.Compare(a.SKU, b.SKU))
	})
	slices.SortStableFunc(f.Refusals, func(a, b Refusal) int {
		return cmp.Or(compareText(a.Field, b.Field), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	f.identify()
	f.Usable = len(f.Refusals) == 0
	for i := range f.Facts {
		x := &f.Facts[i]
		if at := x.said(); !x.Silent && (f.FactsAt == nil || at.Before(*f.FactsAt)) {
			f.FactsAt = &at
		}
		if !f.Usable {
			x.withhold()
		}
	}
}

// withhold takes the values out.
func (f *Fact) withhold() {
	f.Value = ""
	for i := range f.Others {
		f.Others[i].Value = ""
	}
}

// behind refuses where nobody can know what came since.
func (f *Facts) behind(r *rules) {
	limit := r.least(r.policy.MaxStaleness.D())
	switch {
	case f.KnownAt.IsZero():
		f.refuse(Refusal{Reason: RefusedBehind, Detail: "the view has not yet held everything that came"})
	case limit > 0 && f.AskedAt.Sub(f.KnownAt) > limit:
		f.refuse(Refusal{Reason: RefusedBehind, Detail: "what came since " + f.KnownAt.Format(clockForm) + " cannot be known"})
	}
}

// judge holds one fact to the rules.
func (f *Facts) judge(r *rules, x *Fact) {
	no := Refusal{Field: x.Field, Object: cmp.Or(x.Object, x.SKU), Ask: x.Ask}
	if x.Silent {
		if slices.Contains(r.demanded(), x.Field) {
			no.Reason, no.Detail = RefusedMissing, fmt.Sprintf("%s, its owner, has not said it", x.Owner)
			f.refuse(no)
		}
		return
	}
	if limit, age := r.stale(x.Field), f.AskedAt.Sub(x.said()); limit > 0 && age > limit {
		no.Reason, no.Detail = RefusedTooOld, fmt.Sprintf("%s said it %s ago, and %s is allowed", x.Owner, about(age), limit)
		f.refuse(no)
	}
	if x.Agree == AgreeNo && r.policy.OnDisagreement == topology.DisagreementRefuse {
		var systems []string
		for _, o := range x.Others {
			systems = append(systems, string(o.System))
		}
		no.Reason, no.Detail = RefusedDisagreement, fmt.Sprintf("%s, not %s, its owner, since %s", strings.Join(systems, ", "), x.Owner, x.since().Format(clockForm))
		f.refuse(no)
	}
}

// since is when the first of those that differ now began to.
func (f *Fact) since() time.Time {
	var first time.Time
	for _, o := range f.Others {
		if o.Since != nil && (first.IsZero() || o.Since.Before(first)) {
			first = *o.Since
		}
	}
	return first
}

func (f *Facts) refuse(r Refusal) { f.Refusals = append(f.Refusals, r) }

func compareText[T ~string](a, b T) int { return strings.Compare(string(a), string(b)) }
