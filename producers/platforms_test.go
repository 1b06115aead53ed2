package producers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func factsOf(r *reading) []fact {
	var out []fact
	for _, ev := range r.events {
		out = append(out, factOf(ev))
	}
	return out
}

const wooOrderBody = `{"id":609,"number":"WC-1","status":%STATUS%,"currency":"USD","date_created_gmt":"2026-11-01T20:56:57","date_modified_gmt":"2026-11-02T10:00:00",
	"total":"223.71","discount_total":"-0.00","customer_id":0,"order_key":"wc_order_x","date_paid_gmt":%PAID%,"transaction_id":"ch_1","billing":{"first_name":"A","last_name":"B","email":"a@b.c"},
	"line_items":[{"id":667,"quantity":3,"price":3.3333333333,"total":"10.00","total_tax":"0.00","variation_id":0}],
	"refunds":[{"id":622,"reason":"","total":"-20.00"},{"id":623,"reason":"x","total":"-3.71"}]}`

func wooDelivery(topic, status, paid string) *delivery {
	body := strings.NewReplacer("%STATUS%", status, "%PAID%", paid).Replace(wooOrderBody)
	return given(topology.WooCommerce, body, "X-WC-Webhook-Topic: "+topic, "X-WC-Webhook-Source: https://shop.example/", "X-WC-Webhook-Delivery-ID: one-for-each-second")
}

func TestWooCommerceFactsInState(t *testing.T) {
	t.Parallel()
	const v = "2026-11-02T10:00:00"
	r := readAll(t, wooDelivery("order.updated", `"cancelled"`, `"2026-11-01T20:57:00"`))
	want := []fact{
		{"order.updated", "609", "order.updated/609/" + v + "Z", v},
		{"order.cancelled", "609", "order.cancelled/609", v},
		{"payment.captured", "609", "payment.captured/609/paid", v},
		{"refund.succeeded", "609", "refund.succeeded/609/622", ""},
		{"refund.succeeded", "609", "refund.succeeded/609/623", ""},
	}
	if d := cmp.Diff(want, factsOf(r)); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	ids := map[schemas.EventID]bool{}
	for _, ev := range r.events {
		ids[ev.ID] = true
	}
	if len(ids) != len(want) {
		t.Errorf("%d ids for %d events", len(ids), len(want))
	}
	if got := r.events[3].Refund.Amount.String(); got != "20.00 USD" {
		t.Errorf("refund = %s, want it positive", got)
	}
	o := r.events[0].Order
	if o.CustomerID != "" || o.Lines[0].Price != nil || o.Lines[0].VariantID != "" {
		t.Errorf("guest, price or variant: %+v", o)
	}
	ext := r.events[0].Extensions
	if ext["line_items.0.price"] != "3.3333333333" || ext["order_key"] != "" || ext["customer_id"] != "0" {
		t.Errorf("extensions: %v", ext)
	}
}

func TestWooCommerceOldFactsStayState(t *testing.T) {
	t.Parallel()
	d := wooDelivery("order.updated", `"completed"`, `"2026-09-01T20:57:00"`)
	d.body = []byte(strings.Replace(string(d.body), `"refunds":[{"id":622,"reason":"","total":"-20.00"},{"id":623,"reason":"x","total":"-3.71"}]`, `"refunds":[]`, 1))
	if d := cmp.Diff([]fact{{"order.updated", "609", "order.updated/609/2026-11-02T10:00:00Z", "2026-11-02T10:00:00"}}, factsOf(readAll(t, d))); d != "" {
		t.Errorf("a payment of two months ago is told again (-want +got):\n%s", d)
	}
}

// Two orders of one second share WooCommerce's delivery id; one order sent twice does not differ.
func TestWooCommerceIdentity(t *testing.T) {
	t.Parallel()
	a, again := wooDelivery("order.created", `"pending"`, "null"), wooDelivery("order.created", `"pending"`, "null")
	other := wooDelivery("order.created", `"pending"`, "null")
	other.body = []byte(strings.Replace(string(other.body), `"id":609`, `"id":610`, 1))
	if x, y := readAll(t, a).events[0], readAll(t, again).events[0]; x.ID != y.ID {
		t.Error("the same delivery has two ids")
	}
	if x, y := readAll(t, a).events[0], readAll(t, other).events[0]; x.ID == y.ID || x.BusinessID == y.BusinessID {
		t.Error("two orders of one second are taken for one")
	}
	if o := readAll(t, a).origin; o.source != "/woocommerce/shop.example" || !strings.HasPrefix(o.id, "order.created/609/2026-11-02T10:00:00/sha256:") {
		t.Errorf("origin = %+v", o)
	}
}

func TestWooCommerceOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ topic, body, want string }{
		{"order.deleted", `{"id":609}`, "order.updated/609/deleted"},
		{"customer.created", `{"id":25,"date_created_gmt":"2026-03-21T19:09:28","email":"a@b.c"}`, "customer.registered/25"},
		{"customer.updated", `{"id":25,"date_modified_gmt":"2026-03-21T19:09:28"}`, "customer.updated/25/2026-03-21T19:09:28Z"},
		{"customer.deleted", `{"id":25}`, "customer.updated/25/deleted"},
		{"product.updated", `{"id":25}`, `X-WC-Webhook-Topic: topic "product.updated" is not one that Seam reads: delete the hook, or ask for the topic`},
		{"order.updated", `{"id":25}`, "status: is missing: this is not an order's state"},
	} {
		r := readAll(t, given(topology.WooCommerce, tt.body, "X-WC-Webhook-Topic: "+tt.topic))
		got := strings.Join(faultsOf(r), "; ")
		if len(r.events) == 1 {
			got = r.events[0].BusinessID
		}
		if got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.topic, tt.body, got, tt.want)
		}
	}
}

func stripeEvent(id, typ, object, before string) *delivery {
	return given(topology.Stripe, `{"id":"`+id+`","object":"event","type":"`+typ+`","created":1793620800,"data":{"object":`+object+`,"previous_attributes":`+before+`},"request":{"id":"req_1"}}`)
}

func TestStripeEvents(t *testing.T) {
	t.Parallel()
	const meta = `"metadata":{"order_id":"0042"}`
	for _, tt := range []struct {
		name, typ, object string
		want              fact
		amount            string
	}{
		{"captured", "charge.succeeded", `{"id":"ch_1","captured":true,"amount":1250,"amount_captured":1250,"currency":"eur","payment_intent":"pi_1",` + meta + `}`,
			fact{"payment.captured", "0042", "payment.captured/0042/pi_1/12.50 EUR", ""}, "12.50 EUR"},
		{"the intent tells the same fact", "payment_intent.succeeded", `{"id":"pi_1","amount_received":1250,"currency":"eur",` + meta + `}`,
			fact{"payment.captured", "0042", "payment.captured/0042/pi_1/12.50 EUR", ""}, "12.50 EUR"},
		{"authorized", "charge.succeeded", `{"id":"ch_1","captured":false,"amount":1250,"currency":"jpy",` + meta + `}`,
			fact{"payment.authorized", "0042", "payment.authorized/0042/ch_1/1250 JPY", ""}, "1250 JPY"},
		{"three decimals", "charge.captured", `{"id":"ch_1","captured":true,"amount":1250,"currency":"kwd",` + meta + `}`,
			fact{"payment.captured", "0042", "payment.captured/0042/ch_1/1.250 KWD", ""}, "1.250 KWD"},
		{"Stripe's own exponent", "charge.captured", `{"id":"ch_1","captured":true,"amount":500,"currency":"isk",` + meta + `}`,
			fact{"payment.captured", "0042", "payment.captured/0042/ch_1/5 ISK", ""}, "5 ISK"},
		{"failed", "charge.failed", `{"id":"ch_2","amount":1,"currency":"eur","payment_intent":"pi_1",` + meta + `}`,
			fact{"payment.failed", "0042", "payment.failed/0042/pi_1/ch_2", ""}, "0.01 EUR"},
		{"expired", "charge.expired", `{"id":"ch_2","amount":1,"currency":"eur",` + meta + `}`, fact{"payment.voided", "0042", "payment.voided/0042/ch_2", ""}, "0.01 EUR"},
		{"checkout", "checkout.session.completed", `{"id":"cs_1","payment_intent":"pi_1","payment_status":"paid","amount_total":1250,"currency":"eur","client_reference_id":"0042"}`,
			fact{"payment.captured", "0042", "payment.captured/0042/pi_1/12.50 EUR", ""}, "12.50 EUR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := readOne(t, stripeEvent("evt_1", tt.typ, tt.object, "{}"))
			if d := cmp.Diff(tt.want, factOf(ev)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if ev.DeliveryID != "evt_1" || ev.CorrelationID != "req_1" {
				t.Errorf("delivery %s, correlation %s", ev.DeliveryID, ev.CorrelationID)
			}
			if got := ev.Payment.Amount.String(); got != tt.amount {
				t.Errorf("amount = %s, want %s", got, tt.amount)
			}
			if !ev.Time.Equal(time.Unix(1793620800, 0)) {
				t.Errorf("time = %v", ev.Time)
			}
		})
	}
}

