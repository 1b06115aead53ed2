package consumers

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// engine is one life of a worker. All fields below the first group belong to loop's goroutine.
type engine struct {
	Config
	in     *topology.Integration
	owners *rules.Owners
	kinds  deliver.Set
	names  names
	cl     *kgo.Client
	lease  *lease
	log    *slog.Logger
	ctx    context.Context // of the engine's goroutines; ended by cancel, not by shutdown, so that calls can finish
	cancel context.CancelFunc
	events chan any
	made   chan struct{}  // closed once cl is set
	joined chan struct{}  // told when partitions came: the lease begins with a heartbeat
	work   sync.WaitGroup // goroutines that use the ledger's local store

	parts       map[topicPartition]*partition
	last        *partition // of the record received last
	gate        *gate
	ready       []*lane // lanes whose head asks for a call, oldest first
	unintended  []*lane // lanes whose head must not ask before it may be intended
	unfacted    []*lane // lanes whose head needs facts
	facts       factDesk
	intents     int // calls intended and not made
	flow        int // calls made during the last transaction
	started     int // calls made since
	inFlight    int
	callers     int // goroutines that make calls
	attempts    chan attempt
	counts      *counts
	queued      int  // records in lanes
	fetchPaused bool // maxQueued was reached
	batch       *batch
	committing  *batch      // nil when no transaction is under way
	committed   int64       // the newest batch that is committed
	aborts      int         // transactions aborted since the last that was committed
	began       time.Time   // when the last transaction did
	commitAfter time.Time   // no transaction before that
	broken      error       // why the engine must end; nothing is committed any more
	void        atomic.Bool // a drain took too long and the partition went: nothing may be committed any more
	identities  identities
	orders      *kgo.Client // follows the commands topic; nil until the first partition came
	wake        *time.Timer
	stopping    bool
	lastSuccess *time.Time
	reported    schemas.WorkerStatus
}

// names is what every event's handling writes, made once.
type names struct {
	inputs          []string // the event topics, prefix included
	reconciliation  string
	ledger          string
	outcomes        string // subjects of the registry
	ledgerEntries   string
	outcomeSource   []byte                  // ce_source
	outcomeVersion  []byte                  // ce_specversion
	outcomeContents []byte                  // content-type
	outcomeTypes    map[schemas.Kind][]byte // ce_type
	together        []string                // operations whose calls need no intent each
}

func newNames(t *topology.Topology, in *topology.Integration) names {
	out, ledger := t.TopicName(topology.TopicReconciliation), t.Ledger(in.Name)
	types := map[schemas.Kind][]byte{}
	for _, k := range schemas.Kinds {
		types[k] = []byte("seam.outcome." + string(k))
	}
	return names{inputs: t.InputTopics(in), reconciliation: out, ledger: ledger, outcomes: out + "-value", ledgerEntries: ledger + "-value",
		outcomeSource: []byte("/seam/" + in.Name), outcomeVersion: []byte("1.0"), outcomeContents: []byte("application/avro"), outcomeTypes: types, together: togetherOf(in)}
}

// topicPartition names a partition of an event topic, prefix included.
type topicPartition struct {
	topic     string
	partition int32
}

// The events of the loop.
type (
	evFetched struct {
		recs []*kgo.Record
		done chan struct{}
	}
	evAssigned struct{ parts []topicPartition }
	evRevoked  struct {
		parts []topicPartition
		lost  bool
		done  chan struct{}
	}
	evRestored struct {
		p     *partition
		store *ledger.Store
		err   error
	}
	evResult struct {
		ln    *lane
		it    *item
		res   deliver.Result
		probe bool
		epoch int // of the gate when the call started
	}
	evTimer struct {
		ln *lane
		it *item
	}
	evDecoded struct {
		ln     *lane
		it     *item
		ev     *schemas.Event
		opened bool
		err    error
	}
	evCommit struct {
		err   error
		fatal bool
	}
	evFatal struct{ err error }
)

