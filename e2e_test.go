package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// whole is a running Seam with the simulated world behind it.
type whole struct {
	*testing.T
	kafka *topologytest.Kafka
	world *sim.World
	topo  *topology.Topology
	serde *schemas.Serde
	edge  string
	// console is the address of /metrics of the process that runs now.
	console string
	dir     string // of the process that runs now
	stop    func() // ends Seam, not the world; it may be started again
}

// newWhole starts the world and Seam on the cluster of the test.
func newWhole(t *testing.T) *whole {
	t.Helper()
	return newWholeWith(t, func(*topology.Topology) {})
}

// newWholeWith is newWhole with changes of the topology.
func newWholeWith(t *testing.T, change func(*topology.Topology)) *whole {
	t.Helper()
	return newWholeAt(t, 1.0/600, change)
}

// newWholeAt is newWholeWith where the topology's time goes otherwise than 600 times as fast.
func newWholeAt(t *testing.T, scale float64, change func(*topology.Topology)) *whole {
	t.Helper()
	w := &whole{T: t, kafka: topologytest.Cluster(t)}
	var mu sync.Mutex
	dir := t.TempDir()
	world, err := sim.New(sim.Config{Seed: 1, Scale: 1.0 / 600, ExportDir: filepath.Join(dir, "export"), ERPDir: filepath.Join(dir, "erp"),
		EdgeURL: func() string { mu.Lock(); defer mu.Unlock(); return w.edge }})
	if err != nil {
		t.Fatal(err)
	}
	w.world = world
	env := maps.Clone(world.Env())
	env["SEAM_PREFIX"] = w.kafka.Prefix
	for _, name := range []string{"WOOCOMMERCE_SECRET", "STRIPE_WEBHOOK_SECRET"} {
		env[name] = "test-secret"
	}
	env["ADYEN_HMAC_KEY"] = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
	w.topo, err = topology.Load(topology.Default(), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	w.topo.Scale(scale)
	for i := range w.topo.Integrations {
		w.topo.Integrations[i].ExpiresAfter = 0 // the real payloads are of other years
		if f := w.topo.Integrations[i].Facts; f != nil {
			f.MaxStaleness, f.MaxStalenessOf = 0, nil
		}
	}
	change(w.topo)
	registry, err := sr.NewClient(sr.URLs(w.kafka.Registry))
	if err != nil {
		t.Fatal(err)
	}
	w.serde = schemas.NewSerde(registry)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := world.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	start := func() { mu.Lock(); defer mu.Unlock(); w.edge = w.start(ctx, dir) }
	start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start runs Seam and gives its edge's URL.
func (w *whole) start(ctx context.Context, dir string) string {
	w.Helper()
	w.dir = dir
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan app.Info, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{Topology: w.topo, Brokers: w.kafka.Brokers, Registry: w.kafka.Registry, Apply: true, Listen: "127.0.0.1:0",
			DataDir: filepath.Join(dir, "seam"), Ready: func(i app.Info) { ready <- i }})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.Errorf("seam: %v", err)
		}
	})
	select {
	case i := <-ready:
		w.console = i.ConsoleURL
		return i.EdgeURL
	case err := <-ended:
		ended <- err
		w.Fatalf("seam did not start: %v", err)
		return ""
	}
}

