package rules

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// deciders is which rule may give a final word, by its reason; a call is the last rule's.
var deciders = map[schemas.Reason][]Rule{
	schemas.ReasonSameEvent: {RuleDuplicate}, schemas.ReasonSameBusiness: {RuleDuplicate}, schemas.ReasonNotSubscribed: {RuleSubscribed},
	schemas.ReasonNotOwner: {RuleSpeaker, RuleCorrection, RuleOwner}, schemas.ReasonErased: {RuleCorrection}, schemas.ReasonNotTaken: {RuleCorrection},
	schemas.ReasonHeld: {RuleCorrection}, schemas.ReasonPrerequisite: {RuleRoute}, schemas.ReasonTooOld: {RuleExpired},
	schemas.ReasonNothingToUndo: {RuleUndoes}, schemas.ReasonOnce: {RuleOnce}, schemas.ReasonStale: {RuleStale}, schemas.ReasonCorrected: {RuleStale},
	schemas.ReasonCancelled: {RuleSuperseded}, schemas.ReasonNeeds: {RuleNeeds}, schemas.ReasonBehind: {RuleBehind}, schemas.ReasonConflict: {RuleConflict},
	schemas.ReasonNone: {RuleConflict},
}

// TestExplainIsDecide holds Explain to Decide over random events and entries: the last step is the decision, the steps are
// the rules in their order up to the one whose word it is, and every rule has its turn.
func TestExplainIsDecide(t *testing.T) {
	t.Parallel()
	decided := map[Rule]int{}
	for seed := range uint64(6_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		in, owners, f := randomFacts(t, r)
		want := Decide(in, owners, f)
		steps := Explain(in, owners, f)
		last := steps[len(steps)-1]
		if !reflect.DeepEqual(*last.Decision, want) {
			t.Fatalf("seed %d: Explain says %+v, Decide %+v", seed, *last.Decision, want)
		}
		for i, s := range steps {
			if s.Rule != Rules[i] || s.Looked == "" || s.Said == "" || (s.Said == "pass") != (i < len(steps)-1) || (s.Decision != nil) != (i == len(steps)-1) {
				t.Fatalf("seed %d: step %d of %d is %+v, want %s", seed, i, len(steps), s, Rules[i])
			}
		}
		if !slices.Contains(deciders[want.Reason], last.Rule) {
			t.Fatalf("seed %d: %s is not the word of rule %s", seed, want.Reason, last.Rule)
		}
		for _, s := range steps {
			for _, field := range s.Fields {
				i := slices.Index(want.Withheld, string(field.Field))
				if sent := i < 0; sent != field.Sent || !sent && field.Reason != want.Why[i] {
					if s := last.Rule; s != RuleOwner && s != RuleRoute && s != RuleCorrection { // those end before fields are named
						t.Fatalf("seed %d: field %+v, and the decision withholds %v %v", seed, field, want.Withheld, want.Why)
					}
				}
			}
		}
		decided[last.Rule]++
	}
	for _, r := range Rules {
		if decided[r] == 0 {
			t.Errorf("no event was decided by rule %s: the test does not reach it (%v)", r, decided)
		}
	}
}

