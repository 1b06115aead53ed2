package reconcile_test

import (
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// operationsYAML is what an order of the test topology needs.
const operationsYAML = `
place:   {begins: [order.created], void: [order.cancelled], done: {books: 1h}, page: finance}
fulfill: {begins: [payment.captured], void: [order.cancelled, refund.full], done: {warehouse: 30m}, seen: {fulfillment.shipped: 2h}, page: fulfilment}
pay:     {begins: [payment.captured], seen: {order.created: 1h}, page: finance}
`

// TestOperations judges what an order needs from what was said and done, and when.
func TestOperations(t *testing.T) {
	t.Parallel()
	type story func(*reconcile.Fold)
	created := func(f *reconcile.Fold) {
		f.Event(order(t, event("c", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), reconcile.Position{Offset: 1})
	}
	paid := func(f *reconcile.Fold) {
		f.Event(captured(t, "1001", "p", "20.00 EUR", "psp", 60), reconcile.Position{Offset: 2})
	}
	shipped := func(f *reconcile.Fold) {
		f.Event(event("s", schemas.FulfillmentShipped, "warehouse", 120), reconcile.Position{Offset: 3})
	}
	cancelled := func(f *reconcile.Fold) {
		f.Event(event("x", schemas.OrderCancelled, "shop", 90), reconcile.Position{Offset: 4})
	}
	refunded := func(amount string) story {
		return func(f *reconcile.Fold) {
			ev := event("r", schemas.RefundSucceeded, "psp", 90)
			ev.Refund = &schemas.Refund{ID: "r1", PaymentID: "p", Status: "success", Amount: money(t, amount)}
			f.Event(ev, reconcile.Position{Offset: 5})
		}
	}
	answer := func(in string, kind schemas.Kind, reason schemas.Reason, operation string) story {
		return func(f *reconcile.Fold) {
			o := outcome(in, "c", schemas.OrderCreated, kind, reason, 30)
			o.Operation = operation
			f.Outcome(o, reconcile.Position{Offset: int64(len(in))})
		}
	}
	booked, picked := answer("books", schemas.Delivered, "", "book"), answer("warehouse", schemas.Delivered, "", "fulfill")
	noted := func(f *reconcile.Fold) {
		f.Outcome(outcome("warehouse", "1001-p-psp", schemas.PaymentCaptured, schemas.Withheld, schemas.ReasonPrerequisite, 61), reconcile.Position{Offset: 77})
	}
	tests := []struct {
		name    string
		after   int // seconds
		facts   []story
		want    string
		verdict string // a part of it
	}{
		{"all is well", 3 * 3600, []story{created, paid, noted, booked, picked, shipped}, "fulfill complete, pay complete, place complete", "complete in 2 of 2"},
		{"there is time", 60, []story{created}, "place pending", ""},
		{"a 200 that did nothing", 3 * 3600, []story{created, paid, noted, booked, picked}, "fulfill missing: fulfillment.shipped, pay complete, place complete", "fulfill lacks fulfillment.shipped; page fulfilment"},
		{"not yet shipped", 1800, []story{created, paid, booked, picked}, "fulfill pending, pay complete, place complete", ""},
		{"nobody picked", 2400, []story{created, paid, booked}, "fulfill missing: warehouse/fulfill, pay complete, place complete", "missing in warehouse"},
		{"paid before it was placed, and it never was", 2 * 3600, []story{paid}, "fulfill pending, pay missing: order.created", "pay lacks order.created"},
		{"cancelled", 3 * 3600, []story{created, paid, cancelled, booked}, "fulfill complete, pay complete, place complete", ""},
		{"all given back", 3 * 3600, []story{created, paid, refunded("20.00 EUR"), booked}, "fulfill complete, pay complete, place complete", ""},
		{"half given back", 3 * 3600, []story{created, paid, refunded("10.00 EUR"), booked, picked}, "fulfill missing: fulfillment.shipped, pay complete, place complete", ""},
		{"parked", 60, []story{created, answer("books", schemas.Parked, schemas.ReasonUnknown, "book")}, "place unknown: books/book", "unknown in books"},
		{"refused", 2 * 3600, []story{created, answer("books", schemas.Rejected, schemas.ReasonBusinessNo, "book")}, "place late: books/book", "place lacks books/book"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := reconcile.NewFold(loadWith(t, map[string]string{"operations.yaml": operationsYAML}), "orders", "1001")
			for _, s := range tt.facts {
				s(f)
			}
			o := f.Order(at(tt.after))
			var got []string
			for _, op := range o.Operations {
				text := op.Name + " " + string(op.State)
				for _, s := range op.Steps {
					if s.State == op.State && op.State != reconcile.StateComplete && op.State != reconcile.StatePending {
						text += ": " + s.What
					}
				}
				got = append(got, text)
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got  %s\nwant %s\nverdict %s", s, tt.want, o.Verdict)
			}
			if !strings.Contains(o.Verdict, tt.verdict) {
				t.Errorf("verdict %q, want %q in it", o.Verdict, tt.verdict)
			}
		})
	}
}

// TestOperationsText shows a person what an operation needs, what came of it and until when there is time.
func TestOperationsText(t *testing.T) {
	t.Parallel()
	f := reconcile.NewFold(loadWith(t, map[string]string{"operations.yaml": operationsYAML}), "orders", "1001")
	f.Event(order(t, event("c", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), reconcile.Position{Offset: 1})
	f.Event(captured(t, "1001", "p", "20.00 EUR", "psp", 60), reconcile.Position{Offset: 2})
	f.Event(event("x", schemas.OrderCancelled, "shop", 90), reconcile.Position{Offset: 3})
	var text strings.Builder
	if err := f.Order(at(120)).Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"operation  state     since                    what it needs\n",
		"fulfill    complete  2026-11-23 12:01:00.000  fulfillment.shipped complete (not needed any more: order.cancelled), warehouse/fulfill complete (not needed any more: order.cancelled)\n",
		"pay        complete  2026-11-23 12:00:00.000  order.created complete (said by shop)\n",
		"place      complete  2026-11-23 12:00:00.000  books/book complete (not needed any more: order.cancelled)\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
}
