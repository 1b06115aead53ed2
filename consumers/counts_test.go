package consumers

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	someTrace  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	otherTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// observed is how often a histogram observed, what in all, and the traces of its exemplars.
func observed(t *testing.T, o prometheus.Observer) (n uint64, sum float64, traces []string) {
	t.Helper()
	var m dto.Metric
	if err := o.(prometheus.Metric).Write(&m); err != nil {
		t.Fatal(err)
	}
	h := m.GetHistogram()
	for _, b := range h.GetBucket() {
		for _, l := range b.GetExemplar().GetLabel() {
			traces = append(traces, l.GetValue())
		}
	}
	return h.GetSampleCount(), h.GetSampleSum(), traces
}

// TestSettled: what is final counts from its receipt, the slowest with its trace; not what is parked, nor what a person had
// delivered again, nor what nobody has looked at.
func TestSettled(t *testing.T) {
	t.Parallel()
	c := NewMetrics(nil).of(&topology.Integration{Name: "down"})
	outcome := func(kind schemas.Kind, seconds int, trace string, replay *schemas.Replay) pending {
		o := &schemas.Outcome{Kind: kind, IngestedAt: monday.Add(-time.Duration(seconds) * time.Second), TraceParent: trace, Replay: replay}
		if seconds == 0 {
			o.IngestedAt = time.Time{}
		}
		return pending{outcome: o}
	}
	c.settled([]pending{
		outcome(schemas.Delivered, 1, otherTrace, nil), outcome(schemas.Superseded, 20, someTrace, nil), outcome(schemas.Duplicate, 2, otherTrace, nil),
		outcome(schemas.Parked, 100, otherTrace, nil), outcome(schemas.Delivered, 1000, otherTrace, &schemas.Replay{}), outcome(schemas.Withheld, 0, otherTrace, nil), {},
	}, monday)
	if n, sum, traces := observed(t, c.endToEnd); n != 3 || sum != 23 || len(traces) != 1 || traces[0] != someTrace[3:35] {
		t.Errorf("%d events of %v s with the exemplars %v, want 3 of 23 s with the slowest's %s", n, sum, traces, someTrace)
	}
}

// TestExemplarsOfCalls: they are kept seldom, for they cost, but for slow calls; a call without a trace has none.
func TestExemplarsOfCalls(t *testing.T) {
	t.Parallel()
	c := NewMetrics(nil).of(&topology.Integration{Name: "down"})
	c.attempt(monday, deliver.Result{Class: deliver.Delivered, Took: 3 * time.Millisecond}, someTrace)
	c.attempt(monday.Add(time.Millisecond), deliver.Result{Class: deliver.Delivered, Took: 30 * time.Millisecond}, otherTrace) // too soon
	c.attempt(monday.Add(2*time.Millisecond), deliver.Result{Class: deliver.Retry, Took: 2 * time.Second}, otherTrace)
	c.attempt(monday.Add(time.Second), deliver.Result{Class: deliver.Retry, Took: 300 * time.Millisecond}, "")
	c.attempt(monday.Add(2*time.Second), deliver.Result{Class: deliver.Retry, Took: 300 * time.Millisecond}, "no-trace-at-all")
	if n, _, traces := observed(t, c.took); n != 5 || len(traces) != 2 || traces[0] != someTrace[3:35] || traces[1] != otherTrace[3:35] {
		t.Errorf("%d calls with the exemplars %v, want 5 with the first and the slow one", n, traces)
	}
}

// BenchmarkSettled is what an event costs at the end of its transaction.
func BenchmarkSettled(b *testing.B) {
	c := NewMetrics(nil).of(&topology.Integration{Name: "down"})
	records := make([]pending, 1000)
	for i := range records {
		records[i].outcome = &schemas.Outcome{Kind: schemas.Delivered, IngestedAt: monday.Add(-time.Duration(i) * time.Millisecond), TraceParent: someTrace}
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(records) {
		c.settled(records, monday)
	}
}
