package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// store is a downstream that takes states and payments; mirror takes each route's changes by f.
func store(f ...func(*topology.Integration)) *topology.Integration {
	in := &topology.Integration{Name: "store", System: "store", Order: "hold", Deliver: []topology.Route{
		{On: []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderEnriched, schemas.CustomerUpdated, schemas.InventoryLevelSet}, Operation: "book", HTTP: &topology.HTTPCall{}},
		{On: []schemas.EventType{schemas.PaymentCaptured}, Operation: "pay", HTTP: &topology.HTTPCall{}},
		{On: []schemas.EventType{schemas.OrderCancelled}, Operation: "cancel", Undoes: "book", HTTP: &topology.HTTPCall{}},
	}}
	for _, change := range f {
		change(in)
	}
	return in
}

// step is one event of a story: "shop order.updated 5 status=completed total=20.00" and changes to its facts.
type step struct {
	tells string
	facts func(*Facts)
}

var parts = map[string]func(*testing.T, *schemas.Event, string){
	"status":  func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.Status = v },
	"payment": func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.PaymentStatus = v },
	"shipped": func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.FulfillmentStatus = v },
	"number":  func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.Number = v },
	"phone":   func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.Phone = v },
	"email":   func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.Email = v },
	"note":    func(_ *testing.T, ev *schemas.Event, v string) { ev.Order.Note = v },
	"total":   func(t *testing.T, ev *schemas.Event, v string) { ev.Order.Total = money(t, v, "EUR") },
	"tax":     func(t *testing.T, ev *schemas.Event, v string) { ev.Order.Tax = money(t, v, "EUR") },
	"amount": func(t *testing.T, ev *schemas.Event, v string) {
		ev.Payment = &schemas.Payment{ID: "p1", Amount: money(t, v, "EUR")}
	},
	"category": func(_ *testing.T, ev *schemas.Event, v string) { ev.Enrichment = &schemas.Enrichment{Category: v} },
	"at": func(t *testing.T, ev *schemas.Event, v string) {
		at, err := time.Parse("01-02", v)
		if err != nil {
			t.Fatal(err)
		}
		ev.Time = at.AddDate(2026, 0, 0)
	},
}

// reads makes the event that a step tells of.
func (s step) reads(t *testing.T, n int) *schemas.Event {
	words := strings.Fields(s.tells)
	ev := &schemas.Event{ID: schemas.EventID(fmt.Sprint("e", n)), System: schemas.System(words[0]), Type: schemas.EventType(words[1]), SourceVersion: strings.Trim(words[2], "-"), Subject: "A", Time: noon, Order: &schemas.Order{ID: "A"}}
	for _, w := range words[3:] {
		name, value, _ := strings.Cut(w, "=")
		parts[name](t, ev, value)
	}
	return ev
}

// play tells events to an integration that delivers whatever it may, and gives a line for each: what became of it, what
// was sent, and what was withheld and why.
func play(t *testing.T, in *topology.Integration, own *Owners, steps ...step) (lines []string, entry *schemas.LedgerEntry) {
	t.Helper()
	entry = &schemas.LedgerEntry{}
	for n, s := range steps {
		ev := s.reads(t, n)
		f := Facts{Event: ev, Now: noon}
		if ev.Type.Corrects() && s.facts != nil {
			s.facts(&f) // it is of the event itself
		}
		entry = Note(own, entry, ev)
		if f.Entry = entry; s.facts != nil {
			s.facts(&f)
		}
		before := cmp.Diff(entry, &schemas.LedgerEntry{})
		d := Decide(in, own, f)
		if after := cmp.Diff(entry, &schemas.LedgerEntry{}); after != before {
			t.Errorf("%s: Decide changed the entry", s.tells)
		}
		line := strings.Join(strings.Fields(fmt.Sprint(d.Action, " ", d.Kind, " ", d.Reason)), " ")
		if len(d.Withheld) != len(d.Why) {
			t.Errorf("%s: %d fields are withheld for %d reasons", s.tells, len(d.Withheld), len(d.Why))
		}
		if d.Action == Call {
			line += ": " + strings.Join(schemas.Says(d.Sent(ev)).Names(), " ")
			if schemas.Says(d.Sent(ev)) != d.Fields {
				t.Errorf("%s: %v is sent, and %v noted", s.tells, schemas.Says(d.Sent(ev)).Names(), d.Fields.Names())
			}
			c := *entry
			entry = &c
			entry.Operations = []schemas.Operation{{Name: d.Route.Operation, State: schemas.OpDone, Version: ev.SourceVersion, System: ev.System}}
			Apply(own, entry, d.Route, ev, d.Fields, d.Forced)
		}
		for i, field := range d.Withheld {
			line += fmt.Sprintf("; %s %s", field, d.Why[i])
		}
		lines = append(lines, line)
	}
	return lines, entry
}

