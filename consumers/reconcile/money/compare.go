package money

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// Side is a number that one system stands for.
type Side struct {
	System schemas.System `json:"system"`
	Plus   Kind           `json:"plus"`
	// Minus is taken off, in currencies in which something of Plus counts; empty for nothing.
	Minus Kind `json:"minus,omitempty"`
	// Else is compared in the place of Plus where the other side counts in a currency of Else and in none of Plus.
	Else Kind `json:"else,omitempty"`
}

// Comparison is two sides that must be equal or, with AtMost, of which A must not be more than B.
type Comparison struct {
	Name   string `json:"name"`
	A      Side   `json:"a"`
	B      Side   `json:"b"`
	AtMost bool   `json:"at_most,omitempty"`
}

// The systems that Comparisons names, as the shipped topology does.
const (
	shop      schemas.System = "shop"
	psp       schemas.System = "psp"
	erp       schemas.System = "erp"
	warehouse schemas.System = "warehouse"
)

// Comparisons is what finance compares. totalsStay tells that the shop's order total stays what it was when money is given
// back (WooCommerce), rather than shrinks with it (Shopify).
func Comparisons(totalsStay bool) []Comparison {
	owed := Side{System: shop, Plus: Charged, Else: Presented}
	if totalsStay {
		owed = Side{System: shop, Plus: Charged, Minus: Refunded}
	}
	says := func(s schemas.System, k Kind) Side { return Side{System: s, Plus: k} }
	return []Comparison{
		{Name: "order total", A: Side{System: shop, Plus: Charged, Else: Presented}, B: says(erp, Charged)},
		{Name: "captured", A: says(shop, Captured), B: says(psp, Captured)},
		{Name: "refunded", A: says(shop, Refunded), B: says(psp, Refunded)},
		{Name: "refunded in the ERP", A: says(shop, Refunded), B: says(erp, Refunded)},
		{Name: "credited", A: says(shop, Refunded), B: says(erp, Credited)},
		{Name: "invoiced", A: owed, B: Side{System: erp, Plus: Invoiced, Minus: Credited}},
		{Name: "disputed", A: says(shop, Disputed), B: says(psp, Disputed)},
		{Name: "shipped", A: says(shop, Shipped), B: says(warehouse, Shipped)},
		{Name: "kept beyond what is owed", A: Side{System: shop, Plus: Captured, Minus: Refunded}, B: owed, AtMost: true},
		{Name: "refunded beyond captured", A: says(shop, Refunded), B: says(shop, Captured), AtMost: true},
		{Name: "refunded beyond captured at the PSP", A: says(psp, Refunded), B: says(psp, Captured), AtMost: true},
	}
}

// Expected is a system that must have spoken of a kind by now.
type Expected struct {
	System schemas.System `json:"system"`
	Kind   Kind           `json:"kind"`
}

// Rules say what a difference is.
type Rules struct {
	// Tolerance is how far two amounts may be apart, in major units of their currency. Default 0.
	Tolerance decimal.Decimal
	// Expected names systems whose silence is a difference. Of all others it is not: they may be late. Default none.
	Expected []Expected
	// Compare is what is compared. Default Comparisons(false).
	Compare []Comparison
}

// Difference is two sides that do not agree, in one currency.
type Difference struct {
	Comparison
	Currency   string          `json:"currency"`
	AmountA    decimal.Decimal `json:"amount_a"`
	AmountB    decimal.Decimal `json:"amount_b"`
	Difference decimal.Decimal `json:"difference"` // AmountA less AmountB
	// Silent is the system that was expected to speak and said nothing, whose amount is 0 here; empty otherwise.
	Silent schemas.System `json:"silent,omitempty"`
	// Since is when we were told the newest of the words that are compared, by our clock: until then it was not known.
	Since time.Time `json:"since"`
	// Parts explain it: with a tolerance of 0 their differences add up to Difference.
	Parts []Part `json:"parts"`
}

// Part is what two sides say of one thing, or one side alone.
type Part struct {
	A          []Movement      `json:"a,omitempty"`
	B          []Movement      `json:"b,omitempty"`
	Difference decimal.Decimal `json:"difference"` // A less B
}

