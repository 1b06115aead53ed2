package topology_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

func loadShipped(t *testing.T, prefix string) *topology.Topology {
	t.Helper()
	topo, err := topology.Load(topology.Default(), func(name string) (string, bool) {
		switch {
		case name == "SEAM_PREFIX":
			return prefix, true
		case strings.HasSuffix(name, "_URL"):
			return "http://127.0.0.1:1", true
		}
		return "x", true
	})
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func TestPlanAfterApplyIsEmpty(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topo := loadShipped(t, k.Prefix)
	topo.Topics = topo.Topics[:10] // enough of each sort; a real broker makes topics slowly
	client, registry := k.Client(t), k.RegistryClient(t)
	plan, err := topology.Ensure(t.Context(), topo, client, registry)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan) != 2*len(topo.Topics) {
		t.Errorf("first plan has %d changes, want a topic and a schema for each of %d topics:\n%v", len(plan), len(topo.Topics), plan)
	}
	topologytest.Eventually(t, "the plan is empty", func() error {
		have, err := topology.Read(t.Context(), topo, client, registry)
		if err != nil {
			return err
		}
		if diff := cmp.Diff([]string{}, lines(topology.Plan(topo, have))); diff != "" {
			return errText(diff)
		}
		return nil
	})
}

func TestPlanShowsDriftAndRefusesPartitions(t *testing.T) {
	t.Parallel()
	topo := loadShipped(t, "")
	have := topology.State{Topics: map[string]topology.TopicState{}, Subjects: map[string]topology.SubjectState{}, Claim: &topology.ClaimRecord{Environment: topo.Environment}}
	for _, w := range topo.Topics {
		have.Topics[w.Name] = topology.TopicState{Partitions: w.Partitions, Configs: w.Configs}
		have.Subjects[w.Name+"-value"] = topology.SubjectState{Versions: 1, Current: true, Level: "BACKWARD_TRANSITIVE"}
	}
	have.Topics["orders"] = topology.TopicState{Partitions: 12, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "1000"}}
	have.Topics["customers"] = topology.TopicState{Partitions: 4, Configs: topo.Topics[1].Configs}
	got := strings.Join(lines(topology.Plan(topo, have)), "\n")
	for _, want := range []string{
		"! refused orders  it has 12 partitions and the files want 8: Kafka cannot shrink a topic; set partitions: 12",
		"! refused customers  it has 4 partitions and the files want 8: growing it moves orders",
		"~ topic   orders  retention.ms: 1000 -> 7776000000",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("plan lacks %q:\n%s", want, got)
		}
	}
	if err := topology.Apply(t.Context(), topo, (*kgo.Client)(nil), nil, topology.Plan(topo, have)); !errors.Is(err, topology.ErrRefused) {
		t.Errorf("Apply = %v, want ErrRefused before anything is done", err)
	}
}

type errText string

func (e errText) Error() string { return string(e) }

func lines(plan []topology.Change) []string {
	out := []string{}
	for _, c := range plan {
		out = append(out, c.String())
	}
	return out
}

// TestApplyOutlastsARegistryThatFails: Apicurio, for one, answers 500 when two subjects are given the same schema at once.
func TestApplyOutlastsARegistryThatFails(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topo := loadShipped(t, k.Prefix)
	topo.Topics = topo.Topics[:1]
	failing := &failsFirst{left: 2}
	registry, err := sr.NewClient(sr.URLs(k.Registry), sr.HTTPClient(&http.Client{Transport: failing}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topology.Ensure(t.Context(), topo, k.Client(t), registry); err != nil {
		t.Fatal(err)
	}
	if _, err := k.RegistryClient(t).SchemaByVersion(t.Context(), topo.Topics[0].Name+"-value", -1); err != nil {
		t.Errorf("after %d answers of 500: %v", 2-failing.left, err)
	}
}

// failsFirst answers the first registrations with 500.
type failsFirst struct{ left int }

func (f *failsFirst) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/versions") && !strings.Contains(req.URL.Path, "/compatibility/") && f.left > 0 {
		f.left--
		return &http.Response{StatusCode: http.StatusInternalServerError, Body: io.NopCloser(strings.NewReader(`{"error_code":500,"message":"Failed to ensure content."}`)), Request: req}, nil
	}
	return http.DefaultTransport.RoundTrip(req)
}
