package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestDecideAgain has a row for everything that a person's wish to have an event delivered again overrides, and for what it
// does not.
func TestDecideAgain(t *testing.T) {
	t.Parallel()
	by := func(id schemas.EventID, ops ...schemas.Operation) func(*Facts) {
		return func(f *Facts) {
			f.Entry.Events = []schemas.FinishedEvent{{ID: "e1", BusinessID: "b1", Kind: schemas.Delivered}}
			for _, o := range ops {
				o.EventID = id
				f.Entry.Operations = append(f.Entry.Operations, o)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		et    schemas.EventType
		entry *schemas.LedgerEntry
		facts func(*Facts)
		even  schemas.Reason
		want  verdict
	}{
		{"it is finished, and made the step", schemas.OrderCreated, paid(), by("e1", op("fulfill", schemas.OpDone, "5")), "", call},
		{"another event made the step", schemas.OrderCreated, paid(), by("e0", op("fulfill", schemas.OpDone, "5")), "", stop(schemas.Duplicate, schemas.ReasonOnce)},
		{"another event told the fact", schemas.OrderCreated, paid(), func(f *Facts) {
			f.Entry.Events = []schemas.FinishedEvent{{ID: "e0", BusinessID: "b1", Kind: schemas.Delivered}}
		}, "", stop(schemas.Duplicate, schemas.ReasonSameBusiness)},
		{"the order was cancelled since", schemas.OrderCreated, paid(schemas.OrderCancelled), by("e1", op("fulfill", schemas.OpUndone, "5")), "", stop(schemas.Superseded, schemas.ReasonCancelled)},
		{"it was cancelled, and so it stays", schemas.OrderCreated, paid(schemas.OrderCancelled), by("e1", op("fulfill", schemas.OpUndone, "5")), schemas.ReasonStale, stop(schemas.Superseded, schemas.ReasonCancelled)},
		{"what it needs has not come", schemas.OrderCreated, &schemas.LedgerEntry{}, by("e1"), "", hold(schemas.ReasonNeeds)},
		{"it took the step back", schemas.OrderCancelled, paid(), by("e1", op("fulfill", schemas.OpUndone, "5"), op("cancel", schemas.OpDone, "5")), "", call},
		{"another took the step back", schemas.OrderCancelled, paid(), by("e0", op("fulfill", schemas.OpUndone, "5"), op("cancel", schemas.OpDone, "5")), "", stop(schemas.Withheld, schemas.ReasonNothingToUndo)},
		{"there was never anything to take back", schemas.OrderCancelled, paid(), by("e1"), "", stop(schemas.Withheld, schemas.ReasonNothingToUndo)},
		{"its own state stands there", schemas.OrderUpdated, paid(), by("e1", op("amend", schemas.OpDone, "5")), "", call},
		{"a newer state stands there", schemas.OrderUpdated, paid(), by("e1", op("amend", schemas.OpDone, "6")), "", stop(schemas.Superseded, schemas.ReasonStale)},
		{"a newer state stands there, even so", schemas.OrderUpdated, paid(), by("e1", op("amend", schemas.OpDone, "6")), schemas.ReasonStale, call},
		{"newer fields stand there, even so", schemas.OrderUpdated, paid(), func(f *Facts) {
			f.Entry.Applied = []schemas.Applied{{System: "shop", Version: "6", Fields: schemas.Says(f.Event)}}
		}, schemas.ReasonStale, call},
		{"it has expired", schemas.OrderUpdated, paid(), func(f *Facts) { f.Now = noon.Add(72 * time.Hour) }, "", stop(schemas.Expired, schemas.ReasonTooOld)},
		{"it has expired, even so", schemas.OrderUpdated, paid(), func(f *Facts) { f.Now = noon.Add(72 * time.Hour) }, schemas.ReasonStale, call},
		{"it is not its to say", schemas.OrderUpdated, paid(), func(f *Facts) { f.Event.System = "erp" }, schemas.ReasonStale, stop(schemas.Withheld, schemas.ReasonNotOwner)},
		{"nobody acts on it", schemas.DisputeOpened, paid(), by("e1"), "", stop(schemas.Withheld, schemas.ReasonNotSubscribed)},
		{"an earlier one is parked", schemas.OrderUpdated, paid(), func(f *Facts) { f.Parked = []Waiting{{ID: "e0", Reason: schemas.ReasonMapping}} }, "", hold(schemas.ReasonBehind)},
	} {
		f := Facts{Event: event(t, tt.et), Entry: tt.entry, Again: &schemas.Replay{ID: "r1", Even: tt.even}, Now: noon}
		tt.facts(&f)
		d := Decide(warehouse(), own, f)
		if diff := cmp.Diff(tt.want, verdict{d.Action, d.Kind, d.Reason}); diff != "" {
			t.Errorf("%s: %s: %s", tt.name, d.Detail, diff)
		}
	}
}

// TestKeyAgain is frozen: a worker that takes a replay over after an update must go on under the same keys.
func TestKeyAgain(t *testing.T) {
	t.Parallel()
	key := Key(&topology.Integration{Name: "warehouse"}, &topology.Route{Operation: "fulfill"}, &schemas.Event{ID: "e1"})
	got := map[string]string{"without": KeyAgain(key, nil), "r1": KeyAgain(key, &schemas.Replay{ID: "r1", Who: "ann", Why: "why"}), "again r1": KeyAgain(key, &schemas.Replay{ID: "r1"}), "r2": KeyAgain(key, &schemas.Replay{ID: "r2"})}
	want := map[string]string{"without": key, "r1": "6c2cc1be-b021-58c8-9c7e-4d26842fe4e9", "again r1": "6c2cc1be-b021-58c8-9c7e-4d26842fe4e9", "r2": "36379344-2570-5c53-92a2-e52a2773adb4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
