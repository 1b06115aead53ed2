package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// accepts makes a step the correction of a field: who said the value, against which versions of the owners, and who holds it.
// minutes after noon it was decided.
func accepts(field schemas.Field, of schemas.System, minutes int, basis string, held ...schemas.System) func(*Facts) {
	return func(f *Facts) {
		ev := f.Event
		ev.Time = noon.Add(time.Duration(minutes) * time.Minute)
		ev.SourceVersion = ev.Time.Format(time.RFC3339)
		ev.Correction = &schemas.Correction{Field: field, Of: of, Held: append(held, of)}
		for b := range strings.FieldsSeq(basis) {
			system, version, _ := strings.Cut(b, ":")
			ev.Correction.Basis = append(ev.Correction.Basis, schemas.OwnerWord{System: schemas.System(system), Version: version, Time: noon})
		}
	}
}

// corrected is store with a route for corrections of two fields.
func corrected(f ...func(*topology.Integration)) *topology.Integration {
	return store(append([]func(*topology.Integration){func(in *topology.Integration) {
		in.Deliver = append(in.Deliver, topology.Route{On: []schemas.EventType{schemas.OrderCorrected}, Operation: "correct", Fields: []schemas.Field{"order.payment_status", "order.email"}, HTTP: &topology.HTTPCall{}})
	}}, f...)...)
}

