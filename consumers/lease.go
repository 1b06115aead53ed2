package consumers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lease tells for how long the worker may believe that its partitions are its own: three quarters of a session after it
// sent the last heartbeat that the coordinator took. A worker cut off from Kafka stops calling before a successor can start,
// and one that was frozen calls nothing when it wakes. It is safe for concurrent use.
type lease struct {
	session time.Duration

	mu      sync.Mutex
	until   time.Time
	revoked int // how often
}

// extend counts from when a heartbeat was sent, unless the lease was revoked meanwhile.
func (l *lease) extend(sent time.Time, revoked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked == revoked {
		l.until = sent.Add(l.session * 3 / 4)
	}
}

// revoke ends the lease now.
func (l *lease) revoke() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Time{}
	l.revoked++
}

// state is until when calls may be started, and how often the lease was revoked.
func (l *lease) state() (until time.Time, revoked int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until, l.revoked
}

// left is how long calls may still be started; not above 0 when none may.
func (l *lease) left() time.Duration {
	until, _ := l.state()
	return time.Until(until)
}

// keepLease sends heartbeats of its own until the engine ends. The client sends some too, but tells neither whether they were
// taken nor, before a worker that lost its place acts on that, that they were not.
func (e *engine) keepLease() {
	tick := time.NewTicker(min(heartbeat, e.Session/4))
	defer tick.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-tick.C:
		case <-e.joined:
		}
		e.beat()
	}
}

// beat asks the coordinator once whether this member is one.
func (e *engine) beat() {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = e.Topology.Group(e.in.Name)
	if req.MemberID, req.Generation = e.cl.GroupMetadata(); req.Generation < 0 {
		return
	}
	if e.Static {
		req.InstanceID = kmsg.StringPtr(e.Instance)
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.Session/2)
	defer cancel()
	_, revoked := e.lease.state()
	sent := time.Now()
	resp, err := req.RequestWith(ctx, e.cl)
	if err != nil {
		return // it says nothing
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case err == nil, errors.Is(err, kerr.RebalanceInProgress): // a member still; its partitions are its own until it joins again
		e.lease.extend(sent, revoked)
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		e.lease.revoke()
	}
}
