package lag

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

const down = `
name: down
team: ops
complete_within: 1h
stale_after: 1h
operation: do
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.created]
    http: {url: "http://down.example/things"}
    body: {reference: event.id}
`

var noon = time.Now().UTC().Truncate(time.Hour) // of today: a real broker deletes what is old

// rig is a cluster with the topology's topics, and a monitor of it.
type rig struct {
	*testing.T
	kafka  *topologytest.Kafka
	topo   *topology.Topology
	client *kgo.Client
	adm    *kadm.Client
	reg    *prometheus.Registry
	m      *Monitor
	now    time.Time
}

func newRig(t *testing.T, partitions int, opts ...topologytest.Option) *rig {
	t.Helper()
	r := &rig{T: t, kafka: topologytest.Cluster(t, opts...), reg: prometheus.NewRegistry(), now: noon}
	fsys := fstest.MapFS{
		"topics.yaml":            {Data: fmt.Appendf(nil, "prefix: %q\npartitions: %d\nretention: {orders: 24h}\n", r.kafka.Prefix, partitions)},
		"teams.yaml":             {Data: []byte("ops: {pager: p}\nbi: {pager: p}\n")},
		"ownership.yaml":         {Data: []byte("unowned: [\"*\"]\n")},
		"integrations/down.yaml": {Data: []byte(down)},
		"subscribers/bi.yaml":    {Data: []byte("team: bi\nreads: [reconciliation]\ngroup: " + r.kafka.Prefix + "bi\nlag_objective: 5m\n")},
	}
	var err error
	if r.topo, err = topology.Load(fsys, func(string) (string, bool) { return "", false }); err != nil {
		t.Fatal(err)
	}
	r.client = r.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	r.adm = kadm.NewClient(r.client)
	if _, err := topology.Ensure(t.Context(), r.topo, r.client, r.kafka.RegistryClient(t)); err != nil {
		t.Fatal(err)
	}
	r.m, err = New(Config{Topology: r.topo, Options: []kgo.Opt{kgo.SeedBrokers(r.kafka.Brokers...)}, Registerer: r.reg, Now: func() time.Time { return r.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.m.cl.Close)
	return r
}

// record is a record of a topic that was written so long before noon.
func (r *rig) record(topic string, partition int32, before time.Duration) *kgo.Record {
	return &kgo.Record{Topic: r.topo.TopicName(topic), Partition: partition, Value: []byte("x"), Timestamp: noon.Add(-before)}
}

func (r *rig) produce(recs ...*kgo.Record) {
	r.Helper()
	if err := r.client.ProduceSync(r.Context(), recs...).FirstErr(); err != nil {
		r.Fatal(err)
	}
}

// commit has a group commit an offset.
func (r *rig) commit(group, topic string, partition int32, at int64) {
	r.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(r.topo.TopicName(topic), partition, at, -1)
	if err := r.adm.CommitAllOffsets(r.Context(), r.kafka.Prefix+group, offsets); err != nil {
		r.Fatal(err)
	}
}

// look has the monitor look, and gives what it then exports of what does not look like 0, without the prefix.
func (r *rig) look() map[string]float64 {
	r.Helper()
	topologytest.Eventually(r, "the cluster tells all", func() error { return r.m.Look(r.Context()) }) // a new one makes its coordinators first
	return r.exported()
}

func (r *rig) exported() map[string]float64 {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, strings.TrimPrefix(l.GetValue(), r.kafka.Prefix))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			if v := s.GetGauge().GetValue() + s.GetCounter().GetValue(); v != 0 && !strings.HasPrefix(name, "seam_monitor") {
				out[name] = v
			}
		}
	}
	return out
}

