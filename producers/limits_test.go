package producers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

func numbered(n int) string {
	return fmt.Sprintf(`{"id":%d,"name":"#%d","currency":"EUR","total_price":"1.00","created_at":"2026-11-02T10:00:00Z","updated_at":"2026-11-02T10:00:00Z"}`, n, n)
}

// TestRateOfASource: who repeats is told when to come back, and what nobody signed takes nothing of the share.
func TestRateOfASource(t *testing.T) {
	t.Parallel()
	s := webhookSource(topology.Shopify)
	s.RetriesFor, s.Limit = topology.Duration(4*time.Hour), topology.EdgeLimits{Rate: 0.5, Burst: 2}
	r := newRig(t, s)
	for range 50 {
		req := httptest.NewRequest(http.MethodPost, "/in/shopify", strings.NewReader("{}"))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Shopify-Hmac-Sha256", "AAAA")
		rec := httptest.NewRecorder()
		if r.edge.Handler().ServeHTTP(rec, req); rec.Code != http.StatusUnauthorized {
			t.Fatalf("unsigned: %d", rec.Code)
		}
	}
	for n := range 2 {
		if rec := r.post("shopify", "orders__create", numbered(n)); rec.Code != http.StatusOK {
			t.Fatalf("within the burst: %d %s", rec.Code, rec.Body)
		}
	}
	rec := r.post("shopify", "orders__create", numbered(2))
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "2" {
		t.Errorf("beyond it: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	r.now = r.now.Add(2 * time.Second)
	if rec := r.post("shopify", "orders__create", numbered(2)); rec.Code != http.StatusOK {
		t.Errorf("after the time it was told: %d", rec.Code)
	}
	if got := len(r.events(schemas.TopicOrders)); got != 3 {
		t.Errorf("%d events, want 3", got)
	}
	if n := counted(t, r.edge.metrics.limited.WithLabelValues("shopify", "rate")); n != 1 {
		t.Errorf("counted %g", n)
	}
}

// TestRateLosesNothing: a source that never repeats is refused nothing: what is beyond its rate goes by the spool, and where there is
// none it is taken.
func TestRateLosesNothing(t *testing.T) {
	t.Parallel()
	const sent = 6
	body := func(n int) string {
		return fmt.Sprintf(`{"id":%d,"status":"processing","currency":"EUR","total":"1.00","date_modified_gmt":"2026-11-02T10:00:00"}`, n+1)
	}
	for _, spool := range []bool{true, false} {
		t.Run(fmt.Sprintf("spool=%v", spool), func(t *testing.T) {
			t.Parallel()
			s := webhookSource(topology.WooCommerce)
			s.Spool, s.Limit = spool, topology.EdgeLimits{Rate: 0.001, Burst: 2}
			r := newRig(t, s)
			for n := range sent {
				if rec := r.post("woocommerce", "order__updated", body(n)); rec.Code != http.StatusOK {
					t.Fatalf("%d of %d: %d %s", n+1, sent, rec.Code, rec.Body)
				}
			}
			if spool {
				if n := r.edge.sources["woocommerce"].spool.depth(); n != sent-2 {
					t.Errorf("%d in the spool, want %d", n, sent-2)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { _ = r.edge.Run(ctx) }()
				topologytest.Eventually(t, "the spool is empty", func() error {
					if n := r.edge.sources["woocommerce"].spool.depth(); n > 0 {
						return fmt.Errorf("%d wait", n)
					}
					return nil
				})
			}
			orders := map[string]bool{}
			for _, ev := range r.events(schemas.TopicOrders) {
				orders[ev.Subject] = true
			}
			if len(orders) != sent {
				t.Errorf("%d orders, want %d", len(orders), sent)
			}
		})
	}
}

// TestAtOnce: a delivery that finds no place in time is answered 503, and where there is a spool it goes there.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	shop, woo := webhookSource(topology.Shopify), webhookSource(topology.WooCommerce)
	shop.Limit.AtOnce, woo.Limit.AtOnce, woo.Spool = 1, 1, true
	shop.AnswerWithin = topology.Duration(200 * time.Millisecond)
	r := newRig(t, shop, woo)
	r.edge.patience = 50 * time.Millisecond
	for _, name := range []string{"shopify", "woocommerce"} {
		leave, err := r.edge.sources[name].limits.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	if rec := r.post("shopify", "orders__create", numbered(1)); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	rec := r.post("woocommerce", "order__updated", `{"id":1,"status":"processing","currency":"EUR","total":"1.00","date_modified_gmt":"2026-11-02T10:00:00"}`)
	if n := r.edge.sources["woocommerce"].spool.depth(); rec.Code != http.StatusOK || n != 1 {
		t.Errorf("%d, %d in the spool", rec.Code, n)
	}
}

// TestSlowBody: who sends half a body and then nothing is told so, and loses the connection.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := webhookSource(topology.Shopify)
	s.AnswerWithin = topology.Duration(100 * time.Millisecond)
	r := newRig(t, s)
	server := httptest.NewServer(r.edge.Handler())
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "POST /in/shopify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("%+v, %v", resp, err)
	}
	if n := counted(t, r.edge.metrics.refused.WithLabelValues("shopify", "too_slow")); n != 1 {
		t.Errorf("counted %g", n)
	}
}

// TestSlowBodyIsSlowOnly: a request may wait for Kafka longer than its body took, on a connection that lives on.
func TestSlowBodyIsSlowOnly(t *testing.T) {
	t.Parallel()
	w := &deadlines{ResponseWriter: httptest.NewRecorder()}
	patiently(w, time.Minute)()
	if len(w.reads) != 2 || w.reads[0].IsZero() || !w.reads[1].IsZero() || len(w.writes) != 1 || w.writes[0].Sub(w.reads[0]) != answerTime {
		t.Errorf("reads by %v, writes by %v", w.reads, w.writes)
	}
}

// deadlines takes note of those that are set.
type deadlines struct {
	http.ResponseWriter
	reads, writes []time.Time
}

// SetReadDeadline notes one.
func (d *deadlines) SetReadDeadline(at time.Time) error { d.reads = append(d.reads, at); return nil }

// SetWriteDeadline notes one.
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.writes = append(d.writes, at); return nil }
