package money

import (
	"testing"

	"github.com/binaryandbeyond/seam/schemas"
)

// transaction is one of a shop: kind, id, the one it follows, amount.
func transaction(kind, id, parent, text string) schemas.Payment {
	return schemas.Payment{ID: id, ParentID: parent, Kind: kind, Status: "success", Gateway: "bogus", Reference: "pi_1", Amount: amount(text)}
}

// charge is a payment as Stripe tells it.
func charge(text string) schemas.Payment {
	return schemas.Payment{ID: "pi_1", Kind: "charge", Status: "succeeded", Reference: "ch_1", Amount: amount(text), ProcessedAt: ptr(at(0))}
}

// stripeRefund is a refund of pi_1 as Stripe tells it.
func stripeRefund(typ schemas.EventType, minute int, id, status, text string) *schemas.Event {
	return refund("psp", typ, minute, schemas.Refund{ID: id, PaymentID: "pi_1", Status: status, Amount: amount(text), CreatedAt: ptr(at(minute))})
}

// shopRefund is a refund with its transactions.
func shopRefund(minute int, id string, parts ...schemas.Payment) *schemas.Event {
	return refund("shop", schemas.RefundSucceeded, minute, schemas.Refund{ID: id, Status: "succeeded", Amount: amount("1.00 EUR"), Payments: parts})
}

