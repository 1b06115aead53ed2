package money

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// noon is the source's clock of what happened first.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// at is so many minutes after noon.
func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func ptr[T any](v T) *T { return &v }

// amount reads "12.50 EUR".
func amount(text string) *schemas.Money {
	number, currency, _ := strings.Cut(text, " ")
	m, err := schemas.NewMoney(number, currency)
	if err != nil {
		panic(err)
	}
	return m
}

// event is a system's event of a type so many minutes after noon, seen a minute later; the parts are for change to fill.
func event(system schemas.System, typ schemas.EventType, minute int, change func(*schemas.Event)) *schemas.Event {
	ev := &schemas.Event{Type: typ, System: system, Subject: "1001", Time: at(minute), IngestedAt: at(minute + 1)}
	change(ev)
	ev.ID = schemas.EventID(fmt.Sprintf("%s/%s/%d", system, typ, minute))
	ev.BusinessID = "fact of " + string(ev.ID)
	return ev
}

// state is a shop's order.updated; its version is its time.
func state(minute int, o schemas.Order) *schemas.Event {
	return event("shop", schemas.OrderUpdated, minute, func(ev *schemas.Event) {
		o.ID, o.UpdatedAt = "1001", ptr(at(minute))
		ev.Order, ev.SourceVersion = &o, at(minute).Format(time.RFC3339)
	})
}

// total is a state with a total alone.
func total(minute int, text string) *schemas.Event {
	return state(minute, schemas.Order{Status: "open", Total: amount(text)})
}

func paid(system schemas.System, typ schemas.EventType, minute int, p schemas.Payment) *schemas.Event {
	return event(system, typ, minute, func(ev *schemas.Event) { ev.Payment = &p })
}

func refund(system schemas.System, typ schemas.EventType, minute int, r schemas.Refund) *schemas.Event {
	return event(system, typ, minute, func(ev *schemas.Event) { ev.Refund = &r })
}

// refunded is a refund that succeeded, by id and amount.
func refunded(system schemas.System, minute int, id, text string) *schemas.Event {
	return refund(system, schemas.RefundSucceeded, minute, schemas.Refund{ID: id, Status: "succeeded", Amount: amount(text)})
}

func invoice(typ schemas.EventType, minute int, id, text string) *schemas.Event {
	return event("erp", typ, minute, func(ev *schemas.Event) {
		ev.Invoice = &schemas.Invoice{ID: id, Kind: "invoice", IssuedAt: ptr(at(minute))}
		if text != "" {
			ev.Invoice.Total = amount(text)
		}
	})
}

func book(events ...*schemas.Event) *Book {
	b := &Book{}
	for _, ev := range events {
		b.Add(ev)
	}
	return b
}

// net is a book's totals as lines: "captured psp 10.00 EUR of 2".
func net(b *Book) []string {
	out := []string{}
	for _, t := range b.Net() {
		m := schemas.Money{Amount: t.Amount, Currency: t.Currency}
		out = append(out, fmt.Sprintf("%s %s %s of %d", t.Kind, t.System, m.String(), t.Count))
	}
	return out
}

// differing is a book's differences as lines: "refunded: 10.00 and 5.00 EUR", with the objects of each part behind.
func differing(b *Book, r Rules) []string {
	out := []string{}
	for _, d := range b.Differences(r) {
		line := fmt.Sprintf("%s: %s and %s %s", d.Name, d.AmountA, d.AmountB, d.Currency)
		if d.Silent != "" {
			line += ", " + string(d.Silent) + " silent"
		}
		for _, p := range d.Parts {
			line += fmt.Sprintf("; %s|%s %s", objects(p.A), objects(p.B), p.Difference)
		}
		out = append(out, line)
	}
	return out
}

func objects(movements []Movement) string {
	var names []string
	for _, m := range movements {
		names = append(names, m.Object)
	}
	return strings.Join(names, ",")
}

// check holds a book to its totals and its differences by the default rules.
func check(t *testing.T, b *Book, wantNet, wantDifferences []string) {
	t.Helper()
	if d := cmp.Diff(wantNet, net(b)); d != "" {
		t.Errorf("net (-want +got):\n%s", d)
	}
	if wantDifferences == nil {
		wantDifferences = []string{}
	}
	if d := cmp.Diff(wantDifferences, differing(b, Rules{})); d != "" {
		t.Errorf("differences (-want +got):\n%s", d)
	}
}
