package contract

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/binaryandbeyond/seam/topology"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// bench is a watch without a cluster, of one source and one integration.
type bench struct {
	*testing.T
	topo  *topology.Topology
	watch *Watch
	now   time.Time
}

// newBench learns from learn documents; contracts are those of the source "shop" by topic.
func newBench(t *testing.T, learn int, declared map[string]topology.Shape) *bench {
	t.Helper()
	b := &bench{T: t, now: noon, topo: &topology.Topology{Learn: learn,
		Sources: []topology.Source{{Name: "shop", Team: "commerce", Platform: topology.Shopify}},
		Integrations: []topology.Integration{{Name: "erp", Team: "finance", Deliver: []topology.Route{
			{Operation: "invoice", HTTP: &topology.HTTPCall{}, Answers: topology.Answers{Delivered: []int{200}, Rejected: []int{422}}}}}}}}
	if declared != nil {
		b.topo.Contracts = []topology.Contract{{Name: "shop", Source: declared}}
	}
	b.watch = newWatch(Config{Topology: b.topo, Instance: "one", Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now }})
	return b
}

func (b *bench) subject(topic string) *Subject {
	return b.watch.Source(&b.topo.Sources[0], topic)
}

// see folds documents in, one after another, a second apart.
func (b *bench) see(s *Subject, documents ...string) {
	b.Helper()
	for _, d := range documents {
		v, err := Read([]byte(d))
		if err != nil {
			b.Fatalf("%s: %v", d, err)
		}
		b.now = b.now.Add(time.Second)
		s.Wants()
		s.See(v)
	}
}

// drifts are the open ones as "kind path seen", in order of kind and path.
func drifts(s *Subject) []string {
	var out []string
	for _, d := range s.snapshot("one", noon).Drifts {
		text := d.Kind + " " + d.Path
		if d.Seen != "" {
			text += " " + d.Seen
		}
		out = append(out, text)
	}
	return out
}

// repeat is a document so many times.
func repeat(document string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = document
	}
	return out
}

// total is a counter's sum over all labels but those given.
func total(t *testing.T, c *prometheus.CounterVec, labels map[string]string) float64 {
	t.Helper()
	ch := make(chan prometheus.Metric, 100)
	c.Collect(ch)
	close(ch)
	sum := 0.0
	for m := range ch {
		var d dto.Metric
		if err := m.Write(&d); err != nil {
			t.Fatal(err)
		}
		fits := true
		for _, l := range d.Label {
			if want, ok := labels[l.GetName()]; ok && want != l.GetValue() {
				fits = false
			}
		}
		if fits {
			sum += d.Counter.GetValue()
		}
	}
	return sum
}
