package schemas

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// everyField is an event that speaks of every field that can be owned.
func everyField() *Event {
	available := int64(7)
	return &Event{
		Order: &Order{
			Status: "open", PaymentStatus: "paid", FulfillmentStatus: "partial", Email: "a@b.example", Note: "ring twice",
			Total: &Money{decimal.New(1250, -2), "EUR"}, Tax: &Money{decimal.New(200, -2), "EUR"},
			Subtotal: &Money{decimal.New(1000, -2), "EUR"}, Shipping: &Money{decimal.New(300, -2), "EUR"}, Discount: &Money{decimal.New(250, -2), "EUR"},
			PresentmentTotal: &Money{decimal.New(1, 3), "JPY"},
			Lines:            []Line{{ID: "2", Quantity: 1}, {ID: "1", Quantity: 3}},
			ShippingAddress:  &Address{Name: "Ada", City: "Wien", Country: "AT"},
			BillingAddress:   &Address{Name: "Bob"}, Phone: "+43 1",
		},
		Payment:     &Payment{Amount: &Money{decimal.New(1250, -2), "EUR"}},
		Refund:      &Refund{Amount: &Money{decimal.New(5, 0), "JPY"}},
		Fulfillment: &Fulfillment{Status: "in_transit", TrackingNumber: "1Z"},
		Fraud:       &Fraud{Level: "low"},
		Invoice:     &Invoice{Total: &Money{decimal.New(1250, -2), "EUR"}},
		Enrichment:  &Enrichment{Category: "gift", Summary: "s", Tags: []string{"a", "b"}},
		Customer:    &Customer{Email: "c@d.example", FirstName: "Ada", LastName: "L", Phone: "1", Segment: "vip", Address: &Address{City: "Graz"}},
		Inventory:   &Inventory{Available: &available},
	}
}

var everyFieldValue = []FieldValue{
	{"order.status", "open"}, {"order.payment_status", "paid"}, {"order.fulfillment_status", "partial"},
	{"order.email", "a@b.example"}, {"order.note", "ring twice"}, {"order.total", "12.50 EUR"}, {"order.tax", "2.00 EUR"},
	{"order.lines", "1x3,2x1"}, {"order.shipping_address", "Ada||||Wien|||AT|"}, {"payment.amount", "12.50 EUR"},
	{"refund.amount", "5 JPY"}, {"fulfillment.status", "in_transit"}, {"fulfillment.tracking_number", "1Z"},
	{"fraud.level", "low"}, {"invoice.total", "12.50 EUR"}, {"order.enrichment", "gift|s|a,b"},
	{"customer.email", "c@d.example"}, {"customer.name", "Ada L"}, {"customer.phone", "1"}, {"customer.segment", "vip"},
	{"inventory.available", "7"}, {"order.subtotal", "10.00 EUR"}, {"order.shipping", "3.00 EUR"}, {"order.discount", "2.50 EUR"},
	{"order.presentment_total", "1000 JPY"}, {"order.phone", "+43 1"}, {"order.billing_address", "Bob||||||||"}, {"customer.address", "||||Graz||||"},
}

func TestFieldsOf(t *testing.T) {
	t.Parallel()
	if d := cmp.Diff(everyFieldValue, FieldsOf(everyField())); d != "" {
		t.Errorf("everything (-want +got):\n%s", d)
	}
	if got := FieldsOf(&Event{Order: &Order{}, Customer: &Customer{}, Inventory: &Inventory{}}); len(got) != 0 {
		t.Errorf("an event that says nothing says %v", got)
	}
	var names []Field
	for _, v := range everyFieldValue {
		names = append(names, v.Field)
	}
	comparable := slices.DeleteFunc(Fields(), func(f Field) bool { return !f.Comparable() })
	if d := cmp.Diff(names, comparable); d != "" {
		t.Errorf("a field has no row here (-here +fields):\n%s", d)
	}
}

