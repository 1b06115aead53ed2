package money

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestOf holds every field of a movement to where it comes from.
func TestOf(t *testing.T) {
	t.Parallel()
	ev := shopRefund(7, "r1", schemas.Payment{ID: "t2", ParentID: "t1", Kind: "refund", Status: "success", Reference: "pi_1", Amount: amount("-5.00 EUR"), ProcessedAt: ptr(at(6))})
	ev.SourceVersion = "3"
	want := []Movement{{
		Kind: Refunded, System: "shop", Object: "t2", Whole: "r1", Payment: "t1", Reference: "pi_1", Amount: amount("5.00 EUR").Amount, Currency: "EUR",
		At: at(6), SaidAt: at(7), EventID: ev.ID, Version: "3", SeenAt: at(8),
	}}
	if d := cmp.Diff(want, Of(ev)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestOfSilent is what tells of no money.
func TestOfSilent(t *testing.T) {
	t.Parallel()
	line := schemas.Line{ID: "1", Quantity: 2}
	tests := map[string]*schemas.Event{
		"no system": {Type: schemas.OrderUpdated, Subject: "1", Order: &schemas.Order{Total: amount("1 EUR")}},
		"customers": event("shop", schemas.CustomerUpdated, 1, func(ev *schemas.Event) { ev.Order = &schemas.Order{Total: amount("1 EUR")} }),
		"no amounts": state(1, schemas.Order{Status: "open", Refunds: []schemas.Refund{{ID: "1"}},
			Payments: []schemas.Payment{{ID: "2", Kind: "capture"}, {ID: "3", Kind: "change", Status: "success", Amount: amount("1 EUR")}, {ID: "4", Kind: "pending", Status: "success", Amount: amount("1 EUR")}}}),
		"pending": state(1, schemas.Order{Payments: []schemas.Payment{{ID: "1", Kind: "sale", Status: "awaiting_response", Amount: amount("1 EUR")},
			{ID: "2", Kind: "charge", Status: "pending", Amount: amount("1 EUR")}, {ID: "3", Kind: "paid", Status: "hm", Amount: amount("1 EUR")}},
			Refunds: []schemas.Refund{{ID: "1", Status: "requires_action", Amount: amount("1 EUR")}}}),
		"an attempt that failed":  paid("psp", schemas.PaymentFailed, 1, charge("1.00 EUR")),
		"a claim without a total": paid("shop", schemas.PaymentCaptured, 1, schemas.Payment{Kind: "paid", Status: "paid"}),
		"a refund asked for":      refund("psp", schemas.RefundRequested, 1, schemas.Refund{ID: "1", Amount: amount("1 EUR")}),
		"an inquiry": event("psp", schemas.DisputeOpened, 1, func(ev *schemas.Event) {
			ev.Dispute = &schemas.Dispute{ID: "1", Kind: "inquiry", Amount: amount("1 EUR")}
		}),
		"an adjustment": event("erp", schemas.InvoiceIssued, 1, func(ev *schemas.Event) {
			ev.Invoice = &schemas.Invoice{ID: "A1", Kind: "adjustment", Total: amount("1 EUR")}
		}),
		"a parcel without prices": event("warehouse", schemas.FulfillmentShipped, 1, func(ev *schemas.Event) { ev.Fulfillment = &schemas.Fulfillment{ID: "1", Lines: []schemas.Line{line}} }),
		"a request for a parcel": event("warehouse", schemas.FulfillmentAccepted, 1, func(ev *schemas.Event) {
			ev.Fulfillment = &schemas.Fulfillment{ID: "1", Status: "success", Lines: []schemas.Line{{Quantity: 1, Price: amount("1 EUR")}}}
		}),
		"a parcel not yet there": state(1, schemas.Order{Fulfillments: []schemas.Fulfillment{{ID: "1", Status: "pending", Lines: []schemas.Line{{Quantity: 1, Price: amount("1 EUR")}}}}}),
	}
	for name, ev := range tests {
		if got := Of(ev); len(got) != 0 {
			t.Errorf("%s: told %+v", name, got)
		}
	}
}

// TestOthers is about invoices by the line, parcels, disputes and what has no id.
func TestOthers(t *testing.T) {
	t.Parallel()
	row := func(minute int, typ schemas.EventType, id string, lines ...schemas.Line) *schemas.Event {
		return event("erp", typ, minute, func(ev *schemas.Event) { ev.Invoice = &schemas.Invoice{ID: id, Kind: "invoice", Lines: lines} })
	}
	line := func(quantity int64, price string) schemas.Line {
		return schemas.Line{ID: price, Quantity: quantity, Price: amount(price)}
	}
	parcel := func(minute int, typ schemas.EventType, f schemas.Fulfillment) *schemas.Event {
		return event("warehouse", typ, minute, func(ev *schemas.Event) { ev.Fulfillment = &f })
	}
	dispute := func(minute int, kind, status string) *schemas.Event {
		return event("psp", schemas.DisputeOpened, minute, func(ev *schemas.Event) {
			ev.Dispute = &schemas.Dispute{ID: "dp_1", Kind: kind, Status: status, Amount: amount("11.50 EUR")}
		})
	}
	discounted := line(3, "2.00 EUR")
	discounted.Discount = amount("0.50 EUR")
	tests := []struct {
		name   string
		events []*schemas.Event
		net    []string
	}{
		{"lines of an invoice add up, equal ones too", []*schemas.Event{row(1, schemas.InvoiceIssued, "I1", line(3, "2.95 GBP")), row(2, schemas.InvoiceIssued, "I1", line(3, "2.95 GBP")), row(2, schemas.InvoiceIssued, "I1", line(3, "2.95 GBP"))},
			[]string{"invoiced erp 17.70 GBP of 2"}},
		{"a credit note by the line", []*schemas.Event{row(1, schemas.InvoiceCancelled, "C1", line(2, "27.50 GBP"))}, []string{"credited erp 55.00 GBP of 1"}},
		{"lines less their discount", []*schemas.Event{row(1, schemas.InvoiceIssued, "I1", discounted, line(0, "9.00 EUR"))}, []string{"invoiced erp 5.50 EUR of 1"}},
		{"lines in two currencies are no sum", []*schemas.Event{row(1, schemas.InvoiceIssued, "I1", line(1, "1.00 EUR"), line(1, "1.00 USD"))}, []string{}},
		{"a parcel, and a step of it", []*schemas.Event{
			parcel(1, schemas.FulfillmentShipped, schemas.Fulfillment{ID: "f1", Lines: []schemas.Line{discounted, {ID: "x"}}}), parcel(2, schemas.FulfillmentDelivered, schemas.Fulfillment{ID: "f1"}),
		}, []string{"shipped warehouse 6.00 EUR of 1"}},
		{"a parcel cancelled", []*schemas.Event{parcel(1, schemas.FulfillmentShipped, schemas.Fulfillment{ID: "f1", Lines: []schemas.Line{discounted}}), parcel(2, schemas.FulfillmentCancelled, schemas.Fulfillment{ID: "f1"})}, []string{}},
		{"parcels of a state at the order's prices", []*schemas.Event{state(1, schemas.Order{Lines: []schemas.Line{{ID: "1", Quantity: 5, Price: amount("1.99 EUR")}}, Fulfillments: []schemas.Fulfillment{
			{ID: "f1", Status: "success", Lines: []schemas.Line{{ID: "1", Quantity: 2}}}, {Status: "in_transit", Lines: []schemas.Line{{ID: "1", Quantity: 1}}},
			{ID: "f3", Status: "success", Lines: []schemas.Line{{ID: "1", Quantity: 1}, {ID: "2", Quantity: 1}}}, {ID: "f4", Status: "cancelled", Lines: []schemas.Line{{ID: "1", Quantity: 2}}}}})},
			[]string{"shipped shop 5.97 EUR of 2"}},
		{"a dispute", []*schemas.Event{dispute(1, "dispute", "needs_response")}, []string{"disputed psp 11.50 EUR of 1"}},
		{"a dispute won", []*schemas.Event{dispute(1, "dispute", "needs_response"), dispute(3, "dispute", "won")}, []string{}},
		{"a chargeback, its notice before and its reversal late", []*schemas.Event{dispute(9, "chargeback_reversed", ""), dispute(1, "notification_of_chargeback", ""), dispute(3, "chargeback", "")}, []string{}},
		{"what has no id", []*schemas.Event{refunded("erp", 1, "", "1.00 EUR"), refunded("erp", 2, "", "1.00 EUR"), paid("psp", schemas.PaymentCaptured, 3, schemas.Payment{Status: "captured", Amount: amount("2.00 EUR")}),
			state(4, schemas.Order{Payments: []schemas.Payment{{Kind: "sale", Amount: amount("1.00 EUR")}, {Kind: "sale", Amount: amount("1.00 EUR")}}})},
			[]string{"captured psp 2.00 EUR of 1", "captured shop 2.00 EUR of 2", "refunded erp 2.00 EUR of 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, book(tt.events...), tt.net, nil)
		})
	}
}