// Two partial refunds give two events of the same charge and type: they are two facts.
func TestStripePartialRefundsDoNotCollapse(t *testing.T) {
	t.Parallel()
	re := func(id string, amount string) string {
		return `{"id":"` + id + `","amount":` + amount + `,"currency":"eur","status":"succeeded","charge":"ch_1"}`
	}
	charge := func(refunds, total string) string {
		return `{"id":"ch_1","currency":"eur","metadata":{"order_id":"7"},"amount_refunded":` + total + `,"refunds":{"data":[` + refunds + `]}}`
	}
	first := readOne(t, stripeEvent("evt_1", "charge.refunded", charge(re("re_1", "100"), "100"), `{"refunds":{"data":[]}}`))
	second := readOne(t, stripeEvent("evt_2", "charge.refunded", charge(re("re_2", "250")+","+re("re_1", "100"), "350"), `{"refunds":{"data":[`+re("re_1", "100")+`]}}`))
	if first.BusinessID != "refund.succeeded/7/re_1" || second.BusinessID != "refund.succeeded/7/re_2" || second.Refund.Amount.String() != "2.50 EUR" {
		t.Errorf("refunds: %s, %s of %s", first.BusinessID, second.BusinessID, second.Refund.Amount)
	}
	same := readOne(t, stripeEvent("evt_3", "refund.created", `{"id":"re_2","amount":250,"currency":"eur","status":"succeeded","charge":"ch_1","metadata":{"order_id":"7"}}`, "{}"))
	if same.BusinessID != second.BusinessID {
		t.Errorf("refund.created is %s, charge.refunded %s", same.BusinessID, second.BusinessID)
	}
	// Without the list it names no refund: that refund.created tells, and the money would be told twice.
	c := `{"id":"ch_1","currency":"eur","metadata":{"order_id":"7"},"status":"succeeded","amount":900,"amount_captured":800,"amount_refunded":350}`
	state := readOne(t, stripeEvent("evt_4", "charge.refunded", c, `{"amount_refunded":100}`))
	if state.Refund != nil || state.BusinessID != "order.updated/7/ch_1/refunded 350" || state.Order.Payments[0].Amount.String() != "8.00 EUR" || state.Extensions["data.object.amount_refunded"] != "350" {
		t.Errorf("%s: %+v, %v", state.BusinessID, state.Order, state.Extensions)
	}
	both := readAll(t, stripeEvent("evt_5", "charge.refunded", charge(re("re_2", "250")+","+re("re_1", "100"), "350"), `{"refunds":{"data":[]}}`))
	if len(both.events) != 2 || both.events[0].ID == both.events[1].ID {
		t.Errorf("two refunds in one event gave %v", factsOf(both))
	}
}

func TestStripeQuarantines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    *delivery
		want string
	}{
		{given(topology.Stripe, `{"id":"re_1","object":"refund"}`), "object: the body is not a Stripe event: it is a refund; point the endpoint at events, not at API objects"},
		{stripeEvent("evt_1", "charge.succeeded", `{"id":"ch_1","amount":1,"currency":"eur","metadata":{}}`, "{}"), "data.object.metadata.order_id: is missing: " + stripeNoOrder},
		{stripeEvent("evt_1", "plan.created", `{"id":"p"}`, "{}"), `type: event type "plan.created" is not one that Seam reads: take it off the endpoint, or ask for it`},
		{stripeEvent("evt_1", "charge.succeeded", `{"id":"ch_1","amount":1.5,"currency":"eur","metadata":{"order_id":"1"}}`, "{}"), `data.object.amount: a whole number of minor units was expected, found "1.5"`},
	} {
		r := readAll(t, tt.d)
		if d := cmp.Diff([]string{tt.want}, faultsOf(r)); d != "" || len(r.events) != 0 {
			t.Errorf("%d events (-want +got):\n%s", len(r.events), d)
		}
	}
}

