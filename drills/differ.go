package drills

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// folds gives the reconciler's answer for every key of the event topics, from what the books hold.
func (b *books) folds(ctx context.Context) ([]*reconcile.Fold, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	type key struct{ topic, subject string }
	byKey := map[key]*reconcile.Fold{}
	var out []*reconcile.Fold
	for at, value := range b.values {
		ev := b.decoded[at]
		if ev == nil {
			var err error
			if ev, err = b.serde.DecodeEvent(ctx, value); err != nil {
				return nil, fmt.Errorf("%s/%d/%d: %w", at.topic, at.partition, at.offset, err)
			}
			b.decoded[at] = ev
		}
		k := key{ev.Type.Topic(), ev.Subject}
		if byKey[k] == nil {
			byKey[k] = reconcile.NewFold(b.topo, k.topic, k.subject)
			out = append(out, byKey[k])
		}
		byKey[k].Event(ev, reconcile.Position{Partition: at.partition, Offset: at.offset})
	}
	return out, nil
}

// open counts the disagreements that last; the record that cannot be decoded is disagreements' to name.
func (b *books) open(ctx context.Context) int {
	folds, err := b.folds(ctx)
	n := 0
	for _, f := range folds {
		for _, d := range f.Disagreements(time.Now()) {
			if d.Closed == nil {
				n++
			}
		}
	}
	if err != nil {
		return 0
	}
	return n
}

// disagreements sums up what systems said that its owner did not, by field and system, as the topology's ownership defines it.
func (b *books) disagreements(ctx context.Context, scale float64) ([]DisagreementReport, error) {
	folds, err := b.folds(ctx)
	if err != nil {
		return nil, err
	}
	type pair struct {
		field         schemas.Field
		owner, system schemas.System
	}
	sums := map[pair]*DisagreementReport{}
	for _, f := range folds {
		for _, d := range f.Disagreements(time.Now()) {
			k := pair{d.Field, d.Owner, d.System}
			if sums[k] == nil {
				sums[k] = &DisagreementReport{Field: d.Field, Owner: d.Owner, System: d.System}
			}
			r := sums[k]
			r.Times++
			if d.Overdue {
				r.Overdue++
			}
			if d.Closed == nil {
				r.Open++
			}
			r.Longest = max(r.Longest, time.Duration(float64(d.Duration())/scale))
		}
	}
	var out []DisagreementReport
	for _, r := range sums {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b DisagreementReport) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.System, b.System))
	})
	return out, nil
}
