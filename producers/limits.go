package producers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/binaryandbeyond/seam/topology"
)

// limits bound what one source may have the edge do. They count authentic deliveries alone: whoever cannot sign takes nothing of a
// source's share, however much he sends. A delivery beyond them is never lost: it goes to the spool where there is one, is answered
// 429 where the source repeats it, and is taken all the same where neither is so.
type limits struct {
	rate  *rate.Limiter // nil for none
	slots chan struct{} // one for each delivery that is being published
}

func newLimits(l topology.EdgeLimits) limits {
	out := limits{slots: make(chan struct{}, cmp.Or(l.AtOnce, topology.DefaultAtOnce))}
	if l.Rate > 0 {
		out.rate = rate.NewLimiter(rate.Limit(l.Rate), cmp.Or(l.Burst, max(1, int(2*l.Rate))))
	}
	return out
}

// tooMany is a delivery beyond its source's rate.
type tooMany struct{ wait time.Duration }

// Error says how long to wait.
func (t *tooMany) Error() string {
	return fmt.Sprintf("beyond the source's rate for another %s", t.wait)
}

// The limits, as metrics name them.
const (
	limitRate   = "rate"
	limitAtOnce = "at_once"
)

// errBusy is a delivery that found no place among those that are being published.
var errBusy = errors.New("as many deliveries of the source are being published as may be at once")

// over is how long until the rate has room; 0 when it has some, which is taken.
func (l *limits) over(now time.Time) time.Duration {
	if l.rate == nil {
		return 0
	}
	r := l.rate.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// enter takes a place, and gives how to leave it.
func (l *limits) enter(ctx context.Context) (func(), error) {
	select {
	case l.slots <- struct{}{}:
		return l.leave, nil
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return l.leave, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}

func (l *limits) leave() { <-l.slots }

// admit lets a delivery through within its source's limits. An error of a source with a spool sends it there.
func (e *Edge) admit(ctx context.Context, in *inlet) (func(), error) {
	name := in.source.Name
	if wait := in.limits.over(e.cfg.Now()); wait > 0 {
		e.metrics.limited.WithLabelValues(name, limitRate).Inc()
		if in.spool != nil || in.source.RetriesFor > 0 {
			return nil, &tooMany{wait}
		}
	}
	if in.spool != nil {
		short, cancel := context.WithTimeout(ctx, e.patience)
		defer cancel()
		ctx = short
	}
	leave, err := in.limits.enter(ctx)
	if err != nil {
		e.metrics.limited.WithLabelValues(name, limitAtOnce).Inc()
	}
	return leave, err
}

// tooMany answers a source that repeats what it is told to.
func (e *Edge) tooMany(w http.ResponseWriter, in *inlet, t *tooMany) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(t.wait.Seconds()))))
	e.refuse(w, in, http.StatusTooManyRequests, errRate)
}

// patiently gives a request's body the source's own time to come, and its answer a little more to be taken; who sends a byte a minute
// holds a connection no longer. The function given takes the first bound away once the body is there; of what is refused it stays, as
// the server reads what was left unread.
func patiently(w http.ResponseWriter, within time.Duration) func() {
	c, now := http.NewResponseController(w), time.Now()
	// A writer that has no deadlines, of tests and of seam ingest, has no connection either.
	_ = c.SetReadDeadline(now.Add(within))
	_ = c.SetWriteDeadline(now.Add(within + answerTime))
	return func() { _ = c.SetReadDeadline(time.Time{}) }
}

// answerTime is how long an answer may take to be read by the other side.
const answerTime = 10 * time.Second
