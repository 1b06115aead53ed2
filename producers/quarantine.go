package producers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Quarantine reads everything that is kept in quarantine as of now, oldest first. options say how to reach the cluster. The
// topic's retention ends it (90 days by default); a delivery that was quarantined twice is given once, as it was last.
func Quarantine(ctx context.Context, options []kgo.Opt, serde *schemas.Serde, topo *topology.Topology) ([]*schemas.Quarantined, error) {
	topic := topo.TopicName(topology.TopicQuarantine)
	cl, err := kgo.NewClient(append(slices.Clone(options), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	defer cl.Close()
	left, err := unread(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	byID := map[schemas.EventID]*schemas.Quarantined{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, fe := range fetches.Errors() {
			if !kerr.IsRetriable(fe.Err) {
				return nil, fmt.Errorf("read %s/%d: %w", fe.Topic, fe.Partition, fe.Err)
			}
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			q, err := serde.DecodeQuarantined(ctx, rec.Value)
			if err != nil {
				return nil, fmt.Errorf("read %s/%d offset %d: %w", topic, rec.Partition, rec.Offset, err)
			}
			byID[q.ID] = q
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		}
	}
	out := make([]*schemas.Quarantined, 0, len(byID))
	for _, q := range byID {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *schemas.Quarantined) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return out, nil
}

// unread is the end of every partition of a topic that holds anything.
func unread(ctx context.Context, adm *kadm.Client, topic string) (map[int32]int64, error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	for p, end := range ends[topic] {
		if end.Err != nil {
			return nil, end.Err
		}
		if start, ok := starts.Lookup(topic, p); ok && end.Offset > start.Offset {
			left[p] = end.Offset
		}
	}
	return left, nil
}
