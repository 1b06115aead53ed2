package consumers

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Read-backs are a group of their own on the reconciliation topic: for every outcome that says delivered or already_done by a
// route with read_back they read the record some time later and publish what they find as order.observed. An offset is
// committed once all before it is told, so that a crash reads again, which harms nobody, and forgets nothing; what is found
// again has the id that it had. They slow no delivery: the rate is the integration's, shared with its calls of this process;
// the breaker is their own.

const (
	readBackStart   = 24 * time.Hour // what a new group reads: calls of the last day
	maxReadBacks    = 10_000         // that are still to be made, before fetching pauses
	readBackCommits = time.Second
	readBackLimit   = 5 * time.Second // of one commit
)

// reader is one life of an integration's read-backs. All fields below the first group belong to loop's goroutine.
type reader struct {
	Config
	in     *topology.Integration
	kinds  deliver.Set
	cl     *kgo.Client // reads outcomes
	out    *kgo.Client // writes events
	log    *slog.Logger
	ctx    context.Context
	events chan any

	gate     *gate
	parts    map[int32]*readPart
	due      readings
	open     map[string][]*reading // by order: those not told yet
	busy     map[string]bool       // orders of which a read is under way
	inFlight int
	wake     *time.Timer
	paused   bool
	reads    sync.WaitGroup
}

// readPart is a partition of the reconciliation topic while this process has it.
type readPart struct {
	partition int32
	offsets   *offsets
	gone      bool
}

// reading is the record of one call, to be read.
type reading struct {
	part   *readPart
	offset int64
	out    *schemas.Outcome
	route  *topology.Route
	at     time.Time // when it is read next
	slot   int       // how often it was read before
	tries  int       // of this time
	first  time.Time // of tries
	told   string    // the last that was told, to tell nothing twice
	gone   bool      // told, or not to be told any more
}

// readings is a heap by time.
type readings []*reading

func (h readings) Len() int           { return len(h) }
func (h readings) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h readings) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *readings) Push(x any) { *h = append(*h, x.(*reading)) }

