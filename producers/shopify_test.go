package producers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// fact is what matters of an event in most cases.
type fact struct {
	Type     schemas.EventType
	Subject  string
	Business string
	Version  string
}

func factOf(ev *schemas.Event) fact {
	return fact{ev.Type, ev.Subject, ev.BusinessID, ev.SourceVersion}
}

func shopifyDelivery(topic, body string) *delivery {
	return given(topology.Shopify, body, "X-Shopify-Topic: "+topic, "X-Shopify-Shop-Domain: a.myshopify.com", "X-Shopify-Webhook-Id: w-1",
		"X-Shopify-Event-Id: e-1", "X-Shopify-Triggered-At: 2026-11-02T11:59:58.123456789Z")
}

func TestShopifyTopics(t *testing.T) {
	t.Parallel()
	const updated = `"updated_at":"2026-11-02T10:00:00-05:00"`
	const version, utc = "2026-11-02T10:00:00-05:00", "2026-11-02T15:00:00Z"
	for _, tt := range []struct {
		name, topic, body string
		want              fact
	}{
		{"created", "orders/create", `{"id":1,` + updated + `}`, fact{"order.created", "1", "order.created/1", version}},
		{"updated", "orders/updated", `{"id":1,` + updated + `}`, fact{"order.updated", "1", "order.updated/1/" + utc, version}},
		{"fulfilled is a state", "orders/fulfilled", `{"id":1,` + updated + `}`, fact{"order.updated", "1", "order.updated/1/" + utc, version}},
		{"paid", "orders/paid", `{"id":1,"financial_status":"paid",` + updated + `}`, fact{"payment.captured", "1", "payment.captured/1/paid", version}},
		{"paid by topic only", "orders/paid", `{"id":1,"financial_status":"pending",` + updated + `}`, fact{"order.updated", "1", "order.updated/1/" + utc, version}},
		{"cancelled", "orders/cancelled", `{"id":1,"cancelled_at":"2026-11-02T10:00:00-05:00",` + updated + `}`, fact{"order.cancelled", "1", "order.cancelled/1", version}},
		{"cancelled by topic only", "orders/cancelled", `{"id":1,"cancelled_at":null,` + updated + `}`, fact{"order.updated", "1", "order.updated/1/" + utc, version}},
		{"deleted", "orders/delete", `{"id":1}`, fact{"order.updated", "1", "order.updated/1/deleted", ""}},
		{"edited", "orders/edited", `{"order_edit":{"id":9,"order_id":1,"line_items":{"additions":[{"id":3,"delta":1}]}}}`, fact{"order.edited", "1", "order.edited/1/9", ""}},
		{"risk", "orders/risk_assessment_changed", `{"order_id":1,"risk_level":"high","created_at":"2026-11-02T10:00:00Z"}`, fact{"fraud.assessed", "1", "fraud.assessed/1/2026-11-02T10:00:00Z", ""}},
		{"refund", "refunds/create", `{"id":5,"order_id":1,"transactions":[{"id":6,"kind":"refund","status":"success","amount":"1.00","currency":"EUR"}]}`, fact{"refund.succeeded", "1", "refund.succeeded/1/5", ""}},
		{"refund pending", "refunds/create", `{"id":5,"order_id":1,"transactions":[{"id":6,"kind":"refund","status":"pending","amount":"1.00","currency":"EUR"}]}`, fact{"refund.requested", "1", "refund.requested/1/5", ""}},
		{"refund failed", "refunds/create", `{"id":5,"order_id":1,"transactions":[{"id":6,"kind":"refund","status":"failure","amount":"1.00","currency":"EUR"}]}`, fact{"refund.failed", "1", "refund.failed/1/5", ""}},
		{"authorization", "order_transactions/create", `{"id":6,"order_id":1,"kind":"authorization","status":"success","amount":"1","currency":"EUR"}`, fact{"payment.authorized", "1", "payment.authorized/1/6", ""}},
		{"capture", "order_transactions/create", `{"id":7,"order_id":1,"kind":"capture","status":"success","amount":"1","currency":"EUR"}`, fact{"payment.captured", "1", "payment.captured/1/7", ""}},
		{"void", "order_transactions/create", `{"id":8,"order_id":1,"kind":"void","status":"success"}`, fact{"payment.voided", "1", "payment.voided/1/8", ""}},
		{"capture failed", "order_transactions/create", `{"id":8,"order_id":1,"kind":"capture","status":"failure"}`, fact{"payment.failed", "1", "payment.failed/1/8", ""}},
		{"pending is no fact yet", "order_transactions/create", `{"id":8,"order_id":1,"kind":"sale","status":"pending"}`, fact{"order.updated", "1", "order.updated/1/8/pending", ""}},
		{"refund's transaction is told by refunds/create", "order_transactions/create", `{"id":8,"order_id":1,"kind":"refund","status":"success"}`, fact{"order.updated", "1", "order.updated/1/8/success", ""}},
		{"fulfillment requested", "fulfillments/create", `{"id":2,"order_id":1,"status":"pending",` + updated + `}`, fact{"fulfillment.requested", "1", "fulfillment.requested/1/2/" + utc, version}},
		{"fulfillment shipped", "fulfillments/update", `{"id":2,"order_id":1,"status":"success",` + updated + `}`, fact{"fulfillment.shipped", "1", "fulfillment.shipped/1/2/" + utc, version}},
		{"parcel delivered", "fulfillments/update", `{"id":2,"order_id":1,"status":"success","shipment_status":"delivered",` + updated + `}`, fact{"fulfillment.delivered", "1", "fulfillment.delivered/1/2/" + utc, version}},
		{"fulfillment cancelled", "fulfillments/update", `{"id":2,"order_id":1,"status":"cancelled","shipment_status":"in_transit",` + updated + `}`, fact{"fulfillment.cancelled", "1", "fulfillment.cancelled/1/2/" + utc, version}},
		{"fulfillment failed", "fulfillments/update", `{"id":2,"order_id":1,"status":"failure",` + updated + `}`, fact{"fulfillment.rejected", "1", "fulfillment.rejected/1/2/" + utc, version}},
		{"delivery event", "fulfillment_events/create", `{"id":4,"fulfillment_id":2,"order_id":1,"status":"out_for_delivery"}`, fact{"fulfillment.shipped", "1", "fulfillment.shipped/1/2/4", ""}},
		{"fulfillment order", "fulfillment_orders/order_routing_complete", `{"fulfillment_order":{"id":3,"order_id":1,"request_status":"rejected",` + updated + `}}`, fact{"fulfillment.rejected", "1", "fulfillment.rejected/1/3/" + utc, version}},
		{"cancellation asked", "fulfillment_orders/cancellation_request_submitted", `{"fulfillment_order":{"id":3,"order_id":1,"request_status":"cancellation_requested"}}`, fact{"order.cancel_requested", "1", "order.cancel_requested/1/3", ""}},
		{"return", "returns/request", `{"id":3,"order":{"id":1},"status":"requested"}`, fact{"return.requested", "1", "return.requested/1/3/requested", ""}},
		{"return closed", "returns/close", `{"id":3,"order":{"id":1},"status":"closed"}`, fact{"return.received", "1", "return.received/1/3/closed", ""}},
		{"return declined", "returns/decline", `{"id":3,"order":{"id":1},"status":"declined"}`, fact{"order.updated", "1", "order.updated/1/3/declined", ""}},
		{"dispute", "disputes/create", `{"id":3,"order_id":1,"amount":"11.50","currency":"CAD","status":"under_review"}`, fact{"dispute.opened", "1", "dispute.opened/1/3/under_review", ""}},
		{"customer", "customers/create", `{"id":7,` + updated + `}`, fact{"customer.registered", "7", "customer.registered/7", version}},
		{"customer changed", "customers/update", `{"id":7,` + updated + `}`, fact{"customer.updated", "7", "customer.updated/7/" + utc, version}},
		{"customer redacted", "customers/redact", `{"customer":{"id":7,"email":"a@b.c"},"orders_to_redact":[1,2]}`, fact{"customer.redacted", "7", "customer.redacted/7/w-1", ""}},
		{"level", "inventory_levels/update", `{"inventory_item_id":271878346596884015,"location_id":2,"available":10,` + updated + `}`, fact{"inventory.level_set", "2/271878346596884015", "inventory.level_set/2/271878346596884015/" + utc, version}},
		{"wrapped as the API answers it", "orders/updated", `{"order":{"id":1,` + updated + `}}`, fact{"order.updated", "1", "order.updated/1/" + utc, version}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := readOne(t, shopifyDelivery(tt.topic, tt.body))
			if d := cmp.Diff(tt.want, factOf(ev)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if ev.Source != "/shopify/a.myshopify.com" || ev.DeliveryID != "w-1" || ev.CorrelationID != "e-1" || ev.System != "shop" {
				t.Errorf("envelope = %s %s %s %s", ev.Source, ev.DeliveryID, ev.CorrelationID, ev.System)
			}
			if ev.ID != schemas.NewEventID("/shopify/a.myshopify.com", "w-1", "") {
				t.Errorf("id = %s, not that of the delivery", ev.ID)
			}
			if ev.Time.IsZero() || ev.Time.Location() != time.UTC {
				t.Errorf("time = %v", ev.Time)
			}
		})
	}
}

