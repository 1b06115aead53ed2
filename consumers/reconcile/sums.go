package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Money is what systems say of an order's money, and where they differ.
type Money struct {
	Totals      []money.Total     `json:"totals"`
	Differences []MoneyDifference `json:"differences"`
	Movements   []money.Movement  `json:"movements"` // what the totals are of
}

// MoneyDifference is a comparison that does not come out even, in one currency.
type MoneyDifference struct {
	money.Difference
	Deadline time.Time `json:"deadline"` // our clock
	Overdue  bool      `json:"overdue"`  // it lasts beyond Deadline
	Page     string    `json:"page,omitempty"`
}

// moneyRules is a topology's rules for package money, less the order's total where ownership.yaml has it compared already.
// Load has checked what they are made of.
func moneyRules(t *topology.Topology) money.Rules {
	m := &t.Money
	_, owned := t.Ownership["order.total"]
	r := money.Rules{Compare: slices.DeleteFunc(money.Comparisons(m.TotalsStay), func(c money.Comparison) bool { return owned && c.B.Plus == money.Charged })}
	r.Tolerance, _ = decimal.NewFromString(cmp.Or(m.Tolerance, "0"))
	for system, kinds := range m.Expected {
		for _, k := range kinds {
			r.Expected = append(r.Expected, money.Expected{System: system, Kind: money.Kind(k)})
		}
	}
	return r
}

// money is the order's money as of now; nil where nobody spoke of any.
func (f *Fold) money(now time.Time) *Money {
	book := f.book()
	out := &Money{Totals: book.Net(), Differences: []MoneyDifference{}, Movements: book.Counted()}
	if len(out.Totals) == 0 {
		return nil
	}
	for _, d := range book.Differences(moneyRules(f.topo)) {
		deadline := d.Since.Add(f.topo.Money.AgreeWithin.D())
		out.Differences = append(out.Differences, MoneyDifference{Difference: d, Deadline: deadline, Overdue: now.After(deadline), Page: f.topo.Money.Page})
	}
	return out
}

func (f *Fold) book() *money.Book {
	book := &money.Book{}
	for _, ev := range f.events {
		book.AddAll(ev.paid)
	}
	return book
}

// fullyRefunded tells whether all that was taken was given back, by one system's word.
func fullyRefunded(totals []money.Total) bool {
	type key struct {
		system   schemas.System
		currency string
	}
	taken, back := map[key]decimal.Decimal{}, map[key]decimal.Decimal{}
	for _, t := range totals {
		switch k := (key{t.System, t.Currency}); t.Kind {
		case money.Captured:
			taken[k] = t.Amount
		case money.Refunded:
			back[k] = t.Amount
		default:
		}
	}
	for k, amount := range taken {
		if amount.IsPositive() && back[k].GreaterThanOrEqual(amount) {
			return true
		}
	}
	return false
}
