package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
)

// ledger measures what the number of known orders costs: memory for each, the time to restore them, and whether an event
// costs more beside ten times as many.
func (s *suite) ledger(ctx context.Context) ([]Result, error) {
	res := Result{Case: "ledger/cost", Unit: "events/s", Target: 0.8,
		Note: fmt.Sprintf("events of known orders with %d orders in the ledger; against the same with %d", s.Orders, s.Orders/10)}
	size := Result{Case: "ledger/size", Unit: "bytes/order", Note: "of memory, each order with one finished event and one operation"}
	restored := Result{Case: "ledger/restore", Unit: "orders/s", Note: "read from Kafka until the partition can work, one partition at a time"}
	few, many := s.rounds("few", withheldYAML), s.rounds("many", withheldYAML)
	for name, text := range many {
		few[name] = text
	}
	g, err := s.ground(ctx, few, nil)
	if err != nil {
		return nil, err
	}
	f := feed{events: max(s.Events/10, 1000), duplicates: true, system: "erp"}
	total, err := g.write(ctx, f)
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	side := func(name string, orders int, measure bool) side {
		return func(ctx context.Context, round int) (float64, error) {
			in := roundName(name, round)
			if err := g.know(ctx, in, orders); err != nil {
				return 0, err
			}
			if measure && round == 0 {
				bytes, perSecond, err := g.restore(ctx, in, orders, &restored)
				if err != nil {
					return 0, err
				}
				size.Seam, restored.Seam = append(size.Seam, bytes), append(restored.Seam, perSecond)
			}
			clk := &clock{topic: g.topo.TopicName(schemas.TopicOrders)}
			_, stop := g.worker(in, kgo.WithHooks(clk))
			end, since, err := g.committed(ctx, g.topo.Group(in), clk.topic, total)
			if err = errors.Join(err, stop()); err != nil {
				return 0, err
			}
			if since.records < total { // from the first commit on: before that it restored
				return float64(total-since.records) / end.Sub(since.at).Seconds(), nil
			}
			return clk.rate(total, end), nil // all went into one commit
		}
	}
	err = s.compare(ctx, &res, side("many", s.Orders, true), side("few", s.Orders/10, false))
	return []Result{res, size, restored}, errors.Join(err, g.remove())
}

const withheldYAML = "idempotency: {upsert: true}\ndeliver:\n  - on: [order.updated]\n    http: {url: \"http://127.0.0.1:1/\"}\n    body: {id: event.id}\n"

// know writes a ledger of so many orders, among them those of the feed, as a worker would have.
func (g *ground) know(ctx context.Context, integration string, orders int) error {
	g.tell("writing a ledger of %d orders", orders)
	cl, err := kgo.NewClient(append(producers.ClientOpts(), g.cluster...)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	topicID, err := g.topicID(ctx)
	if err != nil {
		return err
	}
	topic := g.topo.Ledger(integration)
	var failed firstError
	for i := 0; i < orders && failed.get() == nil; i++ {
		key := strconv.Itoa(7_000_000_000 + i)
		id := schemas.NewEventID("/bench", "earlier-"+key, "")
		value, err := g.serde.EncodeLedgerEntry(ctx, topic+"-value", &schemas.LedgerEntry{Topic: schemas.TopicOrders, TopicID: topicID, Key: key, Settled: -1,
			Events:     []schemas.FinishedEvent{{ID: id, BusinessID: "order.created/" + key, Kind: schemas.Delivered, At: start}},
			Operations: []schemas.Operation{{Name: "record", State: schemas.OpDone, EventID: id, Key: string(id), Version: "0", At: start}},
			Seen:       []schemas.EventType{schemas.OrderCreated}, UpdatedAt: start})
		if err != nil {
			return err
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, failed.promise)
	}
	return errors.Join(cl.Flush(ctx), failed.get())
}

// topicID is Kafka's id of the orders topic, as the ledger holds it.
func (g *ground) topicID(ctx context.Context) (string, error) {
	name := g.topo.TopicName(schemas.TopicOrders)
	topics, err := g.adm.ListTopics(ctx, name)
	if err != nil {
		return "", err
	}
	id := topics[name].ID
	return base64.RawURLEncoding.EncodeToString(id[:]), topics[name].Err
}

// restore reads the ledger of every partition as a worker does that takes them over, and gives the memory that an order
// takes in bytes and how many were read in a second.
func (g *ground) restore(ctx context.Context, integration string, orders int, res *Result) (bytes, perSecond float64, err error) {
	g.tell("restoring %d orders", orders)
	topicID, err := g.topicID(ctx)
	if err != nil {
		return 0, 0, err
	}
	before, begin := heap(), time.Now()
	var stores []*ledger.Store
	known := 0
	for p := range g.Partitions {
		store, err := ledger.Restore(ctx, ledger.Source{Options: g.cluster, Group: g.topo.Group(integration), Serde: g.serde, Ledger: g.topo.Ledger(integration),
			Parked: g.topo.Parked(integration), Topic: schemas.TopicOrders, TopicID: topicID, Partition: p})
		if err != nil {
			return 0, 0, err
		}
		stores = append(stores, store)
		n, err := store.Len()
		if err != nil {
			return 0, 0, err
		}
		known += n
	}
	took := time.Since(begin)
	if known != orders {
		res.fault("%d orders were restored of %d", known, orders)
	}
	bytes = float64(heap()-before) / float64(orders)
	runtime.KeepAlive(stores)
	return bytes, float64(orders) / took.Seconds(), nil
}

// heap is what is alive, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
