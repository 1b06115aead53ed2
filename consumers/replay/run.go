package replay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Run is a replay that was asked for, and what came of it as far as it is known.
type Run struct {
	ID       string         `json:"id"`
	Asked    int            `json:"asked"` // decisions: partitions to read, or events to deliver again
	Done     int            `json:"done"`
	Read     int64          `json:"read,omitempty"`     // records
	Finished int64          `json:"finished,omitempty"` // of Read: the ledger knew them, nothing was done
	Beyond   int64          `json:"beyond,omitempty"`   // of Read: older than the ledger remembers, nothing was done
	Handled  int64          `json:"handled,omitempty"`  // of Read: handled as any event
	Called   int            `json:"called,omitempty"`   // of what was delivered again: a call was made
	Outcomes map[string]int `json:"outcomes,omitempty"` // of what was delivered again: kind/reason

	since time.Time
	plan  *Plan
}

// Execute writes a plan's decisions to the topic of commands: the workers take them in, now or when they start. Who and why are
// recorded with each, and in the outcomes that follow.
func Execute(ctx context.Context, r Request, p *Plan, who, why string) (*Run, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, r.Options...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	run := &Run{ID: uuid.NewString()[:8], since: time.Now(), plan: p}
	var decisions []schemas.Command
	var partitions []int32
	if p.Redeliver {
		for _, c := range p.chosen {
			decisions = append(decisions, schemas.Command{Kind: schemas.Redeliver, Topic: c.topic, Key: c.key, EventID: c.event, From: c.offset, To: c.offset + 1, Even: r.Choice.Even})
			partitions = append(partitions, c.partition)
		}
	} else {
		for _, part := range p.Partitions {
			if part.From < part.To {
				decisions = append(decisions, schemas.Command{Kind: schemas.Reread, Topic: part.Topic, Key: p.Integration, From: part.From, To: part.To})
				partitions = append(partitions, part.Partition)
			}
		}
	}
	topic := r.Topology.TopicName(topology.TopicCommands)
	var records []*kgo.Record
	for i, d := range decisions {
		d.ID, d.Integration, d.Replay, d.Who, d.Why, d.At = uuid.NewString(), p.Integration, run.ID, who, why, time.Now().UTC()
		value, err := r.Serde.EncodeCommand(ctx, topic+"-value", &d)
		if err != nil {
			return nil, err
		}
		records = append(records, &kgo.Record{Topic: topic, Partition: partitions[i], Key: []byte(d.Key), Value: value})
	}
	run.Asked = len(records)
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return run, fmt.Errorf("replay %s: not every decision was written, and those that were are carried out: %w", run.ID, err)
	}
	return run, nil
}

// Wait follows a run until everything that was asked for has come to an end or waits for something, or until ctx ends. told
// hears of each step; nil for nobody.
func (run *Run) Wait(ctx context.Context, r Request, told func(Run)) error {
	if err := run.wait(ctx, r, told); err != nil {
		return fmt.Errorf("wait for replay %s, %d of %d done: %w", run.ID, run.Done, run.Asked, err)
	}
	return nil
}

func (run *Run) wait(ctx context.Context, r Request, told func(Run)) error {
	if run.Asked == 0 {
		return nil
	}
	topic, take := r.Topology.Ledger(run.plan.Integration), run.readings(r)
	if run.plan.Redeliver {
		topic, take = r.Topology.TopicName(topology.TopicReconciliation), run.outcomes(r)
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, r.Options...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AfterMilli(run.since.Add(-time.Minute).UnixMilli())))...) // clocks differ
	if err != nil {
		return err
	}
	defer cl.Close()
	for run.Done < run.Asked {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if err := take(ctx, it.Next()); err != nil {
				return err
			}
		}
		if told != nil {
			told(*run)
		}
	}
	return nil
}

// readings takes in what came of reading each partition, as the ledger has it.
func (run *Run) readings(r Request) func(context.Context, *kgo.Record) error {
	read := map[string]*schemas.ReadAgain{}
	return func(ctx context.Context, rec *kgo.Record) error {
		if !strings.HasSuffix(string(rec.Key), ledger.PartitionKey) || rec.Value == nil {
			return nil
		}
		entry, err := r.Serde.DecodeLedgerEntry(ctx, rec.Value)
		if err != nil {
			return fmt.Errorf("ledger entry of a partition: %w", err)
		}
		if entry.ReadAgain == nil || entry.ReadAgain.ID != run.ID {
			return nil
		}
		read[fmt.Sprintf("%s/%d", entry.Topic, rec.Partition)] = entry.ReadAgain
		run.Done, run.Read, run.Finished, run.Beyond, run.Handled = len(read), 0, 0, 0, 0
		for _, did := range read {
			run.Read, run.Finished, run.Beyond, run.Handled = run.Read+did.Read, run.Finished+did.Finished, run.Beyond+did.Beyond, run.Handled+did.Handled
		}
		return nil
	}
}

// outcomes takes in what becomes of the events that are delivered again.
func (run *Run) outcomes(r Request) func(context.Context, *kgo.Record) error {
	last := map[chosen]*schemas.Outcome{}
	run.Outcomes = map[string]int{}
	return func(ctx context.Context, rec *kgo.Record) error {
		o, err := r.Serde.DecodeOutcome(ctx, rec.Value)
		if err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
		if o.Replay != nil && o.Replay.ID == run.ID && o.Integration == run.plan.Integration {
			at := chosen{o.Topic, o.Partition, o.Offset, o.OrderID, o.EventID}
			run.count(last[at], -1)
			last[at] = o
			run.count(o, 1)
		}
		return nil
	}
}

// count takes an outcome in, or with -1 out again. One that says that the event is under way does not count, nor does nil.
func (run *Run) count(o *schemas.Outcome, by int) {
	if o == nil || o.Kind == schemas.Parked && o.Reason == schemas.ReasonReplay {
		return
	}
	what := string(o.Kind)
	if o.Reason != "" {
		what += "/" + string(o.Reason)
	}
	run.Done += by
	if run.Outcomes[what] += by; run.Outcomes[what] == 0 {
		delete(run.Outcomes, what)
	}
	if len(o.Attempts) > 0 {
		run.Called += by
	}
}
