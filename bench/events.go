package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
)

const (
	perOrder = 4    // events of an order
	apart    = 1000 // orders whose events are mingled
	every    = 50   // one record in so many is there twice: 2 %
)

// feed is the records of a case's orders topic: a Kafka value of about 400 bytes each.
type feed struct {
	events     int // records
	duplicates bool
	system     schemas.System // who speaks: the shop owns every field, others none
}

// orders is how many orders the feed tells of.
func (f feed) orders() int { return (f.distinct() + perOrder - 1) / perOrder }

// distinct is how many of its events are not repetitions.
func (f feed) distinct() int {
	if !f.duplicates {
		return f.events
	}
	return f.events - f.events/every
}

// start is the time of the first event; the next is a millisecond later.
var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// event is the n-th distinct event: of each order the version counts up from 1, and the order's next event is apart
// later.
func (f feed) event(n int) *schemas.Event {
	block, in := n/(perOrder*apart), n%(perOrder*apart)
	order, version := block*apart+in%apart, in/apart+1
	id := strconv.Itoa(7_000_000_000 + order)
	delivery := fmt.Sprintf("d-%d", n)
	at := start.Add(time.Duration(n) * time.Millisecond)
	total, _ := schemas.NewMoney(fmt.Sprintf("%d.50", 20+order%80), "EUR") // always fits
	price, _ := schemas.NewMoney("10.25", "EUR")
	ev := &schemas.Event{ID: schemas.NewEventID("/bench", delivery, ""), Type: schemas.OrderUpdated, Source: "/bench", System: f.system, Subject: id, Time: at, IngestedAt: at,
		SourceVersion: strconv.Itoa(version), DeliveryID: delivery, BusinessID: "order.updated/" + id + "/" + strconv.Itoa(version),
		RawRef: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Order: &schemas.Order{ID: id, Number: "#" + id, Status: "open", PaymentStatus: "paid", Email: "customer" + id + "@example.com", Total: total,
			Lines: []schemas.Line{{ID: id + "1", SKU: "MUG-BLUE", Title: "Mug, blue", Quantity: 2, Price: price}, {ID: id + "2", SKU: "TEE-L", Title: "T-shirt, L", Quantity: 1, Price: price}}}}
	return ev
}

// write produces the feed and returns how many records it holds.
func (g *ground) write(ctx context.Context, f feed) (int64, error) {
	g.tell("writing %d events of %d orders", f.events, f.orders())
	topic := g.topo.TopicName(schemas.TopicOrders)
	var failed firstError
	var recent [every]*kgo.Record
	for i, n := 0, 0; i < f.events && failed.get() == nil; i++ {
		if f.duplicates && i%every == every-1 {
			again := *recent[(i-every/2)%every]
			g.client.Produce(ctx, &kgo.Record{Topic: again.Topic, Key: again.Key, Value: again.Value, Headers: again.Headers}, failed.promise)
			continue
		}
		ev := f.event(n)
		n++
		value, err := g.serde.EncodeEvent(ctx, topic+"-value", ev)
		if err != nil {
			return 0, err
		}
		rec := &kgo.Record{Topic: topic, Key: []byte(ev.Subject), Value: value, Headers: schemas.EventHeaders(ev, "")}
		recent[i%every] = rec
		g.client.Produce(ctx, rec, failed.promise)
	}
	if err := g.client.Flush(ctx); err != nil {
		return 0, err
	}
	return int64(f.events), failed.get()
}

// firstError keeps the first error of many.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *firstError) promise(_ *kgo.Record, err error) {
	if err != nil {
		f.set(err)
	}
}
