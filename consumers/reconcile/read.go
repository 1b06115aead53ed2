package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ReadConfig says where to read: nothing but brokers and a registry is needed, no Seam has to run.
type ReadConfig struct {
	Options  []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Serde    *schemas.Serde
	Topology *topology.Topology
	Now      func() time.Time // our clock. Default time.Now
}

func (c ReadConfig) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// ErrNotFound is the error for a key that no topic knows.
var ErrNotFound = errors.New("no event, outcome or parked record has this key")

// quietWait is how long a read waits when nothing comes. Transactions of live workers end in milliseconds; what a dead one
// left open is not waited for.
const quietWait = 3 * time.Second

// ReadOrder reads everything of one key: its partition of the event topics, of the reconciliation topic and of every
// parked topic, up to their ends as of now. The key is one that View.Order takes. ErrNotFound when nothing is known of it.
// What open transactions still hold is counted in the order's Freshness. Records must have been written under Kafka's
// default partitioner (murmur2).
func ReadOrder(ctx context.Context, c ReadConfig, key string) (*Order, error) {
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics := followed(c.Topology)
	for _, in := range c.Topology.Integrations {
		topics = append(topics, c.Topology.Parked(in.Name))
	}
	details, err := partitionsOf(ctx, adm, topics)
	if err != nil {
		return nil, fmt.Errorf("order %s: %w", key, err)
	}
	wanted := subjects(key)
	from := map[string][]int32{}
	for topic, n := range details {
		for _, s := range wanted {
			if p := c.partition(s.key, n); !contains(from[topic], p) {
				from[topic] = append(from[topic], p)
			}
		}
	}
	folds := map[subject]*Fold{}
	for _, s := range wanted {
		folds[s] = NewFold(c.Topology, s.topic, s.key)
	}
	parked := map[string]*schemas.ParkedRecord{} // by topic and record key: the live ones
	left, err := c.read(ctx, adm, from, func(rec *kgo.Record) error { return c.collect(ctx, rec, folds, parked) })
	if err != nil {
		return nil, fmt.Errorf("order %s: %w", key, err)
	}
	for _, p := range parked {
		if f := folds[subject{cmp.Or(p.Topic, p.EventType.Topic()), p.Key}]; f != nil {
			f.Parked(p)
		}
	}
	now := c.now().UTC()
	for _, s := range wanted {
		if f := folds[s]; !f.Empty() {
			o := f.Order(now)
			o.Freshness = &Freshness{BehindRecords: left, CheckedAt: now}
			if left == 0 {
				o.Freshness.CaughtUpAt = now
			}
			return o, nil
		}
	}
	return nil, fmt.Errorf("order %s: %w", key, ErrNotFound)
}

// collect takes one record of any of the topics in, if it is of a key that is asked for.
func (c ReadConfig) collect(ctx context.Context, rec *kgo.Record, folds map[subject]*Fold, parked map[string]*schemas.ParkedRecord) error {
	name := strings.TrimPrefix(rec.Topic, c.Topology.Prefix)
	if strings.HasPrefix(name, "parked.") {
		return c.collectParked(ctx, rec, parked, func(key string) bool {
			for s := range folds {
				if strings.HasPrefix(key, s.key+"|") || strings.HasPrefix(key, s.topic+":"+s.key+"|") {
					return true
				}
			}
			return false
		})
	}
	key, asked := cmp.Or(string(rec.Key), poisonKey(rec.Topic, Position{rec.Partition, rec.Offset})), false
	for s := range folds {
		asked = asked || s.key == key
	}
	if !asked {
		return nil
	}
	d, err := decode(ctx, c.Serde, c.Topology, rec)
	if err != nil || d == nil {
		return err
	}
	f := folds[d.subject]
	switch {
	case f == nil:
	case d.decision != nil:
		f.Decide(d.decision, d.at)
	case d.outcome != nil:
		f.Outcome(d.outcome, d.at)
	case !d.ofOutcome:
		d.fold(f)
	}
	return nil
}

