package schemas

import (
	"strings"
	"time"
)

// Correction says that a person decided what one field of one object is: the event's part that the field is of holds the
// value, and nothing else. It counts before the owner's word until the owner says something newer than Basis.
type Correction struct {
	Field  Field
	Object string   // payment, refund, ... that the field is of, as ObjectOf names it; empty for the subject's own
	Of     System   // whose value was accepted
	Held   []System // who holds the value already, and need not be told
	Basis  []OwnerWord
	Who    string
	Why    string
}

// OwnerWord is a state of a system that owns a field.
type OwnerWord struct {
	System  System
	Version string    // source version; empty when it gave none
	Time    time.Time // source clock
}

// Covers tells whether a state of the same system is not newer: by source version, and by its clock where versions cannot be
// compared.
func (w OwnerWord) Covers(version string, at time.Time) bool {
	if order, ok := CompareVersions(version, w.Version); ok {
		return order <= 0
	}
	return !at.After(w.Time)
}

// Covered tells whether a system's state is not newer than the one of it in a basis; false for a system that is not in it.
func Covered(basis []OwnerWord, system System, version string, at time.Time) bool {
	for i := range basis {
		if basis[i].System == system {
			return basis[i].Covers(version, at)
		}
	}
	return false
}

// Corrected is what a ledger keeps of a correction.
type Corrected struct {
	Field   Field
	Object  string
	EventID EventID
	At      time.Time // Event.Time of the correction
	Basis   []OwnerWord
}

// Corrects tells whether events of the type are corrections, which only persons make.
func (t EventType) Corrects() bool {
	return t == OrderCorrected || t == CustomerCorrected || t == InventoryCorrected
}

// CorrectionOf is the type of corrections of an event topic (without prefix).
func CorrectionOf(topic string) EventType {
	switch topic {
	case TopicCustomers:
		return CustomerCorrected
	case TopicInventory:
		return InventoryCorrected
	}
	return OrderCorrected
}

// teamPrefix begins the system of a team's word. No source and no integration may be called so.
const teamPrefix = "team:"

// TeamSystem is the system in whose name a team's corrections speak: "team:finance".
func TeamSystem(team string) System { return System(teamPrefix + team) }

// Team is the team in whose name a system speaks; false for all that TeamSystem did not make.
func (s System) Team() (string, bool) { return strings.CutPrefix(string(s), teamPrefix) }

// ObjectOf names the payment, refund, fulfillment or invoice that a field of an event is of, as far as systems share a name
// for it: payments go by the PSP's own reference where the source gives it. Empty for the subject's own fields. Values of
// different objects are never compared.
func ObjectOf(ev *Event, field Field) string {
	switch kind, _, _ := strings.Cut(string(field), "."); {
	case kind == "payment" && ev.Payment != nil && ev.Payment.Reference != "":
		return ev.Payment.Reference
	case kind == "payment" && ev.Payment != nil:
		return ev.Payment.ID
	case kind == "refund" && ev.Refund != nil:
		return ev.Refund.ID
	case kind == "fulfillment" && ev.Fulfillment != nil:
		return ev.Fulfillment.ID
	case kind == "invoice" && ev.Invoice != nil:
		return ev.Invoice.ID
	}
	return ""
}

// Only copies one field of an event with all that goes with it, and the ids of what it is of, into dst, and nothing else.
// False where the event does not say the field's value: then dst is as it was.
func Only(dst, ev *Event, field Field) bool {
	bit := SetOf(field)
	if _, ok := ValueOf(ev, field); !ok || bit == 0 {
		return false
	}
	c := Without(ev, Says(ev)&^bit)
	switch {
	case bit&inEnrichment != 0:
		dst.Enrichment = c.Enrichment
	case bit&inOrder != 0:
		c.Order.ID, c.Order.UpdatedAt = dst.Subject, nil
		dst.Order = c.Order
	case bit&inPayment != 0:
		dst.Payment = c.Payment
	case bit&inRefund != 0:
		dst.Refund = c.Refund
	case bit&inFulfillment != 0:
		c.Fulfillment.UpdatedAt = nil
		dst.Fulfillment = c.Fulfillment
	case bit&inFraud != 0:
		dst.Fraud = c.Fraud
	case bit&inInvoice != 0:
		dst.Invoice = c.Invoice
	case bit&inCustomer != 0:
		c.Customer.ID, c.Customer.UpdatedAt, c.Customer.OrderIDs = dst.Subject, nil, nil
		dst.Customer = c.Customer
	case bit&inInventory != 0:
		c.Inventory.UpdatedAt = nil
		dst.Inventory = c.Inventory
	}
	return true
}
