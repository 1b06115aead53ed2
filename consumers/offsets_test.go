package consumers

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestOffsetsAgainstAList draws records, gaps and settlements at random and compares with a walk over everything received.
func TestOffsetsAgainstAList(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := newOffsets()
		start := rng.Int64N(100)
		if seed%2 == 0 {
			o.start(start)
		}
		if w := o.watermark(); seed%2 == 0 && w != start || seed%2 == 1 && w != -1 {
			t.Fatalf("seed %d: before the first record the watermark is %d", seed, w)
		}
		settled := map[int64]bool{}
		var received []int64
		next := start
		for range 300 {
			switch rng.IntN(5) {
			case 0, 1:
				next += 1 + rng.Int64N(3) // markers and compaction leave gaps
				o.receive(next - 1)
				received = append(received, next-1)
			case 2:
				if len(received) > 0 { // fetched twice
					o.receive(received[len(received)-1])
					delete(settled, received[len(received)-1])
				}
			default:
				if len(received) > 0 {
					at := received[rng.IntN(len(received))]
					o.settle(at)
					settled[at] = true
				}
			}
			want := o.next
			for i := len(received) - 1; i >= 0; i-- {
				if !settled[received[i]] {
					want = received[i]
				}
			}
			if got := o.watermark(); got != want {
				t.Fatalf("seed %d: watermark %d, want %d", seed, got, want)
			}
			if len(received) > 0 && o.next != received[len(received)-1]+1 {
				t.Fatalf("seed %d: next is %d after %d", seed, o.next, received[len(received)-1])
			}
		}
	}
}

// Records finished behind one that is stuck cost next to nothing, however many they are.
func TestOffsetsForgetWhatIsSettled(t *testing.T) {
	t.Parallel()
	o := newOffsets()
	o.receive(0)
	for i := int64(1); i < 100_000; i++ {
		o.receive(i)
		o.settle(i)
		if len(o.open) > 200 {
			t.Fatalf("%d places are held for one record", len(o.open))
		}
	}
	if o.watermark() != 0 {
		t.Errorf("watermark %d, want 0", o.watermark())
	}
	o.settle(0)
	if o.watermark() != 100_000 {
		t.Errorf("watermark %d, want 100000", o.watermark())
	}
}

// TestNotCommitted: a coordinator that does not answer leaves no response.
func TestNotCommitted(t *testing.T) {
	t.Parallel()
	gone := errors.New("no coordinator")
	if err := notCommitted(nil, gone); !errors.Is(err, gone) {
		t.Errorf("without a response: %v", err)
	}
	resp := &kmsg.OffsetCommitResponse{Topics: []kmsg.OffsetCommitResponseTopic{{Partitions: []kmsg.OffsetCommitResponseTopicPartition{{}, {ErrorCode: kerr.IllegalGeneration.Code}}}}}
	if err := notCommitted(resp, nil); !errors.Is(err, kerr.IllegalGeneration) {
		t.Errorf("a partition is refused: %v", err)
	}
	if err := notCommitted(&kmsg.OffsetCommitResponse{}, nil); err != nil {
		t.Error(err)
	}
}
