package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Facts is what may be told of an order to somebody who decides by it: each fact with its owner, its age and whether the
// systems agree. Times are UTC.
type Facts struct {
	// ID is a hash over the order's key and the facts with their versions: the same facts have the same id whenever they are
	// asked for. Who used them stores it, with KnownAt.
	ID  string `json:"id"`
	Key string `json:"key"`
	// For is the integration whose policy decided; empty for none.
	For string `json:"for,omitempty"`
	// Usable is false where there is a refusal. Facts then has no values, so that nobody decides by them unawares.
	Usable   bool      `json:"usable"`
	Refusals []Refusal `json:"refusals"` // by field and object
	Policy   Policy    `json:"policy"`
	// KnownAt is the moment up to which the view knows everything that came; zero: it never did. Ages are as of then.
	KnownAt time.Time `json:"known_at"`
	AskedAt time.Time `json:"asked_at"`
	// FactsAt is when the owner of the oldest fact said it; nil without facts.
	FactsAt   *time.Time `json:"facts_at,omitempty"`
	State     State      `json:"state"` // of the order, as Order.State
	Verdict   string     `json:"verdict"`
	Facts     []Fact     `json:"facts"` // by field, object and sku
	Freshness Freshness  `json:"freshness"`
}

// Fact is what is known of one field of an order, of its customer or of the stock of its lines.
type Fact struct {
	Field schemas.Field `json:"field"`
	// Object is the payment, refund, fulfillment or invoice that it is of; the customer's id, or the item's location/item;
	// empty for the order's own.
	Object string `json:"object,omitempty"`
	SKU    string `json:"sku,omitempty"` // of the order's line, with stock
	// Owner is whose word counts: of systems that share the field the one whose word it is, after a transfer the later owner,
	// "team:finance" while a person's correction counts.
	Owner schemas.System `json:"owner"`
	// Value is what the owner says: money as "12.50 EUR", counts as digits, lists as one text. Masked values are a mask and the
	// mark of a hash: what they say is not kept. Empty where the owner is silent, or the answer is refused.
	Value  string `json:"value"`
	Masked bool   `json:"masked,omitempty"`
	// Silent is true where no owner has said anything: what others say is in Others.
	Silent        bool            `json:"silent,omitempty"`
	SourceVersion string          `json:"source_version,omitempty"`
	AsOf          time.Time       `json:"as_of,omitzero"`   // source clock
	SeenAt        time.Time       `json:"seen_at,omitzero"` // our clock
	EventID       schemas.EventID `json:"event_id,omitempty"`
	// AgeSeconds is from when the owner said it (by the earlier of the two clocks) to KnownAt, never below 0.
	AgeSeconds int64     `json:"age_seconds"`
	Agree      Agreement `json:"agree"`
	Others     []Other   `json:"others,omitempty"`  // who differs, or with Silent who spoke; sorted by system
	Overdue    bool      `json:"overdue,omitempty"` // one differs for longer than ownership.yaml allows
	Ask        string    `json:"ask"`               // team
}

// Agreement is whether other systems say what the owner says, within the tolerance of ownership.yaml.
type Agreement string

// The agreements.
const (
	AgreeYes     Agreement = "yes"
	AgreeNo      Agreement = "no"
	AgreeUnknown Agreement = "unknown" // nobody else has spoken, or the owner has not
)

// Other is the newest word of another system than the owner.
type Other struct {
	System        schemas.System `json:"system"`
	Value         string         `json:"value"` // as Fact.Value
	SourceVersion string         `json:"source_version,omitempty"`
	AsOf          time.Time      `json:"as_of"`              // source clock
	Since         *time.Time     `json:"since,omitempty"`    // our clock: since when it differs
	Deadline      *time.Time     `json:"deadline,omitempty"` // until when it may
}

// Facts is what is known of the owned fields of a key, by field and object. known is the moment up to which everything that
// came is known.
func (f *Fold) Facts(known time.Time) []Fact {
	out := []Fact{}
	for _, l := range f.lines() {
		out = append(out, l.fact(known))
	}
	return out
}

func (l *fieldLine) fact(known time.Time) Fact {
	if l.fix != nil {
		return l.amended(known)
	}
	f := Fact{Field: l.field, Object: l.object, Owner: l.ownedBy(), Masked: personal[l.field], Agree: AgreeUnknown, Ask: l.owner.Page}
	own := l.own
	if own == nil {
		f.Silent = true
		for _, system := range slices.Sorted(maps.Keys(l.newest)) {
			f.Others = append(f.Others, l.newest[system].other(system))
		}
		return f
	}
	f.fill(own, known)
	if len(l.newest) > 1 {
		f.Agree = AgreeYes
	}
	for _, s := range l.spans {
		if !s.closed.IsZero() {
			continue
		}
		o := l.newest[s.system].other(s.system)
		deadline := l.deadline(&s)
		o.Since, o.Deadline = &s.since, &deadline
		f.Agree, f.Others, f.Overdue = AgreeNo, append(f.Others, o), f.Overdue || known.After(deadline)
	}
	slices.SortFunc(f.Others, func(a, b Other) int { return compareText(a.System, b.System) })
	return f
}

// fill says the value of the word that counts, and its age.
func (f *Fact) fill(own *said, known time.Time) {
	f.Value, f.SourceVersion, f.AsOf, f.SeenAt, f.EventID = own.value.text(), own.ev.SourceVersion, own.ev.Time, own.ev.IngestedAt, own.ev.ID
	f.AgeSeconds = max(0, int64(known.Sub(f.said())/time.Second))
}

func (s *said) other(system schemas.System) Other {
	return Other{System: system, Value: s.value.text(), SourceVersion: s.ev.SourceVersion, AsOf: s.ev.Time}
}

// said is when the owner said it: a source whose clock is ahead makes no fact younger than its coming.
func (f *Fact) said() time.Time {
	if f.AsOf.IsZero() || f.SeenAt.Before(f.AsOf) {
		return f.SeenAt
	}
	return f.AsOf
}

// identify fills ID from the facts as they are; what only time changes is left out.
func (f *Facts) identify() {
	list := slices.Clone(f.Facts)
	for i := range list {
		list[i].AgeSeconds, list[i].Overdue = 0, false
	}
	b, err := json.Marshal(struct {
		Key   string
		Facts []Fact
	}{f.Key, list})
	if err != nil {
		panic(err) // texts, numbers and times
	}
	sum := sha256.Sum256(b)
	f.ID = hex.EncodeToString(sum[:16])
}
