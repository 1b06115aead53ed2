package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
)

// ledger measures what the number of known orders costs: room for each, the time to restore them, from Kafka and from the
// local copy, and whether an event costs more beside ten times as many.
func (s *suite) ledger(ctx context.Context) ([]Result, error) {
	res := Result{Case: "ledger/cost", Unit: "events/s", Target: 0.8,
		Note: fmt.Sprintf("events of known orders with %d orders in the ledger; against the same with %d", s.Orders, s.Orders/10)}
	sizes := &sizes{
		memory:   Result{Case: "ledger/memory", Unit: "bytes/order", Note: fmt.Sprintf("held by a worker without a local copy, of %d orders with one finished event and one operation each", s.Orders/10)},
		disk:     Result{Case: "ledger/disk", Unit: "bytes/order", Note: "of the local copy, which a worker with one holds instead"},
		restored: Result{Case: "ledger/restore", Unit: "orders/s", Note: "read from Kafka into a new local copy until the partition can work, one partition at a time"},
		resumed:  Result{Case: "ledger/resume", Unit: "ms", Note: fmt.Sprintf("until all partitions can work again with the local copy of %d orders, one after the other", s.Orders)},
	}
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
	side := func(name string, orders int, measure func(context.Context, string, int) error) side {
		return func(ctx context.Context, round int) (float64, error) {
			in := roundName(name, round)
			if err := g.know(ctx, in, orders); err != nil {
				return 0, err
			}
			if round == 0 {
				if err := measure(ctx, in, orders); err != nil {
					return 0, err
				}
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
	err = s.compare(ctx, &res, side("many", s.Orders, func(ctx context.Context, in string, orders int) error { return g.onDisk(ctx, in, orders, sizes) }),
		side("few", s.Orders/10, func(ctx context.Context, in string, orders int) error { return g.inMemory(ctx, in, orders, sizes) }))
	return []Result{res, sizes.memory, sizes.disk, sizes.restored, sizes.resumed}, errors.Join(err, g.remove())
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

// sizes is what a ledger takes.
type sizes struct{ memory, disk, restored, resumed Result }

// inMemory measures what the orders take in a worker without a local copy.
func (g *ground) inMemory(ctx context.Context, integration string, orders int, into *sizes) error {
	before := heap()
	stores, err := g.restore(ctx, integration, nil)
	if err != nil {
		return err
	}
	into.memory.Seam = append(into.memory.Seam, float64(heap()-before)/float64(orders))
	return into.memory.known(stores, orders)
}

// onDisk measures a local copy: how fast it is made and taken up again, and its size.
func (g *ground) onDisk(ctx context.Context, integration string, orders int, into *sizes) error {
	dir, err := os.MkdirTemp("", "seam-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk, err := ledger.Open(dir, g.Logger)
	if err != nil {
		return err
	}
	begin := time.Now()
	stores, err := g.restore(ctx, integration, disk)
	if err == nil {
		into.restored.Seam = append(into.restored.Seam, float64(orders)/time.Since(begin).Seconds())
		err = into.restored.known(stores, orders)
	}
	if err = errors.Join(err, disk.Close()); err != nil {
		return err
	}
	bytes, err := sizeOf(dir)
	if err != nil {
		return err
	}
	into.disk.Seam = append(into.disk.Seam, float64(bytes)/float64(orders))
	begin = time.Now()
	if disk, err = ledger.Open(dir, g.Logger); err != nil {
		return err
	}
	stores, err = g.restore(ctx, integration, disk)
	into.resumed.Seam = append(into.resumed.Seam, float64(time.Since(begin).Microseconds())/1000)
	if err == nil {
		err = into.resumed.known(stores, orders)
	}
	return errors.Join(err, disk.Close())
}

// known notes where not every order is.
func (res *Result) known(stores []*ledger.Store, orders int) error {
	known := 0
	for _, s := range stores {
		n, err := s.Len()
		if err != nil {
			return err
		}
		known += n
	}
	if known != orders {
		res.fault("%d orders are known of %d", known, orders)
	}
	return nil
}

// sizeOf is what the files of a folder take.
func sizeOf(dir string) (bytes int64, err error) {
	return bytes, filepath.WalkDir(dir, func(_ string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		info, err := f.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
}

// restore reads the ledger of every partition as a worker does that takes them over.
func (g *ground) restore(ctx context.Context, integration string, disk *ledger.Disk) ([]*ledger.Store, error) {
	g.tell("restoring the ledger of %s", integration)
	topicID, err := g.topicID(ctx)
	if err != nil {
		return nil, err
	}
	var stores []*ledger.Store
	for p := range g.Partitions {
		store, err := ledger.Restore(ctx, ledger.Source{Options: g.cluster, Group: g.topo.Group(integration), Serde: g.serde, Ledger: g.topo.Ledger(integration),
			Parked: g.topo.Parked(integration), Topic: schemas.TopicOrders, TopicID: topicID, Partition: p, Disk: disk, Window: 24 * time.Hour})
		if err != nil {
			return nil, err
		}
		stores = append(stores, store)
	}
	return stores, nil
}

// heap is what is alive, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
