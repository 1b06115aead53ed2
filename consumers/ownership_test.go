package consumers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// owners is an ownership.yaml in which some fields change hands or are shared.
const owners = `
order.status: {owner: shop, page: ops}
order.payment_status: {owner: shop, page: ops}
order.total: {owner: shop, page: ops}
order.number: {owner: erp, page: ops}
order.email: {owner: shop, page: ops, transfers: [{to: crm, from: 2026-12-01T00:00:00Z}]}
order.note: {owner: [shop, admin], page: ops, on_conflict: park}
payment.amount: {owner: shop, page: ops}
unowned: ["*"]
`

// states takes whole states and payments, and writes down the fields it is sent.
const states = `
idempotency: {upsert: true}
operation: book
deliver:
  - on: [order.created, order.updated]
    http: {url: "URL/states"}
    body: &fields {reference: 'event.id + " " + (order.status ?? "-") + " " + (order.payment_status ?? "-") + " " + (order.email ?? "-") + " " + (order.note ?? "-")'}
  - {on: [payment.captured], operation: pay, http: {url: "URL/payments"}, body: *fields}
  - {on: [order.cancelled], operation: cancel, undoes: book, once: true, http: {url: "URL/cancellations"}, body: *fields}
`

// says is an event of a system at a version that says a status, a payment status, an email address and a note, each where
// it is not "-".
func says(id string, et schemas.EventType, system schemas.System, version int, words string) *schemas.Event {
	ev := event(id, et, "A", version)
	ev.System = system
	ev.Order = &schemas.Order{ID: "A"}
	word := strings.Fields(words)
	for i, at := range []*string{&ev.Order.Status, &ev.Order.PaymentStatus, &ev.Order.Email, &ev.Order.Note} {
		if i < len(word) && word[i] != "-" {
			*at = word[i]
		}
	}
	return ev
}

// sent is what the downstream was sent, in order.
func (b *bench) sent() []string {
	b.down.mu.Lock()
	defer b.down.mu.Unlock()
	return slices.Clone(b.down.order)
}

// withheld is "id field reason" of everything that outcomes say was withheld.
func withheld(list []*schemas.Outcome) []string {
	out := []string{}
	for _, o := range list {
		for i, field := range o.WithheldFields {
			out = append(out, fmt.Sprint(o.EventID, " ", field, " ", o.WithheldReasons[i]))
		}
	}
	return out
}

// TestOnlyTheOwnersNewestIsWritten tells a store's states and what others and older events would make of them.
func TestOnlyTheOwnersNewestIsWritten(t *testing.T) {
	t.Parallel()
	erp := says("a3", schemas.OrderUpdated, "erp", 99, "processing synced")
	erp.Order.Number = "1001"
	late := says("a5", schemas.PaymentCaptured, "shop", 4, "open pending")
	before, after := says("a6", schemas.OrderUpdated, "crm", 1, "- - new@x.example"), says("a7", schemas.OrderUpdated, "shop", 9, "- - old@x.example")
	before.Time = noon.AddDate(0, 0, 8) // the first of December
	b := newOwnedBench(t, owners, states)
	stop := b.start()
	b.publish(says("a1", schemas.OrderUpdated, "shop", 5, "completed paid"), // the store's completed
		says("a2", schemas.OrderUpdated, "erp", 98, "processing"), // the ERP's stale processing
		erp, // the same beside a field of its own
		says("a4", schemas.OrderUpdated, "sync", 97, "- synced")) // a saved status over a payment
	b.wait(4)
	stop()
	b.start() // what stands in the downstream is in the ledger
	b.publish(late, before, after)
	outcomes := b.wait(7)
	if diff := cmp.Diff([]string{
		"a1=delivered", "a2=withheld/not_owner", "a3=delivered", "a4=withheld/not_owner", "a5=delivered", "a6=delivered", "a7=superseded/stale"}, kinds(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a1 completed paid - -", "a3 - - - -", "a5 - - - -", "a6 - - new@x.example -"}, b.sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"a2 order.status not_owner", "a3 order.status not_owner", "a3 order.payment_status not_owner", "a4 order.payment_status not_owner",
		"a5 order.status stale", "a5 order.payment_status stale", "a7 order.email stale"}, withheld(outcomes)); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
}

