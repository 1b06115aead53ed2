package mcp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Plan is a decision that nobody has made yet: exactly which parked events would be released or discarded.
type Plan struct {
	ID     string              `json:"id"` // a hash over the rest: another plan has another id
	Kind   schemas.CommandKind `json:"kind"`
	Events []Planned           `json:"events"` // by integration, order and event
}

// Planned is one event of a plan, as it waited when the plan was made.
type Planned struct {
	Integration string            `json:"integration"`
	Topic       string            `json:"topic"` // event topic without prefix
	Order       string            `json:"order"`
	EventID     schemas.EventID   `json:"event_id"`
	EventType   schemas.EventType `json:"event_type"`
	Reason      schemas.Reason    `json:"reason"`
	State       string            `json:"state"` // a hash over all that is known of why it waits
}

// maxPlanned is how many events one plan may decide about: what a person can look through.
const maxPlanned = 200

// newPlan is the plan that decides about some parked events.
func newPlan(kind schemas.CommandKind, events []*schemas.ParkedRecord) (Plan, error) {
	switch n := len(events); {
	case n == 0:
		return Plan{}, errors.New("nothing that is parked fits")
	case n > maxPlanned:
		return Plan{}, fmt.Errorf("%d events fit, and a plan has at most %d: narrow it", n, maxPlanned)
	}
	p := Plan{Kind: kind}
	for _, e := range events {
		p.Events = append(p.Events, plannedOf(e))
	}
	slices.SortFunc(p.Events, func(a, b Planned) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Order, b.Order), cmp.Compare(a.EventID, b.EventID))
	})
	p.ID = p.hash()
	return p, nil
}

func plannedOf(p *schemas.ParkedRecord) Planned {
	var until *time.Time
	if p.Until != nil {
		at := p.Until.UTC()
		until = &at
	}
	state := hashOf(struct {
		Since                        time.Time
		Until                        *time.Time
		Detail, Released, Op, Reason string
		Partition                    int32
		Offset, Command              int64
		Attempts                     int
		Value                        []byte
	}{p.Since.UTC(), until, p.Detail, p.Released, p.Operation, string(p.Reason), p.Partition, p.Offset, p.Command, len(p.Attempts), p.Value})
	return Planned{Integration: p.Integration, Topic: p.Topic, Order: p.Key, EventID: p.EventID, EventType: p.EventType, Reason: p.Reason, State: state}
}

// hash is the id that the plan's content has.
func (p Plan) hash() string {
	p.ID = ""
	return hashOf(p)
}

// hashOf is 32 hex digits of v as JSON.
func hashOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and times
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Orders is how many orders (customers, items) the plan is about.
func (p Plan) Orders() int {
	set := map[[2]string]bool{}
	for _, e := range p.Events {
		set[[2]string{e.Topic, e.Order}] = true
	}
	return len(set)
}

// still gives the parked records of a plan, as long as every one waits exactly as it did when the plan was made; else
// ErrChanged.
func (p Plan) still(ctx context.Context, parked func(context.Context, Filter) ([]*schemas.ParkedRecord, error)) ([]*schemas.ParkedRecord, error) {
	var out []*schemas.ParkedRecord
	now := map[Planned]*schemas.ParkedRecord{}
	read := map[string]bool{}
	for _, e := range p.Events {
		if !read[e.Integration] {
			read[e.Integration] = true
			list, err := parked(ctx, Filter{Integration: e.Integration})
			if err != nil {
				return nil, err
			}
			for _, r := range list {
				now[plannedOf(r)] = r
			}
		}
		r := now[e]
		if r == nil {
			return nil, fmt.Errorf("%w: event %s in %s does not wait any more as it did", ErrChanged, e.EventID, e.Integration)
		}
		out = append(out, r)
	}
	return out, nil
}
