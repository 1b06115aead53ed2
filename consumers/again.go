package consumers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/replay"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// evReadAgain is records that a decision wants read again.
type evReadAgain struct {
	p    *partition
	cmd  evCommand
	recs []*kgo.Record
	last bool      // of this decision
	read int       // above 0: that many decisions are done with
	room chan bool // told whether more may come at once
}

const (
	markEvery    = time.Hour // how often a partition notes up to where it is settled, or ten times in a dedup window
	markFirst    = time.Minute
	gapRead      = 10_000 // records that are rather read than asked for anew
	roomPatience = 100 * time.Millisecond
)

// beyond tells whether a record is older than the ledger remembers and was read before: what was done for it may be forgotten,
// so it counts as finished. Whoever resets an offset that far back reads it and does nothing.
func (e *engine) beyond(p *partition, rec *kgo.Record) bool {
	return rec.Timestamp.Before(e.Now().Add(-e.in.DedupWindow.D())) && p.store.Settled(ledger.PartitionKey, rec.Offset)
}

func (e *engine) markEvery() time.Duration { return min(markEvery, e.in.DedupWindow.D()/10) }

// firstMark is when a partition that was just restored counts as marked: a mark commits offsets, which a worker that has only
// come, and has read nothing, had better not do.
func (e *engine) firstMark(last time.Time) time.Time {
	every := e.markEvery()
	if due := e.Now().Add(min(markFirst, every) - every); last.Before(due) {
		return due
	}
	return last
}

// mark notes in the ledger, now and then, up to where each partition is settled.
func (e *engine) mark() {
	every := e.markEvery()
	for _, p := range e.parts {
		if p.store != nil && p.revoked == nil && p.offsets.done > 0 && e.Now().Sub(p.marked) >= every {
			entry := *p.store.Entry(ledger.PartitionKey)
			e.putMark(p, &entry)
		}
	}
}

// putMark writes a partition's own entry.
func (e *engine) putMark(p *partition, entry *schemas.LedgerEntry) {
	p.marked = e.Now()
	entry.Settled, entry.UpdatedAt = max(entry.Settled, p.offsets.done-1), p.marked
	if s := entry.Skipped; s != nil && s.Since.Before(p.marked.Add(-2*e.in.DedupWindow.D())) {
		entry.Skipped = nil // events of then are read by nobody any more: see beyond
	}
	e.put(p.lane(ledger.PartitionKey), entry)
}

// heard tells whether a decision was taken in before.
func (p *partition) heard(ev evCommand) bool {
	c := ev.cmd
	if c.Kind == schemas.Reread {
		r := p.store.Entry(ledger.PartitionKey).ReadAgain
		return r != nil && ev.offset < r.Heard
	}
	return slices.ContainsFunc(p.store.Parked(c.Key), func(w *schemas.ParkedRecord) bool { return w.EventID == c.EventID && ev.offset <= w.Command }) ||
		slices.ContainsFunc(p.store.Entry(c.Key).Events, func(f schemas.FinishedEvent) bool { return f.ID == c.EventID && ev.offset < f.Heard })
}

// askAgain takes in that a person wants records read again. The ledger remembers a decision as long as it remembers events,
// so that an older one may have been taken in and forgotten.
func (e *engine) askAgain(p *partition, ev evCommand) {
	if p.heard(ev) || slices.ContainsFunc(p.asked, func(o evCommand) bool { return o.offset == ev.offset }) {
		return
	}
	if age := e.Now().Sub(ev.at); age > e.in.DedupWindow.D()*9/10 {
		e.log.Warn("a replay that was asked for too long ago is left alone: plan it again", "replay", ev.cmd.Replay, "kind", ev.cmd.Kind, "event_id", ev.cmd.EventID, "age", age.Round(time.Second))
		return
	}
	if p.asked = append(p.asked, ev); len(p.asked) == 1 {
		e.startReading(p)
	}
}

// startReading reads all that was asked for up to now, beside the loop.
func (e *engine) startReading(p *partition) {
	asked := slices.Clone(p.asked)
	all := len(asked)
	if p.life == nil {
		p.life, p.die = context.WithCancel(e.ctx)
	}
	e.work.Go(func() {
		for len(asked) > 0 {
			n := 1
			if asked[0].cmd.Kind == schemas.Redeliver {
				if n = slices.IndexFunc(asked, func(ev evCommand) bool { return ev.cmd.Kind != schemas.Redeliver }); n < 0 {
					n = len(asked)
				}
				for _, part := range near(asked[:n]) {
					e.fetchEvents(p, part)
				}
			} else {
				e.fetchRange(p, asked[0])
			}
			asked = asked[n:]
		}
		e.send(evReadAgain{p: p, read: all})
	})
}

