package consumers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// series finds a metric by its name and some label pairs; nil when there is none.
func series(t *testing.T, reg *prometheus.Registry, name string, labels ...string) *dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			fits := f.GetName() == name
			for i := 0; i < len(labels); i += 2 {
				v, there := have[labels[i]]
				fits = fits && there && v == labels[i+1]
			}
			if fits {
				return m
			}
		}
	}
	return nil
}

// TestWorkerMetrics: a stuck order's age shows while the order is stuck, what is parked shows by reason with the age of the
// oldest, and a delivered event's end to end time has the trace of its source.
func TestWorkerMetrics(t *testing.T) {
	t.Parallel()
	b := newBench(t, strings.Replace(keyed, "timeout: 2s", "timeout: 1m", 1))
	stuck, release := make(chan struct{}, 1), make(chan struct{})
	b.down.answer = func(n int, r *http.Request) (int, http.Header, bool) {
		if n == 1 {
			return 422, nil, false
		}
		return 200, nil, true
	}
	b.down.read = func(body []byte) {
		if strings.Contains(string(body), "\"late\"") {
			select {
			case stuck <- struct{}{}:
			default:
			}
			<-release
		}
	}
	reg := prometheus.NewRegistry()
	b.start(func(c *consumers.Config) { c.Metrics = consumers.NewMetrics(reg) })
	value := func(name string, labels ...string) float64 {
		m := series(t, reg, name, append(labels, "integration", "down")...)
		if m == nil {
			return -1
		}
		return m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	eventually := func(what string, ok func() bool) {
		t.Helper()
		topologytest.Eventually(t, what, func() error {
			if !ok() {
				return fmt.Errorf("lag %v, parked %v", value("seam_lag_seconds"), value("seam_parked", "reason", "business_no"))
			}
			return nil
		})
	}
	eventually("counters are there before anything happens", func() bool {
		return value("seam_outcomes_total", "outcome", "delivered", "reason", "") == 0 && value("seam_outcomes_total", "outcome", "parked", "reason", "unknown") == 0 &&
			value("seam_delivery_attempts_total", "class", "retry") == 0 && value("seam_worker_restarts_total") == 0 && value("seam_circuit_open", "reason", "breaker") == 0 &&
			value("seam_lag_seconds") == 0 && value("seam_retry_budget_ratio") == 1
	})
	before := time.Now()
	b.publish(event("no", schemas.OrderCreated, "o-no", 1))
	b.wait(1)
	eventually("the parked one", func() bool { return value("seam_parked", "reason", "business_no") == 1 })
	if since := value("seam_parked_oldest_timestamp_seconds", "reason", "business_no"); since < float64(before.Unix()) || since > float64(time.Now().Unix()+1) {
		t.Errorf("the oldest was parked at %v, want after %v", since, before.Unix())
	}
	if value("seam_parked", "reason", "unknown") != 0 || value("seam_parked_oldest_timestamp_seconds", "reason", "unknown") != -1 {
		t.Errorf("parked as unknown: %v, the oldest %v", value("seam_parked", "reason", "unknown"), value("seam_parked_oldest_timestamp_seconds", "reason", "unknown"))
	}
	if lag := value("seam_lag_seconds"); lag != 0 {
		t.Errorf("a lag of %v s, and all has an outcome: what is parked is not undone", lag)
	}

	rec := b.record(event("late", schemas.OrderCreated, "o-stuck", 1))
	rec.Timestamp = time.Now().Add(-time.Hour)
	rec.Headers = schemas.EventHeaders(event("late", schemas.OrderCreated, "o-stuck", 1), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := b.client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	<-stuck
	eventually("the stuck order's age, by its record's time", func() bool { return value("seam_lag_seconds") >= 3600 && value("seam_in_flight") == 1 })
	close(release)
	b.wait(2)
	eventually("nothing is undone", func() bool { return value("seam_lag_seconds") == 0 })
	var e2e *dto.Histogram
	eventually("its end to end time", func() bool {
		e2e = series(t, reg, "seam_end_to_end_duration_seconds", "integration", "down").GetHistogram()
		return e2e.GetSampleCount() == 1 // a parked event has not ended
	})
	if want := time.Since(noon).Seconds(); e2e.GetSampleSum() > want || e2e.GetSampleSum() < want-600 {
		t.Errorf("end to end %v s, want some %v: it counts from the receipt", e2e.GetSampleSum(), want)
	}
	for name, h := range map[string]*dto.Histogram{"end to end": e2e, "call": series(t, reg, "seam_delivery_duration_seconds").GetHistogram()} {
		if h.GetSchema() != 3 || len(h.GetPositiveSpan()) == 0 || len(h.GetBucket()) < 10 {
			t.Errorf("%s is not native (schema %d, %d spans) and classic (%d buckets) at once", name, h.GetSchema(), len(h.GetPositiveSpan()), len(h.GetBucket()))
		}
		if got := traces(h); got["0af7651916cd43dd8448eb211c80319c"] == 0 {
			t.Errorf("%s has the exemplars %v, want the trace of the source", name, got)
		}
	}
}

// traces counts a histogram's exemplars by their trace.
func traces(h *dto.Histogram) map[string]int {
	out := map[string]int{}
	list := h.GetExemplars()
	for _, bucket := range h.GetBucket() {
		list = append(list, bucket.GetExemplar())
	}
	for _, e := range list {
		for _, l := range e.GetLabel() {
			if l.GetName() == "trace_id" {
				out[l.GetValue()]++
			}
		}
	}
	return out
}

// TestBeat: the loop of a worker tells that it goes round, and a worker without a loop that it waits.
func TestBeat(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	beats := make(chan bool, 100)
	stop := b.start(func(c *consumers.Config) { c.Beat = func(runs bool) { beats <- runs } })
	if <-beats {
		t.Error("it runs before Kafka has answered")
	}
	for range 3 {
		if !<-beats {
			t.Error("its loop does not go round")
		}
	}
	stop()
	close(beats)
	last := true
	for runs := range beats {
		last = runs
	}
	if last {
		t.Error("it is stopped and still counts as running")
	}
}
