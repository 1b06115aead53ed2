package consumers

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/schemas"
)

type dialer = func(context.Context, string, string) (net.Conn, error)

// publish writes the events of every order over a minute: late, repeated, out of order.
func (s *sim) publish(ctx context.Context) {
	type due struct {
		at time.Duration
		ev *schemas.Event
	}
	rng := newRand(s.seed, 5)
	var list []due
	for n := range simOrders {
		at := time.Duration(rng.IntN(60_000)) * time.Millisecond
		for _, ev := range s.order(fmt.Sprintf("o%d", n), rng.IntN(4), rng.IntN(4) == 0, rng.IntN(5) == 0) {
			at += time.Duration(rng.IntN(8_000)-2_000) * time.Millisecond // now and then before what it follows
			list = append(list, due{at, ev})
			if rng.IntN(6) == 0 {
				list = append(list, due{at + time.Duration(rng.IntN(20_000))*time.Millisecond, ev}) // the source's retry
			}
		}
	}
	slices.SortStableFunc(list, func(a, b due) int { return int(a.at - b.at) })
	start := time.Now()
	for _, d := range list {
		pause(ctx, d.at-time.Since(start))
		value, err := s.serde.EncodeEvent(ctx, "orders-value", d.ev)
		s.must(err)
		rec, err := s.client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Key: []byte(d.ev.Subject), Value: value, Headers: schemas.EventHeaders(d.ev, "")}).First()
		s.must(err)
		s.placed[place{partition: rec.Partition, offset: rec.Offset}] = d.ev
	}
}

// order is the events of one order, in the order they happened.
func (s *sim) order(id string, updates int, cancelled, assessedTwice bool) []*schemas.Event {
	var out []*schemas.Event
	add := func(et schemas.EventType, fill func(*schemas.Event)) {
		n := len(out) + 1
		ev := &schemas.Event{ID: schemas.EventID(fmt.Sprintf("%s-%d", id, n)), Type: et, Source: "/sim", System: "shop", Subject: id, Time: time.Now().UTC(), IngestedAt: time.Now().UTC(),
			SourceVersion: fmt.Sprint(n), DeliveryID: fmt.Sprint(n), BusinessID: fmt.Sprintf("%s/%s/%d", et, id, n)}
		fill(ev)
		s.events[ev.ID] = ev
		out = append(out, ev)
	}
	state := func(ev *schemas.Event) { ev.Order = &schemas.Order{ID: id, Status: "open"} }
	amount, err := schemas.NewMoney("20.00", "EUR")
	s.must(err)
	add(schemas.OrderCreated, state)
	add(schemas.PaymentCaptured, func(ev *schemas.Event) { ev.Payment = &schemas.Payment{ID: "p", Amount: amount} })
	fraud := func(ev *schemas.Event) { ev.Fraud = &schemas.Fraud{ID: string(ev.ID), Level: "low"} }
	add(schemas.FraudAssessed, fraud)
	for range updates {
		add(schemas.OrderUpdated, state)
	}
	if assessedTwice {
		add(schemas.FraudAssessed, fraud)
	}
	if cancelled {
		add(schemas.OrderCancelled, state)
	}
	return out
}

// faults does its worst for simFaults.
func (s *sim) faults(ctx context.Context) {
	end := time.Now().Add(simFaults)
	lossy := []int16{int16(kmsg.EndTxn), int16(kmsg.TxnOffsetCommit), int16(kmsg.Produce), int16(kmsg.Heartbeat), int16(kmsg.OffsetCommit), int16(kmsg.InitProducerID), int16(kmsg.JoinGroup)}
	for time.Now().Before(end) {
		pause(ctx, time.Duration(200+s.rng.IntN(4000))*time.Millisecond)
		in := &s.topo.Integrations[s.rng.IntN(len(s.topo.Integrations))]
		procs := s.alive(in)
		if len(procs) == 0 {
			s.start(in)
			continue
		}
		p := procs[s.rng.IntN(len(procs))]
		switch n := s.rng.IntN(22); {
		case n < 6:
			s.setMood(in.Name, mood(s.rng.IntN(int(moods))))
		case n < 9:
			s.kill(p)
		case n < 11:
			s.stop(p)
		case n < 14:
			if len(procs) < 3 {
				s.start(in)
			}
		case n < 16:
			d := time.Duration(1+s.rng.IntN(25)) * time.Second
			s.note("freeze %s for %s", p.name, d)
			p.wire.freeze(d)
		case n < 18:
			key, share := lossy[s.rng.IntN(len(lossy))], s.rng.Float64()
			d := time.Duration(1+s.rng.IntN(6)) * time.Second
			s.note("%s loses %.0f%% of the answers to %s for %s", p.name, 100*share, kmsg.NameForKey(key), d)
			p.wire.loseAnswers(key, share)
			time.AfterFunc(d, func() { p.wire.loseAnswers(-1, 0) })
		case n < 19:
			s.note("coordinators move")
			s.cluster.RehashCoordinators()
		case n < 20:
			s.note("leaders move")
			s.cluster.ShufflePartitionLeaders()
		case n == 20 && s.tools():
			s.move(ctx, in)
		default:
			s.decideOne(ctx)
		}
		s.evict(ctx)
	}
}

