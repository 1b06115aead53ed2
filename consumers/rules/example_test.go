package rules_test

import (
	"fmt"
	"time"

	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// An order waits for its payment, and then is fulfilled once.
func ExampleDecide() {
	shop := topology.Owner{Owner: topology.Systems{"shop"}}
	own := rules.NewOwners(map[schemas.Field]topology.Owner{"order.status": shop, "payment.amount": shop})
	warehouse := &topology.Integration{Name: "warehouse", System: "warehouse", Order: "hold", Deliver: []topology.Route{{
		On: []schemas.EventType{schemas.OrderCreated}, Operation: "fulfill", Once: true,
		Needs: []schemas.EventType{schemas.PaymentCaptured}, NeedsWithin: topology.Duration(24 * time.Hour),
	}}}
	amount, _ := schemas.NewMoney("20.00", "EUR")
	created := &schemas.Event{ID: "1", Type: schemas.OrderCreated, System: "shop", Subject: "A", Order: &schemas.Order{ID: "A", Status: "open"}}
	captured := &schemas.Event{ID: "2", Type: schemas.PaymentCaptured, System: "shop", Subject: "A", Payment: &schemas.Payment{ID: "p", Amount: amount}}

	entry := rules.Note(own, &schemas.LedgerEntry{Key: "A"}, created)
	d := rules.Decide(warehouse, own, rules.Facts{Event: created, Entry: entry})
	fmt.Println(d.Action, d.Reason, d.Detail)

	entry = rules.Note(own, entry, captured)
	d = rules.Decide(warehouse, own, rules.Facts{Event: captured, Entry: entry})
	fmt.Println(d.Action, d.Reason)

	d = rules.Decide(warehouse, own, rules.Facts{Event: created, Entry: entry})
	fmt.Println(d.Action, d.Route.Operation)
	// Output:
	// hold needs waits for [payment.captured]
	// finish prerequisite_only
	// call fulfill
}
