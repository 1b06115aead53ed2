package bench

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// dedup compares what every event costs that makes no call: read, known or not, ledger, outcome and offset in one
// transaction. Once with events the integration does not subscribe to, whose headers are all that is needed; once with
// events it must decode and decide about, of which the duplicates are known.
func (s *suite) dedup(ctx context.Context) ([]Result, error) {
	const url = "http: {url: \"http://127.0.0.1:1/\"}\n    body: {id: event.id}\n" // nobody is called
	integrations := s.rounds("unsubscribed", "idempotency: {upsert: true}\ndeliver:\n  - on: [fraud.assessed]\n    "+url)
	for name, text := range s.rounds("withheld", "idempotency: {upsert: true}\ndeliver:\n  - on: [order.updated]\n    "+url) {
		integrations[name] = text
	}
	g, err := s.ground(ctx, integrations, nil)
	if err != nil {
		return nil, err
	}
	f := feed{events: s.Events, duplicates: true, system: "erp"} // which owns nothing: all is withheld
	total, err := g.write(ctx, f)
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	var out []Result
	for _, c := range []struct {
		name, note string
		withheld   int
	}{
		{"unsubscribed", "events known by their headers; ledger, outcome, offset in one transaction; against consume, map, outcome, one transaction per 100 ms", f.events},
		{"withheld", "events decoded and decided about, duplicates found; against the same loop, which decodes nothing", f.distinct()},
	} {
		res := Result{Case: "dedup/" + c.name, Unit: "events/s", Target: 0.5, Note: c.note}
		seam := func(ctx context.Context, round int) (float64, error) {
			name := roundName(c.name, round)
			return g.counted(ctx, &res, f, c.withheld, func(clk *clock) (time.Time, error) { return g.seamDedup(ctx, clk, name, total) })
		}
		bare := func(ctx context.Context, round int) (float64, error) {
			return g.counted(ctx, &res, f, f.distinct(), func(clk *clock) (time.Time, error) {
				return g.bareDedup(ctx, clk, fmt.Sprintf("%sbare.%s-%d", g.topo.Prefix, c.name, round), total)
			})
		}
		if err = s.compare(ctx, &res, seam, bare); err != nil {
			break
		}
		out = append(out, res)
	}
	return out, errors.Join(err, g.remove())
}

// counted runs one side, and then reads the outcomes it wrote: every distinct event must have one, and every repetition.
func (g *ground) counted(ctx context.Context, res *Result, f feed, withheld int, run func(*clock) (time.Time, error)) (float64, error) {
	topic := g.topo.TopicName(topology.TopicReconciliation)
	from, err := g.ends(ctx, topic)
	if err != nil {
		return 0, err
	}
	clk := &clock{topic: g.topo.TopicName(schemas.TopicOrders)}
	end, err := run(clk)
	if err != nil {
		return 0, err
	}
	got, err := g.outcomes(ctx, topic, from)
	if err != nil {
		return 0, err
	}
	if n := got.kinds["withheld"]; n != withheld {
		res.fault("%d events were withheld, and should have been %d", n, withheld)
	}
	if n := got.kinds["duplicate"]; n != f.events-withheld {
		res.fault("%d events were duplicates, and should have been %d", n, f.events-withheld)
	}
	if n := len(got.events); n != f.distinct() {
		res.fault("%d events have an outcome, and should have been %d", n, f.distinct())
	}
	return clk.rate(int64(f.events), end), nil
}

// seamDedup runs the worker until everything is committed.
func (g *ground) seamDedup(ctx context.Context, clk *clock, name string, total int64) (time.Time, error) {
	_, stop := g.worker(name, kgo.WithHooks(clk))
	end, _, err := g.committed(ctx, g.topo.Group(name), clk.topic, total)
	return end, errors.Join(err, stop())
}