// TestSharedFieldWaits: from the first difference the event waits, for agreement or for a person.
func TestSharedFieldWaits(t *testing.T) {
	t.Parallel()
	first := []*schemas.Event{says("a1", schemas.OrderUpdated, "shop", 1, "- - - bell"), says("a2", schemas.OrderUpdated, "admin", 1, "- - - knock")}
	parked := []string{"a1=delivered", "a2=parked/conflict"}
	for _, tt := range []struct {
		name   string
		then   func(b *bench)
		more   int
		kinds  []string
		sent   []string
		locked []string
	}{
		{"they agree again", func(b *bench) { b.publish(says("a3", schemas.OrderUpdated, "shop", 2, "open - - knock")) }, 3,
			[]string{"a3=parked/behind", "a2=delivered", "a3=delivered"}, []string{"a1 - - - bell", "a2 - - - knock", "a3 open - - knock"}, []string{"a2 order.note conflict"}},
		{"what stands behind it stays there meanwhile", func(b *bench) {
			b.publish(says("a3", schemas.OrderUpdated, "shop", 2, "open - - bell"), says("a4", schemas.OrderUpdated, "shop", 3, "- paid - bell"))
			b.wait(4)
			b.publish(says("a5", schemas.OrderUpdated, "admin", 2, "- - - bell"))
		}, 7, []string{"a3=parked/behind", "a4=parked/behind", "a5=parked/behind", "a2=superseded/stale", "a3=delivered", "a4=delivered", "a5=delivered"},
			[]string{"a1 - - - bell", "a3 open - - -", "a4 - paid - bell", "a5 - - - bell"}, []string{"a2 order.note conflict", "a3 order.note conflict", "a4 order.note conflict", "a2 order.note stale", "a3 order.note stale"}},
		{"a person decides", func(b *bench) { b.decide(schemas.Release, "A", "a2") }, 2,
			[]string{"a2=parked/released", "a2=delivered"}, []string{"a1 - - - bell", "a2 - - - knock"}, []string{"a2 order.note conflict"}},
		{"and what the other says after that is another difference", func(b *bench) {
			b.decide(schemas.Release, "A", "a2")
			b.wait(4)
			b.publish(says("a3", schemas.OrderUpdated, "admin", 2, "- - - call"), says("a4", schemas.OrderUpdated, "shop", 2, "- - - bell"))
		}, 4, []string{"a2=parked/released", "a2=delivered", "a3=delivered", "a4=parked/conflict"}, []string{"a1 - - - bell", "a2 - - - knock", "a3 - - - call"},
			[]string{"a2 order.note conflict", "a4 order.note conflict"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newOwnedBench(t, owners, states)
			b.start()
			b.publish(first...)
			b.wait(2)
			tt.then(b)
			outcomes := b.wait(2 + tt.more)
			if diff := cmp.Diff(append(slices.Clone(parked), tt.kinds...), kinds(outcomes)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.sent, b.sent()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.locked, withheld(outcomes)); diff != "" {
				t.Errorf("withheld (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVersionsOfTwoSystems are not compared with each other, in one operation either.
func TestVersionsOfTwoSystems(t *testing.T) {
	t.Parallel()
	number := func(id string, version int) *schemas.Event {
		ev := says(id, schemas.OrderUpdated, "erp", version, "")
		ev.Order.Number = id
		return ev
	}
	b := newOwnedBench(t, owners, states)
	b.start()
	b.publish(says("a1", schemas.OrderUpdated, "shop", 5, "open"), number("a2", 1), number("a3", 2), number("a4", 1), says("a5", schemas.OrderUpdated, "shop", 4, "draft"))
	if diff := cmp.Diff([]string{"a1=delivered", "a2=delivered", "a3=delivered", "a4=superseded/stale", "a5=superseded/stale"}, kinds(b.wait(5))); diff != "" {
		t.Error(diff)
	}
}

// TestWhoCancelsIsJudgedByTime: a cancellation that waits behind supersedes, if its system owned the order's state then.
func TestWhoCancelsIsJudgedByTime(t *testing.T) {
	t.Parallel()
	const moved = `
order.status: {owner: shop, page: ops, transfers: [{to: pos, from: 2026-11-23T12:00:00Z}]}
order.total: {owner: pos, page: ops}
payment.amount: {owner: pos, page: ops}
unowned: ["*"]
`
	for _, tt := range []struct {
		system schemas.System
		want   []string
	}{
		{"pos", []string{"a1=withheld/prerequisite_only", "a2=superseded/cancelled", "a3=withheld/nothing_to_undo"}},
		{"shop", []string{"a1=withheld/prerequisite_only", "a2=delivered", "a3=withheld/not_owner"}},
	} {
		b := newOwnedBench(t, moved, warehouse)
		events := []*schemas.Event{event("a1", schemas.PaymentCaptured, "A", 1), event("a2", schemas.OrderCreated, "A", 2), event("a3", schemas.OrderCancelled, "A", 3)}
		events[0].System, events[1].System, events[2].System = "pos", "pos", tt.system
		b.publish(events...)
		b.start()
		if diff := cmp.Diff(tt.want, kinds(b.wait(3))); diff != "" {
			t.Errorf("cancelled by %s (-want +got):\n%s", tt.system, diff)
		}
	}
}

// TestUndoneIsForgotten: what was taken back stands there no more, and may be sent again in the version it had.
func TestUndoneIsForgotten(t *testing.T) {
	t.Parallel()
	b := newOwnedBench(t, owners, states)
	b.start()
	b.publish(says("a1", schemas.OrderUpdated, "shop", 5, "open paid"), says("a2", schemas.OrderCancelled, "shop", 6, "cancelled"), says("a3", schemas.OrderUpdated, "shop", 4, "open pending"))
	outcomes := b.wait(3)
	if diff := cmp.Diff([]string{"a1 open paid - -", "a2 cancelled - - -", "a3 - pending - -"}, b.sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a3 order.status stale"}, withheld(outcomes)); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
}

// TestCorrectionIsNotedByAll: an integration that takes no corrections is kept from the state that a person decided against all
// the same, also after a restart, and until the owner says something newer.
func TestCorrectionIsNotedByAll(t *testing.T) {
	t.Parallel()
	fix := says("a2", schemas.OrderCorrected, "team:finance", 0, "- refunded")
	fix.SourceVersion, fix.Correction = "2026-11-23T12:01:00Z", &schemas.Correction{Field: "order.payment_status", Of: "erp", Held: []schemas.System{"erp"}, Basis: []schemas.OwnerWord{{System: "shop", Version: "5", Time: noon}}, Who: "jo", Why: "asked"}
	b := newOwnedBench(t, owners, states)
	stop := b.start()
	b.publish(says("a1", schemas.OrderUpdated, "shop", 5, "open paid"), fix)
	b.wait(2)
	stop()
	b.start()
	b.publish(says("a3", schemas.PaymentCaptured, "shop", 5, "open paid"), says("a4", schemas.OrderUpdated, "shop", 6, "open voided"))
	outcomes := b.wait(4)
	if diff := cmp.Diff([]string{"a1=delivered", "a2=withheld/not_subscribed", "a3=delivered", "a4=delivered"}, kinds(outcomes)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a1 open paid - -", "a3 open - - -", "a4 open voided - -"}, b.sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a3 order.payment_status corrected"}, withheld(outcomes)); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
}
