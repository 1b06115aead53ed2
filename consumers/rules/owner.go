package rules

import (
	"slices"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// principal is the field a system must own for its word on an event type to count. Types that carry a whole state have
// none: any field of theirs that the speaker owns counts.
var principal = map[schemas.EventType]schemas.Field{
	schemas.OrderCreated:         "order.status",
	schemas.OrderEdited:          "order.lines",
	schemas.OrderEnriched:        "order.enrichment",
	schemas.OrderCancelRequested: "order.status",
	schemas.OrderCancelled:       "order.status",
	schemas.OrderCancelRejected:  "fulfillment.status",
	schemas.PaymentAuthorized:    "payment.amount",
	schemas.PaymentCaptured:      "payment.amount",
	schemas.PaymentFailed:        "payment.amount",
	schemas.PaymentVoided:        "payment.amount",
	schemas.RefundRequested:      "refund.amount",
	schemas.RefundSucceeded:      "refund.amount",
	schemas.RefundFailed:         "refund.amount",
	schemas.DisputeOpened:        "payment.amount",
	schemas.FraudAssessed:        "fraud.level",
	schemas.FulfillmentRequested: "fulfillment.status",
	schemas.FulfillmentAccepted:  "fulfillment.status",
	schemas.FulfillmentRejected:  "fulfillment.status",
	schemas.FulfillmentShipped:   "fulfillment.status",
	schemas.FulfillmentDelivered: "fulfillment.status",
	schemas.FulfillmentCancelled: "fulfillment.status",
	schemas.ReturnRequested:      "order.status",
	schemas.ReturnReceived:       "fulfillment.status",
	schemas.InvoiceIssued:        "invoice.total",
	schemas.InvoiceCancelled:     "invoice.total",
	schemas.CustomerRegistered:   "customer.email",
	schemas.CustomerRedacted:     "customer.email",
	schemas.InventoryLevelSet:    "inventory.available",
}

// SpeaksFor tells whether a system is the one whose word on events of a type counts. Types that carry a whole state are
// anybody's: their fields are judged one by one.
func SpeaksFor(own map[schemas.Field]topology.Owner, et schemas.EventType, system schemas.System) bool {
	field, ok := principal[et]
	return !ok || own[field].Owner == system
}

// ownsAny tells whether the event says a field that its system owns.
func ownsAny(own map[schemas.Field]topology.Owner, ev *schemas.Event) bool {
	return slices.ContainsFunc(schemas.Says(ev), func(f schemas.Field) bool { return own[f].Owner == ev.System })
}

// owned is the event less what its system may not write into the downstream: fields it does not own, fields without an
// owner, and fields the downstream owns itself. It is nil where the event speaks of fields and none is left.
func owned(in *topology.Integration, own map[schemas.Field]topology.Owner, ev *schemas.Event) (*schemas.Event, []string) {
	var names []string
	said := schemas.Says(ev)
	drop := make([]schemas.Field, 0, len(said))
	for _, f := range said {
		if o := own[f].Owner; o != ev.System || o == in.System {
			drop = append(drop, f)
		}
	}
	if len(drop) > 0 {
		names = make([]string, len(drop))
		for i, f := range drop {
			names[i] = string(f)
		}
	}
	if len(said) > 0 && len(drop) == len(said) {
		return nil, names
	}
	return schemas.Without(ev, drop), names
}

// Note adds to a copy of the entry what the event tells about its order, if its system may say so: the type was seen, the
// order's total, a refund's amount. It is what prerequisites and full refunds are judged by.
func Note(own map[schemas.Field]topology.Owner, entry *schemas.LedgerEntry, ev *schemas.Event) *schemas.LedgerEntry {
	c := *entry
	if !SpeaksFor(own, ev.Type, ev.System) {
		return &c
	}
	if _, ok := principal[ev.Type]; !slices.Contains(c.Seen, ev.Type) && (ok || ownsAny(own, ev)) {
		c.Seen = append(slices.Clone(c.Seen), ev.Type)
	}
	if ev.Order != nil && ev.Order.Total != nil && own["order.total"].Owner == ev.System {
		if cmp, ok := CompareVersions(ev.SourceVersion, c.TotalVersion); !ok || cmp >= 0 {
			c.OrderTotal, c.TotalVersion = ev.Order.Total, ev.SourceVersion
		}
	}
	if ev.Type == schemas.RefundSucceeded && ev.Refund != nil && ev.Refund.Amount != nil {
		refunds := make(map[string]string, len(c.Refunds)+1)
		for k, v := range c.Refunds {
			refunds[k] = v
		}
		id := ev.Refund.ID
		if id == "" {
			id = string(ev.ID) // two refunds without an id are two
		}
		refunds[id] = ev.Refund.Amount.String()
		c.Refunds = refunds
	}
	return &c
}

// FullyRefunded tells whether the refunds known sum to the order's total or more. An order whose total is unknown, or in
// another currency than a refund, is not.
func FullyRefunded(entry *schemas.LedgerEntry) bool {
	if entry.OrderTotal == nil || len(entry.Refunds) == 0 {
		return false
	}
	sum := decimal.Zero
	for _, text := range entry.Refunds {
		amount, currency, _ := cut(text)
		if currency != entry.OrderTotal.Currency {
			return false
		}
		sum = sum.Add(amount)
	}
	return sum.GreaterThanOrEqual(entry.OrderTotal.Amount)
}
