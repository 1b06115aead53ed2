package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// bench is a cluster with the topology, and a producer.
type bench struct {
	*testing.T
	kafka  *topologytest.Kafka
	topo   *topology.Topology
	serde  *schemas.Serde
	client *kgo.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	k := topologytest.Cluster(t)
	b := &bench{T: t, kafka: k, topo: load(t, k.Prefix), client: k.Client(t, kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))}
	registry := k.RegistryClient(t)
	if _, err := topology.Ensure(t.Context(), b.topo, b.client, registry); err != nil {
		t.Fatal(err)
	}
	b.serde = schemas.NewSerde(registry)
	admin := kadm.NewClient(b.client)
	topologytest.Eventually(t, "the topics are known", func() error {
		topics, err := admin.ListTopics(t.Context())
		for _, topic := range b.topo.Topics {
			if err == nil && !topics.Has(topic.Name) {
				err = errors.New(topic.Name + " is not")
			}
		}
		return err
	})
	return b
}

// reading is how the command line reads.
func (b *bench) reading(now time.Time) reconcile.ReadConfig {
	return reconcile.ReadConfig{Options: b.options(), Serde: b.serde, Topology: b.topo, Now: func() time.Time { return now }}
}

func (b *bench) options() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)} }

// record is a record of one of our types; key overrides what follows from it.
func (b *bench) record(v any, key string) *kgo.Record {
	b.Helper()
	rec := &kgo.Record{}
	var err error
	switch v := v.(type) {
	case *schemas.Event:
		rec.Topic, rec.Key, rec.Headers = b.topo.TopicName(v.Type.Topic()), []byte(v.Subject), schemas.EventHeaders(v, "")
		rec.Value, err = b.serde.EncodeEvent(b.Context(), rec.Topic+"-value", v)
	case *schemas.Outcome:
		rec.Topic, rec.Key = b.topo.TopicName(topology.TopicReconciliation), []byte(v.OrderID)
		rec.Value, err = b.serde.EncodeOutcome(b.Context(), rec.Topic+"-value", v)
	case *schemas.ParkedRecord:
		rec.Topic, rec.Key = b.topo.Parked(v.Integration), []byte(v.Key+"|"+string(v.EventID))
		rec.Value, err = b.serde.EncodeParkedRecord(b.Context(), rec.Topic+"-value", v)
	case *schemas.WorkerStatus:
		rec.Topic, rec.Key = b.topo.TopicName(topology.TopicStatus), []byte(v.Integration+"/"+v.Instance)
		rec.Value, err = b.serde.EncodeWorkerStatus(b.Context(), rec.Topic+"-value", v)
	default:
		b.Fatalf("no record: %T", v)
	}
	if err != nil {
		b.Fatal(err)
	}
	if key != "" {
		rec.Key = []byte(key)
	}
	return rec
}

func (b *bench) produce(recs ...*kgo.Record) {
	b.Helper()
	for _, rec := range recs { // one by one: in order
		if err := b.client.ProduceSync(b.Context(), rec).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// transact produces in a transaction and ends it as asked.
func (b *bench) transact(end kgo.TransactionEndTry, recs ...*kgo.Record) {
	b.Helper()
	cl := b.kafka.Client(b.T, kgo.TransactionalID(b.kafka.Prefix+"writer"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err := cl.BeginTransaction(); err != nil {
		b.Fatal(err)
	}
	if err := cl.ProduceSync(b.Context(), recs...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	if err := cl.EndTransaction(b.Context(), end); err != nil {
		b.Fatal(err)
	}
	cl.Close()
}

// follow keeps a view current until the test ends.
func (b *bench) follow(now time.Time) *reconcile.View {
	return b.followIn(sqliteFile(b.T), now)
}

// followIn keeps the view of a database current until the test ends.
func (b *bench) followIn(database string, now time.Time) *reconcile.View {
	view := openView(b.T, database, b.topo, now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: b.topo, View: view})
	}()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("follow: %v", err)
		}
	})
	return view
}

func (b *bench) caughtUp(view *reconcile.View) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := view.CaughtUp(ctx); err != nil {
		b.Fatal(err)
	}
}

