package money

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// Kind is what happened to the money, or to what stands for it.
type Kind string

// The kinds. Each is told per system and never netted: a refund makes captured no smaller.
const (
	Charged    Kind = "charged"    // what the customer owes: the order's total as of its newest state
	Presented  Kind = "presented"  // charged, in the currency the customer saw, where that is not the shop's
	Authorized Kind = "authorized" // promised by the bank, not taken
	Captured   Kind = "captured"   // taken
	Voided     Kind = "voided"     // an authorization let go or expired
	Refunded   Kind = "refunded"   // given back
	Disputed   Kind = "disputed"   // asked back by the customer's bank; inquiries are not
	Invoiced   Kind = "invoiced"   // the ERP's invoices
	Credited   Kind = "credited"   // the ERP's credit notes
	Shipped    Kind = "shipped"    // goods in parcels at their unit price, before discounts, tax and shipping
)

// Kinds lists every kind, in the order of results.
var Kinds = []Kind{Charged, Presented, Authorized, Captured, Voided, Refunded, Disputed, Invoiced, Credited, Shipped}

// order is the place of a kind in results; kinds of a newer writer come first.
func (k Kind) order() int { return slices.Index(Kinds, k) }

// Movement is one system's word on one amount. It holds no personal data.
type Movement struct {
	Kind   Kind           `json:"kind"`
	System schemas.System `json:"system"`
	// Object is the id of the transaction, refund, invoice, dispute or parcel in its system; of charged and presented the
	// order's id. Never empty: where the source gives none, it is the id of the fact.
	Object string `json:"object"`
	// Whole is what Object is a part of: a refund, an invoice, or "paid", the claim that all is paid. A whole does not
	// count beside its parts. Empty for none.
	Whole string `json:"whole,omitempty"`
	// Payment is the payment that a capture, void or refund belongs to, in its system; empty when not said.
	Payment string `json:"payment,omitempty"`
	// Reference is an id by which other systems know the same thing: the PSP's own, or a parcel's tracking number. Empty
	// when not said.
	Reference string `json:"reference,omitempty"`
	// Amount is in major units and never below 0, but for an order's total that the source itself sent negative.
	Amount decimal.Decimal `json:"amount"`
	// Currency is ISO 4217; empty only with Withdrawn.
	Currency string `json:"currency,omitempty"`
	// Withdrawn says that it did not move or is undone: it failed, was cancelled, was won back. Amount is then 0.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// At is when the money moved and SaidAt when the source said so; both by the source's clock, UTC.
	At     time.Time `json:"at"`
	SaidAt time.Time `json:"said_at"`
	// EventID and Version are the event that says so and its source version, empty when it gives none.
	EventID schemas.EventID `json:"event_id"`
	Version string          `json:"version,omitempty"`
	// SeenAt is when this amount was first told to us, by our clock, UTC.
	SeenAt time.Time `json:"seen_at"`
}

// paidObject is the object of a claim that the whole order is paid; transactions are its parts.
const paidObject = "paid"

// names are the ids by which another system may know the same thing.
func (m *Movement) names() []string {
	var out []string
	for _, name := range []string{m.Object, m.Reference, m.Whole} {
		if name != "" && name != paidObject {
			out = append(out, name)
		}
	}
	return out
}
