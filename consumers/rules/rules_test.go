package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// verdict is what a row of the table asks of a Decision.
type verdict struct {
	Action Action
	Kind   schemas.Kind
	Reason schemas.Reason
}

var call = verdict{Action: Call}

func stop(kind schemas.Kind, reason schemas.Reason) verdict { return verdict{Finish, kind, reason} }
func hold(reason schemas.Reason) verdict                    { return verdict{Action: Hold, Reason: reason} }

// paid is an entry that has seen the payment, and types beside it.
func paid(types ...schemas.EventType) *schemas.LedgerEntry {
	return &schemas.LedgerEntry{Seen: append(types, schemas.PaymentCaptured)}
}

// TestDecide has a row for every rule: without the rule, what comes after it decides, and the row fails.
func TestDecide(t *testing.T) {
	t.Parallel()
	type facts = func(*topology.Integration, *Facts)
	full := func(_ *topology.Integration, f *Facts) {
		f.Entry.OrderTotal = money(t, "20.00", "EUR")
		f.Entry.Refunds = map[string]string{"r1": "20.00 EUR"}
	}
	for _, tt := range []struct {
		name  string
		et    schemas.EventType
		entry *schemas.LedgerEntry
		facts facts
		want  verdict
	}{
		{"nothing against it", schemas.OrderCreated, paid(), nil, call},

		{"the same event was finished", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Events = []schemas.FinishedEvent{{ID: "e1", Kind: schemas.Superseded}}
		}, stop(schemas.Duplicate, schemas.ReasonSameEvent)},
		{"the same fact was finished under another id", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Events = []schemas.FinishedEvent{{ID: "e0", BusinessID: "b1", Kind: schemas.Delivered}}
		}, stop(schemas.Duplicate, schemas.ReasonSameBusiness)},
		{"facts without a business identity are not the same", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Event.BusinessID = ""
			f.Entry.Events = []schemas.FinishedEvent{{ID: "e0", Kind: schemas.Delivered}}
		}, call},
		{"the same event is parked", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Parked = []Waiting{{ID: "e1", Reason: schemas.ReasonMapping}}
		}, stop(schemas.Duplicate, schemas.ReasonSameEvent)},
		{"the same fact is parked under another id", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Parked = []Waiting{{ID: "e0", BusinessID: "b1", Reason: schemas.ReasonUnknown}}
		}, stop(schemas.Duplicate, schemas.ReasonSameBusiness)},
		{"what is parked without a business identity is not the same fact", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Event.BusinessID = ""
			f.Parked = []Waiting{{ID: "e0", Reason: schemas.ReasonNeeds}}
		}, call},
		{"unreadable bytes under the same id are not the event", schemas.OrderCreated, paid(), func(in *topology.Integration, f *Facts) {
			in.Order = "pass"
			f.Parked = []Waiting{{ID: "e1", BusinessID: "b1", Reason: schemas.ReasonPoison}}
		}, call},

		{"not subscribed", schemas.FulfillmentShipped, paid(), nil, stop(schemas.Withheld, schemas.ReasonNotSubscribed)},
		{"a type that only its owner tells", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) { f.Event.System = "erp" }, stop(schemas.Withheld, schemas.ReasonNotOwner)},
		{"a type that only its owner tells, with a field of the speaker's", schemas.OrderCreated, paid(), func(in *topology.Integration, f *Facts) {
			in.System, f.Event.System, f.Event.Order.FulfillmentStatus = "erp", "warehouse", "fulfilled"
		}, stop(schemas.Withheld, schemas.ReasonNotOwner)},
		{"a state of which nothing is the speaker's", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) { f.Event.System = "erp" }, stop(schemas.Withheld, schemas.ReasonNotOwner)},
		{"a state of which all is the downstream's own", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Event.System, f.Event.Order = "warehouse", &schemas.Order{FulfillmentStatus: "fulfilled"}
		}, stop(schemas.Withheld, schemas.ReasonNotOwner)},

		{"only a prerequisite", schemas.PaymentCaptured, paid(), nil, stop(schemas.Withheld, schemas.ReasonPrerequisite)},
		{"a partial refund is nothing to the warehouse", schemas.RefundSucceeded, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.OrderTotal = money(t, "20.01", "EUR")
			f.Entry.Refunds = map[string]string{"r1": "20.00 EUR"}
		}, stop(schemas.Withheld, schemas.ReasonPrerequisite)},

		{"too old", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) { f.Event.Time = noon.Add(-49 * time.Hour) }, stop(schemas.Expired, schemas.ReasonTooOld)},
		{"too old, but perhaps made", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Event.Time, f.Attempted = noon.Add(-49*time.Hour), true
		}, call},
		{"nothing ever expires by default", schemas.OrderCreated, paid(), func(in *topology.Integration, f *Facts) {
			in.ExpiresAfter, f.Event.Time = 0, noon.Add(-10_000*time.Hour)
		}, call},

		{"nothing to undo", schemas.OrderCancelled, paid(), nil, stop(schemas.Withheld, schemas.ReasonNothingToUndo)},
		{"undone before", schemas.OrderCancelled, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpUndone, "1")}
		}, stop(schemas.Withheld, schemas.ReasonNothingToUndo)},
		{"something to undo", schemas.OrderCancelled, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpDone, "1")}
		}, call},
		{"perhaps something to undo", schemas.OrderCancelled, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpIntent, "")}
		}, call},
		{"a full refund undoes too", schemas.RefundSucceeded, paid(), func(in *topology.Integration, f *Facts) {
			full(in, f)
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpDone, "1")}
		}, call},

		{"made once already", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpDone, "1")}
		}, stop(schemas.Duplicate, schemas.ReasonOnce)},
		{"made once and taken back", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpUndone, "1")}
		}, stop(schemas.Duplicate, schemas.ReasonOnce)},
		{"an intent is not yet made", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("fulfill", schemas.OpIntent, "")}
		}, call},

		{"an older state", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpDone, "6")}
		}, stop(schemas.Superseded, schemas.ReasonStale)},
		{"an older state while a call is open", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpIntent, ""), op("amend", schemas.OpDone, "6")}
		}, stop(schemas.Superseded, schemas.ReasonStale)},
		{"an older state than one that was taken back", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpUndone, "6")}
		}, call},
		{"an older fact is a fact of its own", schemas.PaymentCaptured, paid(), func(in *topology.Integration, f *Facts) {
			in.Deliver[2].On = []schemas.EventType{schemas.PaymentCaptured}
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpDone, "6")}
		}, call},
		{"the same version again is sent", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpDone, "5")}
		}, call},
		{"versions that cannot be compared are not older", schemas.OrderUpdated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Entry.Operations = []schemas.Operation{op("amend", schemas.OpDone, "v6")}
		}, call},

		{"a cancellation was seen", schemas.OrderCreated, paid(schemas.OrderCancelled), nil, stop(schemas.Superseded, schemas.ReasonCancelled)},
		{"a cancellation waits behind", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Behind = []schemas.EventType{schemas.OrderCancelled}
		}, stop(schemas.Superseded, schemas.ReasonCancelled)},
		{"a cancellation waits behind what was perhaps made", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Behind, f.Attempted = []schemas.EventType{schemas.OrderCancelled}, true
		}, call},
		{"everything was refunded", schemas.OrderCreated, paid(), full, stop(schemas.Superseded, schemas.ReasonCancelled)},
		{"a cancelled order needs no payment any more", schemas.OrderCreated, &schemas.LedgerEntry{Seen: []schemas.EventType{schemas.OrderCancelled}}, nil, stop(schemas.Superseded, schemas.ReasonCancelled)},

		{"what comes itself does not supersede itself", schemas.OrderCreated, paid(schemas.OrderCreated), func(in *topology.Integration, _ *Facts) {
			in.Deliver[0].SupersededBy = []schemas.EventType{schemas.OrderCreated}
		}, call},

		{"not paid", schemas.OrderCreated, &schemas.LedgerEntry{}, nil, hold(schemas.ReasonNeeds)},
		{"not paid, and a person wants it all the same", schemas.OrderCreated, &schemas.LedgerEntry{}, func(_ *topology.Integration, f *Facts) { f.Released = true }, call},
		{"an earlier event is parked", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Parked = []Waiting{{ID: "e0", Reason: schemas.ReasonUnknown}}
		}, hold(schemas.ReasonBehind)},
		{"an earlier event is parked and may be passed", schemas.OrderCreated, paid(), func(in *topology.Integration, f *Facts) {
			in.Order, f.Parked = "pass", []Waiting{{ID: "e0", Reason: schemas.ReasonUnknown}}
		}, call},
		{"an earlier event only waits for another", schemas.OrderCreated, paid(), func(_ *topology.Integration, f *Facts) {
			f.Parked = []Waiting{{ID: "e0", Reason: schemas.ReasonNeeds}}
		}, call},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := warehouse()
			c := *tt.entry
			f := Facts{Event: event(t, tt.et), Entry: &c, Now: noon}
			if tt.facts != nil {
				tt.facts(in, &f)
			}
			d := Decide(in, own, f)
			if diff := cmp.Diff(tt.want, verdict{d.Action, d.Kind, d.Reason}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", d.Detail, diff)
			}
			if d.Action == Call && (d.Route == nil || d.Key == "") {
				t.Errorf("a call without its route or key: %+v", d)
			}
			if d.Action != Call && d.Detail == "" {
				t.Error("no word for a person")
			}
		})
	}
}

