package consumers

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// counts is the metrics of one integration, found once: an event costs no look-up. But for settled it is the loop's, and not
// safe for concurrent use.
type counts struct {
	name     string
	all      *Metrics
	replayed prometheus.Counter
	took     prometheus.Observer
	endToEnd prometheus.Observer
	outcomes map[outcomeLabels]prometheus.Counter
	attempts map[deliver.Class]prometheus.Counter
	lag      prometheus.Gauge
	inFlight prometheus.Gauge
	budget   prometheus.Gauge
	parked   map[schemas.Reason]bool // reasons that the gauge has
	traced   time.Time               // when an exemplar of a call was kept last
}

type outcomeLabels struct {
	kind   schemas.Kind
	reason schemas.Reason
}

// expected is the outcomes that any integration may come to: their counters are there from the start, as an increase from
// nothing is not seen.
var expected = map[schemas.Kind][]schemas.Reason{
	schemas.Duplicate:   {schemas.ReasonSameEvent, schemas.ReasonSameBusiness, schemas.ReasonOnce},
	schemas.Withheld:    {schemas.ReasonNotSubscribed, schemas.ReasonNotOwner, schemas.ReasonErased, schemas.ReasonPrerequisite, schemas.ReasonNothingToUndo},
	schemas.Superseded:  {schemas.ReasonStale, schemas.ReasonCancelled},
	schemas.Expired:     {schemas.ReasonTooOld},
	schemas.Delivered:   {schemas.ReasonNone},
	schemas.AlreadyDone: {schemas.ReasonNone},
	schemas.Rejected:    {schemas.ReasonBusinessNo},
	schemas.Parked:      parkedReasons,
	schemas.Discarded:   {schemas.ReasonOperator},
}

// parkedReasons is every reason to be parked that something may wait for.
var parkedReasons = []schemas.Reason{schemas.ReasonNeeds, schemas.ReasonBehind, schemas.ReasonConflict, schemas.ReasonFacts, schemas.ReasonRetryExhausted, schemas.ReasonBusinessNo,
	schemas.ReasonUnknown, schemas.ReasonContract, schemas.ReasonPoison, schemas.ReasonMapping, schemas.ReasonMissingKey, schemas.ReasonReleased, schemas.ReasonReplay}

// of is the metrics of an integration, each at 0 where it has not counted yet.
func (m *Metrics) of(in *topology.Integration) *counts {
	c := &counts{name: in.Name, all: m, replayed: m.replayed.WithLabelValues(in.Name), took: m.took.WithLabelValues(in.Name), endToEnd: m.endToEnd.WithLabelValues(in.Name),
		lag: m.lag.WithLabelValues(in.Name), inFlight: m.inFlight.WithLabelValues(in.Name), budget: m.budget.WithLabelValues(in.Name),
		outcomes: map[outcomeLabels]prometheus.Counter{}, attempts: map[deliver.Class]prometheus.Counter{}, parked: map[schemas.Reason]bool{}}
	for kind, reasons := range expected {
		for _, r := range reasons {
			c.counter(outcomeLabels{kind, r})
		}
	}
	for _, class := range deliver.Classes {
		c.attempts[class] = m.attempts.WithLabelValues(in.Name, string(class))
	}
	for _, r := range parkedReasons {
		c.parked[r] = true
	}
	m.restarts.WithLabelValues(in.Name)
	m.commits.WithLabelValues(in.Name)
	m.restoring.WithLabelValues(in.Name)
	if in.TellsFacts() {
		m.factsAway.WithLabelValues(in.Name)
		for _, reason := range []string{"too_old", "disagreement", topology.RefusedMissing, topology.RefusedBehind} {
			m.factsRefused.WithLabelValues(in.Name, reason)
		}
	}
	if in.ReadsBack() {
		for _, result := range []string{schemas.ReadFound, schemas.ReadMissing, schemas.ReadFailed, readRetried} {
			m.readBacks.WithLabelValues(in.Name, result)
		}
		m.readBacksDue.WithLabelValues(in.Name)
	}
	return c
}

