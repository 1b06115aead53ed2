package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// FollowConfig says what to follow.
type FollowConfig struct {
	Options  []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Serde    *schemas.Serde
	Topology *topology.Topology
	View     *View
	// Tell publishes what becomes of disagreements to their topic.
	Tell   bool
	Keys   Keys         // destroys the keys of what is redacted; nil leaves that to another process
	Logger *slog.Logger // default: nowhere
	// Beat is told each time the loop goes round, and false when it waits for what is not its own to say when. Nil for nobody.
	Beat func(runs bool)
}

const (
	checkEvery  = time.Second            // how often the topics' ends are asked for
	checkLimit  = 5 * time.Second        // of one such question
	countEvery  = 15 * time.Second       // how often what is open is counted
	judgeEvery  = time.Second            // how often silence is judged
	judgeMost   = 5000                   // keys, before what came is taken in again: after a change of rules all are judged
	maxPoll     = 2000                   // records in one transaction of the view
	fetchWait   = 250 * time.Millisecond // a quiet broker's answer; what is new comes at once
	registryTry = time.Second            // between two tries while registry, database or brokers are away
)

// Follow reads the event topics and the reconciliation topic from where the view is and keeps it current until ctx ends;
// then it gives nil. Brokers, registry and database may come and go meanwhile: the view says how far behind it is. While
// another process writes the view it waits to take over. It fails only on options that make no client.
func Follow(ctx context.Context, c FollowConfig) error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Beat == nil {
		c.Beat = func(bool) {}
	}
	cl, err := kgo.NewClient(c.Options...)
	if err != nil {
		return fmt.Errorf("follow %v: %w", followed(c.Topology), err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	beside.Go(func() { c.check(ctx, adm) })
	beside.Go(func() { c.count(ctx) })
	defer func() { cancel(); beside.Wait() }()
	waits := false
	for ctx.Err() == nil {
		c.Beat(false) // to begin waits for Kafka and the database
		err := c.write(ctx, adm)
		c.Beat(false)
		if follows := errors.Is(err, errFollower); ctx.Err() == nil && !(follows && waits) {
			c.Logger.Warn("the view is not written by this process for now", "err", err)
			waits = follows
		}
		select {
		case <-ctx.Done():
		case <-time.After(registryTry):
		}
	}
	return nil
}

// followed is the topics of the view, prefix included.
func followed(t *topology.Topology) []string {
	return []string{t.TopicName(schemas.TopicOrders), t.TopicName(schemas.TopicCustomers), t.TopicName(schemas.TopicInventory), t.TopicName(topology.TopicReconciliation),
		t.TopicName(topology.TopicCommands)}
}

// write makes this process the writer and takes in what comes, until another is or something fails.
func (c *FollowConfig) write(ctx context.Context, adm *kadm.Client) error {
	v := c.View
	details, err := adm.ListTopics(ctx, followed(c.Topology)...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	if err := details.Error(); err != nil {
		return err
	}
	ids := map[string]string{}
	for _, d := range details {
		ids[d.Topic] = d.ID.String()
	}
	if err := v.begin(ctx, ids); err != nil {
		return err
	}
	at := map[string]map[int32]kgo.Offset{}
	for _, d := range details {
		at[d.Topic] = map[int32]kgo.Offset{}
		for p := range d.Partitions {
			at[d.Topic][p] = kgo.NewOffset().At(v.reached(place{d.Topic, p}))
		}
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Options...),
		kgo.ConsumePartitions(at),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what retention took is counted by check
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is nearly always a transaction's marker
		kgo.FetchMaxWait(fetchWait),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	defer func() {
		if err := v.release(context.WithoutCancel(ctx)); err != nil {
			c.Logger.Warn("another process must wait before it can write the view", "err", err)
		}
	}()
	tell, err := c.teller()
	if err != nil {
		return err
	}
	defer tell.close()
	erase := &eraser{c: c}
	for judged := time.Now(); ; {
		c.Beat(true)
		short, cancel := context.WithTimeout(ctx, judgeEvery)
		fetches := cl.PollRecords(short, maxPoll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, fe := range fetches.Errors() {
			if !errors.Is(fe.Err, context.DeadlineExceeded) {
				c.Logger.Warn("fetch", "topic", fe.Topic, "partition", fe.Partition, "err", fe.Err)
			}
		}
		recs := fetches.Records()
		if err := c.apply(ctx, recs); err != nil {
			return err
		}
		c.Logger.Debug("taken into the view", "records", len(recs))
		v.progress()
		if time.Since(judged) >= judgeEvery {
			judged = time.Now()
			if _, err := v.judge(ctx, judgeMost); err != nil {
				return err
			}
			c.Beat(true)
			if err := tell.all(ctx, v); errors.Is(err, errFollower) {
				return err
			} else if err != nil {
				c.Logger.Warn("what changed of disagreements is told later", "err", err)
			}
			c.Beat(false) // an erasure goes through whole topics
			if err := erase.all(ctx); errors.Is(err, errFollower) {
				return err
			} else if err != nil {
				c.Logger.Warn("what is redacted is erased later", "err", err)
			}
		}
	}
}

// apply offers records until they are taken: while the registry is away it waits.
func (c *FollowConfig) apply(ctx context.Context, recs []*kgo.Record) error {
	for {
		err := c.View.Apply(ctx, c.Serde, recs...)
		if err == nil || !errors.Is(err, schemas.ErrRegistry) {
			return err
		}
		c.Logger.Warn("the view waits for the schema registry", "err", err)
		c.Beat(true)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(registryTry):
		}
	}
}

// begin makes this process the writer, reads how far the view is, and empties a view of topics that were made anew.
func (v *View) begin(ctx context.Context, ids map[string]string) error {
	v.writer.Lock()
	err := v.transact(ctx, func(*sql.Tx) error { return nil })
	v.forget() // another may have written
	err = errors.Join(err, v.knowErased(ctx))
	v.writer.Unlock()
	if err != nil {
		return err
	}
	old := []string{}
	for topic, id := range ids {
		n := 0
		err := v.db.QueryRowContext(ctx, v.db.bind("SELECT count(*) FROM offsets WHERE topic = ? AND topic_id <> ?"), topic, id).Scan(&n)
		if err != nil {
			return err
		}
		if n > 0 {
			old = append(old, topic)
		}
	}
	v.mu.Lock()
	v.topicIDs = ids
	v.mu.Unlock()
	if len(old) > 0 {
		v.log.Warn("topics were made anew, so the view is", "topics", old)
		return v.Reset(ctx)
	}
	return v.position(ctx)
}

// reached is the offset after the last record of a partition that the view has.
func (v *View) reached(p place) int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.next[p]
}

// check asks for the topics' ends, every so often and whenever CaughtUp wants to know.
func (c *FollowConfig) check(ctx context.Context, adm *kadm.Client) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		var a ask
		select {
		case <-ctx.Done():
			return
		case a = <-c.View.asks:
		case <-tick.C:
		}
		asked := c.View.now().UTC()
		starts, ends, err := bounds(ctx, adm, c.Topology)
		if err == nil && !c.View.leads() {
			err = c.View.position(ctx) // another moves it
		}
		if err != nil {
			if ctx.Err() == nil {
				c.Logger.Warn("how far the view is, is not known", "err", err)
			}
			ends = nil
		} else {
			c.View.checked(starts, ends, asked)
		}
		if a.reply != nil {
			a.reply <- ends // buffered
		}
	}
}