// TestCorrections is what a person's decision about one field does, until the field's owner says something newer.
func TestCorrections(t *testing.T) {
	t.Parallel()
	const paid = "order.payment_status"
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	moved := by("shop")
	moved.Transfers = []topology.Transfer{{To: topology.Systems{"crm"}, From: december}}
	owners := NewOwners(map[schemas.Field]topology.Owner{paid: by("shop"), "order.status": by("shop"), "order.total": by("shop"), "payment.amount": by("shop"), "order.phone": by("shop"), "order.email": by("shop", "admin"), "order.note": moved})
	takesNote := func(in *topology.Integration) {
		in.Deliver[3].Fields = append(in.Deliver[3].Fields, "order.note")
	}
	first := step{"shop order.updated 5 status=open payment=paid", nil}
	says := func(words string, change func(*Facts)) step {
		return step{"team:finance order.corrected - " + words, change}
	}
	refunded := says("payment=refunded", accepts(paid, "erp", 1, "shop:5"))
	for _, tt := range []struct {
		name  string
		in    *topology.Integration
		steps []step
		want  []string
	}{
		{"it is sent, and an older state of the owner does not come over it", corrected(), []step{first, refunded, {"shop payment.captured 4 payment=pending amount=1.00", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "call: payment.amount; order.payment_status corrected"}},
		{"nor the same state under another type", corrected(), []step{first, refunded, {"shop payment.captured 5 payment=paid amount=1.00", nil}, {"shop order.updated 5 payment=paid", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "call: payment.amount; order.payment_status corrected", "finish superseded corrected; order.payment_status corrected"}},
		{"nor one that the ledger had not seen", corrected(), []step{refunded, {"shop order.updated 4 status=open payment=paid", nil}}, []string{
			"call: order.payment_status", "call: order.status; order.payment_status corrected"}},
		{"a newer one does, whatever it says", corrected(), []step{first, refunded, {"shop order.updated 6 status=open payment=paid", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "call: order.status order.payment_status"}},
		{"and the correction comes no more over that", corrected(), []step{first, {"shop order.updated 6 payment=partially_refunded", nil}, refunded, {"shop order.updated 5 payment=paid", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "finish superseded stale; order.payment_status stale", "finish superseded stale; order.payment_status corrected"}},
		{"other fields are as they were", corrected(), []step{first, refunded, {"shop order.updated 4 status=draft", nil}, {"shop order.updated 6 status=closed", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "finish superseded stale; order.status stale", "call: order.status"}},
		{"another system's word is an observation still", corrected(), []step{first, refunded, {"erp order.updated 99 payment=refunded", nil}}, []string{
			"call: order.status order.payment_status", "call: order.payment_status", "finish withheld not_owner; order.payment_status not_owner"}},

		{"who holds the value is not told, and is kept from the older state", corrected(func(in *topology.Integration) { in.System = "erp" }), []step{refunded, {"shop order.updated 5 payment=paid", nil}, {"shop order.updated 6 payment=paid", nil}}, []string{
			"finish withheld held; order.payment_status held", "finish superseded corrected; order.payment_status corrected", "call: order.payment_status"}},
		{"who agrees with it is not told either", corrected(), []step{says("payment=refunded", accepts(paid, "erp", 1, "shop:5", "store"))}, []string{"finish withheld held; order.payment_status held"}},
		{"a downstream without a route for it is kept from the older state too", store(), []step{refunded, {"shop order.updated 5 payment=paid", nil}}, []string{
			"finish withheld not_subscribed", "finish superseded corrected; order.payment_status corrected"}},
		{"nor is a field taken that no route lists", corrected(), []step{says("total=2.00", accepts("order.total", "erp", 1, "shop:5"))}, []string{"finish withheld not_taken; order.total not_taken"}},
		{"a route for each event takes all", corrected(func(in *topology.Integration) {
			in.System, in.Deliver[3] = "erp", topology.Route{On: []schemas.EventType{schemas.OrderCorrected}, Operation: "record", Each: true}
		}), []step{says("total=2.00", accepts("order.total", "erp", 1, "shop:5"))}, []string{"call: order.total"}},
		{"the owner itself is told, where its integration takes it", corrected(func(in *topology.Integration) { in.System = "shop" }), []step{refunded}, []string{"call: order.payment_status"}},

		{"a later decision counts", corrected(), []step{refunded, says("payment=paid", accepts(paid, "shop", 2, "shop:5")), says("payment=refunded", accepts(paid, "erp", 1, "shop:5"))}, []string{
			"call: order.payment_status", "call: order.payment_status", "finish superseded corrected; order.payment_status corrected"}},
		{"of another team too", corrected(), []step{refunded, {"team:commerce order.corrected - payment=paid", accepts(paid, "shop", 2, "shop:5")}, refunded}, []string{
			"call: order.payment_status", "call: order.payment_status", "finish superseded corrected; order.payment_status corrected"}},
		{"a system makes none", corrected(), []step{{"shop order.corrected - payment=paid", accepts(paid, "shop", 1, "")}, {"team:finance order.updated 6 payment=paid", nil}}, []string{"finish withheld not_owner", "finish withheld not_owner; order.payment_status not_owner"}},
		{"nor is one of more than its field believed", corrected(), []step{says("payment=paid status=open", accepts(paid, "shop", 1, "")), says("", accepts(paid, "shop", 1, "")), says("payment=paid", nil), {"shop order.updated 1 payment=x", nil}}, []string{
			"finish withheld not_owner", "finish withheld not_owner", "finish withheld not_owner", "call: order.payment_status"}},
		{"nor one whose value is erased", corrected(), []step{says("", func(f *Facts) { accepts(paid, "erp", 1, "")(f); f.Event.Sealed = []byte{1} })}, []string{"finish withheld erased"}},
		{"without versions the owner's clock decides", corrected(), []step{says("payment=refunded", accepts(paid, "erp", 1, "shop:")), {"shop order.updated - payment=paid", nil}, {"shop order.updated - payment=voided", func(f *Facts) { f.Event.Time = noon.Add(1) }}}, []string{
			"call: order.payment_status", "finish superseded corrected; order.payment_status corrected", "call: order.payment_status"}},

		{"of a shared field it settles the conflict, until one of them says something newer", corrected(), []step{
			{"shop order.updated 1 email=a", nil}, {"admin order.updated 1 email=b", nil}, says("email=b", accepts("order.email", "admin", 1, "shop:1 admin:1")),
			{"shop order.updated 1 email=a", nil}, {"admin order.updated 1 email=b", nil}, {"shop order.updated 2 email=c", nil}, {"admin order.updated 2 email=d", nil}}, []string{
			"call: order.email", "finish withheld conflict; order.email conflict", "call: order.email",
			"finish superseded corrected; order.email corrected", "finish superseded corrected; order.email corrected", "call: order.email", "finish withheld conflict; order.email conflict"}},
		{"a new owner's word comes over it, a late one of the former owner does not", corrected(takesNote), []step{
			says("note=b", accepts("order.note", "erp", 1, "shop:5")), {"crm order.updated 1 note=c at=12-02", nil}, {"shop order.updated 6 note=d at=11-30", nil}, says("note=b", accepts("order.note", "erp", 1, "shop:5"))}, []string{
			"call: order.note", "call: order.note", "finish superseded stale; order.note stale", "finish superseded stale; order.note stale"}},
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

// TestCorrectionOfAnObject is of that object only: what is known of another payment stays.
func TestCorrectionOfAnObject(t *testing.T) {
	t.Parallel()
	owners := NewOwners(map[schemas.Field]topology.Owner{"payment.amount": by("shop")})
	in := corrected(func(in *topology.Integration) { in.Deliver[3].Fields = []schemas.Field{"payment.amount"} })
	fix := step{"team:finance order.corrected - amount=2.00", func(f *Facts) {
		accepts("payment.amount", "psp", 1, "shop:5")(f)
		f.Event.Correction.Object = "p1"
	}}
	got, _ := play(t, in, owners, fix, step{"shop payment.captured 5 amount=1.00", nil}, step{"shop payment.captured 5 amount=1.00", func(f *Facts) { f.Event.Payment.ID = "p2" }})
	if d := cmp.Diff([]string{"call: payment.amount", "call: ; payment.amount corrected", "call: payment.amount"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestCorrectedTotal: whether an order is refunded in full is judged by the total that was decided.
func TestCorrectedTotal(t *testing.T) {
	t.Parallel()
	owners := NewOwners(map[schemas.Field]topology.Owner{"order.total": by("shop"), "refund.amount": by("shop")})
	total := func(version, amount string) *schemas.Event {
		return &schemas.Event{Type: schemas.OrderUpdated, System: "shop", SourceVersion: version, Time: noon, Order: &schemas.Order{Total: money(t, amount, "EUR")}}
	}
	fix := total("", "3.00")
	fix.Type, fix.System, fix.Correction = schemas.OrderCorrected, "team:finance", &schemas.Correction{Field: "order.total", Of: "erp", Basis: []schemas.OwnerWord{{System: "shop", Version: "5"}}}
	entry := &schemas.LedgerEntry{}
	for i, tt := range []struct {
		ev   *schemas.Event
		want string
	}{{total("5", "2.00"), "2.00 EUR"}, {fix, "3.00 EUR"}, {total("5", "2.00"), "3.00 EUR"}, {total("4", "1.00"), "3.00 EUR"}, {total("6", "4.00"), "4.00 EUR"}, {fix, "4.00 EUR"}} {
		entry = Note(owners, entry, tt.ev)
		if got := entry.OrderTotal.String(); got != tt.want {
			t.Errorf("%d: the total is %s, want %s", i, got, tt.want)
		}
	}
}
