package rules

import (
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// own is whose word counts in these tests.
var own = NewOwners(entries)

var entries = map[schemas.Field]topology.Owner{
	"order.status": by("shop"), "order.total": by("shop"), "order.lines": by("shop"), "order.fulfillment_status": by("warehouse"),
	"payment.amount": by("shop"), "refund.amount": by("shop"), "fulfillment.status": by("warehouse"), "fraud.level": by("fraud"),
}

// by is an entry of one owner, or of several that share the field.
func by(owners ...schemas.System) topology.Owner { return topology.Owner{Owner: owners} }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func money(t testing.TB, amount, currency string) *schemas.Money {
	t.Helper()
	m, err := schemas.NewMoney(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// warehouse fulfils once when paid, and cancels what it fulfilled.
func warehouse() *topology.Integration {
	return &topology.Integration{Name: "warehouse", System: "warehouse", Order: "hold", ExpiresAfter: topology.Duration(48 * time.Hour), Deliver: []topology.Route{
		{On: []schemas.EventType{schemas.OrderCreated}, Operation: "fulfill", Once: true, Needs: []schemas.EventType{schemas.PaymentCaptured}, NeedsWithin: topology.Duration(24 * time.Hour),
			SupersededBy: []schemas.EventType{schemas.OrderCancelled, topology.RefundFull}, HTTP: &topology.HTTPCall{}},
		{On: []schemas.EventType{schemas.OrderCancelled, topology.RefundFull}, Operation: "cancel", Undoes: "fulfill", Once: true, HTTP: &topology.HTTPCall{}},
		{On: []schemas.EventType{schemas.OrderUpdated}, Operation: "amend", HTTP: &topology.HTTPCall{}},
	}}
}

// event is the shop's event of a type at version 5, with the part that goes with it.
func event(t testing.TB, et schemas.EventType) *schemas.Event {
	ev := &schemas.Event{ID: "e1", Type: et, System: "shop", Subject: "A", SourceVersion: "5", BusinessID: "b1", Time: noon.Add(-time.Hour)}
	switch et {
	case schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled:
		ev.Order = &schemas.Order{ID: "A", Status: "open", Total: money(t, "20.00", "EUR")}
	case schemas.RefundSucceeded:
		ev.Refund = &schemas.Refund{ID: "r1", Amount: money(t, "20.00", "EUR")}
	case schemas.PaymentCaptured:
		ev.Payment = &schemas.Payment{ID: "p1", Amount: money(t, "20.00", "EUR")}
	}
	return ev
}

// op is an operation in the ledger.
func op(name string, state schemas.OperationState, version string) schemas.Operation {
	return schemas.Operation{Name: name, State: state, EventID: "e0", Version: version}
}
