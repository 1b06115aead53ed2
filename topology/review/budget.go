package review

import (
	"math"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// Budget is what an integration can promise, computed from its files. Rates are calls a second; spans are text in JSON.
type Budget struct {
	CompleteWithin Span `json:"complete_within"` // an order that waits longer is late
	StaleAfter     Span `json:"stale_after"`     // what the downstream knows may be this old before harm begins
	// Objective is the share of orders, in percent, that complete in time over 30 days.
	Objective float64 `json:"objective"`
	// LateAllowed is how many orders of 30 days, at the usual volume, may be late.
	LateAllowed float64 `json:"late_allowed"`
	// AwayAllowed is for how long of 30 days calls may fail beyond complete_within before the objective is missed.
	AwayAllowed Span `json:"away_allowed"`
	// Availability is the share of the week, in percent, in which no maintenance window forbids calls.
	Availability float64 `json:"availability"`

	Usual float64 `json:"usual"`
	Peak  float64 `json:"peak"`
	// Rate is the declared limit, or in_flight calls that all take the whole timeout where none is declared.
	Rate         float64 `json:"rate"`
	RateDeclared bool    `json:"rate_declared"`
	SlowRate     float64 `json:"slow_rate,omitempty"` // the lowest of the slow hours

	// Attempts is how often one event is tried before it is parked, where each attempt is refused at once and each wait is
	// the middle of its range. While the breaker is open far fewer are made.
	Attempts int `json:"attempts"`
	// Amplification is how many calls the downstream may get for each event while all fail and before the breaker opens: the
	// budget of repetitions, over the usual volume, and never more than Attempts.
	Amplification float64 `json:"amplification"`
	// OpenCalls is how many calls an hour's outage costs the downstream once the breaker has opened.
	OpenCalls int `json:"open_calls"`

	Backlog   float64 `json:"backlog"`              // calls that wait after an hour's outage at the usual volume
	Drain     Span    `json:"drain"`                // until they are made while others come; never: more come than go
	DrainSlow Span    `json:"drain_slow,omitempty"` // the same in the slowest hours
	// DrainPeak is Drain where the outage falls into the peak.
	DrainPeak Span `json:"drain_peak"`

	Dedup      Span   `json:"dedup_window"`
	Repeated   Span   `json:"longest_retry"` // of a source that may send what it acts on
	RepeatedBy string `json:"longest_retry_by,omitempty"`
	Kept       Span   `json:"retention"` // the longest of the topics it reads
	Remembers  Span   `json:"remembers,omitempty"`
}

// budget computes an integration's.
func (s *scope) budget(in *topology.Integration) *Budget {
	b := &Budget{
		CompleteWithin: Span(in.CompleteWithin), StaleAfter: Span(in.StaleAfter), Objective: float64(in.Objective),
		Usual: float64(in.Volume.Usual), Peak: float64(in.Volume.Most()), Rate: float64(in.Rate.Limit), RateDeclared: in.Rate.Limit > 0,
		Dedup: Span(in.DedupWindow), Remembers: Span(in.Idempotency.Remembers),
	}
	missed := 1 - b.Objective/100
	const month = 30 * 24 * time.Hour
	b.AwayAllowed = Span(time.Duration(missed * float64(month)).Round(time.Minute))
	b.LateAllowed = math.Floor(missed * b.Usual * month.Seconds())
	b.Availability = 100 * (1 - closed(in.Windows, s.now).total().Hours()/(7*24))
	if !b.RateDeclared && in.Timeout > 0 {
		b.Rate = float64(in.InFlight) / in.Timeout.D().Seconds()
	}
	for _, slow := range in.Rate.Slow {
		if r := float64(slow.Limit); b.SlowRate == 0 || r < b.SlowRate {
			b.SlowRate = r
		}
	}
	b.Attempts = attempts(in.Retry)
	b.Amplification = 1
	if b.Usual > 0 {
		b.Amplification = min(float64(b.Attempts), 1+max(topology.RetryFloor/b.Usual, 0)+float64(in.Retry.Budget)/100)
	}
	if open := in.Breaker.Open.D(); open > 0 {
		b.OpenCalls = int(time.Hour / open)
	}
	b.Backlog = b.Usual * 3600
	b.Drain, b.DrainPeak = drain(b.Usual, b.Rate), drain(b.Peak, b.Rate)
	if b.SlowRate > 0 {
		b.DrainSlow = drain(b.Usual, b.SlowRate)
	}
	for i := range s.t.Sources {
		if src := &s.t.Sources[i]; Span(src.RepeatedFor()) > b.Repeated && slices.ContainsFunc(in.Subscribes(), src.May) {
			b.Repeated, b.RepeatedBy = Span(src.RepeatedFor()), src.Name
		}
	}
	for _, topic := range s.t.InputTopics(in) {
		b.Kept = max(b.Kept, Span(s.retention(topic)))
	}
	return b
}

// drain is how long an hour's calls take at a rate while more come.
func drain(comes, rate float64) Span {
	switch {
	case comes <= 0:
		return 0
	case rate <= comes:
		return never
	}
	return Span(time.Duration(comes * 3600 / (rate - comes) * float64(time.Second)).Round(time.Second))
}

// attempts counts them until an event is given up.
func attempts(r topology.Retry) int {
	n, waited, ceiling := 1, time.Duration(0), r.Initial.D()
	for ceiling > 0 && n < 1e6 { // an initial of microseconds needs no exact count
		if waited += ceiling / 2; waited >= r.GiveUpAfter.D() {
			break
		}
		n++
		ceiling = min(2*ceiling, max(r.Max.D(), r.Initial.D()))
	}
	return n
}
