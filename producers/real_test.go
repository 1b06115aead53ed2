package producers

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// realTopics says of which topic the saved API answers are; the others carry it in their names.
var realTopics = map[string]string{
	"order": "orders__updated", "order_partially_refunded": "orders__updated", "order_sample": "orders__updated", "order_updated_old": "orders__updated", "order_updated_new": "orders__updated",
	"customer": "customers__update", "customer_old": "customers__update", "customer_new": "customers__update",
	"fulfillment": "fulfillments__update", "fulfillment_cancel_response": "fulfillments__update", "fulfillment_create_response": "fulfillments__update", "legacy_fulfillment": "fulfillments__update",
	"refund_create_response": "refunds__create", "legacy_refund": "refunds__create", "fulfillment_order": "fulfillment_orders__moved",
	"inventory_levels": "inventory_levels__update", "inventory_level_set_response": "inventory_levels__update",
	"order_risks": "orders__risk_assessment_changed", "transactions": "order_transactions__create", "order_transactions": "order_transactions__create",
	"order-without-data": "order__updated", "order-fully-refunded": "order__updated", "refund-single": "order__refunded", "shipment_tracking_multiple": "action__tracking",
}

// realFolders says which source a folder of the inputs speaks as.
var realFolders = []struct {
	folder   string
	platform topology.Platform
}{
	{"shopify", topology.Shopify}, {"woocommerce", topology.WooCommerce}, {"stripe", topology.Stripe}, {"adyen", topology.Adyen},
	{"bigcommerce", topology.StandardWebhooks}, {"crm", topology.StandardWebhooks}, {"warehouse", topology.StandardWebhooks},
}

// TestRealInputs sends every real payload, signed, through the edge into Kafka and back: each comes to events that hold
// every value of its body, or is in the quarantine, whole and with a reason.
func TestRealInputs(t *testing.T) {
	t.Parallel()
	root := inputs(t)
	var sources []topology.Source
	for _, p := range []topology.Platform{topology.Shopify, topology.WooCommerce, topology.Stripe, topology.Adyen, topology.StandardWebhooks} {
		sources = append(sources, webhookSource(p))
	}
	r := newRig(t, sources...)
	var all []realInput
	for _, in := range realInputs(t, root) {
		all = append(all, in.send(r))
	}
	events, kept := map[schemas.EventID]*schemas.Event{}, map[schemas.EventID]*schemas.Quarantined{}
	for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory} {
		for _, ev := range r.events(topic) {
			events[ev.ID] = ev
		}
	}
	for _, q := range r.quarantined() {
		kept[q.ID] = q
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	normalized := 0
	for _, in := range all {
		if q := kept[in.rep.Quarantined]; in.rep.Quarantined != "" {
			if q == nil || !bytes.Equal(q.Body, in.body) || q.Reason == "" {
				t.Errorf("%s: quarantined, but not kept whole with a reason", in.file)
				continue
			}
			fmt.Fprintf(w, "%s\tquarantined\t%s\n", in.file, q.Reason)
			continue
		}
		normalized++
		for _, ev := range in.compare(t, events) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", in.file, ev.Type, ev.BusinessID)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deliveries, %d normalized:\n%s", len(all), normalized, table.String())
	if normalized < 42 {
		t.Errorf("only %d of %d deliveries are normalized", normalized, len(all))
	}
}

// realInput is one saved payload.
type realInput struct {
	file     string
	platform topology.Platform
	topic    string
	body     []byte
	rep      reply
}

