package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// ordersPerRound makes 200 rounds ten thousand orders.
const ordersPerRound = 50

// roundScale is what the topology's durations are multiplied by: two minutes, the longest pause between attempts, are two
// seconds, and two hours of attempts two minutes.
const roundScale = 1.0 / 60

// TestRounds runs Seam as two processes that share all nine integrations through rounds of seeded traffic and faults: kill
// -9, SIGSTOP until another has taken over, a broker killed or stopped, a third process that comes and goes, downstreams
// that are slow, down, busy or lie. Then it judges from what the sources were told, what the topics hold and what the
// downstreams did: nothing is lost, nothing done twice that can be known to be done, order per order kept, what may have
// happened listed as unknown; and a replay of everything calls nobody. SEAM_ROUNDS and SEAM_ROUNDS_SEED choose another run.
func TestRounds(t *testing.T) {
	r := newRounds(t, fromEnv("SEAM_ROUNDS_SEED", 1))
	n := fromEnv("SEAM_ROUNDS", roundsOf(r.kafka))
	began := time.Now()
	for i := range n {
		r.round(i, n)
	}
	t.Logf("%d rounds in %s, %s each", n, time.Since(began).Round(time.Second), (time.Since(began) / time.Duration(n)).Round(100*time.Millisecond))
	r.calm()
	e := r.evidence()
	r.verdict(e)
	r.replay(e)
	if len(r.happened) == 0 {
		t.Error("no fault happened: nothing was proved")
	}
	for name, dealt := range r.dealtOf {
		if dealt > 2 && r.happened[name] == 0 { // a mood may meet no call, now and then
			t.Errorf("%q was dealt %d times and never happened: nothing was proved", name, dealt)
		}
	}
}

// roundsOf is how many rounds the suite has: the embedded broker is no proof of what brokers do.
func roundsOf(k *topologytest.Kafka) int {
	if k.Fake != nil {
		return 1
	}
	return 3
}

// rounds is a run of them.
type rounds struct {
	*testing.T
	ctx     context.Context
	seed    int
	rng     *rand.Rand
	kafka   *topologytest.Kafka
	cluster *cluster // nil where it may not be broken
	adm     *kadm.Client
	topo    *topology.Topology
	dir     string
	env     []string

	tally *tally
	world *world
	shop  *sender
	books *ledgers
	procs []*proc // the edge is in the first
	lives map[string]*life
	posts map[schemas.EventID]*post

	deck     []fault
	dealt    bool
	began    int        // outcomes before this round
	alone    sync.Mutex // one of the two processes may be down
	brokers  sync.Mutex // one broker may be away
	mu       sync.Mutex
	dealtOf  map[string]int
	happened map[string]int
}

