package producers

import (
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// WooCommerce. Signature: X-WC-Webhook-Signature over the body alone. X-WC-Webhook-Delivery-ID is one per hook and
// second, so two orders of one second share it: the identity is the shop, the topic, the body's id and
// date_modified_gmt, and the body's hash. A failed delivery is never repeated (use spool: true), and a body is built when
// it is sent, so cancellations, payments and refunds are read from the order's state.
// Source: WooCommerce includes/class-wc-webhook.php.

func wooAuthenticate(d *delivery) error { return d.bodyHMAC("X-Wc-Webhook-Signature") }

func wooOrigin(d *delivery, root *node) origin {
	shop := strings.TrimSuffix(d.head("X-Wc-Webhook-Source"), "/")
	for _, scheme := range []string{"https://", "http://"} {
		shop = strings.TrimPrefix(shop, scheme)
	}
	if shop == "" {
		shop = d.source.Name
	}
	id := d.head("X-Wc-Webhook-Topic")
	for _, p := range []string{"id", "date_modified_gmt"} {
		if v := root.get(p); v.present() && v.leaf() {
			id += "/" + v.text
		}
	}
	return origin{"/woocommerce/" + shop, id + "/" + d.rawRef()}
}

// isWooPing tells the form-encoded first call that WooCommerce makes without a signature when a hook is saved; it must
// be answered 200.
func isWooPing(contentType string, body []byte) bool {
	id, ok := strings.CutPrefix(string(body), "webhook_id=")
	return ok && strings.HasPrefix(contentType, "application/x-www-form-urlencoded") && id != "" && len(id) <= 20 && strings.Trim(id, "0123456789") == ""
}

// wooRead is one read of one body.
type wooRead struct {
	*taker
	d     *delivery
	topic string
	n     *node
	r     *reading
}

// wooTime is a time without a zone; members that end in _gmt are UTC.
const wooTime = "2006-01-02T15:04:05"

func wooNormalize(d *delivery, root *node, r *reading) {
	w := &wooRead{taker: &taker{time: wooTime}, d: d, topic: d.head("X-Wc-Webhook-Topic"), n: root, r: r}
	switch {
	case root.kind != kindObject:
		r.refuse("", &fault{"", "the body is not an object"})
	case w.topic == "order.deleted":
		w.deleted()
	case w.topic == "order.created" || w.topic == "order.updated" || w.topic == "order.restored":
		w.order()
	case w.topic == "customer.created" || w.topic == "customer.updated" || w.topic == "customer.deleted":
		w.customer()
	default:
		r.refuse("", &fault{"X-WC-Webhook-Topic", "topic \"" + w.topic + "\" is not one that Seam reads: delete the hook, or ask for the topic"})
	}
}

func (w *wooRead) deleted() {
	id := w.need(w.n, "id", noOrder)
	ev := w.d.event(w.r.origin, "", schemas.OrderUpdated, id, nil)
	ev.Order = &schemas.Order{ID: id, Status: "deleted"}
	ev.BusinessID = business(ev, "deleted", "")
	w.rest(w.n, ev.Extensions)
	w.r.add(ev, "", w.taker)
}

func (w *wooRead) order() {
	id := w.need(w.n, "id", "every order webhook carries the order's id; is this the body of another topic?")
	if w.err == nil && w.n.get("status") == nil {
		w.fail(nil, "status", "is missing: this is not an order's state")
	}
	o := wooOrder(w.taker, w.n)
	typ, at := schemas.OrderUpdated, o.UpdatedAt
	if w.topic == "order.created" {
		typ, at = schemas.OrderCreated, o.CreatedAt
	}
	ev := w.d.event(w.r.origin, "", typ, id, at)
	ev.Order = o
	if v := w.n.get("date_modified_gmt"); v.present() {
		ev.SourceVersion = v.text
	}
	ev.BusinessID = wooOrderIdentity(ev)
	if w.err == nil {
		w.rest(w.n, ev.Extensions)
	}
	w.r.add(ev, "", w.taker)
	if w.err == nil {
		(&stateFacts{w.d, w.r, ev}).tell()
	}
}

func wooOrderIdentity(ev *schemas.Event) string {
	if ev.Type == schemas.OrderCreated {
		return business(ev, ev.Subject, "")
	}
	return business(ev, "", versionText(ev.Order.UpdatedAt))
}

func wooOrder(t *taker, n *node) *schemas.Order {
	cur := t.peek(n, "currency")
	o := &schemas.Order{
		ID: t.id(n, "id"), Number: t.text(n, "number"), Status: t.text(n, "status"), Email: t.text(n, "billing.email"), Phone: t.text(n, "billing.phone"),
		Note: t.text(n, "customer_note"), Total: t.money(n, "total", cur), Tax: t.money(n, "total_tax", cur),
		Shipping: t.money(n, "shipping_total", cur), Discount: t.money(n, "discount_total", cur),
		ShippingAddress: wooAddress(t, n.get("shipping")), BillingAddress: wooAddress(t, n.get("billing")),
		CreatedAt: t.when(n, "date_created_gmt"), UpdatedAt: t.when(n, "date_modified_gmt"), ClosedAt: t.when(n, "date_completed_gmt"),
	}
	if v := n.get("customer_id"); v.present() && v.text != "0" { // 0 is a guest
		o.CustomerID = t.id(n, "customer_id")
	}
	paid := t.when(n, "date_paid_gmt")
	switch {
	case o.Status == "refunded":
		o.PaymentStatus = "refunded"
	case paid != nil:
		o.PaymentStatus = "paid"
	case o.Status == "pending" || o.Status == "on-hold" || o.Status == "checkout-draft":
		o.PaymentStatus = "pending"
	}
	if paid != nil {
		o.Payments = []schemas.Payment{{Kind: "paid", Status: "success", Gateway: t.text(n, "payment_method"), Reference: t.text(n, "transaction_id"), ProcessedAt: paid}}
	}
	for _, l := range n.get("line_items").items() {
		o.Lines = append(o.Lines, wooLine(t, l, cur))
	}
	for _, r := range n.get("refunds").items() {
		o.Refunds = append(o.Refunds, schemas.Refund{
			ID: t.id(r, "id"), Status: "succeeded", Reason: t.text(r, "reason"), Amount: absolute(t.money(r, "total", cur)),
		})
	}
	return o
}

// absolute is the amount without its sign: WooCommerce writes refunds negative.
func absolute(m *schemas.Money) *schemas.Money {
	if m == nil {
		return nil
	}
	return &schemas.Money{Amount: m.Amount.Abs(), Currency: m.Currency}
}

func wooLine(t *taker, n *node, currency string) schemas.Line {
	l := schemas.Line{
		ID: t.id(n, "id"), SKU: t.text(n, "sku"), ProductID: t.id(n, "product_id"), Title: t.text(n, "name"),
		Quantity: t.count(n, "quantity"), Price: t.unitPrice(n, "price", currency), Tax: t.money(n, "total_tax", currency),
	}
	if v := n.get("variation_id"); v.present() && v.text != "0" {
		l.VariantID = t.id(n, "variation_id")
	}
	return l
}

// wooAddress leaves first and last name in the extensions beside the joined name.
func wooAddress(t *taker, n *node) *schemas.Address {
	if !n.present() {
		return nil
	}
	name := ""
	for _, p := range []string{"first_name", "last_name"} {
		if v := n.get(p); v.present() && v.text != "" {
			name = strings.TrimSpace(name + " " + v.text)
		}
	}
	a := &schemas.Address{
		Name: name, Company: t.text(n, "company"), Address1: t.text(n, "address_1"), Address2: t.text(n, "address_2"), City: t.text(n, "city"),
		Province: t.text(n, "state"), Zip: t.text(n, "postcode"), Country: t.text(n, "country"), Phone: t.text(n, "phone"),
	}
	if *a == (schemas.Address{}) {
		return nil
	}
	return a
}

func (w *wooRead) customer() {
	id := w.need(w.n, "id", "every customer webhook carries the customer's id")
	typ := schemas.CustomerUpdated
	c := &schemas.Customer{
		ID: id, Email: w.text(w.n, "email"), FirstName: w.text(w.n, "first_name"), LastName: w.text(w.n, "last_name"), Phone: w.text(w.n, "billing.phone"),
		Status: w.text(w.n, "role"), Address: wooAddress(w.taker, w.n.get("billing")),
		CreatedAt: w.when(w.n, "date_created_gmt"), UpdatedAt: w.when(w.n, "date_modified_gmt"), OrderCount: w.text(w.n, "orders_count"),
	}
	at := c.UpdatedAt
	if w.topic == "customer.created" {
		typ, at = schemas.CustomerRegistered, c.CreatedAt
	}
	if w.topic == "customer.deleted" {
		c.Status, at = "deleted", nil
	}
	ev := w.d.event(w.r.origin, "", typ, id, at)
	ev.Customer = c
	if v := w.n.get("date_modified_gmt"); v.present() {
		ev.SourceVersion = v.text
	}
	switch w.topic {
	case "customer.created":
		ev.BusinessID = business(ev, id, "")
	case "customer.deleted":
		ev.BusinessID = business(ev, "deleted", "")
	default:
		ev.BusinessID = business(ev, "", versionText(c.UpdatedAt))
	}
	w.rest(w.n, ev.Extensions)
	w.r.add(ev, "", w.taker)
}
