package consumers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is what all workers of a process count; docs/metrics.md says what each means.
type Metrics struct {
	outcomes     *prometheus.CounterVec   // {integration,outcome,reason}
	attempts     *prometheus.CounterVec   // {integration,class}
	took         *prometheus.HistogramVec // {integration}: one call
	endToEnd     *prometheus.HistogramVec // {integration}: from the edge's receipt to the committed final outcome
	replayed     *prometheus.CounterVec   // {integration}: read again, already settled, no call
	lag          *prometheus.GaugeVec     // {integration}: age of the oldest record that is read and not settled
	inFlight     *prometheus.GaugeVec     // {integration}
	circuit      *prometheus.GaugeVec     // {integration,reason}: 1 while no call is made
	budget       *prometheus.GaugeVec     // {integration}: what is left of the retry budget, 0 to 1
	parked       *prometheus.GaugeVec     // {integration,reason}
	parkedOldest *prometheus.GaugeVec     // {integration,reason}: Unix time
	restarts     *prometheus.CounterVec   // {integration}
	commits      *prometheus.HistogramVec // {integration}
	restoring    *prometheus.GaugeVec     // {integration}
	factsRefused *prometheus.CounterVec   // {integration,reason}: answers that the policy refused
	factsAway    *prometheus.GaugeVec     // {integration}: 1 while nobody can be asked for facts
	readBacks    *prometheus.CounterVec   // {integration,result}: found, missing, failed, retried
	readBacksDue *prometheus.GaugeVec     // {integration}
	lost         *prometheus.GaugeVec     // {integration,topic,partition}: gone before they were read; the partition stands
}

// NewMetrics makes the metrics and registers them; reg nil registers them nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"integration"}, labels...))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"integration"}, labels...))
	}
	// Native, and classic for who does not take those: growth, buckets and reset are client_golang's advice.
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}, []string{"integration"})
	}
	short := prometheus.ExponentialBuckets(0.001, 2, 15)
	m := &Metrics{
		outcomes:     counter("seam_outcomes_total", "Outcomes by kind and reason; one per event, and one more while an event is parked.", "outcome", "reason"),
		attempts:     counter("seam_delivery_attempts_total", "Calls to the downstream by what they told of the effect.", "class"),
		took:         histogram("seam_delivery_duration_seconds", "Duration of one call.", short),
		endToEnd:     histogram("seam_end_to_end_duration_seconds", "From the receipt of an event to its final outcome, committed.", []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400}),
		replayed:     counter("seam_replayed_records_total", "Records read again that were settled before: no call, no outcome."),
		lag:          gauge("seam_lag_seconds", "Age of the oldest record that was read and has no outcome; 0 when all have."),
		inFlight:     gauge("seam_in_flight", "Calls under way."),
		circuit:      gauge("seam_circuit_open", "1 while no call is made, for the reason that holds: window, credentials, breaker or outbound.", "reason"),
		budget:       gauge("seam_retry_budget_ratio", "What is left of the retry budget, 0 to 1."),
		parked:       gauge("seam_parked", "Events that wait for an event, a time or a person, in this process's partitions.", "reason"),
		parkedOldest: gauge("seam_parked_oldest_timestamp_seconds", "When the oldest parked event of a reason was parked.", "reason"),
		restarts:     counter("seam_worker_restarts_total", "Restarts of the worker after a fatal answer of Kafka."),
		commits:      histogram("seam_commit_duration_seconds", "Duration of one Kafka transaction.", short),
		restoring:    gauge("seam_restoring_partitions", "Partitions whose ledger is being read."),
		factsRefused: counter("seam_facts_refused_total", "Refusals of facts that a call was to carry; no call was made.", "reason"),
		factsAway:    gauge("seam_facts_unavailable", "1 while nobody can be asked for facts: events that need them wait."),
		readBacks:    counter("seam_read_backs_total", "Reads of what a call had made, by what they found.", "result"),
		readBacksDue: gauge("seam_read_backs_due", "Records of calls that are still to be read back by this process."),
		lost:         gauge("seam_lost_records", "Records that retention took before they were read: the partition stands until a person resets its offset.", "topic", "partition"),
	}
	if reg != nil {
		reg.MustRegister(m.outcomes, m.attempts, m.took, m.endToEnd, m.replayed, m.lag, m.inFlight, m.circuit, m.budget, m.parked, m.parkedOldest, m.restarts, m.commits, m.restoring,
			m.factsRefused, m.factsAway, m.readBacks, m.readBacksDue, m.lost)
	}
	return m
}
