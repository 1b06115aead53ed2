package consumers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// place is where an event was read.
type place struct {
	integration string
	partition   int32
	offset      int64
}

// check holds a settled run against the invariants.
func (s *sim) check(ctx context.Context) {
	byPlace := map[place][]*schemas.Outcome{}
	s.mu.Lock()
	for _, o := range s.outcomes {
		p := place{o.Integration, o.Partition, o.Offset}
		byPlace[p] = append(byPlace[p], o)
	}
	s.mu.Unlock()
	ends, err := s.adm.ListEndOffsets(ctx, "orders")
	s.must(err)
	for i := range s.topo.Integrations {
		in := &s.topo.Integrations[i]
		for p := range s.topo.Partitions {
			store := s.restore(ctx, in, p)
			end, _ := ends.Lookup("orders", p)
			for offset := range end.Offset {
				s.checkOutcomes(place{in.Name, p, offset}, byPlace[place{in.Name, p, offset}], store)
			}
			s.checkCancelled(in, store)
		}
		s.checkEffects(in)
	}
}

// restore reads a partition's ledger as a new owner would.
func (s *sim) restore(ctx context.Context, in *topology.Integration, p int32) *ledger.Store {
	topics, err := s.adm.ListTopics(ctx, "orders")
	s.must(err)
	store, err := ledger.Restore(ctx, ledger.Source{Options: s.options(s.net.DialContext), Group: s.topo.Group(in.Name), Serde: s.serde, Ledger: s.topo.Ledger(in.Name),
		Parked: s.topo.Parked(in.Name), Topic: "orders", TopicID: ledger.TopicID(topics["orders"].ID), Partition: p})
	s.must(err)
	return store
}

// checkOutcomes: I1, each event ends in exactly one final outcome or is parked; I6, the ledger says the same.
func (s *sim) checkOutcomes(at place, outcomes []*schemas.Outcome, store *ledger.Store) {
	if len(outcomes) == 0 && s.passedBy(at, func(order string) int64 { return store.Entry(order).Settled }) {
		return
	}
	if len(outcomes) == 0 {
		s.Errorf("I1: %v has no outcome: it is lost", at)
		return
	}
	last := outcomes[len(outcomes)-1]
	finals := 0
	for _, o := range outcomes {
		if o.Kind.Final() {
			finals++
		}
	}
	parked := slices.ContainsFunc(store.Parked(last.OrderID), func(w *schemas.ParkedRecord) bool { return w.Offset == at.offset })
	if finals > 1 || (finals == 1) == parked || last.Kind.Final() == parked {
		s.Errorf("I1: %v (%s) has %d final outcomes, parked %v, the last is %s/%s", at, last.EventID, finals, parked, last.Kind, last.Reason)
	}
	if !store.Settled(last.OrderID, at.offset) {
		s.Errorf("I6: %v has the outcome %s, and the ledger does not know", at, last.Kind)
	}
	remembered := last.Kind.Final() && last.Kind != schemas.Duplicate && last.Reason != schemas.ReasonNotSubscribed
	for _, done := range store.Entry(last.OrderID).Events {
		if done.ID == last.EventID && remembered {
			if remembered = false; done.Kind != last.Kind {
				s.Errorf("I6: %v ended as %s, the ledger says %s", at, last.Kind, done.Kind)
			}
		}
	}
	if remembered {
		s.Errorf("I6: %v ended as %s, the ledger does not have the event; its outcomes:%s", at, last.Kind, told(outcomes))
	}
}

// outcomesOf is what an integration said of an order.
func (s *sim) outcomesOf(in *topology.Integration, order string) []*schemas.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.outcomes), func(o *schemas.Outcome) bool { return o.Integration != in.Name || o.OrderID != order })
}

// told is a line per outcome.
func told(outcomes []*schemas.Outcome) string {
	var b strings.Builder
	for _, o := range outcomes {
		fmt.Fprintf(&b, "\n%s %s %s %s/%s by %s: %s", o.At.Format("15:04:05.000"), o.EventID, o.EventType, o.Kind, o.Reason, o.Instance, o.Detail)
	}
	return b.String()
}

