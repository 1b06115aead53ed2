package consumers

import (
	"errors"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsets knows up to where a partition is settled. It holds little more than what is not settled, so a million records
// finished behind one that is stuck cost nothing.
type offsets struct {
	open []int64 // received, ascending; those settled since are marked (see settled)
	dead int     // how many of open are marked
	next int64   // after the last record received; -1 before the first
	done int64   // committed offset; -1 when unknown
}

func newOffsets() *offsets { return &offsets{next: -1, done: -1} }

// start says where the partition stands before its first record.
func (o *offsets) start(offset int64) { o.next, o.done = max(o.next, offset), offset }

// A settled offset stays in its place as its complement, which is below 0, until it is swept out.
func settled(v int64) bool { return v < 0 }

func offsetOf(v int64) int64 {
	if settled(v) {
		return ^v
	}
	return v
}

// find is the place of an offset, or where it would stand.
func (o *offsets) find(offset int64) (i int, there bool) {
	i = sort.Search(len(o.open), func(i int) bool { return offsetOf(o.open[i]) >= offset })
	return i, i < len(o.open) && offsetOf(o.open[i]) == offset
}

// has tells whether a record was received and is not settled.
func (o *offsets) has(offset int64) bool {
	i, there := o.find(offset)
	return there && !settled(o.open[i])
}

// receive adds a record that is not settled yet.
func (o *offsets) receive(offset int64) {
	if n := len(o.open); n == 0 || offset > offsetOf(o.open[n-1]) {
		o.open = append(o.open, offset)
	} else if i, there := o.find(offset); !there {
		o.open = slices.Insert(o.open, i, offset)
	} else if settled(o.open[i]) {
		o.open[i] = offset
		o.dead--
	}
	o.next = max(o.next, offset+1)
}

// settle takes a record out: it has an outcome or a parked record, or was read again.
func (o *offsets) settle(offset int64) {
	i, there := o.find(offset)
	if !there || settled(o.open[i]) {
		return
	}
	o.open[i] = ^offset
	o.dead++
	for i = 0; i < len(o.open) && settled(o.open[i]); i++ {
		o.dead--
	}
	o.open = o.open[i:]
	if o.dead > 64 && o.dead > len(o.open)/2 {
		o.open = append(make([]int64, 0, 2*(len(o.open)-o.dead)), slices.DeleteFunc(o.open, settled)...)
		o.dead = 0
	}
}

// watermark is the offset to commit: that of the oldest record not settled, or after the last received.
func (o *offsets) watermark() int64 {
	if len(o.open) > 0 {
		return o.open[0] // never a settled one: those are swept from the front
	}
	return o.next
}

// notCommitted is why offsets were not all committed: what the coordinator says of any partition, or why it said nothing, which
// leaves no response.
func notCommitted(resp *kmsg.OffsetCommitResponse, failed error) error {
	if resp == nil {
		return failed
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			failed = errors.Join(failed, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return failed
}
