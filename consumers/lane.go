package consumers

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
)

// partition is one input partition while this worker owns it.
type partition struct {
	tp      topicPartition
	name    string // the event topic without prefix
	topicID string
	store   *ledger.Store // nil until restored
	lanes   map[string]*lane
	offsets *offsets
	calls   int
	ctx     context.Context // of its calls; ended when the partition is lost or its drain takes too long
	cancel  context.CancelFunc
	revoked *drain // not nil: no new call; told when the partition is drained and dropped
}

// lane is the events of one order, in order; only its head is handled.
type lane struct {
	part    *partition
	key     string
	queue   []*item
	busy    bool  // a call or a decoding of the head is under way
	waiting bool  // a timer will wake the head
	asked   bool  // it stands in engine.ready
	commit  int64 // the batch that must be committed before the next call; 0 for none
}

// item is an event in a lane.
type item struct {
	rec      *kgo.Record // of the input topic, or rebuilt from parked
	parked   *schemas.ParkedRecord
	env      schemas.Envelope
	ev       *schemas.Event // nil until decoded
	noted    *schemas.LedgerEntry
	attempts []schemas.Attempt
	tries    int
	first    time.Time     // of the first attempt
	shutAt   time.Duration // gate.shutFor at the first attempt
	key      string        // idempotency key of its calls
	intent   bool          // its intent is in the ledger
	unknown  bool          // a call's effect is unknown: probe before repeating, where that is declared
	called   bool          // some attempt may have had an effect
	op       string
	withheld []string
}

// head is the event the lane stands at; nil when the lane is empty.
func (ln *lane) head() *item {
	if len(ln.queue) == 0 {
		return nil
	}
	return ln.queue[0]
}

// behind lists the types that wait behind the head.
func (ln *lane) behind() []schemas.EventType {
	var out []schemas.EventType
	for _, it := range ln.queue[min(1, len(ln.queue)):] {
		out = append(out, it.env.Type)
	}
	return out
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
