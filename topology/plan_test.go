package topology_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// small is a topology of one integration, with access and another team's subscription.
func small(prefix string) fstest.MapFS {
	return fstest.MapFS{
		"topics.yaml":    {Data: []byte("environment: staging\nprefix: \"" + prefix + "\"\npartitions: 2\nconfigs:\n  orders: {segment.ms: \"3600000\"}\n")},
		"teams.yaml":     {Data: []byte("ops: {pager: p}\ndata: {pager: d}\n")},
		"ownership.yaml": {Data: []byte("order.total: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"sources/s.yaml": {Data: []byte("name: s\nsystem: shop\nteam: ops\nplatform: shopify\nsecrets: [x]\n")},
		"integrations/a.yaml": {Data: []byte("name: a\nteam: ops\noperation: do\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\n" +
			"deliver:\n  - on: [order.created]\n    http: {url: \"http://localhost/{order.id}\"}\n    body: {id: order.id}\n")},
		"access.yaml": {Data: []byte("principals:\n  edge: User:edge\n  reconcile: User:reconcile\n  integrations: {\"*\": User:workers}\n" +
			"quotas:\n  edge: {producer_byte_rate: 10MiB}\n")},
		"subscribers/data.yaml": {Data: []byte("team: data\nreads: [orders]\ngroup: " + prefix + "bi\nprincipal: User:bi\nquota: {consumer_byte_rate: 1MiB}\nlag_objective: 15m\n")},
	}
}

func load(t *testing.T, fsys fstest.MapFS) *topology.Topology {
	t.Helper()
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// settled is the state of a cluster that has all that the topology wants.
func settled(topo *topology.Topology) topology.State {
	have := topology.State{ClusterID: "c", Topics: map[string]topology.TopicState{}, Subjects: map[string]topology.SubjectState{}, Claim: &topology.ClaimRecord{Environment: topo.Environment},
		Access: &topology.AccessState{ACLs: topo.ACLs(), Quotas: topo.Quotas()}}
	for _, w := range topo.Topics {
		set := map[string]string{}
		for k := range w.Configs {
			set[k] = ""
		}
		have.Topics[w.Name] = topology.TopicState{Partitions: w.Partitions, Replicas: 3, Configs: maps.Clone(w.Configs), Set: set}
		have.Access.Topics = append(have.Access.Topics, w.Name)
		if w.Schema != "" {
			have.Subjects[w.Name+"-value"] = topology.SubjectState{Versions: 1, Current: true, Level: "BACKWARD_TRANSITIVE"}
		}
	}
	return have
}

// TestPlan makes one thing of a settled cluster another, and reads the plan.
func TestPlan(t *testing.T) {
	t.Parallel()
	set := func(topic, key, value, without string) func(*topology.State) {
		return func(s *topology.State) { s.Topics[topic].Configs[key], s.Topics[topic].Set[key] = value, without }
	}
	tests := []struct {
		name string
		move func(*topology.State)
		want string
	}{
		{"nothing", func(*topology.State) {}, ""},
		{"retention raised", set("orders", "retention.ms", "1000", ""), "~ topic   orders  retention.ms: 1000 -> 7776000000"},
		{"retention lowered", set("orders", "retention.ms", "-1", ""), "~ topic   orders  retention.ms: -1 -> 7776000000  DANGER: records that are kept now go with the next cleaning"},
		{"policy", set("ledger.a", "cleanup.policy", "compact", ""), "~ topic   ledger.a  cleanup.policy: compact -> compact,delete  DANGER: records that the policy keeps now go with the next cleaning"},
		{"set by hand", set("customers", "retention.bytes", "5", "-1"), "- topic   customers  retention.bytes: 5 -> -1  DANGER: somebody set it by hand; to keep it, write it under configs in topics.yaml: customers: {retention.bytes: \"5\"}"},
		{"set by a vendor", set("customers", "confluent.placement.constraints", "5", ""), ""},
		{"set by a tool", set("customers", "leader.replication.throttled.replicas", "0:1", ""), ""},
		{"fewer partitions", func(s *topology.State) {
			s.Topics["orders"] = topology.TopicState{Partitions: 3, Configs: s.Topics["orders"].Configs}
		},
			"! refused orders  it has 3 partitions and the files want 2: Kafka cannot shrink a topic; set partitions: 3"},
		{"level", func(s *topology.State) {
			s.Subjects["orders-value"] = topology.SubjectState{Versions: 1, Current: true, Level: "NONE"}
		},
			"~ schema  orders-value  compatibility: NONE -> BACKWARD_TRANSITIVE"},
		{"stricter level", func(s *topology.State) {
			s.Subjects["orders-value"] = topology.SubjectState{Versions: 1, Current: true, Level: "FULL_TRANSITIVE"}
		}, ""},
		{"new version", func(s *topology.State) { s.Subjects["orders-value"] = topology.SubjectState{Versions: 1} }, "+ schema  orders-value  order_event  BACKWARD_TRANSITIVE"},
		{"unreadable", func(s *topology.State) {
			s.Subjects["orders-value"] = topology.SubjectState{Versions: 1, Unreadable: []string{"version 1: id: writer int, reader string"}}
		}, "! refused orders-value  the schema order_event cannot read what was written: version 1: id: writer int, reader string; give new fields a default, and never change a type"},
		{"nobody's", func(s *topology.State) { s.Claim = nil }, "+ claim   the cluster is staging's for prefix \"\""},
		{"quota", func(s *topology.State) { s.Access.Quotas["User:bi"]["consumer_byte_rate"] = 5 }, "~ quota   User:bi  consumer_byte_rate: 5 -> 1048576"},
		{"quota that the files no longer have", func(s *topology.State) {
			s.Access.Set = map[string]map[string]string{"User:bi": {"request_percentage": "50"}, "User:left": {"consumer_byte_rate": "100"}, "User:gone": {"consumer_byte_rate": "1"}}
			s.Access.Quotas["User:bi"]["request_percentage"] = 70 // somebody has changed it since: it is theirs
			s.Access.Quotas["User:left"] = map[string]float64{"consumer_byte_rate": 100, "producer_byte_rate": 5}
		}, "~ quota   User:left  consumer_byte_rate: 100 -> none"},
		{"access lacking", func(s *topology.State) {
			s.Access.ACLs = slices.DeleteFunc(s.Access.ACLs, func(a topology.ACL) bool { return a.Principal == "User:bi" && a.Resource == "group" })
		}, "+ access  User:bi  READ group bi"},
		{"access too much", func(s *topology.State) {
			s.Access.ACLs = append(s.Access.ACLs, topology.ACL{Principal: "User:bi", Host: "*", Operation: "READ", Resource: "topic", Name: "keys"})
		}, "- access  User:bi  READ topic keys  DANGER: the files do not give it; whoever uses it is shut out"},
		{"access of a principal that is gone", func(s *topology.State) {
			s.Access.Known = []string{"User:left"}
			s.Access.ACLs = append(s.Access.ACLs, topology.ACL{Principal: "User:left", Host: "*", Operation: "READ", Resource: "topic", Name: "ledger.gone"})
		}, "- access  User:left  READ topic ledger.gone  DANGER: the files do not give it; whoever uses it is shut out"},
		{"access of others", func(s *topology.State) {
			s.Access.ACLs = append(s.Access.ACLs, topology.ACL{Principal: "User:x", Host: "*", Operation: "READ", Resource: "topic", Name: "orders"},
				topology.ACL{Principal: "User:bi", Host: "*", Operation: "READ", Resource: "topic", Name: "theirs"})
		}, ""},
		{"no authorizer", func(s *topology.State) { s.Access.NoAuthorizer, s.Access.ACLs = true, nil }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			topo := load(t, small(""))
			have := settled(topo)
			tt.move(&have)
			if d := cmp.Diff(tt.want, strings.Join(lines(topology.Plan(topo, have)), "\n")); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
		})
	}
}

// TestPlanRefusesAForeignCluster names both environments and the ways out.
func TestPlanRefusesAForeignCluster(t *testing.T) {
	t.Parallel()
	topo := load(t, small(""))
	have := settled(topo)
	have.Claim = &topology.ClaimRecord{Environment: "production", At: time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC), Who: "ann"}
	want := `! refused topology  this is environment staging, and the cluster was claimed by production for prefix "" on 2026-11-02 by ann: point to a cluster of staging, or set SEAM_ENVIRONMENT=production if it is that; seam environment release production gives it up on purpose`
	if d := cmp.Diff([]string{want}, lines(topology.Plan(topo, have))); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
}

func TestPlanRefusesShortRetention(t *testing.T) {
	t.Parallel()
	files := small("")
	files["topics.yaml"].Data = append(files["topics.yaml"].Data, "retention: {orders: 90m}\n"...)
	topo := load(t, files)
	want := "! refused orders  the files keep it for 1h30m0s, and a is tried for 2h0m0s (retry.give_up_after): keep it at least that long"
	have := settled(topo)
	if d := cmp.Diff([]string{want}, lines(topology.Plan(topo, have))); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	topo := load(t, small(""))
	have := settled(topo)
	have.Access.Topics = append(have.Access.Topics, "ledger.gone", "theirs")
	have.Access.ACLs = append(have.Access.ACLs, topology.ACL{Principal: "User:x", Host: "*", Operation: "READ", Resource: "topic", Name: "*"})
	want := []string{"topic ledger.gone is not of this topology any more: it stays; delete it with kafka-topics.sh when nobody needs it",
		"User:x may read personal data (READ topic *): it is not in the files, and stays"}
	if d := cmp.Diff(want, topology.Notes(topo, have)); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// TestApplyReachesThePlan starts from clusters that somebody left in any state, applies, is cut off anywhere, and is applied again
// until nothing is left: then the plan is empty and what is others' is as it was.
func TestApplyReachesThePlan(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			k := topologytest.Cluster(t)
			r := rand.New(rand.NewPCG(seed, 7))
			topo := load(t, small(k.Prefix))
			client, registry := k.Client(t), k.RegistryClient(t)
			mess(t, k, topo, r)
			foreign := make([]string, 0, 3)
			if k.Fake != nil { // a cluster without an authorizer takes no ACLs
				foreign = foreignAccess(t, client, k.Prefix)
			}
			for round := 0; ; round++ {
				have, err := topology.Survey(t.Context(), topo, client, registry)
				if err != nil {
					t.Fatal(err)
				}
				plan := topology.Plan(topo, have)
				if len(plan) == 0 && round > 0 {
					break
				}
				if round > 60 {
					t.Fatalf("still to do after %d rounds: %v", round, plan)
				}
				ctx, cut := context.WithCancel(t.Context())
				left := 1 + r.IntN(12)
				err = topology.Carry(ctx, topology.CarryConfig{Topology: topo, Client: client, Registry: registry, Who: "test", AllowDanger: true, Made: func(topology.Change) {
					if left--; left == 0 {
						cut()
					}
				}}, plan)
				cut()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			journal, err := topology.ReadJournal(t.Context(), topo, client)
			if err != nil {
				t.Fatal(err)
			}
			if journal.Claim == nil || journal.Claim.Environment != "staging" || len(journal.Applied) == 0 {
				t.Fatalf("journal = %+v", journal)
			}
			// The cut may have come between the last change and its answer: made, and told as failed.
			if last := journal.Applied[len(journal.Applied)-1]; last.State != "done" && (last.State != "failed" || !strings.Contains(last.Error, context.Canceled.Error())) {
				t.Errorf("last apply = %+v", last)
			}
			if k.Fake != nil {
				if d := cmp.Diff(foreign, accessOf(t, client, "User:foreign")); d != "" {
					t.Errorf("access of others (-was +is):\n%s", d)
				}
			}
		})
	}
}

