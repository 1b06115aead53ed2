package sealing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Ring is every key that exists, as the topic keys tells. It makes the roots that it seals with. Safe for concurrent use.
type Ring struct {
	c      Config
	keys   *keys
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	making sync.Mutex // of roots

	mu    sync.Mutex
	next  int64         // offset after the last record taken in
	moved chan struct{} // closed when next grows
}

// Config says where the keys are.
type Config struct {
	Options []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Topic   string    // prefix included; of one partition, compacted
	Serde   *schemas.Serde
	Seals   bool             // a root is made at once where there is none, so that the first event need not wait for it
	Now     func() time.Time // our clock. Default time.Now
	Logger  *slog.Logger     // default: nowhere
}

const (
	renewAfter = 365 * 24 * time.Hour // of a root: one that leaked opens no more than that
	makeLimit  = 10 * time.Second     // for the cluster to take a new root
)

var _ schemas.Sealer = (*Ring)(nil)

// Open reads all keys and then follows the topic. Close it.
func Open(ctx context.Context, c Config) (*Ring, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, c.Options...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset may be a transaction's marker
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("keys of personal data: %w", err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &Ring{c: c, keys: newKeys(), client: cl, cancel: cancel, done: make(chan struct{}), moved: make(chan struct{})}
	go r.follow(life)
	err = r.Learn(ctx)
	if err == nil && c.Seals {
		err = r.root()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close stops following.
func (r *Ring) Close() {
	r.cancel()
	<-r.done
	r.client.Close()
}

// follow takes in what is written to the topic until ctx ends.
func (r *Ring) follow(ctx context.Context) {
	defer close(r.done)
	for {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) { r.c.Logger.Warn("keys of personal data are not read", "err", err) })
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			for !r.take(ctx, rec) { // the registry is away
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Second):
				}
			}
			r.mu.Lock()
			r.next = rec.Offset + 1
			close(r.moved)
			r.moved = make(chan struct{})
			r.mu.Unlock()
		}
	}
}

// take takes a record in; false when it is to be offered again.
func (r *Ring) take(ctx context.Context, rec *kgo.Record) bool {
	if rec.Attrs.IsControl() || string(rec.Key) == rollKey {
		return true
	}
	root, part, err := partOf(string(rec.Key))
	if err != nil {
		r.c.Logger.Error("a record of the keys of personal data is not ours", "offset", rec.Offset, "err", err)
		return true
	}
	if rec.Value == nil {
		r.keys.put(root, part, time.Time{}, nil)
		return true
	}
	k, err := r.c.Serde.DecodeSealingKey(ctx, rec.Value)
	if err != nil && !errors.Is(err, schemas.ErrPoison) {
		r.c.Logger.Warn("keys of personal data wait for the schema registry", "err", err)
		return false
	}
	if err != nil {
		r.c.Logger.Error("a record of the keys of personal data does not decode", "offset", rec.Offset, "err", err)
		return true
	}
	nodes := map[node]seed{}
	for _, n := range k.Nodes {
		nodes[node{uint8(n.Depth), uint64(n.Path)}] = seed(n.Seed[:min(len(n.Seed), len(seed{}))])
	}
	r.keys.put(root, part, k.CreatedAt, nodes)
	return true
}

// partOf is what a record's key names: "root" or "root/part".
func partOf(key string) (root uuid.UUID, part int, err error) {
	name, number, sharded := strings.Cut(key, "/")
	if part = wholeRoot; sharded {
		if part, err = strconv.Atoi(number); err != nil {
			return root, 0, err
		}
	}
	root, err = uuid.Parse(name)
	return root, part, err
}

func keyOf(root uuid.UUID, part int) string {
	if part == wholeRoot {
		return root.String()
	}
	return root.String() + "/" + strconv.Itoa(part)
}

