package operate

import (
	"fmt"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// operations is the alerts of steps that did not come true in time: a rule for each integration that completes one, and one for
// those that an event completes. The page is for the team that operations.yaml names.
func (c *Config) operations() []alert {
	var out []alert
	for i := range c.Topology.Operations {
		op := &c.Topology.Operations[i]
		var doers []string
		for key := range op.Done {
			in, _ := c.Topology.DoneBy(key)
			if !slices.Contains(doers, in.Name) {
				doers = append(doers, in.Name)
			}
		}
		if len(op.Seen) > 0 {
			doers = append(doers, "")
		}
		slices.Sort(doers)
		for _, doer := range doers {
			out = append(out, c.late(op, doer))
		}
	}
	return out
}

func (c *Config) late(op *topology.Operation, doer string) alert {
	by := fmt.Sprintf(`{integration=%q,operation=%q}`, doer, op.Name)
	labels, who := map[string]string{"operation": op.Name, "integration": doer}, doer
	if doer == "" {
		delete(labels, "integration")
		who = "what should have been seen"
	}
	late, missing := "seam_operations_late"+by, "seam_operations_missing"+by
	return alert{name: "SeamOperationLate", severity: page, team: op.Page, about: labels, after: 5 * time.Minute,
		expr:    fmt.Sprintf(`sum by (integration, operation) (max by (integration, operation) (%s) + max by (integration, operation) (%s)) > 0`, late, missing),
		summary: fmt.Sprintf("{{ $value | humanize }} orders have waited for %q longer than promised: %s is missing.", op.Name, who),
		command: "seam disagreements",
		trials:  []trial{{series: []series{level(late, 0, 2), level(missing, 0, 1)}, shown: "3"}},
	}
}

// disagreements is an alert for every team that is paged when systems differ.
func (c *Config) disagreements() []alert {
	teams := map[string]bool{}
	for _, o := range c.Topology.Ownership {
		teams[o.Page] = o.Page != ""
	}
	teams[c.Topology.Money.Page] = c.Topology.Money.Page != ""
	var out []alert
	for _, team := range sortedKeys(teams) {
		if !teams[team] {
			continue
		}
		overdue := func(kind string) string {
			return fmt.Sprintf(`seam_disagreements_overdue{team=%q,kind=%q}`, team, kind)
		}
		out = append(out, alert{name: "SeamDisagreementOverdue", severity: page, team: team, after: 5 * time.Minute,
			expr:    fmt.Sprintf(`max by (kind) (seam_disagreements_overdue{team=%q}) > 0`, team),
			summary: "Systems have differed for longer than they may about {{ $value | humanize }} values, and nobody has said that they are at it.",
			command: "seam disagreements",
			trials:  []trial{{series: []series{level(overdue("money"), 0, 2), level(overdue("field"), 0, 0)}, given: map[string]string{"kind": "money"}, shown: "2"}},
		})
	}
	return out
}

// subscribers is the alerts of other teams' groups that are further behind than they said.
func (c *Config) subscribers() []alert {
	var out []alert
	for i := range c.Topology.Subscribers {
		g := &c.Topology.Subscribers[i]
		objective := g.LagObjective.D()
		if objective <= 0 {
			continue
		}
		lag := func(more string) string {
			return fmt.Sprintf(`kafka_consumergroup_lag_seconds{consumergroup=%q%s}`, g.Group, more)
		}
		out = append(out, alert{name: "SeamSubscriberBehind", severity: ticket, team: g.Team, about: map[string]string{"consumergroup": g.Group}, after: 5 * time.Minute,
			expr:    fmt.Sprintf(`max by (consumergroup) (%s) > %s`, lag(""), seconds(objective)),
			summary: fmt.Sprintf("The group %s of %s is {{ $value | humanizeDuration }} behind; it said %s.", g.Group, g.Team, duration(objective)),
			trials:  []trial{{series: []series{level(lag(`,topic="orders",partition="0"`), 1, 2*objective.Seconds())}, shown: spoken(2 * objective)}},
		})
	}
	return out
}
