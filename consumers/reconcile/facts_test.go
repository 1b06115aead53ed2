package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// factsTopology is files with more owners, and a facts policy of the books.
func factsTopology(t testing.TB, policy string) *topology.Topology {
	t.Helper()
	fsys := files("")
	own, books := fsys["ownership.yaml"], fsys["integrations/books.yaml"]
	own.Data = append(own.Data, []byte("order.lines: {owner: shop, copies: [erp], agree_within: 15m, page: fulfilment}\norder.note: {owner: shop, agree_within: 15m, page: crm}\n"+
		"customer.segment: {owner: crm, copies: [shop], agree_within: 1h, page: crm}\n")...)
	books.Data = append(books.Data, []byte(policy)...)
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// placed is an order of the shop with a customer and two lines.
func placed(t testing.TB, total string) *schemas.Event {
	ev := order(t, event("e1", schemas.OrderCreated, "shop", 0), total, "paid")
	ev.Order.CustomerID, ev.Order.Email = "c1", "jane@example.com"
	ev.Order.Lines = []schemas.Line{{ID: "1", SKU: "MUG", Quantity: 2}, {ID: "2", SKU: "HAT", Quantity: 1}}
	return ev
}

// says is another system's word of the total.
func says(t testing.TB, system schemas.System, total string, seconds int) *schemas.Event {
	return order(t, event("e-"+string(system), schemas.OrderUpdated, system, seconds), total, "")
}

func ofCustomer(id string, system schemas.System, segment string, seconds int) *schemas.Event {
	ev := event(id, schemas.CustomerUpdated, system, seconds)
	ev.Subject, ev.Customer = "c1", &schemas.Customer{ID: "c1", Segment: segment, Email: "jane@example.com"}
	return ev
}

func ofStock(sku, location string, n int64, seconds int) *schemas.Event {
	ev := event("s-"+sku+location, schemas.InventoryLevelSet, "warehouse", seconds)
	ev.Subject, ev.Inventory = location+"/i-"+sku, &schemas.Inventory{ItemID: "i-" + sku, SKU: sku, LocationID: location, Available: &n}
	return ev
}

// held folds events as a view would hold them, with everything before a second known.
func held(topo *topology.Topology, known int, events ...*schemas.Event) reconcile.Held {
	h := reconcile.Held{KnownAt: at(known), AskedAt: at(known)}
	folds := map[string]*reconcile.Fold{}
	for i, ev := range events {
		f := folds[ev.Type.Topic()+ev.Subject]
		if f == nil {
			f = reconcile.NewFold(topo, ev.Type.Topic(), ev.Subject)
			folds[ev.Type.Topic()+ev.Subject] = f
			switch ev.Type.Topic() {
			case schemas.TopicOrders:
				h.Order = f
			case schemas.TopicCustomers:
				h.Customer = f
			default:
				h.Stock = append(h.Stock, f)
			}
		}
		f.Event(ev, reconcile.Position{Offset: int64(i)})
	}
	return h
}

// factLines is an answer in a line per fact and refusal.
func factLines(f *reconcile.Facts) []string {
	var out []string
	for _, x := range f.Facts {
		line := strings.TrimRight(fmt.Sprintf("%s %s %s", x.Field, x.Object, x.SKU), " ")
		line += fmt.Sprintf(": %s %q age %d agree %s", x.Owner, x.Value, x.AgeSeconds, x.Agree)
		if x.Masked {
			line += " masked"
		}
		if x.Silent {
			line += " silent"
		}
		for _, o := range x.Others {
			line += fmt.Sprintf(" %s %q", o.System, o.Value)
		}
		if x.Overdue {
			line += " overdue"
		}
		out = append(out, line)
	}
	for _, r := range f.Refusals {
		out = append(out, fmt.Sprintf("no: %s %s %s: %s; ask %s", r.Field, r.Object, r.Reason, r.Detail, r.Ask))
	}
	return append(out, fmt.Sprintf("usable %v", f.Usable))
}

func TestFacts(t *testing.T) {
	t.Parallel()
	total := reconcile.FactsQuery{Fields: []string{"order.total"}}
	strict := reconcile.FactsQuery{Fields: []string{"order.total"}, OnDisagreement: "refuse"}
	fresh := reconcile.FactsQuery{Fields: []string{"order.total"}, MaxStaleness: time.Minute}
	tests := []struct {
		name   string
		known  int
		query  reconcile.FactsQuery
		events []*schemas.Event
		want   []string
	}{
		{"all that is known", 60, reconcile.FactsQuery{}, []*schemas.Event{placed(t, "20.00 EUR"), ofCustomer("c-crm", "crm", "vip", 10), ofStock("MUG", "main", 7, 50), ofStock("MUG", "shop", 1, 55), ofStock("PEN", "main", 9, 1)}, []string{
			`customer.email c1: shop "" age 0 agree unknown masked silent crm "j***@***.com #8c87"`,
			`customer.segment c1: crm "vip" age 50 agree unknown`,
			`inventory.available main/i-MUG MUG: warehouse "7" age 10 agree unknown`,
			`inventory.available shop/i-MUG MUG: warehouse "1" age 5 agree unknown`,
			`order.email: shop "j***@***.com #8c87" age 60 agree unknown masked`,
			`order.lines: shop "1x2,2x1" age 60 agree unknown`,
			`order.payment_status: shop "paid" age 60 agree unknown`,
			`order.status: shop "open" age 60 agree unknown`,
			`order.total: shop "20.00 EUR" age 60 agree unknown`,
			"usable true"}},
		{"as old as is allowed", 60, fresh, []*schemas.Event{placed(t, "20.00 EUR")}, []string{`order.total: shop "20.00 EUR" age 60 agree unknown`, "usable true"}},
		{"older than is allowed", 61, fresh, []*schemas.Event{placed(t, "20.00 EUR")}, []string{`order.total: shop "" age 61 agree unknown`, "no: order.total  too_old: shop said it 1m1s ago, and 1m0s is allowed; ask finance", "usable false"}},
		{"said again", 90, fresh, []*schemas.Event{placed(t, "20.00 EUR"), order(t, event("e2", schemas.OrderUpdated, "shop", 40), "20.00 EUR", "")}, []string{`order.total: shop "20.00 EUR" age 50 agree unknown`, "usable true"}},
		{"another agrees", 60, strict, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "20.00 EUR", 30)}, []string{`order.total: shop "20.00 EUR" age 60 agree yes`, "usable true"}},
		{"differs within the tolerance", 60, strict, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "20.01 EUR", 30)}, []string{`order.total: shop "20.00 EUR" age 60 agree yes`, "usable true"}},
		{"differs beyond the tolerance", 60, strict, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "20.02 EUR", 30)}, []string{`order.total: shop "" age 60 agree no erp ""`,
			"no: order.total  disagreement: erp, not shop, its owner, since 2026-11-23 12:00:30.000; ask finance", "usable false"}},
		{"a difference is flagged", 60, total, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "20.02 EUR", 30)}, []string{`order.total: shop "20.00 EUR" age 60 agree no erp "20.02 EUR"`, "usable true"}},
		{"for longer than is allowed", 931, total, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "25.00 EUR", 30)}, []string{`order.total: shop "20.00 EUR" age 931 agree no erp "25.00 EUR" overdue`, "usable true"}},
		{"they agree again", 60, strict, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "25.00 EUR", 30), order(t, event("e3", schemas.OrderUpdated, "shop", 40), "25.00 EUR", "")}, []string{`order.total: shop "25.00 EUR" age 20 agree yes`, "usable true"}},
		{"two differ, one agrees", 60, total, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "tax", "21.00 EUR", 30), says(t, "erp", "22.00 EUR", 31), says(t, "psp", "20.00 EUR", 32)},
			[]string{`order.total: shop "20.00 EUR" age 60 agree no erp "22.00 EUR" tax "21.00 EUR"`, "usable true"}},
		{"another currency is another value", 60, total, []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "20.00 CHF", 30)}, []string{`order.total: shop "20.00 EUR" age 60 agree no erp "20.00 CHF"`, "usable true"}},
		{"yen have no cents", 60, total, []*schemas.Event{placed(t, "1250 JPY"), says(t, "erp", "1250 JPY", 30)}, []string{`order.total: shop "1250 JPY" age 60 agree yes`, "usable true"}},
		{"a yen too many", 60, total, []*schemas.Event{placed(t, "1250 JPY"), says(t, "erp", "1251 JPY", 30)}, []string{`order.total: shop "1250 JPY" age 60 agree no erp "1251 JPY"`, "usable true"}},
		{"every digit stays", 60, total, []*schemas.Event{placed(t, "9007199254740993.23 EUR"), says(t, "erp", "9007199254740993.25 EUR", 30)},
			[]string{`order.total: shop "9007199254740993.23 EUR" age 60 agree no erp "9007199254740993.25 EUR"`, "usable true"}},
		{"the owner is silent", 60, total, []*schemas.Event{placed(t, ""), says(t, "erp", "20.00 EUR", 30)}, []string{`order.total: shop "" age 0 agree unknown silent erp ""`, "no: order.total  missing: shop, its owner, has not said it; ask finance", "usable false"}},
		{"the owner is silent, and need not speak", 60, reconcile.FactsQuery{Fields: []string{"order.total?"}}, []*schemas.Event{placed(t, ""), says(t, "erp", "20.00 EUR", 30)}, []string{`order.total: shop "" age 0 agree unknown silent erp "20.00 EUR"`, "usable true"}},
		{"nobody has spoken", 60, total, []*schemas.Event{placed(t, "")}, []string{`order.total: shop "" age 0 agree unknown silent`, "no: order.total  missing: shop, its owner, has not said it; ask finance", "usable false"}},
		{"the customer is unknown", 60, reconcile.FactsQuery{Fields: []string{"customer.segment"}}, []*schemas.Event{placed(t, "")}, []string{`customer.segment c1: crm "" age 0 agree unknown silent`,
			"no: customer.segment c1 missing: crm, its owner, has not said it; ask crm", "usable false"}},
		{"the customer is unknown, and need not be known", 60, reconcile.FactsQuery{Fields: []string{"customer.*"}}, []*schemas.Event{placed(t, "")}, []string{"usable true"}},
		{"stock of one line is unknown", 60, reconcile.FactsQuery{Fields: []string{"inventory.available"}}, []*schemas.Event{placed(t, ""), ofStock("MUG", "main", 7, 50)}, []string{`inventory.available  HAT: warehouse "" age 0 agree unknown silent`,
			`inventory.available main/i-MUG MUG: warehouse "" age 10 agree unknown`, "no: inventory.available HAT missing: warehouse, its owner, has not said it; ask fulfilment", "usable false"}},
		{"a source whose clock is ahead", 60, fresh, []*schemas.Event{func() *schemas.Event { ev := placed(t, "20.00 EUR"); ev.Time = at(9999); return ev }()}, []string{`order.total: shop "20.00 EUR" age 60 agree unknown`, "usable true"}},
	}
	topo := factsTopology(t, "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := reconcile.FactsOf(topo, held(topo, tt.known, tt.events...), tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, factLines(f)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestFactsOfTransferredAndSharedFields names the owner whose word counts.
func TestFactsOfTransferredAndSharedFields(t *testing.T) {
	t.Parallel()
	fsys := files("")
	own := fsys["ownership.yaml"]
	own.Data = []byte(strings.NewReplacer("order.total: {owner: shop, copies: [erp],", "order.total: {owner: shop, transfers: [{to: erp, from: 2026-11-23T12:00:20Z}],",
		"order.payment_status: {owner: shop, copies: [erp],", "order.payment_status: {owner: [shop, admin],").Replace(string(own.Data)))
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	f, err := reconcile.FactsOf(topo, held(topo, 60, placed(t, "20.00 EUR"), says(t, "erp", "25.00 EUR", 30), order(t, event("a", schemas.OrderUpdated, "admin", 40), "", "pending")),
		reconcile.FactsQuery{Fields: []string{"order.total", "order.payment_status"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`order.payment_status: shop "paid" age 60 agree no admin "pending"`, `order.total: erp "25.00 EUR" age 30 agree no shop "20.00 EUR"`, "usable true"}
	if d := cmp.Diff(want, factLines(f)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestFactsOfAViewThatIsBehind refuses what nobody can know.
func TestFactsOfAViewThatIsBehind(t *testing.T) {
	t.Parallel()
	topo := factsTopology(t, "")
	tests := []struct {
		name         string
		known, asked time.Time
		max          time.Duration
		want         []reconcile.Refusal
	}{
		{"never caught up", time.Time{}, at(60), 0, []reconcile.Refusal{{Reason: "behind", Detail: "the view has not yet held everything that came"}}},
		{"as far as is allowed", at(60), at(120), 2 * time.Minute, []reconcile.Refusal{}},
		{"further", at(20), at(141), 2 * time.Minute, []reconcile.Refusal{{Reason: "behind", Detail: "what came since 2026-11-23 12:00:20.000 cannot be known"},
			{Field: "order.total", Reason: "too_old", Detail: "shop said it 2m21s ago, and 2m0s is allowed", Ask: "finance"}}},
		{"of any age", at(20), at(9999), 0, []reconcile.Refusal{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := held(topo, 0, placed(t, "20.00 EUR"))
			h.KnownAt, h.AskedAt = tt.known, tt.asked
			f, err := reconcile.FactsOf(topo, h, reconcile.FactsQuery{Fields: []string{"order.total"}, MaxStaleness: tt.max})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, f.Refusals); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

const booksPolicy = `facts:
  fields: [order.total, "order.lines?", "customer.segment?"]
  max_staleness: 1m
  max_staleness_of: {customer.*: 10m}
`

// TestFactsPolicy narrows a policy in every way, and widens it in none.
func TestFactsPolicy(t *testing.T) {
	t.Parallel()
	topo := factsTopology(t, booksPolicy)
	events := []*schemas.Event{placed(t, "20.00 EUR"), says(t, "erp", "25.00 EUR", 30), ofCustomer("c-crm", "crm", "vip", 0)}
	again := placed(t, "20.00 EUR")
	again.Time, again.IngestedAt = at(50), at(50)
	const differs = "no: order.total  disagreement: erp, not shop, its owner, since 2026-11-23 12:00:30.000; ask finance"
	tests := []struct {
		name   string
		known  int
		query  reconcile.FactsQuery
		events []*schemas.Event
		want   []string
	}{
		{"the policy", 60, reconcile.FactsQuery{}, events[:1], []string{`order.lines: shop "1x2,2x1" age 60 agree unknown`, `order.total: shop "20.00 EUR" age 60 agree unknown`, "usable true"}},
		{"one field's own age", 61, reconcile.FactsQuery{Fields: []string{"customer.segment"}}, []*schemas.Event{again, events[2]}, []string{`customer.segment c1: crm "vip" age 61 agree unknown`, "usable true"}},
		{"refuses", 60, reconcile.FactsQuery{}, events, []string{`customer.segment c1: crm "" age 60 agree unknown`, `order.lines: shop "" age 60 agree unknown`, `order.total: shop "" age 60 agree no erp ""`, differs, "usable false"}},
		{"flag does not widen it", 60, reconcile.FactsQuery{OnDisagreement: "flag", Fields: []string{"order.total"}}, events, []string{`order.total: shop "" age 60 agree no erp ""`, differs, "usable false"}},
		{"fewer fields do not hide what is refused", 60, reconcile.FactsQuery{Fields: []string{"order.lines"}}, events, []string{`order.lines: shop "" age 60 agree unknown`, differs, "usable false"}},
		{"a lower age", 60, reconcile.FactsQuery{MaxStaleness: 30 * time.Second, Fields: []string{"order.total"}}, events[:1], []string{`order.total: shop "" age 60 agree unknown`,
			"no: order.lines  too_old: shop said it 1m0s ago, and 30s is allowed; ask fulfilment", "no: order.total  too_old: shop said it 1m0s ago, and 30s is allowed; ask finance", "usable false"}},
		{"a higher age does not widen it", 61, reconcile.FactsQuery{MaxStaleness: time.Hour, Fields: []string{"order.total"}}, events[:1], []string{`order.total: shop "" age 61 agree unknown`,
			"no: order.lines  too_old: shop said it 1m1s ago, and 1m0s is allowed; ask fulfilment", "no: order.total  too_old: shop said it 1m1s ago, and 1m0s is allowed; ask finance", "usable false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.query.For = "books"
			f, err := reconcile.FactsOf(topo, held(topo, tt.known, tt.events...), tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, factLines(f)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for _, q := range []reconcile.FactsQuery{{For: "warehouse"}, {For: "nobody"}, {For: "books", Fields: []string{"order.email"}}, {Fields: []string{"order.totl"}}, {Fields: []string{"fraud.level"}},
		{OnDisagreement: "ask"}, {MaxStaleness: -1}} {
		if _, err := reconcile.FactsOf(topo, held(topo, 0, events...), q); !errors.Is(err, reconcile.ErrBadQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestFactsID is the same while the facts are, and another with any other version.
func TestFactsID(t *testing.T) {
	t.Parallel()
	topo := factsTopology(t, "")
	id := func(known int, events ...*schemas.Event) string {
		f, err := reconcile.FactsOf(topo, held(topo, known, events...), reconcile.FactsQuery{Fields: []string{"order.total"}})
		if err != nil {
			t.Fatal(err)
		}
		return f.ID
	}
	ids := []string{id(60, placed(t, "20.00 EUR")), id(60, placed(t, "20.01 EUR")), id(60, placed(t, "20.00 EUR"), says(t, "erp", "20.00 EUR", 30)), id(60, placed(t, "20.00 EUR"), says(t, "erp", "30.00 EUR", 30)),
		id(60, placed(t, "20.00 EUR"), order(t, event("e2", schemas.OrderUpdated, "shop", 40), "20.00 EUR", ""))}
	if got := id(9999, placed(t, "20.00 EUR")); got != ids[0] {
		t.Errorf("time alone made %s of %s", got, ids[0])
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 5 || len(ids[0]) != 32 {
		t.Errorf("%d ids of 5 states: %v", n, ids)
	}
}

// TestViewFacts finds the customer and the stock of an order in the database.
func TestViewFacts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	view := b.follow(at(90))
	b.produce(b.record(placed(t, "20.00 EUR"), ""), b.record(ofCustomer("c-shop", "shop", "", 10), ""), b.record(ofStock("MUG", "main", 7, 50), ""), b.record(ofStock("PEN", "main", 9, 1), ""))
	b.caughtUp(view)
	f, err := view.Facts(t.Context(), "1001", reconcile.FactsQuery{Fields: []string{"order.total", "customer.*", "inventory.*"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range f.Facts {
		got = append(got, string(x.Field)+" "+x.Object)
	}
	if d := cmp.Diff([]string{"customer.email c1", "inventory.available main/i-MUG", "order.total "}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !f.Usable || f.KnownAt.IsZero() || f.State != reconcile.StatePending || !f.FactsAt.Equal(at(0)) {
		t.Errorf("%+v", f)
	}
	if _, err := view.Facts(t.Context(), "c1", reconcile.FactsQuery{}); !errors.Is(err, reconcile.ErrNotFound) {
		t.Errorf("a customer is no order: %v", err)
	}
}
