package consumers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
)

// Run works until ctx ends: then it finishes the calls under way, commits and leaves the group. A fatal answer of Kafka (an
// unknown end of a transaction, fencing) ends the engine, and a new one restores what is true and goes on; Run itself fails
// only on a topology that cannot run. Beside it what the integration's calls made is read back, where that is declared.
func Run(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if c.Facts == nil && c.Integration.TellsFacts() {
		return fmt.Errorf("worker %s: its body names facts (%s), and there is nobody to ask for them", c.Integration.Name, c.Integration.Mark)
	}
	kinds, err := deliver.New(c.Integration, c.Topology.Outbound())
	if err != nil {
		return fmt.Errorf("worker %s: %w", c.Integration.Name, err)
	}
	if !c.Integration.ReadsBack() {
		run(ctx, c, kinds)
		return nil
	}
	c.limiter = rate.NewLimiter(newPace(c.Integration).rate(c.Now()))
	var beside sync.WaitGroup
	beside.Go(func() { readBack(ctx, c, kinds) })
	run(ctx, c, kinds)
	beside.Wait()
	return nil
}

// run lives one engine after the other until ctx ends.
func run(ctx context.Context, c Config, kinds deliver.Set) {
	log := c.Logger.With("integration", c.Integration.Name)
	for backoff := 100 * time.Millisecond; ; backoff = min(2*backoff, 5*time.Second) {
		started := c.Now()
		err := runEngine(ctx, c, kinds)
		if ctx.Err() != nil {
			return
		}
		if c.Now().Sub(started) > time.Minute {
			backoff = 100 * time.Millisecond
		}
		c.Metrics.restarts.WithLabelValues(c.Integration.Name).Inc()
		log.Warn("worker restarts", "err", err, "in", backoff)
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff):
		}
	}
}

// runEngine is the life of one client: nil when ctx ended, else why it cannot go on.
func runEngine(ctx context.Context, c Config, kinds deliver.Set) error {
	e := newEngine(c, kinds)
	defer e.cancel()
	c.Beat(false)
	opts := append(c.options(),
		kgo.OnPartitionsAssigned(e.onAssigned), kgo.AdjustFetchOffsetsFn(e.onFetchedOffsets), kgo.OnPartitionsRevoked(e.onRevoked), kgo.OnPartitionsLost(e.onLost))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("client of %s: %w", c.Integration.Name, err)
	}
	e.cl = cl
	close(e.made)
	// A transaction that an earlier life under this name left open is aborted by this, not by its timeout: ledger.Fence cannot
	// tell it from ours.
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.CloseAllowingRebalance()
		return fmt.Errorf("producer id of %s: %w", c.Integration.Name, err)
	}
	e.know(ctx)
	polled := make(chan struct{})
	go func() { defer close(polled); e.poll() }()
	e.work.Go(e.watch)
	e.work.Go(e.keepLease)
	err = e.loop(ctx)
	c.Beat(false)
	for _, p := range e.parts {
		p.abandon()
	}
	// Closing leaves the group, which calls onRevoked: the loop has drained by then and answers no more. A static member does
	// not leave: its successor takes over.
	e.cancel()
	<-polled // a poll that returned after the close would block the leave
	cl.CloseAllowingRebalance()
	e.work.Wait() // what still runs ends with the context and the client
	return err
}

// know asks the registry for the ids of what the loop writes, which else would wait for it at the first of each. A registry
// that is away is asked again then.
func (e *engine) know(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, registryLimit)
	defer cancel()
	for subject, schema := range map[string]string{e.names.outcomes: "outcome", e.names.ledgerEntries: "ledger_entry", e.subject("parked." + e.in.Name): "parked_record"} {
		if err := e.Serde.Know(ctx, subject, schema); err != nil {
			e.log.Warn("the schema registry does not tell an id yet", "subject", subject, "err", err)
		}
	}
}

// poll hands fetched records to the loop until the engine ends. A rebalance waits for the hand-over, so records fetched
// before a revocation cannot reach the partition's next life.
func (e *engine) poll() {
	for {
		fetches := e.cl.PollRecords(e.ctx, maxPoll)
		if e.ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		for _, fe := range fetches.Errors() {
			e.fetchError(fe.Topic, fe.Partition, fe.Err)
		}
		if recs := fetches.Records(); len(recs) > 0 {
			done := make(chan struct{})
			if !e.send(evFetched{recs, done}) {
				return
			}
			select {
			case <-done:
			case <-e.ctx.Done():
				return
			}
		}
		e.cl.AllowRebalance()
	}
}

// fetchError says what stops a partition. Records lost to retention are never skipped: see lost.
func (e *engine) fetchError(topic string, partition int32, err error) {
	log := e.log.With("topic", topic, "partition", partition)
	switch {
	case errors.Is(err, context.Canceled):
	case errors.Is(err, kerr.OffsetOutOfRange):
		e.work.Go(func() { e.lookForLost(topicPartition{topic, partition}) })
	case kerr.IsRetriable(err):
		log.Debug("fetch", "err", err)
	default:
		log.Warn("fetch", "err", err)
	}
}

// report tells the worker's status when it changed, and every few seconds.
func (e *engine) report(now time.Time, force bool) {
	st := &schemas.WorkerStatus{Integration: e.in.Name, Instance: e.Instance, InFlight: int64(e.inFlight), Partitions: int64(len(e.parts)), LastSuccess: e.lastSuccess, At: now}
	e.gate.status(st)
	for _, p := range e.parts {
		if p.store != nil {
			st.Parked += int64(p.store.ParkedCount())
		}
		if p.lost != "" {
			st.State, st.CircuitWhy = "paused", p.lost
		}
	}
	if e.facts.why != "" {
		st.CircuitWhy = e.facts.why
	}
	e.gauges(now)
	changed := st.State != e.reported.State || st.Circuit != e.reported.Circuit || st.CircuitWhy != e.reported.CircuitWhy || st.Parked != e.reported.Parked
	if force || changed || now.Sub(e.reported.At) > 5*time.Second {
		e.reported = *st
		e.Report(st)
	}
}
