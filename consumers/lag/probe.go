package lag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// wish is positions in a partition of which the first committed record before end is wanted.
type wish struct {
	from []int64
	end  int64
}

// first is the first committed record from a position on, or that there is none.
type first struct {
	none bool
	upTo int64     // of none: there is none before this
	at   time.Time // of the record
}

// prober finds the first committed records at positions. It remembers them, so that only what moved is read. It is not safe for
// concurrent use.
type prober struct {
	cl    *kgo.Client // of proberOptions
	known map[spot]map[int64]first
	reads int // positions that were read, over its life
}

// proberOptions is how a prober's client reads: committed records and the markers between them, little at a time.
func proberOptions() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.FetchMaxBytes(4 << 20), kgo.FetchMaxPartitionBytes(64 << 10), // a batch that is larger comes alone
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // retention may take what was asked for
		kgo.MetadataMinAge(100 * time.Millisecond)}        // partitions are added with the next
}

func newProber(cl *kgo.Client) *prober { return &prober{cl: cl} }

// find gives, by partition and position, the first record of wishes. What cannot be told before ctx ends is missing, and counted in
// the error.
func (p *prober) find(ctx context.Context, wishes map[spot]*wish) (map[spot]map[int64]first, error) {
	known, todo := map[spot]map[int64]first{}, map[spot]*wish{}
	for at, w := range wishes {
		known[at] = map[int64]first{}
		open := &wish{end: w.end}
		for _, from := range w.from {
			f, ok := p.known[at][from]
			if ok {
				known[at][from] = f
			}
			if !ok || f.none && f.upTo < w.end {
				open.from = append(open.from, from)
			}
		}
		if slices.Sort(open.from); len(open.from) > 0 {
			open.from = slices.Compact(open.from)
			todo[at] = open
		}
	}
	p.known = known // what nobody wants any more is forgotten
	err := p.read(ctx, todo)
	out := map[spot]map[int64]first{}
	for at, w := range wishes {
		out[at] = map[int64]first{}
		for from, f := range known[at] {
			if !f.none || f.upTo >= w.end {
				out[at][from] = f
			}
		}
	}
	return out, err
}

// read reads at every position until each has its answer.
func (p *prober) read(ctx context.Context, todo map[spot]*wish) error {
	var faults []error
	p.consume(todo)
	for len(todo) > 0 {
		fetches := p.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			faults = append(faults, fmt.Errorf("%d partitions did not give the record at a position: %w", len(todo), ctx.Err()))
			break
		}
		again, done := map[spot]*wish{}, map[spot]*wish{}
		for _, fe := range fetches.Errors() {
			if at := (spot{fe.Topic, fe.Partition}); todo[at] != nil && !kerr.IsRetriable(fe.Err) && !errors.Is(fe.Err, context.DeadlineExceeded) {
				faults = append(faults, fmt.Errorf("read %s/%d: %w", fe.Topic, fe.Partition, fe.Err))
				done[at] = todo[at]
			}
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			at := spot{rec.Topic, rec.Partition}
			w := todo[at]
			if w == nil || again[at] != nil || done[at] != nil || !p.take(at, w, rec) {
				continue
			}
			if again[at] = w; len(w.from) == 0 {
				delete(again, at)
				done[at] = w
			}
		}
		p.leave(done)
		p.leave(again)
		for at := range done {
			delete(todo, at)
		}
		p.consume(again)
	}
	p.leave(todo)
	return errors.Join(faults...)
}

// take takes in a record of a partition; true when it answers the first position of its wish, which is then taken out, with those
// that have the same answer.
func (p *prober) take(at spot, w *wish, rec *kgo.Record) bool {
	f := first{at: rec.Timestamp}
	if rec.Attrs.IsControl() {
		f = first{none: true, upTo: rec.Offset + 1}
	}
	p.known[at][w.from[0]] = f
	if f.none && f.upTo < w.end {
		return false
	}
	p.reads++
	for w.from = w.from[1:]; len(w.from) > 0 && (f.none || w.from[0] <= rec.Offset); w.from = w.from[1:] {
		p.known[at][w.from[0]] = f
	}
	return true
}

// consume begins to read partitions at the first position of their wishes, or where that was left.
func (p *prober) consume(todo map[spot]*wish) {
	at := map[string]map[int32]kgo.Offset{}
	for s, w := range todo {
		if at[s.topic] == nil {
			at[s.topic] = map[int32]kgo.Offset{}
		}
		at[s.topic][s.partition] = kgo.NewOffset().At(max(w.from[0], p.known[s][w.from[0]].upTo))
	}
	p.cl.AddConsumePartitions(at)
}

// leave ends the reading of partitions.
func (p *prober) leave(list map[spot]*wish) {
	parts := map[string][]int32{}
	for s := range list {
		parts[s.topic] = append(parts[s.topic], s.partition)
	}
	p.cl.RemoveConsumePartitions(parts)
}
