package producers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/binaryandbeyond/seam/topology"
)

// gauged is the value of a gauge.
func gauged(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

// TestSilenceAndSkew: a source's silence counts from the start until something authentic comes; what is forged is counted and ends
// no silence; the distance of the clocks shows above all where it is too great.
func TestSilenceAndSkew(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Stripe))
	m := r.edge.metrics
	last := func() float64 { return gauged(t, m.lastCame.WithLabelValues("stripe")) }
	skew := func() float64 { return gauged(t, m.skew.WithLabelValues("stripe")) }
	const body = `{"id":"evt_1","type":"charge.refunded","created":1795431600,"data":{"object":{"id":"ch_1","metadata":{"order_id":"7"}}}}`
	if last() != float64(noon.Unix()) {
		t.Errorf("last received %v, want the start of the process", last())
	}
	post := func(signed, now time.Time, change func(string) string) int {
		r.now = signed
		d := given(topology.Stripe, body, "Content-Type: application/json")
		d.source, d.received = r.topo.Source("stripe"), signed
		platforms[topology.Stripe].sign(d, "")
		r.now = now
		req := httptest.NewRequest(http.MethodPost, "/in/stripe", strings.NewReader(change(body)))
		req.Header = d.header
		rec := httptest.NewRecorder()
		r.edge.Handler().ServeHTTP(rec, req)
		return rec.Code
	}
	as := func(s string) string { return s }
	for _, step := range []struct {
		name         string
		signed, now  time.Duration
		change       func(string) string
		code         int
		last, skew   time.Duration
		forged, came float64
	}{
		{"authentic, a minute old", time.Hour, time.Hour + time.Minute, as, 200, time.Hour + time.Minute, time.Minute, 0, 1},
		{"forged", 2 * time.Hour, 2 * time.Hour, func(s string) string { return s + " " }, 401, time.Hour + time.Minute, time.Minute, 1, 1},
		{"from a clock that is ahead", 3*time.Hour + 10*time.Minute, 3 * time.Hour, as, 401, time.Hour + time.Minute, -10 * time.Minute, 2, 1},
	} {
		if code := post(noon.Add(step.signed), noon.Add(step.now), step.change); code != step.code {
			t.Errorf("%s: %d, want %d", step.name, code, step.code)
		}
		got := fmt.Sprint(last(), skew(), counted(t, m.forged.WithLabelValues("stripe")), counted(t, m.received.WithLabelValues("stripe")))
		want := fmt.Sprint(float64(noon.Add(step.last).Unix()), step.skew.Seconds(), step.forged, step.came)
		if got != want {
			t.Errorf("%s: last received, skew, forged, received are %s, want %s", step.name, got, want)
		}
	}
}

// TestRefusalsAreThereFromTheStart: an alert on an increase sees the first one.
func TestRefusalsAreThereFromTheStart(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	m.open("shop", noon)
	m.openHTTP("shop")
	seen := map[string]bool{}
	metrics := make(chan prometheus.Metric, 20)
	m.refused.Collect(metrics)
	close(metrics)
	for c := range metrics {
		var w dto.Metric
		if err := c.Write(&w); err != nil {
			t.Fatal(err)
		}
		for _, l := range w.GetLabel() {
			seen[l.GetValue()] = true
		}
	}
	for _, reason := range []string{"method", "content_type", "too_large", "unreadable", "no_signature", "bad_signature", "old_signature"} {
		if !seen[reason] {
			t.Errorf("no counter of refusals for %s", reason)
		}
	}
}

// TestFullSpool: a spool is full before a delivery finds no room, and then nothing of its source can be taken without Kafka.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	s := webhookSource(topology.WooCommerce)
	s.Spool = true
	r := newRig(t, s, webhookSource(topology.Shopify))
	if !r.edge.Spools() || r.edge.Full() != nil {
		t.Errorf("an empty spool: spools %v, full %v", r.edge.Spools(), r.edge.Full())
	}
	sp := r.edge.sources["woocommerce"].spool
	sp.mu.Lock()
	sp.bytes = spoolLimit - spoolLimit/64
	sp.mu.Unlock()
	if err := r.edge.Full(); r.edge.Spools() || err == nil || err.Error() != "the spool of woocommerce is full (512 MiB)" {
		t.Errorf("a full spool: spools %v, full %v", r.edge.Spools(), err)
	}
}
