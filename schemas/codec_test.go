package schemas

import (
	"context"
	"fmt"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/sr"
)

// newSerde gives a Serde on a registry of its own.
func newSerde(t testing.TB) *Serde {
	t.Helper()
	srv := httptest.NewServer(NewMemoryRegistry())
	t.Cleanup(srv.Close)
	return NewSerde(newClient(t, srv.URL))
}

func newClient(t testing.TB, url string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// fill sets every field below v to a value of its own, so that no two fields can be mistaken for each other.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMicro(1_700_000_000_000_000 + *n).UTC()))
		return
	case Money:
		v.Set(reflect.ValueOf(Money{decimal.New(*n, -2), "EUR"}))
		return
	case Kind:
		v.Set(reflect.ValueOf(Kinds[*n%int64(len(Kinds))]))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a.b": "x", "c": ""}))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("text " + v.Type().Name() + " " + decimal.NewFromInt(*n).String())
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	default:
		v.SetInt(*n)
	}
}

func filled[T any]() *T {
	out, n := new(T), int64(0)
	fill(reflect.ValueOf(out).Elem(), &n)
	return out
}

// TestRoundTripOfEveryField fills every Go field by reflection: a field without a place in its schema fails to encode,
// and one that is dropped on the way differs.
func TestRoundTripOfEveryField(t *testing.T) {
	t.Parallel()
	s, ctx := newSerde(t), t.Context()
	order, customer, inventory := filledEvents()
	roundTrip(t, order, s.EncodeEvent, s.DecodeEvent)
	roundTrip(t, customer, s.EncodeEvent, s.DecodeEvent)
	roundTrip(t, inventory, s.EncodeEvent, s.DecodeEvent)
	roundTrip(t, filled[Outcome](), s.EncodeOutcome, s.DecodeOutcome)
	roundTrip(t, filled[LedgerEntry](), s.EncodeLedgerEntry, s.DecodeLedgerEntry)
	roundTrip(t, filled[ParkedRecord](), s.EncodeParkedRecord, s.DecodeParkedRecord)
	roundTrip(t, filled[Quarantined](), s.EncodeQuarantined, s.DecodeQuarantined)
	roundTrip(t, filled[WorkerStatus](), s.EncodeWorkerStatus, s.DecodeWorkerStatus)
	roundTrip(t, filled[Command](), s.EncodeCommand, s.DecodeCommand)
	roundTrip(t, filled[SealingKey](), s.EncodeSealingKey, s.DecodeSealingKey)

	// What is not said stays not said, and what is said to be empty stays empty.
	now := time.UnixMicro(7).UTC()
	bare := &Event{ID: "e", Type: OrderCreated, Source: "/s", System: "shop", Subject: "1", Time: now, IngestedAt: now}
	roundTrip(t, bare, s.EncodeEvent, s.DecodeEvent)
	hollow := *bare
	hollow.Order = &Order{Lines: []Line{}, Total: &Money{decimal.Zero, "JPY"}}
	hollow.Extensions = map[string]string{}
	roundTrip(t, &hollow, s.EncodeEvent, s.DecodeEvent)
	roundTrip(t, &LedgerEntry{Settled: -1}, s.EncodeLedgerEntry, s.DecodeLedgerEntry)

	b, err := s.EncodeEvent(ctx, "orders-value", order)
	if err != nil {
		t.Fatal(err)
	}
	other := NewSerde(s.client) // a reader that has seen nothing yet
	if other.Cached(b) || !s.Cached(b) {
		t.Error("Cached does not tell a schema at hand from one that is not")
	}
	if got, err := other.DecodeEvent(ctx, b); err != nil || !other.Cached(b) {
		t.Errorf("got %v, %v, cached %v", got, err, other.Cached(b))
	}
}

// filledEvents are events of the three topics with everything their schemas have a place for.
func filledEvents() (order, customer, inventory *Event) {
	order, customer, inventory = filled[Event](), filled[Event](), filled[Event]()
	order.Type, order.Inventory = OrderCreated, nil
	for _, ev := range []*Event{customer, inventory} {
		ev.Order, ev.Payment, ev.Refund, ev.Fulfillment, ev.Fraud = nil, nil, nil, nil, nil
		ev.Dispute, ev.Return, ev.Invoice, ev.Enrichment, ev.ReadBack = nil, nil, nil, nil, nil
	}
	customer.Type, customer.Inventory = CustomerUpdated, nil
	inventory.Type, inventory.Customer = InventoryLevelSet, nil
	return order, customer, inventory
}

