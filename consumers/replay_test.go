package consumers_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/replay"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// request asks for a replay of all that the bench's integration has read.
func (b *bench) request(c *replay.Choice) replay.Request {
	return replay.Request{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...)}, Serde: b.serde, Topology: b.topo, Integration: &b.topo.Integrations[0], Back: replay.Back{Earliest: true}, Choice: c}
}

// plan makes a plan that is not refused.
func (b *bench) plan(r replay.Request) *replay.Plan {
	b.Helper()
	p, err := replay.New(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// run carries a plan out, and waits for its end.
func (b *bench) run(r replay.Request, p *replay.Plan) *replay.Run {
	b.Helper()
	run, err := replay.Execute(b.Context(), r, p, "ann", "it lost a day")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	if err := run.Wait(ctx, r, nil); err != nil {
		b.Fatal(err)
	}
	return run
}

// count sums the steps of a plan, by what they are.
func count(steps []replay.Step) map[string]int {
	out := map[string]int{}
	for _, s := range steps {
		out[strings.TrimSuffix(s.Request+string(s.Kind)+"/"+string(s.Reason), "/")] += s.Count
	}
	return out
}

// monday is a day of two orders that go well and one of each other kind; it gives the outcomes.
func (b *bench) monday() []*schemas.Outcome {
	foreign, copied := event("e1", schemas.OrderUpdated, "E", 3), event("a9", schemas.OrderCreated, "A", 1)
	foreign.System, copied.BusinessID = "erp", event("a1", schemas.OrderCreated, "A", 1).BusinessID
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("b1", schemas.OrderCreated, "B", 1), event("b2", schemas.OrderUpdated, "B", 2), foreign, copied,
		event("a1", schemas.OrderCreated, "A", 1), event("s1", schemas.FulfillmentShipped, "A", 1), event("p1", schemas.OrderCreated, "P", 1))
	return b.wait(8)
}

// TestPlanOfARedelivery tells what the run then does, to the last event, and asks nobody anything.
func TestPlanOfARedelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	var parking atomic.Int32
	b.down.answer = func(int, *http.Request) (int, http.Header, bool) {
		if parking.Add(1) == 4 { // the last: p1
			return 418, nil, false
		}
		return 200, nil, true
	}
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("b1", schemas.OrderCreated, "B", 1), event("b2", schemas.OrderUpdated, "B", 2))
	b.wait(3)
	foreign, copied := event("e1", schemas.OrderUpdated, "E", 3), event("a9", schemas.OrderCreated, "A", 1)
	foreign.System, copied.BusinessID = "erp", event("a1", schemas.OrderCreated, "A", 1).BusinessID
	b.publish(foreign, copied, event("a1", schemas.OrderCreated, "A", 1), event("s1", schemas.FulfillmentShipped, "A", 1), event("p1", schemas.OrderCreated, "P", 1))
	b.untilRead(8)
	r := b.request(&replay.Choice{})
	p := b.plan(r)
	if diff := cmp.Diff(map[string]int{"delivered": 4, "withheld": 1, replay.PassedBy: 2}, p.Finished); diff != "" {
		t.Error(diff) // a1 stands there twice; the copy under another id and what shipped are passed by
	}
	if p.Events != 8 || p.Orders != 4 || p.Parked != 1 || p.Chosen != 6 || p.Again != 2 || p.AgainOf != 2 || p.Unread != 0 || p.Beyond != 0 {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff(map[string]int{"POST " + strings.TrimPrefix(b.down.URL, "http://") + "/things": 2}, count(p.Calls)); diff != "" {
		t.Error(diff)
	}
	if n := b.down.count(); n != 4 {
		t.Errorf("the plan made %d calls", n-4)
	}
	run := b.run(r, p)
	if diff := cmp.Diff(map[string]int{"delivered": p.Again}, run.Outcomes); diff != "" || run.Called != 2 || run.Asked != p.Again {
		t.Errorf("%+v (-plan +run):\n%s", run, diff)
	}
	if diff := cmp.Diff(map[string]int{"withheld/not_owner": 1, "withheld/not_subscribed": 1, "duplicate/same_business": 1, "superseded/stale": 1}, count(p.Others)); diff != "" {
		t.Error(diff) // b1 is older than b2, which stands in the downstream
	}
	if diff := cmp.Diff(map[string]int{"a1": 2, "b1": 1, "b2": 2}, b.down.effects); diff != "" {
		t.Error(diff)
	}
}

// untilRead waits for so many outcomes, and until their offsets are committed.
func (b *bench) untilRead(n int64) {
	b.Helper()
	b.wait(int(n))
	topologytest.Eventually(b, "everything is committed", func() error {
		lags, err := kadm.NewClient(b.client).Lag(b.Context(), b.topo.Group("down"))
		if err == nil && lags[b.topo.Group("down")].Lag.Total() != 0 {
			err = errors.New("the group lags")
		}
		return err
	})
}

