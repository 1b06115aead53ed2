package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// grouped waits until something is so of the integrations' groups, asked ten times a second.
func (r *rounds) grouped(ctx context.Context, what string, so func(kadm.DescribedGroup) bool) error {
	var names []string
	for _, in := range r.topo.Integrations {
		names = append(names, r.topo.Group(in.Name))
	}
	for {
		groups, err := r.adm.DescribeGroups(ctx, names...)
		if err == nil && len(groups) == len(names) && !slices.ContainsFunc(groups.Sorted(), func(g kadm.DescribedGroup) bool { return g.Err != nil || !so(g) }) {
			return nil
		}
		if r.tally.within(ctx, 100*time.Millisecond, func() bool { return false }); ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
	}
}

// shared waits until both processes have partitions of every integration: then there is something to take over, and it is
// known by whom.
func (r *rounds) shared(ctx context.Context) error {
	return r.grouped(ctx, "the groups are not shared", func(g kadm.DescribedGroup) bool {
		return g.State == "Stable" && len(partitionsOf(g, "a")) > 0 && len(partitionsOf(g, "b")) > 0
	})
}

// gone waits until a process is a member of no group: its session is over.
func (r *rounds) gone(ctx context.Context, p *proc) error {
	return r.grouped(ctx, p.name+" is still a member", func(g kadm.DescribedGroup) bool { return len(partitionsOf(g, p.name)) == 0 })
}

// partitionsOf lists the partitions that a member with a name of its own is assigned.
func partitionsOf(g kadm.DescribedGroup, name string) []int32 {
	var out []int32
	for _, m := range g.Members {
		if c, ok := m.Assigned.AsConsumer(); ok && m.InstanceID != nil && *m.InstanceID == name {
			for _, t := range c.Topics {
				out = append(out, t.Partitions...)
			}
		}
	}
	return out
}
