package producers

import (
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Shopify. Signature: X-Shopify-Hmac-Sha256 over the body alone. Identity of a delivery: the shop and
// X-Shopify-Webhook-Id (the same on every retry); X-Shopify-Event-Id is shared by all deliveries of one action, so it is
// the correlation, never the identity. The topic header is not signed: see the table for what the body must show.
// Source: https://shopify.dev/docs/api/webhooks and https://shopify.dev/docs/apps/build/webhooks/verify-deliveries.

func shopifyAuthenticate(d *delivery) error { return d.bodyHMAC("X-Shopify-Hmac-Sha256") }

// shopifyOrigin falls back to topic and body hash for a saved body that has lost its headers.
func shopifyOrigin(d *delivery, _ *node) origin {
	shop := d.head("X-Shopify-Shop-Domain")
	if shop == "" {
		shop = d.source.Name
	}
	id := d.head("X-Shopify-Webhook-Id")
	if id == "" {
		id = d.head("X-Shopify-Topic") + "/" + d.rawRef()
	}
	return origin{"/shopify/" + shop, id}
}

// shopifyWrappers are members that REST answers and some topics wrap a body in.
var shopifyWrappers = []string{"order", "customer", "refund", "fulfillment", "transaction", "dispute", "return", "inventory_level"}

// shopifyRead is one read of one body.
type shopifyRead struct {
	*taker
	d     *delivery
	o     origin
	topic string
	n     *node // the resource itself, out of its wrapper
}

// shopifyNormalize reads the body as its topic's resource.
func shopifyNormalize(d *delivery, root *node, r *reading) {
	topic := d.head("X-Shopify-Topic")
	read, ok := shopifyTopics[topic]
	if !ok {
		read, ok = shopifyTopics[strings.Split(topic, "/")[0]+"/*"]
	}
	if !ok {
		r.refuse("", &fault{"X-Shopify-Topic", "topic \"" + topic + "\" is not one that Seam reads: take the subscription away, or ask for the topic"})
		return
	}
	if root.kind != kindObject {
		r.refuse("", &fault{"", "the body is not an object"})
		return
	}
	n := root
	for _, w := range shopifyWrappers {
		if len(root.kids) == 1 && root.kids[0].name == w && root.kids[0].kind == kindObject {
			n = root.kids[0]
		}
	}
	s := &shopifyRead{taker: &taker{}, d: d, o: r.origin, topic: topic, n: n}
	ev := read(s)
	if s.err == nil {
		ev.CorrelationID = d.head("X-Shopify-Event-Id")
		s.extend(ev, root)
	}
	r.add(ev, "", s.taker)
}

// shopifyTopics says how a topic's body is read; "x/*" stands for the topics of x that are not named.
var shopifyTopics = map[string]func(*shopifyRead) *schemas.Event{
	"orders/create":                  shopifyOrderEvent,
	"orders/updated":                 shopifyOrderEvent,
	"orders/paid":                    shopifyOrderEvent,
	"orders/cancelled":               shopifyOrderEvent,
	"orders/fulfilled":               shopifyOrderEvent,
	"orders/partially_fulfilled":     shopifyOrderEvent,
	"orders/delete":                  shopifyOrderDeleted,
	"orders/edited":                  shopifyEdited,
	"orders/risk_assessment_changed": shopifyRisk,
	"refunds/create":                 shopifyRefundEvent,
	"order_transactions/create":      shopifyTransaction,
	"fulfillments/*":                 shopifyFulfillmentEvent,
	"fulfillment_events/create":      shopifyFulfillmentProgress,
	"fulfillment_orders/*":           shopifyFulfillmentOrder,
	"returns/*":                      shopifyReturn,
	"disputes/*":                     shopifyDispute,
	"customers/create":               shopifyCustomer,
	"customers/update":               shopifyCustomer,
	"customers/enable":               shopifyCustomer,
	"customers/disable":              shopifyCustomer,
	"customers/delete":               shopifyCustomer,
	"customers/redact":               shopifyRedact,
	"inventory_levels/*":             shopifyInventory,
}

// triggered is when the platform says the action happened, for bodies without a time of their own.
func (s *shopifyRead) triggered() *time.Time {
	at, err := s.parseTime(s.d.head("X-Shopify-Triggered-At"))
	if err != nil {
		return nil
	}
	return &at
}

// event starts the delivery's event at the body's time under path, or at the trigger's time where there is none.
func (s *shopifyRead) event(typ schemas.EventType, subject string, paths ...string) *schemas.Event {
	for _, p := range paths {
		if at := s.when(s.n, p); at != nil {
			ev := s.d.event(s.o, "", typ, subject, at)
			s.d.timeText(ev, s.n, p)
			return ev
		}
	}
	at := s.triggered()
	ev := s.d.event(s.o, "", typ, subject, at)
	if text := s.d.head("X-Shopify-Triggered-At"); at != nil && text != ev.Time.Format(time.RFC3339Nano) {
		ev.TimeText = text
	}
	return ev
}

// noOrder is the mend for bodies without an order id.
const noOrder = "without the order's id it cannot be filed: look the order up in the shop and send the fact with its id"

func shopifyOrderEvent(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "id", "every order webhook carries the order's id; is this the body of another topic?")
	o := shopifyOrder(s.taker, s.n)
	typ := schemas.OrderUpdated
	switch {
	case s.topic == "orders/create":
		typ = schemas.OrderCreated
	case s.topic == "orders/cancelled" && o.CancelledAt != nil:
		typ = schemas.OrderCancelled
	case s.topic == "orders/paid" && o.PaymentStatus == "paid":
		typ = schemas.PaymentCaptured
	}
	times := map[schemas.EventType]string{schemas.OrderCreated: "created_at", schemas.OrderCancelled: "cancelled_at", schemas.PaymentCaptured: "updated_at", schemas.OrderUpdated: "updated_at"}
	ev := s.event(typ, id, times[typ], "updated_at", "created_at")
	shopifyOrderIdentity(ev, o, s.n)
	return ev
}

