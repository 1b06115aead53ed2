package consumers

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestSimulation runs an integration of each idempotency through a seeded schedule of faults, in virtual time, and then
// checks what must hold whatever happened. SEAM_SIM_SEEDS names other seeds: "500" for 1 to 500, or "17-17". A seed fixes
// the schedule and not the order of goroutines, so a failing one may need several runs.
func TestSimulation(t *testing.T) {
	from, to := 1, 6
	if raceEnabled && os.Getenv("SEAM_SIM_SEEDS") == "" {
		t.Skip("the race detector's own tables run over in simulations: .ci/run runs them without it")
	}
	if s := os.Getenv("SEAM_SIM_SEEDS"); s != "" {
		a, b, isRange := strings.Cut(s, "-")
		if !isRange {
			a, b = "1", a
		}
		var errA, errB error
		from, errA = strconv.Atoi(a)
		to, errB = strconv.Atoi(b)
		if errA != nil || errB != nil {
			t.Fatalf("SEAM_SIM_SEEDS is %q: write 500 or 17-17", s)
		}
	}
	for seed := from; seed <= to; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, uint64(seed)) })
		})
	}
}

const (
	simOrders = 50
	simFaults = 2 * time.Minute  // of virtual time with faults
	simCalm   = 20 * time.Minute // after which everything must be settled
)

// simModes are the integrations of a simulation, by what they declare.
var simModes = map[string]string{
	"key":    "{key: Idempotency-Key, remembers: 24h}",
	"upsert": "{upsert: true}",
	"probe":  `{probe: "GET http://down/{reference}"}`,
	"none":   "{none: true}",
	"brief":  "{key: Idempotency-Key, remembers: 40s}", // forgets while processes are frozen, dead or wait
}

// brief is what the mode of that name has for the time that others have.
var brief = strings.NewReplacer("give_up_after: 30m", "give_up_after: 30s")

const simRoutes = `
team: ops
complete_within: 1h
stale_after: 1h
operation: book
timeout: 2s
retry: {initial: 100ms, max: 2s, give_up_after: 30m}
breaker: {open: 5s}
deliver:
  - {on: [order.created, order.updated], http: {url: "http://down/"}, body: {reference: event.id}}
  - {on: [payment.captured], operation: pay, needs: [order.created], http: {url: "http://down/"}, body: {reference: event.id}}
  - {on: [fraud.assessed], operation: ship, once: true, needs: [payment.captured], superseded_by: [order.cancelled], http: {url: "http://down/"}, body: {reference: event.id}}
  - {on: [order.cancelled], operation: cancel, undoes: ship, once: true, http: {url: "http://down/"}, body: {reference: event.id}}
`

const simOwnership = `
order.status: {owner: shop, page: ops}
order.total: {owner: shop, page: ops}
payment.amount: {owner: shop, page: ops}
fraud.level: {owner: shop, page: ops}
unowned: ["*"]
`

// proc is one process with a worker of one integration.
type proc struct {
	in     *topology.Integration
	name   string
	wire   *wire
	cancel context.CancelFunc
	done   chan struct{}
	ended  bool
}

// sim is one run.
type sim struct {
	*testing.T
	seed     uint64
	rng      *rand.Rand
	net      kfake.VirtualNetwork
	cluster  *kfake.Cluster
	topo     *topology.Topology
	registry http.Handler
	client   *kgo.Client // nothing happens to it
	adm      *kadm.Client
	serde    *schemas.Serde
	worlds   map[string]*world
	procs    []*proc
	events   map[schemas.EventID]*schemas.Event
	log      []string // what was done, for a run that fails

	decisions map[decided][]schemas.CommandKind
	placed    map[place]*schemas.Event // where each event stands, of no integration
	moved     map[string]bool          // integrations whose offsets a tool moved
	skipped   map[place]bool           // what it moved them past

	mu       sync.Mutex
	outcomes []*schemas.Outcome
	read     map[int32]int64 // next offset of the reconciliation topic, by partition
}

// newSim makes a run's cluster and follows its outcomes; end closes everything, inside the bubble.
func newSim(t *testing.T, seed uint64) (s *sim, ctx context.Context, end func()) {
	s = &sim{T: t, seed: seed, rng: newRand(seed, 3), registry: schemas.NewMemoryRegistry(), worlds: map[string]*world{}, events: map[schemas.EventID]*schemas.Event{}, read: map[int32]int64{}, decisions: map[decided][]schemas.CommandKind{},
		placed: map[place]*schemas.Event{}, moved: map[string]bool{}, skipped: map[place]bool{}}
	ctx, cancel := context.WithCancel(context.Background())
	s.setup(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.follow(ctx) })
	return s, ctx, func() {
		s.stopAll()
		cancel()
		s.client.Close()
		wg.Wait()
		s.cluster.Close()
	}
}

func simulate(t *testing.T, seed uint64) {
	s, ctx, end := newSim(t, seed)
	for i := range s.topo.Integrations {
		s.start(&s.topo.Integrations[i])
		s.start(&s.topo.Integrations[i])
	}
	published := make(chan struct{})
	go func() { defer close(published); s.publish(ctx) }()
	s.faults(ctx)
	<-published
	s.settle(ctx)
	s.readAll(ctx)
	s.decideAll(ctx)
	s.stopAll()
	s.check(ctx)
	if !s.Failed() {
		s.replay(ctx)
	}
	if !s.Failed() {
		s.again(ctx)
	}
	if s.Failed() {
		s.Log("schedule:\n" + strings.Join(s.log, "\n"))
	}
	end()
}

