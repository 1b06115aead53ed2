package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/topology"
)

// spans is what to read of each partition, by topic and partition, and the topics' ids.
func (r Request) spans(ctx context.Context, adm *kadm.Client) ([]Span, map[string][16]byte, error) {
	topics, err := r.topics()
	if err != nil {
		return nil, nil, err
	}
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, nil, fmt.Errorf("list topics: %w", err)
	}
	group := r.Topology.Group(r.Integration.Name)
	var committed kadm.OffsetResponses
	err = topology.WhileElecting(ctx, func() (err error) { // a new cluster makes its coordinator at the first question
		committed, err = adm.FetchOffsetsForTopics(ctx, group, topics...)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, nil, fmt.Errorf("list start offsets: %w", err)
	}
	var at kadm.ListedOffsets
	if !r.Back.Datetime.IsZero() {
		if at, err = adm.ListOffsetsAfterMilli(ctx, r.Back.Datetime.UnixMilli(), topics...); err != nil {
			return nil, nil, fmt.Errorf("list offsets of %s: %w", r.Back.Datetime, err)
		}
	}
	var out []Span
	ids := map[string][16]byte{}
	for _, topic := range topics {
		d := details[topic]
		if d.Err != nil {
			return nil, nil, fmt.Errorf("topic %s: %w", topic, d.Err)
		}
		ids[topic] = d.ID
		meant := r.Places[strings.TrimPrefix(topic, r.Topology.Prefix)]
		for _, n := range meant {
			if _, ok := d.Partitions[n]; !ok {
				return nil, nil, fmt.Errorf("topic %s has no partition %d", topic, n)
			}
		}
		for _, part := range d.Partitions.Sorted() {
			if len(meant) > 0 && !slices.Contains(meant, part.Partition) {
				continue
			}
			start, _ := starts.Lookup(topic, part.Partition)
			to, ok := committed.Lookup(topic, part.Partition)
			then, _ := at.Lookup(topic, part.Partition)
			if err := errors.Join(start.Err, to.Err, then.Err, part.Err); err != nil {
				return nil, nil, fmt.Errorf("offsets of %s/%d: %w", topic, part.Partition, err)
			}
			if !ok || to.At < 0 {
				to.At = start.Offset // nothing was read yet
			}
			from, err := r.from(topic, part.Partition, start.Offset, to.At, then.Offset)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, Span{Topic: topic, Partition: part.Partition, From: from, To: max(from, to.At), start: start.Offset})
		}
	}
	return out, ids, nil
}

// topics is the topics that are meant, with prefix.
func (r Request) topics() ([]string, error) {
	all := r.Topology.InputTopics(r.Integration)
	if len(r.Places) == 0 {
		return all, nil
	}
	var out []string
	for _, topic := range all {
		if _, ok := r.Places[strings.TrimPrefix(topic, r.Topology.Prefix)]; ok {
			out = append(out, topic)
		}
	}
	if len(out) < len(r.Places) {
		return nil, fmt.Errorf("%s does not read every topic that is named: it reads %s", r.Integration.Name, strings.Join(all, ", "))
	}
	return out, nil
}

// from is where to go back to in a partition whose log starts at an offset and whose group has committed another; then is the
// first offset of the time that is asked for, if one is.
func (r Request) from(topic string, partition int32, start, committed, then int64) (int64, error) {
	back := func(offset int64) (int64, error) {
		if offset < start {
			return 0, &Refusal{fmt.Sprintf("%s/%d begins at offset %d, and %d is asked for: what was before is gone from Kafka", topic, partition, start, offset), "--to-earliest goes back as far as there is anything"}
		}
		if offset > committed {
			return 0, &Refusal{fmt.Sprintf("%s/%d is read up to offset %d, and %d is asked for: a replay goes back, and skips nothing", topic, partition, committed, offset), "ask for less"}
		}
		return offset, nil
	}
	switch b := r.Back; {
	case b.Earliest:
		return min(start, committed), nil
	case b.Offset != nil:
		return back(*b.Offset)
	case b.Shift != nil:
		return back(committed + *b.Shift)
	case !b.Datetime.IsZero():
		if then < 0 { // nothing is as young
			then = committed
		}
		return min(then, committed), nil
	}
	return 0, errors.New("where to go back to is not said")
}

// tooOld refuses a range by its first record: one that is older than the ledger remembers, or younger than what is asked for, as
// there is nothing else any more.
func (w *walk) tooOld(offset int64, written time.Time) error {
	where := fmt.Sprintf("%s/%d offset %d", w.span.Topic, w.span.Partition, offset)
	if at := w.Back.Datetime; !at.IsZero() && w.span.start > 0 && w.span.From == w.span.start && written.After(at) {
		return &Refusal{fmt.Sprintf("%s is asked for, and the log begins with %s of %s: what was before is gone from Kafka", stamp(at), where, stamp(written)), "--to-earliest goes back as far as there is anything"}
	}
	if !written.Before(w.plan.Since) || w.Choice != nil && len(w.Choice.Orders) > 0 {
		return nil
	}
	mend := "go back less (--to-datetime " + stamp(w.plan.Since.Add(time.Second)) + "), or name orders to deliver again whatever was done (--redeliver --order ID)"
	return &Refusal{fmt.Sprintf("the ledger of %s remembers %s, since %s; %s is of %s, and what was done for it may be forgotten", w.Integration.Name, w.plan.Remembers, stamp(w.plan.Since), where, stamp(written)), mend}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
