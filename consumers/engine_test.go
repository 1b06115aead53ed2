package consumers

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestMayIntend: what may be out at once and twice the calls of the last transaction, and one call while the gate is shut.
func TestMayIntend(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	night := topology.Window{Every: "day", From: "11:00", To: "13:00", Zone: "UTC"}
	for _, tt := range []struct {
		name          string
		intents, flow int
		windows       []topology.Window
		tripped       bool
		want          bool
	}{
		{"few", 3, 0, nil, false, true},
		{"as many as may be out", 4, 0, nil, false, false},
		{"more while they are made", 9, 3, nil, false, true},
		{"twice as many", 10, 3, nil, false, false},
		{"in a window", 1, 3, []topology.Window{night}, false, false},
		{"the one that tries after a window", 0, 0, []topology.Window{night}, false, true},
		{"while the circuit is open", 1, 3, nil, true, false},
		{"the one that tries the circuit", 0, 0, nil, true, true},
	} {
		in := &topology.Integration{Name: "down", InFlight: 4, Windows: tt.windows}
		e := &engine{in: in, gate: newGate(in), intents: tt.intents, flow: tt.flow}
		if tt.tripped {
			e.gate.leave(now, 0, deliver.Result{Class: deliver.Credentials})
		}
		if got := e.mayIntend(now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestStands: a lane that stood in line is handled only while it is this worker's and its head was looked at.
func TestStands(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	p, gone := &partition{tp: tp}, &partition{tp: tp}
	looked := &item{noted: &schemas.LedgerEntry{}}
	e := &engine{parts: map[topicPartition]*partition{tp: p}}
	for name, tt := range map[string]struct {
		p    *partition
		it   *item
		want bool
	}{
		"its head":                             {p, looked, true},
		"an empty lane":                        {p, nil, false},
		"a head that nobody looked at":         {p, &item{}, false},
		"a partition that has a new life":      {gone, looked, false},
		"a partition that is being taken away": {&partition{tp: tp, revoked: &drain{}}, looked, false},
	} {
		e.parts[tp] = p
		if tt.p.revoked != nil {
			e.parts[tp] = tt.p
		}
		if got := e.stands(&lane{part: tt.p}, tt.it); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestDropLeavesWhatWasLostOut of the next transaction, and nothing else.
func TestDropLeavesWhatWasLostOut(t *testing.T) {
	t.Parallel()
	lost, kept := &partition{tp: topicPartition{"orders", 0}}, &partition{tp: topicPartition{"orders", 1}}
	b := newBatch(1)
	for _, p := range []*partition{lost, kept, lost} {
		b.add(p, &kgo.Record{})
		b.change(&lane{part: p})
	}
	b.drop(lost)
	if b.touches(lost) || !b.touches(kept) || len(b.records) != 1 || len(b.dirty) != 1 {
		t.Errorf("%d records and %d entries are left, of the lost one: %v", len(b.records), len(b.dirty), b.touches(lost))
	}
}

// TestMayCommit: one transaction at a time, none with nothing in it, and none by an engine whose word no longer counts.
func TestMayCommit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*engine)
		want   bool
	}{
		"something to carry":          {func(*engine) {}, true},
		"nothing to carry":            {func(e *engine) { e.batch = newBatch(1) }, false},
		"one is under way":            {func(e *engine) { e.committing = newBatch(0) }, false},
		"an outcome was lost":         {func(e *engine) { e.broken = errCut }, false},
		"a drain took too long":       {func(e *engine) { e.void.Store(true) }, false},
		"the last was just aborted":   {func(e *engine) { e.commitAfter = e.Now().Add(time.Hour) }, false},
		"the last was aborted before": {func(e *engine) { e.commitAfter = e.Now() }, true},
	} {
		e := &engine{Config: Config{Now: func() time.Time { return monday }}, batch: newBatch(1)}
		e.batch.offsets = true
		tt.change(e)
		if got := e.mayCommit(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestNothingIsReceivedForARevokedPartition: its records were fetched before, and are the next owner's.
func TestNothingIsReceivedForARevokedPartition(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	p := &partition{tp: tp, offsets: newOffsets(), lanes: map[string]*lane{}, revoked: &drain{}}
	e := &engine{Config: Config{Topology: &topology.Topology{}}, parts: map[topicPartition]*partition{tp: p}}
	e.receive(&kgo.Record{Topic: tp.topic, Partition: tp.partition, Offset: 7, Key: []byte("A")}, false)
	if len(p.lanes) != 0 || p.offsets.watermark() != -1 {
		t.Errorf("%d lanes, watermark %d", len(p.lanes), p.offsets.watermark())
	}
}

// TestShelve: what a committed batch wrote into the ledger is on the shelf, and may be forgotten from memory after that and
// not before.
func TestShelve(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	p := &partition{tp: tp, offsets: newOffsets(), store: ledger.NewStore("orders", "id"), lanes: map[string]*lane{}}
	b := newBatch(3)
	b.entries = map[*partition][]written{p: {{"A", nil, &kgo.Record{Value: []byte("a"), Offset: 4}}, {"B", nil, &kgo.Record{Value: []byte("b"), Offset: 5}}}}
	if err := b.shelve(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.store.Len(); err != nil || n != 2 {
		t.Errorf("%d entries are on the shelf, %v", n, err)
	}
}

// offsetsIn is the offsets of a lane's queue.
func offsetsIn(ln *lane) []int64 {
	var out []int64
	for _, it := range ln.queue {
		out = append(out, it.rec.Offset)
	}
	return out
}

// TestFront: parked events go before what came later, in their own order, and behind a head that is under way.
func TestFront(t *testing.T) {
	t.Parallel()
	read := func(offset int64) *item {
		return &item{rec: &kgo.Record{Offset: offset}, noted: &schemas.LedgerEntry{}}
	}
	parked := func(offset int64) *item {
		it := read(offset)
		it.parked = &schemas.ParkedRecord{}
		return it
	}
	for _, tt := range []struct {
		name          string
		busy, waiting bool
		want          []int64
	}{
		{"nothing under way", false, false, []int64{3, 5, 8, 9, 10}},
		{"a call is out", true, false, []int64{9, 3, 5, 8, 10}},
		{"a repetition waits", false, true, []int64{9, 3, 5, 8, 10}},
	} {
		ln := &lane{part: &partition{}, busy: tt.busy, waiting: tt.waiting}
		ln.push(read(9), schemas.OrderCreated)
		ln.push(read(10), schemas.OrderCancelled)
		head, grown := ln.head(), ln.grown
		ln.front(parked(5), parked(8))
		ln.front(parked(3))
		if diff := cmp.Diff(tt.want, offsetsIn(ln)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if ln.grown == grown {
			t.Errorf("%s: a decision made before still counts", tt.name)
		}
		if under := tt.busy || tt.waiting; (head.noted != nil) != under {
			t.Errorf("%s: the old head's note is kept %v, want %v", tt.name, !under, under)
		}
	}
}

// TestBehind lists what waits behind the head and nothing that was handled.
func TestBehind(t *testing.T) {
	t.Parallel()
	ln := &lane{}
	for _, et := range []schemas.EventType{schemas.OrderCancelled, schemas.OrderUpdated, "", schemas.OrderUpdated} {
		ln.push(&item{rec: &kgo.Record{}}, et)
	}
	for n, want := range [][]schemas.EventType{{schemas.OrderUpdated}, {schemas.OrderUpdated}, {schemas.OrderUpdated}, nil} {
		if diff := cmp.Diff(want, ln.behind()); diff != "" {
			t.Errorf("after %d were handled (-want +got):\n%s", n, diff)
		}
		ln.pop()
	}
}

// TestARevokedPartitionDrains: it takes no step, and goes once its calls have ended and their outcomes are committed.
func TestARevokedPartitionDrains(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	d := &drain{left: 1, done: make(chan struct{})}
	p := &partition{tp: tp, offsets: newOffsets(), store: ledger.NewStore("orders", "id"), lanes: map[string]*lane{}, revoked: d, calls: map[*item]time.Time{{}: {}}, cancel: func() {}}
	e := &engine{Config: Config{Topology: &topology.Topology{Partitions: 1}}.withDefaults(), in: &topology.Integration{}, parts: map[topicPartition]*partition{tp: p}, batch: newBatch(2), gate: newGate(&topology.Integration{})}
	ln := p.lane("A")
	ln.push(&item{rec: &kgo.Record{Key: []byte("A")}, discarded: "by ann: never"}, "")
	if e.step(ln); ln.head() == nil || !e.batch.empty() {
		t.Error("an event of a revoked partition was handled")
	}
	gone := func() bool {
		e.settleRevoked()
		select {
		case <-d.done:
			return true
		default:
			return false
		}
	}
	if gone() {
		t.Error("the partition went while a call was out")
	}
	clear(p.calls)
	e.committing = newBatch(1)
	e.committing.add(p, &kgo.Record{})
	if gone() {
		t.Error("the partition went while its outcomes were being committed")
	}
	e.committing = newBatch(1)
	e.batch.add(p, &kgo.Record{})
	if gone() {
		t.Error("the partition went before its outcomes were committed")
	}
	e.batch = newBatch(2)
	if !gone() || e.parts[tp] != nil {
		t.Error("the partition does not go although it is drained")
	}
}

// TestALostMembershipEndsTheLease at once, also where no partition was held.
func TestALostMembershipEndsTheLease(t *testing.T) {
	t.Parallel()
	e := &engine{lease: &lease{session: time.Minute}}
	e.lease.extend(time.Now(), 0)
	if e.lease.left() <= 0 {
		t.Fatal("no lease after a heartbeat")
	}
	if e.onLost(t.Context(), nil, nil); e.lease.left() > 0 {
		t.Error("calls may be made after the membership was lost")
	}
}

// TestFenced tells the answers that say: another has your place.
func TestFenced(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		kerr.UnknownMemberID: true, kerr.FencedInstanceID: true, kerr.ProducerFenced: true, kerr.InvalidProducerEpoch: true, kerr.InvalidTxnState: true,
		kerr.IllegalGeneration: false, kerr.RebalanceInProgress: false, kerr.NotCoordinator: false, errCut: false,
	} {
		if got := fenced(fmt.Errorf("offset of orders/0: %w", err)); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