// TestWithout takes each field out of an event that has all, and out of one that has none.
func TestWithout(t *testing.T) {
	t.Parallel()
	for i, v := range everyFieldValue {
		t.Run(string(v.Field), func(t *testing.T) {
			t.Parallel()
			ev := everyField()
			want := slices.Delete(slices.Clone(everyFieldValue), i, i+1)
			if d := cmp.Diff(want, FieldsOf(Without(ev, SetOf(v.Field)))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(everyField(), ev); d != "" {
				t.Errorf("the event itself changed (-want +got):\n%s", d)
			}
			if d := cmp.Diff(&Event{}, Without(&Event{}, SetOf(v.Field))); d != "" {
				t.Errorf("of an event without parts (-want +got):\n%s", d)
			}
		})
	}
	if d := cmp.Diff(&Event{Order: &Order{}, Payment: &Payment{}, Refund: &Refund{}, Fulfillment: &Fulfillment{}, Fraud: &Fraud{},
		Invoice: &Invoice{}, Customer: &Customer{}, Inventory: &Inventory{}}, Without(everyField(), SetOf(Fields()...))); d != "" {
		t.Errorf("without all (-want +got):\n%s", d)
	}
}

// TestFieldsSurviveTheWire: what rules compare is the same before and after a topic.
func TestFieldsSurviveTheWire(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	ev := everyField()
	ev.ID, ev.Type, ev.Source, ev.System, ev.Subject = "e", OrderCreated, "/s", "shop", "1"
	ev.Time, ev.IngestedAt, ev.Inventory = fromMicros(1), fromMicros(2), nil
	b, err := s.EncodeEvent(t.Context(), "orders-value", ev)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.DecodeEvent(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(FieldsOf(ev), FieldsOf(got)); d != "" {
		t.Errorf("(-sent +read):\n%s", d)
	}
}

// TestEventIDs are frozen: another id for the same delivery would do all its work again.
func TestEventIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		source, delivery, part string
		want                   EventID
	}{
		{"/shopify/a", "1", "", "8f0e8a24-f291-5701-ba12-d2b313ad7c33"},
		{"/shopify/a", "1", "1", "ec5707e1-138c-52ff-9474-d153110f2470"},
		{"/shopify/b", "1", "", "3d23edbb-2d4d-57c0-8fb0-cf9926172578"},
	}
	seen := map[EventID]bool{}
	for _, tt := range tests {
		got := NewEventID(tt.source, tt.delivery, tt.part)
		if got != tt.want || seen[got] {
			t.Errorf("NewEventID(%q, %q, %q) = %q, want %q", tt.source, tt.delivery, tt.part, got, tt.want)
		}
		seen[got] = true
	}
}

func TestTopic(t *testing.T) {
	t.Parallel()
	for _, typ := range EventTypes {
		want := TopicOrders
		switch typ {
		case CustomerRegistered, CustomerUpdated, CustomerRedacted, CustomerCorrected:
			want = TopicCustomers
		case InventoryLevelSet, InventoryCorrected:
			want = TopicInventory
		}
		if got := typ.Topic(); got != want {
			t.Errorf("%s goes to %s, want %s", typ, got, want)
		}
	}
	for topic, want := range map[string]string{
		"orders": "order_event", "customers": "customer_event", "inventory": "inventory_event", "reconciliation": "outcome",
		"quarantine": "quarantined", "status": "worker_status", "ledger.erp": "ledger_entry", "parked.erp": "parked_record", "other": "",
	} {
		if got := SchemaFor(topic); got != want || (got != "") != (SchemaText(got) != "") {
			t.Errorf("schema of %s is %q, want %q", topic, got, want)
		}
	}
}

// TestSays holds it to what FieldsOf tells, for events of all shapes.
func TestSays(t *testing.T) {
	t.Parallel()
	var seen FieldSet
	for seed := range uint64(300) {
		var ev Event
		randomizer{rand.New(rand.NewPCG(seed, 3)), false}.fill(reflect.ValueOf(&ev).Elem())
		ev.Sealed, ev.SealedSays = nil, 0
		var want FieldSet
		for _, v := range FieldsOf(&ev) {
			want |= SetOf(v.Field)
			if got, ok := ValueOf(&ev, v.Field); !ok || got != v.Value {
				t.Fatalf("seed %d: %s is %q %v, and FieldsOf says %q", seed, v.Field, got, ok, v.Value)
			}
		}
		got := Says(&ev)
		if got&want != want {
			t.Fatalf("seed %d: says %v, and FieldsOf %v", seed, got.Names(), want.Names())
		}
		seen |= got
		if left := Says(Without(&ev, got)); left != 0 {
			t.Fatalf("seed %d: says %v of what was taken out", seed, left.Names())
		}
	}
	if d := cmp.Diff(SetOf(Fields()...).Names(), seen.Names()); d != "" {
		t.Errorf("fields that were never said:\n%s", d)
	}
}

// TestPlacesAreFrozen: ledgers know fields by their places.
func TestPlacesAreFrozen(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`order.status order.payment_status order.fulfillment_status order.email order.note order.total order.tax order.lines
		order.shipping_address payment.amount refund.amount fulfillment.status fulfillment.tracking_number fraud.level invoice.total order.enrichment
		customer.email customer.name customer.phone customer.segment inventory.available order.subtotal order.shipping order.discount
		order.presentment_total order.phone order.billing_address order.number order.customer_id order.cancel_reason order.created_at order.payments
		order.refunds order.fulfillments customer.address customer.note customer.status customer.created_at customer.order_count customer.total_spent`)
	var got []string
	for _, f := range Fields() {
		got = append(got, string(f))
	}
	if len(got) > 63 || !slices.Equal(got[:min(len(got), len(want))], want) {
		t.Errorf("places (-want +got): add at the end, up to 63:\n%s", cmp.Diff(want, got))
	}
	const status, discount = FieldSet(1), FieldSet(1 << 23)
	if got := SetOf("order.discount", "order.status", "no.field"); got != status|discount || !slices.Equal(got.Names(), []string{"order.status", "order.discount"}) {
		t.Errorf("set %b is %v", got, got.Names())
	}
	if got := (status | 1<<62).Names(); !slices.Equal(got, []string{"order.status"}) {
		t.Errorf("a bit of a newer version is read as %v", got)
	}
	if got := SetOf("payment.amount", "order.note", "fulfillment.status", "inventory.available").States().Names(); !slices.Equal(got, []string{"order.note", "inventory.available"}) {
		t.Errorf("states %v", got)
	}
}