// Differences is where two systems that both spoke differ by more than the tolerance, and where one that was expected to
// speak is silent beside another's amount. In the order of the comparisons, then by currency; empty where all agree.
// Amounts of two currencies are never set off against each other: each is a difference of its own.
func (b *Book) Differences(rules Rules) []Difference {
	r := b.read()
	if rules.Compare == nil {
		rules.Compare = Comparisons(false)
	}
	out := []Difference{}
	for _, c := range rules.Compare {
		out = append(out, r.differences(c, &rules)...)
	}
	return out
}

// differences is a comparison's, by currency.
func (r *reading) differences(c Comparison, rules *Rules) []Difference {
	silent, comparable := r.silence(c, rules)
	if !comparable {
		return nil
	}
	a, b := r.amounts(c.A, c.B), r.amounts(c.B, c.A)
	var out []Difference
	for _, currency := range slices.Sorted(maps.Keys(a.with(b))) {
		d := Difference{Comparison: c, Currency: currency, AmountA: a[currency].sum, AmountB: b[currency].sum, Silent: silent}
		d.Difference = d.AmountA.Sub(d.AmountB)
		if within(d.Difference, c.AtMost, rules.Tolerance) {
			continue
		}
		d.Since = r.since(c)
		d.Parts = explain(a[currency], b[currency], c, rules.Tolerance)
		out = append(out, d)
	}
	return out
}

// within tells whether a difference is none.
func within(difference decimal.Decimal, atMost bool, tolerance decimal.Decimal) bool {
	if !atMost {
		difference = difference.Abs()
	}
	return difference.LessThanOrEqual(tolerance)
}

// silence tells whether the sides can be compared, and which of them is silent though it was expected to speak.
func (r *reading) silence(c Comparison, rules *Rules) (silent schemas.System, comparable bool) {
	a, b := r.speaks(c.A), r.speaks(c.B)
	switch {
	case a == b:
		return "", a
	case a && slices.Contains(rules.Expected, Expected{c.B.System, c.B.Plus}):
		return c.B.System, true
	case b && slices.Contains(rules.Expected, Expected{c.A.System, c.A.Plus}):
		return c.A.System, true
	}
	return "", false
}

// speaks tells whether a side has said anything, be it that nothing moved.
func (r *reading) speaks(s Side) bool {
	return slices.ContainsFunc(r.words, func(m Movement) bool { return m.System == s.System && m.Kind == s.Plus })
}

// since is when the newest word of a comparison was first told to us.
func (r *reading) since(c Comparison) time.Time {
	var newest time.Time
	for i := range r.words {
		w := &r.words[i]
		if (c.A.of(w) || c.B.of(w)) && w.SeenAt.After(newest) {
			newest = w.SeenAt
		}
	}
	return newest
}

func (s Side) of(m *Movement) bool {
	return m.System == s.System && (m.Kind == s.Plus || s.Minus != "" && m.Kind == s.Minus || s.Else != "" && m.Kind == s.Else)
}

// account is one side in one currency.
type account struct {
	sum         decimal.Decimal
	plus, minus []Movement
}

// accounts is one side by currency.
type accounts map[string]account

// with is the currencies of both.
func (a accounts) with(b accounts) accounts {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// amounts is a side as it is compared with another.
func (r *reading) amounts(s, other Side) accounts {
	own := r.accounts(s.System, s.Plus, s.Minus)
	if s.Else == "" || len(own) == 0 {
		return own
	}
	theirs, instead := r.accounts(other.System, other.Plus, other.Minus), r.accounts(s.System, s.Else, s.Minus)
	if shares(theirs, instead) && !shares(theirs, own) {
		return instead
	}
	return own
}

func (r *reading) accounts(system schemas.System, plus, minus Kind) accounts {
	out := accounts{}
	for _, m := range r.counted {
		if m.System == system && m.Kind == plus {
			a := out[m.Currency]
			a.sum, a.plus = a.sum.Add(m.Amount), append(a.plus, m)
			out[m.Currency] = a
		}
	}
	for _, m := range r.counted {
		if a, some := out[m.Currency]; some && minus != "" && m.System == system && m.Kind == minus {
			a.sum, a.minus = a.sum.Sub(m.Amount), append(a.minus, m)
			out[m.Currency] = a
		}
	}
	return out
}

func shares(a, b accounts) bool {
	for currency := range a {
		if _, both := b[currency]; both {
			return true
		}
	}
	return false
}
