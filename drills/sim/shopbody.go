package sim

import (
	"encoding/json"
	"fmt"
	"time"
)

// shopZone is the shop's own offset; its texts carry it.
var shopZone = time.FixedZone("", -5*3600)

// shopTime is a time as the shop writes it. Shopify gives whole seconds; a compressed day needs the microseconds.
func shopTime(t time.Time) string { return t.In(shopZone).Format("2006-01-02T15:04:05.000000-07:00") }

// obj is a JSON object; encoding sorts its members, which no receiver may mind.
type obj = map[string]any

// moneySet is Shopify's pair of amounts.
func moneySet(amount, currency string) obj {
	m := obj{"amount": amount, "currency_code": currency}
	return obj{"shop_money": m, "presentment_money": m}
}

// orderBody is the order in its present state, as webhooks and API both give it.
func orderBody(o *Order) json.RawMessage {
	subtotal := major(o.totalMinor-o.shipping, o.Currency)
	b := obj{
		"id": json.Number(o.ID), "admin_graphql_api_id": "gid://shopify/Order/" + o.ID, "name": o.Number,
		"order_number": json.Number(o.Number[1:]), "email": o.Customer.Email, "contact_email": o.Customer.Email,
		"phone": nil, "currency": o.Currency, "presentment_currency": o.Currency, "note": orNil(o.Note), "tags": "", "test": false,
		"created_at": shopTime(o.CreatedAt), "updated_at": shopTime(o.UpdatedAt), "processed_at": shopTime(o.CreatedAt),
		"cancelled_at": nil, "cancel_reason": nil, "closed_at": nil, "financial_status": o.Payment, "fulfillment_status": nil,
		"total_price": o.Total, "total_price_set": moneySet(o.Total, o.Currency), "current_total_price": o.Total,
		"subtotal_price": subtotal, "subtotal_price_set": moneySet(subtotal, o.Currency),
		"total_tax": o.Tax, "total_tax_set": moneySet(o.Tax, o.Currency), "taxes_included": true,
		"total_discounts": major(0, o.Currency), "total_discounts_set": moneySet(major(0, o.Currency), o.Currency),
		"total_shipping_price_set": moneySet(major(o.shipping, o.Currency), o.Currency),
		"order_status_url":         "https://seam-demo.myshopify.com/orders/" + shortHash(o.ID) + "/authenticate?key=" + shortHash("key", o.ID),
		"source_name":              "web", "payment_gateway_names": []string{"bogus"},
		"customer": customerOf(o.Customer), "shipping_address": addressOf(o.Customer), "billing_address": addressOf(o.Customer),
		"line_items": linesOf(o), "fulfillments": []any{}, "refunds": refundsOf(o),
	}
	if o.Shipped {
		b["fulfillment_status"] = "fulfilled"
	}
	if o.Status == "cancelled" {
		b["cancelled_at"], b["cancel_reason"] = shopTime(o.Cancelled), "customer"
	}
	return encode(b)
}

func linesOf(o *Order) []obj {
	out := make([]obj, len(o.Lines))
	for i, l := range o.Lines {
		out[i] = obj{
			"id": json.Number(l.ID), "sku": l.SKU, "title": l.Title, "name": l.Title, "quantity": l.Quantity, "current_quantity": l.Quantity,
			"price": l.Price, "price_set": moneySet(l.Price, o.Currency), "total_discount": major(0, o.Currency),
			"requires_shipping": true, "taxable": true, "gift_card": false, "fulfillment_status": nil, "product_id": nil,
			"variant_id": nil, "tax_lines": []any{}, "discount_allocations": []any{}, "properties": []any{},
		}
	}
	return out
}

func refundsOf(o *Order) []obj {
	out := make([]obj, len(o.Refunds))
	for i, r := range o.Refunds {
		out[i] = refundOf(o, r)
	}
	return out
}

// refundBody is refunds/create: the amount stands in the successful transaction.
func refundBody(o *Order, r Refund) json.RawMessage { return encode(refundOf(o, r)) }

func refundOf(o *Order, r Refund) obj {
	return obj{
		"id": json.Number(r.ID), "order_id": json.Number(o.ID), "created_at": shopTime(r.At), "processed_at": shopTime(r.At),
		"note": r.Reason, "restock": false, "admin_graphql_api_id": "gid://shopify/Refund/" + r.ID, "order_adjustments": []any{},
		"refund_line_items": []any{}, "duties": []any{}, "transactions": []obj{{
			"id": json.Number(r.transaction), "order_id": json.Number(o.ID), "parent_id": json.Number(o.PaidID), "kind": "refund",
			"status": "success", "gateway": "bogus", "amount": r.Amount, "currency": r.Currency, "created_at": shopTime(r.At),
			"processed_at": shopTime(r.At), "test": false, "admin_graphql_api_id": "gid://shopify/OrderTransaction/" + r.transaction,
		}},
	}
}

// customerBody is customers/create.
func customerBody(c *Customer) json.RawMessage { return encode(customerOf(c)) }

func customerOf(c *Customer) obj {
	return obj{
		"id": json.Number(c.ID), "email": c.Email, "first_name": c.First, "last_name": c.Last, "phone": c.Phone, "state": "enabled",
		"note": nil, "verified_email": true, "currency": "EUR", "tags": "", "created_at": shopTime(c.CreatedAt),
		"updated_at": shopTime(c.CreatedAt), "admin_graphql_api_id": "gid://shopify/Customer/" + c.ID, "default_address": addressOf(c),
	}
}

func addressOf(c *Customer) obj {
	return obj{
		"first_name": c.First, "last_name": c.Last, "name": c.First + " " + c.Last, "company": nil, "address1": c.address.street,
		"address2": nil, "city": c.address.city, "zip": c.address.zip, "province": nil, "province_code": nil,
		"country": c.address.country, "country_code": c.address.code, "phone": c.Phone,
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// encode marshals a body the way Shopify's server writes it: escaped slashes and ampersands.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sim: body does not marshal: %v", err)) // texts and numbers of our own making always do
	}
	return slashes(b)
}