// TestQuotasGoWithTheirFile: what an apply set is taken away when the files no longer have it, and nobody else's is.
func TestQuotasGoWithTheirFile(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	files := small(k.Prefix)
	bi := k.Prefix + "bi" // quotas are of the whole cluster
	const name = "subscribers/data.yaml"
	files[name].Data = []byte(strings.ReplaceAll(string(files[name].Data), "User:bi", "User:"+bi))
	client, registry := k.Client(t), k.RegistryClient(t)
	apply := func() []string {
		t.Helper()
		topo := load(t, files)
		have, err := topology.Survey(t.Context(), topo, client, registry)
		if err != nil {
			t.Fatal(err)
		}
		plan := topology.Plan(topo, have)
		if err := topology.Carry(t.Context(), topology.CarryConfig{Topology: topo, Client: client, Registry: registry, Who: "test", AllowDanger: true}, plan); err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(lines(plan), func(line string) bool {
			return !strings.Contains(line, "User:"+bi+"  ") || strings.Contains(line, "access")
		})
	}
	apply()
	if _, err := kadm.NewClient(client).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &bi}}, Ops: []kadm.AlterClientQuotaOp{{Key: "request_percentage", Value: 25}}}}); err != nil {
		t.Fatal(err)
	}
	delete(files, name)
	topologytest.Eventually(t, "the quota goes", func() error {
		if d := cmp.Diff([]string{"~ quota   User:" + bi + "  consumer_byte_rate: 1048576 -> none"}, apply()); d != "" {
			return errText(d)
		}
		return nil
	})
	topologytest.Eventually(t, "nothing is left to do", func() error {
		if left := apply(); len(left) > 0 {
			return errText(strings.Join(left, "\n"))
		}
		return nil
	})
}

