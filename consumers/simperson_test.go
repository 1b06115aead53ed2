package consumers

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// decided is an event that a person decided about, in one integration.
type decided struct {
	integration string
	event       schemas.EventID
}

// decide writes a person's decision about a parked event.
func (s *sim) decide(ctx context.Context, kind schemas.CommandKind, integration, order string, event schemas.EventID) {
	s.note("%s: %s %s", integration, kind, event)
	s.decisions[decided{integration, event}] = append(s.decisions[decided{integration, event}], kind)
	value, err := s.serde.EncodeCommand(ctx, topology.TopicCommands+"-value", &schemas.Command{ID: fmt.Sprint(len(s.decisions)), Kind: kind, Integration: integration,
		Topic: schemas.TopicOrders, Key: order, EventID: event, Who: "person", Why: "because", At: time.Now().UTC()})
	s.must(err)
	s.must(s.client.ProduceSync(ctx, &kgo.Record{Topic: topology.TopicCommands, Key: []byte(order), Value: value}).FirstErr())
}

// has tells whether a person decided so about an event at any time.
func (s *sim) has(kind schemas.CommandKind, integration string, event schemas.EventID) bool {
	for _, k := range s.decisions[decided{integration, event}] {
		if k == kind {
			return true
		}
	}
	return false
}

// decideOne decides about an event that was parked at some time, whether it still is or not.
func (s *sim) decideOne(ctx context.Context) {
	s.mu.Lock()
	var parked []*schemas.Outcome
	for _, o := range s.outcomes {
		if o.Kind == schemas.Parked {
			parked = append(parked, o)
		}
	}
	s.mu.Unlock()
	if len(parked) == 0 {
		return
	}
	o := parked[s.rng.IntN(len(parked))]
	s.decide(ctx, s.either(), o.Integration, o.OrderID, o.EventID)
}

func (s *sim) either() schemas.CommandKind {
	return []schemas.CommandKind{schemas.Release, schemas.Discard}[s.rng.IntN(2)]
}

// decideAll decides about everything that waits until nothing does: what is released may be parked again, once.
func (s *sim) decideAll(ctx context.Context) {
	for round := range 4 {
		waiting := 0
		for i := range s.topo.Integrations {
			in := &s.topo.Integrations[i]
			for p := range s.topo.Partitions {
				store := s.restore(ctx, in, p)
				for _, key := range store.ParkedKeys() {
					for _, w := range store.Parked(key) {
						kind := s.either()
						if round > 1 {
							kind = schemas.Discard
						}
						s.decide(ctx, kind, in.Name, key, w.EventID)
						waiting++
					}
				}
			}
		}
		if waiting == 0 {
			return
		}
		pause(ctx, 10*time.Second) // virtual: all is well, so each is handled long before
		s.settle(ctx)
	}
	s.Error("I8: something is parked after a person has decided about everything")
}
