package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// captured is a payment of an order that a system took, seconds after noon.
func captured(t *testing.T, key, object, amount string, system schemas.System, seconds int) *schemas.Event {
	t.Helper()
	ev := event(fmt.Sprintf("%s-%s-%s", key, object, system), schemas.PaymentCaptured, system, seconds)
	when := at(seconds)
	ev.Subject, ev.Payment = key, &schemas.Payment{ID: object + "-" + string(system), Reference: object, Kind: "capture", Status: "success", Amount: money(t, amount), ProcessedAt: &when}
	return ev
}

const day = 24 * 3600

// TestTotals sums by day, currency, kind and system, and names the orders that make two systems' sums differ, and why; in
// either database to the last unit.
func TestTotals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var recs []*kgo.Record
	next := map[string]int64{}
	say := func(ev *schemas.Event) {
		rec := b.record(ev, "")
		rec.Offset = next[rec.Topic]
		next[rec.Topic]++
		recs = append(recs, rec)
	}
	both := func(key, amount string) {
		say(captured(t, key, "p"+key, amount, "shop", 10))
		say(captured(t, key, "p"+key, amount, "psp", 12))
	}
	both("1", "0.10 EUR")
	both("2", "0.20 EUR")
	both("3", "1000 JPY")
	say(captured(t, "4", "p4", "50.00 EUR", "shop", 10)) // the PSP took another amount
	say(captured(t, "4", "p4", "49.99 EUR", "psp", 12))
	say(captured(t, "5", "p5", "7.00 EUR", "shop", 10)) // the PSP speaks of it the day after
	say(captured(t, "5", "p5", "7.00 EUR", "psp", 10+day))
	say(captured(t, "6", "p6", "8.50 EUR", "shop", 10)) // the PSP says nothing
	databases(t, func(t *testing.T, database string) {
		view := openView(t, database, b.topo, at(2*day))
		if err := view.Apply(t.Context(), b.serde, recs...); err != nil {
			t.Fatal(err)
		}
		got, err := view.Totals(t.Context(), "2026-11-23", "2026-11-23")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{
			"2026-11-23 EUR captured psp 50.29 of 3", "2026-11-23 EUR captured shop 65.8 of 5", "2026-11-23 JPY captured psp 1000 of 1", "2026-11-23 JPY captured shop 1000 of 1",
			"captured EUR: 65.8 - 50.29 = 15.51", "6: 8.5 silent psp", "5: 7 other_day ", "4: 0.01 amounts ",
		}, totalLines(got)); d != "" {
			t.Errorf("one day (-want +got):\n%s", d)
		}
		if got, err = view.Totals(t.Context(), "2026-11-23", "2026-11-24"); err != nil {
			t.Fatal(err)
		}
		lines := strings.Join(totalLines(got), "\n")
		if !strings.HasSuffix(lines, "captured EUR: 65.8 - 57.29 = 8.51\n6: 8.5 silent psp\n4: 0.01 amounts ") {
			t.Errorf("two days:\n%s", lines)
		}
		var exported []string
		if err := view.BusinessDay(t.Context(), "2026-11-23", func(d *reconcile.BusinessDay) error {
			for m, err := range d.Movements(t.Context()) {
				if err != nil {
					return err
				}
				exported = append(exported, fmt.Sprintf("%s %s %s", m.Key, m.System, m.Amount))
			}
			for m, err := range d.Differences(t.Context()) {
				if err != nil {
					return err
				}
				exported = append(exported, fmt.Sprintf("%s %s %s", m.Key, m.Comparison, m.Difference))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"1 psp 0.1", "1 shop 0.1", "2 psp 0.2", "2 shop 0.2", "3 psp 1000", "3 shop 1000", "4 psp 49.99", "4 shop 50", "5 shop 7", "6 shop 8.5", "4 captured 0.01"}, exported); d != "" {
			t.Errorf("the day (-want +got):\n%s", d)
		}
		if _, err := view.Totals(t.Context(), "yesterday", "2026-11-24"); !errors.Is(err, reconcile.ErrNoDay) {
			t.Errorf("a day that is none: %v", err)
		}
	})
}

func totalLines(t *reconcile.Totals) []string {
	var out []string
	for _, d := range t.Totals {
		out = append(out, fmt.Sprintf("%s %s %s %s %s of %d", d.Day, d.Currency, d.Kind, d.System, d.Amount, d.Count))
	}
	for _, d := range t.Differences {
		out = append(out, fmt.Sprintf("%s %s: %s - %s = %s", d.Name, d.Currency, d.AmountA, d.AmountB, d.Difference))
		for _, o := range d.Orders {
			out = append(out, fmt.Sprintf("%s: %s %s %s", o.Key, o.Difference, o.Why, o.Silent))
		}
	}
	return out
}
