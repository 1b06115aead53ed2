package lag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/topology"
)

// Config is what a Monitor needs.
type Config struct {
	Topology   *topology.Topology
	Options    []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Registerer prometheus.Registerer
	Logger     *slog.Logger // default: nowhere
	// Beat is told each time the loop goes round; nil for nobody.
	Beat func(runs bool)
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Ticks says when to look. Default every 15 s.
	Ticks <-chan time.Time
}

const (
	every     = 15 * time.Second
	lookLimit = 12 * time.Second // of one round: less than every, so that rounds do not pile up
)

// Monitor asks a cluster for the positions of its groups. It is a prometheus.Collector of what it saw last.
type Monitor struct {
	c      Config
	cl     *kgo.Client
	adm    *kadm.Client
	groups map[string]*expected // by group
	topics []string             // that are looked at, prefix included
	prober *prober

	mu       sync.Mutex
	seen     snapshot
	last     time.Time // when the cluster answered everything
	took     time.Duration
	failures float64
}

// expected is a group that the topology speaks of.
type expected struct {
	integration string // whose it is; empty for a read-back's or another team's
	reads       []string
}

// New makes a Monitor and registers it. It fails on options that make no client.
func New(c Config) (*Monitor, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Beat == nil {
		c.Beat = func(bool) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cl, err := kgo.NewClient(append(slices.Clone(c.Options), proberOptions()...)...)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	m := &Monitor{c: c, cl: cl, adm: kadm.NewClient(cl), groups: map[string]*expected{}, prober: newProber(cl), last: c.Now()}
	for _, topic := range topology.Subscribable {
		m.topics = append(m.topics, c.Topology.TopicName(topic))
	}
	for _, g := range c.Topology.Groups() {
		m.groups[g.Group] = &expected{reads: g.Reads}
	}
	for i := range c.Topology.Integrations {
		in := &c.Topology.Integrations[i]
		m.groups[c.Topology.Group(in.Name)].integration = in.Name
	}
	if c.Registerer != nil {
		if err := c.Registerer.Register(m); err != nil {
			cl.Close()
			return nil, fmt.Errorf("register the monitor: %w", err)
		}
	}
	return m, nil
}

// Run looks at once and then at every tick, until ctx ends; then it gives nil. What the cluster does not tell is logged and
// counted, and asked for again.
func (m *Monitor) Run(ctx context.Context) error {
	defer m.cl.Close()
	ticks := m.c.Ticks
	if ticks == nil {
		t := time.NewTicker(every)
		defer t.Stop()
		ticks = t.C
	}
	for {
		if err := m.Look(ctx); err != nil && ctx.Err() == nil {
			m.c.Logger.Warn("how far groups are behind is not fully known", "err", err)
		}
		m.c.Beat(true)
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
		}
	}
}

// Look asks the cluster once. What it does not tell stays as it was; the error says what that is.
func (m *Monitor) Look(ctx context.Context) error {
	began := m.c.Now()
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	m.mu.Lock()
	before := m.seen
	m.mu.Unlock()
	now, err := m.look(ctx, before)
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen, m.took = now, m.c.Now().Sub(began)
	if err != nil {
		m.failures++
		return err
	}
	m.last = m.c.Now()
	return nil
}
