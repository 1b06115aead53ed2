package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unread is what a read has before it of a partition.
type unread struct {
	next int64 // the next offset to come
	end  int64 // high watermark
}

// read gives every committed record of some partitions, each in order, from the start up to the high watermark as of now.
// left is how many offsets gave nothing for quietWait: records of open transactions, or what compaction took at the end.
func (c ReadConfig) read(ctx context.Context, adm *kadm.Client, from map[string][]int32, take func(*kgo.Record) error) (left int64, err error) {
	todo, err := spans(ctx, adm, from)
	if err != nil || len(todo) == 0 {
		return 0, err
	}
	cl, err := c.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumePartitions(offsetsOf(todo)), kgo.FetchMaxWait(fetchWait))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	quiet := time.Now().Add(quietWait)
	for len(todo) > 0 && time.Now().Before(quiet) {
		fetches, err := poll(ctx, cl, quiet)
		if err != nil {
			return 0, err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			quiet = time.Now().Add(quietWait)
			p := place{rec.Topic, rec.Partition}
			u := todo[p]
			if u == nil || rec.Offset >= u.end {
				delete(todo, p)
				continue
			}
			if !rec.Attrs.IsControl() {
				if err := take(rec); err != nil {
					return 0, err
				}
			}
			if u.next = rec.Offset + 1; u.next >= u.end {
				delete(todo, p)
			}
		}
	}
	if len(todo) > 0 { // is it quiet, or is nobody there?
		if err := cl.Ping(ctx); err != nil {
			return 0, fmt.Errorf("read %d partitions: %w", len(todo), err)
		}
	}
	for _, u := range todo {
		left += u.end - u.next
	}
	return left, nil
}

// offsetsOf is where to start reading.
func offsetsOf(todo map[place]*unread) map[string]map[int32]kgo.Offset {
	out := map[string]map[int32]kgo.Offset{}
	for p, u := range todo {
		if out[p.topic] == nil {
			out[p.topic] = map[int32]kgo.Offset{}
		}
		out[p.topic][p.partition] = kgo.NewOffset().At(u.next)
	}
	return out
}

// poll waits for records until a time. An error is one that does not mend itself, or ctx's.
func poll(ctx context.Context, cl *kgo.Client, until time.Time) (kgo.Fetches, error) {
	short, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	fetches := cl.PollFetches(short)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, fe := range fetches.Errors() {
		if !kerr.IsRetriable(fe.Err) && !errors.Is(fe.Err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("read %s/%d: %w", fe.Topic, fe.Partition, fe.Err)
		}
	}
	return fetches, nil
}

// spans is what there is to read of each partition that is not empty.
func spans(ctx context.Context, adm *kadm.Client, from map[string][]int32) (map[place]*unread, error) {
	topics := make([]string, 0, len(from))
	for topic := range from {
		topics = append(topics, topic)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	out := map[place]*unread{}
	for topic, partitions := range from {
		for _, p := range partitions {
			start, _ := starts.Lookup(topic, p)
			end, ok := ends.Lookup(topic, p)
			if !ok {
				return nil, fmt.Errorf("%s has no partition %d: all topics must have as many as the event topics (seam plan shows it)", topic, p)
			}
			if err := errors.Join(start.Err, end.Err); err != nil {
				return nil, fmt.Errorf("offsets of %s/%d: %w", topic, p, err)
			}
			if end.Offset > start.Offset {
				out[place{topic, p}] = &unread{start.Offset, end.Offset}
			}
		}
	}
	return out, nil
}
