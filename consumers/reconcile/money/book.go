package money

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// Book is what all systems said about the money of one order. What it answers depends on what it was told, never on the
// order or on how often. The zero value is an empty book. Not safe for concurrent use.
//
// Of each object the newest word counts: by source version, then by the source's clock. Words with numbers for versions
// and words without are told apart by the source's clock alone.
type Book struct {
	rows map[slot]Movement
}

// slot is what a book keeps one movement for, the newest: every amount that a system said of an object, and that it moved
// as well as that it did not.
type slot struct {
	object
	whole, amount, currency string
	withdrawn, numbered     bool
}

// object is what amounts are said of.
type object struct {
	kind   Kind
	system schemas.System
	name   string
}

// NewBook is a book of movements that were kept, as Movements gives them or as Of does.
func NewBook(movements []Movement) *Book {
	b := &Book{}
	b.AddAll(movements)
	return b
}

// Add takes in what an event tells. Events of other orders are the caller's to keep away.
func (b *Book) Add(ev *schemas.Event) { b.AddAll(Of(ev)) }

// AddAll takes in movements of the order.
func (b *Book) AddAll(movements []Movement) {
	if b.rows == nil {
		b.rows = map[slot]Movement{}
	}
	for _, m := range movements {
		_, numbered := schemas.VersionNumber(m.Version)
		s := slot{object{m.Kind, m.System, m.Object}, m.Whole, m.Amount.String(), m.Currency, m.Withdrawn, numbered}
		had, known := b.rows[s]
		if known && had.SeenAt.Before(m.SeenAt) {
			m.SeenAt = had.SeenAt
		}
		if known && compareAge(&had, &m) > 0 {
			had.SeenAt = m.SeenAt
			m = had
		}
		b.rows[s] = m
	}
}

// Movements is all that the book keeps, sorted, for NewBook to make it again: more than what counts, as older words
// decide what a later one means.
func (b *Book) Movements() []Movement {
	out := slices.Collect(maps.Values(b.rows))
	slices.SortFunc(out, func(x, y Movement) int {
		return cmp.Or(compareObjects(&x, &y), compareSaid(&x, &y))
	})
	return out
}

// Counted is the movements that count, sorted by kind, system and object: the newest word on each object that moved,
// less wholes that are known by their parts and refunds that only let an authorization go.
func (b *Book) Counted() []Movement { return b.read().counted }

// Total is a sum of movements.
type Total struct {
	Kind     Kind            `json:"kind"`
	System   schemas.System  `json:"system"`
	Currency string          `json:"currency"`
	Amount   decimal.Decimal `json:"amount"` // major units
	Count    int             `json:"count"`  // of movements, at least 1
}

// Net is the sum per kind, system and currency of what counts, in the order of Kinds, then by system and currency.
func (b *Book) Net() []Total {
	type key struct {
		object
		currency string
	}
	sums := map[key]Total{}
	for _, m := range b.Counted() {
		k := key{object{m.Kind, m.System, ""}, m.Currency}
		t := sums[k]
		sums[k] = Total{m.Kind, m.System, m.Currency, t.Amount.Add(m.Amount), t.Count + 1}
	}
	out := slices.Collect(maps.Values(sums))
	slices.SortFunc(out, func(x, y Total) int {
		return cmp.Or(cmp.Compare(x.Kind.order(), y.Kind.order()), cmp.Compare(x.System, y.System), cmp.Compare(x.Currency, y.Currency))
	})
	return out
}

// reading is a book as it stands.
type reading struct {
	words   []Movement // the newest of each object, withdrawn or not, sorted
	counted []Movement // of words, what counts
}

// read settles which words hold.
func (b *Book) read() *reading {
	newest, split, issued := map[object][]Movement{}, map[object]bool{}, map[object]bool{}
	for s, m := range b.rows {
		newest[s.object] = append(newest[s.object], m)
		if s.whole != "" && s.whole != s.name {
			split[object{s.kind, s.system, s.whole}] = true
		}
		if s.kind == Invoiced && !s.withdrawn {
			issued[s.object] = true
		}
	}
	r := &reading{}
	for o, rows := range newest {
		m := newestOf(rows)
		invoice := issued[object{Invoiced, o.system, o.name}]
		cancelsNothing := o.kind == Invoiced && m.Withdrawn && !invoice // a credit note under a number of its own
		cancelsInvoice := o.kind == Credited && invoice                 // no credit note: the invoice is withdrawn
		if !split[o] && !cancelsNothing && !cancelsInvoice {
			r.words = append(r.words, m)
		}
	}
	slices.SortFunc(r.words, func(x, y Movement) int { return compareObjects(&x, &y) })
	for i := range r.words {
		if !r.words[i].Withdrawn && !r.released(&r.words[i]) {
			r.counted = append(r.counted, r.words[i])
		}
	}
	return r
}

// newestOf is the newest of the words on one object.
func newestOf(rows []Movement) Movement {
	var best [2]*Movement // of those without and with a number for a version
	for i := range rows {
		class := 0
		if _, numbered := schemas.VersionNumber(rows[i].Version); numbered {
			class = 1
		}
		if best[class] == nil || compareAge(best[class], &rows[i]) < 0 {
			best[class] = &rows[i]
		}
	}
	if best[0] == nil || best[1] != nil && compareSaid(best[0], best[1]) < 0 {
		return *best[1]
	}
	return *best[0]
}

// releaseWithin is how far a capture or void and the refund that it makes may be apart by the source's clock: both come of
// one call, and their stamps are of whole seconds.
const releaseWithin = 5 * time.Second

// released tells a refund that gave back nothing but what a capture or void left of its authorization: to the last unit,
// and at its moment.
func (r *reading) released(m *Movement) bool {
	if m.Kind != Refunded || m.Payment == "" {
		return false
	}
	var rest decimal.Decimal
	promised, moment := false, false
	for i := range r.words {
		w := &r.words[i]
		if w.System != m.System || w.Payment != m.Payment || w.Currency != m.Currency || w.Withdrawn {
			continue
		}
		switch w.Kind {
		case Authorized:
			promised, rest = true, rest.Add(w.Amount)
		case Captured:
			rest = rest.Sub(w.Amount)
		default:
		}
		if w.Kind == Captured || w.Kind == Voided {
			moment = moment || w.SaidAt.Sub(m.At).Abs() <= releaseWithin
		}
	}
	return promised && moment && rest.IsPositive() && rest.Equal(m.Amount)
}

func compareObjects(a, b *Movement) int {
	return cmp.Or(cmp.Compare(a.Kind.order(), b.Kind.order()), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.System, b.System), cmp.Compare(a.Object, b.Object))
}