func TestShopifyQuarantines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, topic, body, want string }{
		{"no order id", "orders/risk_assessment_changed", `{"order_id":null}`, "order_id: is null: " + noOrder},
		{"fulfillment order without order", "fulfillment_orders/split", `{"fulfillment_order":{"id":"gid://shopify/FulfillmentOrder/1"}}`,
			"fulfillment_order.order_id: is missing: the webhook names the fulfillment order only, and asking the shop for its order is not set up: " + noOrder},
		{"rounded id", "orders/create", `{"id":8.2098291194615448e17}`, "id: id 8.2098291194615448e17 is not a whole number: it was rounded on its way, send it as text"},
		{"too many decimals", "orders/create", `{"id":1,"currency":"JPY","total_price":"1.5"}`, "total_price: amount 1.5 has more decimals than JPY has (0)"},
		{"an exponent of any size", "orders/create", `{"id":1,"currency":"EUR","total_price":1e999999999}`, `total_price: amount "1e999999999" is not a plain decimal: write it as 12.50`},
		{"bad time", "orders/create", `{"id":1,"created_at":"yesterday"}`, `created_at: time "yesterday" is not RFC 3339`},
		{"trailing comma", "orders/create", `{"id":1,}`, "the body is not exact JSON: offset 8: trailing comma"},
		{"duplicate key", "orders/create", `{"id":1,"id":2}`, `the body is not exact JSON: offset 8: member "id" is there twice: which one counts is unknown`},
		{"unknown topic", "products/update", `{"id":1}`, `X-Shopify-Topic: topic "products/update" is not one that Seam reads: take the subscription away, or ask for the topic`},
		{"refund without currency", "refunds/create", `{"id":1,"order_id":2,"transactions":[{"amount":"1.00","status":"success"}]}`, "transactions.0.amount: an amount without its currency: the body names none"},
		{"list", "orders/create", `[{"id":1}]`, "the body is not an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := readAll(t, shopifyDelivery(tt.topic, tt.body))
			if d := cmp.Diff([]string{tt.want}, faultsOf(r)); d != "" || len(r.events) != 0 {
				t.Errorf("%d events, faults (-want +got):\n%s", len(r.events), d)
			}
		})
	}
}

