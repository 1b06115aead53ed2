// Package operate writes what watches a running Seam, from the topology: Prometheus' rules with promtool's tests of each,
// Alertmanager's routes to the teams, and Grafana's dashboards.
//
// In comes a topology, out come files. What a rule may say follows from what the topology promises: an integration's staleness,
// objective and windows, a source's silence, an operation's times, a topic's retention, who answers when. A new integration has
// its alerts and its row without a further word.
//
// The package asks nobody and changes nothing: it reads no cluster, and no secret reaches a file. Where Alertmanager needs a
// key, the file names the file that holds it.
package operate
