package reconcile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestReadBacks is what the reads of a call's record make of an order.
func TestReadBacks(t *testing.T) {
	t.Parallel()
	read := func(id string, seconds int, result string) *schemas.Event {
		ev := event(id, schemas.OrderObserved, "books", seconds)
		ev.Source, ev.Time = schemas.ReadBackSource("books"), at(seconds-120)
		ev.ReadBack = &schemas.ReadBack{Integration: "books", Operation: "book", EventID: "e1", Reference: "b-7", Result: result}
		return ev
	}
	found := read("r1", 60, schemas.ReadFound)
	found.Order = &schemas.Order{ID: "1001", Status: "open", Email: "jane@example.com"}
	forged := read("r1", 60, schemas.ReadMissing)
	forged.Source = "/webhooks/books"
	failed := read("r1", 60, schemas.ReadFailed)
	failed.ReadBack.Detail = "answered 500: ask jane@example.com"
	tests := []struct {
		name    string
		reads   []*schemas.Event
		undone  bool
		state   reconcile.State // of books
		detail  string
		lines   []string // of the text
		without string
	}{
		{"found", []*schemas.Event{found}, false, reconcile.StateComplete, "", []string{
			"2026-11-23 12:01:00.000  11:59:00.000  books  order.observed  r1 version 2026-11-23T12:01:00Z (read-back of books/book: found)",
			"read back       result  its clock                our clock                age    says",
			"books/book b-7  found   2026-11-23 11:59:00.000  2026-11-23 12:01:00.000  2m10s  order.status open, order.email j***@***.com #"}, ""},
		{"missing", []*schemas.Event{read("r1", 60, schemas.ReadMissing)}, false, reconcile.StateMissing, "order.created: it was answered, and a read-back at 2026-11-23 12:01:00.000 does not find what the call made", []string{
			"missing in books: order.created: it was answered, and a read-back at", "page finance"}, ""},
		{"missing, then found", []*schemas.Event{read("r1", 60, schemas.ReadMissing), read("r2", 65, schemas.ReadFound)}, false, reconcile.StateComplete, "", nil, "page"},
		{"missing once it was taken back", []*schemas.Event{read("r1", 60, schemas.ReadMissing)}, true, reconcile.StateComplete, "", nil, "page"},
		{"not read", []*schemas.Event{failed}, false, reconcile.StateComplete, "", []string{"books/book b-7  failed", "answered 500: ask j***@***.com"}, "jane@"},
		{"said by another under its name", []*schemas.Event{forged}, false, reconcile.StateComplete, "", nil, "read back"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			topo := loadWith(t, map[string]string{"integrations/books.yaml": "name: books\nteam: finance\noperation: book\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\ndeliver:\n" +
				"  - on: [order.created]\n    http: {method: PUT, url: \"http://127.0.0.1:1/{order.id}\"}\n    body: {reference: order.id}\n    read_back: {get: \"http://127.0.0.1:1/{event.subject}\"}\n" +
				"  - on: [order.cancelled]\n    operation: unbook\n    undoes: book\n    http: {url: \"http://127.0.0.1:1/\"}\n    body: {reference: event.subject}\n"})
			f := reconcile.NewFold(topo, schemas.TopicOrders, "1001")
			f.Event(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), reconcile.Position{Offset: 0})
			booked := outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)
			booked.Operation = "book"
			f.Outcome(booked, reconcile.Position{Offset: 0})
			if tt.undone {
				f.Event(order(t, event("e2", schemas.OrderCancelled, "shop", 20), "20.00 EUR", "paid"), reconcile.Position{Offset: 1})
				undone := outcome("books", "e2", schemas.OrderCancelled, schemas.Delivered, "", 25)
				undone.Operation = "unbook"
				f.Outcome(undone, reconcile.Position{Offset: 1})
			}
			for i, ev := range tt.reads {
				f.Event(ev, reconcile.Position{Offset: int64(10 + i)})
			}
			o := f.Order(at(70))
			in := o.Integrations[0]
			if in.Name != "books" || in.State != tt.state || in.Detail != tt.detail {
				t.Errorf("%s is %s: %q", in.Name, in.State, in.Detail)
			}
			var b strings.Builder
			if err := o.Write(&b); err != nil {
				t.Fatal(err)
			}
			for _, line := range tt.lines {
				if !strings.Contains(b.String(), line) {
					t.Errorf("no %q in\n%s", line, b.String())
				}
			}
			if tt.without != "" && strings.Contains(b.String(), tt.without) {
				t.Errorf("%q in\n%s", tt.without, b.String())
			}
		})
	}
}

// TestReadBackWords: what a read-back says of fields is its system's word, marked as read.
func TestReadBackWords(t *testing.T) {
	t.Parallel()
	f := reconcile.NewFold(load(t, ""), schemas.TopicOrders, "1001")
	f.Event(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), reconcile.Position{Offset: 0})
	ev := event("r1", schemas.OrderObserved, "erp", 60)
	ev.Source, ev.ReadBack = schemas.ReadBackSource("books"), &schemas.ReadBack{Integration: "books", Operation: "book", EventID: "e1", Result: schemas.ReadFound}
	ev.Order = &schemas.Order{ID: "1001", Total: money(t, "25.00 EUR")}
	f.Event(ev, reconcile.Position{Offset: 1})
	o := f.Order(at(70))
	var got []string
	for _, d := range o.Disagreements {
		got = append(got, string(d.Field)+" "+string(d.System)+" "+d.Value+", "+string(d.Owner)+" "+d.OwnerValue)
	}
	if d := cmp.Diff([]string{"order.total erp 25.00 EUR, shop 20.00 EUR"}, got); d != "" {
		t.Errorf("disagreements (-want +got):\n%s", d)
	}
	for _, field := range o.Fields {
		for _, s := range field.Said {
			if s.ReadBack != (s.System == "erp") {
				t.Errorf("%s of %s: read back %v", field.Field, s.System, s.ReadBack)
			}
		}
	}
}
