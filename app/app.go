package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/console"
	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/schemas/sealing"
	"github.com/binaryandbeyond/seam/topology"
)

// Config says what to run.
type Config struct {
	Topology *topology.Topology
	Brokers  []string // host:port; empty starts an embedded broker and registry
	Registry string   // URL with the Confluent API; required with Brokers
	// BrokersFrom is what names the brokers, for the error of a cluster that is another environment's: "SEAM_BROKERS".
	BrokersFrom string
	Options     []kgo.Opt // how else to reach the brokers: TLS, SASL. Default none
	// RegistryOptions is how else to reach the registry: TLS, who asks. Default none.
	RegistryOptions []sr.ClientOpt
	// WellKnownPorts puts the embedded broker and registry where other verbs look for them, if that is free.
	WellKnownPorts bool
	Listen         string // of the edge, which may face the internet. Default 127.0.0.1:8080
	MaxConnections int    // of the edge at once; more wait to be accepted. Default 1024
	// Console is where people and scrapers look: orders, /metrics. It has no sign-in and shows business data, so it must not
	// face the internet. Default a free loopback port.
	Console string
	DataDir string // spools, cursors, the ledgers' local copy. Default a folder that goes at the end, and ledgers in memory
	// View is where the reconciler keeps what it knows: the file of an SQLite database, or postgres://... Default view.db in
	// DataDir, and without that a file that goes at the end.
	View string
	// Facts is the URL of the console that is asked for the facts that calls carry, where the reconciler does not run in this
	// process; else its own view is asked.
	Facts string
	// Instance names this process in every group; with a name a restart takes its partitions back at once. Default random,
	// and then the group waits a session (12s) for a process that died.
	Instance string
	// Only runs some roles: "edge", "reconcile" and names of integrations. Empty runs all.
	Only []string
	// Apply creates what the topology lacks in a real cluster first; without it a lack is an error. An embedded one is
	// always brought to the topology.
	Apply bool
	// Grace is how long requests and calls under way may take once the context has ended. Default consumers.DefaultGrace.
	Grace  time.Duration
	Logger *slog.Logger
	// LogOutcomes is which outcomes the log tells at info: see consumers.Config.
	LogOutcomes string
	Tracer      trace.Tracer // nil: spans are nobody's
	// Reload reads the topology again while everything runs; nil for never.
	Reload *Reload
	// Ready is called once webhooks are taken; nil for nobody.
	Ready func(Info)
}

// Info is where what runs is found.
type Info struct {
	EdgeURL          string
	ConsoleURL       string
	BootstrapServers []string
	RegistryURL      string
	Embedded         bool
}