// place is where a record stands.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// settled waits until every event of the topics has an outcome of every integration that reads its topic, and gives the
// latest outcome of each.
func (w *whole) settled(atLeast int) map[string]map[place]*schemas.Outcome {
	w.Helper()
	topics := []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory}
	var all []string
	for _, name := range append(topics, topology.TopicReconciliation) {
		all = append(all, w.topo.TopicName(name))
	}
	client := w.kafka.Client(w, kgo.ConsumeTopics(all...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	events, outcomes, finals := map[place]bool{}, map[string]map[place]*schemas.Outcome{}, map[string]int{}
	missing := func() []string {
		var out []string
		for _, in := range w.topo.Integrations {
			inputs := strings.Join(w.topo.InputTopics(&in), " ") + " "
			for at := range events {
				if strings.Contains(inputs, w.topo.TopicName(at.topic)+" ") && outcomes[in.Name][at] == nil {
					out = append(out, fmt.Sprintf("%s %v", in.Name, at))
				}
			}
		}
		return out
	}
	ctx, cancel := context.WithTimeout(w.Context(), 90*time.Second)
	defer cancel()
	for len(events) < atLeast || len(missing()) > 0 || w.world.Pending() > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			w.Fatalf("not settled: %d events of at least %d, without outcome: %v", len(events), atLeast, missing())
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Topic != w.topo.TopicName(topology.TopicReconciliation) {
				events[place{strings.TrimPrefix(rec.Topic, w.topo.Prefix), rec.Partition, rec.Offset}] = true
				return
			}
			o, err := w.serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				w.Fatal(err)
			}
			at := place{o.Topic, o.Partition, o.Offset}
			if outcomes[o.Integration] == nil {
				outcomes[o.Integration] = map[place]*schemas.Outcome{}
			}
			outcomes[o.Integration][at] = o
			if o.Kind.Final() && o.Replay == nil { // a person may want another
				finals[fmt.Sprintf("%s %v", o.Integration, at)]++
			}
		})
	}
	for what, n := range finals {
		if n > 1 {
			w.Errorf("%s has %d final outcomes", what, n)
		}
	}
	return outcomes
}

// caughtUp waits until no group lags.
func (w *whole) caughtUp() {
	w.Helper()
	adm := kadm.NewClient(w.kafka.Client(w))
	topologytest.Eventually(w, "no group lags", func() error {
		for _, in := range w.topo.Integrations {
			lags, err := adm.Lag(w.Context(), w.topo.Group(in.Name))
			if err != nil {
				return err
			}
			if n := lags[w.topo.Group(in.Name)].Lag.Total(); n != 0 {
				return fmt.Errorf("%s lags by %d", in.Name, n)
			}
		}
		return nil
	})
}

// TestRealPayloadsReachTheDownstreams pushes webhooks that real platforms document through the edge, into Kafka and out to
// the downstreams, and compares what arrives with the text of the body.
func TestRealPayloadsReachTheDownstreams(t *testing.T) {
	t.Parallel()
	inputs := os.Getenv("SEAM_INPUTS")
	if inputs == "" {
		t.Skip("SEAM_INPUTS is not set")
	}
	w := newWhole(t)
	events := 0
	for source, dirs := range map[string][]string{"shopify": {"shopify/2025-10", "shopify/2026-07"}, "stripe": {"stripe"}, "adyen": {"adyen"}, "woocommerce": {"woocommerce"}} {
		for _, dir := range dirs {
			report, err := producers.Ingest(t.Context(), producers.IngestConfig{Source: w.topo.Source(source), Dir: filepath.Join(inputs, dir), URL: w.edge})
			if err != nil {
				t.Fatal(err)
			}
			files, err := fs.Glob(os.DirFS(inputs), dir+"/*.json")
			if err != nil || report.Accepted+report.Quarantined != len(files) || report.Refused != 0 {
				t.Errorf("%s: %d accepted, %d quarantined, %d refused of %d files (%v)", dir, report.Accepted, report.Quarantined, report.Refused, len(files), err)
			}
			for _, f := range report.Files {
				events += len(f.EventIDs)
				if f.Quarantined != "" && len(f.Reason) < 15 {
					t.Errorf("%s was quarantined with the reason %q: a person learns nothing", f.File, f.Reason)
				}
			}
		}
	}
	outcomes := w.settled(events)
	const order = "820982911946154508" // in shopify/2025-10: above 2^53, 403.00 USD
	var body struct {
		Total    string `json:"current_total_price"`
		Currency string
	}
	if b, err := os.ReadFile(filepath.Join(inputs, "shopify/2025-10/orders__create.json")); err != nil || json.Unmarshal(b, &body) != nil {
		t.Fatal(err)
	}
	book, ok := w.world.ERPOrders()[order]
	if !ok || book.Amount != body.Total || book.Currency != body.Currency {
		t.Errorf("the ERP has %s %s (%v) of order %s, the body says %s %s", book.Amount, book.Currency, ok, order, body.Total, body.Currency)
	}
	for _, name := range []string{"tax", "fraud", "enrichment"} {
		for operation, n := range w.world.System(name).Effects()[order] {
			if n != 1 {
				t.Errorf("%s did %s %d times", name, operation, n)
			}
		}
		if len(w.world.System(name).Effects()[order]) == 0 {
			t.Errorf("%s did nothing for order %s", name, order)
		}
	}
	for at, o := range outcomes["warehouse"] {
		if o.Kind == schemas.Parked && o.Reason == schemas.ReasonPoison {
			t.Errorf("the warehouse cannot read %v: %s", at, o.Detail)
		}
	}
}

