package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// intents counts, by order, the operations that the ledger topic holds as intended. It reads to the high watermark, for a
// commit is answered before its markers stand in the partitions.
func (b *bench) intents(ctx context.Context) (map[string]int, error) {
	topic := b.topo.Ledger("down")
	ends, err := kadm.NewClient(b.client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.kafka.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	out := map[string]int{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
			if rec.Attrs.IsControl() {
				return
			}
			e, decodeErr := b.serde.DecodeLedgerEntry(ctx, rec.Value)
			if err = errors.Join(err, decodeErr); decodeErr != nil {
				return
			}
			delete(out, string(rec.Key))
			for _, op := range e.Operations {
				if op.State == schemas.OpIntent {
					out[string(rec.Key)]++
				}
			}
		})
	}
	return out, err
}

// TestCallsThatMustBeKnownAreIntendedFirst: where a repetition does harm, now or once the key is forgotten, the ledger tells of
// the call before it is made.
func TestCallsThatMustBeKnownAreIntendedFirst(t *testing.T) {
	t.Parallel()
	type known struct {
		intents, below int64
	}
	for idempotency, want := range map[string]known{"{none: true}": {1, 0}, "{key: Idempotency-Key, remembers: 24h}": {0, 1}, `{probe: "GET URL/things?reference={event.id}"}`: {1, 0}, "{upsert: true}": {0, 0}} {
		t.Run(idempotency, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", idempotency, 1))
			found := make(chan known, 1)
			b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
				intents, err := b.intents(r.Context())
				if err != nil {
					t.Error(err)
				}
				store, err := b.read("A")
				if err != nil {
					t.Error(err)
				} else if n == 1 {
					told := known{intents: int64(intents["A"])}
					if calls := store.Entry(ledger.PartitionKey).Calls; calls != nil {
						told.below = calls.Below
					}
					found <- told
				}
				return 200, nil, true
			}
			b.start()
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			b.wait(1)
			if got := <-found; got != want {
				t.Errorf("the ledger had %+v at the call, want %+v", got, want)
			}
		})
	}
}

// TestNothingIsIntendedByTheThousand: a worker that dies while its downstream is away leaves few calls of which nobody
// knows whether they were made.
func TestNothingIsIntendedByTheThousand(t *testing.T) {
	t.Parallel()
	const orders = 200
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1)+"in_flight: 4\nbreaker: {of: 4, open: 1h}\n")
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 503, nil, false }
	for i := range orders {
		b.publish(event(fmt.Sprintf("e%d", i), schemas.OrderCreated, fmt.Sprintf("o%d", i), 1))
	}
	paused := make(chan struct{}, 1)
	b.start(func(c *consumers.Config) {
		c.Report = func(st *schemas.WorkerStatus) {
			if st.State == "paused" && st.InFlight == 0 {
				select {
				case paused <- struct{}{}:
				default:
				}
			}
		}
	})
	<-paused
	<-paused // told every few seconds: by then everything was read and waits
	known, err := b.intents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(known); n == 0 || n > orders/4 { // a slow machine makes more calls during one transaction
		t.Errorf("%d of %d orders are intended", n, orders)
	}
}

// TestManyOrdersWaitForTheirIntents: far more orders than may be intended at once, each with several events, all get their
// turn, in order.
func TestManyOrdersWaitForTheirIntents(t *testing.T) {
	t.Parallel()
	const orders, each = 1000, 4
	b := newBench(t, keyed+"in_flight: 16\n")
	var events []*schemas.Event
	for v := range each {
		for o := range orders {
			events = append(events, event(fmt.Sprintf("o%d-%d", o, v), schemas.OrderUpdated, fmt.Sprintf("o%d", o), v+1))
		}
	}
	b.publishAll(events)
	b.start()
	b.wait(orders * each)
	last := map[string]string{}
	for _, ref := range b.down.order {
		order, version, _ := strings.Cut(ref, "-")
		if version <= last[order] {
			t.Errorf("%s came after %s-%s", ref, order, last[order])
		}
		last[order] = version
	}
	if len(b.down.order) != orders*each {
		t.Errorf("%d effects of %d", len(b.down.order), orders*each)
	}
}