// TestEveryMemberHasAField: what goes with an event whoever sends it is named here, and nothing else does. A member that is
// new in the model goes into a field, or into this list.
func TestEveryMemberHasAField(t *testing.T) {
	t.Parallel()
	goes := map[string][]string{
		"Order": {"ID", "UpdatedAt"}, "Payment": {"ID", "ParentID", "Reference"}, "Refund": {"ID", "PaymentID"}, "Fulfillment": {"ID", "UpdatedAt"},
		"ReadBack": {"Integration", "Operation", "EventID", "Reference", "Result", "Detail"},
		"Fraud":    {"ID"}, "Invoice": {"ID", "OrderID", "CustomerID"}, "Enrichment": nil, "Customer": {"ID", "OrderIDs", "UpdatedAt"}, "Inventory": {"ItemID", "SKU", "LocationID", "UpdatedAt"},
		"Dispute": {"ID", "Kind", "Reason", "Status", "PaymentID", "Amount", "DueBy"}, "Return": {"ID", "Status", "Name", "Quantity", "Lines"},
		"Correction": {"Field", "Object", "Of", "Held", "Basis", "Who", "Why"},
	}
	left := reflect.ValueOf(Without(filled[Event](), SetOf(Fields()...))).Elem()
	found := map[string][]string{}
	for i := range left.NumField() {
		part := left.Field(i)
		if part.Kind() != reflect.Pointer || part.Type().Elem().Kind() != reflect.Struct {
			continue
		}
		name := left.Type().Field(i).Name
		if found[name] = nil; part.IsNil() {
			continue
		}
		for j := range part.Elem().NumField() {
			if !part.Elem().Field(j).IsZero() {
				found[name] = append(found[name], part.Elem().Type().Field(j).Name)
			}
		}
	}
	if d := cmp.Diff(goes, found); d != "" {
		t.Errorf("members that no field holds (-want +got):\n%s", d)
	}
	// Each member alone is enough for its field to be said: or else it would be sent by anybody.
	whole := reflect.ValueOf(filled[Event]()).Elem()
	for part, free := range goes {
		full := whole.FieldByName(part).Elem()
		for j := range full.NumField() {
			member := full.Type().Field(j).Name
			ev := &Event{}
			alone := reflect.New(full.Type())
			alone.Elem().Field(j).Set(full.Field(j))
			reflect.ValueOf(ev).Elem().FieldByName(part).Set(alone)
			if said := Says(ev); (said == 0) != (slices.Contains(free, member)) {
				t.Errorf("%s.%s alone says %v", part, member, said.Names())
			}
		}
	}
}

// TestKindsOfFields holds what a tolerance may be given for to the values themselves.
func TestKindsOfFields(t *testing.T) {
	t.Parallel()
	for _, v := range everyFieldValue {
		amount, currency, _ := strings.Cut(v.Value, " ")
		_, err := NewMoney(amount, currency)
		if v.Field.IsMoney() != (err == nil && len(currency) == 3) {
			t.Errorf("%s is money: %v, and its value %q", v.Field, v.Field.IsMoney(), v.Value)
		}
		if v.Field.IsCount() != (v.Field == "inventory.available") {
			t.Errorf("%s is a count: %v", v.Field, v.Field.IsCount())
		}
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		field Field
		a, b  string
		same  bool
	}{
		{"order.email", " Ada@Example.com", "ada@example.com ", true},
		{"customer.email", "ada@example.com", "bob@example.com", false},
		{"customer.phone", "+43 (0)660 12", "+43066012", true},
		{"order.phone", "+43 1", "+44 1", false},
		{"customer.name", "Ada  Lovelace", "ada lovelace", true},
		{"order.billing_address", "A||B", "a||b", true},
		{"order.note", "ring twice\n", "ring twice", true},
		{"order.note", "Ring", "ring", false},
		{"order.status", "Open", "open", false},
	} {
		if got := Form(tt.field, tt.a) == Form(tt.field, tt.b); got != tt.same {
			t.Errorf("%s: %q and %q are the same: %v", tt.field, tt.a, tt.b, got)
		}
	}
}
