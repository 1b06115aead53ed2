package operate

import (
	"fmt"
	"strconv"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// waits is the reasons of parked events that wait for something to come, and not yet for a person.
const waits = "needs|behind|facts|conflict|released|replay"

// integration is the alerts of one downstream.
func (c *Config) integration(in *topology.Integration) []alert {
	out := append([]alert{c.downstreamDown(in), c.credentialsRefused(in), c.notLetOut(in), c.notRunning(in.Name, in.Name)}, c.stale(in)...)
	out = append(out, c.burn(in)...)
	return append(out, c.parkedTooLong(in), c.parkingSurge(in), c.retentionMargin(in), c.recordsLost(in), c.restarting(in), c.drift("integration", in.Name, in.Team))
}

// of is the label selector of an integration, with more selectors.
func of(in *topology.Integration, more string) string {
	return fmt.Sprintf(`{integration=%q%s}`, in.Name, more)
}

func about(in *topology.Integration) map[string]string {
	return map[string]string{"integration": in.Name}
}

func (c *Config) downstreamDown(in *topology.Integration) alert {
	// A breaker closes for a moment at every probe; a third of the time until harm is left for it to come back by itself.
	after := between(time.Duration(float64(2*time.Minute)*c.Scale), in.StaleAfter.D()/3, time.Duration(float64(30*time.Minute)*c.Scale))
	return alert{name: "SeamDownstreamDown", severity: page, team: in.Team, about: about(in), after: time.Duration(float64(after) / c.Scale),
		expr:    fmt.Sprintf(`max by (integration) (max_over_time(seam_circuit_open%s[%s])) == 1`, of(in, `,reason="breaker"`), c.d(2*time.Minute)),
		summary: fmt.Sprintf("%s does not answer: Seam calls it no more, and its orders wait. Harm begins when they are %s old.", in.Name, duration(in.StaleAfter.D())),
		command: "seam status",
		trials:  []trial{{series: []series{level("seam_circuit_open"+of(in, `,reason="breaker"`), 0, 1), level("seam_circuit_open"+of(in, `,reason="window"`), 0, 0)}}, {series: []series{level("seam_circuit_open"+of(in, `,reason="window"`), 0, 1)}, quiet: true}},
	}
}

func (c *Config) credentialsRefused(in *topology.Integration) alert {
	return alert{name: "SeamCredentialsRefused", severity: page, team: in.Team, about: about(in), after: time.Minute,
		expr:    fmt.Sprintf(`max by (integration) (seam_circuit_open%s) == 1`, of(in, `,reason="credentials"`)),
		summary: fmt.Sprintf("%s refuses Seam's credentials: a key was disabled, or has expired. Its orders wait; nothing is lost.", in.Name),
		command: "seam status",
		trials:  []trial{{series: []series{level("seam_circuit_open"+of(in, `,reason="credentials"`), 0, 1)}}, {series: []series{level("seam_circuit_open"+of(in, `,reason="breaker"`), 0, 1)}, quiet: true}},
	}
}

func (c *Config) notLetOut(in *topology.Integration) alert {
	return alert{name: "SeamNotLetOut", severity: page, team: in.Team, about: about(in), after: time.Minute,
		expr:    fmt.Sprintf(`max by (integration) (seam_circuit_open%s) == 1`, of(in, `,reason="outbound"`)),
		summary: fmt.Sprintf("Seam does not call %s: its name leads to an address that the environment does not allow. Its orders wait; nothing is lost.", in.Name),
		command: "seam status",
		trials:  []trial{{series: []series{level("seam_circuit_open"+of(in, `,reason="outbound"`), 0, 1)}}, {series: []series{level("seam_circuit_open"+of(in, `,reason="breaker"`), 0, 1)}, quiet: true}},
	}
}

// How old a sign of life may be: the slowest loop goes round every 15 s, and at no other pace where time is scaled.
const (
	heartbeatLimit = 2 * time.Minute
	lookLimit      = 5 * time.Minute
)

// notRunning is the dead man's switch of one role; subject is the integration that the role is, or empty.
func (c *Config) notRunning(role, subject string) alert {
	labels, what := map[string]string{"role": role}, "the role "+role
	if subject != "" {
		labels["integration"], what = subject, subject
	}
	beat := fmt.Sprintf(`seam_heartbeat_timestamp_seconds{role=%q}`, role)
	return alert{name: "SeamNotRunning", severity: page, team: c.Topology.Team, about: labels, after: 2 * time.Minute,
		expr:    fmt.Sprintf(`time() - max by (role) (%s) > %s or absent(%s)`, beat, seconds(heartbeatLimit), beat),
		summary: fmt.Sprintf("No process works for %s: none runs it, or those that do are stuck. What it should do waits.", what),
		command: "seam status",
		trials: []trial{{series: []series{gone(beat, 1e12)}},
			{series: []series{stamp(beat, 15, 10*heartbeatLimit.Seconds())}}},
	}
}

// span is one of our own durations, scaled.
func (c *Config) span(d time.Duration) time.Duration { return time.Duration(float64(d) * c.Scale) }

// stale is the alert of orders that are too old, and what silences it and its kin while people know and it heals.
func (c *Config) stale(in *topology.Integration) []alert {
	limit := in.StaleAfter.D()
	if limit <= 0 {
		return nil
	}
	undone := "seam_oldest_undone_seconds" + of(in, "")
	age := fmt.Sprintf("max by (integration) (%s)", undone)
	before := fmt.Sprintf("max by (integration) (%s offset %s)", undone, c.d(5*time.Minute))
	known := fmt.Sprintf(`max by (integration) (max_over_time(ALERTS{alertname=~"SeamDownstreamDown|SeamCredentialsRefused|SeamNotLetOut",alertstate="firing",integration=%q}[%s]))`, in.Name, c.d(15*time.Minute))
	window := fmt.Sprintf("max by (integration) (max_over_time(seam_circuit_open%s[%s])) == 1", of(in, `,reason="window"`), c.d(15*time.Minute))
	draining := series{name: undone, at: func(m moment) float64 {
		if !m.wrong {
			return 0
		}
		return limit.Seconds() * (3 - float64(m.n)/45)
	}}
	return []alert{
		{name: "SeamIntegrationStale", severity: page, team: in.Team, about: about(in), after: 2 * time.Minute,
			expr:    fmt.Sprintf("%s > %s", age, seconds(limit)),
			summary: fmt.Sprintf("The oldest order that %s does not know of is {{ $value | humanizeDuration }} old; harm begins at %s.", in.Name, duration(limit)),
			command: "seam status",
			trials:  []trial{{series: []series{level(undone, limit.Seconds()/2, limit.Seconds()*2)}, shown: spoken(2 * limit)}}},
		{name: "SeamRecovering", severity: none, about: about(in),
			expr:    fmt.Sprintf("%s or %s or (%s > %s and %s < %s - %s)", known, window, before, seconds(limit), age, before, seconds(min(c.span(time.Minute), limit/20))),
			summary: fmt.Sprintf("%s catches up, or is in a planned window: who must know was told, or planned it.", in.Name),
			trials: []trial{
				{series: []series{level("seam_circuit_open"+of(in, `,reason="window"`), 0, 1)}},
				{series: []series{level("seam_circuit_open"+of(in, `,reason="credentials"`), 0, 1)}},
				{series: []series{draining}},
				{series: []series{level(undone, limit.Seconds()/2, limit.Seconds()*2)}, quiet: true},
			}},
	}
}

func (c *Config) parkedTooLong(in *topology.Integration) alert {
	limit := between(c.span(time.Hour), in.CompleteWithin.D(), c.span(24*time.Hour))
	oldest := func(reason string) string {
		return "seam_parked_oldest_timestamp_seconds" + of(in, fmt.Sprintf(`,reason=%q`, reason))
	}
	return alert{name: "SeamParkedTooLong", severity: ticket, team: in.Team, about: about(in), after: 5 * time.Minute,
		expr:    fmt.Sprintf(`time() - min by (integration) (seam_parked_oldest_timestamp_seconds%s) > %s`, of(in, `,reason!~"`+waits+`"`), seconds(limit)),
		summary: fmt.Sprintf("An event of %s has waited for a person for {{ $value | humanizeDuration }}.", in.Name),
		command: "seam parked list --integration " + in.Name,
		trials: []trial{{series: []series{stamp(oldest("business_no"), 0, 2*limit.Seconds()), stamp(oldest("needs"), 0, 3*limit.Seconds())}, shown: spoken(2 * limit)},
			{series: []series{stamp(oldest("needs"), 0, 2*limit.Seconds())}, quiet: true}},
	}
}

// A surge of parked events: so many at least, and such a share of all.
const (
	surgeLeast = 20
	surgeShare = 0.2
)

func (c *Config) parkingSurge(in *topology.Integration) alert {
	w := c.d(15 * time.Minute)
	parked := fmt.Sprintf(`sum by (integration) (increase(seam_outcomes_total%s[%s]))`, of(in, `,outcome="parked",reason!~"`+waits+`"`), w)
	all := fmt.Sprintf(`sum by (integration) (increase(seam_outcomes_total%s[%s]))`, of(in, ""), w)
	outcomes := func(outcome, reason string) string {
		return "seam_outcomes_total" + of(in, fmt.Sprintf(`,outcome=%q,reason=%q`, outcome, reason))
	}
	return alert{name: "SeamParkingSurge", severity: page, team: in.Team, about: about(in), after: 2 * time.Minute,
		expr:    fmt.Sprintf(`%s > %d and %s > %s * %s`, parked, surgeLeast, parked, number(surgeShare), all),
		summary: fmt.Sprintf("{{ $value | humanize }} events of %s were parked in 15 minutes, more than a fifth of all: it answers otherwise than it did, or what we send has changed.", in.Name),
		command: "seam parked list --integration " + in.Name,
		trials: []trial{{series: []series{rise(outcomes("parked", "contract"), 0, 10), rise(outcomes("delivered", ""), 30, 20)}, shown: "150"},
			{series: []series{rise(outcomes("parked", "needs"), 0, 10), rise(outcomes("parked", "business_no"), 0, 1), rise(outcomes("delivered", ""), 30, 20)}, quiet: true}},
	}
}

func (c *Config) retentionMargin(in *topology.Integration) alert {
	shortest := 90 * 24 * time.Hour
	for _, t := range c.Topology.Topics {
		for _, input := range c.Topology.InputTopics(in) {
			if ms, err := strconv.ParseInt(t.Configs["retention.ms"], 10, 64); err == nil && t.Name == input {
				shortest = min(shortest, time.Duration(ms)*time.Millisecond)
			}
		}
	}
	limit := min(shortest/4, 3*24*time.Hour)
	margin := "seam_retention_margin_seconds" + of(in, `,topic="orders"`)
	return alert{name: "SeamRetentionMargin", severity: page, team: in.Team, about: about(in), after: 5 * time.Minute,
		expr:    fmt.Sprintf(`min by (integration, topic) (seam_retention_margin_seconds%s) < %s`, of(in, ""), seconds(limit)),
		summary: fmt.Sprintf("In {{ $value | humanizeDuration }} Kafka deletes what %s has not read of {{ $labels.topic }}: those orders would be lost to it.", in.Name),
		command: "seam status",
		trials:  []trial{{series: []series{level(margin, 2*limit.Seconds(), limit.Seconds()/2)}, given: map[string]string{"topic": "orders"}, shown: spoken(limit / 2)}},
	}
}

func (c *Config) recordsLost(in *topology.Integration) alert {
	lost := "seam_lost_records" + of(in, `,topic="orders",partition="3"`)
	return alert{name: "SeamRecordsLost", severity: page, team: in.Team, about: about(in),
		expr:    fmt.Sprintf(`sum by (integration, topic) (seam_lost_records%s) > 0`, of(in, "")),
		summary: fmt.Sprintf("Kafka has deleted {{ $value | humanize }} records of {{ $labels.topic }} before %s read them: the partition stands until a person says where to go on.", in.Name),
		command: fmt.Sprintf("seam replay %s --to-earliest", in.Name),
		trials:  []trial{{series: []series{level(lost, 0, 42)}, given: map[string]string{"topic": "orders"}, shown: "42"}},
	}
}

func (c *Config) restarting(in *topology.Integration) alert {
	restarts := "seam_worker_restarts_total" + of(in, "")
	return alert{name: "SeamWorkerRestarting", severity: ticket, team: c.Topology.Team, about: about(in), after: 5 * time.Minute,
		expr:    fmt.Sprintf(`sum by (integration) (increase(%s[%s])) > 3`, restarts, c.d(time.Hour)),
		summary: fmt.Sprintf("The worker of %s was started {{ $value | humanize }} times in an hour after fatal answers of Kafka.", in.Name),
		command: "seam status",
		trials:  []trial{{series: []series{rise(restarts, 0, 1)}, shown: "60", again: 2 * time.Hour, wrong: 90 * time.Minute}},
	}
}

// drift is the alert of a shape that is not as it was, of a source or an integration.
func (c *Config) drift(side, name, team string) alert {
	drifted := fmt.Sprintf(`seam_contract_drift_total{side=%q,name=%q`, side, name)
	return alert{name: "SeamContractDrift", severity: ticket, team: team, about: map[string]string{side: name},
		expr:    fmt.Sprintf(`sum by (%s) (label_replace(increase(%s}[%s]), %q, "$1", "name", "(.*)")) > 0`, side, drifted, c.d(time.Hour), side),
		summary: fmt.Sprintf("What %s says has changed its shape: {{ $value | humanize }} documents in an hour were not as expected.", name),
		command: "seam contract " + name,
		trials:  []trial{{series: []series{rise(drifted+`,kind="missing"}`, 0, 1)}, shown: "60", again: 2 * time.Hour, wrong: 90 * time.Minute}},
	}
}
