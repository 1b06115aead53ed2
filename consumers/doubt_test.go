package consumers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// doubtful is a partition whose earlier owner may have called below an offset, and up to where each order was settled.
func doubtful(below int64, settled map[string]int64) *partition {
	p := &partition{tp: topicPartition{"orders", 0}, name: "orders", store: ledger.NewStore("orders", "id"), lanes: map[string]*lane{}, calls: map[*item]time.Time{}, offsets: newOffsets()}
	for key, offset := range settled {
		p.store.Put(&schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: key, Settled: offset}, 1)
	}
	p.store.Put(&schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: ledger.PartitionKey, Settled: -1, Calls: &schemas.Calls{Below: below, Since: time.Unix(1, 0), Of: []string{"book"}}}, 1)
	return p
}

// TestWhatIsInDoubt: of each order the first event that is not settled, below the bound; whether it comes before the ledger is
// restored or after. The doubt ends when all came and each has an outcome or an intent.
func TestWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	type came struct {
		key    string
		offset int64
		late   bool
	}
	events := []came{{"A", 0, false}, {"B", 1, false}, {"A", 2, false}, {"C", 3, false}, {"A", 1, true}, {"E", 1, true}, {"B", 4, false}, {"E", 4, false}, {"D", 5, false}, {"A", 6, false}}
	for before := range len(events) + 1 {
		p := doubtful(6, map[string]int64{"A": 0, "B": 4})
		var items []*item
		take := func(c came) {
			it := &item{rec: &kgo.Record{Key: []byte(c.key), Offset: c.offset}, late: c.late}
			p.lane(c.key).push(it, "")
			items = append(items, it)
		}
		for _, c := range events[:before] {
			take(c)
		}
		p.inherit()
		for _, c := range events[before:] {
			take(c)
			p.suspect(p.lane(c.key), items[len(items)-1])
			p.doubt.end()
		}
		var got []int
		for i, it := range items {
			if it.doubted {
				got = append(got, i)
			}
		}
		if diff := cmp.Diff([]int{2, 3, 7, 8}, got); diff != "" { // A's at 2, C's at 3, E's at 4, D's at 5
			t.Errorf("%d events came before the ledger: in doubt (-want +got):\n%s", before, diff)
		}
		for _, i := range got {
			if p.doubt.below != 6 {
				t.Errorf("the doubt ended before the event at %d was known", items[i].rec.Offset)
			}
			p.clear(items[i])
			p.clear(items[i]) // twice is once
		}
		if diff := cmp.Diff(doubt{}, p.doubt, cmp.AllowUnexported(doubt{})); diff != "" {
			t.Errorf("all is known, and the doubt does not end: %s", diff)
		}
	}
}

// TestADoubtLastsUntilAllCame: what is known by then says nothing of what did not come yet.
func TestADoubtLastsUntilAllCame(t *testing.T) {
	t.Parallel()
	p := doubtful(6, nil)
	p.inherit()
	it := &item{rec: &kgo.Record{Key: []byte("A"), Offset: 4}}
	p.suspect(p.lane("A"), it)
	p.clear(it)
	if p.doubt.below != 6 {
		t.Error("the doubt ended before the event at 5 came")
	}
}

// TestACommittedBoundIsNoDoubt: everything below is settled.
func TestACommittedBoundIsNoDoubt(t *testing.T) {
	t.Parallel()
	p := doubtful(6, nil)
	p.committed = 6
	if p.inherit(); p.doubt.below != 0 {
		t.Errorf("below %d", p.doubt.below)
	}
}

// TestADoubtOutlivesItsHeir: who gives a partition on before he knows of everything leaves what he was left.
func TestADoubtOutlivesItsHeir(t *testing.T) {
	t.Parallel()
	e, _ := bounded(topology.Route{})
	p := doubtful(6, nil)
	p.inherit()
	e.unbind(p)
	if got := p.store.Entry(ledger.PartitionKey).Calls; got == nil || got.Below != 6 || !e.batch.empty() {
		t.Errorf("the ledger is told of calls %+v", got)
	}
}

