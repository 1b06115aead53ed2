package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// fault is one kind of thing that goes wrong while a round's traffic flows. It returns when it is over; happened tells
// whether it met anybody.
type fault struct {
	name   string
	share  int  // how often it is dealt, among the others
	broker bool // it needs a cluster of the test's own
	do     func(ctx context.Context, r *rounds, rng *rand.Rand) (happened bool, err error)
}

var faults = []fault{
	{"kill -9, restart", 3, false, killed},
	{"kill -9, taken over", 1, false, without((*proc).kill, (*proc).start)},
	{"SIGSTOP, taken over", 1, false, without((*proc).freeze, (*proc).thaw)},
	{"third process comes and goes", 2, false, third},
	{"broker kill -9, restart", 1, true, brokerKilled},
	{"broker SIGSTOP", 1, true, brokerFrozen},
	{string(slow), 3, false, moody(slow)},
	{string(down), 2, false, moody(down)},
	{string(lying), 3, false, moody(lying)},
	{string(busy), 2, false, moody(busy)},
}

// deal shuffles faults into an endless deck: every kind comes before any comes too often.
func (r *rounds) deal(n int) []fault {
	var out []fault
	for len(out) < n {
		if len(r.deck) == 0 {
			for _, f := range faults {
				if f.broker && r.cluster == nil || !f.chosen() {
					continue
				}
				r.deck = append(r.deck, f)
			}
			r.rng.Shuffle(len(r.deck), func(i, j int) { r.deck[i], r.deck[j] = r.deck[j], r.deck[i] })
			if r.dealt { // the first time once each, then by share
				for _, f := range r.deck {
					for range f.share - 1 {
						at := r.rng.IntN(len(r.deck))
						r.deck = append(r.deck[:at:at], append([]fault{f}, r.deck[at:]...)...)
					}
				}
			}
			r.dealt = true
		}
		out, r.deck = append(out, r.deck[0]), r.deck[1:]
	}
	return out
}

// chosen tells whether SEAM_ROUNDS_FAULTS, names with | between them, wants the fault; unset it wants all.
func (f fault) chosen() bool {
	names := os.Getenv("SEAM_ROUNDS_FAULTS")
	return names == "" || slices.Contains(strings.Split(names, "|"), f.name)
}

// moment waits until a seeded number of outcomes of this round was told.
func (r *rounds) moment(ctx context.Context, rng *rand.Rand) error {
	n := r.began + rng.IntN(600)
	return r.tally.until(ctx, func() bool { return r.tally.of("outcome") >= n })
}

// victim is one of the two processes, and the other.
func (r *rounds) victim(rng *rand.Rand) (p, other *proc) {
	n := rng.IntN(2)
	return r.procs[n], r.procs[1-n]
}

func killed(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
	r.alone.Lock()
	defer r.alone.Unlock()
	p, _ := r.victim(rng)
	if err := r.moment(ctx, rng); err != nil {
		return false, err
	}
	if err := p.kill(); err != nil {
		return false, err
	}
	return true, p.start(ctx)
}

// without has the other process take over while one is away.
func without(goes func(*proc) error, comesBack func(*proc, context.Context) error) func(context.Context, *rounds, *rand.Rand) (bool, error) {
	return func(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
		r.alone.Lock()
		defer r.alone.Unlock()
		p, other := r.victim(rng)
		if err := errors.Join(r.moment(ctx, rng), r.shared(ctx)); err != nil {
			return false, err
		}
		before := r.restored(other)
		if err := goes(p); err != nil {
			return false, err
		}
		err := r.takeover(ctx, p, other, before)
		return err == nil, errors.Join(err, comesBack(p, ctx))
	}
}

// restored counts per integration the partitions that a process took over so far.
func (r *rounds) restored(p *proc) map[string]int {
	out := map[string]int{}
	for _, in := range r.topo.Integrations {
		out[in.Name] = r.tally.of("restored/" + p.name + "/" + in.Name)
	}
	return out
}

// takeover waits until the session of a process is over and another has taken partitions over in every integration.
func (r *rounds) takeover(ctx context.Context, from, by *proc, before map[string]int) error {
	if err := r.gone(ctx, from); err != nil {
		return err
	}
	left := func() (out []string) {
		for in, had := range before {
			if r.tally.of("restored/"+by.name+"/"+in) <= had {
				out = append(out, in)
			}
		}
		return out
	}
	if err := r.tally.until(ctx, func() bool { return len(left()) == 0 }); err != nil {
		return fmt.Errorf("%s did not take over %v: %w\n%s", by.name, left(), err, by.words())
	}
	return nil
}

// third has another process join every group and leave it again.
func third(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
	if r.kafka.Fake != nil { // the embedded broker keeps a member for ever that died while it joined
		r.alone.Lock()
		defer r.alone.Unlock()
	}
	if err := r.moment(ctx, rng); err != nil {
		return false, err
	}
	var names []string
	for _, in := range r.topo.Integrations {
		names = append(names, in.Name)
	}
	p := r.newProc("c", "--only", strings.Join(names, ","), "--listen", "127.0.0.1:0") // without a name of its own: it leaves when it ends
	defer p.end()
	restored, outcomes := r.tally.of("restored/c"), r.tally.of("outcome/c")+rng.IntN(60)
	if err := p.start(ctx); err != nil {
		return false, err
	}
	if err := r.tally.until(ctx, func() bool { return r.tally.of("restored/c") > restored }); err != nil {
		return false, fmt.Errorf("the third process was given nothing: %w\n%s", err, p.words())
	}
	r.tally.within(ctx, 2*time.Second, func() bool { return r.tally.of("outcome/c") > outcomes })
	return true, p.stop(ctx)
}

func brokerKilled(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
	if err := r.moment(ctx, rng); err != nil {
		return false, err
	}
	r.brokers.Lock()
	defer r.brokers.Unlock()
	err := r.cluster.do(ctx, "restart", 1+rng.IntN(brokers))
	return err == nil, err
}

// brokerFrozen stops a broker until a seeded number of outcomes was told meanwhile, or for some seconds: after three of them
// others lead what it led.
func brokerFrozen(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
	if err := r.moment(ctx, rng); err != nil {
		return false, err
	}
	r.brokers.Lock()
	defer r.brokers.Unlock()
	n := 1 + rng.IntN(brokers)
	if err := r.cluster.do(ctx, "freeze", n); err != nil {
		return false, err
	}
	least := r.tally.of("outcome") + 200 + rng.IntN(800)
	r.tally.within(ctx, time.Duration(2+rng.IntN(5))*time.Second, func() bool { return r.tally.of("outcome") >= least })
	return true, r.cluster.do(ctx, "thaw", n)
}

// moody puts some downstreams into a mood until a seeded number of calls has met it, or for some seconds.
func moody(m mood) func(context.Context, *rounds, *rand.Rand) (bool, error) {
	return func(ctx context.Context, r *rounds, rng *rand.Rand) (bool, error) {
		names := append([]string{}, systems...)
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:2+rng.IntN(len(names)-2)]
		least := 5 + rng.IntN(60)
		if err := r.moment(ctx, rng); err != nil {
			return false, err
		}
		before := r.tally.of(string(m))
		r.world.feel(m, names...)
		defer r.world.feel("", names...)
		met := func() int { return r.tally.of(string(m)) - before }
		r.tally.within(ctx, 4*time.Second, func() bool { return met() >= least })
		return met() > 0, nil
	}
}
