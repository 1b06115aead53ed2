package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadTopic hands over every record that a topic (prefix included) holds as of now, each partition's in order, tombstones too:
// also those of transactions that were aborted, or are open. options say how to reach the cluster. An error of take ends it,
// and is given with the record's place.
func ReadTopic(ctx context.Context, options []kgo.Opt, topic string, take func(*kgo.Record) error) error {
	cl, err := kgo.NewClient(append(slices.Clone(options), kgo.FetchMaxWait(250*time.Millisecond), kgo.KeepControlRecords())...) // the last offset may be a transaction's marker
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer cl.Close()
	var at map[int32]kgo.Offset
	var left map[int32]int64
	err = WhileElecting(ctx, func() (err error) {
		at, left, err = unread(ctx, kadm.NewClient(cl), topic)
		return err
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: at})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for _, fe := range fetches.Errors() {
			if !kerr.IsRetriable(fe.Err) {
				return fmt.Errorf("read %s/%d: %w", fe.Topic, fe.Partition, fe.Err)
			}
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
			if rec.Attrs.IsControl() {
				continue
			}
			if err := take(rec); err != nil {
				return fmt.Errorf("read %s/%d offset %d: %w", topic, rec.Partition, rec.Offset, err)
			}
		}
	}
	return nil
}

// unread is where every partition of a topic that holds anything starts and ends.
func unread(ctx context.Context, adm *kadm.Client, topic string) (at map[int32]kgo.Offset, left map[int32]int64, err error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	at, left = map[int32]kgo.Offset{}, map[int32]int64{}
	for p, end := range ends[topic] {
		start, _ := starts.Lookup(topic, p)
		if err := errors.Join(start.Err, end.Err); err != nil {
			return nil, nil, err
		}
		if end.Offset > start.Offset {
			at[p], left[p] = kgo.NewOffset().At(start.Offset), end.Offset
		}
	}
	return at, left, nil
}

// leaderAway is how long WhileElecting asks a leader that cannot be reached: longer than a cluster takes to notice that a broker
// died and to make another the leader.
const leaderAway = 30 * time.Second

// WhileElecting asks again while the answer is one that passes by itself, such as that a leader is being elected, until ctx ends;
// and for 30 s while a leader cannot be reached, as another may take its place. A topic that is not there does not pass.
func WhileElecting(ctx context.Context, ask func() error) error {
	for began := time.Now(); ; {
		err := ask()
		passes := kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) || unreachable(err) && time.Since(began) < leaderAway
		if err == nil || !passes {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// unreachable tells whether a request failed only at brokers that could not be reached, while it is known who they are.
func unreachable(err error) bool {
	shards, ok := errors.AsType[*kadm.ShardErrors](err)
	if !ok {
		return false
	}
	return !slices.ContainsFunc(shards.Errs, func(e kadm.ShardError) bool {
		_, dialed := errors.AsType[*net.OpError](e.Err)
		return !dialed
	})
}

// PartitionOf is the partition of a key among n, by Kafka's default partitioner (murmur2): where everything of an order lies.
func PartitionOf(key string, n int32) int32 {
	return int32(kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(&kgo.Record{Key: []byte(key)}, int(n)))
}