// TestWhatIsSkippedIsKept: what another tool moved the offset past, beside what was skipped before, as long as such events are read.
func TestWhatIsSkippedIsKept(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	left := schemas.Calls{Below: 6, Since: at(5), Of: []string{"book"}}
	for name, tt := range map[string]struct {
		calls, old        *schemas.Calls
		committed         int64
		ours              bool
		want, wantSkipped *schemas.Calls
	}{
		"past all":         {calls: &left, committed: 9, wantSkipped: &left},
		"past some":        {calls: &left, committed: 4, want: &left, wantSkipped: &schemas.Calls{Below: 4, Since: at(5), Of: left.Of}},
		"back to all":      {calls: &left, want: &left},
		"by the worker":    {calls: &left, committed: 9, ours: true, want: &left},
		"nothing was left": {committed: 9, old: &left, wantSkipped: &left},
		"once more": {calls: &left, committed: 9, old: &schemas.Calls{Below: 3, Since: at(2), Of: []string{"add", "book"}},
			wantSkipped: &schemas.Calls{Below: 6, Since: at(2), Of: []string{"add", "book"}}},
		"once more, lower": {calls: &left, committed: 9, old: &schemas.Calls{Below: 8, Since: at(7), Of: []string{"add"}},
			wantSkipped: &schemas.Calls{Below: 8, Since: at(5), Of: []string{"add", "book"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := bounded(topology.Route{})
			p.store.Put(&schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: ledger.PartitionKey, Settled: -1, Calls: tt.calls, Skipped: tt.old}, 1)
			p.committed, p.moved = tt.committed, !tt.ours
			e.skip(p)
			got := p.store.Entry(ledger.PartitionKey)
			if diff := cmp.Diff([]*schemas.Calls{tt.want, tt.wantSkipped}, []*schemas.Calls{got.Calls, got.Skipped}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if changed := !cmp.Equal(tt.old, tt.wantSkipped); changed == e.batch.empty() {
				t.Errorf("the next transaction carries nothing: %v", e.batch.empty())
			}
		})
	}
}

// TestWhatIsSkippedIsForgottenInTheEnd: when such events are read by nobody any more.
func TestWhatIsSkippedIsForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	e, p := bounded(topology.Route{})
	e.in.DedupWindow = topology.Duration(10 * time.Hour)
	for age, want := range map[time.Duration]bool{19 * time.Hour: true, 21 * time.Hour: false} {
		e.putMark(p, &schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: ledger.PartitionKey, Skipped: &schemas.Calls{Below: 1, Since: e.Now().Add(-age)}})
		if kept := p.store.Entry(ledger.PartitionKey).Skipped != nil; kept != want {
			t.Errorf("after %s it is kept: %v", age, kept)
		}
	}
}

// TestTheOlderDoubtCounts: an event may have been called since the earlier of two times.
func TestTheOlderDoubtCounts(t *testing.T) {
	t.Parallel()
	for _, since := range []int64{1, 3} {
		p := doubtful(6, nil)
		p.store.Put(&schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: ledger.PartitionKey, Settled: -1, Calls: &schemas.Calls{Below: 6, Since: time.Unix(since, 0), Of: []string{"book"}},
			Skipped: &schemas.Calls{Below: 4, Since: time.Unix(2, 0), Of: []string{"book", "add"}}}, 1)
		p.inherit()
		_, it := p.at("A", 3)
		p.suspect(p.lane("A"), it)
		if got, may := p.inherited(it, "book"); !may || got.Unix() != min(since, 2) {
			t.Errorf("since %d and 2: %v, %v", since, got, may)
		}
		if got, may := p.inherited(it, "add"); !may || got.Unix() != 2 {
			t.Errorf("what was only skipped: %v, %v", got, may)
		}
		for what, other := range map[string]*item{"it is later": {rec: &kgo.Record{Offset: 4}}, "it was parked since": {rec: it.rec, parked: &schemas.ParkedRecord{}}} {
			if _, may := p.inherited(other, "add"); may {
				t.Errorf("%s, and may have been called", what)
			}
		}
		if _, may := p.inherited(it, "tell"); may {
			t.Error("a call of which an intent would tell may have been made")
		}
	}
}

// bounded is an engine with one partition, and the rules of one route.
func bounded(route topology.Route) (*engine, *partition) {
	p := doubtful(0, nil)
	in := &topology.Integration{Name: "down", InFlight: 1, Idempotency: topology.Idempotency{Key: "K", Remembers: topology.Duration(24 * time.Hour)}, Deliver: []topology.Route{route}}
	e := &engine{Config: Config{Topology: &topology.Topology{Partitions: 1}}.withDefaults(), in: in, owners: rules.NewOwners(nil), gate: newGate(in), parts: map[topicPartition]*partition{p.tp: p}, batch: newBatch(7)}
	e.names.together = togetherOf(in)
	return e, p
}

