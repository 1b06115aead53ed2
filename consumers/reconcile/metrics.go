package reconcile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binaryandbeyond/seam/topology"
)

// metrics is what a view counts; docs/metrics.md says what each means.
type metrics struct {
	began      time.Time              // what came true before is history, which a view made anew takes in again
	operations *prometheus.CounterVec // {integration,operation,state}
	records    prometheus.Counter
	late       *prometheus.GaugeVec // {integration,operation}
	missing    *prometheus.GaugeVec // {integration,operation}
	open       *prometheus.GaugeVec // {team,kind}
	overdue    *prometheus.GaugeVec // {team,kind}

	mu      sync.Mutex
	counted levels // what the gauges show
}

// levels is values of gauges by their two labels.
type levels map[*prometheus.GaugeVec]map[[2]string]float64

func (l levels) add(g *prometheus.GaugeVec, a, b string, n float64) {
	if l[g] == nil {
		l[g] = map[[2]string]float64{}
	}
	l[g][[2]string{a, b}] += n
}

// The states of seam_operations_total.
const (
	completeInTime = "complete"
	completeLate   = "complete_late"
)

// The kinds of what is open.
const (
	kindField = "field"
	kindMoney = "money"
	kindStep  = "step" // not a disagreement: see overdueTable
)

// measured makes the view's metrics, each at 0 where nothing was counted yet, and registers them.
func (v *View) measured(reg prometheus.Registerer) error {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{began: v.now(),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seam_operations_total", Help: "Steps of operations that came true: complete, or complete_late."}, []string{"integration", "operation", "state"}),
		records:    prometheus.NewCounter(prometheus.CounterOpts{Name: "seam_view_records_total", Help: "Records taken into the view by this process."}),
		late:       gauge("seam_operations_late", "Open steps past their time, of orders that the integration knows.", "integration", "operation"),
		missing:    gauge("seam_operations_missing", "Open steps past their time, of which nothing was heard.", "integration", "operation"),
		open:       gauge("seam_disagreements_open", "Open disagreements by the team that is paged, of a field or of sums; waived ones left out.", "team", "kind"),
		overdue:    gauge("seam_disagreements_overdue", "Disagreements past their deadline that nobody has acknowledged or accepted.", "team", "kind"),
	}
	v.metrics = m
	m.start(v.topo)
	if reg == nil {
		return nil
	}
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "seam_view_lag_seconds", Help: "How long ago the view was last known to hold everything that was in the topics."}, v.lag)
	behind := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "seam_view_behind_records", Help: "Records that the view has not taken in; -1 while that is not known."},
		func() float64 { return float64(v.Freshness().BehindRecords) })
	for _, c := range []prometheus.Collector{m.operations, m.records, m.late, m.missing, m.open, m.overdue, lag, behind} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics of the view: %w", err)
		}
	}
	return nil
}

// start has every counter and gauge there that the topology knows of.
func (m *metrics) start(t *topology.Topology) {
	none := levels{}
	step := func(integration, operation string) {
		for _, state := range []string{completeInTime, completeLate} {
			m.operations.WithLabelValues(integration, operation, state)
		}
		none.add(m.late, integration, operation, 0)
		none.add(m.missing, integration, operation, 0)
	}
	for i := range t.Operations {
		op := &t.Operations[i]
		for key := range op.Done {
			in, _ := t.DoneBy(key)
			step(in.Name, op.Name)
		}
		if len(op.Seen) > 0 {
			step("", op.Name)
		}
	}
	for team := range t.Teams {
		for _, kind := range []string{kindField, kindMoney} {
			none.add(m.open, team, kind, 0)
			none.add(m.overdue, team, kind, 0)
		}
	}
	m.show(none)
}

// show sets the gauges, to 0 where nothing is counted any more.
func (m *metrics) show(now levels) {
	for g, values := range m.counted {
		for labels := range values {
			now.add(g, labels[0], labels[1], 0)
		}
	}
	for g, values := range now {
		for labels, n := range values {
			g.WithLabelValues(labels[0], labels[1]).Set(n)
		}
	}
	m.counted = now
}

