package consumers

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lease tells for how long the worker may believe that its partitions are its own: three quarters of a session after it
// sent the last heartbeat that was answered. A worker cut off from Kafka stops calling before a successor can start.
type lease struct {
	session time.Duration
	until   atomic.Int64 // Unix nanoseconds
}

// The group requests whose answer proves membership: JoinGroup, Heartbeat. SyncGroup does not restart a session.
const (
	keyJoinGroup = 11
	keyHeartbeat = 12
)

var _ kgo.HookBrokerE2E = (*lease)(nil)

// OnBrokerE2E extends the lease from the time a heartbeat was written.
func (l *lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if (key != keyHeartbeat && key != keyJoinGroup) || e2e.WriteErr != nil || e2e.ReadErr != nil {
		return
	}
	sent := time.Now().Add(-e2e.DurationE2E())
	if key == keyJoinGroup {
		sent = time.Now() // it waits on the broker for the others; the session starts with its answer
	}
	l.until.Store(sent.Add(l.session * 3 / 4).UnixNano())
}

// revoke ends the lease now.
func (l *lease) revoke() { l.until.Store(0) }

// left is how long calls may still be started; not above 0 when none may.
func (l *lease) left() time.Duration { return time.Until(time.Unix(0, l.until.Load())) }