func adyenBody(items ...string) string {
	for i := range items {
		items[i] = `{"NotificationRequestItem":` + items[i] + `}`
	}
	return `{"live":"true","notificationItems":[` + strings.Join(items, ",") + `]}`
}

func TestAdyenItems(t *testing.T) {
	t.Parallel()
	item := func(code, success, more string) string {
		return `{"eventCode":"` + code + `","success":"` + success + `","pspReference":"79","merchantReference":"000123","eventDate":"2026-11-02T12:00:00+01:00","amount":{"value":1130,"currency":"EUR"}` + more + `}`
	}
	for _, tt := range []struct{ code, success, more, want string }{
		{"AUTHORISATION", "true", "", "payment.authorized/000123/79/authorisation"},
		{"AUTHORISATION", "false", "", "payment.failed/000123/79/authorisation"},
		{"CAPTURE", "true", `,"originalReference":"78"`, "payment.captured/000123/79/capture"},
		{"CAPTURE", "false", "", "payment.failed/000123/79/capture"},
		{"CANCELLATION", "true", "", "payment.voided/000123/79/cancellation"},
		{"CANCELLATION", "false", "", "order.updated/000123/79/cancellation"},
		{"CANCEL_OR_REFUND", "true", `,"additionalData":{"modification.action":"refund"}`, "refund.succeeded/000123/79/cancel_or_refund"},
		{"CANCEL_OR_REFUND", "true", `,"additionalData":{"modification.action":"cancel"}`, "payment.voided/000123/79/cancel_or_refund"},
		{"REFUND", "true", "", "refund.succeeded/000123/79/refund"},
		{"REFUND", "false", "", "refund.failed/000123/79/refund"},
		{"REFUND_FAILED", "true", "", "refund.failed/000123/79/refund_failed"},
		{"CHARGEBACK", "true", "", "dispute.opened/000123/79/chargeback"},
		{"NOTIFICATION_OF_FRAUD", "true", "", "fraud.assessed/000123/79/notification_of_fraud"},
	} {
		ev := readOne(t, given(topology.Adyen, adyenBody(item(tt.code, tt.success, tt.more))))
		if ev.BusinessID != tt.want || ev.Subject != "000123" || ev.DeliveryID != tt.code+"/79/"+tt.success || ev.TimeText != "2026-11-02T12:00:00+01:00" {
			t.Errorf("%s %s: %s of delivery %s", tt.code, tt.success, ev.BusinessID, ev.DeliveryID)
		}
	}
}

