package sealing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/topology"
)

// rollKey is the key of records that have the broker close a segment.
const rollKey = "roll"

// Erase destroys the keys of subjects, in one transaction, and gives of how many there was one. Nothing that was sealed for
// them can be opened from then on, by this process at once and by others as they read on; when the superseded records are
// gone from the disks of the brokers, Compacted tells. Erasing again changes nothing. Of two processes that erase at once one
// fails, and may try again.
func (r *Ring) Erase(ctx context.Context, subjects ...string) (int, error) {
	leaves := make([]node, len(subjects))
	for i, subject := range subjects {
		leaves[i] = leaf(subject)
	}
	n, err := r.destroy(ctx, leaves)
	if err != nil {
		return 0, fmt.Errorf("erase keys of personal data: %w", err)
	}
	return n, nil
}

// destroy destroys the keys of leaves under every root, and gives of how many there was one.
func (r *Ring) destroy(ctx context.Context, leaves []node) (n int, err error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, r.c.Options...), kgo.TransactionalID(r.c.Topic+".eraser"), kgo.TransactionTimeout(30*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil { // from here on whoever had the id before writes no more
		return 0, err
	}
	if err := r.Learn(ctx); err != nil {
		return 0, err
	}
	changed, n := r.punctured(leaves)
	if len(changed) == 0 {
		return 0, nil
	}
	if err := cl.BeginTransaction(); err != nil {
		return 0, err
	}
	var records []*kgo.Record
	for root, c := range changed {
		for part := range c.parts {
			rec, encodeErr := r.record(ctx, root, part, c.born, c.tree[part])
			records, err = append(records, rec), errors.Join(err, encodeErr)
		}
	}
	if err == nil {
		err = cl.ProduceSync(ctx, records...).FirstErr()
	}
	if err = errors.Join(err, cl.EndTransaction(context.WithoutCancel(ctx), kgo.TransactionEndTry(err == nil))); err != nil {
		return 0, err
	}
	return n, r.Learn(ctx)
}

// change is a root that something was erased of.
type change struct {
	tree  tree
	born  time.Time
	parts map[int]bool // that changed
}

// erased lists the leaves that are erased under any root.
func (r *Ring) erased() []node {
	r.keys.mu.RLock()
	defer r.keys.mu.RUnlock()
	all := map[node]bool{}
	for _, t := range r.keys.trees {
		for _, l := range t.erased() {
			all[l] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// punctured is what the roots become without leaves, and of how many of them there was a key.
func (r *Ring) punctured(leaves []node) (map[uuid.UUID]*change, int) {
	r.keys.mu.RLock()
	defer r.keys.mu.RUnlock()
	out, known := map[uuid.UUID]*change{}, map[node]bool{}
	for root, t := range r.keys.trees {
		c := &change{t, r.keys.born[root], map[int]bool{}}
		for _, l := range leaves {
			var parts []int
			c.tree, parts = c.tree.puncture(l)
			for _, p := range parts {
				c.parts[p], known[l] = true, true
			}
		}
		if len(c.parts) > 0 {
			out[root] = c
		}
	}
	return out, len(known)
}

// Roll has the broker close the segment it writes to, once that is old enough: its log cleaner never looks at the last one.
func (r *Ring) Roll(ctx context.Context) error {
	return r.produce(ctx, &kgo.Record{Topic: r.c.Topic, Key: []byte(rollKey), Value: nil})
}

// Compacted tells whether nothing that an erasure superseded is left in the topic. It reads all of it.
func (r *Ring) Compacted(ctx context.Context) (bool, error) {
	seen := map[string]int{}
	err := topology.ReadTopic(ctx, r.c.Options, r.c.Topic, func(rec *kgo.Record) error {
		if string(rec.Key) != rollKey {
			seen[string(rec.Key)]++
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("keys of personal data: %w", err)
	}
	for n := range maps.Values(seen) {
		if n > 1 {
			return false, nil
		}
	}
	return true, nil
}
