package consumers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// leftReleased is an event that a person had released when the worker died: parked, and the decision taken in.
func (b *bench) leftReleased(ev *schemas.Event) {
	b.Helper()
	read := b.record(ev)
	w := &schemas.ParkedRecord{Integration: "down", EventID: ev.ID, EventType: ev.Type, Key: ev.Subject, Topic: schemas.TopicOrders, Partition: b.partition(ev.Subject), Headers: map[string]string{},
		Value: read.Value, Reason: schemas.ReasonReleased, Released: "by ann: looked", Since: time.Now(), Command: 0}
	for _, h := range read.Headers {
		w.Headers[h.Key] = string(h.Value)
	}
	topic := b.topo.Parked("down")
	value, err := b.serde.EncodeParkedRecord(b.Context(), topic+"-value", w)
	if err != nil {
		b.Fatal(err)
	}
	cl := b.kafka.Client(b.T, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	rec := &kgo.Record{Topic: topic, Partition: w.Partition, Key: []byte(ledger.ParkedKey(schemas.TopicOrders, w.Key, ev.ID)), Value: value}
	if err := cl.ProduceSync(b.Context(), rec).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// TestReleasedByADeadWorker: whether its call was made is not known. Where a repetition does no harm or can be asked for, the
// event goes on as released; else a person must decide again.
func TestReleasedByADeadWorker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, integration, want string
		calls                   int
	}{
		{"a key makes the repetition harmless", keyed, "a1=delivered", 1},
		{"an upsert is harmless", strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{upsert: true}", 1), "a1=delivered", 1},
		{"what it waited for did not come meanwhile", warehouse, "a1=delivered", 1},
		{"nothing helps", strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1), "a1=parked/unknown", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.integration)
			b.leftReleased(event("a1", schemas.OrderCreated, "A", 1))
			b.start()
			if diff := cmp.Diff([]string{tt.want}, kinds(b.wait(1))); diff != "" {
				t.Error(diff)
			}
			if n := b.down.count(); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

// TestADecisionIsTakenInOnce: the event is parked again after its release, and a restart reads the commands from their start.
func TestADecisionIsTakenInOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1))
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 0, nil, false }
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	b.wait(3)
	stop()
	b.start()
	b.decide(schemas.Discard, "A", "a1") // stands behind the release
	want := []string{"a1=parked/unknown", "a1=parked/released", "a1=parked/unknown", "a1=discarded/operator"}
	if diff := cmp.Diff(want, kinds(b.wait(4))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 2 {
		t.Errorf("%d calls, want one and one more for the release", n)
	}
}
