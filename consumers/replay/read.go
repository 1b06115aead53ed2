package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is records of one partition: offsets from From up to but not To.
type Span struct {
	Topic     string // prefix included
	Partition int32
	From, To  int64

	start int64 // of the log; with New
}

// Read gives the committed records of a span in order, in the pieces they come in. What retention took is left out, and so is
// what has not been written yet.
func Read(ctx context.Context, options []kgo.Opt, s Span, take func([]*kgo.Record) error) error {
	if err := read(ctx, options, s, take); err != nil {
		return fmt.Errorf("read %s/%d from %d to %d: %w", s.Topic, s.Partition, s.From, s.To, err)
	}
	return nil
}

func read(ctx context.Context, options []kgo.Opt, s Span, take func([]*kgo.Record) error) error {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, options...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.KeepControlRecords(), // the last offset may be a transaction's marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	start, end, err := bounds(ctx, kadm.NewClient(cl), s.Topic, s.Partition)
	if err != nil {
		return err
	}
	from, to := max(s.From, start), min(s.To, end)
	if from >= to {
		return nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.Topic: {s.Partition: kgo.NewOffset().At(from)}})
	for done := false; !done; {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, fe := range fetches.Errors() {
			if !kerr.IsRetriable(fe.Err) {
				return fe.Err
			}
		}
		var out []*kgo.Record
		for it := fetches.RecordIter(); !it.Done() && !done; {
			rec := it.Next()
			done = rec.Offset+1 >= to
			if rec.Offset < to && !rec.Attrs.IsControl() {
				out = append(out, rec)
			}
		}
		if len(out) > 0 {
			if err := take(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// bounds is where a partition's log starts, and its high watermark.
func bounds(ctx context.Context, adm *kadm.Client, topic string, partition int32) (start, end int64, err error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	s, ok := starts.Lookup(topic, partition)
	e, _ := ends.Lookup(topic, partition)
	if !ok {
		return 0, 0, fmt.Errorf("%s has no partition %d", topic, partition)
	}
	return s.Offset, e.Offset, errors.Join(s.Err, e.Err)
}
