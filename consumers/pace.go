package consumers

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/topology"
)

// pace says how fast calls may follow each other: the declared rate of the hour, shared with the other instances by the
// partitions that each owns; how many may be out at once, which falls when the downstream struggles and rises while it does
// not; and how many may be repetitions. It is not safe for concurrent use.
type pace struct {
	in      *topology.Integration
	limiter *rate.Limiter
	guest   bool    // the limiter is another's, who sets it
	share   float64 // of the integration's partitions that are this process's: 0 to 1
	window  float64 // calls that may be out; 1 to in_flight
	cutAt   time.Time
	tokens  float64 // repetitions that may be made
	filled  time.Time
}

const (
	minRetries = topology.RetryFloor
	// maxRetries is how many unused ones are kept, in seconds of minRetries: a budget that was saved all night must not be
	// spent on one morning's outage.
	maxRetries = 10 * minRetries
)

func newPace(in *topology.Integration) *pace {
	p := &pace{in: in, share: 1, window: float64(in.InFlight), tokens: maxRetries}
	p.limiter = rate.NewLimiter(p.rate(time.Time{}))
	return p
}

// rate is the limit of now and its burst, a second's worth: of the slow hours that hold, the slowest, else the usual.
func (p *pace) rate(now time.Time) (rate.Limit, int) {
	per := float64(p.in.Rate.Limit)
	for _, s := range p.in.Rate.Slow {
		if _, holds := s.Until(now); holds && (per == 0 || float64(s.Limit) < per) {
			per = float64(s.Limit)
		}
	}
	if per == 0 {
		return rate.Inf, 1
	}
	per *= p.share
	return rate.Limit(per), max(1, int(per))
}

// follow has the calls of several paces count together: one sets the limit, its guests keep to it.
func (p *pace) follow(limiter *rate.Limiter, guest bool) {
	if limiter != nil {
		p.limiter, p.guest = limiter, guest
	}
}

// own takes note of how many of the integration's partitions are this process's.
func (p *pace) own(parts, of int) {
	if of > 0 {
		p.share = max(float64(parts), 1) / float64(of)
	}
}

// take takes a permit of the rate, or says how long to wait.
func (p *pace) take(now time.Time) (wait time.Duration, ok bool) {
	if limit, burst := p.rate(now); !p.guest && limit != p.limiter.Limit() {
		p.limiter.SetLimitAt(now, limit)
		p.limiter.SetBurstAt(now, burst)
	}
	r := p.limiter.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return d, false
	}
	return 0, true
}

// room tells whether one more call may be out.
func (p *pace) room(inFlight int) bool { return inFlight < max(1, int(p.window)) }

// answered adapts the window to how a call went: as TCP does, half on trouble, at most once for the calls of one timeout,
// and one more for a window of calls that went well.
func (p *pace) answered(now time.Time, class deliver.Class) {
	switch class {
	case deliver.Retry, deliver.Unknown:
		if now.Sub(p.cutAt) >= p.in.Timeout.D() {
			p.window, p.cutAt = max(1, p.window/2), now
		}
	case deliver.Delivered, deliver.AlreadyDone, deliver.Rejected, deliver.Contract:
		p.window = min(float64(p.in.InFlight), p.window+1/p.window)
	case deliver.Credentials, deliver.Barred, deliver.Unmappable: // say nothing of how busy it is
	}
}

// mayRepeat tells whether the retry budget has a repetition left, or when it will.
func (p *pace) mayRepeat(now time.Time) (wait time.Duration, ok bool) {
	p.tokens, p.filled = p.left(now), now
	if p.tokens < 1 {
		return time.Duration((1 - p.tokens) / minRetries * float64(time.Second)), false
	}
	return 0, true
}

// left is how many repetitions may be made by now.
func (p *pace) left(now time.Time) float64 {
	if p.filled.IsZero() {
		return p.tokens
	}
	return min(maxRetries, p.tokens+minRetries*now.Sub(p.filled).Seconds())
}

// budget is what is left of the retry budget, 0 to 1.
func (p *pace) budget(now time.Time) float64 { return max(0, p.left(now)/maxRetries) }

// called takes note of a call: a repetition uses the budget, a first one adds its share.
func (p *pace) called(again bool) {
	if again {
		p.tokens--
		return
	}
	p.tokens = min(maxRetries, p.tokens+float64(p.in.Retry.Budget)/100)
}