func TestShopifyOrderKeepsEveryValue(t *testing.T) {
	t.Parallel()
	ev := readOne(t, shopifyDelivery("orders/create", `{
		"id": 820982911946154508, "name": "#1", "currency": "USD", "presentment_currency": "EUR", "created_at": "2026-11-02T05:00:00-05:00",
		"total_price": "20.00", "current_total_price": "15.00", "total_price_set": {"presentment_money": {"amount": "18.00", "currency_code": "EUR"}},
		"total_tax": "-0.00", "note": "", "token": "t0p", "order_status_url": "https://x/authenticate?key=abc", "tags": "a, b", "landing_site": "/x?authenticate?key=q",
		"customer": {"id": 115310627314723954, "state": "enabled"},
		"line_items": [{"id": 487817672276298554, "quantity": 2, "current_quantity": 1, "price": "10.00", "sku": "S", "variant_id": 9}],
		"refunds": [{"id": 3, "transactions": [{"id": 4, "status": "success", "kind": "refund", "amount": "5.00"}]}]}`))
	o := ev.Order
	if o.ID != "820982911946154508" || o.CustomerID != "115310627314723954" || o.Lines[0].ID != "487817672276298554" || o.Lines[0].VariantID != "9" {
		t.Errorf("ids: %q %q %q", o.ID, o.CustomerID, o.Lines[0].ID)
	}
	if o.Total.String() != "15.00 USD" || o.PresentmentTotal.String() != "18.00 EUR" || !o.Tax.Amount.IsZero() || o.Lines[0].Price.String() != "10.00 USD" || o.Refunds[0].Amount.String() != "5.00 USD" {
		t.Errorf("money: %v %v %v", o.Total, o.PresentmentTotal, o.Tax)
	}
	if o.Lines[0].Quantity != 1 {
		t.Errorf("quantity = %d, want what is left of it", o.Lines[0].Quantity)
	}
	if ev.TimeText != "2026-11-02T05:00:00-05:00" || !ev.Time.Equal(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("time = %v %q", ev.Time, ev.TimeText)
	}
	want := map[string]string{"total_price": "20.00", "tags": "a, b", "customer.state": "enabled", "line_items.0.quantity": "2", "presentment_currency": "EUR", "currency": "USD"}
	if d := cmp.Diff(want, ev.Extensions); d != "" {
		t.Errorf("extensions (-want +got):\n%s", d)
	}
}

