package reconcile_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

const (
	minute = 60
	hour   = 3600
	tick   = 1 // of the reconciler
)

// told is an event or an outcome at its time, seconds after noon.
type told struct {
	at int
	ev *schemas.Event
	o  *schemas.Outcome
	by []byte // a value that is none
}

// found is what must be seen of a planted order: not before, there at the deadline and a tick, of these teams; until is when
// it must be gone again, 0 for never.
type found struct {
	at, until int
	pages     string
	verdict   string // a part of it
}

// fault is a class of fault: how it changes what is told of an order, and what must be found. Without found, nothing may be.
type fault struct {
	name  string
	plant func(*tale)
	found *found
}

// tale is all that is told of one order.
type tale struct {
	*testing.T
	topo *topology.Topology
	key  string
	all  []told
}

// planted are the ways in which a shop and what is behind it come apart, and their twins that are none.
var planted = []fault{
	{"missing webhook", func(s *tale) { s.drop(func(t told) bool { return s.about(t, "created") || s.about(t, "updated") }) },
		&found{at: 30 + hour, pages: "finance", verdict: "pay lacks order.created"}},
	{"duplicate", func(s *tale) { s.again("created"); s.again("psp") }, nil},
	{"stale overwrite", func(s *tale) { s.erp(20*minute, "1", "20.00 EUR", "pending") }, nil}, // the ERP's own newer word stands
	{"stale status saved", func(s *tale) { s.erp(20*minute, "9", "20.00 EUR", "pending") },
		&found{at: 20*minute + 15*minute, pages: "finance", verdict: "in disagreement on order.payment_status (erp)"}},
	{"paid before created", func(s *tale) { s.delay(2*hour, "created", "updated") }, &found{at: 30 + hour, until: 2*hour + 61, pages: "finance", verdict: "pay lacks order.created"}},
	{"a 200 that did nothing", func(s *tale) { s.drop(func(t told) bool { return s.about(t, "shipped") }) },
		&found{at: 30 + 72*hour, pages: "fulfilment", verdict: "fulfill lacks fulfillment.shipped"}},
	{"a 200 that did nothing, read back", func(s *tale) {
		s.drop(func(t told) bool { return s.about(t, "shipped") })
		s.read(6*minute, schemas.ReadMissing)
	}, &found{at: 6 * minute, pages: "fulfilment", verdict: "missing in warehouse"}},
	{"a 200 that was slow", func(s *tale) { s.read(6*minute, schemas.ReadMissing); s.read(20*minute, schemas.ReadFound) },
		&found{at: 6 * minute, until: 20 * minute, pages: "fulfilment", verdict: "missing in warehouse"}},
	{"read back and there", func(s *tale) { s.read(6*minute, schemas.ReadFound) }, nil},
	{"partial outage", func(s *tale) { s.drop(func(t told) bool { return t.o != nil && t.o.Integration == "enrichment" }) },
		&found{at: hour, pages: "data", verdict: "missing in enrichment"}},
	{"wrong value", func(s *tale) { s.erp(20*minute, "9", "25.00 EUR", "paid") }, &found{at: 50 * minute, pages: "finance", verdict: "in disagreement on order.total (erp)"}},
	{"rounding that is tolerated", func(s *tale) { s.erp(20*minute, "9", "20.01 EUR", "paid") }, nil},
	{"rounding that is not", func(s *tale) { s.erp(20*minute, "9", "20.02 EUR", "paid") }, &found{at: 50 * minute, pages: "finance", verdict: "in disagreement on order.total (erp)"}},
	{"late batch", func(s *tale) { s.erp(20*minute, "9", "25.00 EUR", "paid"); s.erp(80*minute, "10", "20.00 EUR", "paid") },
		&found{at: 50 * minute, until: 80 * minute, pages: "finance", verdict: "in disagreement on order.total (erp)"}},
	{"parked", func(s *tale) { s.outcome("warehouse", "created", schemas.Parked, schemas.ReasonBusinessNo) }, &found{at: 60, pages: "fulfilment", verdict: "parked in warehouse"}},
	{"breaker open", func(s *tale) { s.delayOutcomes("fraud", 40*minute) }, &found{at: 15 * minute, until: 41 * minute, pages: "commerce,risk", verdict: "missing in fraud"}},
	{"schema drift", func(s *tale) { s.outcome("tax", "created", schemas.Parked, schemas.ReasonContract) }, &found{at: 60, pages: "commerce,finance", verdict: "parked in tax"}},
	{"bytes that are none", func(s *tale) { s.poison() }, &found{at: 90, pages: "finance", verdict: "parked in erp"}},
	{"replay", func(s *tale) { s.replayed() }, nil},
	{"delivered again in vain", func(s *tale) { s.wanted("warehouse", "created", hour) }, nil},
	{"clock skew", func(s *tale) { s.skewed("psp", 10*minute) }, nil}, // seen in the sources, and disturbs no order
	{"an AI that writes what is not its own", func(s *tale) { s.foreign(20 * minute) },
		&found{at: 20*minute + 15*minute, pages: "finance", verdict: "in disagreement on order.payment_status (enrichment)"}},
}

