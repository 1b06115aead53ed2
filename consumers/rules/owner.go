package rules

import (
	"cmp"
	"slices"
	"time"

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

// principals is principal as sets of one.
var principals = func() map[schemas.EventType]schemas.FieldSet {
	out := make(map[schemas.EventType]schemas.FieldSet, len(principal))
	for et, field := range principal {
		out[et] = schemas.SetOf(field)
	}
	return out
}()

// Owners is whose word counts for each field of the model, made ready to be asked for every event. It is not changed any
// more, and safe for concurrent use.
type Owners struct {
	of     []topology.Owner                    // by place in schemas.Fields; without owners where it is nobody's
	always map[schemas.System]schemas.FieldSet // what a system owns alone and at all times
	timed  schemas.FieldSet                    // all other owned fields: who owns them must be asked for a time
	shared schemas.FieldSet                    // those of timed that several systems own together at some time
	parks  schemas.FieldSet                    // those of shared for which an event waits
	nobody schemas.FieldSet                    // what nobody owns
	total  *topology.Owner                     // of order.total
}

// NewOwners makes the entries of ownership.yaml ready.
func NewOwners(own map[schemas.Field]topology.Owner) *Owners {
	o := &Owners{of: make([]topology.Owner, len(schemas.Fields())), always: map[schemas.System]schemas.FieldSet{}}
	for i, field := range schemas.SetOf(schemas.Fields()...).All() {
		entry, bit := own[field], schemas.SetOf(field)
		o.of[i] = entry
		switch {
		case len(entry.Owner) == 0:
			o.nobody |= bit
		case len(entry.Owner) == 1 && len(entry.Transfers) == 0:
			o.always[entry.Owner[0]] |= bit
		default:
			o.timed |= bit
		}
		if slices.ContainsFunc(entry.Ever(), func(s topology.Systems) bool { return len(s) > 1 }) {
			o.shared |= bit
		}
		if entry.OnConflict == topology.ConflictPark {
			o.parks |= bit
		}
		if field == "order.total" {
			o.total = &o.of[i]
		}
	}
	return o
}

// By is the fields that a system owns, alone or with others, at a time.
func (o *Owners) By(system schemas.System, at time.Time) schemas.FieldSet {
	out := o.always[system]
	for i, field := range o.timed.All() {
		if o.of[i].At(at).Has(system) {
			out |= schemas.SetOf(field)
		}
	}
	return out
}

// Compares tells whether the rules read the values of any of these fields: those that systems share. Of others it is enough to
// know that an event speaks of them.
func (o *Owners) Compares(fields schemas.FieldSet) bool { return fields&o.shared != 0 }

// SpeaksFor tells whether a system is the one whose word on events of a type and a time counts. Types that carry a whole
// state are anybody's: their fields are judged one by one.
func SpeaksFor(own *Owners, et schemas.EventType, system schemas.System, at time.Time) bool {
	field, ok := principals[et]
	return !ok || own.By(system, at)&field != 0
}

// Note adds to a copy of the entry what the event tells about its order, if its system may say so: the type was seen, the
// order's total, a refund's amount, its word on shared fields, what a person decided. It is what prerequisites, full refunds,
// conflicts and corrected fields are judged by.
func Note(own *Owners, entry *schemas.LedgerEntry, ev *schemas.Event) *schemas.LedgerEntry {
	c := *entry
	if !SpeaksFor(own, ev.Type, ev.System, ev.Time) {
		return &c
	}
	if corrects(ev) {
		own.correct(&c, ev)
		return &c
	}
	_, ok := principal[ev.Type]
	if !slices.Contains(c.Seen, ev.Type) && (ok || schemas.Says(ev)&own.By(ev.System, ev.Time) != 0) {
		c.Seen = append(slices.Clone(c.Seen), ev.Type)
	}
	if ev.Order != nil && ev.Order.Total != nil && own.total.At(ev.Time).Has(ev.System) && overruled(&c, ev, ofTotal) == 0 {
		named := schemas.Applied{System: cmp.Or(c.TotalSystem, ev.System), Version: c.TotalVersion, Time: c.TotalTime}
		if !older(own.total, ev, &named) {
			c.OrderTotal, c.TotalVersion, c.TotalSystem, c.TotalTime = ev.Order.Total, ev.SourceVersion, ev.System, ev.Time
		}
	}
	if own.shared != 0 {
		own.listen(&c, ev)
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
