package rules

import (
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// An event store wants every state, however late it comes; a record that is overwritten wants the newest only.
func TestEachSendsOlderStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		each bool
		want Action
	}{{true, Call}, {false, Finish}} {
		in := &topology.Integration{Name: "books", System: "books", Order: "pass", Deliver: []topology.Route{
			{On: []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated}, Operation: "book", Each: tt.each, HTTP: &topology.HTTPCall{}},
		}}
		total, err := schemas.NewMoney("1.00", "EUR")
		if err != nil {
			t.Fatal(err)
		}
		d := Decide(in, own, Facts{
			Event: &schemas.Event{ID: "1", Type: schemas.OrderCreated, System: "shop", Subject: "A", SourceVersion: "2026-11-23T08:00:00Z", Order: &schemas.Order{ID: "A", Total: total}},
			Entry: &schemas.LedgerEntry{Operations: []schemas.Operation{{Name: "book", State: schemas.OpDone, Version: "2026-11-23T08:00:01Z"}}},
			Now:   time.Date(2026, 11, 23, 8, 0, 2, 0, time.UTC),
		})
		if d.Action != tt.want {
			t.Errorf("each %v: %s (%s %s), want %s", tt.each, d.Action, d.Reason, d.Detail, tt.want)
		}
	}
}
