package consumers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// simAgain is how many events each integration delivers again at most.
const simAgain = 12

// wanted is a delivered event that a person wants again.
type wanted struct {
	integration string
	place       place
}

// again: I7, a person wants events delivered again while processes die and downstreams fail: each is, once, and nothing else; read
// again, the decisions do nothing.
func (s *sim) again(ctx context.Context) {
	s.mu.Lock()
	before := len(s.outcomes)
	all := slices.Clone(s.outcomes)
	s.mu.Unlock()
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	chosen := map[wanted]bool{}
	per := map[string]int{}
	for i := range s.topo.Integrations {
		s.start(&s.topo.Integrations[i])
		s.start(&s.topo.Integrations[i])
	}
	for _, o := range all {
		if o.Kind != schemas.Delivered || per[o.Integration] >= simAgain {
			continue
		}
		per[o.Integration]++
		chosen[wanted{o.Integration, place{o.Integration, o.Partition, o.Offset}}] = true
		value, err := s.serde.EncodeCommand(ctx, topology.TopicCommands+"-value", &schemas.Command{ID: "again", Kind: schemas.Redeliver, Integration: o.Integration, Topic: schemas.TopicOrders, Key: o.OrderID,
			EventID: o.EventID, Who: "person", Why: "because", At: time.Now().UTC(), Replay: "again", From: o.Offset, To: o.Offset + 1, Even: schemas.ReasonStale})
		s.must(err)
		s.must(s.client.ProduceSync(ctx, &kgo.Record{Topic: topology.TopicCommands, Key: []byte(o.OrderID), Value: value}).FirstErr())
		if s.rng.IntN(3) == 0 {
			in := &s.topo.Integrations[s.rng.IntN(len(s.topo.Integrations))]
			s.setMood(in.Name, mood(s.rng.IntN(int(moods))))
			pause(ctx, time.Duration(s.rng.IntN(1500))*time.Millisecond)
			if procs := s.alive(in); len(procs) > 0 {
				s.kill(procs[s.rng.IntN(len(procs))])
			}
			s.start(in)
		}
	}
	s.settle(ctx)
	s.until(ctx, "everything is delivered again or waits", func() error {
		s.evict(ctx)
		if under := s.underWay(before, chosen); under != "" {
			return fmt.Errorf("%s", under)
		}
		return nil
	})
	s.checkAgain(before, chosen)
	s.stopAll()
	s.mu.Lock()
	after := len(s.outcomes)
	s.mu.Unlock()
	for i := range s.topo.Integrations {
		s.start(&s.topo.Integrations[i])
	}
	s.settle(ctx)
	pause(ctx, time.Minute) // virtual: the decisions are read from their start
	s.stopAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.outcomes) - after; n != 0 {
		s.Errorf("I7: decisions that were read again made %d outcomes:%s", n, told(s.outcomes[after:]))
	}
}

// since is the outcomes of a wish since it was said.
func (s *sim) since(before int, of wanted) []*schemas.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.outcomes[before:]), func(o *schemas.Outcome) bool {
		return o.Integration != of.integration || o.Partition != of.place.partition || o.Offset != of.place.offset
	})
}

// underWay names a wish that has not come to an end; empty for none.
func (s *sim) underWay(before int, chosen map[wanted]bool) string {
	for of := range chosen {
		list := s.since(before, of)
		if len(list) == 0 || list[len(list)-1].Reason == schemas.ReasonReplay || list[len(list)-1].Reason == schemas.ReasonBehind && !s.blocked(of) {
			return fmt.Sprintf("%v:%s", of, told(list))
		}
	}
	return ""
}

// blocked tells whether an earlier event of a wish's order is parked.
func (s *sim) blocked(of wanted) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[int64]*schemas.Outcome{}
	order := ""
	for _, o := range s.outcomes {
		if o.Integration == of.integration && o.Partition == of.place.partition {
			if last[o.Offset] = o; o.Offset == of.place.offset {
				order = o.OrderID
			}
		}
	}
	for offset, o := range last {
		if offset < of.place.offset && o.OrderID == order && o.Kind == schemas.Parked {
			return true
		}
	}
	return false
}

// checkAgain holds what came of wishes against I7.
func (s *sim) checkAgain(before int, chosen map[wanted]bool) {
	delivered := 0
	for of := range chosen {
		list := s.since(before, of)
		last, finals := list[len(list)-1], 0
		for _, o := range list {
			if o.Replay == nil || o.Replay.ID != "again" {
				s.Errorf("I7: %v: an outcome does not name the replay:%s", of, told(list))
			}
			if o.Kind.Final() {
				finals++
			}
		}
		if finals > 1 || (finals == 1) != last.Kind.Final() {
			s.Errorf("I7: %v has %d final outcomes:%s", of, finals, told(list))
		}
		w := s.worlds[of.integration]
		w.mu.Lock()
		n := w.done[last.IdempotencyKey]
		w.mu.Unlock()
		if made := last.Kind == schemas.Delivered || last.Kind == schemas.AlreadyDone; last.IdempotencyKey != "" && n > 1 || last.Kind == schemas.Delivered && n != 1 {
			s.Errorf("I7: %v (made %v) has %d effects:%s", of, made, n, told(list))
		} else if made {
			delivered++
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outcomes[before:] {
		if !chosen[wanted{o.Integration, place{o.Integration, o.Partition, o.Offset}}] {
			s.Errorf("I7: nobody wanted %s again in %s:%s", o.EventID, o.Integration, told([]*schemas.Outcome{o}))
		}
	}
	if delivered == 0 && len(chosen) > 0 {
		s.Error("I7: nothing was delivered again: nothing is proved")
	}
}