func roundTrip[T any](t *testing.T, v *T, enc func(context.Context, string, *T) ([]byte, error), dec func(context.Context, []byte) (*T, error)) {
	t.Helper()
	subject := fmt.Sprintf("%T", v) // one schema each: a registry refuses another under the same subject
	if ev, ok := any(v).(*Event); ok {
		subject += "." + ev.Type.Topic()
	}
	b, err := enc(t.Context(), subject+"-value", v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	got, err := dec(t.Context(), b)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	if d := cmp.Diff(v, got); d != "" {
		t.Errorf("%T (-want +got):\n%s", v, d)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(*Event)
		want  string
	}{
		{"no identity", func(ev *Event) { *ev = Event{} }, "encode event : id, type, source, system, subject, time, ingested_at must be set"},
		{"a third of a cent", func(ev *Event) { ev.Order.Total.Amount = decimal.RequireFromString("0.333") },
			"encode order_event: order.total: amount 0.333 has more decimals than EUR has (2)"},
		{"a sum that does not fit", func(ev *Event) { ev.Order.Lines[1].Price.Amount = decimal.New(1, 16) },
			"encode order_event: order.lines[1].price: amount 10000000000000000 does not fit decimal(20,4)"},
		{"no currency", func(ev *Event) { ev.Refund.Amount.Currency = "" }, `encode order_event: refund.amount: currency "" is not an ISO 4217 code`},
		{"not UTF-8", func(ev *Event) { ev.Order.Note = "caf\xe9" }, "encode order_event: order.note: text is not UTF-8"},
		{"not UTF-8 in extensions", func(ev *Event) { ev.Extensions = map[string]string{"note": "\xff"} }, "encode order_event: extensions.note: text is not UTF-8"},
		{"the year 20000", func(ev *Event) { *ev.Order.ClosedAt = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
			"encode order_event: order.closed_at: year 20000 is outside 1 to 9999"},
		{"a part without a place", func(ev *Event) { ev.Inventory = &Inventory{ItemID: "1"} }, "encode order_event: inventory: seam.OrderEvent has no place for it"},
	}
	s := newSerde(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev, _, _ := filledEvents()
			tt.spoil(ev)
			if _, err := s.EncodeEvent(t.Context(), "orders-value", ev); errText(err) != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestRecordsOfFaultsAlwaysEncode: what an outcome tells may be cut in the middle of a character.
func TestRecordsOfFaultsAlwaysEncode(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	o := filled[Outcome]()
	o.Detail, o.Attempts[0].Detail = "caf\xc3", "\xff"
	b, err := s.EncodeOutcome(t.Context(), "reconciliation-value", o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.DecodeOutcome(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	o.Detail, o.Attempts[0].Detail = "caf\uFFFD", "\uFFFD"
	if d := cmp.Diff(o, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestKinds holds the Avro enum to the Go constants.
func TestKinds(t *testing.T) {
	t.Parallel()
	want := []string{}
	for _, k := range append(slices.Clone(Kinds), Unrecognized) {
		want = append(want, string(k))
	}
	for _, name := range []string{"outcome", "ledger_entry"} {
		found := false
		walk(formats[name].root, func(n *node) {
			if n.kind == avroEnum {
				found = true
				if d := cmp.Diff(want, n.symbols); d != "" || n.enumElse != string(Unrecognized) {
					t.Errorf("%s: default %s, symbols (-want +got):\n%s", name, n.enumElse, d)
				}
			}
		})
		if !found {
			t.Errorf("%s has no enum", name)
		}
	}
}

// walk visits every type of a schema that is not recursive.
func walk(n *node, visit func(*node)) {
	visit(n)
	for _, f := range n.fields {
		walk(f.typ, visit)
	}
	for _, b := range n.branches {
		walk(b, visit)
	}
	if n.elem != nil {
		walk(n.elem, visit)
	}
}

func TestDecodeNative(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	ev, _, _ := filledEvents()
	b, err := s.EncodeEvent(t.Context(), "orders-value", ev)
	if err != nil {
		t.Fatal(err)
	}
	name, m, err := s.DecodeNative(t.Context(), b)
	if err != nil || name != "seam.OrderEvent" {
		t.Fatalf("%s, %v", name, err)
	}
	total := m["order"].(map[string]any)["total"].(map[string]any)
	want := map[string]any{"amount": ev.Order.Total.Amount, "currency": "EUR"}
	if d := cmp.Diff(want, total); d != "" {
		t.Errorf("total (-want +got):\n%s", d)
	}
	if d := cmp.Diff(any(ev.Time), m["time"]); d != "" {
		t.Errorf("time (-want +got):\n%s", d)
	}
}
