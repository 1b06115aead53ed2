package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	viewBatch  = 2000 // records of one transaction, as Follow has them at most
	viewApart  = 200  // orders whose records are mingled
	viewAnswer = 200  // orders that are asked for
)

// view measures the reconciler on a database that holds so many orders of the shipped topology: an event of each and an
// outcome of every integration.
func (s *suite) view(ctx context.Context) ([]Result, error) {
	rate := Result{Case: "view/rate", Unit: "outcomes/s", Target: 10_000, Least: true, Note: fmt.Sprintf("taken into a view of %d orders, with the events they are of: the last tenth", s.Orders)}
	answer := Result{Case: "view/order", Unit: "ms", Target: 100, Most: true, Note: fmt.Sprintf("until one of %d orders is answered, the slowest of %d", s.Orders, viewAnswer)}
	for round := range s.Rounds {
		s.tell("view: round %d of %d", round+1, s.Rounds)
		perSecond, slowest, err := s.fillView(ctx, &rate)
		if err != nil {
			return nil, err
		}
		rate.Seam, answer.Seam = append(rate.Seam, perSecond), append(answer.Seam, float64(slowest.Microseconds())/1000)
	}
	return []Result{rate, answer}, nil
}

// fillView takes all orders into a fresh SQLite view.
func (s *suite) fillView(ctx context.Context, res *Result) (perSecond float64, slowest time.Duration, err error) {
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		return 0, 0, err
	}
	serde, closeRegistry, err := memoryRegistry()
	if err != nil {
		return 0, 0, err
	}
	defer closeRegistry()
	dir, err := os.MkdirTemp("", "seam-bench-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	now := start.Add(24 * time.Hour)
	view, err := reconcile.OpenView(ctx, reconcile.ViewConfig{Database: filepath.Join(dir, "view.db"), Topology: topo, Now: func() time.Time { return now }})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	w := &viewWriter{topo: topo, serde: serde, next: map[string]int64{}}
	var took time.Duration
	outcomes := 0
	for at := 0; at < s.Orders; at += viewApart {
		recs, n, err := w.records(ctx, at, min(at+viewApart, s.Orders))
		if err != nil {
			return 0, 0, err
		}
		began := time.Now()
		for some := range slices.Chunk(recs, viewBatch) {
			if err := view.Apply(ctx, serde, some...); err != nil {
				return 0, 0, err
			}
		}
		if at >= s.Orders-s.Orders/10 {
			took += time.Since(began)
			outcomes += n
		}
	}
	for i := range viewAnswer {
		key := orderID(i * (s.Orders / viewAnswer))
		began := time.Now()
		o, err := view.Order(ctx, key)
		if err != nil {
			return 0, 0, err
		}
		slowest = max(slowest, time.Since(began))
		if o.State != reconcile.StateComplete {
			res.fault("order %s is %s", key, o.State)
		}
	}
	if sum, err := view.Summary(ctx); err != nil || sum.Orders != s.Orders {
		res.fault("the view holds %d orders of %d (%v)", sum.Orders, s.Orders, err)
	}
	return float64(outcomes) / took.Seconds(), slowest, nil
}

func orderID(n int) string { return strconv.Itoa(7_000_000_000 + n) }

// viewWriter makes records as topics have them.
type viewWriter struct {
	topo  *topology.Topology
	serde *schemas.Serde
	next  map[string]int64
}

// records is those of some orders: their events, then what each integration made of them.
func (w *viewWriter) records(ctx context.Context, from, to int) (recs []*kgo.Record, outcomes int, err error) {
	f := feed{system: "shop"}
	var events []*schemas.Event
	for n := from; n < to; n++ {
		ev := f.event(n)
		ev.ID, ev.Type, ev.Subject, ev.Order.ID = schemas.NewEventID("/bench", orderID(n), ""), schemas.OrderCreated, orderID(n), orderID(n)
		value, err := w.serde.EncodeEvent(ctx, "orders-value", ev)
		if err != nil {
			return nil, 0, err
		}
		events = append(events, ev)
		recs = append(recs, w.record(schemas.TopicOrders, ev.Subject, value, schemas.EventHeaders(ev, "")))
	}
	for i := range w.topo.Integrations {
		in := &w.topo.Integrations[i]
		for _, ev := range events {
			o := &schemas.Outcome{Integration: in.Name, EventID: ev.ID, EventType: ev.Type, OrderID: ev.Subject, Kind: schemas.Withheld, Reason: schemas.ReasonNotSubscribed, EventTime: ev.Time,
				IngestedAt: ev.IngestedAt, At: ev.IngestedAt.Add(time.Second), Topic: schemas.TopicOrders, Instance: "bench"}
			if in.ActsOn(ev.Type) {
				o.Kind, o.Reason, o.Operation, o.IdempotencyKey, o.Reference = schemas.Delivered, "", in.Operation, string(ev.ID), "ref-"+ev.Subject
				o.Attempts = []schemas.Attempt{{At: o.At, TookMS: 12, Status: 201, Class: "delivered"}}
			}
			value, err := w.serde.EncodeOutcome(ctx, "reconciliation-value", o)
			if err != nil {
				return nil, 0, err
			}
			recs = append(recs, w.record(topology.TopicReconciliation, ev.Subject, value, nil))
			outcomes++
		}
	}
	return recs, outcomes, nil
}

func (w *viewWriter) record(topic, key string, value []byte, headers []kgo.RecordHeader) *kgo.Record {
	rec := &kgo.Record{Topic: topic, Key: []byte(key), Value: value, Headers: headers, Offset: w.next[topic]}
	w.next[topic]++
	return rec
}

// memoryRegistry is a registry of this process.
func memoryRegistry() (serde *schemas.Serde, end func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: schemas.NewMemoryRegistry(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }() // ends with ErrServerClosed
	client, err := sr.NewClient(sr.URLs("http://" + ln.Addr().String()))
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	return schemas.NewSerde(client), func() { _ = server.Close() }, nil
}
