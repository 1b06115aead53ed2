package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestMadeFromFacts holds what the AI step names to what it was given.
func TestMadeFromFacts(t *testing.T) {
	t.Parallel()
	oldest := at(-30)
	given := func(id string) *schemas.Outcome {
		o := outcome("enrichment", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)
		o.Facts = &schemas.FactsSeen{ID: id, KnownAt: at(4), AskedAt: at(4), FactsAt: &oldest, Facts: []schemas.FactSeen{
			{Field: "order.total", Owner: "shop", SourceVersion: "7", AsOf: oldest, AgeSeconds: 34, Agree: "no"},
			{Field: "inventory.available", Object: "main/1", SKU: "MUG", Owner: "warehouse", AsOf: at(0), AgeSeconds: 4, Agree: "unknown"}}}
		return o
	}
	parked := outcome("enrichment", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonFacts, 5)
	until := at(100)
	parked.Until = &until
	tests := []struct {
		name    string
		names   string // facts id
		at      *time.Time
		outcome *schemas.Outcome
		given   reconcile.Given
		verdict bool // it is told as a fault
		line    string
	}{
		{"the facts that were given", "f1", &oldest, given("f1"), reconcile.GivenYes, false, "order.enriched w1  f1  order.total                     shop       34s  systems differ"},
		{"others", "f2", &oldest, given("f1"), reconcile.GivenNo, true, "no: no call to it carried these facts"},
		{"younger than they were", "f1", new(at(3)), given("f1"), reconcile.GivenNo, true, "no: it says that its oldest fact is of"},
		{"none", "", nil, given("f1"), reconcile.GivenUnknown, false, "unknown: it names no facts"},
		{"before the call's outcome is known", "f1", &oldest, nil, reconcile.GivenUnknown, false, "unknown: what was given to it is not known yet"},
		{"while the call waits for facts", "f1", &oldest, parked, reconcile.GivenUnknown, false, "unknown: what was given to it is not known yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			topo := loadWith(t, map[string]string{"integrations/enrichment.yaml": "name: enrichment\nteam: finance\noperation: enrich\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\n" +
				"facts: {fields: [order.total]}\ndeliver:\n  - on: [order.created]\n    http: {url: \"http://127.0.0.1:1/\"}\n    body: {facts: facts}\n"})
			f := reconcile.NewFold(topo, schemas.TopicOrders, "1001")
			f.Event(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), reconcile.Position{Offset: 0})
			wrote := event("w1", schemas.OrderEnriched, "enrichment", 6)
			wrote.Enrichment = &schemas.Enrichment{Summary: "a mug", FactsID: tt.names, FactsAt: tt.at}
			f.Event(wrote, reconcile.Position{Offset: 1})
			if tt.outcome != nil {
				f.Outcome(tt.outcome, reconcile.Position{Offset: 2})
			}
			o := f.Order(at(10))
			if len(o.Derived) != 1 || o.Derived[0].Given != tt.given {
				t.Fatalf("derived %+v, want %s", o.Derived, tt.given)
			}
			if told := strings.Contains(o.Verdict, "made from facts that were not given: order.enriched (enrichment)"); told != tt.verdict {
				t.Errorf("verdict %q", o.Verdict)
			}
			var b strings.Builder
			if err := o.Write(&b); err != nil || !strings.Contains(b.String(), tt.line) {
				t.Errorf("%v: no %q in\n%s", err, tt.line, b.String())
			}
			if tt.outcome == parked && o.Integrations[1].Name == "enrichment" && o.Integrations[1].State != reconcile.StatePending {
				t.Errorf("who waits for facts is %s", o.Integrations[1].State)
			}
		})
	}
}