// TestFaultsAreFound plants every class among orders whose days go well: each is found at its deadline and not before, by the
// right team, goes when it is over, and nothing else pages anybody. SEAM_FAULT_ORDERS is how many orders; .ci/run takes ten
// thousand.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	orders, each := 600, 2
	if n, err := strconv.Atoi(os.Getenv("SEAM_FAULT_ORDERS")); err == nil {
		orders, each = n, n/1000
	}
	k := topologytest.Cluster(t)
	topo, err := topology.LoadForReading(topology.Default(), func(name string) (string, bool) { return k.Prefix, name == "SEAM_PREFIX" })
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, kafka: k, topo: topo, client: k.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))), serde: schemas.NewSerde(k.RegistryClient(t))}
	if _, err := topology.Ensure(t.Context(), topo, b.client, k.RegistryClient(t)); err != nil {
		t.Fatal(err)
	}
	var all []told
	classes := map[string]*fault{}
	for i := range orders {
		s := &tale{T: t, topo: topo, key: fmt.Sprintf("%d", 7_000_000_000+i)}
		s.goodDay()
		if class := i / each; i%each < each && class < len(planted) {
			classes[s.key] = &planted[class]
			planted[class].plant(s)
		}
		all = append(all, s.all...)
	}
	slices.SortStableFunc(all, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	var clock atomic.Int64
	view, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Topology: topo, Now: func() time.Time { return at(int(clock.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: topo, View: view})
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, view.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, moment := range moments() {
		n, _ := slices.BinarySearchFunc(all, moment+1, func(t told, at int) int { return cmp.Compare(t.at, at) })
		b.tell(all[:n])
		all = all[n:]
		clock.Store(int64(moment))
		b.judged(view)
		b.look(view, classes, moment, orders)
		b.clocks(view, moment)
	}
}

// clocks sees the PSP's clock that was ahead, for a day.
func (b *bench) clocks(view *reconcile.View, moment int) {
	b.Helper()
	sources, err := view.Sources(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range sources {
		want := int64(0)
		if s.System == "psp" && moment >= 35 && moment < 25*hour {
			want = 10 * minute * 1000
		}
		if s.AheadMS != want && moment != 35 {
			b.Errorf("at %d s the clock of %s is ahead by %d ms, want %d", moment, s.System, s.AheadMS, want)
		}
	}
}

// moments are when the view is looked at: just before each deadline, a tick after it, and when something must be over.
func moments() []int {
	var out []int
	for _, f := range planted {
		if f.found != nil {
			out = append(out, f.found.at-tick, f.found.at+tick)
			if f.found.until > 0 {
				out = append(out, f.found.until+tick)
			}
		}
	}
	out = append(out, 2*hour+10*minute, 80*hour)
	slices.Sort(out)
	return slices.Compact(out)
}

// tell produces what is told.
func (b *bench) tell(all []told) {
	b.Helper()
	recs := make([]*kgo.Record, 0, len(all))
	for _, t := range all {
		switch {
		case t.by != nil:
			recs = append(recs, &kgo.Record{Topic: b.topo.TopicName(schemas.TopicOrders), Key: []byte(t.ev.Subject), Value: t.by, Headers: schemas.EventHeaders(t.ev, ""), Timestamp: at(t.at)})
		case t.ev != nil:
			recs = append(recs, b.record(t.ev, ""))
		default:
			recs = append(recs, b.record(t.o, ""))
		}
	}
	if err := b.client.ProduceSync(b.Context(), recs...).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// look holds what the view says at a moment to what was planted.
func (b *bench) look(view *reconcile.View, classes map[string]*fault, moment, orders int) {
	b.Helper()
	bad, _, err := view.Paged(b.Context(), orders)
	if err != nil {
		b.Fatal(err)
	}
	paged := map[string]reconcile.Listed{}
	for _, l := range bad {
		paged[l.Key] = l
	}
	for key, f := range classes {
		got, is := paged[key]
		delete(paged, key)
		want := f.found != nil && moment > f.found.at && (f.found.until == 0 || moment < f.found.until)
		switch {
		case !want && is:
			b.Errorf("%s (%s) at %d s: %s", f.name, key, moment, got.Verdict)
		case want && !is:
			o, _ := view.Order(b.Context(), key)
			b.Errorf("%s (%s) is not found at %d s: %s", f.name, key, moment, o.Verdict)
		case want && (strings.Join(got.Pages, ",") != f.found.pages || !strings.Contains(got.Verdict, f.found.verdict)) && moment == f.found.at+tick:
			b.Errorf("%s (%s) at %d s: pages %v, %q; want %s, %q", f.name, key, moment, got.Pages, got.Verdict, f.found.pages, f.found.verdict)
		}
	}
	for _, l := range paged {
		b.Errorf("a false alarm at %d s: %s", moment, l.Verdict)
		break
	}
}