// shopifyOrderIdentity gives an event that carries an order's state its version and business id; the poll uses the same,
// so that a polled state equals its webhook.
func shopifyOrderIdentity(ev *schemas.Event, o *schemas.Order, n *node) {
	ev.Order = o
	if v := n.get("updated_at"); v.present() {
		ev.SourceVersion = v.text
	}
	switch ev.Type {
	case schemas.OrderUpdated:
		ev.BusinessID = business(ev, "", versionText(o.UpdatedAt))
	case schemas.PaymentCaptured: // of the whole order: which transactions paid it is told by order_transactions/create
		ev.Payment = &schemas.Payment{Kind: "paid", Status: o.PaymentStatus}
		ev.BusinessID = business(ev, "paid", "")
	default:
		ev.BusinessID = business(ev, ev.Subject, "")
	}
}

func shopifyOrderDeleted(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "id", noOrder)
	ev := s.event(schemas.OrderUpdated, id)
	ev.Order = &schemas.Order{ID: id, Status: "deleted"}
	ev.BusinessID = business(ev, "deleted", "")
	return ev
}

// shopifyEdited is a delta against the order's lines, not their state: it stays in the extensions, and who needs the
// lines asks for the orders/updated that follows.
func shopifyEdited(s *shopifyRead) *schemas.Event {
	if edit := s.n.member("order_edit"); edit != nil {
		s.n = edit
	}
	id := s.need(s.n, "order_id", noOrder)
	ev := s.event(schemas.OrderEdited, id, "committed_at", "created_at")
	ev.Order = &schemas.Order{ID: id}
	ev.BusinessID = business(ev, s.peek(s.n, "id"), "")
	return ev
}

func shopifyRisk(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	ev := s.event(schemas.FraudAssessed, id, "created_at")
	ev.Fraud = &schemas.Fraud{ID: s.id(s.n, "provider_id"), Provider: s.text(s.n, "provider_title"), Level: s.text(s.n, "risk_level")}
	version := versionText(s.when(s.n, "created_at"))
	if version == "" {
		version = s.d.head("X-Shopify-Event-Id")
	}
	ev.BusinessID = business(ev, ev.Fraud.ID, version)
	return ev
}

func shopifyReturn(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order.id", noOrder)
	typ := schemas.OrderUpdated
	status := s.text(s.n, "status")
	switch status {
	case "requested", "open":
		typ = schemas.ReturnRequested
	case "closed":
		typ = schemas.ReturnReceived
	}
	ev := s.event(typ, id)
	ev.Return = &schemas.Return{ID: s.id(s.n, "id"), Status: status, Name: s.text(s.n, "name"), Quantity: s.count(s.n, "total_return_line_items")}
	for _, l := range s.n.get("return_line_items").items() {
		ev.Return.Lines = append(ev.Return.Lines, schemas.Line{ID: s.id(l, "id"), Quantity: s.count(l, "quantity")})
	}
	ev.BusinessID = business(ev, ev.Return.ID, status)
	return ev
}

func shopifyDispute(s *shopifyRead) *schemas.Event {
	id := s.need(s.n, "order_id", noOrder)
	ev := s.event(schemas.DisputeOpened, id, "initiated_at")
	ev.Dispute = &schemas.Dispute{
		ID: s.id(s.n, "id"), Kind: s.text(s.n, "type"), Reason: s.text(s.n, "reason"), Status: s.text(s.n, "status"),
		Amount: s.moneyWith(s.n, "amount", "currency"), DueBy: s.when(s.n, "evidence_due_by"),
	}
	ev.BusinessID = business(ev, ev.Dispute.ID, ev.Dispute.Status)
	return ev
}
