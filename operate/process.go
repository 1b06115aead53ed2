package operate

import (
	"fmt"
	"strings"
	"time"
)

// mustExist is the metrics without which the alerts would be silent for the wrong reason.
var mustExist = []string{"seam_oldest_undone_seconds", "seam_operations_late", "seam_disagreements_overdue", "seam_circuit_open", "seam_ingest_last_received_timestamp_seconds"}

// process is the alerts of Seam itself, told from outside of it.
func (c *Config) process() []alert {
	t := c.Topology
	up := fmt.Sprintf(`up{job=%q}`, c.Job)
	one := fmt.Sprintf(`up{job=%q,instance="seam-0:8090"}`, c.Job)
	two := fmt.Sprintf(`up{job=%q,instance="seam-1:8090"}`, c.Job)
	age := func(metric string) string { return fmt.Sprintf("time() - max(%s)", metric) }
	reloaded := fmt.Sprintf(`seam_config_last_reload_successful{job=%q,instance="seam-0:8090"}`, c.Job)
	const asked = "seam_monitor_last_success_timestamp_seconds"
	var absents []string
	for _, m := range mustExist {
		absents = append(absents, fmt.Sprintf("absent(%s)", m))
	}
	exist := func(lacks int) []series {
		var out []series
		for i, m := range mustExist {
			if i == lacks {
				out = append(out, gone(m, 0))
			} else {
				out = append(out, level(m, 0, 0))
			}
		}
		return out
	}
	return []alert{
		{name: "SeamWatchdog", severity: none, expr: "vector(1)",
			summary: "Always fires: whoever does not hear it knows that Prometheus or Alertmanager is down.",
			trials:  []trial{{stays: true, series: []series{level(one, 1, 1)}}}},
		{name: "SeamDown", severity: page, team: t.Team, after: 2 * time.Minute,
			expr:    fmt.Sprintf("(sum(%s) or vector(0)) == 0", up),
			summary: "No process of Seam answers: nothing is taken in, nobody is called, and no other alert of Seam can be believed.",
			command: "seam status",
			trials:  []trial{{series: []series{level(one, 1, 0), level(two, 0, 0)}}, {series: []series{gone(one, 1)}}, {series: []series{level(one, 1, 0), level(two, 1, 1)}, quiet: true}}},
		{name: "SeamProcessDown", severity: ticket, team: t.Team, after: 5 * time.Minute,
			expr:    up + " == 0",
			summary: "The process {{ $labels.instance }} does not answer; others do its work.",
			command: "seam status",
			trials: []trial{{series: []series{level(one, 1, 0), level(two, 1, 1)},
				given: map[string]string{"job": c.Job, "instance": "seam-0:8090"}}}},
		c.notRunning("reconcile", ""),
		{name: "SeamMonitorStuck", severity: page, team: t.Team, after: 2 * time.Minute,
			expr:    fmt.Sprintf("%s > %s or absent(%s)", age(asked), seconds(lookLimit), asked),
			summary: "Kafka's lag has not been read for more than five minutes: the age of orders, and how long until retention takes them, are not known.",
			command: "seam status",
			trials:  []trial{{series: []series{stamp(asked, 15, 2*lookLimit.Seconds())}}, {series: []series{gone(asked, 1e12)}}}},
		{name: "SeamBlind", severity: page, team: t.Team, after: 10 * time.Minute,
			expr:    strings.Join(absents, " or "),
			summary: "Metrics that alerts are made of do not exist: those alerts cannot fire, whatever happens.",
			command: "seam alerts --help",
			trials:  []trial{{series: exist(0)}, {series: exist(3)}}},
		{name: "SeamNotReloaded", severity: ticket, team: t.Team, after: 5 * time.Minute,
			expr:    "seam_config_last_reload_successful == 0",
			summary: "The process {{ $labels.instance }} was told to read the topology again, and runs the old one: its log says which file is why.",
			command: "seam plan",
			trials:  []trial{{series: []series{level(reloaded, 1, 0)}, given: map[string]string{"job": c.Job, "instance": "seam-0:8090"}}}},
		{name: "SeamViewBehind", severity: page, team: t.Team, after: 5 * time.Minute,
			expr:    fmt.Sprintf("max(seam_view_lag_seconds) > %s", seconds(lookLimit)),
			summary: "The reconciler is {{ $value | humanizeDuration }} behind the topics: what it says of orders, and every alert about them, is that old.",
			command: "seam sources",
			trials:  []trial{{series: []series{level("seam_view_lag_seconds", 1, (3 * lookLimit).Seconds())}, shown: spoken(c.span(15 * time.Minute))}}},
	}
}

// kafka is the alert of Kafka itself: the brokers answer no process. A client hears from them every second or so, for heartbeats.
func (c *Config) kafka() []alert {
	read := `seam_kafka_read_bytes_total{client="erp",node_id="1"}`
	failed := `seam_kafka_connect_errors_total{client="erp",node_id="1"}`
	w := c.d(2 * time.Minute)
	return []alert{{name: "SeamKafkaDown", severity: page, team: c.Topology.Team, after: time.Minute,
		expr:    fmt.Sprintf("sum(rate(seam_kafka_read_bytes_total[%s])) == 0", w),
		summary: "No process of Seam has heard from a broker for two minutes: webhooks are refused or spooled, and nobody is called. Nothing that was taken is lost.",
		command: "seam status",
		trials:  []trial{{series: []series{rise(read, 1000, 0), rise(failed, 0, 60)}}},
	}}
}
