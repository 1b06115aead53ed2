package money

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// story is events about few objects, many of a time and of versions of all kinds.
func story(r *rand.Rand) []*schemas.Event {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	money := func() *schemas.Money { return amount(pick("1.00 EUR", "2.50 EUR", "3 JPY", "0 EUR", "-4.00 EUR")) }
	payment := func() schemas.Payment {
		return schemas.Payment{ID: pick("t1", "t2", ""), ParentID: pick("", "t1"), Kind: pick("authorization", "capture", "void", "refund", "paid", "charge"),
			Status: pick("success", "failure", "pending", ""), Reference: pick("", "pi_1"), Amount: money()}
	}
	whole := func() schemas.Refund {
		f := schemas.Refund{ID: pick("r1", "r2"), PaymentID: pick("", "t1"), Status: pick("succeeded", "failed", "pending"), Amount: money()}
		if r.IntN(2) == 0 {
			f.Payments = []schemas.Payment{payment()}
		}
		return f
	}
	out := make([]*schemas.Event, 3+r.IntN(12))
	for i := range out {
		typ := schemas.EventTypes[r.IntN(25)]
		ev := event(schemas.System(pick("shop", "psp", "erp")), typ, r.IntN(3), func(ev *schemas.Event) {
			ev.SourceVersion = pick("", "", "7", "10", at(1).Format(time.RFC3339), "2026-11-02 12:02:00", "x")
			ev.Order = &schemas.Order{Status: pick("open", "open", "cancelled"), Total: money(), Payments: []schemas.Payment{payment(), payment()}, Refunds: []schemas.Refund{whole()}}
			ev.Payment, ev.Refund = ptr(payment()), ptr(whole())
			ev.Invoice = &schemas.Invoice{ID: pick("I1", "I2"), Kind: pick("invoice", "credit"), Total: money()}
		})
		ev.ID, ev.IngestedAt = schemas.EventID(fmt.Sprintf("%d", i)), at(r.IntN(9))
		out[i] = ev
	}
	return out
}

// TestBookIsOneWhateverTheOrder tells stories in any order, with repetitions, and from kept halves.
func TestBookIsOneWhateverTheOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		events := story(r)
		want := book(events...)
		for range 3 {
			told := append(slices.Clone(events), events[r.IntN(len(events))], events[r.IntN(len(events))])
			r.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
			half := r.IntN(len(told))
			got := NewBook(book(told[half:]...).Movements())
			got.AddAll(book(told[:half]...).Movements())
			same(t, seed, want, got)
			if t.Failed() {
				return
			}
		}
	}
}

// same holds two books to the same answers.
func same(t *testing.T, seed uint64, want, got *Book) {
	t.Helper()
	if d := cmp.Diff(answers(t, want), answers(t, got)); d != "" {
		t.Errorf("seed %d (-want +got):\n%s", seed, d)
	}
}

func answers(t *testing.T, b *Book) string {
	t.Helper()
	text, err := json.MarshalIndent([]any{b.Movements(), b.Net(), b.Differences(Rules{})}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPartsAddUp: what explains a difference is all of it.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	seen := 0
	for seed := range uint64(400) {
		b := book(story(rand.New(rand.NewPCG(seed, 2)))...)
		for _, d := range b.Differences(Rules{}) {
			seen++
			sum := decimal.Zero
			for _, p := range d.Parts {
				sum = sum.Add(p.Difference)
			}
			if !sum.Equal(d.Difference) || !d.AmountA.Sub(d.AmountB).Equal(d.Difference) || d.Since.IsZero() {
				t.Fatalf("seed %d: parts add up to %s: %+v", seed, sum, d)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d differences in all stories", seen)
	}
}

// TestBookSurvivesJSON: a store may keep movements as JSON.
func TestBookSurvivesJSON(t *testing.T) {
	t.Parallel()
	want := book(story(rand.New(rand.NewPCG(1, 3)))...)
	text, err := json.Marshal(want.Movements())
	if err != nil {
		t.Fatal(err)
	}
	var kept []Movement
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	same(t, 1, want, NewBook(kept))
}

func TestEmptyBook(t *testing.T) {
	t.Parallel()
	var b Book
	if len(b.Movements())+len(b.Counted())+len(b.Net())+len(b.Differences(Rules{Expected: []Expected{{"psp", Captured}}})) != 0 {
		t.Error("an empty book tells something")
	}
}

// TestVersions: which of two words on one total counts, both ways round.
func TestVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, older, newer string // versions
		olderAt, newerAt   int    // minutes of the source's clock
	}{
		{"numbers, whatever the clock", "9", "10", 5, 1},
		{"times in two zones", "2026-11-02T12:00:00+01:00", "2026-11-02T11:30:00Z", 5, 1},
		{"times without a zone", "2026-11-02T12:00:00", "2026-11-02T12:00:01", 5, 1},
		{"times of files", "2026-11-02 12:00:00.5", "2026-11-02 12:00:01", 5, 1},
		{"none: the clock", "", "", 1, 5},
		{"of another kind: the clock", "10", "2026-11-02T09:00:00Z", 1, 5},
		{"numbers of any size are no trap: the clock", "1e999999999", "1", 1, 5},
	}
	for _, tt := range tests {
		word := func(version string, minute int, text string) *schemas.Event {
			return event("erp", schemas.OrderUpdated, minute, func(ev *schemas.Event) {
				ev.SourceVersion, ev.Order = version, &schemas.Order{Total: amount(text)}
			})
		}
		older, newer := word(tt.older, tt.olderAt, "1.00 EUR"), word(tt.newer, tt.newerAt, "2.00 EUR")
		for _, b := range []*Book{book(older, newer), book(newer, older)} {
			if d := cmp.Diff([]string{"charged erp 2.00 EUR of 1"}, net(b)); d != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, d)
			}
		}
	}
}
