package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// TestReadHistory reads a key's events with what one integration knows of it, whatever else its partition holds.
func TestReadHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	event := func(id schemas.EventID, subject string) *kgo.Record {
		return b.record(&schemas.Event{ID: id, Type: schemas.OrderCreated, System: "shop", Source: "/s", Subject: subject, Time: at, IngestedAt: at, Order: &schemas.Order{ID: subject}}, "")
	}
	entry := func(topic, key, order string, settled int64) *kgo.Record {
		name := b.topo.Ledger("books")
		value, err := b.serde.EncodeLedgerEntry(t.Context(), name+"-value", &schemas.LedgerEntry{Topic: topic, Key: order, Settled: settled, UpdatedAt: at})
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: name, Key: []byte(key), Value: value}
	}
	waits := b.record(&schemas.ParkedRecord{Integration: "books", EventID: "e2", EventType: schemas.OrderCreated, Key: "1", Topic: schemas.TopicOrders, Offset: 1, Reason: schemas.ReasonContract, Since: at}, "")
	waits.Partition = 0
	if err := b.client.ProduceSync(t.Context(), event("e1", "1"), event("o1", "2"), event("e2", "1"), waits,
		entry(schemas.TopicOrders, "1", "1", 0), entry(schemas.TopicOrders, "2", "2", 7), entry(schemas.TopicCustomers, "customers:1", "1", 9), entry(schemas.TopicOrders, "1", "1", 2)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	h, err := reconcile.ReadHistory(t.Context(), b.reading(at), "books", "1")
	if err != nil {
		t.Fatal(err)
	}
	if h.Topic != schemas.TopicOrders || len(h.Events) != 2 || h.Events[0].Event.ID != "e1" || h.Events[1].Event.ID != "e2" || h.Entry == nil || h.Entry.Settled != 2 {
		t.Errorf("history %+v, entry %+v", h, h.Entry)
	}
	if _, err := reconcile.ReadHistory(t.Context(), b.reading(at), "nosuch", "3"); !errors.Is(err, reconcile.ErrNotFound) {
		t.Errorf("an order that nobody told of: %v", err)
	}
	if h, err = reconcile.ReadHistory(t.Context(), b.reading(at), "nosuch", "2"); err != nil || h.Entry != nil || len(h.Events) != 1 {
		t.Errorf("an integration that has no topics: %+v, %v", h, err)
	}
}
