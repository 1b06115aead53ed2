package consumers

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// evCommand is a person's decision, where it stands in the commands topic.
type evCommand struct {
	cmd       *schemas.Command
	partition int32
	offset    int64
	at        time.Time // when it was written
}

// hear follows the commands of a partition from their start: each parked record knows the newest decision that was taken in
// for it, so decisions that are read again change nothing, and no offset needs to be kept. Decisions are few: a person made
// each.
func (e *engine) hear(partition int32) error {
	topic := e.Topology.TopicName(topology.TopicCommands)
	at := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	if e.orders != nil {
		e.orders.RemoveConsumePartitions(map[string][]int32{topic: {partition}})
		e.orders.AddConsumePartitions(at)
		return nil
	}
	cl, err := kgo.NewClient(append(slices.Clone(e.Options), kgo.ConsumePartitions(at), kgo.FetchMaxWait(time.Second))...)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	e.orders = cl
	go e.follow(cl)
	return nil
}

// follow hands decisions to the loop until the engine ends.
func (e *engine) follow(cl *kgo.Client) {
	defer cl.Close()
	for {
		fetches := cl.PollFetches(e.ctx)
		if e.ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			cmd, err := e.Serde.DecodeCommand(e.ctx, rec.Value)
			if err != nil {
				e.log.Warn("a command does not decode", "partition", rec.Partition, "offset", rec.Offset, "err", err)
				return
			}
			if cmd.Integration == e.in.Name {
				e.send(evCommand{cmd, rec.Partition, rec.Offset, rec.Timestamp})
			}
		})
	}
}

// command takes a decision in. One that came too late, for an event that is parked no more or on its way already, changes
// nothing.
func (e *engine) command(ev evCommand) {
	c := ev.cmd
	p := e.parts[topicPartition{e.Topology.TopicName(c.Topic), ev.partition}]
	if p == nil || p.revoked != nil {
		return
	}
	if p.store == nil {
		p.commands = append(p.commands, ev)
		return
	}
	if c.Kind == schemas.Redeliver || c.Kind == schemas.Reread {
		e.askAgain(p, ev)
		return
	}
	list := p.store.Parked(c.Key)
	i := slices.IndexFunc(list, func(w *schemas.ParkedRecord) bool { return w.EventID == c.EventID })
	if i < 0 || ev.offset <= list[i].Command || p.lane(c.Key).holds(c.EventID) {
		return
	}
	ln, by := p.lane(c.Key), fmt.Sprintf("by %s: %s", c.Who, c.Why)
	it := e.unparked(ln, list[i])
	switch c.Kind {
	case schemas.Discard:
		it.discarded = by
	case schemas.Release:
		w := *list[i]
		w.Command, w.Released, w.Until, w.Reason, w.Detail = ev.offset, by, nil, schemas.ReasonReleased, "released "+by
		e.parkRecord(p, &w, nil)
		e.put(ln, p.store.Entry(c.Key)) // the lane waits: the decision is durable before anything is done
		it.parked, it.released = &w, by
	default:
		e.log.Warn("an unknown command is left alone", "kind", c.Kind, "offset", ev.offset)
		return
	}
	ln.front(it)
	e.log.Info("command", "kind", c.Kind, "order_id", c.Key, "event_id", c.EventID)
	e.step(ln)
}

// unparked is a parked event as the head of its lane sees it.
func (e *engine) unparked(ln *lane, w *schemas.ParkedRecord) *item {
	it := &item{parked: w, rec: parkedRecord(w, e.Topology.Prefix), attempts: w.Attempts, again: w.Replay}
	it.env, _ = schemas.EnvelopeOf(it.rec.Headers)
	if ev, opened, err := e.event(e.ctx, w.Value); err == nil { // its schema is at hand since it was parked, or restored
		e.decodedItem(ln, it, ev, opened, nil)
	}
	return it
}

// resume goes on with what a person had released when the worker died. Whether the call was made is not known: where that
// is harmless or can be asked the event goes on, else a person must decide again.
func (e *engine) resume(p *partition) {
	for _, key := range p.store.ParkedKeys() {
		for _, w := range p.store.Parked(key) {
			if w.Reason != schemas.ReasonReleased && w.Reason != schemas.ReasonReplay {
				continue
			}
			// Of one that is delivered again the intent tells whether the call was made: its key is the replay's own.
			if e.in.Idempotency.None && w.Reason == schemas.ReasonReleased {
				c := *w
				c.Reason, c.Detail, c.Released = schemas.ReasonUnknown, "it was released "+w.Released+", and whether the call was made is not known", ""
				e.parkRecord(p, &c, nil)
				continue
			}
			it := e.unparked(p.lane(key), w)
			it.released = w.Released
			p.lane(key).front(it)
		}
	}
}

// holds tells whether a parked event is in the lane again.
func (ln *lane) holds(id schemas.EventID) bool {
	return slices.ContainsFunc(ln.queue, func(it *item) bool { return it.parked != nil && it.parked.EventID == id })
}

// deadLetterHeaders are what Kafka Connect, Spring and KIP-1191 tools look for on a record that was set aside, as text.
func deadLetterHeaders(w *schemas.ParkedRecord, group, prefix string) []kgo.RecordHeader {
	topic, partition, offset := prefix+w.Topic, strconv.Itoa(int(w.Partition)), strconv.FormatInt(w.Offset, 10)
	why := string(w.Reason) + ": " + w.Detail
	var out []kgo.RecordHeader
	for _, h := range [][2]string{
		{"__connect.errors.topic", topic}, {"__connect.errors.partition", partition}, {"__connect.errors.offset", offset},
		{"__connect.errors.connector.name", group}, {"__connect.errors.exception.message", why},
		{"__dlq.errors.topic", topic}, {"__dlq.errors.partition", partition}, {"__dlq.errors.offset", offset}, {"__dlq.errors.group", group},
		{"__dlq.errors.delivery.count", strconv.Itoa(len(w.Attempts))}, {"__dlq.errors.message", why},
		{"kafka_dlt-original-topic", topic}, {"kafka_dlt-original-partition", partition}, {"kafka_dlt-original-offset", offset},
		{"kafka_dlt-original-consumer-group", group}, {"kafka_dlt-exception-message", why},
		{"x-original-topic", topic},
	} {
		out = append(out, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return out
}
