package consumers_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// decide writes a person's decision about an event of an order.
func (b *bench) decide(kind schemas.CommandKind, order, event string) {
	b.Helper()
	b.decideFor("down", kind, order, event)
}

// decideFor writes a decision about an event in any integration.
func (b *bench) decideFor(integration string, kind schemas.CommandKind, order, event string) {
	b.Helper()
	topic := b.topo.TopicName(topology.TopicCommands)
	c := &schemas.Command{ID: string(kind) + event, Kind: kind, Integration: integration, Topic: schemas.TopicOrders, Key: order, EventID: schemas.EventID(event), Who: "ann", Why: "looked", At: noon}
	value, err := b.serde.EncodeCommand(b.Context(), topic+"-value", c)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.client.ProduceSync(b.Context(), &kgo.Record{Topic: topic, Key: []byte(order), Value: value}).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// switched answers code while it is on, and 200 with an effect after.
type switched struct{ off atomic.Bool }

func (s *switched) answer(code int, effect bool) func(int, *http.Request) (int, http.Header, bool) {
	return func(int, *http.Request) (int, http.Header, bool) {
		if s.off.Load() {
			return 200, nil, true
		}
		return code, nil, effect
	}
}

func TestReleasedEventsGoOnInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var bad switched
	b.down.answer = bad.answer(418, false)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2), event("a3", schemas.OrderUpdated, "A", 3))
	if diff := cmp.Diff([]string{"a1=parked/contract", "a2=parked/behind", "a3=parked/behind"}, kinds(b.wait(3))); diff != "" {
		t.Fatal(diff)
	}
	stop() // a decision may come while nobody runs
	bad.off.Store(true)
	b.decide(schemas.Release, "A", "a1")
	stop = b.start()
	seen := b.wait(7)
	if diff := cmp.Diff([]string{"a1=parked/released", "a1=delivered", "a2=delivered", "a3=delivered"}, kinds(seen[3:])); diff != "" {
		t.Error(diff)
	}
	if want := "released by ann: looked"; seen[4].Detail != want {
		t.Errorf("the outcome says %q, want %q", seen[4].Detail, want)
	}
	if diff := cmp.Diff([]string{"a1", "a2", "a3"}, b.down.order); diff != "" {
		t.Error(diff)
	}
	stop() // the decision is read again, and changes nothing
	b.start()
	b.publish(event("b1", schemas.OrderCreated, "B", 1))
	if n := len(b.wait(8)); n != 8 {
		t.Errorf("%d outcomes, want 8", n)
	}
}

func TestDiscardedEventIsNotCalled(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var bad switched
	b.down.answer = bad.answer(418, false)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	b.wait(2)
	bad.off.Store(true)
	b.decide(schemas.Discard, "A", "a1")
	if diff := cmp.Diff([]string{"a1=discarded/operator", "a2=delivered"}, kinds(b.wait(4)[2:])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"a2": 1}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

func TestReleaseRepeatsAnUnknownCallOnceAndNoMore(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1))
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 0, nil, false } // no effect, and no answer
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	if diff := cmp.Diff([]string{"a1=parked/unknown", "a1=parked/released", "a1=parked/unknown"}, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 2 {
		t.Errorf("%d calls, want one more for one release", n)
	}
}

func TestReleaseOfAnEventThatWaitsForAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Release, "A", "a1")
	if diff := cmp.Diff([]string{"a1=parked/needs", "a1=parked/released", "a1=delivered"}, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
}

// TestRedriveByAnotherTool puts a parked record back into its topic as dead letter tools do: value and headers as they are,
// to the topic that a header names.
func TestRedriveByAnotherTool(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var bad switched
	b.down.answer = bad.answer(418, false)
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	reader := b.kafka.Client(t, kgo.ConsumeTopics(b.topo.Parked("down")), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	parked := reader.PollFetches(t.Context()).Records()[0]
	headers := map[string]string{}
	for _, h := range parked.Headers {
		headers[h.Key] = string(h.Value)
	}
	for _, name := range []string{"__connect.errors.topic", "__dlq.errors.topic", "kafka_dlt-original-topic", "x-original-topic"} {
		if headers[name] != b.topo.TopicName("orders") {
			t.Errorf("header %s is %q", name, headers[name])
		}
	}
	bad.off.Store(true)
	again := &kgo.Record{Topic: headers["kafka_dlt-original-topic"], Key: []byte("A"), Value: parked.Value, Headers: parked.Headers}
	bare := &kgo.Record{Topic: headers["kafka_dlt-original-topic"], Key: []byte("A"), Value: parked.Value}
	if err := b.client.ProduceSync(t.Context(), again, bare).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for _, o := range b.wait(3)[1:] {
		if o.Kind != schemas.Duplicate || o.EventID != "a1" {
			t.Errorf("the redriven record ended as %s, want a duplicate of what is parked", fmt.Sprint(kinds([]*schemas.Outcome{o})))
		}
	}
	if n := b.down.count(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// TestReleaseBeforeAnEventThatStandsInLine: what the released one did stays in the ledger when the other ends, so that
// neither is done again.
func TestReleaseBeforeAnEventThatStandsInLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"order: pass\nbreaker: {open: 1h}\n")
	var well atomic.Bool
	b.down.answer = func(n int, _ *http.Request) (int, http.Header, bool) {
		switch {
		case n == 1:
			return 299, nil, false // a1 waits for a person
		case !well.Load():
			return 401, nil, false // a2 stands in line until the key works
		}
		return 200, nil, true
	}
	shut := make(chan struct{}, 1)
	b.start(func(c *consumers.Config) {
		c.Now = func() time.Time {
			if well.Load() {
				return time.Now().Add(time.Hour) // the gate tries again
			}
			return time.Now()
		}
		c.Report = func(st *schemas.WorkerStatus) {
			if st.Circuit == "open" && st.InFlight == 0 {
				select {
				case shut <- struct{}{}:
				default:
				}
			}
		}
	})
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.publish(event("a2", schemas.OrderUpdated, "A", 2))
	<-shut
	b.decide(schemas.Release, "A", "a1")
	b.wait(2)
	well.Store(true)
	b.wait(4)
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2))
	want := []string{"a1=parked/contract", "a1=parked/released", "a1=delivered", "a2=delivered", "a1=duplicate/same_event", "a2=duplicate/same_event"}
	if diff := cmp.Diff(want, kinds(b.wait(6))); diff != "" {
		t.Error(diff)
	}
	if b.down.effects["a1"] != 1 || b.down.effects["a2"] != 1 {
		t.Errorf("effects %v", b.down.effects)
	}
}

// TestDiscardOfAnUnknownCallIsRemembered: its effect may be there, so another event for the same operation is a person's to
// decide about as well.
func TestDiscardOfAnUnknownCallIsRemembered(t *testing.T) {
	t.Parallel()
	text := strings.Replace(keyed, "{key: Idempotency-Key, remembers: 24h}", "{none: true}", 1)
	b := newBench(t, strings.Replace(text, "    http:", "    once: true\n    http:", 1))
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) { return 0, nil, true }
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	b.decide(schemas.Discard, "A", "a1")
	b.wait(2)
	b.publish(event("a2", schemas.OrderCreated, "A", 2))
	if diff := cmp.Diff([]string{"a1=parked/unknown", "a1=discarded/operator", "a2=parked/unknown"}, kinds(b.wait(3))); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}
