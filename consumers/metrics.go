package consumers

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
)

// Metrics is what all workers of a process count.
type Metrics struct {
	outcomes     *prometheus.CounterVec   // seam_outcomes_total{integration,outcome,reason}
	attempts     *prometheus.CounterVec   // seam_delivery_attempts_total{integration,class}
	took         *prometheus.HistogramVec // seam_delivery_duration_seconds{integration}
	replayed     *prometheus.CounterVec   // seam_replayed_records_total{integration}: read again, already settled, no call
	inFlight     *prometheus.GaugeVec     // seam_in_flight{integration}
	circuit      *prometheus.GaugeVec     // seam_circuit_open{integration}: 1 while no call is made
	parked       *prometheus.GaugeVec     // seam_parked{integration}
	restarts     *prometheus.CounterVec   // seam_worker_restarts_total{integration}
	commits      *prometheus.HistogramVec // seam_commit_duration_seconds{integration}
	restoring    *prometheus.GaugeVec     // seam_restoring_partitions{integration}
	factsRefused *prometheus.CounterVec   // seam_facts_refused_total{integration,reason}: answers that the policy refused
	factsAway    *prometheus.GaugeVec     // seam_facts_unavailable{integration}: 1 while nobody can be asked for facts
	readBacks    *prometheus.CounterVec   // seam_read_backs_total{integration,result}: found, missing, failed, retried
	readBacksDue *prometheus.GaugeVec     // seam_read_backs_due{integration}
	lost         *prometheus.GaugeVec     // seam_lost_records{integration,topic,partition}: gone before they were read; the partition stands
}

// NewMetrics makes the metrics and registers them; reg nil registers them nowhere.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"integration"}, labels...))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"integration"}, labels...))
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}, []string{"integration"})
	}
	m := &Metrics{
		outcomes:  counter("seam_outcomes_total", "Outcomes by kind and reason; one per event, and one more while an event is parked.", "outcome", "reason"),
		attempts:  counter("seam_delivery_attempts_total", "Calls to the downstream by what they told of the effect.", "class"),
		took:      histogram("seam_delivery_duration_seconds", "Duration of one call."),
		replayed:  counter("seam_replayed_records_total", "Records read again that were settled before: no call, no outcome."),
		inFlight:  gauge("seam_in_flight", "Calls under way."),
		circuit:   gauge("seam_circuit_open", "1 while no call is made: breaker, credentials or window."),
		parked:    gauge("seam_parked", "Events that wait for an event or a person, in this process's partitions."),
		restarts:  counter("seam_worker_restarts_total", "Restarts of the worker after a fatal answer of Kafka."),
		commits:   histogram("seam_commit_duration_seconds", "Duration of one Kafka transaction."),
		restoring: gauge("seam_restoring_partitions", "Partitions whose ledger is being read."),
		lost:      gauge("seam_lost_records", "Records that retention took before they were read: the partition stands until a person resets its offset.", "topic", "partition"),
	}
	m.factsRefused = counter("seam_facts_refused_total", "Refusals of facts that a call was to carry; no call was made.", "reason")
	m.factsAway = gauge("seam_facts_unavailable", "1 while nobody can be asked for facts: events that need them wait.")
	m.readBacks = counter("seam_read_backs_total", "Reads of what a call had made, by what they found.", "result")
	m.readBacksDue = gauge("seam_read_backs_due", "Records of calls that are still to be read back by this process.")
	if reg != nil {
		reg.MustRegister(m.outcomes, m.attempts, m.took, m.replayed, m.inFlight, m.circuit, m.parked, m.restarts, m.commits, m.restoring, m.factsRefused, m.factsAway, m.readBacks, m.readBacksDue, m.lost)
	}
	return m
}

// counts is the metrics of one integration that every event touches, found once. It is the loop's: not safe for concurrent
// use.
type counts struct {
	name     string
	all      *Metrics
	replayed prometheus.Counter
	took     prometheus.Observer
	outcomes map[outcomeLabels]prometheus.Counter
	attempts map[deliver.Class]prometheus.Counter
}

type outcomeLabels struct {
	kind   schemas.Kind
	reason schemas.Reason
}

// of is the metrics of an integration.
func (m *Metrics) of(integration string) *counts {
	return &counts{name: integration, all: m, replayed: m.replayed.WithLabelValues(integration), took: m.took.WithLabelValues(integration),
		outcomes: map[outcomeLabels]prometheus.Counter{}, attempts: map[deliver.Class]prometheus.Counter{}}
}

func (c *counts) outcome(kind schemas.Kind, reason schemas.Reason) {
	key := outcomeLabels{kind, reason}
	if c.outcomes[key] == nil {
		c.outcomes[key] = c.all.outcomes.WithLabelValues(c.name, string(kind), string(reason))
	}
	c.outcomes[key].Inc()
}

func (c *counts) attempt(res deliver.Result) {
	if c.attempts[res.Class] == nil {
		c.attempts[res.Class] = c.all.attempts.WithLabelValues(c.name, string(res.Class))
	}
	c.attempts[res.Class].Inc()
	c.took.Observe(res.Took.Seconds())
}