// Run runs the roles until ctx ends, then stops them within Config.Grace: the process is not ready any more, the edge takes no
// more and answers what it took, the workers finish the calls under way, commit and leave their groups, the clients close.
func Run(ctx context.Context, c Config) error {
	info := Info{BootstrapServers: c.Brokers, RegistryURL: c.Registry}
	files, err := c.files()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := c.handshakes(ctx); err != nil {
		return err
	}
	if len(c.Brokers) == 0 {
		embedded, err := topology.StartEmbedded(c.WellKnownPorts)
		if err != nil {
			return err
		}
		defer func() {
			if err := embedded.Close(); err != nil {
				c.Logger.Warn("close the embedded broker", "err", err)
			}
		}()
		info = Info{BootstrapServers: embedded.Brokers, RegistryURL: embedded.Registry, Embedded: true}
	}
	registry, err := sr.NewClient(append(slices.Clone(c.RegistryOptions), sr.URLs(info.RegistryURL))...)
	if err != nil {
		return fmt.Errorf("registry %s: %w", info.RegistryURL, err)
	}
	serde := schemas.NewSerde(registry)
	reg := newRegistry()
	kafka := &kafkaClients{cluster: append([]kgo.Opt{kgo.SeedBrokers(info.BootstrapServers...)}, c.Options...)}
	reg.MustRegister(kafka)
	client, err := kgo.NewClient(append(producers.ClientOpts(), kafka.of("main")...)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	if err := c.prepare(ctx, client, registry, info.Embedded); err != nil {
		return err
	}
	ring, err := sealing.Open(ctx, sealing.Config{Options: kafka.of("keys"), Topic: c.Topology.TopicName(topology.TopicKeys), Serde: serde, Seals: c.runs("edge"), Logger: c.Logger})
	if err != nil {
		return err
	}
	defer ring.Close()
	serde.SealWith(ring)
	dir, remove, err := c.dataDir()
	if err != nil {
		return err
	}
	defer remove()
	instance, static := c.instance()
	shapes, err := contract.Open(ctx, contract.Config{Topology: c.Topology, Options: kafka.of("contracts"), Serde: serde, Instance: instance, Registerer: reg, Logger: c.Logger})
	if err != nil {
		return err
	}
	edge, err := producers.New(producers.Config{Contracts: shapes, Topology: c.Topology, Options: kafka.of("waits"), Publisher: producers.NewPublisher(client, serde, c.Topology), SpoolDir: dir, Registerer: reg, Tracer: c.Tracer, Logger: c.Logger})
	if err != nil {
		return err
	}
	inside, outside, err := c.listen(&info)
	if err != nil {
		return err
	}
	view, err := c.view(ctx, reg)
	if err != nil {
		return err
	}
	if view != nil {
		defer func() {
			if err := view.Close(); err != nil {
				c.Logger.Warn("close the view", "err", err)
			}
		}()
	}
	health, config := newHealth(reg, time.Now), newLoaded(reg)
	monitor, err := c.monitor(kafka, reg, health)
	if err != nil {
		return err
	}
	facts, err := c.facts(view)
	if err != nil {
		return err
	}
	needs := map[string]func(context.Context) error{needKafka: leaders(client, c.written())}
	if view != nil {
		needs[needView] = view.Ping
	}
	if c.runs("edge") {
		health.full, health.spools = edge.Full, edge.Spools
	}
	g, ctx := errgroup.WithContext(ctx)
	c.serve(ctx, g, netutil.LimitListener(outside, cmp.Or(c.MaxConnections, maxConnections)), c.edgeHandler(edge, health), answerTime)
	c.serve(ctx, g, inside, c.consoleHandler(view, reg, health), 0)
	g.Go(func() error { return health.watch(ctx, needs) })
	g.Go(func() error { return shapes.Run(ctx) })
	if c.runs("edge") {
		g.Go(func() error { return edge.Run(ctx) })
	}
	if c.runs("reconcile") {
		g.Go(func() error { return monitor.Run(ctx) })
		g.Go(func() error {
			return reconcile.Follow(ctx, reconcile.FollowConfig{Options: kafka.of("reconcile"), Serde: serde, Topology: c.Topology, View: view, Tell: true, Keys: ring, Beat: health.loop("reconcile"), Logger: c.Logger})
		})
	}
	disk, err := c.ledgers()
	if err != nil {
		return err
	}
	if disk != nil {
		defer func() {
			if err := disk.Close(); err != nil {
				c.Logger.Warn("close the local ledger store", "err", err)
			}
		}()
	}
	metrics := consumers.NewMetrics(reg)
	w := newWorkers(g, func(ctx context.Context, t *topology.Topology, in *topology.Integration) error {
		return consumers.Run(ctx, consumers.Config{Topology: t, Integration: in, Options: kafka.of(in.Name), Beat: health.loop(in.Name), Serde: serde, Instance: instance, Static: static, Grace: c.Grace,
			Facts: facts, Ledger: disk, Metrics: metrics, Contracts: shapes, Logger: c.Logger, LogOutcomes: c.LogOutcomes, Tracer: c.Tracer, Report: c.report(ctx, client, serde)})
	})
	for i := range c.Topology.Integrations {
		if in := &c.Topology.Integrations[i]; c.runs(in.Name) {
			w.start(ctx, c.Topology, in)
		}
	}
	if c.Reload != nil {
		g.Go(func() error {
			return c.Reload.reloads(ctx, &c, files, func(next *topology.Topology) error { return c.allowed(ctx, next, client, registry, facts) }, w, config)
		})
	}
	health.works("")
	if c.Ready != nil {
		c.Ready(info)
	}
	return g.Wait()
}

// view opens the reconciler's database; nil when it does not run here.
func (c *Config) view(ctx context.Context, reg prometheus.Registerer) (*reconcile.View, error) {
	if !c.runs("reconcile") {
		return nil, nil
	}
	where := c.View
	if where == "" && c.DataDir != "" {
		where = filepath.Join(c.DataDir, "view.db")
	}
	return reconcile.OpenView(ctx, reconcile.ViewConfig{Database: where, Topology: c.Topology, Instance: c.Instance, Registerer: reg, Logger: c.Logger})
}

// ledgers opens the local copy of the ledgers; nil when no integration runs here or nothing is to be kept.
func (c *Config) ledgers() (*ledger.Disk, error) {
	if c.DataDir == "" || !slices.ContainsFunc(c.Topology.Integrations, func(in topology.Integration) bool { return c.runs(in.Name) }) {
		return nil, nil
	}
	return ledger.Open(filepath.Join(c.DataDir, "ledger"), c.Logger)
}

// check completes the settings and refuses what cannot run.
func (c *Config) check() error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Grace <= 0 {
		c.Grace = consumers.DefaultGrace
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Console == "" {
		c.Console = "127.0.0.1:0"
	}
	if len(c.Brokers) > 0 && c.Registry == "" {
		return errors.New("brokers are given without a registry: give --registry too, or neither for the embedded ones")
	}
	if err := c.Topology.AllowCluster(c.Brokers, c.Registry, c.BrokersFrom); err != nil {
		return err
	}
	for _, role := range c.Only {
		if role != "edge" && role != "reconcile" && c.Topology.Integration(role) == nil {
			return fmt.Errorf("unknown role %q: edge, reconcile or the name of an integration", role)
		}
	}
	return nil
}

// runs tells whether a role is this process's.
func (c *Config) runs(role string) bool { return len(c.Only) == 0 || slices.Contains(c.Only, role) }

// instance is the process's name in its groups, and whether it was given.
func (c *Config) instance() (name string, static bool) {
	if c.Instance != "" {
		return c.Instance, true
	}
	b := make([]byte, 4)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b), false
}

