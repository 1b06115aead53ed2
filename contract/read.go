package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ReadConfig says where to read: nothing but brokers and a registry is needed, no Seam has to run.
type ReadConfig struct {
	Options  []kgo.Opt // how to reach the cluster
	Serde    *schemas.Serde
	Topology *topology.Topology
}

// ReadAll is what every process has seen, joined, by subject, as of now. A cluster without the topic is kerr.UnknownTopicOrPartition.
func ReadAll(ctx context.Context, c ReadConfig) (map[string]*schemas.Contract, error) {
	records, err := c.records(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]*schemas.Contract{}
	for _, r := range records {
		out[r.Subject] = Join(out[r.Subject], r)
	}
	return out, nil
}

// records is the newest record of every key.
func (c ReadConfig) records(ctx context.Context) (map[string]*schemas.Contract, error) {
	topic := c.Topology.TopicName(topology.TopicContracts)
	opts := append(slices.Clone(c.Options), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250*time.Millisecond))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	defer cl.Close()
	var left map[int32]int64
	err = topology.WhileElecting(ctx, func() (err error) {
		left, err = unread(ctx, kadm.NewClient(cl), topic)
		return err
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("read %s: %w; seam apply creates it", topic, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	newest := map[string]*schemas.Contract{}
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
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
			if rec.Value == nil {
				delete(newest, string(rec.Key))
				continue
			}
			if newest[string(rec.Key)], err = c.Serde.DecodeContract(ctx, rec.Value); err != nil {
				return nil, fmt.Errorf("read %s/%d offset %d: %w", topic, rec.Partition, rec.Offset, err)
			}
		}
	}
	return newest, nil
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
