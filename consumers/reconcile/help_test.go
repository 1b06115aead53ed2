package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// at is noon and some seconds.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// files is a topology of two integrations: warehouse waits for the payment, books takes every state.
func files(prefix string) fstest.MapFS {
	const deliver = "idempotency: {upsert: true}\ndeliver:\n"
	return fstest.MapFS{
		"topics.yaml": {Data: []byte("prefix: \"" + prefix + "\"\npartitions: 3\n")},
		"teams.yaml":  {Data: []byte("fulfilment: {pager: p}\nfinance: {pager: p}\ncrm: {pager: p}\n")},
		"ownership.yaml": {Data: []byte(`
order.status: {owner: shop, copies: [erp], agree_within: 30m, page: finance}
order.total: {owner: shop, copies: [erp], tolerance: "0.01", agree_within: 15m, page: finance}
order.payment_status: {owner: shop, copies: [erp], agree_within: 15m, page: finance}
order.email: {owner: shop, copies: [crm], agree_within: 1h, page: crm}
payment.amount: {owner: shop, copies: [psp], agree_within: 15m, page: finance}
refund.amount: {owner: shop, copies: [psp], agree_within: 15m, page: finance}
customer.email: {owner: shop, copies: [crm], agree_within: 1h, page: crm}
inventory.available: {owner: warehouse, copies: [shop], agree_within: 15m, page: fulfilment}
unowned: ["*"]
`)},
		"integrations/warehouse.yaml": {Data: []byte("name: warehouse\nteam: fulfilment\noperation: fulfill\ncomplete_within: 30m\nstale_after: 15m\n" + deliver +
			"  - on: [order.created]\n    needs: [payment.captured]\n    superseded_by: [order.cancelled]\n    http: {method: PUT, url: \"http://127.0.0.1:1/{order.id}\"}\n    body: {reference: order.id}\n")},
		"integrations/books.yaml": {Data: []byte("name: books\nteam: finance\noperation: book\ncomplete_within: 1h\nstale_after: 1h\n" + deliver +
			"  - on: [order.created, order.updated]\n    http: {method: PUT, url: \"http://127.0.0.1:1/{order.id}\"}\n    body: {reference: order.id}\n")},
	}
}

func load(t testing.TB, prefix string) *topology.Topology { return loadFiles(t, files(prefix)) }

// loadWith is the topology with further files.
func loadWith(t testing.TB, more map[string]string) *topology.Topology {
	fsys := files("")
	for name, text := range more {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return loadFiles(t, fsys)
}

func loadFiles(t testing.TB, fsys fstest.MapFS) *topology.Topology {
	t.Helper()
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func money(t testing.TB, text string) *schemas.Money {
	t.Helper()
	amount, currency, _ := strings.Cut(text, " ")
	m, err := schemas.NewMoney(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// event is an event of a system about order 1001, seen seconds after noon by both clocks.
func event(id string, et schemas.EventType, system schemas.System, seconds int) *schemas.Event {
	return &schemas.Event{ID: schemas.EventID(id), Type: et, System: system, Source: "/test/" + string(system), Subject: "1001",
		Time: at(seconds), IngestedAt: at(seconds), SourceVersion: at(seconds).Format(time.RFC3339), DeliveryID: id, BusinessID: string(et) + "/1001/" + id}
}

// order gives an order event a total and a status.
func order(t testing.TB, ev *schemas.Event, total, paymentStatus string) *schemas.Event {
	ev.Order = &schemas.Order{ID: ev.Subject, Status: "open", PaymentStatus: paymentStatus}
	if total != "" {
		ev.Order.Total = money(t, total)
	}
	return ev
}

// outcome is what became of an event, seconds after noon.
func outcome(integration, id string, et schemas.EventType, kind schemas.Kind, reason schemas.Reason, seconds int) *schemas.Outcome {
	return &schemas.Outcome{Integration: integration, EventID: schemas.EventID(id), EventType: et, OrderID: "1001", Kind: kind, Reason: reason,
		EventTime: noon, IngestedAt: noon, At: at(seconds), Topic: "orders", Instance: "i1"}
}

// fact is an event or an outcome.
type fact any

// fold folds facts in their order: their positions count up by topic.
func fold(topo *topology.Topology, facts ...fact) *reconcile.Fold {
	f := reconcile.NewFold(topo, "orders", "1001")
	var events, outcomes int64
	for _, x := range facts {
		switch x := x.(type) {
		case *schemas.Event:
			f.Event(x, reconcile.Position{Offset: events})
			events++
		case *schemas.Outcome:
			f.Outcome(x, reconcile.Position{Offset: outcomes})
			outcomes++
		case *schemas.ParkedRecord:
			f.Parked(x)
		default:
			panic(fmt.Sprintf("no fact: %T", x))
		}
	}
	return f
}
