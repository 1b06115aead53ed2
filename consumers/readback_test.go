package consumers_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// records is a downstream whose calls are answered at once, and whose records a test writes.
type records struct {
	*httptest.Server
	mu    sync.Mutex
	reads []string // "path?query key credentials" of each
	read  func(n int) (status int, body string)
	posts int
}

func newRecords(t *testing.T, read func(n int) (int, string)) *records {
	r := &records{read: read}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if req.Method != http.MethodGet {
			r.posts++
			fmt.Fprint(w, `{"id":"p-1"}`)
			return
		}
		r.reads = append(r.reads, req.URL.EscapedPath()+"?"+req.URL.RawQuery+" "+req.Header.Get("Idempotency-Key")+req.Header.Get("Authorization"))
		status, body := r.read(len(r.reads))
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(r.Close)
	return r
}

// observed waits for n events of read-backs, of the orders topic from its start.
func (b *bench) observed(n int) []*schemas.Event {
	b.Helper()
	cl := b.kafka.Client(b.T, kgo.ConsumeTopics(b.topo.TopicName(schemas.TopicOrders)), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	var out []*schemas.Event
	for len(out) < n {
		fetches := cl.PollFetches(b.Context())
		if b.Context().Err() != nil {
			b.Fatalf("the test is over, and only these came: %v", reports(out))
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			ev, err := b.serde.DecodeEvent(b.Context(), rec.Value)
			if err == nil && ev.Type == schemas.OrderObserved {
				out = append(out, ev)
			}
		})
	}
	return out
}

// reports is "order result status version time detail" of each.
func reports(list []*schemas.Event) []string {
	var out []string
	for _, ev := range list {
		s := ev.Subject + " " + ev.ReadBack.Result
		if ev.ReadBack.Result == schemas.ReadFound {
			s += " " + ev.Fulfillment.Status + " " + ev.SourceVersion + " " + ev.Time.Format(time.RFC3339)
		}
		out = append(out, strings.TrimSpace(s+" "+ev.ReadBack.Detail))
	}
	return out
}

const packing = `
operation: fulfill
timeout: 500ms
retry: {initial: 5ms, max: 20ms, give_up_after: GIVEUP}
breaker: {open: 50ms}
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.created]
    http: {url: RECORDS/v1/parcels, auth: {bearer: token}}
    body: {reference: order.id}
    answers: {reference: id}
    read_back:
      get: "RECORDS/v1/parcels?reference={event.subject}&id={made}"
      after: 1ms
      TIMES
      found: len(answer.parcels) > 0
      version: answer.parcels[0].v
      time: answer.parcels[0].at
      says:
        fulfillment.id: answer.parcels[0].id
        fulfillment.status: 'answer.parcels[0].sent ? "success" : "open"'
        order.total: answer.parcels[0].total
        payment.amount: '{"amount": answer.parcels[0].paid, "currency": "EUR"}'
  - on: [order.cancelled]
    operation: cancel
    undoes: fulfill
    http: {url: RECORDS/v1/cancel, auth: {bearer: token}}
    body: {reference: event.subject}
`

func parcel(version int, sent bool) string {
	return fmt.Sprintf(`{"parcels":[{"id":900719925474099301,"v":%d,"at":"2026-11-23T11:00:00+01:00","sent":%v,"total":"20.00 EUR","paid":12.50}]}`, version, sent)
}