// near parts decisions about single events into runs that are read in one go, by offset.
func near(asked []evCommand) (out [][]evCommand) {
	asked = slices.Clone(asked)
	slices.SortStableFunc(asked, func(a, b evCommand) int { return int(a.cmd.From - b.cmd.From) })
	for i, ev := range asked {
		if i == 0 || ev.cmd.From-asked[i-1].cmd.From > gapRead {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], ev)
	}
	return out
}

// fetchEvents hands single events to the loop, which it saves from waiting for the registry.
func (e *engine) fetchEvents(p *partition, asked []evCommand) {
	span := replay.Span{Topic: p.tp.topic, Partition: p.tp.partition, From: asked[0].cmd.From, To: asked[len(asked)-1].cmd.From + 1}
	for p.life.Err() == nil {
		left := slices.Clone(asked)
		err := replay.Read(p.life, e.Options, span, func(recs []*kgo.Record) error {
			for _, rec := range recs {
				for len(left) > 0 && left[0].cmd.From < rec.Offset {
					e.gone(left[0])
					left = left[1:]
				}
				for ; len(left) > 0 && left[0].cmd.From == rec.Offset; left = left[1:] {
					if _, _, err := e.whole(p.life, rec.Value); err != nil && !undecodable(err) {
						return err
					}
					e.send(evReadAgain{p: p, cmd: left[0], recs: []*kgo.Record{rec}, last: true})
				}
			}
			return nil
		})
		if err == nil {
			for _, ev := range left {
				e.gone(ev)
			}
			return
		}
		e.waitToRead(p, err)
	}
}

// gone says that an event which is to be delivered again is not there any more.
func (e *engine) gone(ev evCommand) {
	e.log.Warn("an event that is to be delivered again is gone from its topic", "replay", ev.cmd.Replay, "event_id", ev.cmd.EventID, "topic", ev.cmd.Topic, "partition", ev.partition, "offset", ev.cmd.From)
}

// fetchRange hands a range to the loop.
func (e *engine) fetchRange(p *partition, ev evCommand) {
	span := replay.Span{Topic: p.tp.topic, Partition: p.tp.partition, From: ev.cmd.From, To: ev.cmd.To}
	for p.life.Err() == nil {
		err := replay.Read(p.life, e.Options, span, func(recs []*kgo.Record) error {
			for {
				room := make(chan bool, 1)
				if !e.send(evReadAgain{p: p, cmd: ev, recs: recs, room: room}) {
					return context.Canceled
				}
				select {
				case ok := <-room:
					if ok {
						span.From = recs[len(recs)-1].Offset + 1
						return nil
					}
				case <-p.life.Done():
					return p.life.Err()
				}
				if err := sleep(p.life, roomPatience); err != nil {
					return err
				}
			}
		})
		if err == nil {
			e.send(evReadAgain{p: p, cmd: ev, last: true})
			return
		}
		e.waitToRead(p, err)
	}
}

func (e *engine) waitToRead(p *partition, err error) {
	if p.life.Err() == nil {
		e.log.Warn("records that are to be read again cannot be read yet", "topic", p.tp.topic, "partition", p.tp.partition, "err", err)
		_ = sleep(p.life, time.Second)
	}
}

// readAgain takes in records that were read again.
func (e *engine) readAgain(ev evReadAgain) {
	p := ev.p
	if e.parts[p.tp] != p || p.revoked != nil {
		return
	}
	switch {
	case ev.read > 0:
		if p.asked = p.asked[ev.read:]; len(p.asked) > 0 {
			e.startReading(p)
		}
	case ev.cmd.cmd.Kind == schemas.Redeliver:
		e.redeliver(p, ev.cmd, ev.recs[0])
	case ev.last:
		e.rangeRead(p, ev.cmd)
	case e.queued >= maxQueued:
		ev.room <- false
	default:
		e.reread(p, ev.recs)
		ev.room <- true
	}
}