func newRounds(t *testing.T, seed int) *rounds {
	t.Helper()
	r := &rounds{T: t, seed: seed, rng: rand.New(rand.NewPCG(uint64(seed), 1)), tally: newTally(), dir: t.TempDir(), lives: map[string]*life{}, posts: map[schemas.EventID]*post{},
		dealtOf: map[string]int{}, happened: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	if end, ok := t.Deadline(); ok { // a test that is cut off leaves processes behind
		ctx, cancel = context.WithDeadlineCause(ctx, end.Add(-time.Minute), errors.New("the test's time is up"))
		t.Cleanup(cancel)
	}
	r.ctx = ctx
	r.kafka, r.cluster = ownKafka(t)
	r.adm = kadm.NewClient(r.kafka.Client(r))
	r.world = newWorld(t, seed, r.tally)
	edge := freeAddress(t)
	console := freeAddress(t)
	r.shop = newSender("http://"+edge, r.tally)
	env := map[string]string{"SEAM_PREFIX": r.kafka.Prefix, "EXPORT_DIR": filepath.Join(r.dir, "export"), "SEAM_FACTS": "http://" + console, beSeam: "1"}
	maps.Copy(env, r.world.env())
	maps.Copy(env, r.shop.env())
	for name, value := range env {
		r.env = append(r.env, name+"="+value)
	}
	var err error
	if r.topo, err = topology.Load(topology.Default(), func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range r.topo.Integrations {
		names = append(names, in.Name)
	}
	r.procs = []*proc{
		r.newProc("a", "--instance", "a", "--listen", edge, "--console", console, "--data", filepath.Join(r.dir, "data")),
		r.newProc("b", "--instance", "b", "--listen", "127.0.0.1:0", "--only", strings.Join(names, ",")),
	}
	r.start()
	r.books = openLedgers(t, r.kafka, r.topo, r.tally)
	return r
}

// newProc is a process that runs roles against the rounds' Kafka; it is killed at the end of the test if it still runs. Its
// whole log is an artifact of the test.
func (r *rounds) newProc(name string, args ...string) *proc {
	log, err := os.OpenFile(filepath.Join(r.ArtifactDir(), name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = log.Close() })
	p := &proc{t: r.T, name: name, log: log, env: r.env, tally: r.tally, args: append([]string{"--bootstrap-server", strings.Join(r.kafka.Brokers, ","), "--registry", r.kafka.Registry,
		"--apply", "--console", "127.0.0.1:0", "--time-scale", fmt.Sprint(roundScale)}, args...)}
	r.Cleanup(p.end)
	return p
}

// start starts both processes, one after the other: the first makes the topics.
func (r *rounds) start() {
	r.Helper()
	for _, p := range r.procs {
		if err := p.start(r.ctx); err != nil {
			r.Fatal(err)
		}
	}
}

// roundLimit is how long a round may take: a broker's restart on a busy machine, and all that follows.
const roundLimit = 3 * time.Minute

// round lets orders come while faults happen, and waits until all of it has its outcomes.
func (r *rounds) round(n, of int) {
	r.Helper()
	began, rng := time.Now(), rand.New(rand.NewPCG(uint64(r.seed), uint64(1000+n)))
	t := tell(rng, n, ordersPerRound, began)
	for _, l := range t.lives {
		r.lives[l.id] = l
	}
	for _, p := range t.posts {
		r.posts[p.id] = p
	}
	r.books.expect(t.lives, t.posts)
	r.began = r.tally.of("outcome")
	dealt := r.deal(max(1+rng.IntN(2), (len(faults)+of-1)/of))
	ctx, cancel := context.WithTimeoutCause(r.ctx, roundLimit, fmt.Errorf("round %d is not over after %s", n, roundLimit))
	defer cancel()
	var g errgroup.Group
	g.Go(func() error { return r.shop.sendAll(ctx, t.posts) })
	var names []string
	for _, f := range dealt {
		names = append(names, f.name)
		r.dealtOf[f.name]++
		own := rand.New(rand.NewPCG(rng.Uint64(), 1))
		g.Go(func() error {
			happened, err := f.do(ctx, r, own)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			if r.mu.Lock(); happened {
				r.happened[f.name]++
			}
			r.mu.Unlock()
			return nil
		})
	}

	err := g.Wait()
	active := time.Since(began)
	if err == nil {
		err = r.tally.until(ctx, r.books.settled)
	}
	r.Logf("round %d: %d posts, %s: %.1f s, %.1f s until settled", n, len(t.posts), strings.Join(names, ", "), active.Seconds(), time.Since(began).Seconds())
	if err != nil {
		text, subjects := r.books.unsettled()
		for _, s := range subjects[:min(len(subjects), 3)] {
			text += "\n" + r.timeline(s)
		}
		for _, p := range r.procs {
			text += "\n" + p.words()
		}
		r.Fatalf("seed %d, round %d (%s): %v\n%s", r.seed, n, strings.Join(names, ", "), err, text)
	}
}

// calm waits until every call is read back and no group lags, and ends both processes.
func (r *rounds) calm() {
	r.Helper()
	adm := r.adm
	r.eventually("every call is read back", 2*time.Minute, r.books.unread)
	r.eventually("no group lags", 2*time.Minute, func() error { return r.lag(adm) })
	for _, p := range r.procs {
		if err := p.stop(r.ctx); err != nil {
			r.Error(err)
		}
	}
	r.eventually("everything committed is read", time.Minute, func() error {
		return r.books.atEnd(r.ctx, adm, r.topo.TopicName(topology.TopicReconciliation))
	})
	if err := r.lag(adm); err != nil {
		r.Errorf("after the end: %v", err)
	}
}

// lag says which group has not committed the end of which partition, or has committed beyond it.
func (r *rounds) lag(adm *kadm.Client) error {
	var faults []error
	for i := range r.topo.Integrations {
		in := &r.topo.Integrations[i]
		topics := r.topo.InputTopics(in)
		ends, err := adm.ListEndOffsets(r.ctx, topics...)
		if err != nil {
			return err
		}
		committed, err := adm.FetchOffsets(r.ctx, r.topo.Group(in.Name))
		if err != nil {
			return err
		}
		ends.Each(func(end kadm.ListedOffset) {
			switch at, _ := committed.Lookup(end.Topic, end.Partition); {
			case end.Err != nil:
				faults = append(faults, fmt.Errorf("%s/%d: %w", end.Topic, end.Partition, end.Err))
			case at.At != end.Offset && end.Offset > 0:
				faults = append(faults, fmt.Errorf("%s is at %d of %d in %s/%d", in.Name, at.At, end.Offset, end.Topic, end.Partition))
			}
		})
	}
	return errors.Join(faults...)
}

// eventually asks five times a second until ask gives nil, and fails the test with its last words.
func (r *rounds) eventually(what string, limit time.Duration, ask func() error) {
	r.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			r.Fatalf("seed %d: not within %s: %s: %v", r.seed, limit, what, err)
		case <-r.ctx.Done():
			r.Fatalf("seed %d: %s: %v: %v", r.seed, what, context.Cause(r.ctx), err)
		}
	}
}