// TestReadBack is what a read-back tells, by what the downstream answers.
func TestReadBack(t *testing.T) {
	t.Parallel()
	const at = "2026-11-23T10:00:00Z"
	tests := []struct {
		name, times, giveUp string
		read                func(n int) (int, string)
		want                []string
		reads               int // at least
	}{
		{"there", "", "1m", func(int) (int, string) { return 200, parcel(1, false) }, []string{"o/1 found open 1 " + at}, 1},
		{"a 200 that did nothing", "", "1m", func(int) (int, string) { return 404, "" }, []string{"o/1 missing"}, 1},
		{"a list without it", "", "1m", func(int) (int, string) { return 200, `{"parcels":[]}` }, []string{"o/1 missing"}, 1},
		{"away for a while", "", "1m", func(n int) (int, string) {
			if n < 4 {
				return 503, "down"
			}
			return 200, parcel(1, true)
		}, []string{"o/1 found success 1 " + at}, 4},
		{"away for too long", "", "30ms", func(int) (int, string) { return 500, "no" }, []string{"o/1 failed answered 500: no"}, 2},
		{"not what was declared", "", "30ms", func(int) (int, string) { return 200, "<html>" }, []string{"o/1 failed answered 200: the answer is not JSON: invalid character '<' looking for beginning of value"}, 2},
		{"again, until it changes", "every: 10ms\n      until: 24h", "1m", func(n int) (int, string) {
			switch {
			case n < 3:
				return 404, ""
			case n < 6:
				return 200, parcel(1, false)
			}
			return 200, parcel(2, true)
		}, []string{"o/1 missing", "o/1 found open 1 " + at, "o/1 found success 2 " + at}, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newRecords(t, tt.read)
			b := newBench(t, strings.NewReplacer("RECORDS", d.URL, "TIMES", tt.times, "GIVEUP", tt.giveUp).Replace(packing))
			b.start()
			b.publish(now(event("a", schemas.OrderCreated, "o/1", 1)))
			got := b.observed(len(tt.want))
			if diff := cmp.Diff(tt.want, reports(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.reads) < tt.reads || d.posts != 1 {
				t.Errorf("%d reads and %d calls", len(d.reads), d.posts)
			}
			if d.reads[0] != "/v1/parcels?reference=o%2F1&id=p-1 Bearer token" {
				t.Errorf("read %q", d.reads[0])
			}
			ev := got[0]
			if ev.System != "down" || ev.Source != "/seam/read-back/down" || ev.CausationID != "a" || ev.ReadBack.Reference != "p-1" || ev.ReadBack.Operation != "fulfill" {
				t.Errorf("%+v", ev)
			}
			if ev.ReadBack.Result == schemas.ReadFound && (ev.Fulfillment.ID != "900719925474099301" || ev.Order.Total.String() != "20.00 EUR" || ev.Payment.Amount.String() != "12.50 EUR" || ev.Order.ID != "o/1") {
				t.Errorf("it says %+v %+v %+v", ev.Fulfillment, ev.Order, ev.Payment)
			}
		})
	}
}

// TestReadBackOfAKilledProcess: what was to be read when a process died is read by the next.
func TestReadBackOfAKilledProcess(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	d := newRecords(t, func(int) (int, string) {
		if up.Load() {
			return 200, parcel(1, true)
		}
		return 503, "down"
	})
	b := newBench(t, strings.NewReplacer("RECORDS", d.URL, "TIMES", "", "GIVEUP", "1h").Replace(packing))
	stop := b.start()
	var orders []string
	for i := range 5 {
		order := fmt.Sprintf("o%d", i)
		orders = append(orders, order)
		b.publish(event("e"+order, schemas.OrderCreated, order, 1))
	}
	b.wait(5)
	stop()
	up.Store(true)
	b.start()
	var got []string
	ids := map[schemas.EventID]bool{}
	for _, ev := range b.observed(5) {
		got, ids[ev.ID] = append(got, ev.Subject), true
	}
	slices.Sort(got)
	if diff := cmp.Diff(orders, got); diff != "" || len(ids) != 5 {
		t.Errorf("%d ids, (-want +got):\n%s", len(ids), diff)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.posts != 5 {
		t.Errorf("%d calls for 5 orders", d.posts)
	}
}

// TestReadBackOfWhatWasUndone: once a call was taken back nobody reads what it made.
func TestReadBackOfWhatWasUndone(t *testing.T) {
	t.Parallel()
	d := newRecords(t, func(int) (int, string) { return 404, "" })
	b := newBench(t, strings.NewReplacer("RECORDS", d.URL, "TIMES", "", "GIVEUP", "1h", "after: 1ms", "after: 3s").Replace(packing))
	b.start()
	b.publish(event("a", schemas.OrderCreated, "o1", 1), event("b", schemas.OrderCancelled, "o1", 2), event("c", schemas.OrderCreated, "o2", 1))
	if diff := cmp.Diff([]string{"o2 missing"}, reports(b.observed(1))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.reads) != 1 {
		t.Errorf("reads: %v", d.reads)
	}
}

// TestReadBackIsSeen: a downstream that answers 200 and does nothing is found in the order's answer.
func TestReadBackIsSeen(t *testing.T) {
	t.Parallel()
	var there atomic.Bool
	d := newRecords(t, func(int) (int, string) {
		if there.Load() {
			return 200, parcel(1, true)
		}
		return 404, ""
	})
	b := newBench(t, strings.NewReplacer("RECORDS", d.URL, "TIMES", "every: 20ms\n      until: 24h", "GIVEUP", "1h").Replace(packing))
	view := b.view()
	b.start()
	b.publish(now(event("a", schemas.OrderCreated, "o1", 1)))
	verdict := func(want string) {
		t.Helper()
		topologytest.Eventually(t, want, func() error {
			o, err := view.Order(t.Context(), "o1")
			if err == nil && !strings.HasPrefix(o.Verdict, want) {
				err = errors.New(o.Verdict)
			}
			return err
		})
	}
	verdict("complete in 0 of 1, missing in down; page ops")
	there.Store(true)
	verdict("complete in 1 of 1")
}