// mess makes some of the topology's topics and subjects, not as the files want them.
func mess(t *testing.T, k *topologytest.Kafka, topo *topology.Topology, r *rand.Rand) {
	t.Helper()
	for _, topic := range topo.Topics {
		name := strings.TrimPrefix(topic.Name, k.Prefix)
		if r.IntN(2) == 0 || name == topology.TopicTopology {
			continue
		}
		configs := map[string]string{}
		for key, v := range topic.Configs {
			if r.IntN(3) > 0 {
				configs[key] = v
			}
		}
		for key, v := range map[string]string{"retention.ms": "3600000", "segment.bytes": "104857600", "min.insync.replicas": "1", "max.message.bytes": "9000000"} {
			if r.IntN(4) == 0 {
				configs[key] = v
			}
		}
		k.Topic(t, name, topic.Partitions, configs)
		if topic.Schema == "" || r.IntN(2) == 0 {
			continue
		}
		registry := k.RegistryClient(t)
		if _, err := registry.RegisterSchema(t.Context(), topic.Name+"-value", sr.Schema{Schema: schemas.SchemaText(topic.Schema)}, -1, -1); err != nil {
			t.Fatal(err)
		}
		if r.IntN(2) == 0 {
			registry.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone}, topic.Name+"-value")
		}
	}
}