// TestOffsetsResetByKafkasOwnTool lets Kafka's consumer-groups tool see every group, and reset one: everything is read again
// and nothing is done again. Other teams' tools read the same topics.
func TestOffsetsResetByKafkasOwnTool(t *testing.T) {
	t.Parallel()
	env(t, "SEAM_KAFKA_LIBS") // skips without
	w := newWhole(t)
	for range 8 {
		w.world.Shop().Place(sim.Choices{})
	}
	before := w.settled(16)
	names, err := groups(t, w.kafka.Brokers, "--list")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range w.topo.Integrations {
		if !strings.Contains(names, w.topo.Group(in.Name)+"\n") {
			t.Errorf("kafka-consumer-groups does not list %s:\n%s", w.topo.Group(in.Name), names)
		}
	}
	events := kcatRead(t, w.kafka.Brokers, w.topo.TopicName(schemas.TopicOrders))
	if len(events) != 8 { // by key
		t.Errorf("kcat sees %d orders, want 8", len(events))
	}
	again := w.replay("warehouse", "--to-earliest", "--redeliver", "--type", "order.created", "--why", "the parcels were lost", "--execute", "--wait")
	if again.Run.Called != 8 || again.Plan.Again != 8 {
		t.Errorf("8 orders are wanted again: plan %+v, run %+v", again.Plan, again.Run)
	}
	w.stop()
	for _, name := range []string{"warehouse", "support", "enrichment", "tax"} {
		out, err := groups(t, w.kafka.Brokers, "--group", w.topo.Group(name), "--topic", w.topo.TopicName(schemas.TopicOrders), "--reset-offsets", "--to-earliest", "--execute")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w.edge = w.start(t.Context(), t.TempDir())
	w.world.Shop().Place(sim.Choices{}) // live traffic goes on meanwhile
	w.caughtUp()
	after := w.settled(18)
	for name, have := range after {
		if len(have) < len(before[name]) {
			t.Errorf("%s: %d outcomes after the replay, %d before", name, len(have), len(before[name]))
		}
	}
	for _, name := range []string{"warehouse", "support", "enrichment", "tax"} {
		for id, ops := range w.world.System(name).Effects() {
			for op, n := range ops {
				want := 1
				if twice := before[name]; name == "warehouse" && op == "fulfill" && knows(twice, id) {
					want = 2 // once more, as somebody wanted; and not again by the reset
				}
				if n != want {
					t.Errorf("%s did %s for %s %d times, want %d", name, op, id, n, want)
				}
			}
		}
	}
	for _, name := range []string{"warehouse", "support", "enrichment", "tax"} {
		if plan := w.replay(name, "--to-earliest").Plan; plan.Events == 0 || plan.Unread != 0 || len(plan.Calls) != 0 {
			t.Errorf("%s: a replay would now do %+v", name, plan)
		}
	}
}

// knows tells whether any outcome is of an order.
func knows(outcomes map[place]*schemas.Outcome, order string) bool {
	for _, o := range outcomes {
		if o.OrderID == order {
			return true
		}
	}
	return false
}