func realInputs(t *testing.T, root string) []realInput {
	t.Helper()
	var all []realInput
	for _, f := range realFolders {
		files, err := savedBodies(filepath.Join(root, f.folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			if name == "delivery_headers" {
				continue // headers only
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := realInput{file: strings.TrimPrefix(file, root+"/"), platform: f.platform, topic: name, body: body}
			if known := realTopics[name]; known != "" {
				in.topic = known
			}
			if f.platform == topology.WooCommerce && (name == "order" || name == "customer") {
				in.topic = name + "__updated"
			}
			all = append(all, in)
			if name == "event_charge_refunded" { // also as a shop sends it that names its orders
				in.body = bytes.Replace(body, []byte(`"metadata": {`), []byte(`"metadata": {"order_id": "0042",`), 1)
				all = append(all, in)
			}
		}
	}
	return all
}

// send posts the payload and keeps the answer.
func (in realInput) send(r *rig) realInput {
	r.t.Helper()
	rec := r.post(string(in.platform), in.topic, string(in.body))
	if rec.Code != 200 {
		r.t.Errorf("%s: answered %d %s", in.file, rec.Code, rec.Body)
	}
	if in.platform != topology.Adyen {
		if err := json.Unmarshal(rec.Body.Bytes(), &in.rep); err != nil {
			r.t.Errorf("%s: %v", in.file, err)
		}
		return in
	}
	d := given(in.platform, string(in.body)) // its answer is [accepted], and the signature in its body is new
	adyenSign(d, "")
	in.body, in.rep = d.body, replyOf(d, readAll(r.t, d))
	return in
}

// compare looks for every value of the body in the events that came of it.
func (in realInput) compare(t *testing.T, events map[schemas.EventID]*schemas.Event) []*schemas.Event {
	t.Helper()
	said, found := &saying{}, []*schemas.Event{}
	for _, id := range in.rep.EventIDs {
		if events[id] == nil {
			t.Fatalf("%s: event %s is not in Kafka", in.file, id)
		}
		said.hear(events[id])
		found = append(found, events[id])
	}
	checked := 0
	for _, l := range leavesOf(t, in.body) {
		if strings.HasSuffix(in.file, "customers__redact.json") && (l.path == "customer.email" || l.path == "customer.phone") {
			continue // what is to be forgotten is not carried on
		}
		checked++
		if !said.has(l) {
			t.Errorf("%s: %s = %q is lost", in.file, l.path, l.text)
		}
	}
	if checked == 0 || len(found) == 0 {
		t.Errorf("%s: %d values compared with %d events", in.file, checked, len(found))
	}
	return found
}

// leaf is a value of a body by its path.
type leaf struct{ path, text string }

// leavesOf reads a body with another JSON reader than ours. Nulls, empty texts and bearer secrets are left out.
func leavesOf(t *testing.T, body []byte) []leaf {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var out []leaf
	var walk func(path []string, v any)
	walk = func(path []string, v any) {
		if len(path) > 0 && bearerNames[path[len(path)-1]] {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(append(path[:len(path):len(path)], k), x)
			}
		case []any:
			for i, x := range v {
				walk(append(path[:len(path):len(path)], strconv.Itoa(i)), x)
			}
		case nil:
		default:
			if text := fmt.Sprint(v); text != "" && !strings.Contains(text, bearerMark) {
				out = append(out, leaf{strings.Join(path, "."), text})
			}
		}
	}
	walk(nil, v)
	return out
}

// saying is every value that a delivery's events hold.
type saying struct {
	ext     map[string]string
	texts   map[string]bool
	amounts []decimal.Decimal
	times   []time.Time
}

func (s *saying) hear(ev *schemas.Event) {
	if s.texts == nil {
		s.texts, s.ext = map[string]bool{}, map[string]string{}
	}
	for k, v := range ev.Extensions {
		s.ext[k] = v
		s.ext["notificationItems.0.NotificationRequestItem."+k] = v // an Adyen item's paths start at the item
	}
	s.collect(reflect.ValueOf(*ev))
}

func (s *saying) collect(v reflect.Value) {
	switch x := v.Interface().(type) {
	case schemas.Money:
		s.texts[x.Currency] = true
		s.texts[strings.ToLower(x.Currency)] = true
		s.amounts = append(s.amounts, x.Amount)
		return
	case time.Time:
		s.times = append(s.times, x)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.collect(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			s.collect(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.collect(v.Index(i))
		}
	case reflect.String:
		s.texts[v.String()] = true
	case reflect.Int64:
		s.texts[strconv.FormatInt(v.Int(), 10)] = true
	}
}

// has tells whether a value of the body is still there: under its path in the extensions, or as a text, count, amount
// (in major or minor units, refunds without their sign) or instant of the model.
func (s *saying) has(l leaf) bool {
	if s.ext[l.path] == l.text || s.texts[l.text] {
		return true
	}
	if d, err := decimal.NewFromString(l.text); err == nil {
		for _, a := range s.amounts {
			if a.Equal(d) || a.Equal(d.Abs()) || a.Shift(2).Equal(d) {
				return true
			}
		}
	}
	for _, layout := range []string{time.RFC3339, wooTime, "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, strings.TrimSpace(l.text)); err == nil && s.at(at) {
			return true
		}
	}
	if sec, err := strconv.ParseInt(l.text, 10, 64); err == nil && s.at(time.Unix(sec, 0)) {
		return true
	}
	return false
}

// anywhere tells whether the text is in the extensions under whatever path.
func (s *saying) anywhere(text string) bool {
	for _, v := range s.ext {
		if v == text {
			return true
		}
	}
	return false
}

func (s *saying) at(t time.Time) bool {
	for _, x := range s.times {
		if x.Equal(t) {
			return true
		}
	}
	return false
}

// realFormats say how the batch files of the inputs are read.
func realFormats() []topology.FileFormat {
	const layout = "2006-01-02 15:04:05"
	return []topology.FileFormat{
		retail("online_retail_*.csv"),
		{Match: "shopify_order_data.csv", Type: schemas.OrderUpdated, Time: layout, Columns: map[string]string{
			"subject": "id", "time": "updated_at", "source_version": "updated_at", "currency": "currency", "order.number": "name", "order.email": "email", "order.note": "note",
			"order.total": "total_price", "order.subtotal": "subtotal_price", "order.tax": "total_tax", "order.discount": "total_discounts", "order.created_at": "created_at",
			"order.payment_status": "financial_status", "order.fulfillment_status": "fulfillment_status", "order.customer_id": "customer_id", "order.closed_at": "closed_at",
			"order.shipping_address.city": "shipping_address_city", "order.shipping_address.zip": "shipping_address_zip"}},
		{Match: "shopify_order_line_data.csv", Type: schemas.OrderEdited, Currency: "GBP", Columns: map[string]string{
			"subject": "order_id", "order.lines.0.id": "id", "order.lines.0.sku": "sku", "order.lines.0.quantity": "quantity", "order.lines.0.price": "price", "order.lines.0.variant_id": "variant_id"}},
		{Match: "shopify_refund_data.csv", Type: schemas.RefundSucceeded, Time: layout, Columns: map[string]string{
			"subject": "order_id", "time": "processed_at", "refund.id": "id", "refund.note": "note", "refund.created_at": "created_at"}},
		{Match: "shopify_order_line_refund_data.csv", Type: schemas.RefundSucceeded, Currency: "USD", Columns: map[string]string{
			"subject": "refund_id", "refund.id": "refund_id", "refund.amount": "subtotal", "refund.lines.0.id": "order_line_id", "refund.lines.0.quantity": "quantity"}},
		{Match: "shopify_fulfillment_data.csv", Type: schemas.FulfillmentShipped, Time: layout, Columns: map[string]string{
			"subject": "order_id", "time": "updated_at", "source_version": "updated_at", "fulfillment.id": "id", "fulfillment.status": "status", "fulfillment.location_id": "location_id", "fulfillment.created_at": "created_at"}},
		{Match: "shopify_inventory_level_data.csv", Type: schemas.InventoryLevelSet, Time: layout, Columns: map[string]string{
			"inventory.location_id": "location_id", "inventory.item_id": "inventory_item_id", "time": "updated_at", "source_version": "updated_at", "inventory.updated_at": "updated_at"}},
		{Match: "shopify_customer_data.csv", Type: schemas.CustomerRegistered, Time: layout, Currency: "GBP", Columns: map[string]string{
			"customer.id": "id", "customer.email": "email", "customer.first_name": "first_name", "customer.last_name": "last_name", "customer.status": "state", "customer.order_count": "orders_count",
			"customer.total_spent": "total_spent", "time": "created_at", "customer.created_at": "created_at", "customer.updated_at": "updated_at", "source_version": "updated_at"}},
		{Match: "shopify_transaction_data.csv", Type: schemas.PaymentCaptured, Time: layout, Columns: map[string]string{
			"subject": "order_id", "time": "processed_at", "currency": "currency", "payment.id": "id", "payment.kind": "kind", "payment.status": "status", "payment.amount": "amount", "payment.reference": "authorization", "payment.gateway": "gateway"}},
	}
}

// TestRealFiles does for the batch files what TestRealInputs does for webhooks, row by row.
func TestRealFiles(t *testing.T) {
	t.Parallel()
	root := inputs(t, "erp_batch")
	s := folder(t, realFormats()...)
	r := newRig(t, s)
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(root, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		drop(t, s.Dir, e.Name(), string(content))
	}
	r.look()
	byDelivery := map[string]*schemas.Event{}
	for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory} {
		for _, ev := range r.events(topic) {
			byDelivery[ev.DeliveryID] = ev
		}
	}
	kept := map[string]*schemas.Quarantined{}
	for _, q := range r.quarantined() {
		kept[q.DeliveryID] = q
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(root, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		hash := (&delivery{body: content}).rawRef()
		in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))))
		in.FieldsPerRecord, in.LazyQuotes = -1, true
		rows, err := in.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		normalized, quarantined := 0, 0
		for i, cells := range rows[1:] {
			id := fmt.Sprintf("%s#%d", hash, i+1)
			if q := kept[id]; q != nil {
				quarantined++
				t.Logf("quarantined: %s", q.Reason)
				continue
			}
			ev := byDelivery[id]
			if ev == nil {
				t.Errorf("%s row %d: neither event nor quarantine", e.Name(), i+1)
				continue
			}
			normalized++
			said := &saying{}
			said.hear(ev)
			for c, cell := range cells {
				if name := rows[0][c]; cell != "" && !bearerNames[name] && !said.has(leaf{name, cell}) && !said.at(london(cell)) {
					t.Errorf("%s row %d: %s = %q is lost", e.Name(), i+1, name, cell)
				}
			}
		}
		t.Logf("%s: %d rows, %d normalized, %d quarantined", e.Name(), len(rows)-1, normalized, quarantined)
		if normalized == 0 {
			t.Errorf("%s: no row is normalized", e.Name())
		}
	}
}

// london reads a retail file's time in the zone its format names; zero when it is none.
func london(cell string) time.Time {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		return time.Time{}
	}
	at, _ := time.ParseInLocation("2006-01-02 15:04:05", cell, zone)
	return at
}
