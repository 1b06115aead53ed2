package reconcile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
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
	topo      *topology.Topology
	acts      acting
	topic     string // without prefix
	key       string
	events    map[schemas.EventID]*fact
	gone      map[schemas.EventID]*fact // what outcomes tell of events that the topic does not have, or not yet
	answers   map[answerKey]*answer
	decisions []decision
	cache     []*fieldLine // of fields; nil when events came since
	erased    bool         // its personal data is, and what comes of it is not taken in
}

// acting is the types that each integration acts on, and since when: what came before that asks nothing of it. The zero time
// is for ever.
type acting map[string]map[schemas.EventType]time.Time

func newActing(topo *topology.Topology) acting {
	out := acting{}
	for i := range topo.Integrations {
		in := &topo.Integrations[i]
		out[in.Name] = map[schemas.EventType]time.Time{"": {}} // an event whose type cannot be read asks everybody
		for _, et := range in.Subscribes() {
			out[in.Name][et] = time.Time{}
		}
	}
	return out
}

// on tells whether an integration acts on events of a type that came at a time.
func (a acting) on(integration string, et schemas.EventType, at time.Time) bool {
	since, acts := a[integration][et]
	return acts && !at.Before(since)
}

// fact is one event: its envelope and what it says of fields.
type fact struct {
	Event
	at   Position
	said []word
	refs []ref
	paid []money.Movement // what it tells of money
	// origin is what it was made from; nil for what a system says of itself.
	origin *origin
	read   *schemas.ReadBack // of a read-back of ours; nil for all else
}

// ref is another name under which a key is looked for: kind is customer, email (a hash), number, payment or sku.
type ref struct{ kind, value string }

type answerKey struct {
	integration string
	event       schemas.EventID
}

// answer is what an integration said of one event.
type answer struct {
	outcomes []*outcome // by position
	parked   *schemas.ParkedRecord
}

// outcome is what counts of a schemas.Outcome.
type outcome struct {
	at       Position
	kind     schemas.Kind
	reason   schemas.Reason
	detail   string
	instance string
	time     time.Time
	until    *time.Time
	again    bool  // a person asked for the event to be delivered again
	made     *made // nil when it tells none of it
}

// made is what an outcome tells of an operation and its calls.
type made struct {
	operation, reference, key string
	withheld                  []string
	why                       []schemas.Reason // one for each of withheld
	attempts                  []schemas.Attempt
	facts                     *FactsUsed
}

// copied tells whether it is about a copy of an event that was handled, or waits, under the same id.
func (o *outcome) copied() bool {
	return o.kind == schemas.Duplicate && o.reason == schemas.ReasonSameEvent
}

// idle tells whether it is the end of a delivery that a person asked for again and that came to nothing: what was before still
// stands.
func (o *outcome) idle() bool {
	switch o.kind {
	case schemas.Duplicate, schemas.Withheld, schemas.Superseded, schemas.Expired, schemas.Discarded:
		return o.again
	case schemas.Delivered, schemas.AlreadyDone, schemas.Rejected, schemas.Parked, schemas.Unrecognized:
	}
	return false
}

// NewFold starts the answer for a key of an event topic (without prefix).
func NewFold(topo *topology.Topology, topic, key string) *Fold {
	return newFold(topo, newActing(topo), topic, key)
}

func newFold(topo *topology.Topology, acts acting, topic, key string) *Fold {
	return &Fold{topo: topo, acts: acts, topic: topic, key: key, events: map[schemas.EventID]*fact{}, gone: map[schemas.EventID]*fact{}, answers: map[answerKey]*answer{}}
}

// Event adds an event that stands at a position; false when it is a copy of one that is known. Of copies the first counts.
func (f *Fold) Event(ev *schemas.Event, at Position) (first bool) {
	read := readBackOf(ev)
	return f.add(&fact{at: at, said: wordsOf(ev), refs: refsOf(ev), paid: money.Of(ev), origin: originOf(ev), read: read, Event: Event{ID: ev.ID, Type: ev.Type, System: ev.System, Source: ev.Source, Time: ev.Time, IngestedAt: ev.IngestedAt,
		SourceVersion: ev.SourceVersion, BusinessID: ev.BusinessID, Copies: 1, Correction: correctionOf(ev), ReadBack: readBackText(read), Partition: at.Partition, Offset: at.Offset}})
}

// Undecodable adds a record whose bytes cannot be read: what its headers say, and why. taken is when the broker took it.
func (f *Fold) Undecodable(env schemas.Envelope, why string, taken time.Time, at Position) (first bool) {
	return f.add(&fact{at: at, Event: Event{ID: env.ID, Type: env.Type, System: env.System, Source: env.Source, Time: env.Time, IngestedAt: taken,
		SourceVersion: env.SourceVersion, BusinessID: env.BusinessID, Copies: 1, Undecodable: why, TraceID: schemas.TraceID(env.TraceParent), Partition: at.Partition, Offset: at.Offset}})
}

