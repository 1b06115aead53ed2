package consumers_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestRefusedHeartbeatsGiveNoLease: an answer that takes the member's place away is an answer, and allows no call.
func TestRefusedHeartbeatsGiveNoLease(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.NotCoordinator} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, keyed, topologytest.Embedded())
			beats := make(chan struct{}, 100)
			b.kafka.Fake.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
				b.kafka.Fake.KeepControl()
				select {
				case beats <- struct{}{}:
				default:
				}
				resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
				resp.ErrorCode = refusal.Code
				return resp, nil, true
			})
			b.publish(event("a1", schemas.OrderCreated, "A", 1))
			stop := b.start()
			for range 4 {
				<-beats
			}
			stop()
			if n := b.down.count(); n != 0 {
				t.Errorf("%d calls by a worker that was never taken for a member", n)
			}
		})
	}
}