// lag is how long ago the view was last known to hold everything, in seconds; since it was opened where it never was.
func (v *View) lag() float64 {
	at := v.horizon()
	if at.IsZero() {
		at = v.metrics.began
	}
	return max(0, v.now().Sub(at).Seconds())
}

// stepKey names a step of an operation.
type stepKey struct{ operation, what string }

// completion is a step that came true.
type completion struct{ integration, operation, state string }

// integration is whose call the step is; empty where it is an event.
func (n *Needed) integration() string {
	name, _, call := strings.Cut(n.What, "/")
	if !call {
		return ""
	}
	return name
}

// stepsDone is the steps of an order that have come true.
func stepsDone(o *Order) map[stepKey]bool {
	out := map[stepKey]bool{}
	for _, op := range o.Operations {
		for _, n := range op.Steps {
			if n.State == StateComplete && !n.Void {
				out[stepKey{op.Name, n.What}] = true
			}
		}
	}
	return out
}

// completions adds to an intake what has come true of an order and was not before, and gives all that has.
func (v *View) completions(b *intake, o *Order, before map[stepKey]bool) map[stepKey]bool {
	done := stepsDone(o)
	for _, op := range o.Operations {
		for _, n := range op.Steps {
			k := stepKey{op.Name, n.What}
			if !done[k] || before[k] || n.Since == nil || n.Since.Before(v.metrics.began) {
				continue
			}
			state := completeInTime
			if n.Since.After(op.Begun.Add(v.within(k))) {
				state = completeLate
			}
			b.completed = append(b.completed, completion{n.integration(), op.Name, state})
		}
	}
	return done
}

// within is how long a step may take.
func (v *View) within(k stepKey) time.Duration {
	for i := range v.topo.Operations {
		op := &v.topo.Operations[i]
		if op.Name != k.operation {
			continue
		}
		for et, d := range op.Seen {
			if string(et) == k.what {
				return d.D()
			}
		}
		for key, d := range op.Done {
			if in, operation := v.topo.DoneBy(key); in.Name+"/"+operation == k.what {
				return d.D()
			}
		}
	}
	return 0
}

// complete counts what came true, once it is in the database.
func (m *metrics) complete(list []completion) {
	for _, c := range list {
		m.operations.WithLabelValues(c.integration, c.operation, c.state).Inc()
	}
}

// What is open: of each kind the team or step, its state and how many there are.
var openStatements = map[string]string{
	kindField: "SELECT page, state, count(*) FROM disagreements WHERE closed IS NULL GROUP BY page, state",
	kindMoney: "SELECT page, CASE WHEN overdue THEN '" + DisagreementOverdue + "' ELSE '" + DisagreementOpened + "' END, count(*) FROM money_differences GROUP BY 1, 2",
	kindStep:  "SELECT integration || '/' || operation, state, count(*) FROM overdue_steps GROUP BY 1, 2",
}

// openRow is a row of one of them.
type openRow struct {
	kind, name, state string
	n                 float64
}

func (v *View) openRows(ctx context.Context, kind string) (out []openRow, err error) {
	rows, err := v.db.QueryContext(ctx, openStatements[kind])
	if err != nil {
		return nil, fmt.Errorf("count what is open: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r := openRow{kind: kind}
		if err := rows.Scan(&r.name, &r.state, &r.n); err != nil {
			return nil, fmt.Errorf("count what is open: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// count asks the database what is open, and sets the gauges.
func (v *View) count(ctx context.Context) error {
	m := v.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []openRow
	for kind := range openStatements {
		rows, err := v.openRows(ctx, kind)
		if err != nil {
			return err
		}
		found = append(found, rows...)
	}
	now := levels{}
	for _, r := range found {
		switch {
		case r.kind == kindStep:
			integration, operation, _ := strings.Cut(r.name, "/")
			gauge := m.late
			if r.state == string(StateMissing) {
				gauge = m.missing
			}
			now.add(gauge, integration, operation, r.n)
		case r.state != DisagreementWaived:
			now.add(m.open, r.name, r.kind, r.n)
			if r.state == DisagreementOverdue {
				now.add(m.overdue, r.name, r.kind, r.n)
			}
		}
	}
	m.show(now)
	return nil
}
