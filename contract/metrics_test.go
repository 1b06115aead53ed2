package contract

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/binaryandbeyond/seam/topology"
)

// TestDriftIsCountedFromZero: an alert on an increase sees the first drift of a subject.
func TestDriftIsCountedFromZero(t *testing.T) {
	t.Parallel()
	w := Detached(&topology.Topology{})
	w.Source(&topology.Source{Name: "shop"}, "orders/create")
	metrics := make(chan prometheus.Metric, 10)
	w.drifted.Collect(metrics)
	close(metrics)
	var kinds []string
	for c := range metrics {
		var m dto.Metric
		if err := c.Write(&m); err != nil {
			t.Fatal(err)
		}
		for _, l := range m.GetLabel() {
			if l.GetName() == "kind" && m.GetCounter().GetValue() == 0 {
				kinds = append(kinds, l.GetValue())
			}
		}
	}
	if slices.Sort(kinds); !slices.Equal(kinds, []string{"missing", "new", "status", "type", "value"}) {
		t.Errorf("counters of %v are there", kinds)
	}
}
