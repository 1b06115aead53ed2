package consumers_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// topicID is Kafka's id of a topic, as ledger entries keep it.
func (b *bench) topicID(topic string) string {
	b.Helper()
	topics, err := kadm.NewClient(b.client).ListTopics(b.Context(), topic)
	if err != nil {
		b.Fatal(err)
	}
	return ledger.TopicID(topics[topic].ID)
}

// partition is where the producer put an order's events.
func (b *bench) partition(order string) int32 {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	return int32(p.Partition(&kgo.Record{Key: []byte(order)}, int(b.topo.Partitions)))
}

// left is an operation that a worker which died had intended for an order, in the ledger it left behind.
func (b *bench) left(order, event, operation string) {
	b.Helper()
	e := &schemas.LedgerEntry{Topic: schemas.TopicOrders, TopicID: b.topicID(b.topo.TopicName(schemas.TopicOrders)), Key: order, Settled: -1, Seen: []schemas.EventType{schemas.PaymentCaptured},
		Operations: []schemas.Operation{{Name: operation, State: schemas.OpIntent, EventID: schemas.EventID(event), At: time.Now()}}, UpdatedAt: time.Now()}
	b.leftEntry(order, e)
}

// leftEntry is an entry of an order's partition in the ledger that a dead worker left behind.
func (b *bench) leftEntry(order string, e *schemas.LedgerEntry) {
	b.Helper()
	topic := b.topo.Ledger("down")
	value, err := b.serde.EncodeLedgerEntry(b.Context(), topic+"-value", e)
	if err != nil {
		b.Fatal(err)
	}
	b.place(&kgo.Record{Topic: topic, Partition: b.partition(order), Key: []byte(ledger.EntryKey(schemas.TopicOrders, e.Key)), Value: value})
}

// place writes a record to the partition that it names.
func (b *bench) place(rec *kgo.Record) {
	b.Helper()
	cl := b.kafka.Client(b.T, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(b.Context(), rec).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// TestIntentOfADeadWorker starts a worker on what one left that died with a call out, for each idempotency.
func TestIntentOfADeadWorker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, idempotency string
		there             bool // the dead worker's call had its effect
		want              string
		posts, effects    int
	}{
		{"a key makes the repetition harmless", "{key: Idempotency-Key, remembers: 24h}", false, "a1=delivered", 1, 1},
		{"a key that is forgotten does not", "{key: Idempotency-Key, remembers: 1ms}", false, "a1=parked/unknown", 0, 0},
		{"an upsert is harmless", "{upsert: true}", false, "a1=delivered", 1, 1},
		{"a probe finds it", `{probe: "GET URL/things?reference={event.id}"}`, true, "a1=already_done", 0, 1},
		{"a probe does not find it", `{probe: "GET URL/things?reference={event.id}"}`, false, "a1=delivered", 1, 1},
		{"nothing helps", "{none: true}", false, "a1=parked/unknown", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", tt.idempotency, 1)
			text = strings.Replace(text, "timeout: 2s", "timeout: 200ms", 1)
			if strings.Contains(tt.idempotency, "1ms") { // a key may not be forgotten before the last retry
				text = strings.Replace(text, "give_up_after: 10s", "give_up_after: 1ms", 1)
			}
			b := newBench(t, text)
			if tt.there {
				b.down.effects["a1"] = 1
			}
			b.left("A", "a1", "do")
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			b.start()
			if diff := cmp.Diff([]string{tt.want}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
			if n := b.down.posts(); n != tt.posts || b.down.effects["a1"] != tt.effects {
				t.Errorf("%d calls and %d effects, want %d and %d", n, b.down.effects["a1"], tt.posts, tt.effects)
			}
		})
	}
}