// count counts what is open, at once and every so often, until ctx ends. The view may be another process's to write.
func (c *FollowConfig) count(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		if err := c.View.count(ctx); err != nil && ctx.Err() == nil {
			c.Logger.Warn("what is open is not counted", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// bounds is where the followed topics start and end now (high watermarks).
func bounds(ctx context.Context, adm *kadm.Client, t *topology.Topology) (starts, ends map[place]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	list := func(ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[place]int64, error) {
		listed, err := ask(ctx, followed(t)...)
		if err != nil {
			return nil, err
		}
		out := map[place]int64{}
		listed.Each(func(o kadm.ListedOffset) {
			if o.Err != nil {
				err = errors.Join(err, fmt.Errorf("%s/%d: %w", o.Topic, o.Partition, o.Err))
				return
			}
			out[place{o.Topic, o.Partition}] = o.Offset
		})
		return out, err
	}
	if starts, err = list(adm.ListStartOffsets); err != nil {
		return nil, nil, err
	}
	ends, err = list(adm.ListEndOffsets)
	return starts, ends, err
}

// checked takes note of the topics' bounds at a time: what lies before a start can be read no more.
func (v *View) checked(starts, ends map[place]int64, at time.Time) {
	v.mu.Lock()
	v.starts, v.ends, v.fresh.CheckedAt = starts, ends, at
	for p, start := range starts {
		if next := v.next[p]; next > 0 && next < start {
			v.log.Error("retention took records that the view had not read", "topic", p.topic, "partition", p.partition, "from", next, "to", start)
		}
	}
	v.mu.Unlock()
	v.progress()
}

// measure is how far behind the view is now. The caller holds the lock.
func (v *View) measure() Freshness {
	f := v.fresh
	if v.ends != nil {
		f.BehindRecords = v.behind(v.ends)
	}
	if f.BehindRecords == 0 {
		f.CaughtUpAt = f.CheckedAt
	}
	return f
}

// behind is how many records before the ends are not in the view. The caller holds the lock.
func (v *View) behind(ends map[place]int64) int64 {
	var n int64
	for p, end := range ends {
		n += max(0, end-max(v.next[p], v.starts[p]))
	}
	return n
}

// progress measures anew how far behind the view is, and wakes those who wait in CaughtUp.
func (v *View) progress() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fresh = v.measure()
	close(v.moved)
	v.moved = make(chan struct{})
}

// CaughtUp waits until the view holds everything that was in the topics when it was called, or ctx ends. It needs a Follow
// that runs.
func (v *View) CaughtUp(ctx context.Context) error {
	ends, err := v.askEnds(ctx)
	if err != nil {
		return err
	}
	for {
		v.mu.RLock()
		moved, behind := v.moved, v.behind(ends)
		v.mu.RUnlock()
		if behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d records behind: %w", behind, ctx.Err())
		case <-moved:
		}
	}
}

// askEnds asks Follow for the ends of the topics until it knows them.
func (v *View) askEnds(ctx context.Context) (map[place]int64, error) {
	for {
		a := ask{make(chan map[place]int64, 1)}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("ask for the ends of the topics: %w", ctx.Err())
		case v.asks <- a:
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("ask for the ends of the topics: %w", ctx.Err())
		case ends := <-a.reply:
			if ends != nil {
				return ends, nil
			}
		}
		select { // the brokers are away
		case <-ctx.Done():
		case <-time.After(checkEvery):
		}
	}
}