// checkEffects: I2, no key has two effects, and what was delivered has one; I3, the states of an order came in their order.
func (s *sim) checkEffects(in *topology.Integration) {
	w := s.worlds[in.Name]
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, n := range w.done {
		of := effectsOf(w.effects, key)
		released := slices.ContainsFunc(of, func(e effect) bool { return s.has(schemas.Release, in.Name, e.event) })
		if n > 1 && !(asks(in) && released) { // who releases an unknown call takes its repetition upon himself
			s.Errorf("I2: %s: %d effects of key %s: %v; the order's outcomes:%s", in.Name, n, key, of, told(s.outcomesOf(in, of[0].order)))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outcomes {
		if made := o.Kind == schemas.Delivered || o.Kind == schemas.AlreadyDone; made && o.Integration == in.Name && w.done[o.IdempotencyKey] != 1 && !(asks(in) && w.done[o.IdempotencyKey] > 1) {
			s.Errorf("I2: %s: %s is %s, and has %d effects", in.Name, o.EventID, o.Kind, w.done[o.IdempotencyKey])
		}
	}
	if asks(in) && in.Order == "pass" {
		return // what passes a parked call of unknown effect may be overtaken by it: that is what pass says
	}
	newest := map[string]string{}
	for _, e := range w.effects {
		if e.operation != "book" || asks(in) && s.gaveUp(in, e.order) {
			continue // the effect that nobody knew of is the newer one
		}
		if s.leftOut(in, func(o *schemas.Event) bool { return o.Subject == e.order }) {
			continue // it is late by the doing of him who moved the offset past it, and back
		}
		if cmp, ok := schemas.CompareVersions(e.version, newest[e.order]); ok && cmp < 0 {
			s.Errorf("I3: %s: %s of version %s took effect after version %s", in.Name, e.event, e.version, newest[e.order])
		}
		newest[e.order] = e.version
	}
}

func effectsOf(list []effect, key string) []effect {
	return slices.DeleteFunc(slices.Clone(list), func(e effect) bool { return e.key != key })
}

// checkCancelled: an order that was shipped and cancelled has its cancellation in the downstream, or waits for a person.
func (s *sim) checkCancelled(in *topology.Integration, store *ledger.Store) {
	w := s.worlds[in.Name]
	w.mu.Lock()
	defer w.mu.Unlock()
	made := map[string]map[string]bool{"ship": {}, "cancel": {}}
	for _, e := range w.effects {
		if made[e.operation] != nil {
			made[e.operation][e.order] = true
		}
	}
	for _, ev := range s.events {
		if ev.Type != schemas.OrderCancelled || store.Entry(ev.Subject).Settled < 0 || s.gaveUp(in, ev.Subject) || s.leftOut(in, func(o *schemas.Event) bool { return o.ID == ev.ID }) {
			continue
		}
		if made["ship"][ev.Subject] && !made["cancel"][ev.Subject] && len(store.Parked(ev.Subject)) == 0 {
			s.Errorf("%s: order %s was shipped and cancelled, and the downstream was not told", in.Name, ev.Subject)
		}
	}
}

// gaveUp tells whether a person discarded an event of the order: then he knows better what the downstream must be told.
func (s *sim) gaveUp(in *topology.Integration, order string) bool {
	for _, ev := range s.events {
		if ev.Subject == order && s.has(schemas.Discard, in.Name, ev.ID) {
			return true
		}
	}
	return false
}

// replay: I4, all offsets back to the start make no call and no outcome.
func (s *sim) replay(ctx context.Context) {
	s.mu.Lock()
	outcomes := len(s.outcomes)
	s.mu.Unlock()
	calls := map[string]int{}
	for i := range s.topo.Integrations {
		in := &s.topo.Integrations[i]
		calls[in.Name] = s.worlds[in.Name].calls
		s.rewind(ctx, in)
		s.start(in)
	}
	s.until(ctx, "replay", func() error {
		if behind := s.behind(ctx); behind != "" || !s.caughtUp(ctx) {
			return fmt.Errorf("behind: %s", behind)
		}
		return nil
	})
	s.stopAll()
	for _, in := range s.topo.Integrations {
		if n := s.worlds[in.Name].calls - calls[in.Name]; n != 0 {
			s.Errorf("I4: %s: a replay made %d calls", in.Name, n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.outcomes) - outcomes; n != 0 {
		s.Errorf("I4: a replay made %d outcomes", n)
	}
}

// rewind sets a group without processes back to the start.
func (s *sim) rewind(ctx context.Context, in *topology.Integration) {
	var back kadm.Offsets
	for p := range s.topo.Partitions {
		back.AddOffset("orders", p, 0, -1)
	}
	s.until(ctx, "reset offsets of "+in.Name, func() error {
		if err := s.adm.CommitAllOffsets(ctx, s.topo.Group(in.Name), back); err != nil {
			s.evict(ctx)
			return err
		}
		return nil
	})
}

// until asks every second, for ten minutes.
func (s *sim) until(ctx context.Context, what string, ask func() error) {
	s.Helper()
	var err error
	for range 600 {
		if err = ask(); err == nil {
			return
		}
		pause(ctx, time.Second)
	}
	s.Errorf("%s: %v", what, err)
}

// asks tells whether a call of unknown effect may have to wait for a person, who then takes its repetition upon himself.
func asks(in *topology.Integration) bool {
	return in.Idempotency.None || in.Idempotency.Remembers > 0 && in.Idempotency.Remembers.D() < simFaults
}
