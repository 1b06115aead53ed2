package consumers

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// An aborted transaction is repeated in its order, without the partition that was lost meanwhile, even where that is here
// again: its new life restored without it.
func TestRepeatLeavesOutWhatWasLost(t *testing.T) {
	t.Parallel()
	back, kept := topicPartition{"orders", 0}, topicPartition{"orders", 1}
	lost, again, stays := &partition{tp: back}, &partition{tp: back}, &partition{tp: kept}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	rec := func(text string) *kgo.Record { return &kgo.Record{Value: []byte(text), Context: over} }
	e := &engine{parts: map[topicPartition]*partition{back: again, kept: stays}, batch: newBatch(2)}
	e.batch.add(stays, rec("third"))
	e.batch.change(&lane{part: again, key: "A"})
	aborted := newBatch(1)
	aborted.offsets = true
	aborted.add(stays, rec("first"))
	aborted.add(lost, rec("lost"))
	aborted.add(stays, rec("second"))
	old := &lane{part: stays, key: "B", commit: 1}
	twice := &lane{part: stays, key: "C", commit: 2, changed: 2}
	e.batch.dirty = append(e.batch.dirty, twice)
	aborted.dirty = []*lane{{part: lost, key: "A"}, old, twice}
	aborted.waiting = []*lane{{part: lost, key: "A"}, {part: stays, key: "D", commit: 1}, {part: stays, key: "E", commit: 2}}
	e.repeat(aborted)
	if w := e.batch.waiting; len(w) != 1 || w[0].key != "D" || w[0].commit != 2 {
		t.Errorf("%d lanes wait for the repetition, want D, which nothing else wakes", len(w))
	}
	var got []string
	for i, r := range e.batch.records {
		if got = append(got, string(r.rec.Value)); i < 2 && r.rec.Context != nil {
			t.Errorf("%s would fail at once: its context is that of the attempt before", r.rec.Value)
		}
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, got); diff != "" {
		t.Error(diff)
	}
	if !e.batch.offsets {
		t.Error("an offset that moved without a record is not committed")
	}
	var lanes []string
	for _, ln := range e.batch.dirty {
		if lanes = append(lanes, ln.key); ln.part == lost || ln.commit != 2 {
			t.Errorf("lane %s waits for batch %d, and is of a lost life: %v", ln.key, ln.commit, ln.part == lost)
		}
	}
	if diff := cmp.Diff([]string{"A", "C", "B"}, lanes); diff != "" {
		t.Errorf("entries to write (-want +got):\n%s", diff)
	}
}

