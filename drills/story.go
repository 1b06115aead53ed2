package drills

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/review"
)

// StoryConfig says which Monday is told.
type StoryConfig struct {
	Orders int   // how many orders the shop takes; at least 20. Default 300
	Seed   int64 // decides customers, prices and who is hit by what. Default 1
	// Scale multiplies the day's durations. Default 1.0/240: a second is four minutes.
	Scale float64
	// Deadline is how long, in real time, everything may take to settle once the last act is over. Default 60s.
	Deadline time.Duration
	Out      io.Writer // required
	// Interactive true: Out is a terminal that shows colours and lines that change.
	Interactive bool
	// Keep leaves Seam and the world running after the report until the context ends. Told is called first.
	Keep bool
	Told func(Report, Running, *sim.World)
	// Listen is the address of Seam's HTTP edge. Default a free loopback port.
	Listen string
	// Prefix goes before every topic and group, for a cluster that others use too. Default none.
	Prefix string
	// Crashes true: Seam is killed on purpose while the story goes on. Then calls that a dead process left behind may be
	// parked as unknown, though no system gave cause for it.
	Crashes bool
	// Start runs Seam until ctx ends and calls ready once it takes webhooks. Required.
	Start func(ctx context.Context, s Setting, ready func(Running)) error
}

// Setting is what the story hands to the Seam it starts.
type Setting struct {
	Topology *topology.Topology // the shipped one, its variables filled with the world's, its durations scaled
	Env      map[string]string  // those variables, for a Seam that is another process and loads its own
	Scale    float64            // what the durations were multiplied by
	Listen   string
	DataDir  string // a folder that goes when the story ends
}

// Running is where a started Seam is found.
type Running struct {
	EdgeURL          string // "http://127.0.0.1:8080"
	ConsoleURL       string // "http://127.0.0.1:8090"
	BootstrapServers string
	RegistryURL      string
}

// Story runs the bad Monday and gives what came of it. Violations of what Seam promises are in the report, not in the
// error; the error is for a story that could not be told: a port, a folder, a Seam that did not start or that stopped.
func Story(ctx context.Context, cfg StoryConfig) (Report, error) {
	cfg.Orders, cfg.Seed = cmp.Or(cfg.Orders, 300), cmp.Or(cfg.Seed, 1)
	cfg.Scale, cfg.Deadline = cmp.Or(cfg.Scale, 1.0/240), cmp.Or(cfg.Deadline, time.Minute)
	cfg.Listen = cmp.Or(cfg.Listen, "127.0.0.1:0")
	if cfg.Orders < 20 || cfg.Out == nil || cfg.Start == nil {
		return Report{}, errors.New("story: it takes at least 20 orders, somewhere to write to and a Seam to start")
	}
	dir, err := os.MkdirTemp("", "seam-story-")
	if err != nil {
		return Report{}, fmt.Errorf("story: %w", err)
	}
	defer os.RemoveAll(dir) // what is left behind by a failed removal is the system's to clean
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tale{cfg: cfg, dir: dir}
	if err := t.prepare(); err != nil {
		return Report{}, err
	}
	g, running := errgroup.WithContext(ctx)
	ready := make(chan Running, 1)
	g.Go(func() error { return t.world.Run(running) })
	g.Go(func() error {
		err := cfg.Start(running, t.setting(), func(r Running) { ready <- r })
		if err == nil && running.Err() == nil {
			err = errors.New("story: Seam stopped while the story went on")
		}
		return err
	})
	var report Report
	g.Go(func() error {
		defer cancel()
		report, err = t.tell(running, ready)
		return err
	})
	return report, g.Wait()
}

// tale is a story being told.
type tale struct {
	cfg   StoryConfig
	dir   string
	world *sim.World
	topo  *topology.Topology
	seam  Running
	paper *paper
	books *books
	begun time.Time

	mu   sync.Mutex
	edge string
	used map[string]bool // orders an act has done something special to
}