// at puts an event at the head of its order's lane.
func (p *partition) at(key string, offset int64) (*lane, *item) {
	ev := &schemas.Event{ID: schemas.EventID(key), Type: schemas.OrderUpdated, Subject: key}
	it := &item{rec: &kgo.Record{Key: []byte(key), Offset: offset}, ev: ev, env: schemas.Envelope{ID: ev.ID}, noted: &schemas.LedgerEntry{}, op: "book"}
	p.lane(key).push(it, "")
	return p.lane(key), it
}

// TestABoundIsToldBeforeItsCalls: one record tells of many, and the oldest call under way is not younger than it says.
func TestABoundIsToldBeforeItsCalls(t *testing.T) {
	t.Parallel()
	e, p := bounded(topology.Route{On: []schemas.EventType{schemas.OrderUpdated}, Operation: "book"})
	now := e.Now()
	route := &e.in.Deliver[0]
	a, first := p.at("A", 3)
	b, second := p.at("B", 9)
	_, under := p.at("C", 1)
	p.calls[under] = now.Add(-time.Minute)
	e.bind(b, second)
	e.bind(a, first)
	if e.intended(a, first, route, now) || e.intents != 2 || e.batch.empty() {
		t.Errorf("intended before it is told: %v, %d, nothing to write: %v", e.intended(a, first, route, now), e.intents, e.batch.empty())
	}
	e.sayBounds()
	e.build(e.batch)
	want := &schemas.Calls{Below: 10, Since: now.Add(-time.Minute), Of: []string{"book"}}
	if diff := cmp.Diff(want, p.store.Entry(ledger.PartitionKey).Calls); diff != "" {
		t.Errorf("the ledger is told (-want +got):\n%s", diff)
	}
	if e.intended(a, first, route, now) {
		t.Error("intended before that is committed")
	}
	p.bound.said()
	for offset, want := range map[int64]bool{0: true, 9: true, 10: false} {
		if got := e.intended(a, &item{rec: &kgo.Record{Offset: offset}}, route, now); got != want {
			t.Errorf("the event at %d is intended: %v", offset, got)
		}
	}
	if e.intended(a, first, route, now.Add(2*boundLasts)) {
		t.Error("a bound of long ago makes calls of now look as old")
	}
	for name, it := range map[string]*item{"parked": {parked: &schemas.ParkedRecord{}}, "late": {late: true}, "to be delivered again": {again: &schemas.Replay{}}, "uncertain": {called: true}} {
		if it.rec = first.rec; e.intended(a, it, route, now) {
			t.Errorf("what is %s has no intent of its own", name)
		}
	}
	p.doubt.below = 1
	if e.intended(a, first, route, now) {
		t.Error("a bound of this life hides what an earlier one may have called")
	}
	p.doubt.below = 0
	for name, other := range map[string]*topology.Route{"once": {Once: true}, "superseded": {SupersededBy: []schemas.EventType{schemas.OrderCancelled}}} {
		if e.intended(a, first, other, now) {
			t.Errorf("a call that is %s has no intent of its own", name)
		}
	}
}

// TestACallThatIsOvertakenIsKnownByItself: an earlier event of its order came late and stands before it after a crash.
func TestACallThatIsOvertakenIsKnownByItself(t *testing.T) {
	t.Parallel()
	e, p := bounded(topology.Route{On: []schemas.EventType{schemas.OrderUpdated}, Operation: "book"})
	ln, it := p.at("A", 3)
	e.overtaken(ln)
	if it.intent {
		t.Error("what is not called has an intent")
	}
	at := time.Unix(5, 0).UTC()
	p.calls[it] = at
	e.overtaken(ln)
	want := []schemas.Operation{{Name: "book", State: schemas.OpIntent, EventID: "A", At: at}}
	if diff := cmp.Diff(want, p.store.Entry("A").Operations); diff != "" || !it.intent || e.intents != 0 {
		t.Errorf("intent %v, %d intended: %s", it.intent, e.intents, diff)
	}
}