func (f *Fold) add(n *fact) (first bool) {
	if f.cache = nil; f.erased {
		n.hide()
	}
	had := f.events[n.ID]
	if had == nil {
		n.ID, n.Type, n.System, n.Source = intern(n.ID), intern(n.Type), intern(n.System), intern(n.Source)
		f.events[n.ID] = n
		delete(f.gone, n.ID)
		return true
	}
	if n.at.compare(had.at) < 0 {
		n.Copies = had.Copies
		f.events[n.ID], had = n, n
	}
	had.Copies++
	return false
}

// Outcome adds what became of an event, as it stands in the reconciliation topic. That an integration passed by an event
// that is none of its business is not kept.
func (f *Fold) Outcome(o *schemas.Outcome, at Position) {
	if o.Reason == schemas.ReasonNotSubscribed && f.acts[o.Integration] != nil && !f.acts.on(o.Integration, o.EventType, o.IngestedAt) {
		return
	}
	n := &outcome{at: at, kind: intern(o.Kind), reason: intern(o.Reason), detail: intern(schemas.MaskText(o.Detail)), instance: intern(o.Instance), time: o.At, until: o.Until, again: o.Replay != nil}
	if o.Operation+o.Reference+o.IdempotencyKey != "" || len(o.WithheldFields)+len(o.Attempts) > 0 || o.Facts != nil {
		n.made = &made{intern(o.Operation), o.Reference, o.IdempotencyKey, o.WithheldFields, internAll(o.WithheldReasons), maskAttempts(o.Attempts), usedOf(o.Facts)}
	}
	if f.erased {
		n.hide()
	}
	a := f.answer(o.Integration, o.EventID)
	i, _ := slices.BinarySearchFunc(a.outcomes, n, func(x, y *outcome) int { return x.at.compare(y.at) })
	a.outcomes = slices.Insert(a.outcomes, i, n)
	f.ghost(&fact{at: Position{o.Partition, o.Offset}, Event: Event{ID: o.EventID, Type: o.EventType, Time: o.EventTime, IngestedAt: o.IngestedAt, TraceID: schemas.TraceID(o.TraceParent), Partition: o.Partition, Offset: o.Offset}})
}

// traced adds the trace that an event came in, of the copy that counts.
func (f *Fold) traced(id schemas.EventID, at Position, trace string) {
	if had := f.events[id]; had != nil && had.at == at {
		had.TraceID = trace
	}
}

func maskAttempts(list []schemas.Attempt) []schemas.Attempt {
	out := slices.Clone(list)
	for i := range out {
		out[i].Detail = schemas.MaskText(out[i].Detail)
	}
	return out
}

// intern shares texts that come again and again.
func intern[T ~string](s T) T { return T(unique.Make(string(s)).Value()) }

func internAll[T ~string](list []T) []T {
	out := slices.Clone(list)
	for i := range out {
		out[i] = intern(out[i])
	}
	return out
}

// Parked adds a live record of a parked topic. It tells what the event waits for, and that it waits where retention took
// the outcome that said so.
func (f *Fold) Parked(p *schemas.ParkedRecord) {
	f.answer(p.Integration, p.EventID).parked = WithoutPersonal(p)
	f.ghost(&fact{at: Position{p.Partition, p.Offset}, Event: Event{ID: p.EventID, Type: p.EventType, Partition: p.Partition, Offset: p.Offset}})
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
		a, k = &answer{}, answerKey{intern(integration), intern(id)}
		f.answers[k] = a
	}
	return a
}

// latest is the outcome that counts: the newest, but for those of copies of an event, and of deliveries again that came to
// nothing, which say nothing new.
func (a *answer) latest() *outcome {
	if a == nil {
		return nil
	}
	var last, final *outcome
	for _, o := range a.outcomes {
		switch {
		case o.copied() && last != nil:
			continue
		case o.idle() && final != nil:
			last = final
			continue
		case o.kind.Final():
			final = o
		}
		last = o
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
	for _, g := range f.gone {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *fact) int {
		return cmp.Or(a.IngestedAt.Compare(b.IngestedAt), a.at.compare(b.at), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// ghost keeps, of what outcomes tell of an event that the topic does not have, the fullest and then the earliest.
func (f *Fold) ghost(n *fact) {
	if f.events[n.ID] != nil {
		return
	}
	had := f.gone[n.ID]
	if had == nil || had.IngestedAt.IsZero() && !n.IngestedAt.IsZero() || had.IngestedAt.IsZero() == n.IngestedAt.IsZero() && n.at.compare(had.at) < 0 {
		n.ID, n.Type = intern(n.ID), intern(n.Type)
		f.gone[n.ID] = n
	}
}

// poisonKey stands for the key of a record that has none, as the workers name it: topic/partition/offset, prefix included.
func poisonKey(topic string, at Position) string {
	return strings.Join([]string{topic, strconv.Itoa(int(at.Partition)), strconv.FormatInt(at.Offset, 10)}, "/")
}