// prepare makes the world and reads the topology that Seam will run.
func (t *tale) prepare() error {
	world, err := sim.New(sim.Config{
		Seed: t.cfg.Seed, Scale: t.cfg.Scale, ExportDir: filepath.Join(t.dir, "export"), ERPDir: filepath.Join(t.dir, "erp"),
		EdgeURL: func() string { t.mu.Lock(); defer t.mu.Unlock(); return t.edge },
	})
	if err != nil {
		return fmt.Errorf("story: %w", err)
	}
	t.world, t.used = world, map[string]bool{}
	if t.topo, err = topology.Load(topology.Default(), t.lookup()); err != nil {
		return fmt.Errorf("story: %w", err)
	}
	if err := review.Admit(t.topo, time.Now(), nil); err != nil {
		return fmt.Errorf("story: %w", err)
	}
	t.topo.Scale(t.cfg.Scale)
	for _, d := range []string{"export", "erp", "seam"} {
		if err := os.MkdirAll(filepath.Join(t.dir, d), 0o755); err != nil {
			return fmt.Errorf("story: %w", err)
		}
	}
	return nil
}

// lookup gives the world's variables; the process's own environment has no say in a story.
func (t *tale) lookup() func(string) (string, bool) {
	env := t.env()
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// env is the world's variables.
func (t *tale) env() map[string]string {
	env := maps.Clone(t.world.Env())
	if t.cfg.Prefix != "" {
		env["SEAM_PREFIX"] = t.cfg.Prefix
	}
	return env
}

func (t *tale) setting() Setting {
	return Setting{Topology: t.topo, Env: t.env(), Scale: t.cfg.Scale, Listen: t.cfg.Listen, DataDir: filepath.Join(t.dir, "seam")}
}

// tell waits for Seam, plays the acts, waits until all is settled and judges.
func (t *tale) tell(ctx context.Context, ready <-chan Running) (Report, error) {
	started := time.Now()
	select {
	case <-ctx.Done():
		return Report{}, ctx.Err()
	case t.seam = <-ready:
	}
	var err error
	if t.books, err = openBooks(t.seam, t.topo); err != nil {
		return Report{}, err
	}
	defer t.books.close()
	reading, stop := context.WithCancel(ctx)
	var reader errgroup.Group
	reader.Go(func() error { return t.books.read(reading) })
	defer func() { stop(); _ = reader.Wait() }() // what it could not read has shown as unsettled

	t.begun = time.Now()
	t.paper = newPaper(t.cfg, t.begun)
	t.paper.opening(t.cfg, t.begun.Sub(started))
	t.mu.Lock()
	t.edge = t.seam.EdgeURL
	t.mu.Unlock()
	for _, a := range acts(t.cfg.Orders) {
		if err := t.play(ctx, a); err != nil {
			return Report{}, err
		}
		if ctx.Err() != nil { // an interrupted story has no verdict
			return Report{}, ctx.Err()
		}
	}
	report := t.settle(ctx)
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	t.paper.closing(report)
	if t.cfg.Told != nil {
		t.cfg.Told(report, t.seam, t.world)
	}
	if t.cfg.Keep {
		<-ctx.Done()
	}
	return report, nil
}

// play tells one act.
func (t *tale) play(ctx context.Context, a act) error {
	t.paper.act(a.title)
	said, err := a.play(ctx, t, a.orders)
	if err != nil {
		return fmt.Errorf("story, %q: %w", a.title, err)
	}
	t.paper.say(said)
	return nil
}

// until asks cond again and again until it holds; false when the real-time limit or ctx ended first. The live line
// moves on meanwhile.
func (t *tale) until(ctx context.Context, limit time.Duration, cond func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		if cond() {
			return true
		}
		if n%10 == 0 {
			t.paper.live(t.pulse())
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// pass lets a duration of the story go by.
func (t *tale) pass(ctx context.Context, d time.Duration) {
	t.until(ctx, time.Duration(float64(d)*t.cfg.Scale), func() bool { return false })
}

// pulse is the live line.
func (t *tale) pulse() string {
	events, outcomes := t.books.size()
	return fmt.Sprintf("%d orders · %d events · %d outcomes", len(t.world.Shop().Orders()), events, outcomes)
}
