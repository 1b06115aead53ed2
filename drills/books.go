package drills

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// place is where a record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// books is what Seam's topics say, read as any other team could: committed records only, no group.
type books struct {
	topo   *topology.Topology
	client *kgo.Client
	serde  *schemas.Serde
	inputs map[string][]string // event topic to the integrations that read it

	mu          sync.Mutex
	events      map[place]schemas.Envelope
	came        map[place]time.Time
	values      map[place][]byte // of events, to be decoded when somebody asks what they say
	decoded     map[place]*schemas.Event
	outcomes    map[string]map[place]*schemas.Outcome // integration, then the event's place: the latest
	said        int
	quarantined []*schemas.Quarantined
	fault       error
}

func openBooks(seam Running, topo *topology.Topology) (*books, error) {
	registry, err := sr.NewClient(sr.URLs(seam.RegistryURL))
	if err != nil {
		return nil, fmt.Errorf("story: registry %s: %w", seam.RegistryURL, err)
	}
	b := &books{
		topo: topo, serde: schemas.NewSerde(registry), inputs: map[string][]string{}, events: map[place]schemas.Envelope{},
		came: map[place]time.Time{}, values: map[place][]byte{}, decoded: map[place]*schemas.Event{}, outcomes: map[string]map[place]*schemas.Outcome{},
	}
	for i := range topo.Integrations {
		in := &topo.Integrations[i]
		b.outcomes[in.Name] = map[place]*schemas.Outcome{}
		for _, name := range topo.InputTopics(in) {
			b.inputs[name] = append(b.inputs[name], in.Name)
		}
	}
	topics := []string{topo.TopicName(schemas.TopicOrders), topo.TopicName(schemas.TopicCustomers), topo.TopicName(schemas.TopicInventory),
		topo.TopicName(topology.TopicReconciliation), topo.TopicName(topology.TopicQuarantine)}
	b.client, err = kgo.NewClient(
		kgo.SeedBrokers(strings.Split(seam.BootstrapServers, ",")...), kgo.ClientID("seam-story"), kgo.ConsumeTopics(topics...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(100*time.Millisecond), // the live line and the settling wait for this
	)
	if err != nil {
		return nil, fmt.Errorf("story: brokers %s: %w", seam.BootstrapServers, err)
	}
	return b, nil
}

func (b *books) close() { b.client.Close() }

// read takes in records until ctx ends. A record that does not decode is kept as the books' fault, which the verdict names.
func (b *books) read(ctx context.Context) error {
	for ctx.Err() == nil {
		fetches := b.client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			break
		}
		for _, r := range fetches.Records() {
			err := b.take(ctx, r)
			for errors.Is(err, schemas.ErrRegistry) && ctx.Err() == nil {
				err = b.take(ctx, r)
			}
			b.blame(ctx, r, err)
		}
	}
	return nil
}

// blame keeps an error of a record, unless it is the end of reading.
func (b *books) blame(ctx context.Context, r *kgo.Record, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = errors.Join(b.fault, fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err))
}

func (b *books) take(ctx context.Context, r *kgo.Record) error {
	switch r.Topic {
	case b.topo.TopicName(topology.TopicReconciliation):
		o, err := b.serde.DecodeOutcome(ctx, r.Value)
		if err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.outcomes[o.Integration] == nil {
			return fmt.Errorf("an outcome of %q, which no integration is called", o.Integration)
		}
		b.said++
		b.outcomes[o.Integration][place{b.topo.TopicName(o.Topic), o.Partition, o.Offset}] = o
		return nil
	case b.topo.TopicName(topology.TopicQuarantine):
		q, err := b.serde.DecodeQuarantined(ctx, r.Value)
		if err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.quarantined = append(b.quarantined, q)
		return nil
	}
	e, ok := schemas.EnvelopeOf(r.Headers)
	if !ok {
		return errors.New("an event without its envelope in the headers")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{r.Topic, r.Partition, r.Offset}
	b.events[at], b.came[at], b.values[at] = e, time.Now(), r.Value
	return nil
}

// size is how many events and outcomes were read.
func (b *books) size() (events, outcomes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events), b.said
}

// saw tells whether an event of a type was published for an order.
func (b *books) saw(order string, t schemas.EventType) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Subject == order && e.Type == t {
			return true
		}
	}
	return false
}

// quiet tells whether an integration has an outcome for every event it reads.
func (b *books) quiet(integration string) bool {
	return len(slices.DeleteFunc(b.unsettled(time.Now()), func(u string) bool { return !strings.HasPrefix(u, integration+" ") })) == 0
}

// unsettled lists what came before a time and has no outcome in an integration that reads it, or one that still waits for
// another event: "tax order.created of 820...".
func (b *books) unsettled(before time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for at, e := range b.events {
		if !b.came[at].Before(before) {
			continue
		}
		for _, in := range b.inputs[at.topic] {
			o := b.outcomes[in][at]
			if o == nil {
				out = append(out, fmt.Sprintf("%s %s of %s has no outcome", in, e.Type, e.Subject))
			} else if o.Kind == schemas.Parked && (o.Reason == schemas.ReasonNeeds || o.Reason == schemas.ReasonFacts && o.Until != nil) {
				out = append(out, fmt.Sprintf("%s %s of %s still waits: %s", in, e.Type, e.Subject, o.Detail))
			}
		}
	}
	slices.Sort(out)
	return out
}

// parked lists the latest outcomes that are parked, and counts the duplicates, by integration.
func (b *books) parked() (parked []*schemas.Outcome, duplicates map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	duplicates = map[string]int{}
	for in, byPlace := range b.outcomes {
		for _, o := range byPlace {
			if o.Kind == schemas.Parked {
				parked = append(parked, o)
			}
			if o.Kind == schemas.Duplicate {
				duplicates[in]++
			}
		}
	}
	slices.SortFunc(parked, func(a, b *schemas.Outcome) int {
		return strings.Compare(a.Integration+string(a.Reason)+a.OrderID, b.Integration+string(b.Reason)+b.OrderID)
	})
	return parked, duplicates
}

// has tells which of the ids were published as events or kept in quarantine.
func (b *books) has() map[schemas.EventID]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[schemas.EventID]bool{}
	for _, e := range b.events {
		out[e.ID] = true
	}
	for _, q := range b.quarantined {
		out[q.ID] = true
	}
	return out
}