// Learn waits until everything that is in the topic now is at hand, or ctx ends.
func (r *Ring) Learn(ctx context.Context) error {
	var end int64
	err := topology.WhileElecting(ctx, func() (err error) {
		end, err = r.end(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("keys of personal data, topic %s: %w (seam plan shows what the cluster lacks)", r.c.Topic, err)
	}
	for {
		r.mu.Lock()
		next, moved := r.next, r.moved
		r.mu.Unlock()
		if next >= end {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("keys of personal data, topic %s: offset %d of %d is read: %w", r.c.Topic, next, end, ctx.Err())
		case <-moved:
		}
	}
}

// end is the high watermark of the topic.
func (r *Ring) end(ctx context.Context) (int64, error) {
	ends, err := kadm.NewClient(r.client).ListEndOffsets(ctx, r.c.Topic)
	if err == nil {
		err = ends.Error()
	}
	end, ok := ends.Lookup(r.c.Topic, 0)
	if err == nil && !ok {
		err = errors.New("the topic has no partition 0")
	}
	return end.Offset, err
}

// Seal makes b unreadable without the subject's key. ErrErased as schemas.Sealer says; any other error means that there is
// no root and none can be made now.
func (r *Ring) Seal(subject string, id schemas.EventID, b []byte) ([]byte, error) {
	if err := r.root(); err != nil {
		return nil, err
	}
	return r.keys.seal(subject, id, b)
}

// Erased tells whether the subject's key was destroyed. Every root that there was loses it at once.
func (r *Ring) Erased(subject string) bool {
	r.keys.mu.RLock()
	t, ok := r.keys.trees[r.keys.current]
	r.keys.mu.RUnlock()
	if _, whole := t[wholeRoot][node{}]; !ok || whole { // nothing was ever erased: workers ask at every call
		return false
	}
	_, _, there := t.find(leaf(subject))
	return !there
}

// Open undoes Seal.
func (r *Ring) Open(subject string, id schemas.EventID, sealed []byte) ([]byte, error) {
	return r.keys.open(subject, id, sealed)
}

// root makes a root where there is none, or none that is young enough. Two processes may make one each: both are good.
func (r *Ring) root() error {
	if r.young() {
		return nil
	}
	r.making.Lock()
	defer r.making.Unlock()
	if r.young() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), makeLimit)
	defer cancel()
	err := r.renew(ctx)
	if err != nil && !r.exists() {
		return fmt.Errorf("make a root of the keys of personal data: %w", err)
	}
	if err != nil {
		r.c.Logger.Warn("the root of the keys of personal data is not renewed as it should be", "err", err)
	}
	return nil
}

// renew makes a root and waits for it. What is erased is so under it too: whose data was to be forgotten is not to be kept again.
func (r *Ring) renew(ctx context.Context) error {
	var s seed
	_, _ = rand.Read(s[:]) // crypto/rand.Read never fails
	t := tree{wholeRoot: {{}: s}}
	for _, l := range r.erased() {
		t, _ = t.puncture(l)
	}
	root, born := uuid.New(), r.c.Now().UTC()
	var records []*kgo.Record
	for _, part := range slices.Backward(slices.Sorted(maps.Keys(t))) { // wholeRoot last: from it on the root is used
		rec, err := r.record(ctx, root, part, born, t[part])
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	if err := r.produce(ctx, records...); err != nil {
		return err
	}
	if err := r.Learn(ctx); err != nil { // what follow took in counts, never what was sent: it may be erased of since
		return err
	}
	late := r.erased() // also meanwhile, and under roots of processes that did not know
	if changed, _ := r.punctured(late); len(changed) == 0 {
		return nil
	}
	_, err := r.destroy(ctx, late)
	return err
}

// produce writes records that are no part of an erasure, in their order.
func (r *Ring) produce(ctx context.Context, records ...*kgo.Record) error {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, r.c.Options...), kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func (r *Ring) young() bool {
	r.keys.mu.RLock()
	defer r.keys.mu.RUnlock()
	born, ok := r.keys.born[r.keys.current]
	return ok && r.c.Now().Sub(born) < renewAfter
}

func (r *Ring) exists() bool {
	r.keys.mu.RLock()
	defer r.keys.mu.RUnlock()
	return len(r.keys.born) > 0
}

// record is a part of a root as the topic holds it.
func (r *Ring) record(ctx context.Context, root uuid.UUID, part int, born time.Time, nodes map[node]seed) (*kgo.Record, error) {
	k := &schemas.SealingKey{Root: root.String(), Part: int32(part), CreatedAt: born, Nodes: []schemas.KeyNode{}}
	for n, s := range nodes {
		k.Nodes = append(k.Nodes, schemas.KeyNode{Depth: int32(n.depth), Path: int64(n.path), Seed: s[:]})
	}
	value, err := r.c.Serde.EncodeSealingKey(ctx, r.c.Topic+"-value", k)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: r.c.Topic, Partition: 0, Key: []byte(keyOf(root, part)), Value: value}, nil
}
