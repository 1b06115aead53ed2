package reconcile

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestMarked holds marked to the schemas: a field is marked if, and only if, an event that says it is parted.
func TestMarked(t *testing.T) {
	t.Parallel()
	available, price := int64(1), &schemas.Money{Currency: "EUR"}
	for _, ev := range []*schemas.Event{
		{Order: &schemas.Order{Status: "s", PaymentStatus: "s", FulfillmentStatus: "s", Total: price, Tax: price, Subtotal: price, Shipping: price, Discount: price, PresentmentTotal: price, Lines: []schemas.Line{{ID: "1"}}}},
		{Order: &schemas.Order{Email: "a@b.example"}}, {Order: &schemas.Order{Phone: "+1"}}, {Order: &schemas.Order{Note: "n"}},
		{Order: &schemas.Order{ShippingAddress: &schemas.Address{City: "c"}}}, {Order: &schemas.Order{BillingAddress: &schemas.Address{City: "c"}}},
		{Payment: &schemas.Payment{Amount: price}}, {Refund: &schemas.Refund{Amount: price}}, {Invoice: &schemas.Invoice{Total: price}}, {Fraud: &schemas.Fraud{Level: "low"}},
		{Fulfillment: &schemas.Fulfillment{Status: "s"}}, {Fulfillment: &schemas.Fulfillment{TrackingNumber: "1"}}, {Enrichment: &schemas.Enrichment{Summary: "s"}},
		{Customer: &schemas.Customer{Email: "a@b.example"}}, {Customer: &schemas.Customer{FirstName: "a"}}, {Customer: &schemas.Customer{Phone: "1"}}, {Customer: &schemas.Customer{Segment: "vip"}},
		{Customer: &schemas.Customer{Address: &schemas.Address{City: "c"}}}, {Inventory: &schemas.Inventory{Available: &available}},
	} {
		personal := len(schemas.PersonalTexts(ev)) > 0
		said := schemas.FieldsOf(ev)
		if len(said) == 0 {
			t.Errorf("%+v says nothing", ev)
		}
		for _, v := range said {
			if marked(v.Field) != personal {
				t.Errorf("%s: marked %v, in the schema %v", v.Field, marked(v.Field), personal)
			}
		}
	}
}

func TestNamesIn(t *testing.T) {
	t.Parallel()
	who := names{}
	who.add("207119551", "820982911946154508", EmailHash("Ada@Example.org"), "")
	for text, want := range map[string]bool{
		`{"customer":{"id":207119551,"email":null}}`:       true,
		`{"customer":{"id":2071195511}}`:                   false,
		`{"id": "gid://shopify/Order/820982911946154508"}`: true,
		`{"email":"ada@example.org"}`:                      true,
		"order_id,email\r\n7,ADA@example.org\r\n":          true,
		"order_id,email\r\n7,bob@example.org\r\n":          false,
		"a=1&customer=207119551":                           true,
		"":                                                 false, `"": ""`: false,
	} {
		if got := who.in(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestHiddenWhateverTheOrder: what came before an erasure and what comes after it make the same of an order.
func TestHiddenWhateverTheOrder(t *testing.T) {
	t.Parallel()
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var steps []func(*Fold)
	for i, system := range []schemas.System{"shop", "crm", "erp"} {
		ev := &schemas.Event{ID: schemas.EventID(system), Type: schemas.OrderUpdated, Source: "/" + string(system), System: system, Subject: "1", Time: at, IngestedAt: at,
			Order: &schemas.Order{CustomerID: "7", Email: string(system) + "@example.org", Status: "open", Note: "ring twice"}}
		steps = append(steps, func(f *Fold) { f.Event(ev, Position{0, int64(i)}) })
		o := &schemas.Outcome{Integration: "erp", EventID: ev.ID, EventType: ev.Type, OrderID: "1", Kind: schemas.Parked, Reason: schemas.ReasonBusinessNo, Detail: "answered 422: nobody lives there", At: at,
			Attempts: []schemas.Attempt{{At: at, Status: 422, Detail: "nobody lives there"}}, Topic: "orders", Offset: int64(i)}
		steps = append(steps, func(f *Fold) { f.Outcome(o, Position{0, int64(i)}) })
	}
	want := ""
	for range 30 {
		f := NewFold(topo, schemas.TopicOrders, "1")
		list := slices.Clone(steps)
		rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		cut := rnd.IntN(len(list) + 1)
		for _, s := range list[:cut] {
			s(f)
		}
		f.hide()
		for _, s := range list[cut:] {
			s(f)
		}
		var b strings.Builder
		if err := f.Order(at).Write(&b); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = b.String()
		}
		if got := b.String(); got != want {
			t.Fatalf("hidden after %d:\n%s\nelse:\n%s", cut, got, want)
		}
		for _, word := range []string{"***", "nobody", "ring"} {
			if strings.Contains(want, word) {
				t.Fatalf("%q is still there:\n%s", word, want)
			}
		}
		if !strings.Contains(want, "erased") || len(f.allRefs()) != 1 {
			t.Fatalf("refs %v:\n%s", f.allRefs(), want)
		}
	}
}