func (c *counts) counter(key outcomeLabels) prometheus.Counter {
	n := c.outcomes[key]
	if n == nil {
		n = c.all.outcomes.WithLabelValues(c.name, string(key.kind), string(key.reason))
		c.outcomes[key] = n
	}
	return n
}

func (c *counts) outcome(kind schemas.Kind, reason schemas.Reason) {
	c.counter(outcomeLabels{kind, reason}).Inc()
}

// An exemplar costs more than what it is of: of calls one is kept in exemplarEvery, and every one that took exemplarSlow.
const (
	exemplarEvery = 100 * time.Millisecond
	exemplarSlow  = time.Second
)

// attempt counts a call that ended now, made for an event with a trace.
func (c *counts) attempt(now time.Time, res deliver.Result, traceParent string) {
	c.attempts[res.Class].Inc()
	if res.Took < exemplarSlow && now.Sub(c.traced) < exemplarEvery {
		c.took.Observe(res.Took.Seconds())
		return
	}
	c.traced = now
	observe(c.took, res.Took, traceParent)
}

// settled takes note of what a transaction made final, by now; of all its events the slowest is the exemplar. It is safe beside
// all else.
func (c *counts) settled(records []pending, now time.Time) {
	var slowest *schemas.Outcome
	for _, r := range records {
		o := r.outcome
		if o == nil || !o.Kind.Final() || o.Replay != nil || o.IngestedAt.IsZero() {
			continue // a person had it delivered again, days later; or nobody has decoded it, as nobody acts on it
		}
		switch {
		case slowest == nil:
			slowest = o
		case o.IngestedAt.Before(slowest.IngestedAt):
			c.endToEnd.Observe(now.Sub(slowest.IngestedAt).Seconds())
			slowest = o
		default:
			c.endToEnd.Observe(now.Sub(o.IngestedAt).Seconds())
		}
	}
	if slowest != nil {
		observe(c.endToEnd, now.Sub(slowest.IngestedAt), slowest.TraceParent)
	}
}

// observe observes a duration with the trace of a W3C traceparent as its exemplar, where there is one.
func observe(o prometheus.Observer, d time.Duration, traceParent string) {
	id := schemas.TraceID(traceParent)
	with, ok := o.(prometheus.ExemplarObserver)
	if !ok || id == "" {
		o.Observe(d.Seconds())
		return
	}
	with.ObserveWithExemplar(d.Seconds(), prometheus.Labels{"trace_id": id})
}

// gauges sets what is measured, not counted.
func (e *engine) gauges(now time.Time) {
	c, name := e.counts, e.in.Name
	c.inFlight.Set(float64(e.inFlight))
	c.budget.Set(e.gate.pace.budget(now))
	holds := e.gate.holds(now)
	for _, reason := range shutReasons {
		c.all.circuit.WithLabelValues(name, reason).Set(map[bool]float64{true: 1}[reason == holds])
	}
	parked, oldest := map[schemas.Reason]int{}, map[schemas.Reason]time.Time{}
	undone := now
	for _, p := range e.parts {
		if p.store != nil {
			p.store.EachParked(func(w *schemas.ParkedRecord) {
				if parked[w.Reason]++; parked[w.Reason] == 1 || w.Since.Before(oldest[w.Reason]) {
					oldest[w.Reason] = w.Since
				}
				c.parked[w.Reason] = true
			})
		}
		for _, ln := range p.lanes {
			if it := ln.undone(); it != nil && it.rec.Timestamp.Before(undone) {
				undone = it.rec.Timestamp
			}
		}
	}
	c.lag.Set(now.Sub(undone).Seconds())
	for reason := range c.parked {
		c.all.parked.WithLabelValues(name, string(reason)).Set(float64(parked[reason]))
		if parked[reason] == 0 {
			c.all.parkedOldest.DeleteLabelValues(name, string(reason))
			continue
		}
		c.all.parkedOldest.WithLabelValues(name, string(reason)).Set(float64(oldest[reason].UnixMilli()) / 1000)
	}
}