// prepare brings an embedded cluster to the topology, and holds a real one to it. One of another environment is refused.
func (c *Config) prepare(ctx context.Context, client *kgo.Client, registry *sr.Client, embedded bool) error {
	have, err := topology.Read(ctx, c.Topology, client, registry)
	if err != nil {
		return fmt.Errorf("read the cluster: %w", err)
	}
	if err := topology.Claimed(c.Topology, have.Claim, c.BrokersFrom); err != nil {
		return err
	}
	plan := topology.Plan(c.Topology, have)
	if embedded || c.Apply {
		return topology.Carry(ctx, topology.CarryConfig{Topology: c.Topology, Client: client, Registry: registry, Who: "seam run --apply"}, plan)
	}
	if needed := topology.Needed(plan); len(needed) > 0 {
		return fmt.Errorf("the cluster lacks %d things the topology needs, the first: %s; seam plan shows all, seam apply makes them", len(needed), needed[0])
	}
	if len(plan) > 0 {
		c.Logger.Warn("the cluster is not as the files say: seam plan shows it", "differences", len(plan), "first", plan[0].String())
	}
	return nil
}

// dataDir is the folder for spools and cursors, and how to leave it.
func (c *Config) dataDir() (string, func(), error) {
	if c.DataDir != "" {
		return c.DataDir, func() {}, os.MkdirAll(c.DataDir, 0o750)
	}
	dir, err := os.MkdirTemp("", "seam-data-")
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			c.Logger.Warn("a temporary folder stays", "err", err)
		}
	}, err
}

// listen opens both addresses.
func (c *Config) listen(info *Info) (inside, outside net.Listener, err error) {
	if outside, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	if inside, err = net.Listen("tcp", c.Console); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen for people: %w", err), outside.Close())
	}
	info.EdgeURL, info.ConsoleURL = "http://"+outside.Addr().String(), "http://"+inside.Addr().String()
	return inside, outside, nil
}

// serve answers on a listener until ctx ends, and lets what is under way finish within the grace. An answer may take so long to be
// made and read; 0: any time.
func (c *Config) serve(ctx context.Context, g *errgroup.Group, listener net.Listener, handler http.Handler, answers time.Duration) {
	server := &http.Server{Handler: handler, WriteTimeout: answers, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Grace)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) { // its source sends again what was under way
			err = server.Close()
		}
		return err
	})
}

// edgeHandler is what the world may reach: webhooks, and whether they are taken.
func (c *Config) edgeHandler(edge *producers.Edge, health *health) http.Handler {
	mux := http.NewServeMux()
	if c.runs("edge") {
		mux.Handle("/in/", edge.Handler())
	}
	probes(mux, health, true)
	return bodiesIn(mux, bodyTime)
}

// consoleHandler is what people and scrapers reach.
func (c *Config) consoleHandler(view *reconcile.View, reg *prometheus.Registry, health *health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError}))
	if c.runs("reconcile") {
		mux.Handle("/", console.Handler(view))
	}
	probes(mux, health, false)
	return mux
}
