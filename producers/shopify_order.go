package producers

import (
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// shopifyOrder reads the state of an order. Amounts are the current ones where an edit or refund changed them.
func shopifyOrder(t *taker, n *node) *schemas.Order {
	cur := t.peek(n, "currency")
	o := &schemas.Order{
		ID: t.id(n, "id"), Number: t.text(n, "name"), CancelReason: t.text(n, "cancel_reason"),
		PaymentStatus: t.text(n, "financial_status"), FulfillmentStatus: t.text(n, "fulfillment_status"),
		CustomerID: t.id(n, "customer.id"), Email: t.text(n, "email"), Phone: t.text(n, "phone"), Note: t.text(n, "note"),
		CreatedAt: t.when(n, "created_at"), UpdatedAt: t.when(n, "updated_at"),
		CancelledAt: t.when(n, "cancelled_at"), ClosedAt: t.when(n, "closed_at"),
		ShippingAddress: shopifyAddress(t, n.get("shipping_address")), BillingAddress: shopifyAddress(t, n.get("billing_address")),
	}
	current := func(name, alternative string) *schemas.Money {
		if v := n.get("current_" + name); v.present() {
			return t.money(n, "current_"+name, cur)
		}
		return t.money(n, alternative, cur)
	}
	o.Total, o.Subtotal = current("total_price", "total_price"), current("subtotal_price", "subtotal_price")
	o.Tax, o.Discount = current("total_tax", "total_tax"), current("total_discounts", "total_discounts")
	o.Shipping = t.amountOf(n, "total_shipping_price_set.shop_money")
	if seen := n.get("presentment_currency"); seen.present() && seen.text != cur {
		for _, set := range []string{"current_total_price_set", "total_price_set"} {
			if o.PresentmentTotal == nil {
				o.PresentmentTotal = t.amountOf(n, set+".presentment_money")
			}
		}
	}
	switch {
	case o.CancelledAt != nil:
		o.Status = "cancelled"
	case o.ClosedAt != nil:
		o.Status = "closed"
	default:
		o.Status = "open"
	}
	if o.FulfillmentStatus == "" && n.get("fulfillment_status") != nil {
		o.FulfillmentStatus = "unfulfilled" // Shopify writes null
	}
	for _, l := range n.get("line_items").items() {
		o.Lines = append(o.Lines, shopifyOrderLine(t, l, cur))
	}
	for _, f := range n.get("fulfillments").items() {
		o.Fulfillments = append(o.Fulfillments, *shopifyFulfillment(t, f))
	}
	for _, r := range n.get("refunds").items() {
		o.Refunds = append(o.Refunds, *shopifyRefund(t, r, cur))
	}
	return o
}

// shopifyOrderLine reads an order line. The quantity is what is left after edits and refunds where the source says it.
func shopifyOrderLine(t *taker, n *node, currency string) schemas.Line {
	quantity := "quantity"
	if n.get("current_quantity").present() {
		quantity = "current_quantity"
	}
	return shopifyLine(t, n, currency, quantity)
}

// shopifyLine reads a line, with its quantity from a path.
func shopifyLine(t *taker, n *node, currency, quantity string) schemas.Line {
	if v := t.peek(n, "price_set.shop_money.currency_code"); v != "" {
		currency = v
	}
	return schemas.Line{
		ID: t.id(n, "id"), SKU: t.text(n, "sku"), ProductID: t.id(n, "product_id"), VariantID: t.id(n, "variant_id"),
		Title: t.text(n, "title"), Quantity: t.count(n, quantity),
		Price: t.priceIn(n, "price", currency), Discount: t.priceIn(n, "total_discount", currency),
	}
}

// priceIn is a unit price where its currency is known: parts of bodies (fulfillments) name none.
func (t *taker) priceIn(n *node, path, currency string) *schemas.Money {
	if currency == "" {
		return nil
	}
	return t.unitPrice(n, path, currency)
}

func shopifyAddress(t *taker, n *node) *schemas.Address {
	if !n.present() {
		return nil
	}
	a := &schemas.Address{
		Name: t.text(n, "name"), Company: t.text(n, "company"), Address1: t.text(n, "address1"), Address2: t.text(n, "address2"),
		City: t.text(n, "city"), Zip: t.text(n, "zip"), Phone: t.text(n, "phone"),
		Province: t.first(n, "province_code", "province"), Country: t.first(n, "country_code", "country"),
	}
	return a
}

// first is the text of the first path that has one.
func (t *taker) first(n *node, paths ...string) string {
	for _, p := range paths {
		if v := n.get(p); v.present() && v.text != "" {
			return t.text(n, p)
		}
	}
	return ""
}

func shopifyFulfillment(t *taker, n *node) *schemas.Fulfillment {
	f := &schemas.Fulfillment{
		ID: t.id(n, "id"), Status: t.text(n, "status"), LocationID: t.id(n, "location_id"),
		TrackingCompany: t.text(n, "tracking_company"), TrackingNumber: t.text(n, "tracking_number"), TrackingURL: t.text(n, "tracking_url"),
		CreatedAt: t.when(n, "created_at"), UpdatedAt: t.when(n, "updated_at"),
	}
	if v := n.get("shipment_status"); v.present() {
		v.taken, f.Status = true, v.text
		if status := n.get("status"); status != nil {
			status.taken = false // the model has one status; the parcel's own says more
		}
	}
	for _, l := range n.get("line_items").items() {
		f.Lines = append(f.Lines, shopifyLine(t, l, "", "quantity")) // of the parcel, whatever was refunded since
	}
	return f
}

// shopifyRefund adds up the successful transactions: line subtotals are not what was paid back.
func shopifyRefund(t *taker, n *node, currency string) *schemas.Refund {
	r := &schemas.Refund{ID: t.id(n, "id"), Note: t.text(n, "note"), CreatedAt: t.when(n, "created_at")}
	if currency == "" {
		for _, p := range []string{"total_duties_set.shop_money.currency_code", "refund_line_items.0.subtotal_set.shop_money.currency_code"} {
			if v := n.get(p); currency == "" && v.present() && v.text != "XXX" { // XXX: ISO's word for no currency
				currency = v.text
			}
		}
	}
	states := map[string]bool{}
	for _, tx := range n.get("transactions").items() {
		p := shopifyPayment(t, tx, currency)
		states[p.Status] = true
		if p.Kind == "refund" && p.Status == "success" && p.Amount != nil { // a void gives nothing back
			if r.Amount == nil {
				r.Amount = &schemas.Money{Currency: p.Amount.Currency}
			}
			if r.Amount.Currency != p.Amount.Currency {
				t.fail(tx, "", "one refund in two currencies (%s, %s): send it as two", r.Amount.Currency, p.Amount.Currency)
				break
			}
			r.Amount.Amount = r.Amount.Amount.Add(p.Amount.Amount.Abs())
		}
		r.Payments = append(r.Payments, p)
	}
	r.Status = refundStatus(states)
	for _, l := range n.get("refund_line_items").items() {
		line := schemas.Line{ID: t.id(l, "line_item_id"), Quantity: t.count(l, "quantity"), SKU: t.text(l, "line_item.sku"), Title: t.text(l, "line_item.title")}
		r.Lines = append(r.Lines, line)
	}
	return r
}

// refundStatus is succeeded when money went back or none had to, else what its transactions say.
func refundStatus(states map[string]bool) string {
	switch {
	case states["success"] || len(states) == 0:
		return "succeeded"
	case states["pending"]:
		return "pending"
	}
	return "failed"
}

func shopifyPayment(t *taker, n *node, currency string) schemas.Payment {
	p := schemas.Payment{
		ID: t.id(n, "id"), ParentID: t.id(n, "parent_id"), Kind: strings.ToLower(t.text(n, "kind")), Status: strings.ToLower(t.text(n, "status")),
		Gateway: t.text(n, "gateway"), Reference: t.text(n, "authorization"), ProcessedAt: t.when(n, "processed_at"),
	}
	if v := t.peek(n, "currency"); v != "" {
		currency = v
	}
	if n.get("amount").present() && currency == "" {
		t.fail(n.get("amount"), "", "an amount without its currency: the body names none")
		return p
	}
	p.Amount = t.money(n, "amount", currency)
	return p
}