func (s *sim) setMood(name string, m mood) {
	s.note("%s is %v", name, [...]string{"well", "slow", "deaf", "down", "busy", "sick"}[m])
	w := s.worlds[name]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mood = m
}

// evict takes dead members out of groups: the embedded broker keeps one for ever whose connection died while it joined.
func (s *sim) evict(ctx context.Context) {
	for _, in := range s.topo.Integrations {
		group := s.topo.Group(in.Name)
		described, err := s.adm.DescribeGroups(ctx, group)
		s.must(err)
		for _, m := range described[group].Members {
			of := func(p *proc) bool { return group+"/"+p.name == m.ClientID }
			if !slices.ContainsFunc(s.procs, of) || slices.ContainsFunc(s.procs, func(p *proc) bool { return of(p) && !(p.ended && closed(p.done)) }) {
				continue
			}
			req := kmsg.NewPtrLeaveGroupRequest()
			req.Group = group
			member := kmsg.NewLeaveGroupRequestMember()
			member.MemberID = m.MemberID
			req.Members = append(req.Members, member)
			_, err := req.RequestWith(ctx, s.client)
			s.must(err)
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// settle ends the faults and waits until every group has caught up.
func (s *sim) settle(ctx context.Context) {
	for i := range s.topo.Integrations {
		in := &s.topo.Integrations[i]
		s.setMood(in.Name, well)
		if len(s.alive(in)) == 0 {
			s.start(in)
		}
	}
	end := time.Now().Add(simCalm)
	for time.Now().Before(end) {
		pause(ctx, 2*time.Second)
		s.evict(ctx)
		if s.behind(ctx) == "" && s.caughtUp(ctx) {
			return
		}
	}
	s.Errorf("I9: not settled %s after the last fault: %s; %s", simCalm, s.behind(ctx), s.unread(ctx))
}

// unread says what of the outcomes was not read, and who holds it up; empty for nothing.
func (s *sim) unread(ctx context.Context) string {
	ends, err := s.adm.ListEndOffsets(ctx, "reconciliation")
	s.must(err)
	stable, err := s.adm.ListCommittedOffsets(ctx, "reconciliation")
	s.must(err)
	open, err := s.adm.DescribeProducers(ctx, kadm.TopicsSet{"reconciliation": nil})
	s.must(err)
	var out []string
	for p := range s.topo.Partitions {
		end, _ := ends.Lookup("reconciliation", p)
		last, _ := stable.Lookup("reconciliation", p)
		s.mu.Lock()
		read := s.read[p]
		s.mu.Unlock()
		if read == end.Offset {
			continue
		}
		out = append(out, fmt.Sprintf("outcomes of partition %d are read to %d, stable to %d, of %d", p, read, last.Offset, end.Offset))
		open.EachProducer(func(d kadm.DescribedProducer) {
			if d.Partition == p && d.CurrentTxnStartOffset >= 0 {
				out = append(out, fmt.Sprintf("producer %d/%d has a transaction open from %d on, since %s", d.ProducerID, d.ProducerEpoch, d.CurrentTxnStartOffset, time.UnixMilli(d.LastTimestamp).UTC()))
			}
		})
	}
	return strings.Join(out, ", ")
}

// behind says which group has not committed the end of which partition; empty when all have.
func (s *sim) behind(ctx context.Context) string {
	ends, err := s.adm.ListEndOffsets(ctx, "orders")
	s.must(err)
	var out []string
	for _, in := range s.topo.Integrations {
		committed, err := s.adm.FetchOffsets(ctx, s.topo.Group(in.Name))
		s.must(err)
		for p := range s.topo.Partitions {
			end, _ := ends.Lookup("orders", p)
			at, ok := committed.Lookup("orders", p)
			if end.Offset > 0 && (!ok || at.At < end.Offset) {
				out = append(out, fmt.Sprintf("%s/%d at %d of %d", in.Name, p, at.At, end.Offset))
			}
		}
	}
	return strings.Join(out, ", ")
}

// caughtUp tells whether every committed outcome was read.
func (s *sim) caughtUp(ctx context.Context) bool {
	ends, err := s.adm.ListEndOffsets(ctx, "reconciliation")
	s.must(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.topo.Partitions {
		if end, _ := ends.Lookup("reconciliation", p); s.read[p] < end.Offset {
			return false
		}
	}
	return true
}
