package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/schemas"
)

// Totals are control totals of some business days, and what explains where two systems' sums differ.
type Totals struct {
	From        string          `json:"from"` // first business day, 2026-11-24
	To          string          `json:"to"`   // last, included
	Zone        string          `json:"zone"`
	Totals      []DayTotal      `json:"totals"`      // by day, currency, kind and system
	Differences []DayDifference `json:"differences"` // over all the days, by comparison and currency
	Freshness   Freshness       `json:"freshness"`
}

// DayTotal is a sum of movements of one day.
type DayTotal struct {
	Day      string          `json:"day"`
	Currency string          `json:"currency"`
	Kind     money.Kind      `json:"kind"`
	System   schemas.System  `json:"system"`
	Amount   decimal.Decimal `json:"amount"` // major units
	Count    int             `json:"count"`  // of movements
}

// DayDifference is two sums that are not equal.
type DayDifference struct {
	money.Comparison
	Currency   string            `json:"currency"`
	AmountA    decimal.Decimal   `json:"amount_a"`
	AmountB    decimal.Decimal   `json:"amount_b"`
	Difference decimal.Decimal   `json:"difference"` // AmountA less AmountB: what the orders' differences add up to
	Orders     []OrderDifference `json:"orders"`     // the largest first
	More       int               `json:"more"`       // orders beyond those listed
}

// Why the sums of an order differ.
const (
	WhyAmounts = "amounts"   // the systems differ about the order
	WhyDay     = "other_day" // they agree about the order, on different days
	WhySilent  = "silent"    // one of them has said nothing of it: see Silent
)

// OrderDifference is what one order adds to a difference.
type OrderDifference struct {
	Key        string          `json:"key"`
	AmountA    decimal.Decimal `json:"amount_a"`
	AmountB    decimal.Decimal `json:"amount_b"`
	Difference decimal.Decimal `json:"difference"`
	Why        string          `json:"why"`
	Silent     schemas.System  `json:"silent,omitempty"`
}

// maxExplained is how many orders are listed for a difference.
const maxExplained = 1000

// ErrNoDay is the error for a text that is no day.
var ErrNoDay = errors.New("write a day as 2026-11-24")