func newEngine(c Config, kinds deliver.Set) *engine {
	ctx, cancel := context.WithCancel(context.Background())
	e := &engine{
		Config: c, in: c.Integration, owners: rules.NewOwners(c.Topology.Ownership), kinds: kinds, names: newNames(c.Topology, c.Integration), ctx: ctx, cancel: cancel,
		lease:  &lease{session: c.Session},
		log:    c.Logger.With("integration", c.Integration.Name),
		events: make(chan any, 256),
		made:   make(chan struct{}),
		joined: make(chan struct{}, 1),
		parts:  map[topicPartition]*partition{},
		gate:   newGate(c.Integration),
		wake:   time.NewTimer(time.Hour),

		attempts: make(chan attempt, max(1, c.Integration.InFlight)),
		counts:   c.Metrics.of(c.Integration),
	}
	e.batch = newBatch(1)
	e.gate.pace.follow(c.limiter, false)
	e.facts.due = map[schemas.EventID]factDue{}
	return e
}

// send hands an event to the loop; false when the engine has ended.
func (e *engine) send(ev any) bool {
	select {
	case e.events <- ev:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// loop is the one goroutine that decides. It ends when ctx does and everything under way has drained, or on a fatal error.
func (e *engine) loop(ctx context.Context) error {
	tick := time.NewTicker(e.Tick)
	defer tick.Stop()
	slow := time.NewTicker(time.Second)
	defer slow.Stop()
	e.Beat(true)
	e.report(e.Now(), true)
	stop := ctx.Done()
	var cut, giveUp <-chan time.Time
	for {
		select {
		case <-stop:
			stop, e.stopping = nil, true
			cut, giveUp = time.After(cutAfter(e.Grace)), time.After(e.Grace)
			e.log.Info("the worker stops: no new calls", "under_way", e.inFlight, "grace", e.Grace)
		case <-cut:
			e.cut()
		case <-giveUp:
			e.log.Warn("the grace is over: what is not committed is the successor's to repeat", "calls", e.inFlight)
			return nil
		case ev := <-e.events:
			for more := len(e.events); ; more-- { // what waits already is handled in one go
				if err := e.on(ev); err != nil {
					return err
				}
				if more == 0 {
					break
				}
				ev = <-e.events
			}
		case <-e.wake.C:
		case <-tick.C:
			e.cutCalls()
			e.commit()
		case <-slow.C:
			e.Beat(true)
			e.expireParked()
			e.askParked()
			e.mark()
			e.report(e.Now(), false)
		}
		e.pump()
		e.settleRevoked()
		if len(e.batch.records) >= maxBatch || e.Now().Sub(e.began) >= e.Tick { // what comes after a pause does not wait for a tick
			e.commit()
		}
		if e.broken != nil {
			return e.broken
		}
		if e.stopping && e.drained() {
			e.report(e.Now(), true)
			return nil
		}
	}
}

// on handles one event.
func (e *engine) on(ev any) error {
	switch ev := ev.(type) {
	case evFetched:
		for _, rec := range ev.recs {
			e.receive(rec, false)
		}
		close(ev.done)
		e.throttle()
	case evAssigned:
		for _, tp := range ev.parts {
			if err := e.assign(tp); err != nil {
				return err
			}
		}
	case evRevoked:
		e.revoke(ev)
	case evRestored:
		return e.restored(ev)
	case evResult:
		e.inFlight--
		e.result(ev)
	case evLost:
		e.lost(ev)
	case evRecreated:
		return e.recreated(ev)
	case evCommand:
		e.command(ev)
	case evReadAgain:
		e.readAgain(ev)
	case evTimer:
		if e.holds(ev.ln, ev.it) {
			ev.ln.waiting = false
			e.step(ev.ln)
		}
	case evFacts:
		e.told(ev)
	case evDecoded:
		e.decoded(ev)
	case evCommit:
		return e.onCommit(ev)
	case evFatal:
		return ev.err
	}
	return nil
}

// receive puts a record into its order's lane; late says that later ones of its order were read before it.
func (e *engine) receive(rec *kgo.Record, late bool) {
	p := e.last // most records come after one of the same partition
	if p == nil || p.tp.partition != rec.Partition || p.tp.topic != rec.Topic || e.parts[p.tp] != p {
		p = e.parts[topicPartition{rec.Topic, rec.Partition}]
		e.last = p
	}
	if p == nil || p.revoked != nil {
		return // fetched before a revocation that came first
	}
	p.offsets.receive(rec.Offset)
	it := &item{rec: rec, late: late}
	env, whole := schemas.EnvelopeOf(rec.Headers)
	if it.env.TraceParent, it.env.TraceState = env.TraceParent, env.TraceState; whole {
		it.env = env
	}
	key := string(rec.Key)
	if key == "" {
		key = string(ledger.PoisonID(rec.Topic, rec.Partition, rec.Offset)) // no order to stand behind
	}
	ln := p.lane(key)
	counted := it.env.Type
	if !rules.SpeaksFor(e.owners, counted, it.env.System, it.env.Time) {
		counted = "" // what a non-owner says supersedes nothing
	}
	ln.push(it, counted)
	p.suspect(ln, it)
	p.doubt.end()
	e.queued++
	if len(ln.queue) == 1 {
		e.step(ln)
	}
}

// throttle pauses fetching while lanes hold maxQueued records, and goes on at half of that.
func (e *engine) throttle() {
	switch {
	case !e.fetchPaused && e.queued >= maxQueued:
		e.cl.PauseFetchTopics(e.names.inputs...)
		e.fetchPaused = true
	case e.fetchPaused && e.queued <= maxQueued/2:
		e.cl.ResumeFetchTopics(e.names.inputs...)
		e.fetchPaused = false
	}
}

// pump starts calls of ready lanes while the gate, the in-flight limit and the lease allow.
func (e *engine) pump() {
	now := e.Now()
	e.intendNext(now)
	e.factsNext(now)
	for len(e.ready) > 0 && e.gate.pace.room(e.inFlight) && !e.stopping && e.broken == nil {
		ln := e.ready[0]
		it := ln.head()
		if !e.stands(ln, it) {
			e.ready, ln.asked = e.ready[1:], false
			continue
		}
		d := e.decide(ln, it)
		if d.Action != rules.Call || e.Serde.Erased(it.ev) || e.unasked(ln, it, d.Route, now) { // it was superseded while it waited, is another, or waited too long
			e.ready, ln.asked = e.ready[1:], false
			e.step(ln)
			continue
		}
		if e.lacksFacts(it, d.Route, now) && e.gate.admits(now) { // they grew old while it stood in line
			if len(e.unfacted) >= factsAtOnce {
				return
			}
			e.ready, ln.asked = e.ready[1:], false
			e.step(ln)
			continue
		}
		if e.lease.left() <= 0 {
			e.wake.Reset(50 * time.Millisecond)
			return
		}
		if wait, ok := e.gate.pace.mayRepeat(now); !ok && it.tries > 0 {
			e.ready, ln.asked = e.ready[1:], false
			e.later(ln, it, wait)
			continue
		}
		wait, ok := e.gate.enter(now)
		if !ok {
			e.wake.Reset(max(wait, time.Millisecond))
			return
		}
		e.ready, ln.asked = e.ready[1:], false
		e.call(ln, it, d)
	}
}

// stands tells whether a lane that stands in line is still there to be handled.
func (e *engine) stands(ln *lane, it *item) bool {
	return it != nil && it.noted != nil && ln.part.revoked == nil && e.parts[ln.part.tp] == ln.part
}

// intendNext intends the calls of lanes that wait for that, as far as they may be.
func (e *engine) intendNext(now time.Time) {
	for len(e.unintended) > 0 && !e.stopping && e.broken == nil && e.mayIntend(now) {
		ln := e.unintended[0]
		e.unintended, ln.asked = e.unintended[1:], false
		if e.stands(ln, ln.head()) {
			e.step(ln)
		}
	}
}
