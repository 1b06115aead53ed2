package consumers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// downstream is a small API that counts effects: a POST with a key it has seen, and a PUT, have no second one.
type downstream struct {
	*httptest.Server
	mu      sync.Mutex
	effects map[string]int // reference (order or event) to effects
	calls   []string       // "METHOD path key" of every request, in order
	keys    map[string]bool
	order   []string // references in the order of their effects
	says    string   // the body of every answer; a reference when empty
	answer  func(n int, r *http.Request) (status int, header http.Header, effect bool)
	changed chan struct{}
}

func newDownstream(t *testing.T) *downstream {
	d := &downstream{effects: map[string]int{}, keys: map[string]bool{}, changed: make(chan struct{}, 1)}
	d.Server = httptest.NewServer(http.HandlerFunc(d.handle))
	t.Cleanup(d.Close)
	return d
}

func (d *downstream) handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var req struct{ Reference string }
	_ = json.Unmarshal(body, &req)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, r.Method+" "+r.URL.Path+" "+r.Header.Get("Idempotency-Key"))
	status, header, effect := 200, http.Header{}, true
	if d.answer != nil {
		status, header, effect = d.answer(len(d.calls), r)
	}
	if r.Method == http.MethodGet {
		ref := r.URL.Query().Get("reference")
		if d.effects[ref] == 0 {
			status = http.StatusNotFound
		}
		effect = false
	}
	key := r.Header.Get("Idempotency-Key")
	if effect && !(key != "" && d.keys[key]) {
		ref := r.URL.Path + " " + req.Reference
		if r.Method == http.MethodPost {
			ref = req.Reference
		}
		d.effects[ref]++
		d.order = append(d.order, ref)
		d.keys[key] = true
	}
	for k, v := range header {
		w.Header()[k] = v
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
	if status == 0 { // the effect is made and the answer is lost
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if d.says != "" {
		_, _ = io.WriteString(w, d.says)
		return
	}
	fmt.Fprintf(w, `{"id":"ref-%s"}`, req.Reference)
}

func (d *downstream) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// posts is how many requests were no probes.
func (d *downstream) posts() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if strings.HasPrefix(c, http.MethodPost+" ") {
			n++
		}
	}
	return n
}

// bench is a cluster with a topology of one integration, called "down", and what a test asks of it.
type bench struct {
	*testing.T
	kafka  *topologytest.Kafka
	topo   *topology.Topology
	serde  *schemas.Serde
	client *kgo.Client
	down   *downstream
	mu     sync.Mutex
	seen   []*schemas.Outcome
	news   chan struct{}
}

const ownership = `
order.status: {owner: shop, page: ops}
order.total: {owner: shop, page: ops}
order.payment_status: {owner: shop, page: ops}
payment.amount: {owner: shop, page: ops}
refund.amount: {owner: shop, page: ops}
customer.email: {owner: shop, page: ops}
unowned: ["*"]
`

// newBench makes the cluster's topics for an integration whose YAML follows name, team and objectives.
func newBench(t *testing.T, integration string, opts ...topologytest.Option) *bench {
	t.Helper()
	return newOwnedBench(t, ownership, integration, opts...)
}

// newOwnedBench is newBench with an ownership.yaml of the test's own.
func newOwnedBench(t *testing.T, ownership, integration string, opts ...topologytest.Option) *bench {
	t.Helper()
	b := &bench{T: t, kafka: topologytest.Cluster(t, opts...), down: newDownstream(t), news: make(chan struct{}, 1)}
	fsys := fstest.MapFS{
		"topics.yaml":            {Data: []byte("prefix: \"" + b.kafka.Prefix + "\"\npartitions: 2\n")},
		"teams.yaml":             {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml":         {Data: []byte(ownership)},
		"integrations/down.yaml": {Data: []byte("name: down\nteam: ops\ncomplete_within: 1h\nstale_after: 1h\n" + strings.ReplaceAll(integration, "URL", b.down.URL))},
	}
	topo, err := topology.Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	b.topo = topo
	b.client = b.kafka.Client(t, kgo.ConsumeTopics(topo.TopicName(topology.TopicReconciliation)), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond), kgo.ProducerLinger(0))
	registry := b.kafka.RegistryClient(t)
	if _, err := topology.Ensure(t.Context(), topo, b.client, registry); err != nil {
		t.Fatal(err)
	}
	b.serde = schemas.NewSerde(registry)
	go b.follow()
	return b
}

