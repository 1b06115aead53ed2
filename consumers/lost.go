package consumers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// evLost says that the records of a partition before to, and from on, are gone from Kafka and were never read.
type evLost struct {
	tp       topicPartition
	from, to int64
}

// lookForLost finds which records a partition lacks that Kafka has nothing for at the group's offset, and tells the loop.
func (e *engine) lookForLost(tp topicPartition) {
	adm := kadm.NewClient(e.cl)
	for {
		from, _, err := e.position(e.ctx, tp)
		starts, startErr := adm.ListStartOffsets(e.ctx, tp.topic)
		start, _ := starts.Lookup(tp.topic, tp.partition)
		if err = errors.Join(err, startErr, start.Err); err == nil {
			e.send(evLost{tp, from, start.Offset})
			return
		}
		e.log.Warn("records were lost to retention, and how many cannot be told yet", "topic", tp.topic, "partition", tp.partition, "err", err)
		if sleep(e.ctx, time.Second) != nil {
			return
		}
	}
}

// sleep waits, or gives the reason why ctx ended before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// lost stops a partition whose next records retention took before they were read: nobody can tell what they asked for, so
// that a person must decide, and resets the group's offset when he has. What was read before goes on.
func (e *engine) lost(ev evLost) {
	p := e.parts[ev.tp]
	if p == nil || p.lost != "" {
		return
	}
	from := max(ev.from, p.offsets.next)
	p.lost = fmt.Sprintf("records %d to %d of %s/%d were lost to retention before they were read: the partition stops until the offset of group %s is reset",
		from, ev.to-1, ev.tp.topic, ev.tp.partition, e.Topology.Group(e.in.Name))
	e.Metrics.lost.WithLabelValues(e.in.Name, ev.tp.topic, strconv.Itoa(int(ev.tp.partition))).Set(float64(max(0, ev.to-from)))
	e.log.Error("records were lost to retention: the partition stops", "team", e.in.Team, "topic", ev.tp.topic, "partition", ev.tp.partition, "from", from, "to", ev.to-1)
	e.report(e.Now(), true)
}
