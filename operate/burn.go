package operate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// burnRate is a window of the error budget: more than factor times the budget's even use, over long and still over short.
type burnRate struct {
	factor      float64
	long, short time.Duration
}

// The windows of the SRE workbook (chapter 5, "Alerting on SLOs") for an objective over 30 days: 2 % of the budget in an hour or
// 5 % in six wakes somebody, 10 % in a day or three is looked at.
var (
	burnsFast = []burnRate{{14.4, time.Hour, 5 * time.Minute}, {6, 6 * time.Hour, 30 * time.Minute}}
	burnsSlow = []burnRate{{3, 24 * time.Hour, 2 * time.Hour}, {1, 72 * time.Hour, 6 * time.Hour}}
)

// burnLeast is how many orders must have become late in the long window: of two orders at night one that is late is half of all.
const burnLeast = 5

const (
	lateNow  = "seam:operations_late:sum"    // open steps past their time
	lateNew  = "seam:operations_late:new"    // that became late in a window: those that came true too late, and those that came to be open
	doneGood = "seam:operations_complete:in" // that came true in time, in a window
)

// windows of all burn rates, the shortest first.
func windows() []time.Duration {
	var out []time.Duration
	for _, b := range slices.Concat(burnsFast, burnsSlow) {
		out = append(out, b.long, b.short)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// recordedBudget is what the rules of budgets use. A step is late once, at its deadline: then it is in the gauge of what is open, until it comes
// true (complete_late) or is void; so what became late in a window is what the gauge grew by and what came true too late.
func (c *Config) recordedBudget() []rule {
	out := []rule{{Record: lateNow, Expr: "sum by (integration) (max by (integration, operation) (seam_operations_late) + max by (integration, operation) (seam_operations_missing))"}}
	for _, w := range windows() {
		labels := map[string]string{"window": duration(w)}
		out = append(out,
			rule{Record: lateNew, Labels: labels, Expr: fmt.Sprintf(
				`clamp_min(delta(%s[%s]) + sum by (integration) (increase(seam_operations_total{state="complete_late"}[%s])), 0)`, lateNow, c.d(w), c.d(w))},
			rule{Record: doneGood, Labels: labels, Expr: fmt.Sprintf(
				`sum by (integration) (increase(seam_operations_total{state="complete"}[%s]))`, c.d(w))})
	}
	return out
}

// burn is the alerts of an integration's error budget: of the steps that its calls complete.
func (c *Config) burn(in *topology.Integration) []alert {
	budget := (100 - float64(in.Objective)) / 100
	if budget <= 0 || !c.completes(in) {
		return nil
	}
	summary := fmt.Sprintf("%s completes fewer orders in time than promised (%s%%): its error budget of 30 days is being used up {{ $value | humanize }} times too fast.", in.Name, number(float64(in.Objective)))
	// {{ $value }} is the burn rate.
	expr := func(rates []burnRate) string {
		var out []string
		for _, b := range rates {
			out = append(out, fmt.Sprintf("(%s > %s and on (integration) %s > %s and on (integration) %s > %d)",
				rate(in, b.long, budget), number(b.factor), rate(in, b.short, budget), number(b.factor), sel(lateNew, in, b.long), burnLeast))
		}
		return strings.Join(out, " or ")
	}
	total := func(state string) string {
		return "seam_operations_total" + of(in, fmt.Sprintf(`,operation="x",state=%q`, state))
	}
	open := []series{level("seam_operations_late"+of(in, `,operation="x"`), 0, 0), level("seam_operations_missing"+of(in, `,operation="x"`), 0, 0)}
	// share is a world in which bad of a thousand orders a step come true too late.
	share := func(bad float64) []series {
		return append([]series{rise(total("complete"), 1000, 1000-bad), rise(total("complete_late"), 0, bad)}, open...)
	}
	per := func(factor float64) float64 { return budget * factor * 1000 }
	shown := func(factor float64) string { return fmt.Sprintf("%.4g", factor) }
	stuck := []series{rise(total("complete"), 1000, 0), rise(total("complete_late"), 0, 0), open[1],
		{name: "seam_operations_late" + of(in, `,operation="x"`), at: func(m moment) float64 {
			if !m.wrong {
				return 0
			}
			return float64(m.n+1) * 10
		}}}
	few := append([]series{rise(total("complete"), 0.1, 0), rise(total("complete_late"), 0, 0.05)}, open...)
	fast := alert{name: "SeamErrorBudgetBurn", severity: page, team: in.Team, about: about(in), after: 2 * time.Minute, expr: expr(burnsFast), summary: summary, command: "seam status",
		trials: []trial{
			{series: share(min(1000, per(20))), well: 70 * time.Minute, wrong: 70 * time.Minute, again: 40 * time.Minute, shown: shown(min(1000, per(20)) / per(1))},
			{series: share(min(1000, per(8))), step: 5 * time.Minute, well: 7 * time.Hour, wrong: 7 * time.Hour, again: 7 * time.Hour, shown: shown(min(1000, per(8)) / per(1))},
			{series: stuck, well: 70 * time.Minute, wrong: 70 * time.Minute, shown: shown(1 / budget)},
			{series: few, well: 70 * time.Minute, quiet: true},
			{series: share(per(4)), well: 70 * time.Minute, wrong: 70 * time.Minute, quiet: true},
		}}
	slow := alert{name: "SeamErrorBudgetBurnSlow", severity: ticket, team: in.Team, about: about(in), after: 15 * time.Minute, expr: expr(burnsSlow), summary: summary, command: "seam status",
		trials: []trial{
			{series: share(per(4)), step: time.Hour, well: 24 * time.Hour, wrong: 30 * time.Hour, again: 24 * time.Hour, shown: shown(4)},
			{series: share(per(1.5)), step: time.Hour, well: 72 * time.Hour, wrong: 72 * time.Hour, again: 12 * time.Hour, shown: shown(1.5)},
			{series: share(per(0.8)), step: time.Hour, well: 24 * time.Hour, wrong: 72 * time.Hour, again: time.Hour, quiet: true},
		}}
	return []alert{fast, slow}
}

// rate is how many times too fast the budget is used over a window.
func rate(in *topology.Integration, w time.Duration, budget float64) string {
	bad := sel(lateNew, in, w)
	return fmt.Sprintf("%s / (%s + on (integration) %s) / %s", bad, bad, sel(doneGood, in, w), number(budget))
}

// sel is a recorded series of an integration and a window, without the window's label.
func sel(name string, in *topology.Integration, w time.Duration) string {
	return fmt.Sprintf("max by (integration) (%s%s)", name, of(in, fmt.Sprintf(`,window=%q`, duration(w))))
}

// completes tells whether a step of an operation is the integration's.
func (c *Config) completes(in *topology.Integration) bool {
	for _, op := range c.Topology.Operations {
		for key := range op.Done {
			if by, _ := c.Topology.DoneBy(key); by == in {
				return true
			}
		}
	}
	return false
}