func TestCases(t *testing.T) {
	t.Parallel()
	succeeded, failed, requested := schemas.RefundSucceeded, schemas.RefundFailed, schemas.RefundRequested
	pendingPart := transaction("refund", "t4", "t3", "5.00 EUR")
	pendingPart.Status = "pending"
	tests := []struct {
		name        string
		events      []*schemas.Event
		net         []string
		differences []string
	}{
		{"four partial refunds in an order's state, the fourth wrong at the PSP", []*schemas.Event{
			state(9, schemas.Order{Status: "processing", Refunds: []schemas.Refund{
				{ID: "1", Status: "succeeded", Amount: amount("9.99 EUR")}, {ID: "2", Status: "succeeded", Amount: amount("0.01 EUR")},
				{ID: "3", Status: "succeeded", Amount: amount("27.00 EUR")}, {ID: "4", Status: "succeeded", Amount: amount("0.10 EUR")}}}),
			refunded("shop", 8, "4", "0.10 EUR"), // the same as a fact of its own
			refunded("psp", 5, "re_1", "9.99 EUR"), refunded("psp", 6, "re_2", "0.01 EUR"), refunded("psp", 7, "re_3", "27.00 EUR"), refunded("psp", 8, "re_4", "0.11 EUR"),
		}, []string{"refunded psp 37.11 EUR of 4", "refunded shop 37.10 EUR of 4"},
			[]string{"refunded: 37.1 and 37.11 EUR; 4|re_4 -0.01"}},

		{"two refunds of one event", []*schemas.Event{
			stripeRefund(succeeded, 5, "re_1", "succeeded", "2.50 EUR"), stripeRefund(succeeded, 5, "re_2", "succeeded", "2.50 EUR"),
		}, []string{"refunded psp 5.00 EUR of 2"}, nil},

		{"partial capture and a refund of it", []*schemas.Event{
			paid("shop", schemas.PaymentAuthorized, 0, transaction("authorization", "t1", "", "598.94 USD")),
			paid("shop", schemas.PaymentCaptured, 4, transaction("capture", "t2", "t1", "250.94 USD")),
			state(5, schemas.Order{Payments: []schemas.Payment{transaction("refund", "t3", "t2", "209.00 USD")}}),
			shopRefund(5, "r1", transaction("refund", "t3", "t2", "209.00 USD")),
			paid("psp", schemas.PaymentCaptured, 4, charge("250.94 USD")),
			stripeRefund(succeeded, 5, "re_1", "succeeded", "209.00 USD"),
		}, []string{"authorized shop 598.94 USD of 1", "captured psp 250.94 USD of 1", "captured shop 250.94 USD of 1", "refunded psp 209.00 USD of 1", "refunded shop 209.00 USD of 1"}, nil},

		{"two captures of one authorization, with one reference", []*schemas.Event{
			paid("shop", schemas.PaymentAuthorized, 0, transaction("authorization", "t1", "", "100.00 EUR")),
			paid("shop", schemas.PaymentCaptured, 4, transaction("capture", "t2", "t1", "60.00 EUR")),
			paid("shop", schemas.PaymentCaptured, 5, transaction("capture", "t3", "t1", "40.00 EUR")),
			paid("psp", schemas.PaymentCaptured, 4, charge("60.00 EUR")),
			paid("psp", schemas.PaymentCaptured, 5, charge("100.00 EUR")), // the PSP tells the sum
		}, []string{"authorized shop 100.00 EUR of 1", "captured psp 100.00 EUR of 1", "captured shop 100.00 EUR of 2"}, nil},

		{"one capture told by charge, intent and checkout", []*schemas.Event{
			paid("psp", schemas.PaymentCaptured, 4, charge("60.00 EUR")),
			paid("psp", schemas.PaymentCaptured, 5, schemas.Payment{ID: "pi_1", Kind: "payment_intent", Status: "succeeded", Amount: amount("60.00 EUR")}),
			paid("psp", schemas.PaymentCaptured, 6, schemas.Payment{ID: "pi_1", Kind: "checkout.session", Status: "paid", Reference: "cs_1", Amount: amount("60.00 EUR")}),
		}, []string{"captured psp 60.00 EUR of 1"}, nil},

		{"an authorization expires", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, charge("50.00 EUR")),
			paid("psp", schemas.PaymentVoided, 9, charge("50.00 EUR")),
			paid("psp", schemas.PaymentVoided, 9, schemas.Payment{ID: "pi_1", Kind: "payment_intent", Status: "canceled", Amount: amount("50.00 EUR")}),
		}, []string{"authorized psp 50.00 EUR of 1", "voided psp 50.00 EUR of 1"}, nil},

		{"an adjusted authorization replaces the first, a failed adjustment does not", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, schemas.Payment{ID: "A", Reference: "A", Kind: "authorization", Status: "success", Amount: amount("50.00 EUR")}),
			paid("psp", schemas.PaymentAuthorized, 3, schemas.Payment{ID: "B", Reference: "B", ParentID: "A", Kind: "authorization", Status: "success", Amount: amount("70.00 EUR")}),
			event("psp", schemas.OrderUpdated, 4, func(ev *schemas.Event) {
				ev.Order = &schemas.Order{Payments: []schemas.Payment{{ID: "C", ParentID: "A", Kind: "authorization", Status: "failure", Amount: amount("90.00 EUR")}}}
			}),
		}, []string{"authorized psp 70.00 EUR of 1"}, nil},

		{"a capture releases the rest of its authorization, which looks like a refund", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, charge("598.94 USD")),
			paid("psp", schemas.PaymentCaptured, 5, charge("250.94 USD")),
			stripeRefund(succeeded, 5, "re_rest", "succeeded", "348.00 USD"),
			stripeRefund(succeeded, 9, "re_1", "succeeded", "209.00 USD"),
		}, []string{"authorized psp 598.94 USD of 1", "captured psp 250.94 USD of 1", "refunded psp 209.00 USD of 1"}, nil},

		{"a refund that is as large as the rest by chance", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, charge("100.00 USD")),
			paid("psp", schemas.PaymentCaptured, 5, charge("50.00 USD")),
			stripeRefund(succeeded, 9, "re_1", "succeeded", "50.00 USD"),
		}, []string{"authorized psp 100.00 USD of 1", "captured psp 50.00 USD of 1", "refunded psp 50.00 USD of 1"}, nil},

		{"a refund in the moment of the capture, of another amount than the rest", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, charge("100.00 USD")),
			paid("psp", schemas.PaymentCaptured, 5, charge("50.00 USD")),
			stripeRefund(succeeded, 5, "re_1", "succeeded", "49.99 USD"),
		}, []string{"authorized psp 100.00 USD of 1", "captured psp 50.00 USD of 1", "refunded psp 49.99 USD of 1"}, nil},

		{"a void that looks like a refund at the PSP", []*schemas.Event{
			paid("psp", schemas.PaymentAuthorized, 0, charge("100.00 USD")),
			paid("psp", schemas.PaymentVoided, 5, charge("100.00 USD")),
			stripeRefund(succeeded, 5, "re_1", "succeeded", "100.00 USD"),
		}, []string{"authorized psp 100.00 USD of 1", "voided psp 100.00 USD of 1"}, nil},

		{"a refund of voids, which the admin panel calls a refund", []*schemas.Event{
			shopRefund(5, "r1", transaction("void", "t2", "t1", "100.00 EUR")),
			refunded("shop", 5, "r1", "100.00 EUR"),
			paid("shop", schemas.PaymentVoided, 5, transaction("void", "t2", "t1", "100.00 EUR")),
		}, []string{"voided shop 100.00 EUR of 1"}, nil},

		{"yen have no decimals and dinars three", []*schemas.Event{
			refunded("shop", 1, "1", "23600 JPY"), refunded("shop", 2, "2", "1 JPY"), refunded("psp", 1, "re_1", "23601 JPY"),
			refunded("shop", 3, "3", "1.250 KWD"), refunded("psp", 3, "re_3", "1.251 KWD"),
		}, []string{"refunded psp 23601 JPY of 1", "refunded psp 1.251 KWD of 1", "refunded shop 23601 JPY of 2", "refunded shop 1.250 KWD of 1"},
			[]string{"refunded: 1.25 and 1.251 KWD; 3|re_3 -0.001"}},

		{"one refund seen by the admin panel, the shop twice and the PSP", []*schemas.Event{
			refunded("shop", 1, "r1", "85.00 EUR"),
			shopRefund(2, "r1", transaction("refund", "t1", "t0", "75.00 EUR"), transaction("refund", "t2", "t0", "10.00 EUR")),
			state(3, schemas.Order{Payments: []schemas.Payment{transaction("refund", "t2", "t0", "10.00 EUR")}}),
			stripeRefund(succeeded, 2, "re_1", "succeeded", "85.00 EUR"),
		}, []string{"refunded psp 85.00 EUR of 1", "refunded shop 85.00 EUR of 2"}, nil},

		{"a part of a refund is pending", []*schemas.Event{
			shopRefund(2, "r1", transaction("refund", "t3", "t0", "75.00 EUR"), pendingPart),
		}, []string{"refunded shop 75.00 EUR of 1"}, nil},

		{"refund totals that are negative or -0.00", []*schemas.Event{
			refunded("shop", 1, "1", "-223.71 USD"), refunded("shop", 2, "2", "-0.00 USD"),
		}, []string{"refunded shop 223.71 USD of 2"}, nil},

		{"a refund that fails after it was pending", []*schemas.Event{
			stripeRefund(requested, 2, "re_1", "pending", "5.00 EUR"), stripeRefund(failed, 3, "re_1", "failed", "5.00 EUR"),
			refunded("shop", 2, "r1", "5.00 EUR"),
		}, []string{"refunded shop 5.00 EUR of 1"}, []string{"refunded: 5 and 0 EUR; r1| 5"}},

		{"a refund that comes back after it succeeded", []*schemas.Event{
			stripeRefund(succeeded, 2, "re_1", "succeeded", "5.00 EUR"), stripeRefund(failed, 9, "re_1", "failed", "5.00 EUR"),
		}, []string{}, nil},

		{"a refund that succeeds and fails within a second", []*schemas.Event{
			stripeRefund(failed, 2, "re_1", "failed", "5.00 EUR"), stripeRefund(succeeded, 2, "re_1", "succeeded", "5.00 EUR"),
		}, []string{}, nil},

		{"a capture that fails after it succeeded", []*schemas.Event{
			paid("psp", schemas.PaymentCaptured, 2, schemas.Payment{ID: "C", ParentID: "A", Kind: "capture", Status: "success", Amount: amount("5.00 EUR")}),
			paid("psp", schemas.PaymentFailed, 9, schemas.Payment{ID: "C", ParentID: "A", Kind: "capture", Status: "failure", Amount: amount("5.00 EUR")}),
		}, []string{}, nil},

		{"an attempt fails in the second of the one that succeeds", []*schemas.Event{
			paid("psp", schemas.PaymentFailed, 2, charge("5.00 EUR")), paid("psp", schemas.PaymentCaptured, 2, charge("5.00 EUR")),
		}, []string{"captured psp 5.00 EUR of 1"}, nil},

		{"more refunded than captured", []*schemas.Event{
			paid("psp", schemas.PaymentCaptured, 2, charge("5.00 EUR")), stripeRefund(succeeded, 3, "re_1", "succeeded", "5.01 EUR"),
		}, []string{"captured psp 5.00 EUR of 1", "refunded psp 5.01 EUR of 1"},
			[]string{"refunded beyond captured at the PSP: 5.01 and 5 EUR; re_1|pi_1 0.01"}},

		{"an amount of 0", []*schemas.Event{
			total(1, "0.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "0 EUR"),
		}, []string{"charged shop 0.00 EUR of 1", "invoiced erp 0.00 EUR of 1"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, book(tt.events...), tt.net, tt.differences)
		})
	}
}