// The dead worker's call may have had its effect: a cancellation that came meanwhile must not pass for "came before".
func TestCancellationBehindACallOfUnknownEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.left("A", "a1", "fulfill")
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderCancelled, "A", 2))
	b.start()
	if diff := cmp.Diff([]string{"a1=delivered", "a2=delivered"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"A": 1, "cancel A": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

// A call whose answer nobody understood may have shipped the order: it is not true that there is nothing to cancel.
func TestCancellationAfterAnAnswerOutsideTheContract(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse+"order: pass\n")
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) { return []int{299, 200}[min(n, 2)-1], nil, true }
	b.start()
	b.publish(event("a1", schemas.PaymentCaptured, "A", 1), event("a2", schemas.OrderCreated, "A", 2))
	b.wait(2)
	b.publish(event("a2", schemas.OrderCreated, "A", 2), event("a3", schemas.OrderCancelled, "A", 3))
	want := []string{"a1=withheld/prerequisite_only", "a2=parked/contract", "a2=duplicate/same_event", "a3=delivered"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
}

// What a system says that does not own the order's state supersedes nothing.
func TestAnothersCancellationBehindSupersedesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	cancelled := event("a3", schemas.OrderCancelled, "A", 3)
	cancelled.System = "psp"
	b.publish(event("a1", schemas.PaymentCaptured, "A", 1), event("a2", schemas.OrderCreated, "A", 2), cancelled)
	b.start()
	want := []string{"a1=withheld/prerequisite_only", "a2=delivered", "a3=withheld/not_owner"}
	if diff := cmp.Diff(want, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// Several events that waited for the same go on in their order.
func TestWhatWaitedTogetherGoesOnInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "on: [order.created, order.updated]", "on: [refund.succeeded]\n    needs: [order.created]", 1))
	b.start()
	for i := 1; i <= 4; i++ {
		b.publish(event(fmt.Sprint("r", i), schemas.RefundSucceeded, "A", i))
	}
	b.wait(4)
	b.publish(event("a5", schemas.OrderCreated, "A", 5))
	b.wait(9)
	if diff := cmp.Diff([]string{"r1", "r2", "r3", "r4"}, b.down.order); diff != "" {
		t.Error(diff)
	}
}

// A worker that has received nothing since it started still proves its membership with what it writes: a transaction
// without offsets would be taken from one that lost the partition.
func TestEveryTransactionCarriesOffsets(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(warehouse, "needs: [payment.captured]", "needs: [payment.captured]\n    needs_within: 2s", 1), topologytest.Embedded())
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	stop()
	var with, without atomic.Int64
	b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		if req := r.(*kmsg.TxnOffsetCommitRequest); len(req.Topics) > 0 && len(req.Topics[0].Partitions) > 0 {
			with.Add(1)
		} else {
			without.Add(1)
		}
		return true
	}})
	b.start()
	seen := b.wait(2)
	if last := seen[1]; last.Kind != schemas.Parked || last.Until != nil || !strings.Contains(last.Detail, "a person") {
		t.Errorf("after its time: %s until %v, %s", last.Kind, last.Until, last.Detail)
	}
	if with.Load() == 0 || without.Load() != 0 {
		t.Errorf("%d transactions with offsets, %d without", with.Load(), without.Load())
	}
}

// flaky is a registry's network that fails while it is switched on, for what match says.
type flaky struct {
	down  atomic.Bool
	match func(*http.Request) bool
	hits  atomic.Int64
}