// follow collects outcomes until the test ends.
func (b *bench) follow() {
	for {
		fetches := b.client.PollFetches(b.Context())
		if b.Context().Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			o, err := b.serde.DecodeOutcome(b.Context(), rec.Value)
			if err != nil {
				return
			}
			b.mu.Lock()
			b.seen = append(b.seen, o)
			b.mu.Unlock()
			select {
			case b.news <- struct{}{}:
			default:
			}
		})
	}
}

// start runs a worker until the test ends or stop is called; stop waits for it.
func (b *bench) start(change ...func(*consumers.Config)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c := consumers.Config{Topology: b.topo, Integration: &b.topo.Integrations[0], Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Serde: b.serde, Tick: 10 * time.Millisecond}
	c.Logger = slog.New(slog.NewTextHandler(b.Output(), nil)) // shown where the test fails
	for _, f := range change {
		f(&c)
	}
	done := make(chan error, 1)
	go func() { done <- consumers.Run(ctx, c) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				b.Errorf("worker: %v", err)
			}
		})
	}
	b.Cleanup(stop)
	return stop
}

// publish writes events to their topic, in order.
func (b *bench) publish(events ...*schemas.Event) {
	b.Helper()
	b.publishBy(b.client, events...)
}

// publishBy writes them by another client.
func (b *bench) publishBy(client *kgo.Client, events ...*schemas.Event) {
	b.Helper()
	for _, ev := range events {
		if err := client.ProduceSync(b.Context(), b.record(ev)).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// record is an event as it stands in its topic.
func (b *bench) record(ev *schemas.Event) *kgo.Record {
	b.Helper()
	topic := b.topo.TopicName(ev.Type.Topic())
	value, err := b.serde.EncodeEvent(b.Context(), topic+"-value", ev)
	if err != nil {
		b.Fatal(err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(ev.Subject), Value: value, Headers: schemas.EventHeaders(ev, "")}
}

// publishAll writes many events at once; each order's stay in order.
func (b *bench) publishAll(events []*schemas.Event) {
	b.Helper()
	var recs []*kgo.Record
	for _, ev := range events {
		recs = append(recs, b.record(ev))
	}
	if err := b.client.ProduceSync(b.Context(), recs...).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// outcomes waits until want holds of everything seen, and gives that.
func (b *bench) outcomes(what string, want func([]*schemas.Outcome) bool) []*schemas.Outcome {
	b.Helper()
	deadline := time.NewTimer(2 * time.Minute) // for the slowest machine
	defer deadline.Stop()
	for {
		b.mu.Lock()
		seen := append([]*schemas.Outcome{}, b.seen...)
		b.mu.Unlock()
		if want(seen) {
			return seen
		}
		select {
		case <-b.news:
		case <-deadline.C:
			b.Fatalf("not seen: %s; outcomes:\n%s", what, summary(seen))
		}
	}
}

// wait waits for n outcomes.
func (b *bench) wait(n int) []*schemas.Outcome {
	b.Helper()
	return b.outcomes(fmt.Sprintf("%d outcomes", n), func(seen []*schemas.Outcome) bool { return len(seen) >= n })
}

// summary is a line per outcome: "id kind/reason".
func summary(list []*schemas.Outcome) string {
	var lines []string
	for _, o := range list {
		lines = append(lines, fmt.Sprintf("%s %s/%s %s", o.EventID, o.Kind, o.Reason, o.Detail))
	}
	return strings.Join(lines, "\n")
}

// kinds is "id=kind/reason" of each outcome, in order of arrival within an order.
func kinds(list []*schemas.Outcome) []string {
	var out []string
	for _, o := range list {
		s := string(o.EventID) + "=" + string(o.Kind)
		if o.Reason != "" {
			s += "/" + string(o.Reason)
		}
		out = append(out, s)
	}
	return out
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// event is an event of the shop about an order; version counts up.
func event(id string, et schemas.EventType, order string, version int) *schemas.Event {
	ev := &schemas.Event{ID: schemas.EventID(id), Type: et, Source: "/test", System: "shop", Subject: order, Time: noon, IngestedAt: noon, SourceVersion: fmt.Sprint(version), DeliveryID: id, BusinessID: string(et) + "/" + order + "/" + id}
	total, _ := schemas.NewMoney("20.00", "EUR")
	switch {
	case strings.HasPrefix(string(et), "order."):
		ev.Order = &schemas.Order{ID: order, Status: "open", Total: total}
	case strings.HasPrefix(string(et), "payment."):
		ev.Payment = &schemas.Payment{ID: "p" + id, Amount: total}
	case strings.HasPrefix(string(et), "refund."):
		ev.Refund = &schemas.Refund{ID: "r" + id, Amount: total}
	}
	return ev
}
