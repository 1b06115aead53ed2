package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clock starts with the first record of a topic that a client was given, so that joining a group is not measured.
type clock struct {
	topic string
	first atomic.Int64 // Unix nanoseconds
}

var _ kgo.HookFetchRecordBuffered = (*clock)(nil)

// OnFetchRecordBuffered starts the clock.
func (c *clock) OnFetchRecordBuffered(rec *kgo.Record) {
	if c.first.Load() == 0 && rec.Topic == c.topic {
		c.first.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// rate is records per second from the start until end.
func (c *clock) rate(records int64, end time.Time) float64 {
	return float64(records) / end.Sub(time.Unix(0, c.first.Load())).Seconds()
}

// patience bounds a measurement: who makes no headway for that long never will.
const patience = 2 * time.Minute

// committed waits until a group has committed every record of a topic, and says when that was seen; asked every 5 ms.
// since is the first commit that was seen, and how many records it covered.
func (g *ground) committed(ctx context.Context, group, topic string, total int64) (end time.Time, since sample, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last := sample{at: time.Now()}
	for {
		var sum int64
		offsets, err := g.adm.FetchOffsets(ctx, group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) && !kerr.IsRetriable(err) { // it, or on a new cluster its coordinator, is being formed
			return end, since, fmt.Errorf("committed offsets of %s: %w", group, err)
		}
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.Topic == topic {
				sum += max(o.At, 0)
			}
		})
		now := time.Now()
		if sum > last.records {
			last = sample{now, sum}
		}
		if sum > 0 && since.records == 0 {
			since = last
		}
		if sum >= total {
			return now, since, nil
		}
		if now.Sub(last.at) > patience {
			return end, since, fmt.Errorf("%s has committed %d of %d records and makes no headway", group, sum, total)
		}
		select {
		case <-ctx.Done():
			return end, since, ctx.Err()
		case <-tick.C:
		}
	}
}

// sample is how many records were committed at a time.
type sample struct {
	at      time.Time
	records int64
}

// ends is the end offset of each partition of a topic.
func (g *ground) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	list, err := g.adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = list.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	list.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

// meter reads what a worker counts.
type meter struct{ reg *prometheus.Registry }

func newMeter() *meter { return &meter{prometheus.NewRegistry()} }

// sum is a counter or gauge over all its labels.
func (m *meter) sum(name string) float64 {
	families, err := m.reg.Gather()
	if err != nil {
		return 0
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, s := range f.GetMetric() {
			total += s.GetCounter().GetValue() + s.GetGauge().GetValue()
		}
	}
	return total
}