// TestAbortsInARowEndTheEngine: a new client may fare better; a transaction that was committed makes the others history.
func TestAbortsInARowEndTheEngine(t *testing.T) {
	t.Parallel()
	e := &engine{Config: Config{}.withDefaults(), log: slog.New(slog.DiscardHandler), parts: map[topicPartition]*partition{}, batch: newBatch(2)}
	abort := func() error { e.committing = newBatch(1); return e.onCommit(evCommit{err: errCut}) }
	for range maxAborts - 1 {
		if err := abort(); err != nil {
			t.Fatal(err)
		}
	}
	e.committing = newBatch(1)
	if err := e.onCommit(evCommit{}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= maxAborts; n++ {
		if err := abort(); errors.Is(err, errCut) != (n == maxAborts) {
			t.Fatalf("after %d in a row: %v", n, err)
		}
	}
}

// A restore that ends after its partition went, or went and came again, starts nothing.
func TestRestoredTooLate(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	e := &engine{Config: Config{}.withDefaults(), in: &topology.Integration{Name: "down"}, log: slog.New(slog.DiscardHandler), parts: map[topicPartition]*partition{}}
	gone, leaving := &partition{tp: tp, offsets: newOffsets()}, &partition{tp: topicPartition{"orders", 1}, offsets: newOffsets(), revoked: &drain{}}
	e.parts[tp], e.parts[leaving.tp] = &partition{tp: tp}, leaving
	for _, p := range []*partition{gone, leaving} {
		if err := e.restored(evRestored{p, ledger.NewStore("orders", "id"), nil}); err != nil || p.store != nil {
			t.Errorf("%v: started %v, %v", p.tp, p.store != nil, err)
		}
	}
}

// A partition that comes back before its last life has drained ends the engine: nobody would handle its records.
func TestAssignedBeforeDrained(t *testing.T) {
	t.Parallel()
	tp := topicPartition{"orders", 0}
	e := &engine{parts: map[topicPartition]*partition{tp: {tp: tp, revoked: &drain{}}}}
	if err := e.assign(tp); err == nil {
		t.Error("taken for assigned already")
	}
	e.parts[tp].revoked = nil
	if err := e.assign(tp); err != nil {
		t.Errorf("assigned twice: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, r := range []topology.Retry{
		{Initial: topology.Duration(200 * time.Millisecond), Max: topology.Duration(2 * time.Minute)},
		{Initial: topology.Duration(1000 * time.Hour), Max: topology.Duration(math.MaxInt64 / 2)},
		{Initial: topology.Duration(time.Hour), Max: topology.Duration(time.Minute)},
		{Initial: 1, Max: 1},
		{},
	} {
		for tries := 1; tries < 200; tries++ {
			ceiling := min(r.Max.D(), r.Initial.D()<<min(tries-1, 10))
			if d := backoff(r, tries); d < 0 || d > r.Max.D() || tries < 10 && ceiling > 0 && d > ceiling {
				t.Fatalf("%+v: %s after %d attempts", r, d, tries)
			}
		}
	}
}

// TestBackoffIsDrawn from all of the time under its ceiling, which doubles: many that failed at once do not come back at once.
func TestBackoffIsDrawn(t *testing.T) {
	t.Parallel()
	r := topology.Retry{Initial: topology.Duration(time.Second), Max: topology.Duration(time.Minute)}
	for tries, ceiling := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 20: time.Minute} {
		least, most := ceiling, time.Duration(0)
		for range 1000 { // that none falls into a tenth of the range has a chance of 1 in 10^45
			d := backoff(r, tries)
			least, most = min(least, d), max(most, d)
		}
		if least > ceiling/10 || most < ceiling*9/10 || most > ceiling {
			t.Errorf("after %d attempts from %s to %s, want 0s to %s", tries, least, most, ceiling)
		}
	}
}

func TestAttemptsKeepTheFirstAndTheLatest(t *testing.T) {
	t.Parallel()
	it := &item{}
	for i := range 50 {
		it.note(schemas.Attempt{Status: i})
	}
	if n := len(it.attempts); n != maxAttempts || it.attempts[0].Status != 0 || it.attempts[1].Status != 31 || it.attempts[n-1].Status != 49 {
		t.Errorf("%d attempts: %v", n, it.attempts)
	}
}

// TestUncertainSince: a key is forgotten so long after the first call that may have had an effect, however many followed.
func TestUncertainSince(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	it := &item{unknown: true}
	it.uncertain(first)
	it.uncertain(first.Add(time.Hour))
	e := &engine{in: &topology.Integration{Name: "down", Timeout: topology.Duration(time.Minute), Idempotency: topology.Idempotency{Key: "K", Remembers: topology.Duration(24 * time.Hour)}}}
	for age, want := range map[time.Duration]bool{24*time.Hour - time.Minute - 1: true, 24*time.Hour - time.Minute: false} { // it may arrive as late as its timeout
		if why := e.unrepeatable(it, first.Add(age)); (why == "") != want {
			t.Errorf("%s after the first call: repeatable %v (%s), want %v", age, !want, why, want)
		}
	}
}

// TestOperations: an intent stands beside how the operation stood, and an effect settles those that it settles.
func TestOperations(t *testing.T) {
	t.Parallel()
	done := schemas.Operation{Name: "book", State: schemas.OpDone, EventID: "e0", Version: "4"}
	other := schemas.Operation{Name: "book", State: schemas.OpIntent, EventID: "e1"}
	entry := &schemas.LedgerEntry{Operations: []schemas.Operation{done, other}}
	it := &item{op: "book", key: "k", intent: true, env: schemas.Envelope{ID: "e2"}}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	setIntent(entry, it, at)
	setIntent(entry, it, at) // twice is once
	mine := schemas.Operation{Name: "book", State: schemas.OpIntent, EventID: "e2", Key: "k", At: at}
	if diff := cmp.Diff([]schemas.Operation{done, other, mine}, entry.Operations); diff != "" {
		t.Error(diff)
	}
	withdrawn := *entry
	if dropIntent(&withdrawn, it); !cmp.Equal([]schemas.Operation{done, other}, withdrawn.Operations) {
		t.Errorf("taken back: %v", withdrawn.Operations)
	}
	now := schemas.Operation{Name: "book", State: schemas.OpDone, EventID: "e2", Version: "5"}
	each, once := *entry, *entry
	own, ev := rules.NewOwners(nil), &schemas.Event{ID: "e2"}
	rules.Done(own, &each, nil, ev, now, 0, 0)
	rules.Done(own, &once, &topology.Route{Once: true}, ev, now, 0, 0)
	if diff := cmp.Diff([][]schemas.Operation{{other, now}, {now}}, [][]schemas.Operation{each.Operations, once.Operations}); diff != "" {
		t.Error(diff)
	}
	if len(entry.Operations) != 3 {
		t.Error("the entry that was copied has changed")
	}
}

// TestUnknownEndIsFatal: what a transaction held may be committed, so who does not know must not repeat it.
func TestUnknownEndIsFatal(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "reconciliation"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.TransactionalID("seam.down/a"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	e := &engine{Config: Config{Topology: &topology.Topology{}, Instance: "a"}, in: &topology.Integration{Name: "down"}, cl: cl, ctx: t.Context()}
	transact := func() (error, bool) {
		return e.transact([]*kgo.Record{{Topic: "reconciliation", Value: []byte("x")}}, nil, "", -1)
	}
	if err, fatal := transact(); err != nil || fatal {
		t.Fatalf("one that is committed: %v, fatal %v", err, fatal)
	}
	fault := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}})
	if err, fatal := transact(); err == nil || !fatal || fault.Hits() != 1 {
		t.Errorf("one whose end is not known: %v, fatal %v", err, fatal)
	}
}
