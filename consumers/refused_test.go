package consumers_test

import (
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/consumers"
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
// the next. Each is sent again soon: forty times the client's own pause of 5 s would be too late for this test.
func TestATransactionFollowsItsPredecessor(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed, topologytest.Embedded())
	refused := map[uint32]bool{} // batches, by their checksums
	fault := b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.ConcurrentTransactions, Count: -1, When: func(r kmsg.Request) (fresh bool) {
		req := r.(*kmsg.ProduceRequest)
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				id := crc32.ChecksumIEEE(p.Records)
				fresh = fresh || !refused[id]
				refused[id] = true
			}
		}
		return fresh && req.TransactionID != nil
	}})
	const events = 40
	b.start()
	for i := range events {
		b.publish(event(fmt.Sprint("a", i), schemas.OrderUpdated, "A", i+1))
	}
	if diff := cmp.Diff("a39=delivered", kinds(b.wait(events))[events-1]); diff != "" {
		t.Error(diff)
	}
	if n := fault.Hits(); n < events {
		t.Errorf("%d requests were refused: nothing was proved", n)
	}
}

// TestRefusedOffsetsAreCommittedAgain where only what was read again moves them.
func TestRefusedOffsetsAreCommittedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed, topologytest.Embedded())
	stop := b.start()
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	stop()
	b.rewind()
	fault := b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: 3})
	b.start()
	b.commits("A", 1)
	if fault.Hits() != 3 {
		t.Errorf("%d commits were refused: nothing was proved", fault.Hits())
	}
}

// TestStaticMembersSayTheirName in everything that tells who they are: one that is fenced by a namesake must not be heard.
func TestStaticMembersSayTheirName(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed, topologytest.Embedded())
	names := make(chan string, 10_000)
	b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.TxnOffsetCommit, kmsg.OffsetCommit}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		var name *string
		switch r := r.(type) {
		case *kmsg.JoinGroupRequest:
			name = r.InstanceID
		case *kmsg.SyncGroupRequest:
			name = r.InstanceID
		case *kmsg.HeartbeatRequest:
			name = r.InstanceID
		case *kmsg.TxnOffsetCommitRequest:
			name = r.InstanceID
		case *kmsg.OffsetCommitRequest:
			if r.MemberID == "" {
				return true // a person's
			}
			name = r.InstanceID
		}
		text := "nobody"
		if name != nil {
			text = *name
		}
		names <- kmsg.NameForKey(r.Key()) + " of " + text
		return true
	}})
	static := func(c *consumers.Config) { c.Static, c.Instance = true, "x" }
	stop := b.start(static)
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
	stop()
	topologytest.Eventually(t, "the member has left", func() error {
		_, err := kadm.NewClient(b.client).LeaveGroup(t.Context(), kadm.LeaveGroup(b.topo.Group("down")).InstanceIDs("x"))
		return err
	})
	b.rewind()
	b.start(static)
	b.commits("A", 1)
	got := map[string]bool{}
	for len(names) > 0 {
		got[<-names] = true
	}
	if diff := cmp.Diff(map[string]bool{"JoinGroup of x": true, "SyncGroup of x": true, "Heartbeat of x": true, "TxnOffsetCommit of x": true, "OffsetCommit of x": true}, got); diff != "" {
		t.Error(diff)
	}
}

// TestOurOwnOpenTransactionIsEnded: a process that was killed in the middle of one and started again would wait for its timeout,
// as it cannot tell its own from that of a living member.
func TestOurOwnOpenTransactionIsEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t, keyed)
	dead := b.kafka.Client(t, kgo.TransactionalID(b.topo.Group("down")+"/x"), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range b.topo.Partitions {
		if err := dead.ProduceSync(t.Context(), &kgo.Record{Topic: b.topo.Ledger("down"), Partition: p, Key: []byte("k")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.start(func(c *consumers.Config) { c.Instance = "x" })
	b.publish(event("a1", schemas.OrderCreated, "A", 1))
	b.wait(1)
}
