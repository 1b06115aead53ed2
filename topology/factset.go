package topology

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/expr-lang/expr/types"

	"github.com/binaryandbeyond/seam/schemas"
)

// FactSet is the facts of one order as an integration is told them: the JSON of GET /orders/{id}/facts, as far as a call needs
// it. docs/facts.md says what each member means. Times are UTC.
type FactSet struct {
	ID       string        `json:"id"`
	Usable   bool          `json:"usable"`
	Refusals []FactRefusal `json:"refusals"`
	KnownAt  time.Time     `json:"known_at"`
	AskedAt  time.Time     `json:"asked_at"`
	FactsAt  *time.Time    `json:"facts_at"` // nil without facts
	Facts    []Fact        `json:"facts"`
}

// FactRefusal is why facts may not be used.
type FactRefusal struct {
	Field  schemas.Field `json:"field"` // empty: of the whole answer
	Object string        `json:"object"`
	Reason string        `json:"reason"` // too_old, disagreement, missing or behind
	Detail string        `json:"detail"`
}

// RefusedBehind is the reason of a FactRefusal by who cannot know what came since; RefusedMissing by who knows nothing yet.
const (
	RefusedBehind  = "behind"
	RefusedMissing = "missing"
)

// Fact is what is known of one field.
type Fact struct {
	Field         schemas.Field   `json:"field"`
	Object        string          `json:"object"`
	SKU           string          `json:"sku"`
	Owner         schemas.System  `json:"owner"`
	Value         string          `json:"value"`
	Masked        bool            `json:"masked"`
	Silent        bool            `json:"silent"`
	SourceVersion string          `json:"source_version"`
	AsOf          time.Time       `json:"as_of"`
	AgeSeconds    int64           `json:"age_seconds"`
	Agree         string          `json:"agree"` // yes, no or unknown
	Others        []FactOfAnother `json:"others"`
	Overdue       bool            `json:"overdue"`
}

// FactOfAnother is what a system that does not own the field says.
type FactOfAnother struct {
	System schemas.System `json:"system"`
	Value  string         `json:"value"`
	AsOf   time.Time      `json:"as_of"`
}

// ParseFactSet reads the JSON of GET /orders/{id}/facts.
func ParseFactSet(b []byte) (*FactSet, error) {
	f := &FactSet{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	if f.ID == "" {
		return nil, fmt.Errorf("facts: the answer has no id: it is not that of GET /orders/{id}/facts")
	}
	return f, nil
}

// NothingKnown is the answer of who knows nothing of the order yet.
func NothingKnown() *FactSet {
	return &FactSet{Refusals: []FactRefusal{{Reason: RefusedMissing, Detail: "nothing is known of the order yet"}}}
}

// Seen is what is kept of the facts that a call is made with: no values.
func (f *FactSet) Seen() *schemas.FactsSeen {
	out := &schemas.FactsSeen{ID: f.ID, KnownAt: f.KnownAt.UTC(), AskedAt: f.AskedAt.UTC(), FactsAt: f.FactsAt}
	for _, x := range f.Facts {
		out.Facts = append(out.Facts, schemas.FactSeen{Field: x.Field, Object: x.Object, SKU: x.SKU, Owner: x.Owner, SourceVersion: x.SourceVersion, AsOf: x.AsOf.UTC(), AgeSeconds: x.AgeSeconds, Agree: x.Agree})
	}
	return out
}

// view is what expressions see of facts as facts; of nil too, so that a mapping can be tried without any.
func (f *FactSet) view() map[string]any {
	if f == nil {
		return map[string]any{"id": nil, "known_at": nil, "facts_at": nil, "facts": nil}
	}
	list := make([]any, len(f.Facts))
	for i := range f.Facts {
		list[i] = f.Facts[i].view()
	}
	out := map[string]any{"id": f.ID, "known_at": timeText(f.KnownAt), "facts_at": nil, "facts": list}
	if f.FactsAt != nil {
		out["facts_at"] = timeText(*f.FactsAt)
	}
	return out
}

func (x *Fact) view() map[string]any {
	var others any
	if len(x.Others) > 0 {
		list := make([]any, len(x.Others))
		for i, o := range x.Others {
			list[i] = map[string]any{"system": string(o.System), "value": o.Value, "as_of": timeText(o.AsOf)}
		}
		others = list
	}
	return map[string]any{"field": string(x.Field), "object": x.Object, "sku": x.SKU, "owner": string(x.Owner), "value": x.Value, "masked": x.Masked, "silent": x.Silent,
		"source_version": x.SourceVersion, "as_of": timeText(x.AsOf), "age_seconds": x.AgeSeconds, "agree": x.Agree, "others": others, "overdue": x.Overdue}
}

// timeText is RFC 3339 in UTC; nil for the zero time.
func timeText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// factsRoot is how expressions call the facts.
const factsRoot = "facts"

// factsType is the static type of FactSet.view.
var factsType = types.Map{"id": types.String, "known_at": types.String, "facts_at": types.String, "facts": types.Array(types.Map{
	"field": types.String, "object": types.String, "sku": types.String, "owner": types.String, "value": types.String, "masked": types.Bool, "silent": types.Bool,
	"source_version": types.String, "as_of": types.String, "age_seconds": types.Int64, "agree": types.String, "overdue": types.Bool,
	"others": types.Array(types.Map{"system": types.String, "value": types.String, "as_of": types.String}),
})}
