package producers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ClientOpts are the kgo options a Publisher's client must have, beside the seed brokers: idempotent with acks=all,
// murmur2 over the key as the Java client partitions, and zstd at its fastest level: batches of real events are 4 % larger
// than at its default, and cost a third less time. The linger lets concurrent requests share batches; a longer one keeps
// senders waiting that a quick broker would have answered, and under load a request in flight gathers the next batch anyway.
func ClientOpts() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // nil: murmur2 for records with a key, and ours all have one
		kgo.ProducerLinger(2 * time.Millisecond),
		kgo.MetadataMinAge(100 * time.Millisecond), // a record whose leader moved is sent to the new one only after that
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(1), kgo.NoCompression()),
		// Longer than any source waits: a record given up by its request is not needed any more, as its source sends it
		// again under the same event id.
		kgo.RecordDeliveryTimeout(30 * time.Second),
	}
}

// Publisher puts events and quarantined input into their topics and waits for the acknowledgement of its own records
// only. Safe for concurrent use.
type Publisher struct {
	client *kgo.Client
	serde  *schemas.Serde
	topo   *topology.Topology
}

// NewPublisher writes through a client made with ClientOpts. It does no I/O yet.
func NewPublisher(client *kgo.Client, serde *schemas.Serde, topo *topology.Topology) *Publisher {
	return &Publisher{client, serde, topo}
}

// Publish writes events in order, each keyed by its Subject, and returns when all in-sync replicas have every one. On an
// error some may have been written: publishing them again is harmless downstream, as their ids stay the same.
func (p *Publisher) Publish(ctx context.Context, trace schemas.Trace, events ...*schemas.Event) error {
	records := make([]*kgo.Record, 0, len(events))
	for _, ev := range events {
		rec, err := p.eventRecord(ctx, ev, trace)
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	return errors.Join(p.produce(ctx, records)...)
}

// errUnfit marks an event that no attempt can encode.
var errUnfit = errors.New("event does not fit its schema")

func (p *Publisher) eventRecord(ctx context.Context, ev *schemas.Event, trace schemas.Trace) (*kgo.Record, error) {
	topic := p.topo.TopicName(ev.Type.Topic())
	value, err := p.serde.EncodeEvent(ctx, topic+"-value", ev)
	if err != nil && temporary(err) {
		return nil, fmt.Errorf("encode %s: %w", ev.ID, err)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w: %w", ev.ID, errUnfit, err)
	}
	headers := schemas.EventHeaders(ev, trace.Parent)
	if trace.State != "" {
		headers = append(headers, kgo.RecordHeader{Key: "tracestate", Value: []byte(trace.State)})
	}
	return &kgo.Record{Topic: topic, Key: []byte(ev.Subject), Value: value, Headers: headers}, nil
}

// temporary tells an error of the registry or of time from one of the value.
func temporary(err error) bool {
	for _, t := range []error{schemas.ErrRegistry, schemas.ErrUnknownSchema, schemas.ErrIncompatible, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

func (p *Publisher) quarantineRecord(ctx context.Context, q *schemas.Quarantined, trace schemas.Trace) (*kgo.Record, error) {
	topic := p.topo.TopicName(topology.TopicQuarantine)
	value, err := p.serde.EncodeQuarantined(ctx, topic+"-value", q)
	if err != nil {
		return nil, fmt.Errorf("encode quarantined %s: %w", q.ID, err)
	}
	headers := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/avro")}, {Key: "ce_id", Value: []byte(q.ID)}}
	if trace.Parent != "" {
		headers = append(headers, kgo.RecordHeader{Key: "traceparent", Value: []byte(trace.Parent)})
	}
	return &kgo.Record{Topic: topic, Key: []byte(q.Source + "/" + q.DeliveryID), Value: value, Headers: headers}, nil
}

// produce writes the records and waits until each is acknowledged or has failed, or ctx ends. The errors are in the
// records' order, nil where one was acknowledged; a full buffer is kgo.ErrMaxBuffered at once.
func (p *Publisher) produce(ctx context.Context, records []*kgo.Record) []error {
	if len(records) == 0 {
		return nil
	}
	w := &acks{errs: make([]error, len(records)), left: len(records), done: make(chan struct{})}
	for i := range w.errs {
		w.errs[i] = errPending
	}
	for i, rec := range records {
		p.client.TryProduce(ctx, rec, func(_ *kgo.Record, err error) { w.set(i, err) })
	}
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	return w.result(ctx)
}

// acks collects what became of the records of one call.
type acks struct {
	mu   sync.Mutex
	errs []error // errPending where nothing is known yet
	left int
	done chan struct{}
}

func (w *acks) set(i int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs[i] = err
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// errPending stands for what became of a record until that is known.
var errPending = errors.New("pending")

// result is the errors as they are now; a record of which nothing is known yet has ctx's.
func (w *acks) result(ctx context.Context) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 {
		return w.errs // nothing writes to them any more
	}
	out := slices.Clone(w.errs)
	for i, err := range out {
		if errors.Is(err, errPending) {
			out[i] = fmt.Errorf("no acknowledgement: %w", context.Cause(ctx))
		}
	}
	return out
}

// tooLarge tells whether a record was refused for its size: no attempt can change that.
func tooLarge(err error) bool { return errors.Is(err, kerr.MessageTooLarge) }