// Pop is heap.Interface's.
func (h *readings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// The events of the loop.
type (
	evOutcomes struct {
		list []taken
		done chan struct{}
	}
	evReadRevoked struct {
		parts []int32
		lost  bool
		done  chan struct{}
	}
	evRead struct {
		r     *reading
		res   deliver.Result
		found found
		err   error // it could not be published
		epoch int
	}
)

// taken is a record of the reconciliation topic; out is nil for what is none of ours.
type taken struct {
	partition int32
	offset    int64
	out       *schemas.Outcome
}

// readBack reads back what the integration's calls made until ctx ends. Kafka may come and go meanwhile.
func readBack(ctx context.Context, c Config, kinds deliver.Set) {
	log := c.Logger.With("integration", c.Integration.Name, "group", c.Topology.ReadBackGroup(c.Integration.Name))
	for ctx.Err() == nil {
		if err := runReader(ctx, c, kinds, log); err != nil && ctx.Err() == nil {
			log.Warn("read-backs restart", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func runReader(ctx context.Context, c Config, kinds deliver.Set, log *slog.Logger) (err error) {
	// What is under way may end after ctx has: it is committed then.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r := &reader{Config: c, in: c.Integration, kinds: kinds, log: log, ctx: life, events: make(chan any, 64), gate: newGate(c.Integration), parts: map[int32]*readPart{},
		open: map[string][]*reading{}, busy: map[string]bool{}, wake: time.NewTimer(time.Hour)}
	r.gate.pace.follow(c.limiter, true)
	if r.out, err = kgo.NewClient(append(append([]kgo.Opt{}, c.Options...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(registryLimit))...); err != nil {
		return fmt.Errorf("client of read-backs: %w", err)
	}
	defer r.out.Close()
	if r.cl, err = kgo.NewClient(c.readBackOptions(r)...); err != nil {
		return fmt.Errorf("client of read-backs: %w", err)
	}
	polled := make(chan struct{})
	go func() { defer close(polled); r.poll() }()
	err = r.loop(ctx)
	cancel()
	<-polled
	r.cl.CloseAllowingRebalance()
	r.reads.Wait()
	return err
}

// readBackOptions is how the group's client joins.
func (c Config) readBackOptions(r *reader) []kgo.Opt {
	group := c.Topology.ReadBackGroup(c.Integration.Name)
	opts := append(append([]kgo.Opt{}, c.Options...),
		kgo.ClientID(group+"/"+c.Instance), kgo.ConsumerGroup(group), kgo.ConsumeTopics(c.Topology.TopicName(topology.TopicReconciliation)),
		kgo.ConsumeStartOffset(kgo.NewOffset().AfterMilli(c.Now().Add(-readBackStart).UnixMilli())),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // what retention took before it was read is an error, as in a worker
		kgo.DisableAutoCommit(), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(c.Session), kgo.HeartbeatInterval(min(heartbeat, c.Session/4)), kgo.RebalanceTimeout(rebalanceLimit),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { r.revoked(parts, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { r.revoked(parts, true) }))
	if c.Static {
		opts = append(opts, kgo.InstanceID(c.Instance))
	}
	return opts
}

func (r *reader) send(ev any) bool {
	select {
	case r.events <- ev:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// revoked has what was told committed before the partitions go.
func (r *reader) revoked(parts map[string][]int32, lost bool) {
	ev := evReadRevoked{lost: lost, done: make(chan struct{})}
	for _, list := range parts {
		ev.parts = append(ev.parts, list...)
	}
	if len(ev.parts) == 0 || !r.send(ev) {
		return
	}
	select {
	case <-ev.done:
	case <-r.ctx.Done():
	}
}

// poll hands over outcomes until the life ends: those of others as their offsets only.
func (r *reader) poll() {
	ours := "/seam/" + r.in.Name
	for {
		fetches := r.cl.PollRecords(r.ctx, maxPoll)
		if r.ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		for _, fe := range fetches.Errors() {
			if !errors.Is(fe.Err, context.Canceled) {
				r.log.Warn("fetch", "topic", fe.Topic, "partition", fe.Partition, "err", fe.Err)
			}
		}
		var ev evOutcomes
		fetches.EachRecord(func(rec *kgo.Record) {
			t := taken{partition: rec.Partition, offset: rec.Offset}
			if slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == "ce_source" && string(h.Value) == ours }) {
				t.out = r.decode(rec)
			}
			ev.list = append(ev.list, t)
		})
		if len(ev.list) > 0 {
			ev.done = make(chan struct{})
			if !r.send(ev) {
				return
			}
			select {
			case <-ev.done:
			case <-r.ctx.Done():
				return
			}
		}
		r.cl.AllowRebalance()
	}
}

// decode reads an outcome; while the registry is away it waits. What can never be read is told in the log.
func (r *reader) decode(rec *kgo.Record) *schemas.Outcome {
	for {
		o, err := r.Serde.DecodeOutcome(r.ctx, rec.Value)
		if err == nil {
			return o
		}
		if undecodable(err) || r.ctx.Err() != nil {
			r.log.Error("an outcome does not decode: it is not read back", "partition", rec.Partition, "offset", rec.Offset, "err", err)
			return nil
		}
		r.log.Warn("read-backs wait for the schema registry", "err", err)
		select {
		case <-r.ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// loop is the one goroutine that decides; it ends when ctx does.
func (r *reader) loop(ctx context.Context) error {
	tick := time.NewTicker(readBackCommits)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.commit(nil)
			return nil
		case ev := <-r.events:
			switch ev := ev.(type) {
			case evOutcomes:
				for _, t := range ev.list {
					r.take(t)
				}
				close(ev.done)
			case evReadRevoked:
				if !ev.lost {
					r.commit(ev.parts)
				}
				for _, p := range ev.parts {
					r.drop(p)
				}
				close(ev.done)
			case evRead:
				r.result(ev)
			}
		case <-r.wake.C:
		case <-tick.C:
			r.commit(nil)
			r.Metrics.readBacksDue.WithLabelValues(r.in.Name).Set(float64(len(r.due) + r.inFlight))
		}
		r.start()
		r.throttle()
	}
}

// take notes an outcome: a call to read back, one that takes another back, or none of our business.
func (r *reader) take(t taken) {
	p := r.parts[t.partition]
	if p == nil {
		p = &readPart{partition: t.partition, offsets: newOffsets()}
		r.parts[t.partition] = p
	}
	p.offsets.receive(t.offset)
	route := r.route(t.out)
	if route != nil && route.Undoes != "" {
		for _, old := range r.open[t.out.OrderID] {
			if old.out.Operation == route.Undoes {
				r.settle(old)
			}
		}
	}
	if route == nil || route.ReadBack == nil {
		p.offsets.settle(t.offset)
		return
	}
	n := &reading{part: p, offset: t.offset, out: t.out, route: route, at: t.out.At.Add(route.ReadBack.After.D())}
	r.open[t.out.OrderID] = append(r.open[t.out.OrderID], n)
	heap.Push(&r.due, n)
}

// route is the route whose call an outcome says was made; nil for all else.
func (r *reader) route(o *schemas.Outcome) *topology.Route {
	if o == nil || o.Integration != r.in.Name || o.Kind != schemas.Delivered && o.Kind != schemas.AlreadyDone || o.Topic != schemas.TopicOrders {
		return nil
	}
	return rules.RouteFor(r.in, o.EventType, o.Operation)
}

// settle ends a reading, whether or not it is in the heap.
func (r *reader) settle(n *reading) {
	n.gone = true
	n.part.offsets.settle(n.offset)
	key := n.out.OrderID
	if r.open[key] = slices.DeleteFunc(slices.Clone(r.open[key]), func(x *reading) bool { return x == n }); len(r.open[key]) == 0 {
		delete(r.open, key)
	}
}

// drop forgets a partition that is another's now.
func (r *reader) drop(partition int32) {
	p := r.parts[partition]
	if p == nil {
		return
	}
	delete(r.parts, partition)
	p.gone = true
	for key, list := range r.open {
		if list = slices.DeleteFunc(list, func(n *reading) bool { return n.part == p }); len(list) == 0 {
			delete(r.open, key)
		} else {
			r.open[key] = list
		}
	}
	r.due = slices.DeleteFunc(r.due, func(n *reading) bool { return n.part == p })
	heap.Init(&r.due)
}

// throttle pauses fetching while many wait for their time.
func (r *reader) throttle() {
	topic := r.Topology.TopicName(topology.TopicReconciliation)
	switch {
	case !r.paused && len(r.due) >= maxReadBacks:
		r.cl.PauseFetchTopics(topic)
		r.paused = true
	case r.paused && len(r.due) <= maxReadBacks/2:
		r.cl.ResumeFetchTopics(topic)
		r.paused = false
	}
}

// commit moves the group's offsets to what is told: of some partitions, or of all.
func (r *reader) commit(only []int32) {
	topic := r.Topology.TopicName(topology.TopicReconciliation)
	at := map[int32]kgo.EpochOffset{}
	for _, p := range r.parts {
		if w := p.offsets.watermark(); w >= 0 && w != p.offsets.done && (only == nil || slices.Contains(only, p.partition)) {
			at[p.partition] = kgo.EpochOffset{Epoch: -1, Offset: w}
		}
	}
	if len(at) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, readBackLimit)
	defer cancel()
	var err error
	r.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: at}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, failed error) {
		err = notCommitted(resp, failed)
	})
	if err != nil {
		r.log.Warn("what was read back is committed later", "err", err)
		return
	}
	for partition, o := range at {
		r.parts[partition].offsets.done = o.Offset
	}
}