func (r *rig) is(what string, want map[string]float64) {
	r.Helper()
	if d := cmp.Diff(want, r.look()); d != "" {
		r.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// TestUndone: what an integration has not done shows by the time of its records, also before any worker has ever run.
func TestUndone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.is("nothing was ever written", map[string]float64{})
	r.produce(r.record("orders", 0, 3*time.Hour), r.record("orders", 1, 2*time.Hour), r.record("orders", 1, time.Hour))
	r.is("no worker has run", map[string]float64{
		"kafka_consumergroup_lag{seam.down,0,orders}": 1, "kafka_consumergroup_lag_seconds{seam.down,0,orders}": 3 * 3600,
		"kafka_consumergroup_lag{seam.down,1,orders}": 2, "kafka_consumergroup_lag_seconds{seam.down,1,orders}": 2 * 3600,
		"seam_lag_records{down,orders}": 3, "seam_oldest_undone_seconds{down}": 3 * 3600, "seam_retention_margin_seconds{down,orders}": 21 * 3600,
	})
	r.commit("seam.down", "orders", 0, 1)
	r.now = noon.Add(time.Hour)
	r.is("one partition is done, and an hour has passed", map[string]float64{
		"kafka_consumergroup_current_offset{seam.down,0,orders}": 1,
		"kafka_consumergroup_lag{seam.down,1,orders}":            2, "kafka_consumergroup_lag_seconds{seam.down,1,orders}": 3 * 3600,
		"seam_lag_records{down,orders}": 2, "seam_oldest_undone_seconds{down}": 3 * 3600, "seam_retention_margin_seconds{down,orders}": 21 * 3600,
	})
	r.commit("seam.down", "orders", 1, 2)
	r.now = noon.Add(24 * time.Hour)
	r.is("all is done; a day of silence ages nothing", map[string]float64{
		"kafka_consumergroup_current_offset{seam.down,0,orders}": 1, "kafka_consumergroup_current_offset{seam.down,1,orders}": 2,
	})
	r.produce(r.record("orders", 0, time.Hour))
	r.is("retention is about to delete what came meanwhile", map[string]float64{
		"kafka_consumergroup_current_offset{seam.down,0,orders}": 1, "kafka_consumergroup_current_offset{seam.down,1,orders}": 2,
		"kafka_consumergroup_lag{seam.down,0,orders}": 1, "kafka_consumergroup_lag_seconds{seam.down,0,orders}": 25 * 3600,
		"seam_lag_records{down,orders}": 1, "seam_oldest_undone_seconds{down}": 25 * 3600, "seam_retention_margin_seconds{down,orders}": -3600,
	})
	starts := kadm.Offsets{}
	starts.AddOffset(r.topo.TopicName("orders"), 0, 2, -1)
	if _, err := r.adm.DeleteRecords(t.Context(), starts); err != nil {
		t.Fatal(err)
	}
	r.produce(r.record("orders", 0, 0))
	r.now = noon.Add(time.Hour) // of what is left the margin would be 23 hours
	if got, is := r.look()["seam_retention_margin_seconds{down,orders}"]; is || !slices.Contains(r.margins(), 0) {
		t.Errorf("a margin of %v (there %v), want 0: what was undone is deleted", got, r.margins())
	}
}

// margins is every retention margin that is exported.
func (r *rig) margins() []float64 {
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	var out []float64
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if f.GetName() == "seam_retention_margin_seconds" {
				out = append(out, s.GetGauge().GetValue())
			}
		}
	}
	return out
}

