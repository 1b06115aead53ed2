package producers

import (
	"fmt"
	"time"

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
	forged      *prometheus.CounterVec // refused as not authentic
	lastCame    *prometheus.GaugeVec
	skew        *prometheus.GaugeVec
}

// open has the metrics of a source there before anything comes: silence counts from now on.
func (m *metrics) open(source string, now time.Time) {
	for _, c := range []*prometheus.CounterVec{m.received, m.quarantined, m.published, m.unavailable} {
		c.WithLabelValues(source)
	}
	m.came(source, now)
}

// openHTTP has those of a source that is spoken to by HTTP.
func (m *metrics) openHTTP(source string) {
	m.forged.WithLabelValues(source)
	for _, r := range []refusal{errMethod, errContentType, errBodyTooLarge, errBody, errSlow, errRate, errNoSignature, errBadSignature, errOldSignature} {
		m.refused.WithLabelValues(source, string(r))
	}
	for _, l := range []string{limitRate, limitAtOnce} {
		m.limited.WithLabelValues(source, l)
	}
}

// came takes note of when something authentic came.
func (m *metrics) came(source string, at time.Time) {
	m.lastCame.WithLabelValues(source).Set(unix(at))
}

// unix is a time as Prometheus has it: seconds since 1970.
func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// newMetrics registers the metrics; a nil registerer keeps them to itself.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seam_ingest_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seam_ingest_" + name, Help: help}, []string{"source"})
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
			Buckets:                     []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"source"}),
		spooled:  gauge("spool_deliveries", "Deliveries on local disk that wait for Kafka."),
		lastLook: gauge("last_look_timestamp_seconds", "When a folder or API was last looked at without a fault."),
		forged:   counter("signature_failures_total", "Requests refused as not authentic: without a signature, with a wrong one or an old one.", "source"),
		lastCame: gauge("last_received_timestamp_seconds", "When the last authentic delivery came; the start of the process until one does."),
		skew:     gauge("clock_skew_seconds", "Our clock less the time that the last authentic delivery was signed at."),
	}
	for _, c := range []prometheus.Collector{m.received, m.refused, m.quarantined, m.published, m.unavailable, m.limited, m.duration, m.spooled, m.lastLook, m.forged, m.lastCame, m.skew} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register ingest metrics: %w", err)
		}
	}
	return m, nil
}
