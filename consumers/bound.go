package consumers

import (
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
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
		calls := schemas.Calls{Below: b.asked, Since: now, Of: e.names.together}
		if entry.Calls != nil {
			calls.Below = max(calls.Below, entry.Calls.Below)
		}
		for _, at := range p.calls {
			if at.Before(calls.Since) {
				calls.Since = at
			}
		}
		entry.Calls = &calls
		b.told, b.at, b.asked = calls.Below, now, 0
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
	if entry.Calls == nil {
		return
	}
	entry.Calls = nil
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
	if c := p.store.Entry(ledger.PartitionKey).Calls; c != nil && c.Below > p.committed {
		p.doubt = doubt{below: c.Below, since: c.Since, of: c.Of, seen: map[string]bool{}}
	}
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			p.suspect(ln, it)
		}
	}
	p.doubt.end()
}

// skip keeps what an earlier life may have called and another tool moved the group's offset past: should a person have those
// events read after all, any of them may have been called, for all that is known by then.
func (e *engine) skip(p *partition) {
	entry := *p.store.Entry(ledger.PartitionKey)
	c := entry.Calls
	if c == nil || !p.moved || p.committed == 0 {
		return
	}
	s := schemas.Calls{Below: min(c.Below, p.committed), Since: c.Since, Of: c.Of}
	if old := entry.Skipped; old != nil {
		if s.Below = max(s.Below, old.Below); old.Since.Before(s.Since) {
			s.Since = old.Since
		}
		s.Of = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.Of, old.Of))))
	}
	if entry.Skipped = &s; c.Below <= p.committed {
		entry.Calls = nil
	}
	e.put(p.lane(ledger.PartitionKey), &entry)
}

// inherited tells since when an earlier life may have made an item's call of an operation, without an intent of its own.
func (p *partition) inherited(it *item, operation string) (since time.Time, may bool) {
	if s := p.store.Entry(ledger.PartitionKey).Skipped; it.parked == nil && s.Has(it.rec.Offset, operation) {
		since, may = s.Since, true
	}
	if d := &p.doubt; it.doubted && slices.Contains(d.of, operation) && (!may || d.since.Before(since)) {
		since, may = d.since, true
	}
	return since, may
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
