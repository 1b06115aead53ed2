package producers

import (
	"github.com/binaryandbeyond/seam/schemas"
)

func shopifyRefundEvent(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	r := shopifyRefund(s.taker, s.n, "")
	types := map[string]schemas.EventType{"succeeded": schemas.RefundSucceeded, "pending": schemas.RefundRequested, "failed": schemas.RefundFailed}
	ev := s.event(types[r.Status], id, "processed_at", "created_at")
	ev.Refund = r
	ev.BusinessID = business(ev, r.ID, "")
	return ev
}

// shopifyTransaction tells authorizations, captures and voids. A refund's transaction is part of refunds/create, and a
// pending one has not happened: both are only the order's state.
func shopifyTransaction(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	p := shopifyPayment(s.taker, s.n, "")
	typ := schemas.OrderUpdated
	switch {
	case p.Kind == "refund" || p.Kind == "change" || p.Status == "pending" || p.Status == "awaiting_response":
	case p.Status == "failure" || p.Status == "error":
		typ = schemas.PaymentFailed
	case p.Kind == "authorization":
		typ = schemas.PaymentAuthorized
	case p.Kind == "sale" || p.Kind == "capture":
		typ = schemas.PaymentCaptured
	case p.Kind == "void":
		typ = schemas.PaymentVoided
	}
	ev := s.event(typ, id, "processed_at", "created_at")
	if typ == schemas.OrderUpdated {
		ev.Order = &schemas.Order{ID: id, Payments: []schemas.Payment{p}}
		ev.BusinessID = business(ev, p.ID, p.Status)
		return ev
	}
	ev.Payment = &p
	ev.BusinessID = business(ev, p.ID, "")
	return ev
}

// shopifyFulfillmentTypes reads the status of a fulfillment; the status of its parcel comes first.
// Source: https://shopify.dev/docs/api/admin-rest/latest/resources/fulfillment.
var shopifyFulfillmentTypes = map[string]schemas.EventType{
	"pending": schemas.FulfillmentRequested, "open": schemas.FulfillmentAccepted, "success": schemas.FulfillmentShipped,
	"cancelled": schemas.FulfillmentCancelled, "error": schemas.FulfillmentRejected, "failure": schemas.FulfillmentShipped,
	"label_printed": schemas.FulfillmentAccepted, "label_purchased": schemas.FulfillmentAccepted, "confirmed": schemas.FulfillmentAccepted,
	"ready_for_pickup": schemas.FulfillmentShipped, "picked_up": schemas.FulfillmentShipped, "carrier_picked_up": schemas.FulfillmentShipped,
	"in_transit": schemas.FulfillmentShipped, "out_for_delivery": schemas.FulfillmentShipped, "attempted_delivery": schemas.FulfillmentShipped,
	"delayed": schemas.FulfillmentShipped, "delivered": schemas.FulfillmentDelivered,
}

func shopifyFulfillmentEvent(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	f := shopifyFulfillment(s.taker, s.n)
	status := f.Status
	if own := s.n.get("status"); own.present() && (own.text == "cancelled" || own.text == "error" || own.text == "failure") {
		status = own.text
		if status == "failure" {
			status = "error" // the fulfillment failed; "failure" of a parcel is a failed delivery
		}
	}
	typ, known := shopifyFulfillmentTypes[status]
	if !known {
		s.fail(nil, "status", "fulfillment status %q is not known: ask for it to be added", status)
	}
	ev := s.event(typ, id, "updated_at", "created_at")
	ev.Fulfillment, ev.SourceVersion = f, s.text(s.n, "updated_at")
	ev.BusinessID = business(ev, f.ID, versionText(f.UpdatedAt))
	return ev
}

func shopifyFulfillmentProgress(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	status := s.text(s.n, "status")
	typ, known := shopifyFulfillmentTypes[status]
	if !known {
		s.fail(nil, "status", "fulfillment status %q is not known: ask for it to be added", status)
	}
	ev := s.event(typ, id, "happened_at", "created_at")
	ev.Fulfillment = &schemas.Fulfillment{
		ID: s.id(s.n, "fulfillment_id"), Status: status, Reason: s.text(s.n, "message"), CreatedAt: s.when(s.n, "created_at"), UpdatedAt: s.when(s.n, "updated_at"),
	}
	ev.BusinessID = business(ev, ev.Fulfillment.ID, s.peek(s.n, "id"))
	return ev
}

// shopifyRequestTypes reads the request status of a fulfillment order, before its status.
var shopifyRequestTypes = map[string]schemas.EventType{
	"submitted": schemas.FulfillmentRequested, "accepted": schemas.FulfillmentAccepted, "rejected": schemas.FulfillmentRejected,
	"cancellation_requested": schemas.OrderCancelRequested, "cancellation_accepted": schemas.FulfillmentCancelled,
	"cancellation_rejected": schemas.OrderCancelRejected,
}