// foreignAccess lets somebody else read what is ours and theirs.
func foreignAccess(t *testing.T, client *kgo.Client, prefix string) []string {
	t.Helper()
	b := kadm.NewACLs().Allow("User:foreign").AllowHosts("*").Topics(prefix+"orders", "theirs").Operations(kmsg.ACLOperationRead).ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral)
	if _, err := kadm.NewClient(client).CreateACLs(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return accessOf(t, client, "User:foreign")
}

func accessOf(t *testing.T, client *kgo.Client, principal string) []string {
	t.Helper()
	b := kadm.NewACLs().AnyResource().Allow(principal).AllowHosts().Operations().ResourcePatternType(kmsg.ACLResourcePatternTypeAny)
	res, err := kadm.NewClient(client).DescribeACLs(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range res {
		for _, d := range r.Described {
			out = append(out, fmt.Sprint(d.Operation, d.Type, d.Name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestNoAuthorizer plans no ACL where nobody checks them, says so, and has nothing left to do after an apply.
func TestNoAuthorizer(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t, topologytest.Embedded())
	k.Fake.ControlKey(int16(kmsg.DescribeACLs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.Fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
		resp.ErrorCode = kerr.SecurityDisabled.Code
		return resp, nil, true
	})
	topo := load(t, small(k.Prefix))
	client, registry := k.Client(t), k.RegistryClient(t)
	have, err := topology.Survey(t.Context(), topo, client, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := topology.Apply(t.Context(), topo, client, registry, topology.Plan(topo, have)); err != nil {
		t.Fatal(err)
	}
	if have, err = topology.Survey(t.Context(), topo, client, registry); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{}, lines(topology.Plan(topo, have))); d != "" {
		t.Errorf("plan after apply (-want +got):\n%s", d)
	}
	want := []string{"the cluster has no authorizer: the ACLs of access.yaml and subscribers/ are not applied, and anybody may read and write everything"}
	if d := cmp.Diff(want, topology.Notes(topo, have)); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}
