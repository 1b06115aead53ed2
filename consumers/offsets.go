package consumers

import "container/heap"

// offsets knows up to where a partition is settled. It holds only what is not settled, so a million records finished behind
// one that is stuck cost nothing.
type offsets struct {
	open offsetHeap
	at   map[int64]int // offset to its place in open
	next int64         // after the last record received; -1 before the first
	done int64         // committed offset; -1 when unknown
}

func newOffsets() *offsets { return &offsets{at: map[int64]int{}, next: -1, done: -1} }

// start says where the partition stands before its first record.
func (o *offsets) start(offset int64) { o.next, o.done = max(o.next, offset), offset }

// receive adds a record that is not settled yet.
func (o *offsets) receive(offset int64) {
	if _, ok := o.at[offset]; ok {
		return
	}
	heap.Push(o.heap(), offset)
	o.next = max(o.next, offset+1)
}

// settle takes a record out: it has an outcome or a parked record, or was read again.
func (o *offsets) settle(offset int64) {
	if i, ok := o.at[offset]; ok {
		heap.Remove(o.heap(), i)
	}
}

// watermark is the offset to commit: that of the oldest record not settled, or after the last received.
func (o *offsets) watermark() int64 {
	if len(o.open) > 0 {
		return o.open[0]
	}
	return o.next
}

func (o *offsets) heap() *indexed { return (*indexed)(o) }

type offsetHeap []int64

// indexed is offsets as a heap.Interface.
type indexed offsets

func (h *indexed) Len() int           { return len(h.open) }
func (h *indexed) Less(i, j int) bool { return h.open[i] < h.open[j] }
func (h *indexed) Swap(i, j int) {
	h.open[i], h.open[j] = h.open[j], h.open[i]
	h.at[h.open[i]], h.at[h.open[j]] = i, j
}

// Push appends an offset.
func (h *indexed) Push(x any) {
	h.at[x.(int64)] = len(h.open)
	h.open = append(h.open, x.(int64))
}

// Pop takes the last.
func (h *indexed) Pop() any {
	last := h.open[len(h.open)-1]
	h.open = h.open[:len(h.open)-1]
	delete(h.at, last)
	return last
}
