package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
)

// History is what the topics hold of one key, and what one integration's ledger knows of it.
type History struct {
	Topic  string // event topic of the key, without the prefix
	Events []Told // in the order of the topic
	// Entry is the integration's ledger entry; nil when it has none.
	Entry *schemas.LedgerEntry
	// Parked are the key's events that wait in the integration, by offset.
	Parked []*schemas.ParkedRecord
	// Unread counts offsets that open transactions hold back.
	Unread int64
}

// Told is one event of a History.
type Told struct {
	Event       *schemas.Event // nil when its bytes cannot be read
	Position    Position
	TraceParent string
	Unreadable  string // why
}

// ReadHistory reads the events of a key, and what an integration's ledger and parked topics hold of it, up to their ends as of
// now. It joins no group, fences nobody and writes nothing. The key is one that View.Order takes. ErrNotFound when no event
// topic knows it. A ledger or parked topic that does not exist yet holds nothing.
func ReadHistory(ctx context.Context, c ReadConfig, integration, key string) (*History, error) {
	h, err := c.history(ctx, integration, key)
	if err != nil {
		return nil, fmt.Errorf("order %s: %w", key, err)
	}
	return h, nil
}

func (c ReadConfig) history(ctx context.Context, integration, key string) (*History, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	wanted := subjects(key)
	all := map[subject]*History{}
	topics := []string{}
	for _, s := range wanted {
		all[s] = &History{Topic: s.topic}
		topics = append(topics, c.Topology.TopicName(s.topic))
	}
	counts, err := partitionsOf(ctx, adm, topics)
	if err != nil {
		return nil, err
	}
	ledger, parked := c.Topology.Ledger(integration), c.Topology.Parked(integration)
	own, err := adm.ListTopics(ctx, ledger, parked)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range []string{ledger, parked} {
		if d, ok := own[topic]; ok && d.Err == nil {
			counts[topic] = int32(len(d.Partitions))
		}
	}
	from := map[string][]int32{}
	for topic, n := range counts {
		for _, s := range wanted {
			if p := c.partition(s.key, n); !contains(from[topic], p) {
				from[topic] = append(from[topic], p)
			}
		}
	}
	waits := map[string]*schemas.ParkedRecord{}
	left, err := c.read(ctx, adm, from, func(rec *kgo.Record) error {
		switch rec.Topic {
		case ledger:
			return c.collectEntry(ctx, rec, all)
		case parked:
			return c.collectParked(ctx, rec, waits, func(string) bool { return true })
		}
		return c.collectTold(ctx, rec, all)
	})
	if err != nil {
		return nil, err
	}
	for _, p := range waits {
		if h := all[subject{cmp.Or(p.Topic, p.EventType.Topic()), p.Key}]; h != nil {
			h.Parked = append(h.Parked, p)
		}
	}
	for _, s := range wanted {
		if h := all[s]; len(h.Events) > 0 {
			slices.SortFunc(h.Parked, func(a, b *schemas.ParkedRecord) int { return cmp.Compare(a.Offset, b.Offset) })
			h.Unread = left
			return h, nil
		}
	}
	return nil, ErrNotFound
}

// collectTold takes in a record of an event topic.
func (c ReadConfig) collectTold(ctx context.Context, rec *kgo.Record, all map[subject]*History) error {
	h := all[subject{strings.TrimPrefix(rec.Topic, c.Topology.Prefix), string(rec.Key)}]
	if h == nil || rec.Value == nil {
		return nil
	}
	told := Told{Position: Position{rec.Partition, rec.Offset}}
	if env, ok := schemas.EnvelopeOf(rec.Headers); ok {
		told.TraceParent = env.TraceParent
	}
	var err error
	if told.Event, err = c.Serde.DecodeEvent(ctx, rec.Value); err != nil {
		if !errors.Is(err, schemas.ErrPoison) && !errors.Is(err, schemas.ErrUnknownSchema) {
			return fmt.Errorf("read %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		told.Event, told.Unreadable = nil, err.Error()
	}
	h.Events = append(h.Events, told)
	return nil
}

// collectEntry takes in a record of a ledger topic; the last of a key counts.
func (c ReadConfig) collectEntry(ctx context.Context, rec *kgo.Record, all map[subject]*History) error {
	for s, h := range all {
		name := s.key // as ledger.EntryKey has it
		if s.topic != schemas.TopicOrders {
			name = s.topic + ":" + s.key
		}
		if string(rec.Key) != name {
			continue
		}
		if rec.Value == nil {
			h.Entry = nil
			continue
		}
		e, err := c.Serde.DecodeLedgerEntry(ctx, rec.Value)
		if err != nil {
			return fmt.Errorf("read %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		if e.Topic == s.topic && e.Key == s.key {
			h.Entry = e
		}
	}
	return nil
}
