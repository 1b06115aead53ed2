package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

const shopSource = "name: web\nsystem: shop\nteam: finance\nplatform: shopify\nsecrets: [x]\n"

// TestSources learns how long a system is silent at most, takes what is declared instead, and sees a clock that is ahead; it
// calls nobody silent while the view is behind.
func TestSources(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t, topologytest.Embedded())
	topo := loadWith(t, map[string]string{"sources/web.yaml": shopSource, "sources/clearing.yaml": "name: clearing\nsystem: psp\nteam: crm\nplatform: stripe\nsecrets: [x]\nsilent_after: 90m\n",
		"sources/books.yaml": "name: books\nsystem: erp\nteam: finance\nplatform: standardwebhooks\nsecrets: [x]\n", "sources/people.yaml": "name: people\nsystem: crm\nteam: crm\nplatform: standardwebhooks\nsecrets: [x]\n"})
	b := &bench{T: t, kafka: k, topo: topo, client: k.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))), serde: schemas.NewSerde(k.RegistryClient(t))}
	if _, err := topology.Ensure(t.Context(), topo, b.client, k.RegistryClient(t)); err != nil {
		t.Fatal(err)
	}
	const hour = 3600
	var recs []*kgo.Record
	say := func(system schemas.System, seconds, ahead int) {
		ev := order(t, event(fmt.Sprintf("%s%d", system, seconds), schemas.OrderUpdated, system, seconds), "20.00 EUR", "paid")
		ev.Time = at(seconds + ahead)
		recs = append(recs, b.record(ev, ""))
	}
	for h := range 8 * 24 { // from noon on: the shop speaks by day, the clearing house always, until the end comes near
		if clock := (12 + h) % 24; clock >= 6 && clock < 22 && h < 8*24-14 {
			say("shop", h*hour+60, -30)
		}
		say("psp", h*hour+120, 0)
	}
	say("psp", 8*24*hour, 45)
	if err := b.client.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	sources := func(now time.Time) []reconcile.Source {
		t.Helper()
		view := b.followIn(sqliteFile(t), now)
		b.caughtUp(view)
		list, err := view.Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(list, func(s reconcile.Source) bool { return s.LastAt.IsZero() })
	}
	end := at(8 * 24 * hour)
	got := sources(end)
	want := []reconcile.Source{
		{System: "psp", Teams: []string{"crm"}, Events: 25, LastAt: end, AheadMS: 45_000, BehindMS: -45_000, LimitMS: 90 * 60_000, Declared: true},
		{System: "shop", Teams: []string{"finance"}, Events: got[1].Events, LastAt: at((8*24-15)*hour + 60), BehindMS: 30_000, LimitMS: 10 * hour * 1000, Silent: true},
	}
	if d := cmp.Diff(want, got); d != "" || got[1].Events == 0 {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := sources(end.Add(91 * time.Minute)); !got[0].Silent {
		t.Errorf("an hour and a half later: %+v", got[0])
	}
	behind, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Topology: topo, Now: func() time.Time { return end.Add(100 * day * time.Second) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = behind.Close() })
	if err := behind.Apply(t.Context(), b.serde, recs[:10]...); err != nil {
		t.Fatal(err)
	}
	list, err := behind.Sources(t.Context())
	if err != nil || slices.ContainsFunc(list, func(s reconcile.Source) bool { return s.Silent }) {
		t.Errorf("a view that is behind: %+v, %v", list, err)
	}
}
