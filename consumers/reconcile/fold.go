package reconcile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Position is where a record stands. Facts at lower positions came first.
type Position struct {
	Partition int32
	Offset    int64
}

func (p Position) compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Partition, q.Partition), cmp.Compare(p.Offset, q.Offset))
}

// Fold collects the facts of one key. The order in which topics deliver them does not matter to its answer; it keeps
// values, not whole events. It does no I/O and is not safe for concurrent use.
type Fold struct {
	topo    *topology.Topology
	topic   string // without prefix
	key     string
	events  map[schemas.EventID]*fact
	answers map[answerKey]*answer
	cache   []*fieldLine // of fields; nil when events came since
}

// fact is one event: its envelope and what it says of fields.
type fact struct {
	Event
	at   Position
	said []word
}

type answerKey struct {
	integration string
	event       schemas.EventID
}

// answer is what an integration said of one event.
type answer struct {
	outcomes []*outcome // by position
	parked   *schemas.ParkedRecord
}

// outcome is a schemas.Outcome less what the event tells.
type outcome struct {
	schemas.Outcome
	at Position
}

// copied tells whether it is about a copy of an event that was handled, or waits, under the same id.
func (o *outcome) copied() bool {
	return o.Kind == schemas.Duplicate && o.Reason == schemas.ReasonSameEvent
}

// NewFold starts the answer for a key of an event topic (without prefix).
func NewFold(topo *topology.Topology, topic, key string) *Fold {
	return &Fold{topo: topo, topic: topic, key: key, events: map[schemas.EventID]*fact{}, answers: map[answerKey]*answer{}}
}

// Event adds an event that stands at a position; false when it is a copy of one that is known. Of copies the first counts.
func (f *Fold) Event(ev *schemas.Event, at Position) (first bool) {
	return f.add(&fact{at: at, said: wordsOf(ev), Event: Event{ID: ev.ID, Type: ev.Type, System: ev.System, Source: ev.Source, Time: ev.Time, IngestedAt: ev.IngestedAt,
		SourceVersion: ev.SourceVersion, BusinessID: ev.BusinessID, Copies: 1, Partition: at.Partition, Offset: at.Offset}})
}

// Undecodable adds a record whose bytes cannot be read: what its headers say, and why. taken is when the broker took it.
func (f *Fold) Undecodable(env schemas.Envelope, why string, taken time.Time, at Position) (first bool) {
	return f.add(&fact{at: at, Event: Event{ID: env.ID, Type: env.Type, System: env.System, Source: env.Source, Time: env.Time, IngestedAt: taken,
		SourceVersion: env.SourceVersion, BusinessID: env.BusinessID, Copies: 1, Undecodable: why, Partition: at.Partition, Offset: at.Offset}})
}

func (f *Fold) add(n *fact) (first bool) {
	f.cache = nil
	had := f.events[n.ID]
	if had == nil {
		f.events[n.ID] = n
		return true
	}
	if n.at.compare(had.at) < 0 {
		n.Copies = had.Copies
		f.events[n.ID], had = n, n
	}
	had.Copies++
	return false
}

// Outcome adds what became of an event, as it stands in the reconciliation topic.
func (f *Fold) Outcome(o *schemas.Outcome, at Position) {
	a := f.answer(o.Integration, o.EventID)
	n := &outcome{Outcome: *o, at: at}
	n.OrderID, n.Detail = "", maskText(o.Detail)
	n.Attempts = slices.Clone(o.Attempts)
	for i := range n.Attempts {
		n.Attempts[i].Detail = maskText(n.Attempts[i].Detail)
	}
	i, _ := slices.BinarySearchFunc(a.outcomes, n, func(x, y *outcome) int { return x.at.compare(y.at) })
	a.outcomes = slices.Insert(a.outcomes, i, n)
}

// Parked adds a live record of a parked topic. It tells what the event waits for, and that it waits where retention took
// the outcome that said so.
func (f *Fold) Parked(p *schemas.ParkedRecord) {
	c := *p
	c.Value, c.Headers, c.Detail = nil, nil, maskText(p.Detail)
	c.Attempts = slices.Clone(p.Attempts)
	for i := range c.Attempts {
		c.Attempts[i].Detail = maskText(c.Attempts[i].Detail)
	}
	f.answer(p.Integration, p.EventID).parked = &c
}

// Empty tells whether nothing is known of the key.
func (f *Fold) Empty() bool { return len(f.events) == 0 && len(f.answers) == 0 }

// Copies is how many records repeated an event under its id.
func (f *Fold) Copies() int {
	n := 0
	for _, ev := range f.events {
		n += ev.Copies - 1
	}
	return n
}

func (f *Fold) answer(integration string, id schemas.EventID) *answer {
	k := answerKey{integration, id}
	a := f.answers[k]
	if a == nil {
		a = &answer{}
		f.answers[k] = a
	}
	return a
}

// latest is the outcome that counts: the newest, but for those of copies of an event, which say nothing new.
func (a *answer) latest() *outcome {
	if a == nil {
		return nil
	}
	var last *outcome
	for _, o := range a.outcomes {
		if !o.copied() || last == nil {
			last = o
		}
	}
	if last != nil && last.copied() && a.parked != nil {
		return nil // the outcome that parked it is gone; the parked record speaks
	}
	return last
}

// timeline is every event, and those that only outcomes and parked records still tell of, in the order of our clock.
func (f *Fold) timeline() []*fact {
	all := make([]*fact, 0, len(f.events))
	for _, ev := range f.events {
		all = append(all, ev)
	}
	gone := map[schemas.EventID]*fact{}
	for k, a := range f.answers {
		if f.events[k.event] != nil {
			continue
		}
		for _, o := range a.outcomes {
			ghost(gone, &fact{at: Position{o.Partition, o.Offset}, Event: Event{ID: k.event, Type: o.EventType, Time: o.EventTime, IngestedAt: o.IngestedAt, Partition: o.Partition, Offset: o.Offset}})
		}
		if p := a.parked; p != nil {
			ghost(gone, &fact{at: Position{p.Partition, p.Offset}, Event: Event{ID: k.event, Type: p.EventType, Partition: p.Partition, Offset: p.Offset}})
		}
	}
	for _, g := range gone {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *fact) int {
		return cmp.Or(a.IngestedAt.Compare(b.IngestedAt), a.at.compare(b.at), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// ghost keeps, of what several outcomes tell of an event that is gone, the fullest and then the earliest.
func ghost(gone map[schemas.EventID]*fact, n *fact) {
	had := gone[n.ID]
	if had == nil || had.IngestedAt.IsZero() && !n.IngestedAt.IsZero() ||
		had.IngestedAt.IsZero() == n.IngestedAt.IsZero() && n.at.compare(had.at) < 0 {
		gone[n.ID] = n
	}
}

// poisonKey stands for the key of a record that has none, as the workers name it: topic/partition/offset, prefix included.
func poisonKey(topic string, at Position) string {
	return strings.Join([]string{topic, strconv.Itoa(int(at.Partition)), strconv.FormatInt(at.Offset, 10)}, "/")
}