// One item that cannot be read does not take the others with it.
func TestAdyenBatch(t *testing.T) {
	t.Parallel()
	r := readAll(t, given(topology.Adyen, adyenBody(
		`{"eventCode":"CAPTURE","success":"true","pspReference":"1","merchantReference":"A","amount":{"value":279000,"currency":"ISK"}}`,
		`{"eventCode":"REPORT_AVAILABLE","success":"true","pspReference":"2","merchantReference":"A"}`,
		`{"eventCode":"REFUND","success":"true","pspReference":"3","merchantReference":"","amount":{"value":1,"currency":"EUR"}}`,
		`{"eventCode":"AUTHORISATION","success":"true","pspReference":"4","merchantReference":"B","amount":{"value":500,"currency":"JPY"}}`)))
	var got []string
	for _, ev := range r.events {
		got = append(got, ev.DeliveryID+" "+ev.Payment.Amount.String())
	}
	if d := cmp.Diff([]string{"CAPTURE/1/true 2790 ISK", "AUTHORISATION/4/true 500 JPY"}, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	want := []string{
		`notificationItems.1.NotificationRequestItem.eventCode: event code "REPORT_AVAILABLE" is not one that Seam reads: switch it off in the webhook's settings, or ask for it`,
		"notificationItems.2.NotificationRequestItem.merchantReference: is empty: send the shop's order id as the reference of the payment and of its modifications",
	}
	if d := cmp.Diff(want, faultsOf(r)); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
	if a, b := (&delivery{source: &topology.Source{}}).quarantined(r.origin, r.rejects[0]), (&delivery{source: &topology.Source{}}).quarantined(r.origin, r.rejects[1]); a.ID == b.ID {
		t.Error("two rejects of one delivery share an id")
	}
}

func webhookDelivery(body string) *delivery {
	return given(topology.StandardWebhooks, body, "Webhook-Id: msg_1")
}

func TestStandardWebhooksFillTheModel(t *testing.T) {
	t.Parallel()
	ev := readOne(t, webhookDelivery(`{"type":"fulfillment.shipped","timestamp":"2026-11-02T08:15:00.123456+01:00","data":{"order_id":820982911946154508,"version":7,
		"correlation_id":"c","fulfillment":{"id":"f-1","tracking_number":"1Z","tracking_url":"https://t","updated_at":"2026-11-02T07:00:00Z","lines":[{"id":"5","sku":"S","quantity":2,"price":{"amount":"9.90","currency":"EUR"}}],"pallet":{"no":3}},
		"note":"by hand"}}`))
	at := time.Date(2026, 11, 2, 7, 0, 0, 0, time.UTC)
	ten, _ := schemas.NewMoney("9.90", "EUR")
	want := &schemas.Event{
		ID: schemas.NewEventID("/webhooks/standardwebhooks", "msg_1", ""), Type: "fulfillment.shipped", Source: "/webhooks/standardwebhooks", System: "warehouse",
		Subject: "820982911946154508", Time: time.Date(2026, 11, 2, 7, 15, 0, 123456000, time.UTC), TimeText: "2026-11-02T08:15:00.123456+01:00", IngestedAt: noon,
		SourceVersion: "7", DeliveryID: "msg_1", BusinessID: "fulfillment.shipped/820982911946154508/f-1/7", CorrelationID: "c",
		Fulfillment: &schemas.Fulfillment{ID: "f-1", TrackingNumber: "1Z", TrackingURL: "https://t", UpdatedAt: &at,
			Lines: []schemas.Line{{ID: "5", SKU: "S", Quantity: 2, Price: ten}}},
		Extensions: map[string]string{"data.fulfillment.pallet.no": "3", "data.note": "by hand"},
	}
	ev.RawRef = ""
	if d := cmp.Diff(want, ev, cmp.Comparer(func(a, b *schemas.Money) bool {
		return a == b || a != nil && b != nil && a.Amount.Equal(b.Amount) && a.Currency == b.Currency
	})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestStandardWebhooksSubjects(t *testing.T) {
	t.Parallel()
	const head = `"timestamp":"2026-11-02T08:15:00Z","data":`
	for _, tt := range []struct{ body, want string }{
		{`{"type":"order.created",` + head + `{"order_id":"1","order":{"total":{"amount":"1.00","currency":"EUR"}}}}`, "1 order.created/1"},
		{`{"type":"order.updated",` + head + `{"order_id":"1","version":"3"}}`, "1 order.updated/1/3"},
		{`{"type":"fraud.assessed",` + head + `{"order_id":"1","fraud":{"level":"high"}}}`, "1 fraud.assessed/1/msg_1"},
		{`{"type":"customer.updated",` + head + `{"customer_id":"9","version":"3","customer":{"email":"a@b.c"}}}`, "9 customer.updated/9/3"},
		{`{"type":"inventory.level_set",` + head + `{"location_id":"L","item_id":"I","version":"3","inventory":{"available":-2}}}`, "L/I inventory.level_set/L/I/3"},
		{`{"type":"refund.succeeded",` + head + `{"order_id":"1","refund":{"id":"r-1","amount":{"amount":"1.00","currency":"EUR"}}}}`, "1 refund.succeeded/1/r-1"},
	} {
		ev := readOne(t, webhookDelivery(tt.body))
		if got := ev.Subject + " " + ev.BusinessID; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.body, got, tt.want)
		}
	}
}

func TestStandardWebhooksQuarantine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want string }{
		{`{"scope":"store/order/updated","data":{"id":1}}`, "type: found none, but scope, data: send one of Seam's event types (order.updated, fulfillment.shipped, ...)"},
		{`{"type":"order.shipped"}`, `type: found "order.shipped": send one of Seam's event types (order.updated, fulfillment.shipped, ...)`},
		{`{"type":"order.corrected","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1"}}`, "type: order.corrected is a person's decision, made by seam disagreements accept: send order.updated with the state as your system has it"},
		{`{"type":"order.updated","data":[]}`, "data: is not an object: put the ids and the parts of the event there"},
		{`{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"id":1}}`, "data.order_id: is missing: an event of type order.updated must name it; found id"},
		{`{"type":"order.updated","data":{"order_id":"1"}}`, "timestamp: is missing: say when it happened, as RFC 3339"},
		{`{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1","order":[]}}`, "data.order: an object was expected"},
		{`{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1","order":{"total":{"amount":"1.00"}}}}`, `data.order.total.amount: an amount without its currency: add "currency"`},
		{`{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1","order":{"lines":[{"quantity":"two"}]}}}`, `data.order.lines.0.quantity: a whole number was expected, found "two"`},
		{`[{"eventId":1}]`, "type: found none, but no members: send one of Seam's event types (order.updated, fulfillment.shipped, ...)"},
	} {
		if d := cmp.Diff([]string{tt.want}, faultsOf(readAll(t, webhookDelivery(tt.body)))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, d)
		}
	}
}

