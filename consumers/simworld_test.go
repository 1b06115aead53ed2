package consumers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// mood is how a downstream behaves for a while.
type mood int

const (
	well mood = iota
	slow      // effects and answers take up to twice the timeout
	deaf      // the effect is made, half of the answers are lost
	down      // nothing is reached
	busy      // 429 with Retry-After
	sick      // 500, before or after the effect
	moods
)

// effect is one change in a downstream.
type effect struct {
	key, operation, order, version string
	event                          schemas.EventID
}

// world is one downstream: what it honours is what its integration declares.
type world struct {
	in *topology.Integration

	mu      sync.Mutex
	rng     *rand.Rand
	mood    mood
	done    map[string]int       // effects by idempotency key
	known   map[string]time.Time // until when a key that was seen is remembered
	effects []effect             // in the order they were made
	writes  []effect             // and with the repetitions of an upsert
	calls   int
}

func newWorld(in *topology.Integration, seed uint64) *world {
	return &world{in: in, rng: rand.New(rand.NewPCG(seed, 11)), done: map[string]int{}, known: map[string]time.Time{}}
}

// make has the effect of a request that arrived at a time, as the mode allows it.
func (w *world) make(r deliver.Request, arrived time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := effect{r.Key, r.Route.Operation, r.Event.Subject, r.Event.SourceVersion, r.Event.ID}
	w.writes = append(w.writes, e)
	id := w.in.Idempotency
	if w.done[r.Key] > 0 && (id.Key != "" && arrived.Before(w.known[r.Key]) || id.Upsert) {
		return
	}
	w.known[r.Key] = arrived.Add(id.Remembers.D())
	w.done[r.Key]++
	w.effects = append(w.effects, e)
}

// plan draws what becomes of one call: when the effect comes, when the answer, and which. A negative time is never.
func (w *world) plan() (effectAt, answerAt time.Duration, answer deliver.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	ms := func(n int) time.Duration { return time.Duration(1+w.rng.IntN(n)) * time.Millisecond }
	timeout := int(w.in.Timeout.D() / time.Millisecond)
	ok := deliver.Result{Class: deliver.Delivered, Status: 200}
	switch w.mood {
	case slow:
		at := ms(max(timeout, int(w.in.Idempotency.Settles.D()/time.Millisecond))) // what is done later than declared, no probe can know
		return at, at + ms(timeout), ok
	case deaf:
		if w.rng.IntN(2) == 0 {
			return ms(20), -1, deliver.Result{}
		}
	case down:
		return -1, ms(5), deliver.Result{Class: deliver.Retry, Detail: "connection refused"}
	case busy:
		return -1, ms(5), deliver.Result{Class: deliver.Retry, Status: 429, RetryAfter: ms(3000)}
	case sick:
		at := ms(20)
		if w.rng.IntN(2) == 0 {
			return at, at, deliver.Result{Class: deliver.Unknown, Status: 500}
		}
		return -1, at, deliver.Result{Class: deliver.Unknown, Status: 500}
	case well, moods:
	}
	at := ms(20)
	return at, at + ms(5), ok
}

// simKind is the way from one process to the world. Whatever becomes of the process, a request that is out has its effect.
type simKind struct {
	world *world
	wire  *wire
}

// Deliver makes one call.
func (k *simKind) Deliver(ctx context.Context, r deliver.Request) deliver.Result {
	effectAt, answerAt, answer := k.world.plan()
	if effectAt >= 0 {
		arrived := time.Now()
		time.AfterFunc(effectAt, func() { k.world.make(r, arrived) })
	}
	return k.await(ctx, answerAt, answer)
}

func (k *simKind) await(ctx context.Context, at time.Duration, answer deliver.Result) deliver.Result {
	lost := deliver.Result{Class: deliver.Unknown, Detail: "no answer"}
	var due <-chan time.Time
	if at >= 0 {
		timer := time.NewTimer(at)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return answer
	case <-ctx.Done():
	case <-k.wire.dead:
	}
	return lost
}

func (*simKind) Read(context.Context, deliver.Request, string) deliver.Result {
	return deliver.Result{Class: deliver.Contract}
}

// Probe asks whether the effect is there.
func (k *simKind) Probe(ctx context.Context, r deliver.Request) deliver.Result {
	k.world.mu.Lock()
	k.world.calls++
	n, mood := k.world.done[r.Key], k.world.mood
	k.world.mu.Unlock()
	switch {
	case mood == down || mood == busy || mood == sick:
		return k.await(ctx, time.Millisecond, deliver.Result{Class: deliver.Unknown, Detail: "probe: " + fmt.Sprint(mood)})
	case n > 0:
		return k.await(ctx, time.Millisecond, deliver.Result{Class: deliver.AlreadyDone, Status: 200})
	}
	return k.await(ctx, time.Millisecond, deliver.Result{Class: deliver.Retry, Status: 404})
}