// The same checkout makes several webhooks with one event id: none may be taken for another.
func TestShopifyEventIDIsNotIdentity(t *testing.T) {
	t.Parallel()
	a, b := shopifyDelivery("orders/create", `{"id":1}`), shopifyDelivery("orders/paid", `{"id":1,"financial_status":"paid"}`)
	b.header.Set("X-Shopify-Webhook-Id", "w-2")
	one, two := readOne(t, a), readOne(t, b)
	if one.ID == two.ID || one.BusinessID == two.BusinessID || one.CorrelationID != two.CorrelationID {
		t.Errorf("ids %s %s, business %s %s, correlation %s %s", one.ID, two.ID, one.BusinessID, two.BusinessID, one.CorrelationID, two.CorrelationID)
	}
}

func TestShopifyRedactionForgets(t *testing.T) {
	t.Parallel()
	ev := readOne(t, shopifyDelivery("customers/redact", `{"shop_id":954889,"customer":{"id":191167,"email":"john@example.com","phone":"555"},"orders_to_redact":[299938,280263]}`))
	if d := cmp.Diff([]string{"299938", "280263"}, ev.Customer.OrderIDs); d != "" {
		t.Errorf("orders:\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"shop_id": "954889"}, ev.Extensions); d != "" {
		t.Errorf("personal data is carried on:\n%s", d)
	}
}

// A parcel holds what was put into it, and a void gives no money back.
func TestShopifyRefundsAfterTheFact(t *testing.T) {
	t.Parallel()
	ev := readOne(t, shopifyDelivery("orders/updated", `{"id":1,"currency":"EUR","updated_at":"2026-11-02T10:00:00Z","line_items":[{"id":3,"quantity":2,"current_quantity":0}],
		"fulfillments":[{"id":2,"status":"success","line_items":[{"id":3,"quantity":2,"current_quantity":0}]}],
		"refunds":[{"id":5,"transactions":[{"id":6,"kind":"refund","status":"success","amount":"1.00"},{"id":7,"kind":"void","status":"success","amount":"9.00"}]}]}`))
	if o := ev.Order; o.Lines[0].Quantity != 0 || o.Fulfillments[0].Lines[0].Quantity != 2 || o.Refunds[0].Amount.String() != "1.00 EUR" || len(o.Refunds[0].Payments) != 2 {
		t.Errorf("%+v", o)
	}
}

func TestShopifyUnknownLevelIsNotZero(t *testing.T) {
	t.Parallel()
	ev := readOne(t, shopifyDelivery("inventory_levels/update", `{"inventory_item_id":1,"location_id":2,"available":null}`))
	if ev.Inventory.Available != nil {
		t.Errorf("available = %d, want unknown", *ev.Inventory.Available)
	}
}
