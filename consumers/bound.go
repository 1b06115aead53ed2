package consumers

import (
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/topology"
)

// bound is up to where calls of a partition may be made without an intent of their own.
type bound struct {
	below int64     // events below that offset, as the ledger says
	asOf  time.Time // when that was drawn up
	asked int64     // what the next transaction is to tell; 0 for nothing
	told  int64     // below, once the transaction that was built last is committed
	at    time.Time // when told was drawn up
}

// doubt is what an earlier life may have called of a partition without an intent of their own: of each order the first event
// that is not finished, where it stands below an offset.
type doubt struct {
	below int64           // 0 when there is none left
	since time.Time       // no such call was made before
	of    []string        // operations that were called so
	seen  map[string]bool // orders whose first event came
	open  int             // events in doubt that have neither an outcome nor an intent
	past  bool            // every event below came
}

// boundLasts is how old a bound grows before it is told anew: after a crash a call counts as made when its bound was told.
const boundLasts = time.Minute

// together tells whether calls of a route need no intent each. That a key is forgotten some day is all that makes such a call
// worth knowing after a crash, so that it is enough to know of many at once that they may have been made, and since when.
func together(id topology.Idempotency, route *topology.Route) bool {
	return id.Key != "" && len(route.SupersededBy) == 0 && !route.Once && !route.TellsFacts()
}

// togetherOf lists the operations whose calls need no intent each.
func togetherOf(in *topology.Integration) (out []string) {
	for i := range in.Deliver {
		if r := &in.Deliver[i]; together(in.Idempotency, r) && !slices.Contains(out, r.Operation) {
			out = append(out, r.Operation)
		}
	}
	return out
}

// bounds tells whether the head's call needs no intent of its own. What is parked, late, in doubt or uncertain already is told
// one by one.
func (e *engine) bounds(ln *lane, it *item, route *topology.Route) bool {
	return together(e.in.Idempotency, route) && it.parked == nil && it.again == nil && !it.late && !it.called && ln.part.doubt.below == 0
}

// intended tells whether the ledger knows that the head may be called.
func (e *engine) intended(ln *lane, it *item, route *topology.Route, now time.Time) bool {
	b := ln.part.bound
	return it.intent || it.rec.Offset < b.below && now.Sub(b.asOf) < boundLasts && e.bounds(ln, it, route)
}

// unasked tells of a head that stands in line for its call whether it must be asked for anew: the ledger does not know of it, or
// what became of an earlier call may not be found out by another any more.
func (e *engine) unasked(ln *lane, it *item, route *topology.Route, now time.Time) bool {
	return durable(e.in.Idempotency, route) && !e.intended(ln, it, route, now) || it.released == "" && e.unrepeatable(it, now) != ""
}

// bind has the next transaction tell that the head may be called; the call waits for it.
func (e *engine) bind(ln *lane, it *item) {
	b := &ln.part.bound
	b.asked = max(b.asked, it.rec.Offset+1)
	e.reserve(it)
	e.batch.await(ln)
}

// sayBounds puts what was asked for into the transaction that is being built.
func (e *engine) sayBounds() {
	now := e.Now()
	for _, p := range e.parts {
		b := &p.bound
		if b.asked == 0 {
			continue
		}
		entry := *p.store.Entry(ledger.PartitionKey)
		entry.CallsBelow, entry.CallsSince, entry.CallsOf = max(entry.CallsBelow, b.asked), now, e.names.together
		for _, at := range p.calls {
			if at.Before(entry.CallsSince) {
				entry.CallsSince = at
			}
		}
		b.told, b.at, b.asked = entry.CallsBelow, now, 0
		e.put(p.lane(ledger.PartitionKey), &entry)
	}
}

// said takes note that a transaction was committed, and with it all that was told before.
func (b *bound) said() { b.below, b.asOf = b.told, b.at }

// unbind takes the bound of a partition back in which no call is under way: each that was made has its outcome or an intent.
func (e *engine) unbind(p *partition) {
	p.bound = bound{}
	if p.store == nil || p.doubt.below > 0 {
		return
	}
	entry := *p.store.Entry(ledger.PartitionKey)
	if entry.CallsBelow == 0 {
		return
	}
	entry.CallsBelow, entry.CallsSince, entry.CallsOf = 0, time.Time{}, nil
	e.put(p.lane(ledger.PartitionKey), &entry)
}

// intendCalled gives the head an intent of its own whose call was made at a time, and is of unknown effect or under way.
func (e *engine) intendCalled(ln *lane, it *item, at time.Time) {
	if route := rules.RouteOf(e.in, it.noted, it.ev); route != nil && !it.intent && durable(e.in.Idempotency, route) {
		e.intend(ln, it, at)
		e.unreserve(it) // it was made
	}
}

// overtaken gives the head its own intent while its call is under way: an earlier event of the order came late, so that after a
// crash the head would not be the first that is not finished.
func (e *engine) overtaken(ln *lane) {
	it := ln.head()
	if at, calling := ln.part.calls[it]; calling {
		e.intendCalled(ln, it, at)
	}
}

// inherit takes in what an earlier life left: which of the events that come now it may have called.
func (p *partition) inherit() {
	if e := p.store.Entry(ledger.PartitionKey); e.CallsBelow > p.committed {
		p.doubt = doubt{below: e.CallsBelow, since: e.CallsSince, of: e.CallsOf, seen: map[string]bool{}}
	}
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			p.suspect(ln, it)
		}
	}
	p.doubt.end()
}

// suspect tells of an event that came whether an earlier life may have called it.
func (p *partition) suspect(ln *lane, it *item) {
	d := &p.doubt
	if d.below == 0 || it.parked != nil || it.late {
		return
	}
	if it.rec.Offset < d.below && !d.seen[ln.key] && !p.store.Settled(ln.key, it.rec.Offset) {
		d.seen[ln.key], it.doubted = true, true
		d.open++
	}
	d.past = d.past || it.rec.Offset >= d.below-1
}

// clear takes note that an event has an outcome or an intent of its own.
func (p *partition) clear(it *item) {
	if it.doubted {
		it.doubted = false
		p.doubt.open--
		p.doubt.end()
	}
}

// end ends a doubt of which nothing is left.
func (d *doubt) end() {
	if d.past && d.open == 0 {
		*d = doubt{}
	}
}
