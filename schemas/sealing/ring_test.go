package sealing

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

func TestOpenTakesOnlyWhatWasSealed(t *testing.T) {
	t.Parallel()
	k := newKeys()
	root := uuid.New()
	k.put(root, wholeRoot, time.Unix(1, 0), map[node]seed{{}: {3}})
	for _, text := range []string{"", "ada@example.org", strings.Repeat("a long text that packs well, ", 50)} {
		sealed, err := k.seal("orders/1", "e1", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 0 && bytes.Contains(sealed, []byte(text[:min(len(text), 8)])) {
			t.Errorf("%q stands in the open", text)
		}
		if len(text) > 1000 && len(sealed) > len(text)/2 {
			t.Errorf("%d bytes for a text of %d", len(sealed), len(text))
		}
		if got, err := k.open("orders/1", "e1", sealed); err != nil || string(got) != text {
			t.Errorf("opened %q, %v", got, err)
		}
		if _, err := k.open("orders/2", "e1", sealed); !errors.Is(err, schemas.ErrPoison) {
			t.Errorf("another subject's key: %v", err)
		}
		if _, err := k.open("orders/1", "e2", sealed); !errors.Is(err, schemas.ErrPoison) {
			t.Errorf("in another event: %v", err)
		}
		for i := range sealed {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			want := schemas.ErrPoison
			if i < 16 {
				want = schemas.ErrNoKey
			}
			if _, err := k.open("orders/1", "e1", bad); !errors.Is(err, want) {
				t.Fatalf("byte %d changed: %v, want %v", i, err, want)
			}
			if _, err := k.open("orders/1", "e1", sealed[:i]); err == nil {
				t.Fatalf("the first %d bytes open", i)
			}
		}
	}
}

// rings are the keys of a topic, as several processes have them.
type rings struct {
	*testing.T
	kafka *topologytest.Kafka
	topic string
	now   time.Time
}

func newRings(t *testing.T) *rings {
	k := topologytest.Cluster(t)
	return &rings{t, k, k.Topic(t, "keys", 1, map[string]string{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}), time.Now()}
}

func (b *rings) open() *Ring {
	b.Helper()
	r, err := Open(b.Context(), Config{Options: []kgo.Opt{kgo.SeedBrokers(b.kafka.Brokers...), kgo.MetadataMinAge(100 * time.Millisecond)}, Topic: b.topic,
		Serde: schemas.NewSerde(b.kafka.RegistryClient(b.T)), Now: func() time.Time { return b.now }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	return r
}

func (b *rings) seal(r *Ring, subject string) []byte {
	b.Helper()
	sealed, err := r.Seal(subject, "e", []byte("of "+subject))
	if err != nil {
		b.Fatal(err)
	}
	return sealed
}

// opens tells what a process makes of sealed bytes once it has learned.
func (b *rings) opens(r *Ring, subject string, sealed []byte) error {
	b.Helper()
	if err := r.Learn(b.Context()); err != nil {
		b.Fatal(err)
	}
	got, err := r.Open(subject, "e", sealed)
	if err == nil && string(got) != "of "+subject {
		b.Fatalf("opened %q", got)
	}
	return err
}

// TestErase: what one process sealed another opens, until a third erases it: then nobody does, also who reads the topic anew,
// and when the cleaner has passed the brokers have nothing left that would.
func TestErase(t *testing.T) {
	t.Parallel()
	b := newRings(t)
	edge, other, worker := b.open(), b.open(), b.open()
	var all []*Ring
	all = append(all, edge, other, worker)
	var eg errgroup.Group
	eg.Go(func() error { _, err := edge.Seal("orders/9", "e", nil); return err }) // both may make a root
	eg.Go(func() error { _, err := other.Seal("orders/9", "e", nil); return err })
	if err := eg.Wait(); err != nil {
		t.Fatal(err)
	}
	one, two, theirs := b.seal(edge, "orders/1"), b.seal(edge, "orders/2"), b.seal(other, "orders/1")
	b.now = b.now.Add(renewAfter)
	renewed := b.seal(edge, "orders/1")
	if bytes.Equal(one[:16], renewed[:16]) {
		t.Error("after a year the root is the old one")
	}
	for _, r := range all {
		for _, sealed := range [][]byte{one, theirs, renewed} {
			if err := b.opens(r, "orders/1", sealed); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := worker.Erase(t.Context(), "orders/1", "customers/7"); err != nil || n != 2 {
		t.Fatalf("erased %d, %v", n, err)
	}
	if n, err := edge.Erase(t.Context(), "orders/1"); err != nil || n != 0 {
		t.Errorf("erased again: %d, %v", n, err)
	}
	for _, r := range append(all, b.open()) {
		for _, sealed := range [][]byte{one, theirs, renewed} {
			if err := b.opens(r, "orders/1", sealed); !errors.Is(err, schemas.ErrErased) {
				t.Errorf("after the erasure: %v", err)
			}
		}
		if err := b.opens(r, "orders/2", two); err != nil {
			t.Errorf("another's data: %v", err)
		}
		if _, err := r.Seal("orders/1", "e2", nil); !errors.Is(err, schemas.ErrErased) {
			t.Errorf("sealed again for the erased: %v", err)
		}
	}

	if done, err := worker.Compacted(t.Context()); err != nil || done {
		t.Errorf("before the cleaner: %v, %v", done, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for tick := time.NewTicker(500 * time.Millisecond); ; {
		if err := worker.Roll(ctx); err != nil {
			t.Fatal(err)
		}
		if b.kafka.Fake != nil {
			b.kafka.Fake.Compact()
		}
		if done, err := worker.Compacted(ctx); err != nil {
			t.Fatal(err)
		} else if done {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the log cleaner left what the erasure superseded")
		}
	}
	late := b.open()
	if err := b.opens(late, "orders/2", two); err != nil {
		t.Errorf("after the cleaner: %v", err)
	}
	if err := b.opens(late, "orders/1", one); !errors.Is(err, schemas.ErrErased) {
		t.Errorf("after the cleaner: %v", err)
	}
}

// TestErasedStaysErased: a new root has no keys for whom the old ones have none, also where another process made it and did not
// know.
func TestErasedStaysErased(t *testing.T) {
	t.Parallel()
	b := newRings(t)
	edge := b.open()
	b.seal(edge, "orders/1")
	subjects := []string{"orders/1", "orders/3", "orders/4"}
	if n, err := edge.Erase(t.Context(), subjects...); err != nil || n != len(subjects) {
		t.Fatalf("erased %d, %v", n, err)
	}
	b.now = b.now.Add(renewAfter)
	holds := func(r *Ring) {
		t.Helper()
		for _, subject := range subjects {
			if _, err := r.Seal(subject, "e", nil); !errors.Is(err, schemas.ErrErased) || !r.Erased(subject) {
				t.Errorf("%s under a new root: %v", subject, err)
			}
		}
		if err := b.opens(r, "orders/2", b.seal(r, "orders/2")); err != nil {
			t.Errorf("another's data: %v", err)
		}
	}
	two := b.seal(edge, "orders/2")
	holds(edge)
	late := b.open()
	holds(late)
	if err := b.opens(late, "orders/2", two); err != nil {
		t.Errorf("another's data, read anew: %v", err)
	}

	forgetful, err := edge.record(t.Context(), uuid.New(), wholeRoot, b.now.Add(time.Second), map[node]seed{{}: {5}})
	if err == nil {
		err = edge.produce(t.Context(), forgetful)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := edge.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := b.seal(edge, "orders/1")
	b.now = b.now.Add(renewAfter + time.Second)
	holds(edge)
	if err := b.opens(late, "orders/1", kept); !errors.Is(err, schemas.ErrErased) {
		t.Errorf("what a root that did not know has kept: %v", err)
	}
}

// TestTwoErase: of two that erase at once neither undoes the other's.
func TestTwoErase(t *testing.T) {
	t.Parallel()
	b := newRings(t)
	edge := b.open()
	sealed := map[string][]byte{}
	for _, subject := range []string{"orders/1", "orders/2", "orders/3"} {
		sealed[subject] = b.seal(edge, subject)
	}
	var eg errgroup.Group
	for _, subject := range []string{"orders/1", "orders/2"} {
		r := b.open()
		eg.Go(func() error {
			for {
				if _, err := r.Erase(t.Context(), subject); err == nil || t.Context().Err() != nil {
					return t.Context().Err()
				}
			}
		})
	}
	if err := eg.Wait(); err != nil {
		t.Fatal(err)
	}
	late := b.open()
	for subject, s := range sealed {
		if err := b.opens(late, subject, s); errors.Is(err, schemas.ErrErased) == (subject == "orders/3") {
			t.Errorf("%s: %v", subject, err)
		}
	}
}