// TestFieldsAreTheOwners is what a non-owner, an older state and a new owner may write.
func TestFieldsAreTheOwners(t *testing.T) {
	t.Parallel()
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	moved := by("shop")
	moved.Transfers = []topology.Transfer{{To: topology.Systems{"crm"}, From: december}}
	owners := NewOwners(map[schemas.Field]topology.Owner{
		"order.status": by("shop"), "order.payment_status": by("shop"), "order.total": by("shop"), "order.tax": by("tax"), "order.number": by("erp"),
		"order.fulfillment_status": by("store"), "order.enrichment": by("ai"), "payment.amount": by("shop"), "order.phone": moved,
	})
	december2 := func(f *Facts) { f.Now = december.Add(48 * time.Hour) }
	for _, tt := range []struct {
		name  string
		in    *topology.Integration
		steps []step
		want  []string
	}{
		{"an ERP pushes a stale processing over the store's completed", store(), []step{
			{"shop order.updated 5 status=completed total=20.00", nil}, {"erp order.updated 99 status=processing", nil}, {"erp order.updated 99 status=processing number=1001", nil}}, []string{
			"call: order.status order.total",
			"finish withheld not_owner; order.status not_owner",
			"call: order.number; order.status not_owner"}},
		{"a saved status of a sync overwrites a payment", store(), []step{
			{"shop payment.captured 5 payment=paid amount=20.00", nil}, {"sync order.updated 99 payment=synced", nil}, {"sync payment.captured 99 payment=synced amount=0", nil}, {"erp order.updated 99 payment=synced number=1001", nil}}, []string{
			"call: order.payment_status payment.amount",
			"finish withheld not_owner; order.payment_status not_owner",
			"finish withheld not_owner",
			"call: order.number; order.payment_status not_owner"}},
		{"what nobody owns is nobody's to write", store(), []step{{"shop order.updated 1 status=open note=x", nil}, {"shop order.updated 1 note=x", nil}}, []string{
			"call: order.status; order.note nobodys", "finish withheld not_owner; order.note nobodys"}},
		{"what the downstream owns is not sent back to it", store(), []step{{"store order.updated 1 shipped=yes", nil}, {"shop order.updated 1 status=open shipped=no", nil}}, []string{
			"finish withheld not_owner; order.fulfillment_status own", "call: order.status; order.fulfillment_status not_owner"}},

		{"an older state under another type", store(), []step{
			{"shop order.updated 5 status=open total=20.00", nil}, {"shop payment.captured 4 status=draft total=25.00 amount=20.00", nil}, {"shop payment.captured 6 total=21.00 amount=1.00", nil}, {"shop order.updated 5 total=20.00", nil}, {"shop order.updated 5 status=open total=20.00", nil}}, []string{
			"call: order.status order.total",
			"call: payment.amount; order.status stale; order.total stale",
			"call: order.total payment.amount",
			"finish superseded stale; order.total stale",
			"call: order.status; order.total stale"}},
		{"a fact is a fact though all of its state is old", store(), []step{{"shop order.updated 5 status=open", nil}, {"shop payment.captured 4 status=draft", nil}}, []string{
			"call: order.status", "call: ; order.status stale"}},
		{"the same version again is sent, and so is one that cannot be compared", store(), []step{
			{"shop payment.captured 5 status=open", nil}, {"shop order.updated 5 status=open", nil}, {"shop payment.captured v4 status=open", nil}, {"shop payment.captured - status=open", nil}}, []string{
			"call: order.status", "call: order.status", "call: order.status", "call: order.status"}},
		{"a state without a version does not make older ones new", store(), []step{{"shop payment.captured 5 status=open", nil}, {"shop payment.captured - status=open", nil}, {"shop payment.captured 4 status=open", nil}}, []string{
			"call: order.status", "call: order.status", "call: ; order.status stale"}},
		{"versions of two systems are not compared", store(), []step{
			{"shop order.updated 5 status=open", nil}, {"tax order.updated 1 tax=2.00", nil}, {"shop order.updated 4 status=draft", nil}, {"tax order.updated 2 tax=3.00", nil}, {"tax order.updated 1 tax=2.00", nil}}, []string{
			"call: order.status", "call: order.tax", "finish superseded stale; order.status stale", "call: order.tax", "finish superseded stale; order.tax stale"}},
		{"an older enrichment is superseded", store(), []step{{"ai order.enriched 2 category=gift", nil}, {"ai order.enriched 1 category=other", nil}}, []string{
			"call: order.enrichment", "finish superseded stale; order.enrichment stale"}},
		{"a request for each event tells what its event says", store(func(in *topology.Integration) { in.Deliver[1].Each = true }), []step{
			{"shop order.updated 5 status=open", nil}, {"shop payment.captured 4 status=draft", nil}, {"shop payment.captured 9 status=x", nil}, {"shop order.updated 6 status=open", nil}}, []string{
			"call: order.status", "call: order.status", "call: order.status", "call: order.status"}},
		{"a request that is made once tells what its event says, and makes nothing newer old", store(func(in *topology.Integration) { in.Deliver[1].Once = true }), []step{
			{"shop order.updated 5 status=open", nil}, {"shop payment.captured 4 status=draft", nil}, {"shop order.cancelled 4 status=x", func(f *Facts) {
				f.Entry.Operations = []schemas.Operation{op("book", schemas.OpDone, "5")}
			}}}, []string{
			"call: order.status", "call: order.status", "finish superseded stale; order.status stale"}},

		{"a field is the new owner's from the second it is given", store(), []step{
			{"crm order.updated 1 phone=2 at=11-30", nil}, {"shop order.updated 8 phone=1 at=11-30", nil}, {"crm order.updated 1 phone=3 at=12-01", nil}, {"shop order.updated 9 phone=4 at=12-01", nil}}, []string{
			"finish withheld not_owner; order.phone not_owner", "call: order.phone", "call: order.phone", "finish withheld not_owner; order.phone not_owner"}},
		{"a late word of the former owner is older than any of the new one", store(), []step{
			{"crm order.updated 1 phone=3 at=12-02", nil}, {"shop order.updated 9 phone=1 at=11-30", nil}, {"shop order.updated 9 phone=1 status=open at=11-30", nil}}, []string{
			"call: order.phone", "finish superseded stale; order.phone stale", "call: order.status; order.phone stale"}},
		{"until the new owner has spoken it is sent", store(), []step{{"shop order.updated 9 phone=1 at=11-30", december2}}, []string{"call: order.phone"}},
		{"but not to one that owns it by now", store(func(in *topology.Integration) { in.System = "crm" }), []step{
			{"shop order.updated 8 phone=1 at=11-30", nil}, {"shop order.updated 9 phone=1 at=11-30", december2}}, []string{
			"call: order.phone", "finish withheld not_owner; order.phone own"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := play(t, tt.in, owners, tt.steps...)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestSharedFields is what two systems may write together.
func TestSharedFields(t *testing.T) {
	t.Parallel()
	shared := by("shop", "admin")
	parking := shared
	parking.OnConflict = topology.ConflictPark
	was := by("shop", "admin")
	was.Transfers = []topology.Transfer{{To: topology.Systems{"shop"}, From: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}}
	entries := map[schemas.Field]topology.Owner{"order.status": by("shop"), "order.email": shared, "order.note": was, "order.total": by("admin"), "order.phone": parking, "payment.amount": by("shop")}
	released := func(f *Facts) { f.Released = true }
	once := func(in *topology.Integration) { in.Deliver[0].Once = true }
	for _, tt := range []struct {
		name  string
		in    *topology.Integration
		steps []step
		want  []string
	}{
		{"one alone, and both while they agree", store(), []step{{"shop order.updated 1 email=A@x.example", nil}, {"admin order.updated 1 email=a@X.example", nil}}, []string{"call: order.email", "call: order.email"}},
		{"from the first difference neither is written on, until they agree", store(), []step{
			{"shop order.updated 1 email=a status=open", nil}, {"admin order.updated 1 email=b", nil}, {"shop order.updated 2 email=a status=open", nil}, {"erp order.updated 3 email=b", nil},
			{"shop order.updated 3 email=b status=open", nil}, {"admin order.updated 2 email=b total=1.00", nil}}, []string{
			"call: order.status order.email",
			"finish withheld conflict; order.email conflict",
			"call: order.status; order.email conflict",
			"finish withheld not_owner; order.email not_owner",
			"call: order.status order.email", "call: order.email order.total"}},
		{"an older word changes nothing", store(), []step{
			{"shop order.updated 2 email=b", nil}, {"admin order.updated 1 email=b", nil}, {"shop order.updated 1 email=a", nil}, {"admin order.updated 2 email=b", nil}}, []string{
			"call: order.email", "call: order.email", "finish superseded stale; order.email stale", "call: order.email"}},
		{"who no more speaks for it is not asked", store(), []step{{"erp order.updated 1 email=b", nil}, {"shop order.updated 1 email=a", nil}}, []string{"finish withheld not_owner; order.email not_owner", "call: order.email"}},
		{"the event waits where that is declared", store(), []step{
			{"shop order.updated 1 phone=1 status=open", nil}, {"admin order.updated 1 phone=2", nil}, {"shop order.updated 2 phone=1 status=open", nil}, {"shop order.updated 3 phone=2", nil}}, []string{
			"call: order.status order.phone", "hold conflict; order.phone conflict", "hold conflict; order.phone conflict", "call: order.phone"}},
		{"a person's word settles it, until the other speaks again", store(), []step{
			{"shop order.updated 1 phone=1", nil}, {"admin order.updated 1 phone=2", released}, {"admin order.updated 2 phone=3", nil}, {"shop order.updated 2 phone=1", nil}}, []string{
			"call: order.phone", "call: order.phone", "call: order.phone", "hold conflict; order.phone conflict"}},
		{"what was perhaps sent is sent as it was", store(), []step{{"shop order.updated 1 phone=1", nil}, {"admin order.updated 1 phone=2", func(f *Facts) { f.Attempted = true }}}, []string{"call: order.phone", "call: order.phone"}},
		{"a request that is made once is not lost", store(once), []step{{"admin order.updated 1 email=b", func(f *Facts) {
			f.Entry.Shared = append(f.Entry.Shared, schemas.SharedWord{Field: "order.email", System: "shop", Version: "1", Digest: "other"})
		}}}, []string{"hold conflict; order.email conflict"}},
		{"once it is shared no more, one word is enough", store(), []step{{"admin order.updated 1 note=x", nil}, {"shop order.updated 1 note=y", nil}, {"shop order.updated 2 note=y at=12-01", nil}}, []string{
			"call: order.note", "finish withheld conflict; order.note conflict", "call: order.note"}},
		{"a fact goes without", store(), []step{{"admin order.updated 1 email=b", nil}, {"shop payment.captured 1 email=a", nil}}, []string{"call: order.email", "call: ; order.email conflict"}},
		{"an event that says nothing of it is not held", store(), []step{{"shop order.updated 1 phone=1", nil}, {"admin order.updated 1 phone=2", nil}, {"shop order.updated 2 status=open", nil}}, []string{"call: order.phone", "hold conflict; order.phone conflict", "call: order.status"}},
		{"nothing of it is kept from one of those who share it", store(func(in *topology.Integration) { in.System = "admin" }), []step{{"shop order.updated 1 email=a status=open", nil}}, []string{"call: order.status; order.email own"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, entry := play(t, tt.in, NewOwners(entries), tt.steps...)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, w := range entry.Shared {
				if len(w.Digest) != 32 && w.Digest != "other" {
					t.Errorf("the ledger holds %q of %s", w.Digest, w.Field)
				}
			}
		})
	}
}

// TestAppliedIsWhatStandsThere: each field once, under the state it was delivered of.
func TestAppliedIsWhatStandsThere(t *testing.T) {
	t.Parallel()
	owners := NewOwners(map[schemas.Field]topology.Owner{"order.status": by("shop"), "order.total": by("shop"), "order.tax": by("tax"), "payment.amount": by("shop")})
	_, entry := play(t, store(), owners, step{"shop order.updated 1 status=open total=1.00", nil}, step{"tax order.updated 7 tax=1.00", nil},
		step{"shop payment.captured 2 total=2.00 amount=1.00", nil}, step{"shop payment.captured 2 status=open amount=1.00", nil}, step{"shop payment.captured 3 total=2.00 amount=1.00", nil})
	want := []schemas.Applied{
		{System: "tax", Version: "7", Time: noon, Fields: schemas.SetOf("order.tax")},
		{System: "shop", Version: "2", Time: noon, Fields: schemas.SetOf("order.status")},
		{System: "shop", Version: "3", Time: noon, Fields: schemas.SetOf("order.total")},
	}
	if d := cmp.Diff(want, entry.Applied); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestTotalAfterATransfer: the new owner's total counts whatever its version, and no late one of the former owner.
func TestTotalAfterATransfer(t *testing.T) {
	t.Parallel()
	moved := by("shop")
	moved.Transfers = []topology.Transfer{{To: topology.Systems{"erp"}, From: noon.Add(time.Hour)}}
	owners := NewOwners(map[schemas.Field]topology.Owner{"order.total": moved})
	entry := &schemas.LedgerEntry{OrderTotal: money(t, "1.00", "EUR"), TotalVersion: "4"} // of before its system was kept
	for _, tt := range []struct {
		system  schemas.System
		version string
		after   time.Duration
		amount  string
		want    string
	}{
		{"shop", "3", 0, "9.00", "1.00 EUR"}, {"shop", "5", 0, "2.00", "2.00 EUR"}, {"erp", "6", 0, "9.00", "2.00 EUR"}, {"erp", "1", time.Hour, "3.00", "3.00 EUR"},
		{"shop", "7", time.Minute, "9.00", "3.00 EUR"}, {"shop", "8", time.Hour, "9.00", "3.00 EUR"}, {"erp", "2", 2 * time.Hour, "4.00", "4.00 EUR"},
	} {
		entry = Note(owners, entry, &schemas.Event{Type: schemas.OrderUpdated, System: tt.system, SourceVersion: tt.version, Time: noon.Add(tt.after), Order: &schemas.Order{Total: money(t, tt.amount, "EUR")}})
		if got := entry.OrderTotal.String(); got != tt.want {
			t.Errorf("%s %s: the total is %s, want %s", tt.system, tt.version, got, tt.want)
		}
	}
}

// TestSpeaksForAtItsTime: who may tell a type changes with its field's owner.
func TestSpeaksForAtItsTime(t *testing.T) {
	t.Parallel()
	moved := by("shop")
	moved.Transfers = []topology.Transfer{{To: topology.Systems{"pos", "shop"}, From: noon}}
	owners := NewOwners(map[schemas.Field]topology.Owner{"order.status": moved})
	for _, tt := range []struct {
		et     schemas.EventType
		system schemas.System
		at     time.Time
		want   bool
	}{
		{schemas.OrderCreated, "shop", noon.Add(-1), true}, {schemas.OrderCreated, "pos", noon.Add(-1), false}, {schemas.OrderCreated, "pos", noon, true}, {schemas.OrderCreated, "shop", noon, true},
		{schemas.OrderUpdated, "pos", noon.Add(-1), true}, {schemas.PaymentCaptured, "shop", noon, false},
	} {
		if got := SpeaksFor(owners, tt.et, tt.system, tt.at); got != tt.want {
			t.Errorf("%s by %s at %s: %v", tt.et, tt.system, tt.at, got)
		}
	}
}

// TestNothingIsAllocatedForOwnership where nothing is withheld.
func TestNothingIsAllocatedForOwnership(t *testing.T) {
	in, ev := store(), event(t, schemas.OrderUpdated)
	f := Facts{Event: ev, Entry: &schemas.LedgerEntry{Applied: []schemas.Applied{{System: "shop", Version: "4", Fields: schemas.SetOf("order.total")}}}, Now: noon}
	if n := testing.AllocsPerRun(100, func() {
		s := owned(in, own, f)
		s.refuse(own, &in.Deliver[0], f)
		if names, _ := s.withheld(own); names != nil || s.barren() {
			t.Error("withheld")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
