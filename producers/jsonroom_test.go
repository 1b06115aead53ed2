package producers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// shopOrder is an order as Shopify sends it, of about 3 KB with two lines.
func shopOrder(lines int) string {
	const money = `{"shop_money":{"amount":"10.25","currency_code":"EUR"},"presentment_money":{"amount":"10.25","currency_code":"EUR"}}`
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":820982911946154508,"name":"#1001","email":"jo@example.com","currency":"EUR","presentment_currency":"EUR","financial_status":"paid",
		"created_at":"2026-11-02T08:00:00+01:00","updated_at":"2026-11-02T08:00:05+01:00","total_price":"51.25","total_tax":"8.18","total_price_set":%s,
		"total_shipping_price_set":%s,"note":"leave it \u0026 ring","order_status_url":"https://shop.example/authenticate?key=1",
		"shipping_address":{"name":"Jo Bench","address1":"Hauptstra\u00dfe 1","city":"Wien","zip":"1010","country_code":"AT","latitude":48.2},"line_items":[`, money, money)
	for i := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"product_id":632910392,"sku":"MUG","title":"Mug, größte","quantity":%d,"price":"10.25","price_set":%s,"total_discount":"0.00","total_discount_set":%s,
			"grams":450,"taxable":true,"gift_card":false,"vendor":null,"properties":[],"tax_lines":[{"rate":0.20,"title":"USt"}]}`, i, i, money, money)
	}
	return b.String() + `]}`
}

// What the edge does for one delivery before it encodes it: go test -bench Read ./producers.
func BenchmarkRead(b *testing.B) {
	body := []byte(shopOrder(2))
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			withJSON(body, func(_ *node, err error) {
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	})
	b.Run("event", func(b *testing.B) {
		d, p := given(topology.Shopify, string(body), "X-Shopify-Topic: orders/updated", "X-Shopify-Webhook-Id: 1"), platforms[topology.Shopify]
		b.ReportAllocs()
		for b.Loop() {
			if r := p.read(d); len(r.events) != 1 {
				b.Fatal(faultsOf(r))
			}
		}
	})
}

// Documents that are read one after the other in the same memory are what they are when read alone.
func TestDocumentsShareMemory(t *testing.T) {
	t.Parallel()
	bodies := []string{shopOrder(2), `{"a":[1,2,{"b":null}]}`, `[]`, shopOrder(20), `{"a":1,}`, `"x"`, `[` + strings.Repeat(`[],`, 1100) + `0]`, shopOrder(0), `{"token":{"deep":1}}`}
	want := make([]string, len(bodies))
	for i, body := range bodies {
		root, err := parseJSON([]byte(body))
		want[i] = told(root, err)
	}
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			for i := range 20 {
				at := (i*(r+1) + r) % len(bodies)
				withJSON([]byte(bodies[at]), func(root *node, err error) {
					if got := told(root, err); got != want[at] {
						t.Errorf("document %d:\n%s\nalone:\n%s", at, got, want[at])
					}
				})
			}
		})
	}
	readers.Wait()
}

// told is all that is known of a document.
func told(n *node, err error) string {
	if err != nil {
		return err.Error()
	}
	out := fmt.Sprint(n.kind, n.from, n.to, n.secret, n.taken, n.own, n.name, n.text)
	for _, kid := range n.kids {
		out += "\n" + told(kid, nil)
	}
	return out
}

// Events outlive the document that they were read from.
func TestEventsOutliveTheirDocument(t *testing.T) {
	t.Parallel()
	read := func(body string) *schemas.Event {
		return readOne(t, given(topology.Shopify, body, "X-Shopify-Topic: orders/updated", "X-Shopify-Webhook-Id: 1"))
	}
	first, want := read(shopOrder(2)), read(shopOrder(2))
	for range 10 {
		read(strings.NewReplacer("EUR", "USD", "10.25", "99.99", "MUG", "TEE").Replace(shopOrder(3)))
	}
	if d := cmp.Diff(want, first); d != "" {
		t.Errorf("(-fresh +old):\n%s", d)
	}
}

// A second member of a name is found wherever it stands, in objects of any size.
func TestDuplicateMembers(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 3, 20, manyNames - 1, manyNames, manyNames + 1, manyNames + 2, 500} {
		members := make([]string, size)
		for i := range members {
			members[i] = fmt.Sprintf(`"member_%d":{"same":%d,"other":[{"same":1}]}`, i, i)
		}
		if _, err := parseJSON([]byte("{" + strings.Join(members, ",") + "}")); err != nil {
			t.Errorf("%d members: %v", size, err)
		}
		for _, twice := range []int{0, (size - 1) / 2, size - 2} { // instead of the last
			again := append(members[:size-1:size-1], members[twice])
			_, err := parseJSON([]byte("{" + strings.Join(again, ",") + "}"))
			var syntax *syntaxError
			if want := fmt.Sprintf("member %q is there twice: which one counts is unknown", fmt.Sprint("member_", twice)); !errors.As(err, &syntax) || syntax.Text != want {
				t.Errorf("%d members: %v, want %s", size, err, want)
			}
		}
	}
}