// RoundTrip is HTTP's.
func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.down.Load() && f.match(r) {
		f.hits.Add(1)
		return nil, errors.New("the registry is away")
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (b *bench) over(f *flaky) *schemas.Serde {
	b.Helper()
	client, err := sr.NewClient(sr.URLs(b.kafka.Registry), sr.HTTPClient(&http.Client{Transport: f}))
	if err != nil {
		b.Fatal(err)
	}
	return schemas.NewSerde(client)
}

// An event whose schema the registry does not tell now waits for it and is not set aside.
func TestRegistryAwayParksNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	f := &flaky{match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/schemas/ids/") }}
	f.down.Store(true)
	b.start(func(c *consumers.Config) { c.Serde = b.over(f) })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	topologytest.Eventually(t, "the registry was asked twice", func() error {
		if f.hits.Load() < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	f.down.Store(false)
	if diff := cmp.Diff([]string{"a1=delivered"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}

// An outcome that cannot be written must not be missing while the ledger says that all is done.
func TestOutcomeThatCannotBeWrittenIsNotLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	f := &flaky{match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "reconciliation") }}
	f.down.Store(true)
	b.start(func(c *consumers.Config) { c.Serde = b.over(f) })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	topologytest.Eventually(t, "the registry was asked for it twice", func() error {
		if f.hits.Load() < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	f.down.Store(false)
	if diff := cmp.Diff([]string{"a1=delivered"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
	if b.down.effects["a1"] != 1 {
		t.Errorf("%d effects", b.down.effects["a1"])
	}
}

// TestParkingNeedsNoRegistry: what the worker may have to write is known from its start.
func TestParkingNeedsNoRegistry(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	f := &flaky{match: func(*http.Request) bool { return true }}
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) { return []int{200, 418}[n-1], nil, true }
	b.start(func(c *consumers.Config) { c.Serde = b.over(f) })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	f.down.Store(true)
	b.publish(event("a2", schemas.OrderUpdated, "A", 2))
	if diff := cmp.Diff([]string{"a1=delivered", "a2=parked/contract"}, kinds(b.wait(2))); diff != "" {
		t.Error(diff)
	}
	if n := f.hits.Load(); n != 0 {
		t.Errorf("the registry was asked %d times while it was away", n)
	}
}

// produce writes a record as it is.
func (b *bench) produce(rec *kgo.Record) {
	b.Helper()
	if err := b.client.ProduceSync(b.Context(), rec).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// Bytes that nobody can read are set aside whole, hold their own order and no other, and a replay does not set them aside twice.
func TestPoison(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	topic := b.topo.TopicName(schemas.TopicOrders)
	stop := b.start()
	b.produce(&kgo.Record{Topic: topic, Key: []byte("A"), Value: []byte("no Avro at all"), Headers: []kgo.RecordHeader{{Key: "x", Value: []byte{0xff, 0xfe}}}})
	b.publish(event("a2", schemas.OrderCreated, "A", 2), event("b1", schemas.OrderCreated, "B", 1))
	b.produce(&kgo.Record{Topic: topic, Value: []byte{0, 0, 0, 0, 9}, Partition: 0})
	b.produce(&kgo.Record{Topic: topic, Key: []byte{0xff, 0x00, 0xfe}, Value: []byte{0, 0x7f, 0xff, 0xff, 0xff, 1, 2}})
	seen := b.wait(5)
	got := map[string]int{}
	for _, o := range seen {
		got[fmt.Sprintf("%s/%s", o.Kind, o.Reason)]++
	}
	if diff := cmp.Diff(map[string]int{"parked/poison": 2, "parked/behind": 1, "delivered/": 1, "parked/missing_key": 1}, got); diff != "" {
		t.Errorf("%s\n%s", diff, summary(seen))
	}
	stop()
	b.rewind()
	b.start()
	b.publish(event("c1", schemas.OrderCreated, "C", 1))
	if seen := b.wait(6); len(seen) != 6 {
		t.Errorf("a replay set something aside again:\n%s", summary(seen))
	}
}

// rewind sets the group back to the start of every input topic.
func (b *bench) rewind() {
	b.Helper()
	adm := kadm.NewClient(b.client)
	topologytest.Eventually(b.T, "the group is set back", func() error {
		var back kadm.Offsets
		for _, topic := range b.topo.InputTopics(&b.topo.Integrations[0]) {
			for p := range b.topo.Partitions {
				back.AddOffset(topic, p, 0, -1)
			}
		}
		return adm.CommitAllOffsets(b.Context(), b.topo.Group("down"), back)
	})
}

// An integration of two topics has one ledger partition for both; the same key in each is two subjects.
func TestTwoTopicsShareALedger(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "[order.created, order.updated]", "[order.created, customer.registered]", 1))
	customer := event("c1", schemas.CustomerRegistered, "A", 1)
	customer.Customer = &schemas.Customer{ID: "A", Email: "ann@example.com"}
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), customer)
	b.wait(2)
	stop()
	calls := b.down.count()
	b.rewind()
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), customer, event("z", schemas.OrderCreated, "Z", 1))
	got := map[string]bool{}
	for _, k := range kinds(b.wait(5)) {
		got[k] = true
	}
	if diff := cmp.Diff(map[string]bool{"a1=delivered": true, "c1=delivered": true, "a1=duplicate/same_event": true, "c1=duplicate/same_event": true, "z=delivered": true}, got); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count() - calls; n != 1 {
		t.Errorf("%d calls after the restart, want 1", n)
	}
}