// bareDedup is the least that does it: a map of ids out of the headers, an outcome per record, a transaction per 100 ms.
func (g *ground) bareDedup(ctx context.Context, clk *clock, group string, total int64) (time.Time, error) {
	session, err := kgo.NewGroupTransactSession(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.TransactionalID(group), kgo.ConsumeTopics(clk.topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.WithHooks(clk),
	}, g.cluster...)...)
	if err != nil {
		return time.Time{}, err
	}
	defer session.Close()
	out := g.topo.TopicName(topology.TopicReconciliation)
	seen := map[string]struct{}{}
	var failed firstError
	for done := int64(0); done < total; {
		if err := session.Begin(); err != nil {
			return time.Time{}, err
		}
		slice, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		for slice.Err() == nil && done < total {
			fetches := session.PollRecords(slice, 10_000)
			fetches.EachRecord(func(rec *kgo.Record) {
				session.Produce(ctx, bareOutcome(out, rec, seen), failed.promise)
				done++
			})
		}
		cancel()
		committed, err := session.End(ctx, kgo.TryCommit)
		if err = errors.Join(err, failed.get(), ctx.Err()); err != nil {
			return time.Time{}, err
		}
		if !committed {
			return time.Time{}, errors.New("a transaction was aborted: the loop would have to begin anew")
		}
	}
	return time.Now(), nil
}

// bareOutcome says of a record whether its id was seen before.
func bareOutcome(topic string, rec *kgo.Record, seen map[string]struct{}) *kgo.Record {
	kind, id := "withheld", ""
	for _, h := range rec.Headers {
		if h.Key == "ce_id" {
			id = string(h.Value)
		}
	}
	if _, again := seen[id]; again {
		kind = "duplicate"
	} else {
		seen[id] = struct{}{}
	}
	return &kgo.Record{Topic: topic, Partition: rec.Partition, Key: rec.Key, Value: []byte(kind), Headers: []kgo.RecordHeader{
		{Key: "ce_id", Value: []byte("bare/" + id + "/" + kind)}, {Key: "ce_type", Value: []byte("seam.outcome." + kind)}}}
}

// counts is what a stretch of the reconciliation topic holds.
type counts struct {
	kinds  map[string]int
	events map[uint64]struct{} // hashes of event ids: a million texts would be in the way of what is measured next
}

// outcomes reads the topic from the given offsets to its end.
func (g *ground) outcomes(ctx context.Context, topic string, from map[int32]int64) (counts, error) {
	got := counts{kinds: map[string]int{}, events: map[uint64]struct{}{}}
	seed := maphash.MakeSeed()
	err := g.read(ctx, topic, from, func(rec *kgo.Record) {
		var id, kind string
		for _, h := range rec.Headers {
			switch h.Key {
			case "ce_id":
				id = string(h.Value)
			case "ce_type":
				kind = string(h.Value[min(len(h.Value), len("seam.outcome.")):])
			}
		}
		got.kinds[kind]++
		got.events[maphash.String(seed, id[max(0, len(id)-len(kind)-37):max(0, len(id)-len(kind)-1)])] = struct{}{} // integration/event/kind; an event's id has 36 letters
	})
	return got, err
}

// read gives every committed record of a topic between offsets and its end as of now.
func (g *ground) read(ctx context.Context, topic string, from map[int32]int64, each func(*kgo.Record)) error {
	to, err := g.ends(ctx, topic)
	if err != nil {
		return err
	}
	parts := map[int32]kgo.Offset{}
	for p, end := range to {
		if end > from[p] {
			parts[p] = kgo.NewOffset().At(from[p])
		} else {
			delete(to, p)
		}
	}
	if len(to) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: parts})}, g.cluster...)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(to) > 0 {
		fetches := cl.PollRecords(ctx, 10_000)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset+1 >= to[rec.Partition] {
				delete(to, rec.Partition)
			}
			if !rec.Attrs.IsControl() {
				each(rec)
			}
		})
	}
	return nil
}