// TestReadToTheEnd: a group that has read everything shows 0, whatever markers, aborted and open transactions stand behind it.
func TestReadToTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	writer := r.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(r.kafka.Prefix+"writer"))
	begin := func(before time.Duration) {
		t.Helper()
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := writer.ProduceSync(t.Context(), r.record("reconciliation", 0, before)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := writer.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	const offset, records, seconds = "kafka_consumergroup_current_offset{bi,0,reconciliation}", "kafka_consumergroup_lag{bi,0,reconciliation}", "kafka_consumergroup_lag_seconds{bi,0,reconciliation}"
	begin(time.Hour)
	end(kgo.TryCommit) // offset 0, its marker 1
	r.is("where a team will begin is not known", map[string]float64{})
	r.commit("bi", "reconciliation", 0, 1)
	r.is("only a marker is left", map[string]float64{offset: 1})
	begin(30 * time.Minute)
	end(kgo.TryAbort) // 2, marker 3
	r.is("only what was aborted is left", map[string]float64{offset: 1})
	begin(20 * time.Minute) // 4
	r.is("a transaction is open", map[string]float64{offset: 1})
	end(kgo.TryCommit) // marker 5
	r.is("it was committed", map[string]float64{offset: 1, records: 5, seconds: 20 * 60})
	r.commit("bi", "reconciliation", 0, 5)
	r.is("and read", map[string]float64{offset: 5})
	reads := r.m.prober.reads
	r.is("nothing moved", map[string]float64{offset: 5})
	if r.m.prober.reads != reads {
		t.Errorf("%d positions were read though nothing moved", r.m.prober.reads-reads)
	}
}

// TestManyPositions: groups of other teams count too, each position of a partition is read once, and the next time none is.
func TestManyPositions(t *testing.T) {
	t.Parallel()
	const partitions = 60
	r := newRig(t, partitions)
	var recs []*kgo.Record
	for p := range int32(partitions) {
		for i := range 5 {
			recs = append(recs, r.record("orders", p, time.Duration(10-i)*time.Minute))
		}
	}
	r.produce(recs...)
	want := map[string]float64{"seam_lag_records{down,orders}": 4 * partitions, "seam_oldest_undone_seconds{down}": 9 * 60, "seam_retention_margin_seconds{down,orders}": 24*3600 - 9*60}
	for p := range int32(partitions) {
		for group, at := range map[string]int64{"seam.down": 1, "some-team": 3, "another-team": 3} {
			r.commit(group, "orders", p, at)
			place := fmt.Sprintf("{%s,%d,orders}", group, p)
			want["kafka_consumergroup_current_offset"+place], want["kafka_consumergroup_lag"+place] = float64(at), float64(5-at)
			want["kafka_consumergroup_lag_seconds"+place] = float64(10-at) * 60
		}
	}
	r.is("three groups", want)
	if n := r.m.prober.reads; n != 2*partitions {
		t.Errorf("%d positions were read, want each of %d once", n, 2*partitions)
	}
	r.is("again", want)
	if n := r.m.prober.reads; n != 2*partitions {
		t.Errorf("%d positions were read again", n-2*partitions)
	}
}

// TestWhatIsNotToldStays: while a coordinator does not answer the last words stand, and that they are old is told.
func TestWhatIsNotToldStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, topologytest.Embedded())
	r.produce(r.record("orders", 0, time.Hour))
	r.commit("seam.down", "orders", 0, 0)
	before := r.look()
	seen := r.m.last
	r.kafka.Fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.kafka.Fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, g := range req.(*kmsg.OffsetFetchRequest).Groups {
			rg := kmsg.NewOffsetFetchResponseGroup()
			rg.Group, rg.ErrorCode = g.Group, kerr.GroupAuthorizationFailed.Code
			resp.Groups = append(resp.Groups, rg)
		}
		return resp, nil, true
	})
	r.now = noon.Add(time.Minute)
	if err := r.m.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "offsets of group "+r.kafka.Prefix+"seam.down") {
		t.Errorf("error %v, want one that names the group", err)
	}
	after := r.exported()
	if d := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))); d != "" || after["seam_oldest_undone_seconds{down}"] != 3660 {
		t.Errorf("after a failure the age is %v, want it to go on (-before +after):\n%s", after["seam_oldest_undone_seconds{down}"], d)
	}
	if r.m.failures != 1 || !r.m.last.Equal(seen) {
		t.Errorf("%v failures, last success %v after %v", r.m.failures, r.m.last, seen)
	}
}

// TestRun: it looks at once and at every tick, goes on after failures, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	ticks, beats := make(chan time.Time), make(chan bool)
	r.m.c.Ticks, r.m.c.Beat = ticks, func(runs bool) { beats <- runs }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.m.Run(ctx) }()
	<-beats
	ticks <- noon
	<-beats
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
