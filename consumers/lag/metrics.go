package lag

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The first four are named as lag exporters name them.
var (
	groupLabels = []string{"consumergroup", "topic", "partition"}

	groupLag     = prometheus.NewDesc("kafka_consumergroup_lag", "Last stable offset less the group's committed offset; 0 when no record is between.", groupLabels, nil)
	groupSeconds = prometheus.NewDesc("kafka_consumergroup_lag_seconds", "Age of the record at the group's committed offset; 0 when there is none.", groupLabels, nil)
	groupOffset  = prometheus.NewDesc("kafka_consumergroup_current_offset", "The group's committed offset.", groupLabels, nil)
	groupMembers = prometheus.NewDesc("kafka_consumergroup_members", "Members of the group.", []string{"consumergroup"}, nil)

	lagRecords      = prometheus.NewDesc("seam_lag_records", "Lag of the integration's group over all partitions, in records.", []string{"integration", "topic"}, nil)
	oldestUndone    = prometheus.NewDesc("seam_oldest_undone_seconds", "Age of the oldest order that is undone, by its record's time; 0 when none is.", []string{"integration"}, nil)
	retentionMargin = prometheus.NewDesc("seam_retention_margin_seconds", "Until retention may delete the oldest undone record; not above 0 when it may be gone.", []string{"integration", "topic"}, nil)

	lastSuccess = prometheus.NewDesc("seam_monitor_last_success_timestamp_seconds", "When the cluster last told all of what groups have read; the start of the process until it did.", nil, nil)
	failures    = prometheus.NewDesc("seam_monitor_failures_total", "Rounds in which it did not tell all.", nil, nil)
	duration    = prometheus.NewDesc("seam_monitor_duration_seconds", "Duration of the last round.", nil, nil)
)

// Describe tells every metric.
func (m *Monitor) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{groupLag, groupSeconds, groupOffset, groupMembers, lagRecords, oldestUndone, retentionMargin, lastSuccess, failures, duration} {
		ch <- d
	}
}

// Collect gives what was seen last, with ages as of now.
func (m *Monitor) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.c.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(lastSuccess, float64(m.last.UnixMilli())/1000)
	gauge(duration, m.took.Seconds())
	ch <- prometheus.MustNewConstMetric(failures, prometheus.CounterValue, m.failures)
	for group, n := range m.seen.members {
		gauge(groupMembers, float64(n), group)
	}
	for at, p := range m.seen.positions {
		labels := []string{at.group, at.topic, strconv.Itoa(int(at.partition))}
		gauge(groupLag, float64(p.lag), labels...)
		gauge(groupSeconds, age(now, p.oldest), labels...)
		if p.committed >= 0 {
			gauge(groupOffset, float64(p.committed), labels...)
		}
	}
	for integration, topics := range m.integrations() {
		oldest := time.Time{}
		for topic, s := range topics {
			gauge(lagRecords, float64(s.lag), integration, topic)
			oldest = earlier(oldest, s.oldest)
			kept, deletes := m.seen.retention[topic]
			switch margin := s.oldest.Add(kept).Sub(now).Seconds(); {
			case !deletes || s.oldest.IsZero() && !s.gone:
			case s.gone:
				gauge(retentionMargin, min(margin, 0), integration, topic)
			default:
				gauge(retentionMargin, margin, integration, topic)
			}
		}
		gauge(oldestUndone, age(now, oldest), integration)
	}
}

// integrations is the positions of integrations' groups, by integration and topic, all partitions as one.
func (m *Monitor) integrations() map[string]map[string]position {
	out := map[string]map[string]position{}
	for at, p := range m.seen.positions {
		g := m.groups[at.group]
		if g == nil || g.integration == "" {
			continue
		}
		if out[g.integration] == nil {
			out[g.integration] = map[string]position{}
		}
		s := out[g.integration][at.topic]
		s.lag += p.lag
		s.oldest = earlier(s.oldest, p.oldest)
		s.gone = s.gone || p.gone
		out[g.integration][at.topic] = s
	}
	return out
}

// age is how long ago a time is, in seconds, never below 0; 0 for the zero one.
func age(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}

// earlier is the earlier of two times that are not zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
