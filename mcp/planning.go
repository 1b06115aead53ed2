package mcp

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/binaryandbeyond/seam/schemas"
)

type planIn struct {
	PlanID string `json:"plan_id" jsonschema:"id of a plan that a person has approved"`
}

func writes(destructive bool) *sdk.ToolAnnotations {
	closed := false
	return &sdk.ToolAnnotations{DestructiveHint: &destructive, IdempotentHint: !destructive, OpenWorldHint: &closed}
}

// planning adds the tools that plan, and the one that carries an approved plan out.
func (b Backend) planning(s *sdk.Server, plans *Plans) {
	const then = " Decides nothing: it writes a plan down for a person, who alone can approve it, outside of these tools."
	for kind, what := range map[schemas.CommandKind]string{
		schemas.Release: "Plans to handle parked events again, in order.",
		schemas.Discard: "Plans to end parked events without an effect.",
	} {
		tool(s, "plan_"+string(kind), what+then, writes(false), func(ctx context.Context, in Filter) (any, any, error) {
			return b.plan(ctx, plans, kind, in)
		})
	}
	tool(s, "apply_plan", "Carries out a plan that a person has approved: once, and only while every event of it waits as it did when it was planned.", writes(true),
		func(ctx context.Context, in planIn) (any, any, error) { return b.apply(ctx, plans, in.PlanID) })
}

// summary is what Seam says of a plan.
type summary struct {
	PlanID string              `json:"plan_id"`
	Kind   schemas.CommandKind `json:"kind"`
	Events int                 `json:"events"`
	Orders int                 `json:"orders"`
	Next   string              `json:"next"`
}

func (b Backend) plan(ctx context.Context, plans *Plans, kind schemas.CommandKind, in Filter) (seam, data any, err error) {
	if in == (Filter{}) {
		return nil, nil, errors.New("name what is meant: integration, order, event or reason")
	}
	events, err := b.Parked(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	p, err := newPlan(kind, events)
	if err != nil {
		return nil, nil, err
	}
	if err := plans.put(p); err != nil {
		return nil, nil, err
	}
	return summary{p.ID, kind, len(p.Events), p.Orders(), "nothing is decided: a person looks at it with seam mcp approve " + p.ID}, p.Events, nil
}

// apply carries a plan out. The mark of use comes before the decisions are written: what fails after it is never tried twice.
func (b Backend) apply(ctx context.Context, plans *Plans, id string) (seam, data any, err error) {
	p, err := plans.Plan(id)
	if err != nil {
		return nil, nil, err
	}
	yes, err := plans.approval(p)
	if err != nil {
		return nil, nil, err
	}
	events, err := p.still(ctx, b.Parked)
	if err != nil {
		return nil, nil, err
	}
	if err := plans.use(p, time.Now()); err != nil {
		return nil, nil, err
	}
	if err := b.Decide(ctx, events, p.Kind, yes.Who, fmt.Sprintf("%s (plan %s)", yes.Why, p.ID)); err != nil {
		return nil, nil, fmt.Errorf("plan %s is used up, and not all of it may be done: %w", p.ID, err)
	}
	return summary{p.ID, p.Kind, len(p.Events), p.Orders(), "the workers take it from here"}, p.Events, nil
}