// redeliver parks a finished event by a person's decision and releases it in one go: from the transaction on that carries
// this, the decision is known, whatever happens.
func (e *engine) redeliver(p *partition, ev evCommand, rec *kgo.Record) {
	c := ev.cmd
	if p.heard(ev) {
		return
	}
	again := &schemas.Replay{ID: c.Replay, Who: c.Who, Why: c.Why, Even: c.Even}
	key := keyOf(rec)
	ln := p.lane(key)
	if i := slices.IndexFunc(p.store.Parked(key), func(w *schemas.ParkedRecord) bool { return w.EventID == c.EventID }); i >= 0 {
		e.log.Warn("an event that is parked is not delivered again: release it", "replay", c.Replay, "event_id", c.EventID)
		w := *p.store.Parked(key)[i]
		w.Command = ev.offset // it counts as taken in: it must not come true after the event's release
		e.parkRecord(p, &w, nil)
		for _, it := range ln.queue {
			if it.parked != nil && it.parked.EventID == w.EventID {
				it.parked = &w
			}
		}
		return
	}
	w := e.parkedOf(p, key, rec)
	w.Reason, w.Detail, w.Command, w.Replay = schemas.ReasonReplay, "to be delivered "+again.String(), ev.offset, again
	it := e.unparked(ln, w)
	if w.EventID, w.EventType = poisonID(it), it.env.Type; w.EventID != c.EventID {
		e.log.Warn("another event stands where one is to be delivered again: nothing is done", "replay", c.Replay, "event_id", c.EventID, "found", w.EventID)
		return
	}
	e.parkRecord(p, w, nil)
	e.put(ln, p.store.Entry(key)) // the lane waits: the decision is durable before anything is done
	ln.front(it)
	e.log.Info("command", "kind", c.Kind, "order_id", key, "event_id", c.EventID, "replay", c.Replay)
	e.step(ln)
}

// keyOf is the key under which a record is handled.
func keyOf(rec *kgo.Record) string {
	if len(rec.Key) == 0 {
		return string(ledger.PoisonID(rec.Topic, rec.Partition, rec.Offset))
	}
	return string(rec.Key)
}

// reread hands records of a range to their lanes that nobody has handled, and counts the others.
func (e *engine) reread(p *partition, recs []*kgo.Record) {
	for _, rec := range recs {
		p.again.Read++
		switch {
		case p.store.Settled(keyOf(rec), rec.Offset):
			p.again.Finished++
			e.counts.replayed.Inc()
		case e.beyond(p, rec):
			p.again.Beyond++
			e.counts.replayed.Inc()
		case p.offsets.has(rec.Offset):
			p.again.Handled++ // it is under way
		default:
			p.again.Handled++
			e.receive(rec, true)
			ln := p.lane(keyOf(rec))
			ln.sort()
			e.overtaken(ln)
			e.step(ln)
		}
	}
}

// rangeRead notes in the ledger that a range was read. Where something of it is under way the committed offset goes back to that,
// in the same transaction.
func (e *engine) rangeRead(p *partition, ev evCommand) {
	c, did := ev.cmd, p.again
	p.again = schemas.ReadAgain{}
	did.ID, did.Heard, did.From, did.To, did.At = c.Replay, ev.offset+1, c.From, c.To, e.Now()
	entry := *p.store.Entry(ledger.PartitionKey)
	entry.ReadAgain = &did
	e.putMark(p, &entry)
	e.log.Info("replayed", "replay", c.Replay, "who", c.Who, "why", c.Why, "topic", p.tp.topic, "partition", p.tp.partition, "from", c.From, "to", c.To,
		"read", did.Read, "finished", did.Finished, "beyond", did.Beyond, "handled", did.Handled)
}

// sort brings a record that was read late, and came in last, to where it belongs. The head stays while it is under way.
func (ln *lane) sort() {
	from := 0
	if ln.busy || ln.waiting {
		from = 1
	}
	if len(ln.queue) <= from+1 {
		return
	}
	if from == 0 {
		ln.head().noted = nil // others change the entry before its turn
	}
	ln.grown++
	slices.SortStableFunc(ln.queue[from:], func(a, b *item) int { return cmp.Compare(a.rec.Offset, b.rec.Offset) })
}

// heard is the offset after the newest decision taken in for the event; 0 for none.
func (it *item) heard() int64 {
	if it.parked == nil {
		return 0
	}
	return it.parked.Command + 1
}

// ownKey tells whether a key is that of the event's calls now: those of before a replay had another.
func (it *item) ownKey(in *topology.Integration, route *topology.Route, key string) bool {
	return it.again == nil || it.ev != nil && key == rules.KeyAgain(rules.Key(in, route, it.ev), it.again)
}

// unheard tells of an event to be delivered again that the order does not know of yet: its type was none of the integration's
// business when it came, or the order is forgotten.
func (e *engine) unheard(ln *lane, it *item) bool {
	return it.again != nil && !slices.ContainsFunc(ln.part.store.Entry(ln.key).Events, func(f schemas.FinishedEvent) bool { return f.ID == it.env.ID })
}

// finishedAgain is finished events whose last one was delivered again. It stands for the former of its id; an effect that was
// there before is there still where this came to none.
func finishedAgain(events []schemas.FinishedEvent) []schemas.FinishedEvent {
	last := len(events) - 1
	done := events[last]
	out := make([]schemas.FinishedEvent, 0, len(events))
	for _, f := range events[:last] {
		if f.ID != done.ID {
			out = append(out, f)
		} else if f.BusinessID != "" && done.BusinessID == "" {
			done.Kind, done.BusinessID = f.Kind, f.BusinessID
		}
	}
	return append(out, done)
}
