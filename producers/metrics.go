package producers

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the edge counts. Labels never hold an id.
type metrics struct {
	received    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	quarantined *prometheus.CounterVec
	published   *prometheus.CounterVec
	unavailable *prometheus.CounterVec
	limited     *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	spooled     *prometheus.GaugeVec
	lastLook    *prometheus.GaugeVec
}

// newMetrics registers the metrics; a nil registerer keeps them to itself.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seam_ingest_" + name, Help: help}, labels)
	}
	m := &metrics{
		received:    counter("received_total", "Authentic deliveries, files' rows and polled states taken in.", "source"),
		refused:     counter("refused_total", "Requests refused before they were read as input, by reason.", "source", "reason"),
		quarantined: counter("quarantined_total", "Authentic input that could not be normalized and is kept whole.", "source"),
		published:   counter("published_total", "Events acknowledged by all in-sync replicas.", "source"),
		unavailable: counter("unavailable_total", "Deliveries answered 503 or put off because Kafka or the registry was away.", "source"),
		limited:     counter("limited_total", "Authentic deliveries beyond a limit of their source: put off to the spool, answered 429 or 503, or taken all the same where they would be lost.", "source", "limit"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "seam_ingest_duration_seconds", Help: "Time from a request's arrival to its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"source"}),
		spooled:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seam_ingest_spool_deliveries", Help: "Deliveries on local disk that wait for Kafka."}, []string{"source"}),
		lastLook: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seam_ingest_last_look_timestamp_seconds", Help: "When a folder or API was last looked at without a fault."}, []string{"source"}),
	}
	for _, c := range []prometheus.Collector{m.received, m.refused, m.quarantined, m.published, m.unavailable, m.limited, m.duration, m.spooled, m.lastLook} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register ingest metrics: %w", err)
		}
	}
	return m, nil
}
