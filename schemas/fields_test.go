package schemas

import (
	"math/rand/v2"
	"reflect"
	"slices"
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
			Lines:           []Line{{ID: "2", Quantity: 1}, {ID: "1", Quantity: 3}},
			ShippingAddress: &Address{Name: "Ada", City: "Wien", Country: "AT"},
		},
		Payment:     &Payment{Amount: &Money{decimal.New(1250, -2), "EUR"}},
		Refund:      &Refund{Amount: &Money{decimal.New(5, 0), "JPY"}},
		Fulfillment: &Fulfillment{Status: "in_transit", TrackingNumber: "1Z"},
		Fraud:       &Fraud{Level: "low"},
		Invoice:     &Invoice{Total: &Money{decimal.New(1250, -2), "EUR"}},
		Enrichment:  &Enrichment{Category: "gift", Summary: "s", Tags: []string{"a", "b"}},
		Customer:    &Customer{Email: "c@d.example", FirstName: "Ada", LastName: "L", Phone: "1", Segment: "vip"},
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
	{"inventory.available", "7"},
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
	if d := cmp.Diff(names, Fields()); d != "" {
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
			if d := cmp.Diff(want, FieldsOf(Without(ev, []Field{v.Field}))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(everyField(), ev); d != "" {
				t.Errorf("the event itself changed (-want +got):\n%s", d)
			}
			if d := cmp.Diff(&Event{}, Without(&Event{}, []Field{v.Field})); d != "" {
				t.Errorf("of an event without parts (-want +got):\n%s", d)
			}
		})
	}
	if d := cmp.Diff(&Event{Order: &Order{}, Payment: &Payment{}, Refund: &Refund{}, Fulfillment: &Fulfillment{}, Fraud: &Fraud{},
		Invoice: &Invoice{}, Customer: &Customer{}, Inventory: &Inventory{}}, Without(everyField(), Fields())); d != "" {
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
		case CustomerRegistered, CustomerUpdated, CustomerRedacted:
			want = TopicCustomers
		case InventoryLevelSet:
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
	seen := map[Field]bool{}
	for seed := range uint64(300) {
		var ev Event
		randomizer{rand.New(rand.NewPCG(seed, 3)), false}.fill(reflect.ValueOf(&ev).Elem())
		var want []Field
		for _, v := range FieldsOf(&ev) {
			want = append(want, v.Field)
			seen[v.Field] = true
		}
		if got := Says(&ev); !slices.Equal(got, want) {
			t.Fatalf("seed %d: says %v, and FieldsOf %v", seed, got, want)
		}
	}
	if len(seen) != len(Fields()) {
		t.Errorf("only %d of %d fields were ever said", len(seen), len(Fields()))
	}
}