// Totals sums the movements of the business days from one to another, both included, and compares what is compared per
// order. Days are 2026-11-24; those of another form are an error.
func (v *View) Totals(ctx context.Context, from, to string) (*Totals, error) {
	for _, day := range []string{from, to} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, fmt.Errorf("%w: %q", ErrNoDay, day)
		}
	}
	out := &Totals{From: from, To: to, Zone: v.zone.String(), Totals: []DayTotal{}, Differences: []DayDifference{}, Freshness: v.Freshness()}
	t := newTally(moneyRules(v.topo).Compare)
	rows, err := v.db.QueryContext(ctx, v.db.bind("SELECT key, day, kind, system, currency, amount FROM movements WHERE topic = ? AND day BETWEEN ? AND ? ORDER BY key"), schemas.TopicOrders, from, to)
	if err != nil {
		return nil, fmt.Errorf("totals: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var m DayTotal
		if err := rows.Scan(&key, &m.Day, &m.Kind, &m.System, &m.Currency, &m.Amount); err != nil {
			return nil, fmt.Errorf("totals: %w", err)
		}
		t.add(key, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("totals: %w", err)
	}
	t.close()
	out.Totals = t.days()
	for _, d := range t.differences() {
		if err := v.explain(ctx, &d); err != nil {
			return nil, fmt.Errorf("totals: %w", err)
		}
		out.Differences = append(out.Differences, d)
	}
	return out, nil
}

// explain says of each order that is listed why its sums differ.
func (v *View) explain(ctx context.Context, d *DayDifference) error {
	for i := range d.Orders {
		o := &d.Orders[i]
		var differs, a, b int
		err := v.db.QueryRowContext(ctx, v.db.bind("SELECT (SELECT count(*) FROM money_differences WHERE topic = ? AND key = ? AND comparison = ? AND currency = ?), "+
			"(SELECT count(*) FROM movements WHERE topic = ? AND key = ? AND system = ? AND kind = ?), (SELECT count(*) FROM movements WHERE topic = ? AND key = ? AND system = ? AND kind = ?)"),
			schemas.TopicOrders, o.Key, d.Name, d.Currency, schemas.TopicOrders, o.Key, string(d.A.System), string(d.A.Plus), schemas.TopicOrders, o.Key, string(d.B.System), string(d.B.Plus)).Scan(&differs, &a, &b)
		switch {
		case err != nil:
			return err
		case a == 0:
			o.Why, o.Silent = WhySilent, d.A.System
		case b == 0:
			o.Why, o.Silent = WhySilent, d.B.System
		case differs > 0:
			o.Why = WhyAmounts
		default:
			o.Why = WhyDay
		}
	}
	return nil
}

// dayKey is what a DayTotal is of.
type dayKey struct {
	day, currency string
	kind          money.Kind
	system        schemas.System
}

// sides is the two sums of a comparison in a currency.
type sides struct{ a, b decimal.Decimal }

// tally sums movements that come order by order.
type tally struct {
	compare []money.Comparison
	sums    map[dayKey]DayTotal
	all     map[[2]string]sides // by comparison and currency
	orders  map[[2]string][]OrderDifference
	key     string
	one     map[[2]string]sides // of the order that comes
}

func newTally(compare []money.Comparison) *tally {
	compare = slices.DeleteFunc(slices.Clone(compare), func(c money.Comparison) bool { return c.AtMost })
	return &tally{compare: compare, sums: map[dayKey]DayTotal{}, all: map[[2]string]sides{}, orders: map[[2]string][]OrderDifference{}, one: map[[2]string]sides{}}
}

func (t *tally) add(key string, m DayTotal) {
	k := dayKey{m.Day, m.Currency, m.Kind, m.System}
	had := t.sums[k]
	m.Amount, m.Count = had.Amount.Add(m.Amount), had.Count+1
	amount := m.Amount.Sub(had.Amount)
	t.sums[k] = m
	if key != t.key {
		t.close()
		t.key = key
	}
	for _, c := range t.compare {
		at := [2]string{c.Name, m.Currency}
		s := t.one[at]
		s.a, s.b = s.a.Add(share(c.A, m, amount)), s.b.Add(share(c.B, m, amount))
		if !s.a.IsZero() || !s.b.IsZero() {
			t.one[at] = s
		}
	}
}

// share is what a movement adds to a side.
func share(s money.Side, m DayTotal, amount decimal.Decimal) decimal.Decimal {
	switch {
	case m.System != s.System:
	case m.Kind == s.Plus:
		return amount
	case m.Kind == s.Minus:
		return amount.Neg()
	}
	return decimal.Zero
}

// close ends the order that came.
func (t *tally) close() {
	for at, s := range t.one {
		sum := t.all[at]
		t.all[at] = sides{sum.a.Add(s.a), sum.b.Add(s.b)}
		if d := s.a.Sub(s.b); !d.IsZero() {
			t.orders[at] = append(t.orders[at], OrderDifference{Key: t.key, AmountA: s.a, AmountB: s.b, Difference: d})
		}
	}
	clear(t.one)
}

func (t *tally) days() []DayTotal {
	out := make([]DayTotal, 0, len(t.sums))
	for _, d := range t.sums {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b DayTotal) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Currency, b.Currency), cmp.Compare(slices.Index(money.Kinds, a.Kind), slices.Index(money.Kinds, b.Kind)), cmp.Compare(a.System, b.System))
	})
	return out
}

// differences is where the orders' sums differ, also where they cancel each other out; not where a whole side is silent.
func (t *tally) differences() []DayDifference {
	var out []DayDifference
	for _, c := range t.compare {
		for at, s := range t.all {
			list := t.orders[at]
			if at[0] != c.Name || len(list) == 0 || !t.speaks(c.A) || !t.speaks(c.B) {
				continue
			}
			slices.SortFunc(list, func(a, b OrderDifference) int {
				return cmp.Or(b.Difference.Abs().Cmp(a.Difference.Abs()), cmp.Compare(a.Key, b.Key))
			})
			d := DayDifference{Comparison: c, Currency: at[1], AmountA: s.a, AmountB: s.b, Difference: s.a.Sub(s.b), Orders: list, More: max(0, len(list)-maxExplained)}
			d.Orders = list[:len(list)-d.More]
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b DayDifference) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}

// speaks tells whether a system has said anything of a side at all.
func (t *tally) speaks(s money.Side) bool {
	for k := range t.sums {
		if k.system == s.System && k.kind == s.Plus {
			return true
		}
	}
	return false
}
