package consumers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// partition is one input partition while this worker owns it.
type partition struct {
	tp      topicPartition
	name    string        // the event topic without prefix
	store   *ledger.Store // nil until restored
	lanes   map[string]*lane
	offsets *offsets
	calls   map[*item]time.Time // under way, and since when
	ctx     context.Context     // of its calls; ended when the partition is lost or its drain takes too long
	cancel  context.CancelFunc
	revoked *drain // not nil: no new call; told when the partition is drained and dropped

	lost      string      // why nothing more can be read; empty while it can
	commands  []evCommand // that came before the store was restored
	committed int64       // of the group when the partition came, or where its log starts
	moved     bool        // another tool committed that

	life   context.Context // ends with the partition
	die    context.CancelFunc
	marked time.Time         // when its own entry was written
	asked  []evCommand       // of people who want records read again; the first is being read
	again  schemas.ReadAgain // what the reading under way has come to

	bound bound // of calls without an intent of their own
	doubt doubt // about the calls of an earlier life
}

// lane is the events of one order, in order; only its head is handled.
type lane struct {
	part    *partition
	key     string
	queue   []*item
	types   []typeCount // how many of the queue are of a type, from systems that speak for it
	busy    bool        // a call or a decoding of the head is under way
	waiting bool        // a timer will wake the head
	asked   bool        // it stands in engine.ready, engine.unintended or engine.unfacted
	commit  int64       // the batch that must be committed before the next call; 0 for none
	changed int64       // the batch that carries its ledger entry; 0 for none
	grown   int         // how often events came into the queue: a decision made before may be another now
}

// typeCount is how many events are of a type.
type typeCount struct {
	of schemas.EventType
	n  int
}

// item is an event in a lane.
type item struct {
	rec      *kgo.Record // of the input topic, or rebuilt from parked
	parked   *schemas.ParkedRecord
	env      schemas.Envelope
	counted  schemas.EventType    // as which it counts in lane.types; empty when it does not
	ev       *schemas.Event       // nil until decoded
	opened   bool                 // what is personal of ev is there, unless it is erased
	decision *rules.Decision      // to call; nil before
	grown    int                  // lane.grown at the decision
	noted    *schemas.LedgerEntry // the order's entry with what the event tells; nil until it is the head
	recalled bool                 // it was looked for an intent that an earlier life left
	attempts []schemas.Attempt
	tries    int
	first    time.Time          // of the first attempt
	shutAt   time.Duration      // gate.shutFor at the first attempt
	key      string             // idempotency key of its calls
	intent   bool               // its intent is in the ledger
	reserved bool               // it counts in engine.intents: intended, and not called yet
	doubted  bool               // it counts in partition.doubt.open: an earlier life may have called it, and nothing of its own says so
	unknown  bool               // a call's effect is unknown: probe before repeating, where that is declared
	called   bool               // some attempt may have had an effect
	calledAt time.Time          // the first such attempt
	settled  time.Time          // from then on a probe finds the effect of the call it asks about, if there is one
	facts    *topology.FactSet  // for its next call; nil before they were asked for
	got      time.Time          // when facts came
	saw      *schemas.FactsSeen // of the newest call, or of the intent that an earlier life left
	refused  *refused           // its facts were refused; nil while they were not
	op       string
	withheld []string
	why      []schemas.Reason // one for each of withheld
	sent     schemas.FieldSet // fields of its calls
	forced   schemas.FieldSet // those of sent that a person wanted there

	span      trace.Span      // of its handling, from its first call on; nil before, and where nobody traces
	released  string          // who released it and why, until a call of unknown effect uses that up
	discarded string          // who discarded it and why
	again     *schemas.Replay // a person wants it delivered again; nil else
	late      bool            // nobody had handled it when later ones of its order were read: they do not settle it
}

// head is the event the lane stands at; nil when the lane is empty.
func (ln *lane) head() *item {
	if len(ln.queue) == 0 {
		return nil
	}
	return ln.queue[0]
}

// undone is the first event that came and has no outcome; nil for none. What is parked has one.
func (ln *lane) undone() *item {
	for _, it := range ln.queue {
		if it.parked == nil {
			return it
		}
	}
	return nil
}

// behind lists the types that wait behind the head. A lane may hold thousands: they are counted, not walked.
func (ln *lane) behind() []schemas.EventType {
	var out []schemas.EventType
	for _, c := range ln.types {
		if it := ln.head(); it != nil && it.counted == c.of {
			c.n--
		}
		if c.n > 0 {
			out = append(out, c.of)
		}
	}
	return out
}

// push appends an event; counted is its type where its system speaks for that, else empty.
func (ln *lane) push(it *item, counted schemas.EventType) {
	ln.queue = append(ln.queue, it)
	ln.grown++
	if it.counted = counted; counted != "" {
		ln.count(counted, 1)
	}
}

// count adds to how many of a type there are.
func (ln *lane) count(of schemas.EventType, n int) {
	i := slices.IndexFunc(ln.types, func(c typeCount) bool { return c.of == of })
	if i < 0 {
		i = len(ln.types)
		ln.types = append(ln.types, typeCount{of: of})
	}
	if ln.types[i].n += n; ln.types[i].n == 0 {
		ln.types = slices.Delete(ln.types, i, i+1)
	}
}

// pop takes the head out.
func (ln *lane) pop() *item {
	it := ln.queue[0]
	ln.queue[0] = nil
	ln.queue = ln.queue[1:]
	if it.counted != "" {
		ln.count(it.counted, -1)
	}
	return it
}

// front puts parked events before the events that came later, and among each other in their order.
func (ln *lane) front(items ...*item) {
	first := slices.IndexFunc(ln.queue, func(it *item) bool { return it.parked == nil })
	if first < 0 {
		first = len(ln.queue)
	}
	if (ln.busy || ln.waiting) && first == 0 {
		first = 1 // the head is under way
	}
	ln.grown++
	if it := ln.head(); it != nil && !ln.busy && !ln.waiting {
		it.noted = nil // others change the entry before its turn
	}
	front := append(slices.Clone(ln.queue[:first]), items...)
	from := 0
	if ln.busy || ln.waiting {
		from = 1
	}
	slices.SortStableFunc(front[min(from, len(front)):], func(a, b *item) int { return cmp.Compare(a.rec.Offset, b.rec.Offset) })
	ln.queue = append(front, ln.queue[first:]...)
}

// lane finds or makes the lane of a key.
func (p *partition) lane(key string) *lane {
	ln := p.lanes[key]
	if ln == nil {
		ln = &lane{part: p, key: key}
		p.lanes[key] = ln
	}
	return ln
}

// holds tells whether the engine still owns the lane and the item is its head.
func (e *engine) holds(ln *lane, it *item) bool {
	return e.parts[ln.part.tp] == ln.part && ln.head() == it
}
