package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// moving is a view with a clock that the test moves, followed until stop.
type moving struct {
	*bench
	view *reconcile.View
	now  atomic.Int64 // seconds after noon
	reg  *prometheus.Registry
	stop func()
}

// open follows a database as of seconds after noon.
func (b *bench) open(database string, seconds int) *moving {
	b.Helper()
	m := &moving{bench: b, reg: prometheus.NewRegistry()}
	m.now.Store(int64(seconds))
	var err error
	if m.view, err = reconcile.OpenView(b.Context(), reconcile.ViewConfig{Database: database, Topology: b.topo, Instance: "test", Registerer: m.reg, Now: func() time.Time { return at(int(m.now.Load())) }}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: b.topo, View: m.view})
	}()
	m.stop = func() {
		cancel()
		if err := errors.Join(<-done, m.view.Close()); err != nil {
			b.Error(err)
		}
	}
	return m
}

// told is what is published when everything is caught up and judged.
func (m *moving) told() []string {
	m.Helper()
	m.judged(m.view)
	out := []string{}
	if _, err := m.view.Notify(m.Context(), func(_ context.Context, list []*schemas.Disagreement) error {
		for _, d := range list {
			out = append(out, fmt.Sprintf("%s %s %s %s against %s since %s flaps %d paged %v by %q", d.Key, d.Field, d.State, d.Value, d.OwnerValue, d.Since.Sub(noon), d.Flaps, d.Paged, d.Who))
		}
		return nil
	}); err != nil {
		m.Fatal(err)
	}
	return out
}

// TestDisagreementsAreTold follows one through its life: it is told once for each state and paged for once, although it flaps,
// the process dies before it has noted what it told, and the view is made anew.
func TestDisagreementsAreTold(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		b := newBench(t)
		say := func(id string, system schemas.System, seconds int, total string) {
			b.produce(b.record(order(t, event(id, schemas.OrderUpdated, system, seconds), total, "paid"), ""))
		}
		decide := func(kind schemas.CommandKind, seconds int, until *time.Time) {
			topic := b.topo.TopicName(topology.TopicCommands)
			value, err := b.serde.EncodeCommand(t.Context(), topic+"-value", &schemas.Command{ID: fmt.Sprint(kind, seconds), Kind: kind, Topic: "orders", Key: "1001", Field: "order.total", System: "erp", Who: "jo", Why: "known", At: at(seconds), Until: until})
			if err != nil {
				t.Fatal(err)
			}
			b.produce(&kgo.Record{Topic: topic, Key: []byte("1001"), Value: value})
		}
		// Each step is at a time, after what happened; differs within 15 minutes are tolerated.
		m := b.open(database, 0)
		defer func() { m.stop() }()
		step := func(name string, seconds int, want ...string) {
			t.Helper()
			m.now.Store(int64(seconds))
			if want == nil {
				want = []string{}
			}
			if d := cmp.Diff(want, m.told()); d != "" {
				t.Fatalf("%s (-want +got):\n%s", name, d)
			}
		}
		say("e1", "shop", 0, "20.00 EUR")
		step("one speaks", 10)
		say("e2", "erp", 60, "25.00 EUR")
		step("another differs", 61, `1001 order.total opened 25.00 EUR against 20.00 EUR since 1m0s flaps 0 paged false by ""`)
		step("nothing new", 62)
		step("the deadline", 60+15*60+1, `1001 order.total overdue 25.00 EUR against 20.00 EUR since 1m0s flaps 0 paged true by ""`)
		m.stop()
		m = b.open(database, 1000)
		step("another process", 1000)
		if err := m.view.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.stop()
		m = b.open(database, 1001)
		step("the view made anew", 1001)
		say("e3", "erp", 1100, "20.00 EUR")
		step("they agree", 1101, `1001 order.total closed 25.00 EUR against 20.00 EUR since 1m0s flaps 0 paged false by ""`)
		say("e4", "erp", 1200, "26.00 EUR")
		step("it flaps", 1201, `1001 order.total overdue 26.00 EUR against 20.00 EUR since 1m0s flaps 1 paged false by ""`)
		decide(schemas.Acknowledge, 1300, nil)
		step("acknowledged", 1301, `1001 order.total acknowledged 26.00 EUR against 20.00 EUR since 1m0s flaps 1 paged false by "jo"`)
		if o := answer(t, m.view, "1001"); len(o.Pages) != 0 {
			t.Errorf("pages %v: %s", o.Pages, o.Verdict)
		}
		until := at(9000)
		decide(schemas.Waive, 1400, &until)
		step("waived", 1401, `1001 order.total waived 26.00 EUR against 20.00 EUR since 1m0s flaps 1 paged false by "jo"`)
		step("the waiver is over", 9001, `1001 order.total overdue 26.00 EUR against 20.00 EUR since 1m0s flaps 1 paged false by ""`)
		say("e5", "erp", 9100, "20.00 EUR")
		step("they agree again", 9101, `1001 order.total closed 26.00 EUR against 20.00 EUR since 1m0s flaps 1 paged false by ""`)
		say("e6", "erp", 20000, "27.00 EUR")
		step("much later", 20001+15*60, `1001 order.total overdue 27.00 EUR against 20.00 EUR since 5h33m20s flaps 0 paged true by ""`)
	})
}

