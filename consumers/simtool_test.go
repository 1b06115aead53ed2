package consumers

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// tools tells whether somebody moves groups with other tools in the run.
func (s *sim) tools() bool { return s.seed%4 == 1 }

// move ends an integration's processes while their calls get no answer, as kill -9 does, and moves its group's offsets: near to
// where they are, to the end, or anywhere. He who does takes his time: what is under way ends before the next process starts.
func (s *sim) move(ctx context.Context, in *topology.Integration) {
	s.setMood(in.Name, deaf)
	pause(ctx, in.Timeout.D())
	for _, p := range s.alive(in) {
		s.kill(p)
	}
	pause(ctx, max(in.Idempotency.Settles.D(), 2*in.Timeout.D()))
	ends, err := s.adm.ListEndOffsets(ctx, "orders")
	s.must(err)
	group := s.topo.Group(in.Name)
	s.until(ctx, "the offsets of "+in.Name+" are moved", func() error {
		s.evict(ctx)
		committed, err := s.adm.FetchOffsets(kadm.RequireStable(ctx), group) // a dead process's transaction ends by its timeout
		if err != nil {
			return err
		}
		var to kadm.Offsets
		for p := range s.topo.Partitions {
			end, _ := ends.Lookup("orders", p)
			at, _ := committed.Lookup("orders", p)
			if at.Err != nil {
				return at.Err
			}
			offset := end.Offset
			switch s.rng.IntN(4) {
			case 0:
				offset = s.rng.Int64N(end.Offset + 1)
			case 1:
				offset = min(max(at.At+s.rng.Int64N(21)-10, 0), end.Offset)
			}
			to.AddOffset("orders", p, offset, -1)
		}
		if err := s.adm.CommitAllOffsets(ctx, group, to); err != nil {
			return err
		}
		s.moved[in.Name] = true
		for p := range s.topo.Partitions {
			at, _ := committed.Lookup("orders", p)
			is, _ := to.Lookup("orders", p)
			s.note("%s/%d is moved from %d to %d", in.Name, p, at.At, is.At)
			for offset := max(at.At, 0); offset < is.At; offset++ {
				s.skipped[place{in.Name, p, offset}] = true
			}
		}
		return nil
	})
	s.start(in)
}

// readAll has those integrations read everything whose offsets were moved, as what was left out is to be handled after all.
func (s *sim) readAll(ctx context.Context) {
	for i := range s.topo.Integrations {
		in := &s.topo.Integrations[i]
		if !s.moved[in.Name] {
			continue
		}
		for _, p := range s.alive(in) {
			s.stop(p)
			<-p.done
		}
		s.rewind(ctx, in)
		s.start(in)
	}
	s.settle(ctx)
}

// passedBy tells of an event without an outcome that a tool had moved the offset past it, and that a later event of its order was
// handled: then it counts as finished.
func (s *sim) passedBy(at place, settled func(order string) int64) bool {
	ev := s.placed[place{partition: at.partition, offset: at.offset}]
	return s.skipped[at] && ev != nil && settled(ev.Subject) >= at.offset
}

// leftOut tells whether a tool had moved the integration's offset past an event that is meant.
func (s *sim) leftOut(in *topology.Integration, meant func(*schemas.Event) bool) bool {
	for at, ev := range s.placed {
		if at.integration = in.Name; s.skipped[at] && meant(ev) {
			return true
		}
	}
	return false
}
