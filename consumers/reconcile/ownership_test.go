package reconcile_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestDisagreementsWithTheOwnerOfTheTime: a word counts if its system owned the field at the word's own time.
func TestDisagreementsWithTheOwnerOfTheTime(t *testing.T) {
	t.Parallel()
	fsys := files("")
	fsys["ownership.yaml"] = &fstest.MapFile{Data: []byte(`
order.status: {owner: shop, agree_within: 30m, page: finance, transfers: [{to: erp, from: 2026-11-23T12:01:00Z}, {to: shop, from: 2026-11-23T12:02:00Z}]}
order.payment_status: {owner: [shop, admin], agree_within: 30m, page: finance}
unowned: ["*"]
`)}
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	says := func(system schemas.System, seconds int, status, paid string) *schemas.Event {
		n++
		ev := event(fmt.Sprint("e", n), schemas.OrderUpdated, system, seconds)
		ev.Order = &schemas.Order{ID: "1001", Status: status, PaymentStatus: paid}
		return ev
	}
	late := func(ev *schemas.Event, seconds int) *schemas.Event {
		ev.IngestedAt = at(seconds)
		return ev
	}
	for _, tt := range []struct {
		name  string
		facts []fact
		owner schemas.System // of the first field
		want  []string
	}{
		{"before the transfer the first owner", []fact{says("shop", 0, "open", ""), says("erp", 59, "closed", "")}, "shop", []string{"order.status: shop open, erp closed, since 59 s, open"}},
		{"from then on the other", []fact{says("shop", 0, "open", ""), says("erp", 60, "closed", "")}, "erp", []string{"order.status: erp closed, shop open, since 60 s, open"}},
		{"what it said before was an observation", []fact{says("shop", 0, "open", ""), says("erp", 30, "closed", ""), says("crm", 70, "x", "")}, "shop",
			[]string{"order.status: shop open, erp closed, since 30 s, open", "order.status: shop open, crm x, since 70 s, open"}},
		{"its first word closes what differed from it, and opens what does", []fact{says("shop", 0, "open", ""), says("erp", 30, "closed", ""), says("crm", 40, "open", ""), says("erp", 61, "closed", "")}, "erp",
			[]string{"order.status: erp closed, crm open, since 61 s, open", "order.status: erp closed, shop open, since 61 s, open", "order.status: shop open, erp closed, since 30 s, closed"}},
		{"a late word of the former owner is an observation", []fact{says("erp", 60, "closed", ""), late(says("shop", 50, "open", ""), 70)}, "erp", []string{"order.status: erp closed, shop open, since 70 s, open"}},
		{"and it may come back", []fact{says("shop", 0, "open", ""), says("erp", 60, "closed", ""), says("shop", 120, "closed", "")}, "shop", []string{"order.status: erp closed, shop open, since 60 s, closed"}},
		{"nobody has spoken in time", []fact{says("crm", 61, "open", "")}, "erp", nil},

		{"who shares a field differs", []fact{says("admin", 0, "", "paid"), says("shop", 5, "", "pending")}, "shop", []string{"order.payment_status: shop pending, admin paid, since 5 s, open"}},
		{"whoever speaks last, it is one disagreement", []fact{says("admin", 0, "", "paid"), says("shop", 5, "", "pending"), says("admin", 9, "", "authorized"), says("shop", 12, "", "pending")}, "shop",
			[]string{"order.payment_status: shop pending, admin authorized, since 5 s, open"}},
		{"until they agree", []fact{says("admin", 0, "", "paid"), says("shop", 5, "", "pending"), says("shop", 9, "", "paid")}, "shop", []string{"order.payment_status: shop paid, admin paid, since 5 s, closed"}},
		{"one of them speaks for both", []fact{says("admin", 0, "", "paid"), says("erp", 5, "", "pending")}, "admin", []string{"order.payment_status: admin paid, erp pending, since 5 s, open"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			o := fold(topo, tt.facts...).Order(at(3600))
			for _, d := range o.Disagreements {
				state := "open"
				if d.Closed != nil {
					state = "closed"
				}
				got = append(got, fmt.Sprintf("%s: %s %s, %s %s, since %d s, %s", d.Field, d.Owner, d.OwnerValue, d.System, d.Value, int(d.Since.Sub(noon).Seconds()), state))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if o.Fields[0].Owner != tt.owner {
				t.Errorf("the owner is %s, want %s", o.Fields[0].Owner, tt.owner)
			}
		})
	}
	// The order in which the topic gives them is not the order of our clock: the answer is the same.
	facts := []*schemas.Event{says("shop", 0, "open", "paid"), says("erp", 61, "closed", ""), says("admin", 3, "", "pending"), late(says("shop", 50, "held", "pending"), 90)}
	want := fold(topo, facts[0], facts[1], facts[2], facts[3]).Disagreements(at(3600))
	back := reconcile.NewFold(topo, "orders", "1001")
	for i := len(facts) - 1; i >= 0; i-- {
		back.Event(facts[i], reconcile.Position{Offset: int64(i)})
	}
	if d := cmp.Diff(want, back.Disagreements(at(3600))); d != "" {
		t.Errorf("the other way round (-want +got):\n%s", d)
	}
}
