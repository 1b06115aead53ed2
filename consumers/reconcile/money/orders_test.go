package money

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestOwed is about what the customer owes, and what the ERP and the shop's payments make of it.
func TestOwed(t *testing.T) {
	t.Parallel()
	presented := state(1, schemas.Order{Total: amount("10.00 USD"), PresentmentTotal: amount("9.50 EUR")})
	paidWhole := event("shop", schemas.PaymentCaptured, 3, func(ev *schemas.Event) {
		ev.Order, ev.Payment = &schemas.Order{Total: amount("20.00 EUR")}, &schemas.Payment{Kind: "paid", Status: "paid"}
	})
	tests := []struct {
		name        string
		events      []*schemas.Event
		net         []string
		differences []string
	}{
		{"the newest state counts, whatever comes last", []*schemas.Event{total(5, "20.00 EUR"), total(2, "30.00 EUR"), total(5, "20.00 EUR")},
			[]string{"charged shop 20.00 EUR of 1"}, nil},

		{"a fact that is told with the whole state is as new as the state", []*schemas.Event{
			event("shop", schemas.PaymentCaptured, 1, func(ev *schemas.Event) {
				ev.Order = &schemas.Order{Total: amount("20.00 EUR"), UpdatedAt: ptr(at(9))}
			}),
			total(5, "30.00 EUR"),
		}, []string{"charged shop 20.00 EUR of 1"}, nil},

		{"the ERP invoices in two, and a cent too little", []*schemas.Event{
			total(1, "20.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "15.00 EUR"), invoice(schemas.InvoiceIssued, 3, "I2", "4.99 EUR"),
		}, []string{"charged shop 20.00 EUR of 1", "invoiced erp 19.99 EUR of 2"}, []string{"invoiced: 20 and 19.99 EUR; 1001|I1,I2 0.01"}},

		{"an invoice cancelled and issued again under another number", []*schemas.Event{
			total(1, "20.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "20.00 EUR"), invoice(schemas.InvoiceCancelled, 3, "I1", "20.00 EUR"), invoice(schemas.InvoiceIssued, 4, "I2", "20.00 EUR"),
		}, []string{"charged shop 20.00 EUR of 1", "invoiced erp 20.00 EUR of 1"}, nil},

		{"an invoice cancelled without its amount and issued again under its number", []*schemas.Event{
			total(1, "20.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "30.00 EUR"), invoice(schemas.InvoiceCancelled, 3, "I1", ""), invoice(schemas.InvoiceIssued, 4, "I1", "20.00 EUR"),
		}, []string{"charged shop 20.00 EUR of 1", "invoiced erp 20.00 EUR of 1"}, nil},

		{"an invoice cancelled and nothing in its place", []*schemas.Event{
			total(1, "20.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "20.00 EUR"), invoice(schemas.InvoiceCancelled, 3, "I1", "20.00 EUR"),
		}, []string{"charged shop 20.00 EUR of 1"}, []string{"invoiced: 20 and 0 EUR; 1001| 20"}},

		{"a credit note beside a total that shrank", []*schemas.Event{
			total(1, "20.00 EUR"), invoice(schemas.InvoiceIssued, 2, "I1", "20.00 EUR"), invoice(schemas.InvoiceCancelled, 5, "C1", "5.00 EUR"),
			total(4, "15.00 EUR"), refunded("shop", 4, "r1", "5.00 EUR"),
		}, []string{"charged shop 15.00 EUR of 1", "refunded shop 5.00 EUR of 1", "invoiced erp 20.00 EUR of 1", "credited erp 5.00 EUR of 1"}, nil},

		{"a credit note before its invoice", []*schemas.Event{total(1, "20.00 EUR"), invoice(schemas.InvoiceCancelled, 5, "C1", "20.00 EUR")},
			[]string{"charged shop 20.00 EUR of 1", "credited erp 20.00 EUR of 1"}, nil},

		{"an invoice of less than nothing is a credit note", []*schemas.Event{invoice(schemas.InvoiceIssued, 1, "I9", "-5.00 EUR")},
			[]string{"credited erp 5.00 EUR of 1"}, nil},

		{"the currency that the ERP invoices in is the customer's", []*schemas.Event{presented, invoice(schemas.InvoiceIssued, 2, "I1", "9.50 EUR")},
			[]string{"charged shop 10.00 USD of 1", "presented shop 9.50 EUR of 1", "invoiced erp 9.50 EUR of 1"}, nil},

		{"the currency that the ERP invoices in is the shop's", []*schemas.Event{presented, invoice(schemas.InvoiceIssued, 2, "I1", "10.01 USD")},
			[]string{"charged shop 10.00 USD of 1", "presented shop 9.50 EUR of 1", "invoiced erp 10.01 USD of 1"},
			[]string{"invoiced: 10 and 10.01 USD; 1001|I1 -0.01"}},

		{"the ERP invoices in both of an order's currencies", []*schemas.Event{presented, invoice(schemas.InvoiceIssued, 2, "I1", "10.00 USD"), invoice(schemas.InvoiceIssued, 3, "I2", "9.50 EUR")},
			[]string{"charged shop 10.00 USD of 1", "presented shop 9.50 EUR of 1", "invoiced erp 9.50 EUR of 1", "invoiced erp 10.00 USD of 1"},
			[]string{"invoiced: 0 and 9.5 EUR; |I2 -9.5"}},

		{"two currencies are never set off", []*schemas.Event{total(1, "10.00 USD"), invoice(schemas.InvoiceIssued, 2, "I1", "10.00 EUR")},
			[]string{"charged shop 10.00 USD of 1", "invoiced erp 10.00 EUR of 1"},
			[]string{"invoiced: 0 and 10 EUR; |I1 -10", "invoiced: 10 and 0 USD; 1001| 10"}},

		{"cancelled, and the money is still with the shop", []*schemas.Event{
			total(1, "20.00 EUR"), paidWhole, state(7, schemas.Order{Status: "cancelled", Total: amount("20.00 EUR")}),
		}, []string{"captured shop 20.00 EUR of 1"}, []string{"kept beyond what is owed: 20 and 0 EUR; paid| 20"}},

		{"cancelled by the admin panel, invoiced all the same", []*schemas.Event{
			total(1, "20.00 EUR"), event("shop", schemas.OrderCancelled, 6, func(*schemas.Event) {}), invoice(schemas.InvoiceIssued, 7, "I1", "20.00 EUR"),
		}, []string{"invoiced erp 20.00 EUR of 1"}, []string{"invoiced: 0 and 20 EUR; |I1 -20"}},

		{"paid in full until transactions say how much", []*schemas.Event{paidWhole, paid("shop", schemas.PaymentCaptured, 2, transaction("capture", "t1", "t0", "5.00 EUR"))},
			[]string{"charged shop 20.00 EUR of 1", "captured shop 5.00 EUR of 1"}, nil},

		{"paid in full, as WooCommerce says it with every state", []*schemas.Event{
			state(5, schemas.Order{Total: amount("31.20 USD"), Payments: []schemas.Payment{{Kind: "paid", Status: "success", Reference: "ch_1", ProcessedAt: ptr(at(1))}}}),
			paid("psp", schemas.PaymentCaptured, 1, charge("31.20 USD")),
		}, []string{"charged shop 31.20 USD of 1", "captured psp 31.20 USD of 1", "captured shop 31.20 USD of 1"}, nil},

		{"paid in the customer's currency", []*schemas.Event{
			event("shop", schemas.PaymentCaptured, 3, func(ev *schemas.Event) {
				ev.Order, ev.Payment = presented.Order, &schemas.Payment{Kind: "paid", Status: "paid"}
			}),
		}, []string{"charged shop 10.00 USD of 1", "presented shop 9.50 EUR of 1", "captured shop 9.50 EUR of 1"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			check(t, book(tt.events...), tt.net, tt.differences)
		})
	}
}

// TestTotalsStay is a shop whose total is not touched by refunds: owed is what is left of it.
func TestTotalsStay(t *testing.T) {
	t.Parallel()
	b := book(
		state(5, schemas.Order{Status: "processing", Total: amount("31.20 USD"), Refunds: []schemas.Refund{{ID: "7", Status: "succeeded", Amount: amount("1.20 USD")}},
			Payments: []schemas.Payment{{Kind: "paid", Status: "success"}}}),
		invoice(schemas.InvoiceIssued, 2, "I1", "31.20 USD"), invoice(schemas.InvoiceCancelled, 6, "C1", "1.20 USD"))
	if got := differing(b, Rules{Compare: Comparisons(true)}); len(got) != 0 {
		t.Errorf("differences: %v", got)
	}
	want := []string{"invoiced: 31.2 and 30 USD; 1001|I1,C1 1.2"}
	if d := cmp.Diff(want, differing(b, Rules{})); d != "" {
		t.Errorf("as if the total shrank (-want +got):\n%s", d)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	b := book(total(1, "20.00 EUR"), paid("shop", schemas.PaymentCaptured, 3, transaction("sale", "t1", "", "20.00 EUR")), refunded("psp", 4, "re_1", "0.02 EUR"), refunded("shop", 4, "r1", "0.01 EUR"))
	disputes := Comparison{Name: "d", A: Side{System: "shop", Plus: Disputed}, B: Side{System: "psp", Plus: Disputed}}
	atERP := Comparison{Name: "r", A: Side{System: "erp", Plus: Refunded}, B: Side{System: "shop", Plus: Refunded}}
	tests := []struct {
		name  string
		rules Rules
		want  []string
	}{
		{"silence may be lateness", Rules{}, []string{"refunded: 0.01 and 0.02 EUR; r1|re_1 -0.01"}},
		{"within tolerance", Rules{Tolerance: decimal.RequireFromString("0.01")}, []string{}},
		{"silence of one who must speak", Rules{Tolerance: decimal.RequireFromString("0.01"), Expected: []Expected{{"psp", Captured}, {"erp", Invoiced}}},
			[]string{"captured: 20 and 0 EUR, psp silent; t1| 20", "invoiced: 20 and 0 EUR, erp silent; 1001| 20",
				"refunded beyond captured at the PSP: 0.02 and 0 EUR, psp silent; re_1| 0.02"}},
		{"silence of all", Rules{Expected: []Expected{{"psp", Disputed}}, Compare: []Comparison{disputes}}, []string{}},
		{"silence of the first side", Rules{Expected: []Expected{{"erp", Refunded}}, Compare: []Comparison{atERP}}, []string{"r: 0 and 0.01 EUR, erp silent; |r1 -0.01"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, differing(b, tt.rules)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestSince: a word told again with every state is as old as its first telling.
func TestSince(t *testing.T) {
	t.Parallel()
	refunds := []schemas.Refund{{ID: "1", Status: "succeeded", Amount: amount("5.00 EUR")}}
	b := book(state(2, schemas.Order{Refunds: refunds}), state(30, schemas.Order{Refunds: refunds}), refunded("psp", 4, "re_1", "4.00 EUR"))
	got := b.Differences(Rules{})
	if len(got) != 1 || !got[0].Since.Equal(at(5)) {
		t.Errorf("differences %v, want one since %v", got, at(5))
	}
}
