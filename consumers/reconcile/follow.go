package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	Logger   *slog.Logger // default: nowhere
}

const (
	checkEvery  = time.Second            // how often the topics' ends are asked for
	checkLimit  = 5 * time.Second        // of one such question
	maxPoll     = 2000                   // records between two looks at ctx
	fetchWait   = 250 * time.Millisecond // a quiet broker's answer; what is new comes at once
	registryTry = time.Second            // between two tries while the registry is away
)

// Follow reads the event topics and the reconciliation topic from their start and keeps the view current until ctx ends;
// then it gives nil. Brokers and registry may come and go meanwhile: the view says how far behind it is. It fails only on
// options that make no client.
func Follow(ctx context.Context, c FollowConfig) error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Options...),
		kgo.ConsumeTopics(followed(c.Topology)...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is nearly always a transaction's marker
		kgo.FetchMaxWait(fetchWait),
	)...)
	if err != nil {
		return fmt.Errorf("follow %v: %w", followed(c.Topology), err)
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	checked := make(chan struct{})
	go func() { defer close(checked); c.check(ctx, kadm.NewClient(cl)) }()
	defer func() { cancel(); <-checked }()
	for {
		fetches := cl.PollRecords(ctx, maxPoll)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		for _, fe := range fetches.Errors() {
			c.Logger.Warn("fetch", "topic", fe.Topic, "partition", fe.Partition, "err", fe.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := c.apply(ctx, it.Next()); err != nil {
				return nil // ctx ended
			}
		}
		c.View.progress()
	}
}

// followed is the topics of the view, prefix included.
func followed(t *topology.Topology) []string {
	return []string{t.TopicName(schemas.TopicOrders), t.TopicName(schemas.TopicCustomers), t.TopicName(schemas.TopicInventory), t.TopicName(topology.TopicReconciliation)}
}

// apply offers a record until it is taken or ctx ends.
func (c *FollowConfig) apply(ctx context.Context, rec *kgo.Record) error {
	for {
		err := c.View.Apply(ctx, c.Serde, rec)
		if err == nil {
			return nil
		}
		c.Logger.Warn("the view waits for the schema registry", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(registryTry):
		}
	}
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
		starts, ends, err := bounds(ctx, adm, c.Topology)
		if err != nil {
			if ctx.Err() == nil {
				c.Logger.Warn("the ends of the topics are not known", "err", err)
			}
			ends = nil
		} else {
			c.View.checked(starts, ends)
		}
		if a.reply != nil {
			a.reply <- ends // buffered
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

// checked takes note of the topics' bounds: what lies before a start can be read no more.
func (v *View) checked(starts, ends map[place]int64) {
	v.mu.Lock()
	v.starts, v.ends, v.fresh.CheckedAt = starts, ends, v.now().UTC()
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