// TestEndToEnd writes what sources and workers write, and asks the view and the command line's readers.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid")
	other := order(t, event("o1", schemas.OrderCreated, "shop", 0), "5.00 EUR", "paid")
	other.Subject = "1002"
	customer := event("c1", schemas.CustomerRegistered, "shop", 0)
	customer.Subject, customer.Customer = "77", &schemas.Customer{ID: "77", Email: "jane@example.com"}
	erp := order(t, event("b1", schemas.OrderUpdated, "erp", 60), "25.00 EUR", "paid")
	parked := outcome("warehouse", "e1", schemas.OrderCreated, schemas.Parked, schemas.ReasonUnknown, 9)
	poison := &kgo.Record{Topic: b.topo.TopicName(schemas.TopicOrders), Key: []byte("1001"), Value: []byte("junk")}
	stranger := outcome("books", "o1", schemas.OrderCreated, schemas.Delivered, "", 2)
	stranger.OrderID = "1002"
	never := outcome("books", "e1", schemas.OrderCreated, schemas.Rejected, schemas.ReasonBusinessNo, 1)

	b.produce(b.record(created, ""), b.record(other, ""), b.record(customer, ""), b.record(created, ""), b.record(erp, ""), poison)
	b.transact(kgo.TryAbort, b.record(never, ""))
	b.transact(kgo.TryCommit, b.record(outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 2), ""), b.record(stranger, ""), b.record(parked, ""),
		b.record(&schemas.ParkedRecord{Integration: "warehouse", EventID: "e1", EventType: schemas.OrderCreated, Key: "1001", Topic: "orders", Reason: schemas.ReasonUnknown, Since: at(9)}, ""))
	view := b.follow(at(2000))
	b.caughtUp(view)

	o := answer(t, view, "1001")
	const verdict = "complete in 0 of 2, unknown in warehouse, pending in books, in disagreement on order.total (erp); page finance, fulfilment"
	if o.Verdict != verdict || o.Duplicates != 1 || len(o.Events) != 3 || o.Freshness.BehindRecords != 0 {
		t.Errorf("view: %q, %d duplicates, %d events, %v; want %q", o.Verdict, o.Duplicates, len(o.Events), o.Freshness, verdict)
	}
	read, err := reconcile.ReadOrder(t.Context(), b.reading(at(2000)), "1001")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(asJSON(t, withoutFreshness(o)), asJSON(t, withoutFreshness(read))); d != "" {
		t.Errorf("the reader's order differs from the view's (-view +reader):\n%s", d)
	}
	if list, all, err := view.Disagreements(t.Context(), true, 10); err != nil || all != 1 || len(list) != 1 || list[0].Field != "order.total" {
		t.Errorf("disagreements %+v, %v", list, err)
	}
	s := summary(t, view)
	s.Freshness = reconcile.Freshness{}
	want := reconcile.Summary{Orders: 2, Customers: 1, Events: 5, Duplicates: 1, Undecodable: 1, Parked: map[schemas.Reason]int{schemas.ReasonUnknown: 1},
		Outcomes: map[string]map[schemas.Kind]int{"books": {schemas.Delivered: 2}, "warehouse": {schemas.Parked: 1}}}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	if c := answer(t, view, "customers:77"); c.Topic != "customers" || len(c.Events) != 1 {
		t.Errorf("customer 77: %+v", c)
	}
	if list, all, err := view.Orders(t.Context(), 10, reconcile.StateUnknown); err != nil || all != 1 || len(list) != 1 || list[0].Key != "1001" {
		t.Errorf("unknown orders: %+v, %v", list, err)
	}
	if list, all, err := view.Orders(t.Context(), 1); err != nil || all != 2 || len(list) != 1 {
		t.Errorf("%d of %d orders, want 1 of 2: %v", len(list), all, err)
	}

	b.transact(kgo.TryCommit, b.record(outcome("warehouse", "e1", schemas.OrderCreated, schemas.Discarded, schemas.ReasonOperator, 3000), ""))
	b.caughtUp(view)
	if o, s := answer(t, view, "1001"), summary(t, view); len(s.Parked) != 0 || o.Integrations[1].State != reconcile.StatePending {
		t.Errorf("after it was discarded: parked %v, %+v", s.Parked, o.Integrations[1])
	}
}

func withoutFreshness(o *reconcile.Order) reconcile.Order {
	c := *o
	c.Freshness = nil
	return c
}

func TestReadOrderFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := reconcile.ReadOrder(t.Context(), b.reading(noon), "4711"); !errors.Is(err, reconcile.ErrNotFound) {
		t.Errorf("an unknown key gives %v", err)
	}
	elsewhere := b.reading(noon)
	elsewhere.Topology = load(t, "elsewhere.")
	if _, err := reconcile.ReadOrder(t.Context(), elsewhere, "4711"); err == nil || !strings.Contains(err.Error(), "does not exist: seam apply makes it") {
		t.Errorf("missing topics give %v", err)
	}
	if _, err := reconcile.Parked(t.Context(), b.reading(noon), "nobody"); err == nil || err.Error() != `unknown integration "nobody": the topology has books, warehouse` {
		t.Errorf("an unknown integration gives %v", err)
	}
}

