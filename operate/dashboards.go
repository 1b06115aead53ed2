package operate

import (
	"fmt"
	"slices"

	"github.com/binaryandbeyond/seam/topology"
)

// Dashboards is Grafana's: one of everything, with a row for each integration and source, and one for each integration. Red begins
// where the topology says that harm does.
func Dashboards(c Config) ([]File, error) {
	if c.Job == "" {
		c.Job = "seam"
	}
	boards := []*board{c.overview()}
	for i := range c.Topology.Integrations {
		boards = append(boards, c.detail(&c.Topology.Integrations[i]))
	}
	var out []File
	for _, b := range boards {
		f, err := b.file()
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// overview is the one that is looked at first.
func (c *Config) overview() *board {
	b := newBoard("seam", "Seam", "Every integration and source, the reconciler, Kafka and the processes. Made by seam dashboards.")
	b.row("Now",
		chart{"Alerts that fire", unitShort, 0, []line{{`count by (alertname) (ALERTS{alertname=~"Seam.*",alertstate="firing",severity=~"page|ticket"})`, "{{alertname}}"}}},
		chart{"Orders past their time", unitShort, 0, []line{{"sum by (operation) (max by (integration, operation) (seam_operations_late) + max by (integration, operation) (seam_operations_missing))", "{{operation}}"}}},
		chart{"Disagreements overdue", unitShort, 0, []line{{"max by (team, kind) (seam_disagreements_overdue)", "{{team}} {{kind}}"}}},
		chart{"Parked", unitShort, 0, []line{{"sum by (integration) (seam_parked)", "{{integration}}"}}})
	for i := range c.Topology.Integrations {
		b.row("Integration "+c.Topology.Integrations[i].Name, c.main(&c.Topology.Integrations[i])...)
	}
	for i := range c.Topology.Sources {
		b.row("Source "+c.Topology.Sources[i].Name, c.sourceCharts(&c.Topology.Sources[i])...)
	}
	edge := []chart{
		{"Answers, 95 and 99 of 100", unitSeconds, 0, []line{{quantile(0.95, "seam_ingest_duration_seconds", ""), "95 %"}, {quantile(0.99, "seam_ingest_duration_seconds", ""), "99 %"}}},
		{"Refused", unitRate, 0, []line{{"sum by (reason) (rate(seam_ingest_refused_total[5m]))", "{{reason}}"}}},
		{"Answered 503", unitRate, 0, []line{{"sum by (source) (rate(seam_ingest_unavailable_total[5m]))", "{{source}}"}}},
	}
	if slices.ContainsFunc(c.Topology.Sources, func(s topology.Source) bool { return s.Spool }) {
		edge = append(edge, chart{"Spooled", unitShort, 0, []line{{"sum by (source) (seam_ingest_spool_deliveries)", "{{source}}"}}})
	}
	b.row("Edge", edge...)
	b.row("Reconciler",
		chart{"Behind the topics", unitSeconds, lookLimit.Seconds(), []line{{"max(seam_view_lag_seconds)", "view"}}},
		chart{"Records taken in", unitRate, 0, []line{{"sum(rate(seam_view_records_total[5m]))", "records"}}},
		chart{"Steps that came true", unitRate, 0, []line{{"sum by (state) (rate(seam_operations_total[5m]))", "{{state}}"}}},
		chart{"Open disagreements", unitShort, 0, []line{{"max by (team, kind) (seam_disagreements_open)", "{{team}} {{kind}}"}}})
	b.row("Kafka",
		chart{"Lag of groups", unitShort, 0, []line{{"sum by (consumergroup) (max by (consumergroup, topic, partition) (kafka_consumergroup_lag))", "{{consumergroup}}"}}},
		chart{"Age of what is next", unitSeconds, 0, []line{{"max by (consumergroup) (kafka_consumergroup_lag_seconds)", "{{consumergroup}}"}}},
		chart{"Until retention takes it", unitSeconds, 0, []line{{"min by (integration, topic) (seam_retention_margin_seconds)", "{{integration}} {{topic}}"}}},
		chart{"Members", unitShort, 0, []line{{"max by (consumergroup) (kafka_consumergroup_members)", "{{consumergroup}}"}}},
		chart{"Read from brokers", "Bps", 0, []line{{"sum(rate(seam_kafka_read_bytes_total[5m]))", "bytes"}}},
		chart{"Lag last read", unitSeconds, lookLimit.Seconds(), []line{{"time() - max(seam_monitor_last_success_timestamp_seconds)", "ago"}}})
	b.row("Processes",
		chart{"Up", unitShort, 0, []line{{fmt.Sprintf("up{job=%q}", c.Job), "{{instance}}"}}},
		chart{"Heartbeats", unitSeconds, heartbeatLimit.Seconds(), []line{{"time() - max by (role) (seam_heartbeat_timestamp_seconds)", "{{role}}"}}},
		chart{"CPU", unitShort, 0, []line{{fmt.Sprintf("rate(process_cpu_seconds_total{job=%q}[5m])", c.Job), "{{instance}}"}}},
		chart{"Memory", "bytes", 0, []line{{fmt.Sprintf("process_resident_memory_bytes{job=%q}", c.Job), "{{instance}}"}}})
	return b
}

// main is the four charts by which an integration is judged.
func (c *Config) main(in *topology.Integration) []chart {
	return []chart{
		{"Oldest undone order", unitSeconds, in.StaleAfter.D().Seconds(), []line{{"max by (integration) (seam_oldest_undone_seconds" + of(in, "") + ")", "age"}}},
		{"Outcomes", unitRate, 0, []line{{"sum by (outcome) (rate(seam_outcomes_total" + of(in, "") + "[5m]))", "{{outcome}}"}}},
		{"Receipt to outcome, 95 of 100", unitSeconds, in.CompleteWithin.D().Seconds(), []line{{quantile(0.95, "seam_end_to_end_duration_seconds", of(in, "")), "95 %"}}},
		{"No calls, and why", unitShort, 0, []line{{"max by (reason) (seam_circuit_open" + of(in, "") + ")", "{{reason}}"}}},
	}
}

// detail is the dashboard of one integration.
func (c *Config) detail(in *topology.Integration) *board {
	b := newBoard("seam-"+in.Name, "Seam: "+in.Name, fmt.Sprintf("Integration %s of team %s. Made by seam dashboards.", in.Name, in.Team), "integration")
	b.row("How it is", c.main(in)...)
	b.row("Calls",
		chart{"Calls by what they told", unitRate, 0, []line{{"sum by (class) (rate(seam_delivery_attempts_total" + of(in, "") + "[5m]))", "{{class}}"}}},
		chart{"One call, 50 and 99 of 100", unitSeconds, in.Timeout.D().Seconds(), []line{{quantile(0.5, "seam_delivery_duration_seconds", of(in, "")), "50 %"}, {quantile(0.99, "seam_delivery_duration_seconds", of(in, "")), "99 %"}}},
		chart{"Under way", unitShort, float64(in.InFlight), []line{{"sum(seam_in_flight" + of(in, "") + ")", "calls"}}},
		chart{"Retry budget left", unitShare, 0, []line{{"min(seam_retry_budget_ratio" + of(in, "") + ")", "left"}}})
	orders := []chart{
		{"Parked, by reason", unitShort, 0, []line{{"sum by (reason) (seam_parked" + of(in, "") + ")", "{{reason}}"}}},
		{"Parked the longest", unitSeconds, 0, []line{{"time() - min by (reason) (seam_parked_oldest_timestamp_seconds" + of(in, "") + ")", "{{reason}}"}}},
		{"Steps past their time", unitShort, 0, []line{{"max by (operation) (seam_operations_late" + of(in, "") + ")", "{{operation}} late"}, {"max by (operation) (seam_operations_missing" + of(in, "") + ")", "{{operation}} missing"}}},
		{"Steps that came true", unitRate, 0, []line{{"sum by (state) (rate(seam_operations_total" + of(in, "") + "[5m]))", "{{state}}"}}},
		{"Read backs", unitRate, 0, []line{{"sum by (result) (rate(seam_read_backs_total" + of(in, "") + "[5m]))", "{{result}}"}}},
	}
	if in.Facts != nil {
		orders = append(orders, chart{"Facts refused", unitRate, 0, []line{{"sum by (reason) (rate(seam_facts_refused_total" + of(in, "") + "[5m]))", "{{reason}}"}}})
	}
	b.row("Orders", orders...)
	b.row("Worker",
		chart{"Not read yet", unitShort, 0, []line{{"max by (topic) (seam_lag_records" + of(in, "") + ")", "{{topic}}"}}},
		chart{"Transactions, 99 of 100", unitSeconds, 0, []line{{quantile(0.99, "seam_commit_duration_seconds", of(in, "")), "99 %"}}},
		chart{"Restarts and restores", unitShort, 0, []line{{"sum(increase(seam_worker_restarts_total" + of(in, "") + "[1h]))", "restarts in an hour"}, {"sum(seam_restoring_partitions" + of(in, "") + ")", "partitions restoring"}}},
		chart{"Read again", unitRate, 0, []line{{"sum(rate(seam_replayed_records_total" + of(in, "") + "[5m]))", "records"}}})
	return b
}

func (c *Config) sourceCharts(s *topology.Source) []chart {
	out := []chart{
		{"Received", unitRate, 0, []line{{"sum(rate(seam_ingest_received_total" + from(s) + "[5m]))", "deliveries"}, {"sum(rate(seam_ingest_published_total" + from(s) + "[5m]))", "events"}}},
		{"Silence", unitSeconds, s.SilentAfter.D().Seconds(), []line{{"time() - max(seam_ingest_last_received_timestamp_seconds" + from(s) + ")", "silent for"}}},
		{"Quarantined", unitRate, 0, []line{{"sum(rate(seam_ingest_quarantined_total" + from(s) + "[5m]))", "deliveries"}}},
	}
	if s.Platform == topology.Files || s.Platform == topology.Poll {
		return append(out, chart{"Last look", unitSeconds, 3 * s.Every.D().Seconds(), []line{{"time() - max(seam_ingest_last_look_timestamp_seconds" + from(s) + ")", "ago"}}})
	}
	return append(out, chart{"Not authentic", unitRate, 0, []line{{"sum(rate(seam_ingest_signature_failures_total" + from(s) + "[5m]))", "requests"}}})
}

// quantile is of a classic histogram, over all processes.
func quantile(q float64, metric, selector string) string {
	return fmt.Sprintf("histogram_quantile(%s, sum by (le) (rate(%s_bucket%s[5m])))", number(q), metric, selector)
}