// randomFacts draws an integration, owners and what is to be decided, with small alphabets, so that things meet.
func randomFacts(t *testing.T, r *rand.Rand) (*topology.Integration, *Owners, Facts) {
	t.Helper()
	types := []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.PaymentCaptured, schemas.RefundSucceeded, schemas.OrderCorrected}
	systems := []schemas.System{"shop", "erp", "warehouse"}
	version := func() string { return []string{"", "3", "5", "7"}[r.IntN(4)] }
	some := func() []schemas.EventType {
		return slices.DeleteFunc(slices.Clone(types), func(schemas.EventType) bool { return r.IntN(3) > 0 })
	}
	in := warehouse()
	in.System = systems[r.IntN(3)]
	in.Order = []string{"hold", "pass"}[r.IntN(2)]
	if r.IntN(2) == 0 {
		in.Deliver = append(in.Deliver, topology.Route{On: []schemas.EventType{schemas.OrderCorrected}, Operation: "correct", Fields: []schemas.Field{"order.total"}, Each: r.IntN(3) == 0})
	}
	for i := range in.Deliver {
		in.Deliver[i].Each = in.Deliver[i].Each || !in.Deliver[i].Once && r.IntN(4) == 0
	}
	own := map[schemas.Field]topology.Owner{}
	for _, field := range []schemas.Field{"order.status", "order.total", "payment.amount", "refund.amount"} {
		switch r.IntN(8) {
		case 0:
			own[field] = topology.Owner{Owner: topology.Systems{"shop", "erp"}, OnConflict: []topology.OnConflict{"", topology.ConflictPark}[r.IntN(2)]}
		case 1:
			own[field] = by(systems[r.IntN(3)])
		default:
			own[field] = by("shop")
		}
	}
	owners := NewOwners(own)
	event := func(id schemas.EventID) *schemas.Event {
		ev := event(t, types[r.IntN(len(types))])
		ev.ID, ev.SourceVersion, ev.BusinessID, ev.System = id, version(), "b"+string(id), "shop"
		if r.IntN(4) == 0 {
			ev.System = systems[r.IntN(3)]
		}
		ev.Time = noon.Add(-time.Duration(r.IntN(60)) * time.Hour)
		if ev.Order != nil {
			ev.Order.Total = money(t, []string{"20.00", "30.00"}[r.IntN(2)], "EUR")
		}
		if ev.Type == schemas.OrderCorrected && r.IntN(4) > 0 {
			ev.System, ev.Order = schemas.TeamSystem("finance"), &schemas.Order{ID: "A", Total: money(t, "20.00", "EUR")}
			ev.Correction = &schemas.Correction{Field: []schemas.Field{"order.total", "order.status"}[r.IntN(2)], Of: systems[r.IntN(3)], Held: []schemas.System{systems[r.IntN(3)]}}
		}
		return ev
	}
	entry := &schemas.LedgerEntry{Key: "A"}
	for range r.IntN(4) {
		entry = Note(owners, entry, event("e0"))
	}
	for _, name := range []string{"fulfill", "cancel", "amend"} {
		if r.IntN(3) == 0 {
			entry.Operations = append(entry.Operations, op(name, []schemas.OperationState{schemas.OpDone, schemas.OpUndone, schemas.OpIntent}[r.IntN(3)], version()))
		}
	}
	if r.IntN(3) == 0 {
		entry.Applied = []schemas.Applied{{System: systems[r.IntN(2)], Version: version(), Time: noon.Add(-time.Hour), Fields: schemas.SetOf("order.status", "order.total")}}
	}
	ev := event("e1")
	f := Facts{Event: ev, Entry: Note(owners, entry, ev), Behind: some(), Attempted: r.IntN(6) == 0, Released: r.IntN(6) == 0, Now: noon}
	if r.IntN(8) == 0 {
		f.Entry.Events = []schemas.FinishedEvent{{ID: []schemas.EventID{"e1", "e9"}[r.IntN(2)], BusinessID: "be1", Kind: schemas.Delivered, At: noon}}
	}
	if r.IntN(4) == 0 {
		f.Parked = []Waiting{{ID: "e8", BusinessID: "b8", Reason: []schemas.Reason{schemas.ReasonNeeds, schemas.ReasonUnknown}[r.IntN(2)]}}
	}
	return in, owners, f
}

// TestExplainTells reads one explanation as a person would.
func TestExplainTells(t *testing.T) {
	t.Parallel()
	created := event(t, schemas.OrderCreated)
	steps := Explain(warehouse(), own, Facts{Event: created, Entry: Note(own, &schemas.LedgerEntry{Key: "A"}, created), Now: noon})
	var got []string
	for _, s := range steps {
		got = append(got, string(s.Rule)+": "+s.Looked+": "+s.Said)
	}
	want := []string{
		"duplicate: event e1 among 0 finished and 0 parked of A: pass",
		"subscribed: warehouse acts on order.created, payment.captured, order.cancelled, refund.succeeded, order.updated: pass",
		"speaker: shop speaks; order.created is the word of who owns order.status: shop: pass",
		"correction: no correction: pass",
		"owner: 2 fields that shop says: pass",
		"route: the route on order.created does fulfill: pass",
		"expired: 1h0m0s old of at most 48h0m0s: pass",
		"undoes: it takes nothing back: pass",
		"once: once for each order: fulfill was not made: pass",
		"stale: a request that is made once: pass",
		"superseded: pointless after order.cancelled, refund.full; seen: order.created; behind it: none: pass",
		"needs: waits for payment.captured; seen: order.created: hold: needs, waits for [payment.captured]",
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}