// TestPlanChooses by order, type, kind of outcome and time.
func TestPlanChooses(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	b.start()
	b.monday()
	b.untilRead(8)
	for name, tt := range map[string]struct {
		choice replay.Choice
		want   int
	}{
		"everything":      {replay.Choice{}, 7},
		"orders":          {replay.Choice{Orders: []string{"B"}}, 2},
		"a type":          {replay.Choice{Types: []schemas.EventType{schemas.OrderUpdated}}, 2},
		"an end":          {replay.Choice{Kinds: []string{"withheld"}}, 1},
		"none of its":     {replay.Choice{Kinds: []string{replay.PassedBy}}, 2},
		"all of it":       {replay.Choice{Orders: []string{"B"}, Types: []schemas.EventType{schemas.OrderCreated}, Kinds: []string{"delivered"}}, 1},
		"before it began": {replay.Choice{Until: time.Now().Add(-time.Hour)}, 0},
		"before now":      {replay.Choice{Until: time.Now().Add(time.Hour)}, 7},
		"exactly so many": {replay.Choice{AtMost: 3}, 7},
	} {
		if p := b.plan(b.request(&tt.choice)); p.Chosen != tt.want {
			t.Errorf("%s: %d events are chosen, want %d", name, p.Chosen, tt.want)
		}
	}
	_, err := replay.New(t.Context(), b.request(&replay.Choice{AtMost: 2}))
	if want := "3 events would be delivered again, more than 2: choose fewer (--order, --type, --kind, --until), or allow as many (--at-most)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestPlanOfReading tells what is finished, and what an offset was reset past: that is handled, as the plan says.
func TestPlanOfReading(t *testing.T) {
	t.Parallel()
	b := newBench(t, warehouse)
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.PaymentCaptured, "A", 2))
	b.untilRead(2)
	stop()
	b.publish(event("b1", schemas.OrderCreated, "B", 1), event("b2", schemas.PaymentCaptured, "B", 2), event("c1", schemas.OrderCreated, "C", 1), event("c2", schemas.OrderCancelled, "C", 2))
	ends, err := kadm.NewClient(b.client).ListEndOffsets(t.Context(), b.topo.TopicName(schemas.TopicOrders))
	if err != nil {
		t.Fatal(err)
	}
	if err := kadm.NewClient(b.client).CommitAllOffsets(t.Context(), b.topo.Group("down"), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	r := b.request(nil)
	p := b.plan(r)
	others := count(p.Others)
	if p.Events != 6 || p.Unread != 4 || p.Handled() != 4 || others["withheld/prerequisite_only"] == 0 {
		t.Errorf("%+v", p)
	}
	b.start()
	run := b.run(r, p)
	finished := int64(p.Parked)
	for _, n := range p.Finished {
		finished += int64(n)
	}
	if run.Read != int64(p.Events) || run.Finished != finished || run.Handled != int64(p.Unread) || run.Beyond != 0 {
		t.Errorf("plan %+v, run %+v", p, run)
	}
	b.untilRead(6)
	if again := b.plan(r); again.Unread != 0 || len(again.Calls) != 0 {
		t.Errorf("after the run: %+v", again)
	}
}

// TestRefusedReplays say what is wrong with them.
func TestRefusedReplays(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed+"dedup_window: 840h\n")
	b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1), event("a2", schemas.OrderUpdated, "A", 2), event("a3", schemas.OrderUpdated, "A", 3))
	b.untilRead(3)
	part := []int32{b.partition("A")}
	adm := kadm.NewClient(b.client)
	var gone kadm.Offsets
	gone.AddOffset(b.topo.TopicName(schemas.TopicOrders), part[0], 1, -1)
	if _, err := adm.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	offset := func(n int64) *int64 { return &n }
	later := func() time.Time { return time.Now().Add(841 * time.Hour) }
	for name, tt := range map[string]struct {
		back   replay.Back
		now    func() time.Time
		choice *replay.Choice
		want   []string // parts of the refusal; nil: none
	}{
		"what is there":            {back: replay.Back{Earliest: true}},
		"an offset":                {back: replay.Back{Offset: offset(1)}},
		"as far as is read":        {back: replay.Back{Offset: offset(3)}},
		"an offset that is gone":   {back: replay.Back{Offset: offset(0)}, want: []string{"begins at offset 1, and 0 is asked for", "--to-earliest"}},
		"before the beginning":     {back: replay.Back{Shift: offset(-3)}, want: []string{"begins at offset 1, and 0 is asked for"}},
		"forward":                  {back: replay.Back{Offset: offset(4)}, want: []string{"is read up to offset 3, and 4 is asked for", "skips nothing"}},
		"a time that is gone":      {back: replay.Back{Datetime: time.Now().Add(-time.Hour)}, want: []string{"what was before is gone from Kafka"}},
		"a time to come":           {back: replay.Back{Datetime: time.Now().Add(time.Hour)}},
		"beyond the ledger":        {back: replay.Back{Earliest: true}, now: later, want: []string{"the ledger of down remembers 840h0m0s, since ", "may be forgotten", "--to-datetime", "--redeliver --order"}},
		"beyond it, again":         {back: replay.Back{Earliest: true}, now: later, choice: &replay.Choice{}, want: []string{"may be forgotten"}},
		"beyond it, chosen orders": {back: replay.Back{Earliest: true}, now: later, choice: &replay.Choice{Orders: []string{"A"}}},
	} {
		r := b.request(tt.choice)
		r.Back, r.Now, r.Places = tt.back, tt.now, map[string][]int32{schemas.TopicOrders: part}
		_, err := replay.New(t.Context(), r)
		var refusal *replay.Refusal
		if tt.want == nil && err != nil || tt.want != nil && !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range tt.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", name, err, part)
			}
		}
	}
	for name, places := range map[string]map[string][]int32{"does not read every topic": {"inventory": nil}, "has no partition 9": {schemas.TopicOrders: {9}}} {
		r := b.request(nil)
		r.Places = places
		if _, err := replay.New(t.Context(), r); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", places, err)
		}
	}
}
