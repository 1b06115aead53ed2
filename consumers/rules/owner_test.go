package rules

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestEveryTypeHasAnOwner keeps a new event type from being believed from anybody.
func TestEveryTypeHasAnOwner(t *testing.T) {
	t.Parallel()
	known := schemas.Fields()
	for _, et := range schemas.EventTypes {
		field, ok := principal[et]
		if anybodys := et == schemas.OrderUpdated || et == schemas.OrderObserved || et == schemas.CustomerUpdated || et.Corrects(); ok == anybodys {
			t.Errorf("%s: principal field %q", et, field)
		}
		if ok && !slices.Contains(known, field) {
			t.Errorf("%s is judged by %s, which is no field", et, field)
		}
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	refund := func(id, amount string) *schemas.Event {
		ev := event(t, schemas.RefundSucceeded)
		ev.ID, ev.Refund = schemas.EventID("event of "+id), &schemas.Refund{ID: id, Amount: money(t, amount, "EUR")}
		return ev
	}
	total := func(version, amount string) *schemas.Event {
		ev := event(t, schemas.OrderUpdated)
		ev.SourceVersion, ev.Order.Total = version, money(t, amount, "EUR")
		return ev
	}
	by := func(system schemas.System, ev *schemas.Event) *schemas.Event {
		ev.System = system
		return ev
	}
	of := func(et schemas.EventType, ev *schemas.Event) *schemas.Event {
		ev.Type = et
		return ev
	}
	for _, tt := range []struct {
		name   string
		events []*schemas.Event
		want   schemas.LedgerEntry
	}{
		{"a type is seen once", []*schemas.Event{event(t, schemas.PaymentCaptured), event(t, schemas.PaymentCaptured)}, schemas.LedgerEntry{Seen: []schemas.EventType{schemas.PaymentCaptured}}},
		{"a non-owner's word is not", []*schemas.Event{by("psp", event(t, schemas.PaymentCaptured))}, schemas.LedgerEntry{}},
		{"nor its refund", []*schemas.Event{by("psp", refund("r1", "5.00"))}, schemas.LedgerEntry{}},
		{"nor its total", []*schemas.Event{by("erp", total("1", "5.00"))}, schemas.LedgerEntry{}},
		{"a state with a field of the speaker's is seen", []*schemas.Event{total("1", "20.00")},
			schemas.LedgerEntry{Seen: []schemas.EventType{schemas.OrderUpdated}, OrderTotal: money(t, "20.00", "EUR"), TotalVersion: "1", TotalSystem: "shop", TotalTime: noon.Add(-time.Hour)}},
		{"a state told late does not bring the old total back", []*schemas.Event{total("2", "15.00"), total("1", "20.00")},
			schemas.LedgerEntry{Seen: []schemas.EventType{schemas.OrderUpdated}, OrderTotal: money(t, "15.00", "EUR"), TotalVersion: "2", TotalSystem: "shop", TotalTime: noon.Add(-time.Hour)}},
		{"a refund that was only asked for adds nothing", []*schemas.Event{of(schemas.RefundRequested, refund("r1", "5.00"))}, schemas.LedgerEntry{Seen: []schemas.EventType{schemas.RefundRequested}}},
		{"nor one that failed", []*schemas.Event{of(schemas.RefundFailed, refund("r1", "5.00"))}, schemas.LedgerEntry{Seen: []schemas.EventType{schemas.RefundFailed}}},
		{"refunds add up by their id", []*schemas.Event{refund("r1", "5.00"), refund("r1", "5.00"), refund("r2", "7.00")},
			schemas.LedgerEntry{Seen: []schemas.EventType{schemas.RefundSucceeded}, Refunds: map[string]string{"r1": money(t, "5.00", "EUR").String(), "r2": money(t, "7.00", "EUR").String()}}},
	} {
		entry := &schemas.LedgerEntry{}
		for _, ev := range tt.events {
			before := *entry
			next := Note(own, entry, ev)
			if diff := cmp.Diff(before, *entry); diff != "" {
				t.Errorf("%s: Note changed what it was given:\n%s", tt.name, diff)
			}
			entry = next
		}
		if diff := cmp.Diff(tt.want, *entry, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRefundsWithoutAnIDAreTwo(t *testing.T) {
	t.Parallel()
	entry := &schemas.LedgerEntry{OrderTotal: money(t, "20.00", "EUR")}
	for _, id := range []schemas.EventID{"x", "y"} {
		ev := event(t, schemas.RefundSucceeded)
		ev.ID, ev.Refund = id, &schemas.Refund{Amount: money(t, "10.00", "EUR")}
		entry = Note(own, entry, ev)
	}
	if !FullyRefunded(entry) {
		t.Errorf("10 and 10 of 20 are not everything: %v", entry.Refunds)
	}
}

func TestFullyRefunded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		total   *schemas.Money
		refunds map[string]string
		want    bool
	}{
		{"exactly", money(t, "20.00", "EUR"), map[string]string{"a": "12.50 EUR", "b": "7.5 EUR"}, true},
		{"more", money(t, "20.00", "EUR"), map[string]string{"a": "25 EUR"}, true},
		{"a cent less", money(t, "20.00", "EUR"), map[string]string{"a": "19.99 EUR"}, false},
		{"ten cents and twenty are thirty", money(t, "0.30", "EUR"), map[string]string{"a": "0.1 EUR", "b": "0.2 EUR"}, true},
		{"nothing", money(t, "20.00", "EUR"), nil, false},
		{"a free order with nothing refunded", money(t, "0", "EUR"), nil, false},
		{"total unknown", nil, map[string]string{"a": "20 EUR"}, false},
		{"another currency", money(t, "20.00", "EUR"), map[string]string{"a": "20 USD"}, false},
		{"one of two in another currency", money(t, "20.00", "EUR"), map[string]string{"a": "20 EUR", "b": "1 USD"}, false},
	} {
		if got := FullyRefunded(&schemas.LedgerEntry{OrderTotal: tt.total, Refunds: tt.refunds}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestRandomFacts draws facts at random and holds the decision against what may never be.
func TestRandomFacts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	systems := []schemas.System{"shop", "warehouse", "erp", "fraud"}
	types := []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.PaymentCaptured, schemas.RefundSucceeded, schemas.FraudAssessed}
	states := []schemas.OperationState{schemas.OpIntent, schemas.OpDone, schemas.OpUndone}
	pick := func(n int) bool { return rng.IntN(n) == 0 }
	seen := map[Action]int{}
	for range 50_000 {
		in := warehouse()
		in.Order = []string{"hold", "pass"}[rng.IntN(2)]
		ev := event(t, types[rng.IntN(len(types))])
		ev.System = systems[rng.IntN(len(systems))]
		if pick(2) && ev.Order != nil {
			ev.Order.FulfillmentStatus = "fulfilled"
		}
		ev.Time = noon.Add(-time.Duration(rng.IntN(60)) * time.Hour)
		ev.SourceVersion = []string{"", "1", "5", "9"}[rng.IntN(4)]
		entry := &schemas.LedgerEntry{}
		for _, name := range []string{"fulfill", "cancel", "amend"} {
			if pick(3) {
				entry.Operations = append(entry.Operations, op(name, states[rng.IntN(3)], "5"))
			}
		}
		if pick(8) {
			entry.Events = []schemas.FinishedEvent{{ID: []schemas.EventID{"e1", "e9"}[rng.IntN(2)], BusinessID: []string{"b1", "b9"}[rng.IntN(2)]}}
		}
		if pick(2) {
			entry.Seen = []schemas.EventType{schemas.PaymentCaptured}
		}
		if pick(8) {
			entry.Seen = append(entry.Seen, schemas.OrderCancelled)
		}
		f := Facts{Event: ev, Entry: Note(own, entry, ev), Now: noon, Attempted: pick(4)}
		if pick(6) {
			f.Parked = []Waiting{{ID: "e0", Reason: []schemas.Reason{schemas.ReasonNeeds, schemas.ReasonUnknown}[rng.IntN(2)]}}
		}
		d := Decide(in, own, f)
		seen[d.Action]++
		if d.Action == Call {
			checkCall(t, in, f, d)
		}
		if again := Decide(in, own, f); !cmp.Equal(d, again, cmpopts.IgnoreFields(Decision{}, "Route")) {
			t.Fatalf("decided twice, differently: %s", cmp.Diff(d, again, cmpopts.IgnoreFields(Decision{}, "Route")))
		}
	}
	for _, a := range []Action{Finish, Hold, Call} {
		if seen[a] < 500 {
			t.Errorf("%s came up %d times: the facts do not test it", a, seen[a])
		}
	}
}

// checkCall is what no call may break.
func checkCall(t *testing.T, in *topology.Integration, f Facts, d Decision) {
	t.Helper()
	for _, v := range schemas.FieldsOf(d.Sent(f.Event)) {
		if o := entries[v.Field].Owner; !o.Has(f.Event.System) || o.Has(in.System) {
			t.Fatalf("%s of %s is written into %s by %s", v.Field, o, in.System, f.Event.System)
		}
	}
	for _, done := range f.Entry.Events {
		if done.ID == f.Event.ID || done.BusinessID == f.Event.BusinessID {
			t.Fatalf("called for a finished event: %+v", done)
		}
	}
	standing := OperationOf(f.Entry, d.Route.Operation)
	if d.Route.Once && standing != nil {
		t.Fatalf("%s is made twice", d.Route.Operation)
	}
	if standing != nil && standing.State == schemas.OpDone && d.Route.Operation == "amend" && f.Event.SourceVersion == "1" {
		t.Fatal("an older state overwrites a newer")
	}
	for _, need := range d.Route.Needs {
		if !slices.Contains(f.Entry.Seen, need) {
			t.Fatalf("called without %s", need)
		}
	}
	if d.Route.Undoes != "" && OperationOf(f.Entry, d.Route.Undoes) == nil && IntentOf(f.Entry, d.Route.Undoes) == nil {
		t.Fatal("undone what was never made")
	}
	if d.Route.Operation == "fulfill" && !f.Attempted && slices.Contains(f.Entry.Seen, schemas.OrderCancelled) {
		t.Fatal("a cancelled order is fulfilled")
	}
	if in.Order == "hold" && len(f.Parked) > 0 && f.Parked[0].Reason != schemas.ReasonNeeds {
		t.Fatal("passed a parked event of its order")
	}
	if f.Now.Sub(f.Event.Time) > in.ExpiresAfter.D() && !f.Attempted {
		t.Fatal("called for an expired event")
	}
}
