package app

import (
	"context"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// workers runs the workers of the integrations, each of which can be ended and begun anew without the others.
type workers struct {
	group *errgroup.Group
	run   func(context.Context, *topology.Topology, *topology.Integration) error

	mu      sync.Mutex
	running map[string]*worker
}

// worker is one life of a worker.
type worker struct {
	stop  context.CancelFunc
	ended chan struct{}
}

func newWorkers(g *errgroup.Group, run func(context.Context, *topology.Topology, *topology.Integration) error) *workers {
	return &workers{group: g, run: run, running: map[string]*worker{}}
}

// start begins an integration's worker. One that runs ends first, as at a stop: within the grace, and with what it settled
// committed.
func (w *workers) start(ctx context.Context, t *topology.Topology, in *topology.Integration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if had := w.running[in.Name]; had != nil {
		had.stop()
		<-had.ended
	}
	if ctx.Err() != nil {
		return
	}
	life, stop := context.WithCancel(ctx)
	next := &worker{stop, make(chan struct{})}
	w.running[in.Name] = next
	w.group.Go(func() error {
		defer close(next.ended)
		defer stop()
		return w.run(life, t, in)
	})
}

// report writes a worker's status to the status topic, keyed by integration and instance. A status that is lost is followed
// by the next in seconds.
func (c *Config) report(ctx context.Context, client *kgo.Client, serde *schemas.Serde) func(*schemas.WorkerStatus) {
	topic := c.Topology.TopicName(topology.TopicStatus)
	return func(st *schemas.WorkerStatus) {
		value, err := serde.EncodeWorkerStatus(context.WithoutCancel(ctx), topic+"-value", st)
		if err != nil {
			c.Logger.Warn("status", "err", err)
			return
		}
		client.TryProduce(context.WithoutCancel(ctx), &kgo.Record{Topic: topic, Key: []byte(strings.Join([]string{st.Integration, st.Instance}, "/")), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				c.Logger.Debug("status", "err", err)
			}
		})
	}
}