// TestHoldSaysForHowLong is what the parking record needs.
func TestHoldSaysForHowLong(t *testing.T) {
	t.Parallel()
	d := Decide(warehouse(), own, Facts{Event: event(t, schemas.OrderCreated), Entry: &schemas.LedgerEntry{}, Now: noon})
	if diff := cmp.Diff([]schemas.EventType{schemas.PaymentCaptured}, d.Needs); diff != "" || !d.Until.Equal(noon.Add(24*time.Hour)) || d.Route.Operation != "fulfill" {
		t.Errorf("until %s for %s %s", d.Until, d.Route.Operation, diff)
	}
}

// TestWithheldFieldsAreNotSent goes through every way a field may be another's.
func TestWithheldFieldsAreNotSent(t *testing.T) {
	t.Parallel()
	ev := event(t, schemas.OrderUpdated)
	ev.Order.FulfillmentStatus, ev.Order.Note = "unfulfilled", "leave at the door" // the warehouse's own; nobody's
	d := Decide(warehouse(), own, Facts{Event: ev, Entry: paid(), Now: noon})
	if diff := cmp.Diff([]string{"order.fulfillment_status", "order.note"}, sorted(d.Withheld)); diff != "" {
		t.Error(diff)
	}
	if sent := d.Sent(ev).Order; sent.FulfillmentStatus != "" || sent.Note != "" || sent.Status != "open" {
		t.Errorf("sent: %+v", sent)
	}
	if ev.Order.Note == "" {
		t.Error("the event itself was changed")
	}
}