// TestAcceptanceIsTold: an accepted value is told, and whoever does not come round to it is paged for again, though somebody was
// before; a view that is made anew knows it from the topic.
func TestAcceptanceIsTold(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		b := newBench(t)
		m := b.open(database, 0)
		defer func() { m.stop() }()
		step := func(name string, seconds int, want ...string) {
			t.Helper()
			m.now.Store(int64(seconds))
			if want == nil {
				want = []string{}
			}
			if d := cmp.Diff(want, m.told()); d != "" {
				t.Fatalf("%s (-want +got):\n%s", name, d)
			}
		}
		const erp = "1001 order.payment_status %s refunded against paid since 1m0s flaps 0 paged %v by %q"
		b.produce(b.record(paidIs(t, "s1", "shop", 0, "paid"), ""), b.record(paidIs(t, "b1", "erp", 60, "refunded"), ""))
		step("overdue", 961, fmt.Sprintf(erp, "overdue", true, ""))
		b.produce(b.record(accepted(t, "f1", 1000, "erp", "refunded", 0), ""))
		step("accepted", 1001, fmt.Sprintf(erp, "accepted", false, "jo"))
		list, _, err := m.view.Disagreements(t.Context(), true, 10)
		if err != nil || len(list) != 1 || list[0].Accepted != "erp" || list[0].AcceptedValue != "refunded" || list[0].AcceptedBy != "finance" || !list[0].AcceptedAt.Equal(at(1000)) || list[0].Why != "asked the bank" {
			t.Errorf("%+v, %v", list, err)
		}
		b.produce(b.record(accepted(t, "f2", 1100, "shop", "paid", 0), ""))
		step("the other accepted", 1101, fmt.Sprintf(erp, "accepted", false, "jo"))
		if err := m.view.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.stop()
		m = b.open(database, 1102)
		step("the view made anew", 1103)
		step("nobody came round", 2001, fmt.Sprintf(erp, "overdue", true, "jo"))
		b.produce(b.record(paidIs(t, "b2", "erp", 2100, "paid"), ""))
		step("they agree", 2101, fmt.Sprintf(erp, "closed", false, "jo"))
	})
}

// TestDisagreementsTopic reads what a running reconciler writes, as another team would.
func TestDisagreementsTopic(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.produce(b.record(order(t, event("e1", schemas.OrderUpdated, "shop", 0), "20.00 EUR", "paid"), ""), b.record(order(t, event("e2", schemas.OrderUpdated, "erp", 60), "25.00 EUR", "paid"), ""))
	view := openView(t, sqliteFile(t), b.topo, at(4000))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: b.topo, View: view, Tell: true})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	cl := b.kafka.Client(t, kgo.ConsumeTopics(b.topo.TopicName(topology.TopicDisagreements)), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	wait, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	recs := cl.PollFetches(wait).Records()
	if len(recs) == 0 {
		t.Fatal("nothing was told")
	}
	d, err := b.serde.DecodeDisagreement(t.Context(), recs[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	if string(recs[0].Key) != "orders|1001|order.total||erp" || d.State != reconcile.DisagreementOverdue || !d.Paged || d.Page != "finance" || d.Value != "25.00 EUR" || !d.SeenAt.Equal(at(60)) || !d.OwnerTime.Equal(at(0)) {
		t.Errorf("%s: %+v", recs[0].Key, d)
	}
	partition := kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: []byte("1001")}, int(b.topo.Partitions))
	if int(recs[0].Partition) != partition {
		t.Errorf("it stands in partition %d and its order in %d", recs[0].Partition, partition)
	}
}