func shopifyFulfillmentOrder(s *shopifyRead) *schemas.Event {
	fo := s.n.get("fulfillment_order")
	if !fo.present() {
		fo = s.n.get("submitted_fulfillment_order")
	}
	id := s.need(fo, "order_id", "the webhook names the fulfillment order only, and asking the shop for its order is not set up: "+noOrder)
	f := &schemas.Fulfillment{
		ID: s.id(fo, "id"), Status: s.text(fo, "status"), RequestStatus: s.text(fo, "request_status"), LocationID: s.id(fo, "assigned_location_id"),
		Reason: s.text(s.n, "message"), CreatedAt: s.when(fo, "created_at"), UpdatedAt: s.when(fo, "updated_at"),
	}
	for _, l := range fo.get("line_items").items() {
		f.Lines = append(f.Lines, schemas.Line{ID: s.id(l, "line_item_id"), VariantID: s.id(l, "variant_id"), Quantity: s.count(l, "quantity")})
	}
	typ, known := shopifyRequestTypes[f.RequestStatus]
	switch {
	case f.Status == "cancelled":
		typ = schemas.FulfillmentCancelled
	case !known:
		typ = schemas.OrderUpdated // held, moved, rescheduled, split: the order's state
	}
	s.n = fo
	ev := s.event(typ, id, "updated_at", "created_at")
	ev.Fulfillment, ev.SourceVersion = f, s.text(fo, "updated_at")
	ev.BusinessID = business(ev, f.ID, versionText(f.UpdatedAt))
	return ev
}

func shopifyCustomer(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "id", "every customer webhook carries the customer's id")
	typ := schemas.CustomerUpdated
	at := []string{"updated_at", "created_at"}
	if s.topic == "customers/create" {
		typ, at = schemas.CustomerRegistered, []string{"created_at", "updated_at"}
	}
	ev := s.event(typ, id, at...)
	c := &schemas.Customer{
		ID: id, Email: s.text(s.n, "email"), FirstName: s.text(s.n, "first_name"), LastName: s.text(s.n, "last_name"), Phone: s.text(s.n, "phone"),
		Note: s.text(s.n, "note"), Status: s.text(s.n, "state"), Address: shopifyAddress(s.taker, s.n.get("default_address")),
		CreatedAt: s.when(s.n, "created_at"), UpdatedAt: s.when(s.n, "updated_at"), OrderCount: s.text(s.n, "orders_count"),
		TotalSpent: s.priceIn(s.n, "total_spent", s.peek(s.n, "currency")),
	}
	if s.topic == "customers/delete" {
		c.Status = "deleted"
	}
	ev.Customer, ev.SourceVersion = c, s.text(s.n, "updated_at")
	if typ == schemas.CustomerRegistered {
		ev.BusinessID = business(ev, id, "")
		return ev
	}
	ev.BusinessID = business(ev, "", versionText(c.UpdatedAt))
	return ev
}

// shopifyRedact carries no personal data on: only whose data and which orders are to be forgotten.
func shopifyRedact(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "customer.id", "a redaction names its customer")
	ev := s.event(schemas.CustomerRedacted, id)
	ev.Customer = &schemas.Customer{ID: id}
	for _, o := range s.n.get("orders_to_redact").items() {
		if o.leaf() {
			o.taken = true
			ev.Customer.OrderIDs = append(ev.Customer.OrderIDs, o.text)
		}
	}
	for _, p := range []string{"customer.email", "customer.phone"} {
		if v := s.n.get(p); v != nil {
			v.secret = true
		}
	}
	ev.BusinessID = business(ev, "", "")
	return ev
}

func shopifyInventory(s *shopifyRead) *schemas.Event {
	mend := "an inventory level names its location and item"
	loc, item := s.need(s.n, "location_id", mend), s.need(s.n, "inventory_item_id", mend)
	ev := s.event(schemas.InventoryLevelSet, loc+"/"+item, "updated_at")
	ev.Inventory = &schemas.Inventory{ItemID: item, LocationID: loc, SKU: s.text(s.n, "sku"), UpdatedAt: s.when(s.n, "updated_at")}
	if v := s.n.get("available"); v.present() { // null is unknown, not 0
		c := s.count(s.n, "available")
		ev.Inventory.Available = &c
	}
	ev.SourceVersion = s.text(s.n, "updated_at")
	ev.BusinessID = business(ev, "", versionText(ev.Inventory.UpdatedAt))
	return ev
}