// What ends the plain part of a string is seen at every place of the eight bytes that are looked at together.
func TestStringsOfAnyLength(t *testing.T) {
	t.Parallel()
	for size := range 40 {
		text := strings.ToValidUTF8(strings.Repeat("é~\x7f!", 20)[:size], "x")
		for _, tail := range []string{"", `\"`, `\\`, `\n`, `\u0021`} {
			for _, after := range []string{"", strings.Repeat("z", 20)} {
				in := `"` + text + tail + after + `"`
				var want string
				if err := json.Unmarshal([]byte(in), &want); err != nil {
					t.Fatal(err)
				}
				root, err := parseJSON([]byte(in))
				if err != nil || root.text != want {
					t.Errorf("%s: %v %v", in, root, err)
				}
				if _, err := parseJSON([]byte(in[:len(in)-1])); err == nil {
					t.Errorf("%s without its end is taken", in)
				}
				for _, control := range []string{"\x00", "\x1f", "\n"} {
					if _, err := parseJSON([]byte(`"` + text + tail + control + after + `"`)); err == nil {
						t.Errorf("%q after %q is taken", control, text+tail)
					}
				}
			}
		}
	}
}

func TestRestKeepsEveryLeaf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     map[string]string
	}{
		{"dots in names", `{"a.b":1,"a":{"b":2}}`, map[string]string{"a.b": "1", "a.b'": "2"}},
		{"dots in names, later", `{"a":{"b":2},"a.b":1,"a.b'":3}`, map[string]string{"a.b": "2", "a.b'": "1", "a.b''": "3"}},
		{"dots in deeper names", `{"a":{"b":{"c":1},"b.c":2}}`, map[string]string{"a.b.c": "1", "a.b.c'": "2"}},
		{"empty names", `{"":{"":1,"x":2},"x":3,".x":4}`, map[string]string{".": "1", ".x": "2", "x": "3", ".x'": "4"}},
		{"secrets", `{"token":"t","client_secret":{"a":1},"u":"https://x/authenticate?key=1","tokens":"kept"}`, map[string]string{"tokens": "kept"}},
		{"a leaf alone", `7`, map[string]string{"": "7"}},
		{"nothing", `{"a":null,"b":"","c":[],"d":{}}`, map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root, err := parseJSON([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, ev := map[string]string{}, &schemas.Event{}
			(&taker{}).rest(root, got)
			(&taker{}).extend(ev, root)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("rest (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.want, ev.Extensions); d != "" {
				t.Errorf("extend (-want +got):\n%s", d)
			}
		})
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	var got []string
	err := ReadJSON([]byte(`{"id":9007199254740993,"lines":[{"price":"12.50"}],"gone":null}`), func(d Document) {
		got = append(got, d.Text("id"), d.Text("lines.0.price"), d.Text("gone"), d.Text("lines"), d.Text("no.such"), Document{}.Text("id"))
	})
	if d := cmp.Diff([]string{"9007199254740993", "12.50", "", "", "", ""}, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	err = ReadJSON([]byte(`{"id":1,"id":2}`), func(Document) { t.Error("a document with a fault is used") })
	if want := `offset 8: member "id" is there twice: which one counts is unknown`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// The announced length is a hint: shorter, longer and none at all are read to the end.
func TestReadBody(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 300)
	for _, announced := range []int64{-1, 0, 5, 3000, 3001, 1 << 40} {
		got, err := readBody(io.LimitReader(strings.NewReader(body), 3000), announced)
		if err != nil || string(got) != body || cap(got) > 128<<10 {
			t.Errorf("announced %d: %d bytes in %d, %v", announced, len(got), cap(got), err)
		}
	}
}

// The usual reply is written without encoding/json, as that would write it.
func TestReplyIsJSON(t *testing.T) {
	t.Parallel()
	for _, rep := range []reply{
		{}, {EventIDs: []schemas.EventID{schemas.NewEventID("/s", "1", "")}}, {EventIDs: []schemas.EventID{"1", "2"}},
		{EventIDs: []schemas.EventID{"1"}, Quarantined: "q", Reason: "an \"odd\" <reason>"}, {Reason: "é\n"},
	} {
		want, err := json.Marshal(rep)
		if got := string(rep.json()); err != nil || got != string(want)+"\n" {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