// TestReadOrderWithoutKey finds a record that has no key under the name that the workers park it by.
func TestReadOrderWithoutKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rec := b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), "")
	rec.Key = nil
	b.produce(rec)
	key := rec.Topic + "/" + string('0'+rec.Partition) + "/0"
	o, err := reconcile.ReadOrder(t.Context(), b.reading(noon), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Events) != 1 || o.Events[0].ID != "e1" || o.Key != key {
		t.Errorf("%+v", o)
	}
}

// TestOpenTransaction is answered within a bound, and what it keeps back is counted.
func TestOpenTransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.produce(b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), ""))
	cl := b.kafka.Client(t, kgo.TransactionalID(b.kafka.Prefix+"dead"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), b.record(outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 2), "")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	o, err := reconcile.ReadOrder(t.Context(), b.reading(at(60)), "1001")
	if err != nil {
		t.Fatal(err)
	}
	if o.Freshness.BehindRecords != 1 || o.State != reconcile.StatePending {
		t.Errorf("%+v, %s", o.Freshness, o.State)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if o, err = reconcile.ReadOrder(t.Context(), b.reading(at(60)), "1001"); err != nil || o.Freshness.BehindRecords != 0 || o.Integrations[0].State != reconcile.StateComplete {
		t.Errorf("after the commit: %+v, %v", o, err)
	}
}

func TestReadStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var recs []*kgo.Record
	for i := range 4 {
		rec := b.record(order(t, event("e"+string('0'+rune(i)), schemas.OrderCreated, "shop", i), "20.00 EUR", "paid"), "")
		rec.Timestamp = at(i * 10)
		recs = append(recs, rec)
	}
	b.produce(recs...)
	var offsets kadm.Offsets
	offsets.AddOffset(recs[0].Topic, recs[0].Partition, 3, -1)
	if err := kadm.NewClient(b.client).CommitAllOffsets(t.Context(), b.topo.Group("books"), offsets); err != nil {
		t.Fatal(err)
	}
	success := at(20)
	park := func(id string, reason schemas.Reason) *kgo.Record {
		return b.record(&schemas.ParkedRecord{Integration: "warehouse", EventID: schemas.EventID(id), EventType: schemas.OrderCreated, Key: "1001", Topic: "orders", Reason: reason, Since: at(9)}, "")
	}
	gone := park("p3", schemas.ReasonContract)
	gone.Value = nil
	b.produce(
		b.record(&schemas.WorkerStatus{Integration: "books", Instance: "a", State: "running", Circuit: "closed", LastSuccess: &success, At: at(95)}, ""),
		b.record(&schemas.WorkerStatus{Integration: "books", Instance: "b", State: "running", Circuit: "closed", At: at(60)}, ""),
		b.record(&schemas.WorkerStatus{Integration: "books", Instance: "a", State: "paused", Circuit: "open", CircuitWhy: "credentials refused", LastSuccess: &success, At: at(98)}, ""),
		park("p1", schemas.ReasonContract), park("p2", schemas.ReasonUnknown), park("p3", schemas.ReasonContract), park("p2", schemas.ReasonBusinessNo), gone,
	)
	got, err := reconcile.ReadStatus(t.Context(), b.reading(at(100)))
	if err != nil {
		t.Fatal(err)
	}
	want := []reconcile.Status{
		{Integration: "books", Team: "finance", Group: b.topo.Group("books"), State: "paused", Circuit: "open", CircuitWhy: "credentials refused", LagRecords: 1, LagSeconds: 70, LastSuccess: &success,
			ParkedBy: map[schemas.Reason]int64{}, Instances: []reconcile.Instance{{Name: "a", State: "paused", Circuit: "open", At: at(98)}, {Name: "b", State: "stale", Circuit: "closed", At: at(60)}}},
		{Integration: "warehouse", Team: "fulfilment", Group: b.topo.Group("warehouse"), State: "absent", LagRecords: 4, LagSeconds: 100, Parked: 2,
			ParkedBy: map[schemas.Reason]int64{schemas.ReasonContract: 1, schemas.ReasonBusinessNo: 1}, Instances: []reconcile.Instance{}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	parked, err := reconcile.Parked(t.Context(), b.reading(at(100)), "warehouse")
	if err != nil || len(parked) != 2 || parked[0].EventID != "p1" || parked[1].Reason != schemas.ReasonBusinessNo {
		t.Errorf("parked: %+v, %v", parked, err)
	}
}