// TestNoSourceCorrects: a part named correction is kept as a leaf that the model has no place for.
func TestNoSourceCorrects(t *testing.T) {
	t.Parallel()
	ev := readOne(t, webhookDelivery(`{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1","order":{"status":"open"},"correction":{"field":"order.status"}}}`))
	if ev.Correction != nil || ev.Extensions["data.correction.field"] != "order.status" {
		t.Errorf("%+v, %v", ev.Correction, ev.Extensions)
	}
}

// FuzzNormalize: no body makes a normalizer panic, and what it makes of a body fits the contract of an event.
func FuzzNormalize(f *testing.F) {
	for i, body := range []string{`{"id":1,"refunds":[{"transactions":[{"amount":"1"}]}]}`, `{"id":1,"status":"cancelled","refunds":[{"id":1,"total":"-1"}],"currency":"EUR"}`,
		`{"object":"event","type":"charge.refunded","data":{"object":{"metadata":{"order_id":"1"},"currency":"eur","refunds":{"data":[{"id":"r"}]}}}}`,
		adyenBody(`{"eventCode":"CAPTURE","merchantReference":"1"}`), `{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1","order":{"lines":[{}]}}}`} {
		f.Add(uint8(i), uint8(i), []byte(body))
	}
	topics := []string{"orders/create", "orders/paid", "refunds/create", "fulfillments/update", "order_transactions/create", "fulfillment_orders/x", "customers/redact", "returns/x", "orders/edited"}
	all := []topology.Platform{topology.Shopify, topology.WooCommerce, topology.Stripe, topology.Adyen, topology.StandardWebhooks}
	f.Fuzz(func(t *testing.T, which, topic uint8, body []byte) {
		p := all[int(which)%len(all)]
		d := given(p, string(body), "X-Shopify-Topic: "+topics[int(topic)%len(topics)], "X-WC-Webhook-Topic: order.updated", "Webhook-Id: m")
		platform := platforms[p]
		r := platform.read(d)
		if len(r.events)+len(r.rejects) == 0 {
			t.Fatal("neither event nor reject")
		}
		for _, ev := range r.events {
			if ev.Subject == "" || ev.Time.IsZero() || ev.ID == "" || ev.BusinessID == "" || ev.Type == "" {
				t.Fatalf("incomplete event: %+v", ev)
			}
		}
		if len(r.rejects) == 0 && d.header.Get("X-Shopify-Topic") != "customers/redact" {
			said := &saying{}
			for _, ev := range r.events {
				said.hear(ev)
			}
			for _, l := range leavesOf(t, body) {
				if !said.has(l) && !said.anywhere(l.text) {
					t.Fatalf("%s = %q is lost", l.path, l.text)
				}
			}
		}
		for _, rej := range r.rejects {
			if rej.fault.Error() == "" {
				t.Fatal("a reject without a reason")
			}
		}
	})
}