// collectParked keeps the live records of a parked topic whose record key is asked for.
func (c ReadConfig) collectParked(ctx context.Context, rec *kgo.Record, parked map[string]*schemas.ParkedRecord, asked func(string) bool) error {
	id := rec.Topic + "\x00" + string(rec.Key)
	switch {
	case !asked(string(rec.Key)):
		return nil
	case rec.Value == nil:
		delete(parked, id)
		return nil
	}
	p, err := c.Serde.DecodeParkedRecord(ctx, rec.Value)
	if err != nil {
		return fmt.Errorf("read %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	parked[id] = p
	return nil
}

// Parked is what waits in an integration, by since and key. It fails for an integration that the topology does not have.
func Parked(ctx context.Context, c ReadConfig, integration string) ([]*schemas.ParkedRecord, error) {
	if c.Topology.Integration(integration) == nil {
		var names []string
		for _, in := range c.Topology.Integrations {
			names = append(names, in.Name)
		}
		return nil, fmt.Errorf("unknown integration %q: the topology has %s", integration, strings.Join(names, ", "))
	}
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return c.parked(ctx, kadm.NewClient(cl), integration)
}

func (c ReadConfig) parked(ctx context.Context, adm *kadm.Client, integration string) ([]*schemas.ParkedRecord, error) {
	topic := c.Topology.Parked(integration)
	live := map[string]*schemas.ParkedRecord{}
	err := c.readAll(ctx, adm, topic, func(rec *kgo.Record) error {
		return c.collectParked(ctx, rec, live, func(string) bool { return true })
	})
	if err != nil {
		return nil, fmt.Errorf("parked in %s: %w", integration, err)
	}
	out := make([]*schemas.ParkedRecord, 0, len(live))
	for _, p := range live {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.EventID, b.EventID)) < 0
	})
	return out, nil
}

// readAll reads every partition of a topic.
func (c ReadConfig) readAll(ctx context.Context, adm *kadm.Client, topic string, take func(*kgo.Record) error) error {
	details, err := partitionsOf(ctx, adm, []string{topic})
	if err != nil {
		return err
	}
	from := map[string][]int32{}
	for p := range details[topic] {
		from[topic] = append(from[topic], p)
	}
	_, err = c.read(ctx, adm, from, take)
	return err
}

// partition is where records of a key are: by Kafka's default partitioner, or where the record stood that a key without a
// key names.
func (c ReadConfig) partition(key string, n int32) int32 {
	if parts := strings.Split(key, "/"); len(parts) == 3 && strings.HasPrefix(parts[0], c.Topology.Prefix) {
		if p, err := strconv.ParseInt(parts[1], 10, 32); err == nil && int32(p) < n && p >= 0 && contains(followed(c.Topology), parts[0]) {
			return int32(p)
		}
	}
	return topology.PartitionOf(key, n)
}

// ReadEvent reads one event of a key from its event topic (without prefix). ErrNotFound when it is not there, or no more.
func ReadEvent(ctx context.Context, c ReadConfig, topic, key string, id schemas.EventID) (*schemas.Event, error) {
	var found *schemas.Event
	err := c.eachEvent(ctx, topic, key, func(d *decoded) {
		if found == nil && d.event.ID == id {
			found = d.event
		}
	})
	if err == nil && found == nil {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("event %s of %s in %s: %w", id, key, c.Topology.TopicName(topic), err)
	}
	return found, nil
}

// eachEvent gives every event of a key that its event topic (without prefix) has and that can be read, in order.
func (c ReadConfig) eachEvent(ctx context.Context, topic, key string, take func(*decoded)) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm, name := kadm.NewClient(cl), c.Topology.TopicName(topic)
	details, err := partitionsOf(ctx, adm, []string{name})
	if err != nil {
		return err
	}
	_, err = c.read(ctx, adm, map[string][]int32{name: {c.partition(key, details[name])}}, func(rec *kgo.Record) error {
		if string(rec.Key) != key {
			return nil
		}
		d, err := decode(ctx, c.Serde, c.Topology, rec)
		if err == nil && d != nil && d.event != nil {
			take(d)
		}
		return err
	})
	return err
}

func contains[T comparable](list []T, x T) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

func (c ReadConfig) client(opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Options...), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return cl, nil
}

// partitionsOf is the number of partitions of each topic; an error names one that does not exist.
func partitionsOf(ctx context.Context, adm *kadm.Client, topics []string) (map[string]int32, error) {
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	out := map[string]int32{}
	for _, topic := range topics {
		d, ok := details[topic]
		switch {
		case !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("topic %s does not exist: seam apply makes it", topic)
		case d.Err != nil:
			return nil, fmt.Errorf("topic %s: %w", topic, d.Err)
		}
		out[topic] = int32(len(d.Partitions))
	}
	return out, nil
}