// setup makes the cluster, its topics and the worlds.
func (s *sim) setup(ctx context.Context) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.Ports(9092, 9093), kfake.ListenFn(s.net.Listen))
	s.must(err)
	s.cluster = cluster
	order := []string{"hold", "pass"}[s.seed%2]
	fsys := fstest.MapFS{
		"topics.yaml":    {Data: []byte("partitions: 3\n")},
		"teams.yaml":     {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte(simOwnership)},
	}
	for mode, id := range simModes {
		routes := simRoutes
		if mode == "brief" {
			routes = brief.Replace(routes)
		}
		fsys["integrations/"+mode+".yaml"] = &fstest.MapFile{Data: []byte("name: " + mode + "\norder: " + order + "\nidempotency: " + id + routes)}
	}
	s.topo, err = topology.Load(fsys, func(string) (string, bool) { return "", false })
	s.must(err)
	for i := range s.topo.Integrations {
		in := &s.topo.Integrations[i]
		s.worlds[in.Name] = newWorld(in, s.seed)
	}
	s.client, err = kgo.NewClient(append(s.options(s.net.DialContext), kgo.ProducerLinger(0), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeTopics(topology.TopicReconciliation), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	s.must(err)
	s.adm = kadm.NewClient(s.client)
	registry := s.registryClient()
	_, err = topology.Ensure(ctx, s.topo, s.client, registry)
	s.must(err)
	s.serde = schemas.NewSerde(registry)
}

func (s *sim) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// note keeps a line of the schedule.
func (s *sim) note(format string, args ...any) {
	s.log = append(s.log, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *sim) options(dial dialer) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers("localhost:9092", "localhost:9093"), kgo.Dialer(dial)}
}

// RoundTrip is the registry's network.
func (s *sim) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.registry.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s *sim) registryClient() *sr.Client {
	client, err := sr.NewClient(sr.URLs("http://registry"), sr.HTTPClient(&http.Client{Transport: s}))
	s.must(err)
	return client
}

// proc is a process that does not run yet.
func (s *sim) proc(in *topology.Integration) *proc {
	name := fmt.Sprintf("%s%d", in.Name, len(s.procs))
	if s.static() { // a restart has the name of one that ended
		for _, p := range s.procs {
			if p.in == in && p.ended && closed(p.done) && !slices.ContainsFunc(s.procs, func(o *proc) bool { return o.name == p.name && (!o.ended || !closed(o.done)) }) {
				name = p.name
			}
		}
	}
	return &proc{in: in, name: name, done: make(chan struct{}), wire: newWire(s.net.DialContext, s.seed)}
}

// static tells whether the run's processes are static members of their groups.
func (s *sim) static() bool { return s.seed%3 == 0 }

// start runs a process.
func (s *sim) start(in *topology.Integration) {
	p := s.proc(in)
	s.run(p, &simKind{world: s.worlds[in.Name], wire: p.wire})
}

// run runs a process that calls by a kind.
func (s *sim) run(p *proc, kind deliver.Kind) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	c := Config{Topology: s.topo, Integration: p.in, Options: s.options(p.wire.DialContext), Serde: schemas.NewSerde(s.registryClient()), Instance: p.name, Static: s.static(),
		extra: []kgo.Opt{kgo.ProducerBatchCompression(kgo.NoCompression())}} // a zstd decoder's finalizer does not end inside a synctest bubble
	if os.Getenv("SEAM_TEST_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(s.Output(), nil)).With("proc", p.name)
	}
	s.procs = append(s.procs, p)
	s.note("start %s", p.name)
	go func() {
		defer close(p.done)
		run(ctx, c.withDefaults(), deliver.Set{"http": kind})
	}()
}

// kill ends a process as kill -9 does.
func (s *sim) kill(p *proc) {
	s.note("kill %s", p.name)
	p.ended = true
	p.wire.kill()
	p.cancel()
}

// alive lists the processes that were not ended.
func (s *sim) alive(in *topology.Integration) []*proc {
	var out []*proc
	for _, p := range s.procs {
		if !p.ended && (in == nil || p.in == in) {
			out = append(out, p)
		}
	}
	return out
}

// stop ends a process as an interrupt does; it may take a while.
func (s *sim) stop(p *proc) {
	s.note("stop %s", p.name)
	p.ended = true
	p.cancel()
}

// stopAll ends every process in order.
func (s *sim) stopAll() {
	for _, p := range s.alive(nil) {
		s.stop(p)
	}
	for _, p := range s.procs {
		<-p.done
	}
}

// pause waits in virtual time.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// follow collects outcomes until the client is closed.
func (s *sim) follow(ctx context.Context) {
	for {
		fetches := s.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		s.mu.Lock()
		fetches.EachRecord(func(rec *kgo.Record) {
			again := rec.Offset < s.read[rec.Partition] // after a leader moved
			s.read[rec.Partition] = max(s.read[rec.Partition], rec.Offset+1)
			if again || rec.Attrs.IsControl() {
				return
			}
			o, err := s.serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				s.Errorf("outcome at %d/%d: %v", rec.Partition, rec.Offset, err)
				return
			}
			s.outcomes = append(s.outcomes, o)
		})
		s.mu.Unlock()
	}
}
