package contract

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// process opens a watch on a cluster as one process does at a time.
func process(t *testing.T, k *topologytest.Kafka, serde *schemas.Serde, topo *topology.Topology, instance string, at time.Time) *Watch {
	t.Helper()
	w, err := Open(t.Context(), Config{Topology: topo, Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Serde: serde, Instance: instance, Registerer: prometheus.NewRegistry(),
		Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// end has a watch publish what it has.
func end(t *testing.T, w *Watch) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestProcesses: two see at once, both are told of; who starts a day later takes over and removes what they left.
func TestProcesses(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	k.Topic(t, topology.TopicContracts, 1, map[string]string{"cleanup.policy": "compact", "max.message.bytes": "4194304"})
	topo := newBench(t, 3, nil).topo
	topo.Prefix = k.Prefix
	serde := schemas.NewSerde(k.RegistryClient(t))
	cfg := ReadConfig{Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Serde: serde, Topology: topo}
	elsewhere := cfg
	elsewhere.Topology = &topology.Topology{Prefix: k.Prefix + "none."}
	if _, err := ReadAll(t.Context(), elsewhere); !errors.Is(err, kerr.UnknownTopicOrPartition) || !strings.Contains(err.Error(), "seam apply creates it") {
		t.Errorf("without the topic: %v", err)
	}
	see := func(w *Watch, documents ...string) {
		s := w.Source(&topo.Sources[0], "orders/create")
		for _, d := range documents {
			v, err := Read([]byte(d))
			if err != nil {
				t.Fatal(err)
			}
			if s.Wants() {
				s.See(v)
			}
		}
	}
	one, two := process(t, k, serde, topo, "one", noon), process(t, k, serde, topo, "two", noon)
	see(one, `{"a":1}`, `{"a":1}`, `{"a":1}`, `{"a":1,"new":true}`)
	see(two, `{"a":1,"b":"x"}`)
	end(t, one)
	end(t, two)
	const key = "source/shop/orders/create"
	all, err := ReadAll(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{" object 4/0", "a number 4/0", "b string 1/0", "new boolean 1/3"}, shapeOf(all[key].Paths)); d != "" {
		t.Errorf("joined (-want +got):\n%s", d)
	}
	if all[key].Declared != ByLearned || len(all[key].Drifts) != 1 || all[key].Passed != 4 {
		t.Errorf("%+v", all[key])
	}
	keys := func() []string {
		t.Helper()
		records, err := cfg.records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(records))
	}
	three := process(t, k, serde, topo, "three", noon.Add(oldAfter+time.Hour))
	see(three, `{"a":1,"new":false}`)
	end(t, three)
	if d := cmp.Diff([]string{key + "/three"}, keys()); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if all, err = ReadAll(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if c := all[key]; c.Documents != 5 || c.Drifts[0].Count != 2 || c.Drifts[0].Path != "new" || !c.First.Equal(noon) {
		t.Errorf("%+v", c)
	}
}

// TestAtOnce: subjects are made, fed and published by many at once.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1000, nil)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 100 {
				s := b.watch.Source(&b.topo.Sources[0], []string{"orders/create", "orders/paid"}[n%2])
				v, err := Read(fmt.Appendf(nil, `{"id":%d,"k%c":[{"a":null}]}`, n, 'a'+i))
				if err != nil {
					t.Error(err)
					return
				}
				if s.Wants() {
					s.See(v)
				}
				s.Answered(200+n%3, n%3 < 2)
				_ = s.due("one", noon, 0)
			}
		})
	}
	wait.Wait()
	for _, topic := range []string{"orders/create", "orders/paid"} {
		c := b.subject(topic).snapshot("one", noon)
		if c.Documents != 400 || c.Passed != 400 || c.Paths[0].Present != 400 {
			t.Errorf("%s: %d documents of %d", topic, c.Documents, c.Passed)
		}
	}
}
