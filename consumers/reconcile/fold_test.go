package reconcile_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

func TestStates(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	created := func() *schemas.Event {
		return order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid")
	}
	waits := outcome("warehouse", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonNeeds, 1)
	until := at(3600)
	waits.Detail, waits.Until = "waits for [payment.captured]", &until
	tests := []struct {
		name  string
		facts []fact
		now   time.Time
		want  []string // "integration state since until detail" of each, then the verdict
	}{
		{"nobody answered yet", []fact{created()}, at(60), []string{
			"books pending 12:00:00 13:00:00 order.created has no outcome yet",
			"warehouse pending 12:00:00 12:30:00 order.created has no outcome yet",
			"pending 12:00:00 12:30:00: complete in 0 of 2, pending in books, warehouse"}},
		{"the warehouse's time is over", []fact{created(), outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)}, at(1801), []string{
			"books complete 12:00:05 - ",
			"warehouse missing 12:30:00 - order.created has no outcome",
			"missing 12:30:00 -: complete in 1 of 2, missing in warehouse; page fulfilment"}},
		{"at the limit it is not late", []fact{created(), outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)}, at(1800), []string{
			"books complete 12:00:05 - ",
			"warehouse pending 12:00:00 12:30:00 order.created has no outcome yet",
			"pending 12:00:00 12:30:00: complete in 1 of 2, pending in warehouse"}},
		{"it knows the order, and this event is late", []fact{created(), event("e2", schemas.PaymentCaptured, "shop", 10),
			outcome("warehouse", "e2", schemas.PaymentCaptured, schemas.Withheld, schemas.ReasonPrerequisite, 11),
			outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)}, at(1805), []string{
			"books complete 12:00:05 - ",
			"warehouse late 12:30:00 - order.created has no outcome",
			"late 12:30:00 -: complete in 1 of 2, late in warehouse; page fulfilment"}},
		{"it waits for the payment", []fact{created(), waits, outcome("books", "e1", schemas.OrderCreated, schemas.AlreadyDone, "", 5)}, at(3500), []string{
			"books complete 12:00:05 - ",
			"warehouse pending 12:00:01 13:00:00 order.created waits for [payment.captured]",
			"pending 12:00:01 13:00:00: complete in 1 of 2, pending in warehouse"}},
		{"the payment never came", []fact{created(), waits, outcome("books", "e1", schemas.OrderCreated, schemas.AlreadyDone, "", 5)}, at(3601), []string{
			"books complete 12:00:05 - ",
			"warehouse parked 13:00:00 - order.created: needs: waits for [payment.captured]",
			"parked 13:00:00 -: complete in 1 of 2, parked in warehouse; page fulfilment"}},
		{"parked, then delivered", []fact{created(), waits, outcome("warehouse", "e1", schemas.OrderCreated, schemas.Delivered, "", 90), outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)}, at(9999), []string{
			"books complete 12:00:05 - ",
			"warehouse complete 12:01:30 - ",
			"complete 12:01:30 -: complete in 2 of 2"}},
		{"an effect nobody knows", []fact{created(), outcome("warehouse", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonUnknown, 7), outcome("books", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonContract, 5)}, at(60), []string{
			"books parked 12:00:05 - order.created: contract",
			"warehouse unknown 12:00:07 - order.created: unknown",
			"unknown 12:00:07 -: complete in 0 of 2, unknown in warehouse, parked in books; page finance, fulfilment"}},
		{"final without effect is told", []fact{created(), outcome("warehouse", "e1", schemas.OrderCreated, schemas.Expired, schemas.ReasonTooOld, 7), outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5)}, at(60), []string{
			"books complete 12:00:05 - ",
			"warehouse complete 12:00:07 - order.created expired: ",
			"complete 12:00:07 -: complete in 2 of 2"}},
		{"the source's retry changes nothing", []fact{created(), outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 5), created(),
			outcome("books", "e1", schemas.OrderCreated, schemas.Duplicate, schemas.ReasonSameEvent, 8), outcome("warehouse", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonContract, 6),
			outcome("warehouse", "e1", schemas.OrderCreated, schemas.Duplicate, schemas.ReasonSameEvent, 9)}, at(60), []string{
			"books complete 12:00:05 - ",
			"warehouse parked 12:00:06 - order.created: contract",
			"parked 12:00:06 -: complete in 1 of 2, parked in warehouse; page fulfilment"}},
		{"nobody acts on it", []fact{event("e9", schemas.DisputeOpened, "psp", 0), outcome("books", "e9", schemas.DisputeOpened, schemas.Withheld, schemas.ReasonNotSubscribed, 1)}, at(9999), []string{
			"complete - -: no integration acts on it"}},
		{"retention took the outcome, the parked record stays", []fact{&schemas.ParkedRecord{Integration: "books", EventID: "e1", EventType: schemas.OrderCreated, Key: "1001", Reason: schemas.ReasonBusinessNo, Detail: "answered 422", Since: at(3)}}, at(9999), []string{
			"books parked 12:00:03 - order.created: business_no: answered 422",
			"parked 12:00:03 -: complete in 0 of 1, parked in books; page finance"}},
		{"a kind of a newer version", []fact{created(), outcome("books", "e1", schemas.OrderCreated, schemas.Unrecognized, "", 4), outcome("warehouse", "e1", schemas.OrderCreated, schemas.Superseded, schemas.ReasonCancelled, 4)}, at(9999), []string{
			"books unknown 12:00:04 - order.created: : an outcome of a kind that this version does not know",
			"warehouse complete 12:00:04 - ",
			"unknown 12:00:04 -: complete in 1 of 2, unknown in books; page finance"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := fold(topo, tt.facts...).Order(tt.now)
			var got []string
			for _, in := range o.Integrations {
				got = append(got, strings.Join([]string{in.Name, string(in.State), clock(in.Since), clock(in.Until), in.Detail}, " "))
			}
			got = append(got, strings.Join([]string{string(o.State), clock(o.Since), clock(o.Until)}, " ")+": "+o.Verdict)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func clock(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.TimeOnly)
}

func TestDisagreements(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	shop := func(id string, seconds int, total, paid string) *schemas.Event {
		return order(t, event(id, schemas.OrderUpdated, "shop", seconds), total, paid)
	}
	erp := func(id string, seconds int, total, paid string) *schemas.Event {
		return order(t, event(id, schemas.OrderUpdated, "erp", seconds), total, paid)
	}
	late := func(ev *schemas.Event, by int) *schemas.Event {
		ev.IngestedAt = ev.IngestedAt.Add(time.Duration(by) * time.Second)
		return ev
	}
	mail := func(ev *schemas.Event, address string) *schemas.Event {
		ev.Order = &schemas.Order{ID: "1001", Email: address}
		return ev
	}
	pays := func(ev *schemas.Event, id, reference, amount string) *schemas.Event {
		ev.Payment = &schemas.Payment{ID: id, Reference: reference, Amount: money(t, amount)}
		return ev
	}
	tests := []struct {
		name  string
		facts []fact
		now   time.Time
		want  []string
	}{
		{"a cent is tolerated", []fact{shop("s1", 0, "20.00 EUR", ""), erp("b1", 1, "20.01 EUR", "")}, at(60), nil},
		{"two cents are not", []fact{shop("s1", 0, "20.00 EUR", ""), erp("b1", 1, "20.02 EUR", "")}, at(61),
			[]string{"order.total erp 20.02 EUR, shop 20.00 EUR, 12:00:01 for 1m0s"}},
		{"no tolerance between currencies", []fact{shop("s1", 0, "20.00 EUR", ""), erp("b1", 1, "20.00 USD", "")}, at(61),
			[]string{"order.total erp 20.00 USD, shop 20.00 EUR, 12:00:01 for 1m0s"}},
		{"past its time the team is paged", []fact{shop("s1", 0, "20.00 EUR", ""), erp("b1", 0, "25.00 EUR", "")}, at(901),
			[]string{"order.total erp 25.00 EUR, shop 20.00 EUR, 12:00:00 for 15m1s overdue page finance"}},
		{"it closes when they agree", []fact{shop("s1", 0, "", "paid"), erp("b1", 10, "", "pending"), erp("b2", 40, "", "paid")}, at(9000),
			[]string{"order.payment_status erp pending, shop paid, 12:00:10 for 30s closed"}},
		{"and opens anew", []fact{shop("s1", 0, "", "pending"), erp("b1", 1, "", "pending"), shop("s2", 10, "", "paid"), erp("b2", 40, "", "paid"), shop("s3", 50, "", "refunded")}, at(60),
			[]string{"order.payment_status erp paid, shop refunded, 12:00:50 for 10s", "order.payment_status erp pending, shop paid, 12:00:10 for 30s closed"}},
		{"an older word that comes later is not heard", []fact{shop("s1", 0, "", "pending"), shop("s2", 20, "", "paid"), erp("b1", 30, "", "paid"), late(shop("s0", 10, "", "voided"), 60)}, at(100), nil},
		{"without the owner's word there is none", []fact{erp("b1", 1, "20.00 EUR", "paid")}, at(9000), nil},
		{"addresses are compared without case, and masked", []fact{mail(event("s1", schemas.OrderUpdated, "shop", 0), "Jane@Example.com"), mail(event("c1", schemas.OrderUpdated, "crm", 1), " jane@example.com")}, at(60), nil},
		{"masks tell values apart", []fact{mail(event("s1", schemas.OrderUpdated, "shop", 0), "jane@example.com"), mail(event("c1", schemas.OrderUpdated, "crm", 1), "john@example.com")}, at(2),
			[]string{"order.email crm j***@***.com #855f, shop j***@***.com #8c87, 12:00:01 for 1s"}},
		{"payments go by the PSP's reference", []fact{pays(event("s1", schemas.PaymentCaptured, "shop", 0), "77", "ch_1", "20.00 EUR"), pays(event("p1", schemas.PaymentCaptured, "psp", 1), "pi_1", "ch_1", "19.00 EUR"),
			pays(event("p2", schemas.PaymentCaptured, "psp", 2), "pi_2", "ch_2", "1.00 EUR")}, at(2),
			[]string{"payment.amount of ch_1 psp 19.00 EUR, shop 20.00 EUR, 12:00:01 for 1s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range fold(topo, tt.facts...).Order(tt.now).Disagreements {
				s := string(d.Field)
				if d.Object != "" {
					s += " of " + d.Object
				}
				s += " " + string(d.System) + " " + d.Value + ", " + string(d.Owner) + " " + d.OwnerValue + ", " + d.Since.Format(time.TimeOnly) + " for " + d.Duration().String()
				if d.Overdue {
					s += " overdue page " + d.Page
				}
				if d.Closed != nil {
					s += " closed"
				}
				got = append(got, s)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestInterleaving draws stories and gives each in many interleavings of its topics, with copies: the answer is the same.
func TestInterleaving(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		events, outcomes := story(t, r)
		interleave := func() *reconcile.Fold {
			f := reconcile.NewFold(topo, "orders", "1001")
			for i, j := 0, 0; i < len(events) || j < len(outcomes); {
				if j == len(outcomes) || i < len(events) && r.IntN(2) == 0 {
					f.Event(events[i], reconcile.Position{Offset: int64(i)})
					i++
				} else {
					f.Outcome(outcomes[j], reconcile.Position{Offset: int64(j)})
					j++
				}
				if r.IntN(4) == 0 {
					f.Order(at(5)) // asking changes nothing
				}
			}
			return f
		}
		first := interleave()
		for _, now := range []time.Time{at(0), at(100), at(100000)} {
			want := first.Order(now)
			copies := 0
			for _, ev := range want.Events {
				copies += ev.Copies
			}
			if copies != len(events) {
				t.Fatalf("seed %d: the events of the answer stand for %d of %d records", seed, copies, len(events))
			}
			for range 5 {
				if d := cmp.Diff(want, interleave().Order(now)); d != "" {
					t.Fatalf("seed %d: another interleaving gives another answer (-first +this):\n%s", seed, d)
				}
			}
		}
	}
}

// story draws the records of one order.
func story(t *testing.T, r *rand.Rand) (events []*schemas.Event, outcomes []*schemas.Outcome) {
	types := []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.PaymentCaptured, schemas.DisputeOpened}
	for i := range 1 + r.IntN(12) {
		ev := event(string(rune('a'+i)), types[r.IntN(len(types))], []schemas.System{"shop", "erp", "crm"}[r.IntN(3)], r.IntN(50))
		order(t, ev, []string{"20.00 EUR", "20.01 EUR", "21.00 EUR"}[r.IntN(3)], []string{"paid", "pending"}[r.IntN(2)])
		ev.IngestedAt = at(r.IntN(50)) // not in the order of its source, and often at once with another
		ev.SourceVersion = []string{"", "7", "8", ev.SourceVersion}[r.IntN(4)]
		ev.BusinessID = []string{"", "x", "y"}[r.IntN(3)]
		events = append(events, ev)
		if r.IntN(3) == 0 {
			events = append(events, events[r.IntN(len(events))]) // the source's retry
		}
	}
	for range r.IntN(20) {
		ev := events[r.IntN(len(events))]
		if r.IntN(5) == 0 {
			ev = event("gone", schemas.OrderCreated, "shop", 0) // retention took it
		}
		kind := schemas.Kinds[r.IntN(len(schemas.Kinds))]
		reason := map[schemas.Kind]schemas.Reason{schemas.Duplicate: schemas.ReasonSameEvent, schemas.Parked: schemas.ReasonNeeds}[kind]
		o := outcome([]string{"warehouse", "books", "gone"}[r.IntN(3)], string(ev.ID), ev.Type, kind, reason, r.IntN(60))
		if r.IntN(2) == 0 {
			until := at(200)
			o.Until = &until
		}
		outcomes = append(outcomes, o)
	}
	return events, outcomes
}

// TestCopiesAreCounted takes what came first for the event, whichever is folded first.
func TestCopiesAreCounted(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	a, b := order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", ""), order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "")
	b.IngestedAt = at(30)
	for _, positions := range [][2]int64{{3, 9}, {9, 3}} {
		f := reconcile.NewFold(topo, "orders", "1001")
		list := []*schemas.Event{a, b}
		if positions[0] == 9 {
			list = []*schemas.Event{b, a}
		}
		if !f.Event(list[0], reconcile.Position{Offset: positions[0]}) || f.Event(list[1], reconcile.Position{Offset: positions[1]}) {
			t.Error("the first is new and the second a copy; it was told otherwise")
		}
		o := f.Order(at(60))
		if len(o.Events) != 1 || o.Events[0].Copies != 2 || o.Duplicates != 1 || !o.Events[0].IngestedAt.Equal(noon) || o.Events[0].Offset != 3 {
			t.Errorf("positions %v: %+v", positions, o.Events)
		}
	}
}

// TestPersonalValuesAreNotKept looks for them in everything that an order shows.
func TestPersonalValuesAreNotKept(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	ev := event("e1", schemas.OrderCreated, "shop", 0)
	ev.Order = &schemas.Order{ID: "1001", Email: "jane.roe@example.com", Note: "ring twice", ShippingAddress: &schemas.Address{Name: "Jane Roe", City: "Wien"}}
	ev.Customer = &schemas.Customer{ID: "7", Email: "jane.roe@example.com", FirstName: "Jane", LastName: "Roe", Phone: "+43 660 1234567"}
	out := outcome("books", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonBusinessNo, 1)
	out.Detail = `answered 422: {"email":"jane.roe@example.com","last_name":"Roe","hint":"call +43 660 1234567"}`
	out.Attempts = []schemas.Attempt{{At: at(1), Status: 422, Class: "rejected", Detail: "Jane.Roe@example.com is not known"}}
	o := fold(topo, ev, out).Order(at(2))
	var text strings.Builder
	if err := o.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{text.String(), asJSON(t, o)} {
		for _, secret := range []string{"jane", "roe", "ring", "wien", "1234567"} {
			if strings.Contains(strings.ToLower(form), secret) {
				t.Errorf("%q is in\n%s", secret, form)
			}
		}
	}
}

// BenchmarkFold says what an order of an ordinary day costs: 5 events, 10 answers.
func BenchmarkFold(b *testing.B) {
	topo := load(b, "")
	events, outcomes := []*schemas.Event{}, []*schemas.Outcome{}
	for i := range 5 {
		ev := order(b, event(string(rune('a'+i)), schemas.OrderUpdated, "shop", i), "20.00 EUR", "paid")
		ev.Order.Email = "jane@example.com"
		events = append(events, ev)
		for _, in := range []string{"books", "warehouse"} {
			o := outcome(in, string(ev.ID), ev.Type, schemas.Delivered, "", i)
			o.Attempts = []schemas.Attempt{{At: at(i), Status: 200, Class: "delivered"}}
			outcomes = append(outcomes, o)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		f := reconcile.NewFold(topo, "orders", "1001")
		for i, ev := range events {
			f.Event(ev, reconcile.Position{Offset: int64(i)})
		}
		for i, o := range outcomes {
			f.Outcome(o, reconcile.Position{Offset: int64(i)})
		}
		f.Order(at(60))
	}
}
