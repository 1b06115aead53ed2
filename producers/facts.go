package producers

import (
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// stateFacts tells the facts that an order's state holds, as events of their own: for sources that have no webhook for
// them, and for polls, whose states stand for webhooks that never came. Each fact has the business id its own webhook
// would have, so that a fact seen in every later state is one fact.
type stateFacts struct {
	d     *delivery
	r     *reading
	state *schemas.Event
}

// fact starts an event of the state; nil for one that is older than factHorizon.
func (f *stateFacts) fact(part string, typ schemas.EventType, at *time.Time, object, version string) *schemas.Event {
	if at == nil {
		at = &f.state.Time
	}
	if f.d.received.Sub(*at) > factHorizon {
		return nil
	}
	ev := f.d.event(f.r.origin, part, typ, f.state.Subject, at)
	ev.CausationID, ev.CorrelationID = string(f.state.ID), f.state.CorrelationID
	ev.BusinessID = business(ev, object, version)
	ev.Extensions = nil
	f.r.events = append(f.r.events, ev)
	return ev
}

// whole puts the order's state beside the fact.
func (f *stateFacts) whole(ev *schemas.Event) bool {
	if ev == nil {
		return false
	}
	ev.Order, ev.SourceVersion = f.state.Order, f.state.SourceVersion
	return true
}

// tell adds cancellation, payment and refunds.
func (f *stateFacts) tell() {
	o := f.state.Order
	if o.Status == "cancelled" {
		at := o.CancelledAt
		if at == nil {
			at = o.UpdatedAt
		}
		f.whole(f.fact("cancelled", schemas.OrderCancelled, at, f.state.Subject, ""))
	}
	if o.PaymentStatus == "paid" {
		if ev := f.fact("paid", schemas.PaymentCaptured, paidAt(o), "paid", ""); f.whole(ev) {
			ev.Payment = &schemas.Payment{Kind: "paid", Status: "paid"}
			if len(o.Payments) == 1 {
				ev.Payment = &o.Payments[0]
			}
		}
	}
	for i := range o.Refunds {
		refund := &o.Refunds[i]
		typ, known := refundTypes[refund.Status]
		if !known {
			continue
		}
		if ev := f.fact("refund/"+refund.ID, typ, refund.CreatedAt, refund.ID, ""); ev != nil {
			ev.Refund = refund
		}
	}
}

// tellMissed adds, for a polled state, what only webhooks of other topics tell: that the order was made, and its parcels.
func (f *stateFacts) tellMissed() {
	o := f.state.Order
	f.whole(f.fact("created", schemas.OrderCreated, o.CreatedAt, f.state.Subject, ""))
	for i := range o.Fulfillments {
		parcel := &o.Fulfillments[i]
		typ, known := shopifyFulfillmentTypes[parcel.Status]
		if !known {
			continue
		}
		if ev := f.fact("fulfillment/"+parcel.ID, typ, parcel.UpdatedAt, parcel.ID, versionText(parcel.UpdatedAt)); ev != nil {
			ev.Fulfillment = parcel
		}
	}
}

// paidAt is when the order was paid, as far as its state tells.
func paidAt(o *schemas.Order) *time.Time {
	for _, p := range o.Payments {
		if p.ProcessedAt != nil {
			return p.ProcessedAt
		}
	}
	return o.CreatedAt
}
