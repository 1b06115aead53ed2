package producers

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// Standard Webhooks, the generic source: warehouse call-backs, fraud results, the CRM, the admin panel, anything that
// can send Seam's own event JSON:
//
//	{"type": "fulfillment.shipped", "timestamp": "2026-11-02T08:15:00Z",
//	 "data": {"order_id": "1001", "version": "7", "fulfillment": {"id": "f-1", "tracking_number": "1Z"}}}
//
// data names the subject (order_id; customer_id; location_id and item_id) and holds the parts of the event model in snake
// case, money as {"amount": "12.50", "currency": "EUR"}. Signature: webhook-signature over "id.timestamp.body". Identity:
// webhook-id, the same on every retry. Source: https://www.standardwebhooks.com.

func webhookAuthenticate(d *delivery) error {
	id, stamp := d.head("Webhook-Id"), d.head("Webhook-Timestamp")
	if id == "" || stamp == "" {
		return errNoSignature
	}
	var sigs [][]byte
	for _, part := range strings.Fields(d.head("Webhook-Signature")) {
		if text, ok := strings.CutPrefix(part, "v1,"); ok {
			if s, err := base64.StdEncoding.DecodeString(text); err == nil && len(s) > 0 {
				sigs = append(sigs, s)
			}
		}
	}
	if len(sigs) == 0 {
		return errNoSignature
	}
	if !anyMatch(d.webhookKeys(), sigs, []byte(id), dot, []byte(stamp), dot, d.body) {
		return errBadSignature
	}
	return d.signedAt(stamp)
}

func webhookOrigin(d *delivery, _ *node) origin {
	return origin{"/webhooks/" + d.source.Name, d.head("Webhook-Id")}
}

func webhookNormalize(d *delivery, root *node, r *reading) {
	t := &taker{}
	ev := webhookEvent(d, r.origin, root, t)
	if t.err == nil {
		t.rest(root, ev.Extensions)
	}
	r.add(ev, "", t)
}

func webhookEvent(d *delivery, o origin, root *node, t *taker) *schemas.Event {
	typ := schemas.EventType(t.text(root, "type")) // taken: it is the event's type
	if typ == schemas.OrderObserved || !slices.Contains(schemas.EventTypes, typ) {
		found := "\"" + string(typ) + "\""
		if typ == "" {
			found = "none, but " + root.names()
		}
		t.fail(nil, "type", "found %s: send one of Seam's event types (order.updated, fulfillment.shipped, ...)", found)
		return nil
	}
	if typ.Corrects() {
		t.fail(nil, "type", "%s is a person's decision, made by seam disagreements accept: send %s with the state as your system has it", typ, map[string]schemas.EventType{
			schemas.TopicOrders: schemas.OrderUpdated, schemas.TopicCustomers: schemas.CustomerUpdated, schemas.TopicInventory: schemas.InventoryLevelSet}[typ.Topic()])
		return nil
	}
	data := root.get("data")
	if data == nil || data.kind != kindObject {
		t.fail(nil, "data", "is not an object: put the ids and the parts of the event there")
		return nil
	}
	ev := d.event(o, "", typ, webhookSubject(t, typ, data), t.when(root, "timestamp"))
	if root.get("timestamp").present() {
		d.timeText(ev, root, "timestamp")
	} else {
		t.fail(nil, "timestamp", "is missing: say when it happened, as RFC 3339")
	}
	ev.SourceVersion, ev.CorrelationID, ev.CausationID = t.text(data, "version"), t.id(data, "correlation_id"), t.id(data, "causation_id")
	currency := ""
	if v := data.get("currency"); v.leaf() {
		currency = v.text
	}
	for _, part := range data.kids {
		if part.present() && t.err == nil {
			t.fillPart(ev, part.name, part, currency)
		}
	}
	webhookIDs(t, ev, data)
	ev.BusinessID = webhookBusiness(ev)
	return ev
}

// webhookSubject is the record key that data names for the type.
func webhookSubject(t *taker, typ schemas.EventType, data *node) string {
	mend := "an event of type " + string(typ) + " must name it; found " + data.names()
	switch typ.Topic() {
	case schemas.TopicCustomers:
		return t.need(data, "customer_id", mend)
	case schemas.TopicInventory:
		return t.need(data, "location_id", mend) + "/" + t.need(data, "item_id", mend)
	}
	return t.need(data, "order_id", mend)
}

// webhookIDs gives the parts the ids that data names for the whole event.
func webhookIDs(t *taker, ev *schemas.Event, data *node) {
	if ev.Order != nil && ev.Order.ID == "" {
		ev.Order.ID = ev.Subject
	}
	switch ev.Type.Topic() {
	case schemas.TopicCustomers:
		if ev.Customer == nil {
			ev.Customer = &schemas.Customer{}
		}
		ev.Customer.ID = ev.Subject
	case schemas.TopicInventory:
		if ev.Inventory == nil {
			ev.Inventory = &schemas.Inventory{}
		}
		ev.Inventory.LocationID, ev.Inventory.ItemID = t.id(data, "location_id"), t.id(data, "item_id")
	}
}

// webhookBusiness names the object where the part has an id, the version where there is one, and takes the types that
// happen once to an order as they are.
func webhookBusiness(ev *schemas.Event) string {
	switch ev.Type {
	case schemas.OrderCreated, schemas.OrderCancelled, schemas.CustomerRegistered:
		return business(ev, ev.Subject, "")
	}
	object := objectID(ev)
	if object == "" && ev.SourceVersion != "" {
		object = ev.Subject
	}
	return business(ev, object, ev.SourceVersion)
}