// Retry-After is a floor under the wait.
func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var first, second atomic.Int64
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		if n == 1 {
			first.Store(time.Now().UnixNano())
			return 429, http.Header{"Retry-After": {"1"}}, false
		}
		second.Store(time.Now().UnixNano())
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	if waited := time.Duration(second.Load() - first.Load()); waited < 900*time.Millisecond {
		t.Errorf("called again after %s, asked to wait 1s", waited)
	}
}

// An order with thousands of events costs what thousands of orders cost.
func TestOneOrderOfThousandsOfEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	const n = 3000
	topic := b.topo.TopicName(schemas.TopicOrders)
	var recs []*kgo.Record
	for i := range n {
		ev := event(fmt.Sprint("a", i), schemas.OrderUpdated, "A", i)
		value, err := b.serde.EncodeEvent(b.Context(), topic+"-value", ev)
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, &kgo.Record{Topic: topic, Key: []byte("A"), Value: value, Headers: schemas.EventHeaders(ev, "")})
	}
	if err := b.client.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.wait(n)
}

// A run that ends while a call is out lets it end, and its outcome is written.
func TestStopWhileDelivering(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	called, release := make(chan struct{}), make(chan struct{})
	b.down.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(called)
		<-release
		b.down.handle(w, r)
	})
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	<-called
	go func() {
		<-time.After(50 * time.Millisecond)
		close(release)
	}()
	stop()
	if diff := cmp.Diff([]string{"a1=delivered"}, kinds(b.wait(1))); diff != "" {
		t.Error(diff)
	}
}

// A topic that is deleted and made again starts anew, and what it repeats is still known: also to a worker that runs.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("running %v", running), func(t *testing.T) {
			t.Parallel()
			topicMadeAnew(t, running)
		})
	}
}

func topicMadeAnew(t *testing.T, running bool) {
	b := newBench(t, keyed)
	stop := b.start(func(c *consumers.Config) { c.Session = 6 * time.Second })
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	b.wait(2)
	if !running {
		stop()
	}
	b.anew(b.topo.TopicName(schemas.TopicOrders))
	fresh := b.kafka.Client(t, kgo.ProducerLinger(0)) // the old one keeps the old topic's id
	b.publishBy(fresh, event("a1", schemas.OrderCreated, "A", 1), event("a3", schemas.OrderUpdated, "A", 3))
	if !running {
		b.start()
	}
	want := []string{"a1=delivered", "a2=delivered", "a1=duplicate/same_event", "a3=delivered"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
}

func TestLargestRecordIsParked(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	value := make([]byte, 1_000_000) // as much as Kafka takes by default, poison, and nothing that compresses
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	rec := &kgo.Record{Topic: b.topo.TopicName(schemas.TopicOrders), Key: []byte("A"), Value: value}
	if err := b.kafka.Client(t, kgo.ProducerBatchMaxBytes(1_048_000)).ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.publish(event("b1", schemas.OrderCreated, "B", 1))
	seen := b.wait(2)
	if reasons := []schemas.Reason{seen[0].Reason, seen[1].Reason}; !slices.Contains(reasons, schemas.ReasonPoison) {
		t.Errorf("reasons %v, want poison for the large one", reasons)
	}
}
