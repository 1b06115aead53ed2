package consumers_test

import (
	"fmt"
	"hash/crc32"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestATransactionFollowsItsPredecessor: brokers that do not have the markers of the last transaction yet refuse the records of
// the next. Each is sent again soon: twenty times the client's own pause of 5 s would be too late for this test.
func TestATransactionFollowsItsPredecessor(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed, topologytest.Embedded())
	var mu sync.Mutex
	refused := map[uint32]bool{} // batches, by their checksums
	b.kafka.Fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.kafka.Fake.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if req.TransactionID == nil {
			return nil, nil, false
		}
		mu.Lock()
		defer mu.Unlock()
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		fresh := false
		for _, topic := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.ConcurrentTransactions.Code
				rt.Partitions = append(rt.Partitions, rp)
				id := crc32.ChecksumIEEE(p.Records)
				fresh = fresh || !refused[id]
				refused[id] = true
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, fresh
	})
	const events = 20
	b.start()
	for i := range events {
		b.publish(event(fmt.Sprint("a", i), schemas.OrderUpdated, "A", i+1))
	}
	seen := b.wait(events)
	if diff := cmp.Diff("a19=delivered", kinds(seen)[events-1]); diff != "" {
		t.Error(diff)
	}
	if len(refused) < events {
		t.Errorf("%d batches were refused: nothing was proved", len(refused))
	}
}
