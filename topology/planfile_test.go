package topology_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestPlanFile is applied only to the files and the cluster that it was made against; what it itself has made is no difference.
func TestPlanFile(t *testing.T) {
	t.Parallel()
	topo := load(t, small(""))
	files := map[string]string{"topics.yaml": "1", "teams.yaml": "1"}
	before := settled(topo)
	before.Topics["orders"].Configs["retention.ms"] = "1000"
	before.Subjects["orders-value"] = topology.SubjectState{Versions: 1}
	delete(before.Topics, "ledger.a")
	made := topology.NewPlanFile(topo, before, files, "ann", time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC))
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := topology.ParsePlanFile(text)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		move func(have *topology.State, files map[string]string)
		rest int // changes left
		want string
	}{
		{"as it was", func(*topology.State, map[string]string) {}, 3, ""},
		{"half done", func(have *topology.State, _ map[string]string) {
			have.Topics["ledger.a"], have.Topics["orders"].Configs["retention.ms"] = settled(topo).Topics["ledger.a"], "7776000000"
		}, 1, ""},
		{"a file", func(_ *topology.State, f map[string]string) {
			f["topics.yaml"], f["money.yaml"] = "2", "1"
			delete(f, "teams.yaml")
		}, 0,
			"money.yaml is new\n  teams.yaml is gone\n  topics.yaml has changed"},
		{"another cluster", func(have *topology.State, _ map[string]string) { have.ClusterID = "d" }, 0, "the plan is of cluster c, and this is d"},
		{"what it would change", func(have *topology.State, _ map[string]string) {
			have.Topics["orders"].Configs["retention.ms"] = "2000"
		}, 0,
			"not in the plan: ~ topic   orders  retention.ms: 2000 -> 7776000000"},
		{"what it leaves", func(have *topology.State, _ map[string]string) {
			have.Topics["customers"].Configs["flush.ms"], have.Topics["customers"].Set["flush.ms"] = "5", ""
		}, 0, "not in the plan: - topic   customers  flush.ms: 5 -> the broker's default  DANGER: somebody set it by hand; to keep it, write it under configs in topics.yaml: customers: {flush.ms: \"5\"}\n  topic customers flush.ms was not there and is 5"},
		{"a schema", func(have *topology.State, _ map[string]string) {
			have.Subjects["orders-value"] = topology.SubjectState{Versions: 2}
		}, 0,
			"subject orders-value versions was 1 and is 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			have := settled(topo)
			have.Topics["orders"].Configs["retention.ms"] = "1000"
			have.Subjects["orders-value"] = topology.SubjectState{Versions: 1}
			delete(have.Topics, "ledger.a")
			now := map[string]string{"topics.yaml": "1", "teams.yaml": "1"}
			tt.move(&have, now)
			rest, err := plan.Rest(topo, have, now)
			if len(rest) != tt.rest || errors.Is(err, topology.ErrMoved) != (tt.want != "") {
				t.Fatalf("Rest = %v, %v, want %d changes", rest, err, tt.rest)
			}
			if err != nil {
				if d := cmp.Diff(topology.ErrMoved.Error()+":\n  "+tt.want, err.Error()); d != "" {
					t.Errorf("error (-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestPlanFileOfAnotherSeam(t *testing.T) {
	t.Parallel()
	if _, err := topology.ParsePlanFile([]byte(`{"format": 9}`)); err == nil || !strings.Contains(err.Error(), "it is a plan of format 9, and this Seam reads 1: plan again") {
		t.Errorf("error = %v", err)
	}
}

// TestPlanFileIsResumed applies a written plan, is cut off after some changes, and applies the same file again.
func TestPlanFileIsResumed(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t, topologytest.Embedded())
	files := small(k.Prefix)
	topo := load(t, files)
	client, registry := k.Client(t), k.RegistryClient(t)
	prints, err := topology.Fingerprint(files)
	if err != nil {
		t.Fatal(err)
	}
	survey := func() topology.State {
		t.Helper()
		have, err := topology.Survey(t.Context(), topo, client, registry)
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	plan := topology.NewPlanFile(topo, survey(), prints, "ann", time.Now())
	for rounds, cut := 0, 5; ; rounds, cut = rounds+1, cut+7 {
		rest, err := plan.Rest(topo, survey(), prints)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) == 0 {
			if rounds < 3 {
				t.Errorf("done after %d rounds: nothing was cut off", rounds)
			}
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := cut
		err = topology.Carry(ctx, topology.CarryConfig{Topology: topo, Client: client, Registry: registry, Who: "ann", Files: prints, Made: func(topology.Change) {
			if left--; left == 0 {
				cancel()
			}
		}}, rest)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	journal, err := topology.ReadJournal(t.Context(), topo, client)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, a := range journal.Applied {
		states = append(states, a.State)
	}
	if len(states) < 3 || states[0] != "failed" || states[len(states)-1] != "done" {
		t.Errorf("applied plans are %v", states)
	}
}

// TestIncompatibleSchemaIsNamedByField: the registry would take it, as nobody told it to check; we read what was written.
func TestIncompatibleSchemaIsNamedByField(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topo := load(t, small(k.Prefix))
	client, registry := k.Client(t), k.RegistryClient(t)
	subject := k.Prefix + "orders-value"
	text := `{"type":"record","name":"OrderEvent","namespace":"com.binaryandbeyond.seam","fields":[{"name":"id","type":"int"}]}`
	if _, err := registry.RegisterSchema(t.Context(), subject, sr.Schema{Schema: text}, -1, -1); err != nil {
		t.Fatal(err)
	}
	have, err := topology.Read(t.Context(), topo, client, registry)
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines(topology.Plan(topo, have)), "\n")
	if want := "! refused " + subject + "  the schema order_event cannot read what was written: version 1: id: writer int, reader string"; !strings.Contains(plan, want) {
		t.Errorf("plan lacks %q:\n%s", want, plan)
	}
}

// TestDangerIsAllowedOnPurpose and a claimed cluster is given up by name.
func TestDangerIsAllowedOnPurpose(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	files := small(k.Prefix)
	delete(files, "access.yaml")
	delete(files, "subscribers/data.yaml")
	topo := load(t, files)
	topo.Topics = append(topo.Topics[:1:1], topo.Topics[len(topo.Topics)-1])
	client, registry := k.Client(t), k.RegistryClient(t)
	k.Topic(t, "orders", 2, map[string]string{"retention.ms": "-1"})
	have, err := topology.Read(t.Context(), topo, client, registry)
	if err != nil {
		t.Fatal(err)
	}
	carry := topology.CarryConfig{Topology: topo, Client: client, Registry: registry, Who: "ann"}
	if err := topology.Carry(t.Context(), carry, topology.Plan(topo, have)); !errors.Is(err, topology.ErrDanger) {
		t.Fatalf("Carry = %v, want ErrDanger", err)
	}
	if d, err := kadm.NewClient(client).ListTopics(t.Context(), k.Prefix+topology.TopicTopology); err != nil || d.Error() == nil {
		t.Errorf("something was made: %v", err)
	}
	carry.AllowDanger = true
	if err := topology.Carry(t.Context(), carry, topology.Plan(topo, have)); err != nil {
		t.Fatal(err)
	}
	if err := topology.Release(t.Context(), topo, client, "production"); err == nil || !strings.Contains(err.Error(), "the cluster is claimed by staging, not by production") {
		t.Errorf("release of another = %v", err)
	}
	if err := topology.Release(t.Context(), topo, client, "staging"); err != nil {
		t.Fatal(err)
	}
	if have, err = topology.Read(t.Context(), topo, client, registry); err != nil || have.Claim != nil {
		t.Errorf("after the release the claim is %+v, %v", have.Claim, err)
	}
}
