package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// metrics is what a view exports once everything is caught up, judged and counted, of one prefix and not 0, by its labels' values.
func (m *moving) metrics(prefix string) map[string]float64 {
	m.Helper()
	m.judged(m.view)
	if err := m.view.Count(m.Context()); err != nil {
		m.Fatal(err)
	}
	families, err := m.reg.Gather()
	if err != nil {
		m.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			v := s.GetGauge().GetValue() + s.GetCounter().GetValue()
			if name, ok := strings.CutPrefix(f.GetName(), prefix); ok && v != 0 {
				out[name+"{"+strings.Join(labels, ",")+"}"] = v
			}
		}
	}
	return out
}

// TestOperationMetrics: steps are counted once, when they come true; what is late or missing shows while it is; and a view made
// anew counts no history.
func TestOperationMetrics(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		b := newBench(t)
		b.topo.Operations = loadWith(t, map[string]string{"operations.yaml": operationsYAML}).Operations
		m := b.open(database, 0)
		defer func() { m.stop() }()
		is := func(name string, seconds int, want map[string]float64) {
			t.Helper()
			m.now.Store(int64(seconds))
			if d := cmp.Diff(want, m.metrics("seam_operations_")); d != "" {
				t.Fatalf("%s (-want +got):\n%s", name, d)
			}
		}
		delivered := func(in, id string, et schemas.EventType, operation string, seconds int) {
			t.Helper()
			o := outcome(in, id, et, schemas.Delivered, "", seconds)
			o.Operation = operation
			b.produce(b.record(o, ""))
		}
		if zero := m.zeros("seam_operations_total"); zero < 8 { // two states of four calls and events
			t.Errorf("%d counters are there before anything came true", zero)
		}
		b.produce(b.record(order(t, event("c", schemas.OrderCreated, "shop", 10), "20.00 EUR", "paid"), ""), b.record(captured(t, "1001", "p", "20.00 EUR", "psp", 20), ""))
		is("it was paid, and what that asks of others has time", 30, map[string]float64{"total{,pay,complete}": 1})
		is("nobody picks it, and nobody ships it", 3*3600, map[string]float64{"total{,pay,complete}": 1,
			"missing{books,place}": 1, "missing{warehouse,fulfill}": 1, "missing{,fulfill}": 1})
		delivered("books", "c", schemas.OrderCreated, "book", 40)
		delivered("warehouse", "c", schemas.OrderCreated, "fulfill", 3*3600+10)
		is("one was in time and heard of late, one was late", 3*3600+20, map[string]float64{"total{,pay,complete}": 1,
			"total{books,place,complete}": 1, "total{warehouse,fulfill,complete_late}": 1, "missing{,fulfill}": 1})
		b.produce(b.record(event("x", schemas.OrderCancelled, "shop", 3*3600+30), ""))
		is("cancelled: what was not needed has not come true", 3*3600+40, map[string]float64{"total{,pay,complete}": 1,
			"total{books,place,complete}": 1, "total{warehouse,fulfill,complete_late}": 1})
		if err := m.view.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.stop()
		m = b.open(database, 4*3600)
		is("a view made anew", 4*3600, map[string]float64{})
	})
}

// zeros is how many series a metric has that are 0.
func (m *moving) zeros(name string) (n int) {
	families, err := m.reg.Gather()
	if err != nil {
		m.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == name && s.GetCounter().GetValue() == 0 {
				n++
			}
		}
	}
	return n
}

// TestDisagreementMetrics: what two systems differ about shows for the team that is paged, overdue past its deadline, and no more
// once a person waived it.
func TestDisagreementMetrics(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		b := newBench(t)
		m := b.open(database, 0)
		defer m.stop()
		is := func(name string, seconds int, want map[string]float64) {
			t.Helper()
			m.now.Store(int64(seconds))
			if d := cmp.Diff(want, m.metrics("seam_disagreements_")); d != "" {
				t.Fatalf("%s (-want +got):\n%s", name, d)
			}
		}
		for id, total := range map[string]string{"shop": "20.00 EUR", "erp": "25.00 EUR"} {
			b.produce(b.record(order(t, event(id, schemas.OrderUpdated, schemas.System(id), 10), total, "paid"), ""))
		}
		is("two differ", 60, map[string]float64{"open{field,finance}": 1})
		is("past the deadline", 3600, map[string]float64{"open{field,finance}": 1, "overdue{field,finance}": 1})
		topic, until := b.topo.TopicName(topology.TopicCommands), at(3*3600)
		value, err := b.serde.EncodeCommand(t.Context(), topic+"-value", &schemas.Command{ID: "w", Kind: schemas.Waive, Topic: "orders", Key: "1001", Field: "order.total", System: "erp", Who: "jo", Why: "known", At: at(3600), Until: &until})
		if err != nil {
			t.Fatal(err)
		}
		b.produce(&kgo.Record{Topic: topic, Key: []byte("1001"), Value: value})
		is("waived", 3700, map[string]float64{})
	})
}

// TestViewLag: a view that was never caught up is as old as the process, and one that is caught up is not.
func TestViewLag(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.open(sqliteFile(t), 0)
	m.now.Store(100)
	defer m.stop()
	got := m.metrics("seam_view_")
	if got["lag_seconds{}"] != 0 || got["behind_records{}"] != 0 {
		t.Errorf("caught up: %v", got)
	}
	b.produce(b.record(order(t, event("c", schemas.OrderCreated, "shop", 10), "20.00 EUR", "paid"), ""))
	if got := m.metrics("seam_view_"); got["records_total{}"] != 1 {
		t.Errorf("one record was taken in: %v", got)
	}
	now := at(0)
	still, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: sqliteFile(t), Topology: b.topo, Now: func() time.Time { return now }}) // nobody follows
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := still.Close(); err != nil {
			t.Error(err)
		}
	})
	now = at(300)
	if lag := still.Lag(); lag != 300 {
		t.Errorf("a lag of %v s, want the 300 since it was opened", lag)
	}
}

// TestFollowBeats: the loop tells that it goes round once it has begun, and no more when it has ended.
func TestFollowBeats(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	view := openView(t, sqliteFile(t), b.topo, at(0))
	beats := make(chan bool, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: b.topo, View: view, Beat: func(runs bool) { beats <- runs }})
	}()
	if <-beats {
		t.Error("it runs before it has begun")
	}
	b.caughtUp(view)
	for runs := false; !runs; {
		runs = <-beats
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	close(beats)
	last := true
	for runs := range beats {
		last = runs
	}
	if last {
		t.Error("it has ended and still counts as running")
	}
}
