package reconcile_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// sqliteFile is where a test's view may be.
func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "a view?.db") }

// databases is an address of a fresh database of each kind. PostgreSQL is that of SEAM_POSTGRES, in a schema of the test's
// own; without it the test is of SQLite alone.
func databases(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); test(t, sqliteFile(t)) })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, postgres(t))
	})
}

func postgres(t *testing.T) string {
	t.Helper()
	address := os.Getenv("SEAM_POSTGRES")
	if address == "" {
		t.Skip("SEAM_POSTGRES names no PostgreSQL")
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	schema := "t" + strings.ToLower(rand.Text()[:12])
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func openView(t testing.TB, database string, topo *topology.Topology, now time.Time) *reconcile.View {
	t.Helper()
	v, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: database, Topology: topo, Instance: "test", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func summary(t *testing.T, v *reconcile.View) reconcile.Summary {
	t.Helper()
	s, err := v.Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func answer(t *testing.T, v *reconcile.View, key string) *reconcile.Order {
	t.Helper()
	o, err := v.Order(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func rows(t *testing.T, v *reconcile.View) []string {
	t.Helper()
	out, err := v.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// story is records of many orders: events that come twice, outcomes of all kinds, words of several systems.
func (b *bench) story(orders, each int) []*kgo.Record {
	b.Helper()
	r := mrand.New(mrand.NewPCG(1, 2)) //nolint:gosec // a story that is always the same
	var out []*kgo.Record
	kinds := []schemas.Kind{schemas.Delivered, schemas.Parked, schemas.Withheld, schemas.Duplicate, schemas.AlreadyDone}
	for i := range orders * each {
		key := fmt.Sprintf("10%02d", r.IntN(orders))
		id := fmt.Sprintf("e%d", i)
		ev := order(b.T, event(id, []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated}[r.IntN(2)], []schemas.System{"shop", "erp"}[r.IntN(2)], r.IntN(1500)),
			fmt.Sprintf("%d.00 EUR", 20+r.IntN(2)), []string{"paid", "pending"}[r.IntN(2)])
		ev.Subject, ev.Order.ID, ev.Order.Email, ev.Order.CustomerID = key, key, fmt.Sprintf("c%d@example.com", r.IntN(5)), fmt.Sprintf("c%d", r.IntN(5))
		rec := b.record(ev, "")
		for range 1 + r.IntN(5)/4 {
			out = append(out, &kgo.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Headers: rec.Headers})
		}
		for _, in := range []string{"books", "warehouse"} {
			if r.IntN(4) == 0 {
				continue // none yet
			}
			o := outcome(in, id, ev.Type, kinds[r.IntN(len(kinds))], "", r.IntN(1600))
			if o.OrderID = key; o.Kind == schemas.Parked {
				o.Reason = []schemas.Reason{schemas.ReasonUnknown, schemas.ReasonContract}[r.IntN(2)]
			}
			out = append(out, b.record(o, ""))
		}
	}
	return out
}

// judged waits until the view is caught up and nothing is to be judged any more.
func (b *bench) judged(v *reconcile.View) {
	b.Helper()
	b.caughtUp(v)
	if _, err := v.Judge(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// TestViewSurvives follows a story in a process that is killed again and again, makes the view anew from the topics, and
// opens it by other rules and back: row by row it is the view of an undisturbed run, in either database.
func TestViewSurvives(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	recs := b.story(40, 20)
	for some := range slices.Chunk(recs, 20) { // small batches, that a fetch takes few of
		if err := b.client.ProduceSync(t.Context(), some...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	undisturbed := b.follow(at(4000))
	b.judged(undisturbed)
	want := rows(t, undisturbed)
	if len(want) < 300 {
		t.Fatalf("the story makes %d rows only", len(want))
	}
	databases(t, func(t *testing.T, database string) {
		b := &bench{T: t, kafka: b.kafka, topo: b.topo, serde: b.serde, client: b.client}
		kills := b.killed(database)
		v := b.followIn(database, at(4000))
		b.judged(v)
		if d := cmp.Diff(want, rows(t, v)); d != "" {
			t.Errorf("after %d kills (-undisturbed +killed):\n%s", kills, d)
		}
		if kills < 5 {
			t.Errorf("it was killed %d times only", kills)
		}
	})
	databases(t, func(t *testing.T, database string) {
		b := &bench{T: t, kafka: b.kafka, topo: b.topo, serde: b.serde, client: b.client}
		v, stop := b.followUntil(database, b.topo)
		b.judged(v)
		stop()
		other := *b.topo
		other.Ownership = nil
		other.Integrations = other.Integrations[:1]
		v, stop = b.followUntil(database, &other)
		b.judged(v)
		if d := cmp.Diff(want, rows(t, v)); d == "" {
			t.Error("other rules judge alike")
		}
		stop()
		v, stop = b.followUntil(database, b.topo)
		b.judged(v)
		// The integration that was away acts since now only: what came before asks nothing of it.
		got := strings.Join(rows(t, v), "\n")
		if strings.Contains(got, `"late"`) && !strings.Contains(strings.Join(want, "\n"), `"late"`) {
			t.Error("what came before an integration did is late in it")
		}
		stop()
	})
}

// followUntil follows by a topology until stop.
func (b *bench) followUntil(database string, topo *topology.Topology) (v *reconcile.View, stop func()) {
	b.Helper()
	v, err := reconcile.OpenView(b.Context(), reconcile.ViewConfig{Database: database, Topology: topo, Instance: "test", Now: func() time.Time { return at(4000) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: b.options(), Serde: b.serde, Topology: topo, View: v})
	}()
	return v, func() {
		cancel()
		if err := errors.Join(<-done, v.Close()); err != nil {
			b.Error(err)
		}
	}
}

// killed follows in processes that are killed with SIGKILL at some moment, until one has come so far that it says so.
func (b *bench) killed(database string) (kills int) {
	b.Helper()
	for ; ; kills++ {
		cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestFollowingProcess$")
		cmd.Env = append(os.Environ(), "SEAM_TEST_VIEW="+database, "SEAM_TEST_PREFIX="+b.topo.Prefix, "SEAM_TEST_BROKERS="+strings.Join(b.kafka.Brokers, ","), "SEAM_TEST_REGISTRY="+b.kafka.Registry)
		out := &signalWriter{after: 1 + kills, done: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				b.Fatalf("the process failed: %v\n%s", err, out.text.String())
			}
			return kills
		case <-out.done:
			_ = cmd.Process.Kill() // it may have ended meanwhile
			if err := <-ended; err == nil {
				return kills
			}
		}
	}
}

// signalWriter closes done after so many lines of progress.
type signalWriter struct {
	after int
	done  chan struct{}
	text  bytes.Buffer
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if n := bytes.Count(p, []byte("taken into the view")); n > 0 && w.after > 0 {
		if w.after -= n; w.after <= 0 {
			close(w.done)
		}
	}
	return len(p), nil
}

// TestFollowingProcess is the process that killed starts: it takes records in, few at a time, and says so after each.
func TestFollowingProcess(t *testing.T) {
	database := os.Getenv("SEAM_TEST_VIEW")
	if database == "" {
		t.Skip("it is started by TestViewSurvives")
	}
	k := &topologytest.Kafka{Brokers: strings.Split(os.Getenv("SEAM_TEST_BROKERS"), ","), Registry: os.Getenv("SEAM_TEST_REGISTRY"), Prefix: os.Getenv("SEAM_TEST_PREFIX")}
	b := &bench{T: t, kafka: k, topo: load(t, k.Prefix), serde: schemas.NewSerde(k.RegistryClient(t))}
	v := openView(t, database, b.topo, at(4000))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: append(b.options(), kgo.FetchMaxBytes(2000), kgo.FetchMaxPartitionBytes(2000)), Serde: b.serde, Topology: b.topo, View: v,
			Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	}()
	b.judged(v)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestViewLayout makes a view of another layout anew, and refuses to read one that is not there.
func TestViewLayout(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		reading := reconcile.ViewConfig{Database: database, Topology: load(t, ""), ReadOnly: true}
		if _, err := reconcile.OpenView(t.Context(), reading); err == nil || !strings.Contains(err.Error(), "seam run writes it") {
			t.Errorf("where no view is: %v", err)
		}
		v := openView(t, database, load(t, ""), noon)
		if err := v.Exec(t.Context(), "UPDATE meta SET value = '0'"); err != nil {
			t.Fatal(err)
		}
		if err := v.Exec(t.Context(), "ALTER TABLE orders RENAME COLUMN verdict TO other"); err != nil {
			t.Fatal(err)
		}
		if _, err := reconcile.OpenView(t.Context(), reading); err == nil || !strings.Contains(err.Error(), "layout 0") {
			t.Errorf("of another layout: %v", err)
		}
		again := openView(t, database, load(t, ""), noon)
		if _, _, err := again.Orders(t.Context(), 1); err != nil {
			t.Errorf("made anew: %v", err)
		}
		if _, err := reconcile.OpenView(t.Context(), reading); err != nil {
			t.Errorf("to read: %v", err)
		}
	})
}

// TestViewsBegin lets processes that begin at one moment share a database that is empty.
func TestViewsBegin(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, database string) {
		var all errgroup.Group
		for range 4 {
			all.Go(func() error {
				v, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: database, Topology: load(t, "")})
				if err != nil {
					return err
				}
				return v.Close()
			})
		}
		if err := all.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestOneWrites lets the second process take over when the first is gone, and not before.
func TestOneWrites(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	databases(t, func(t *testing.T, database string) {
		rec := b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), "")
		first := openView(t, database, b.topo, noon)
		twin := openView(t, database, b.topo, noon) // under the same name, which nobody should do
		second, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: database, Topology: b.topo, Instance: "second"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = second.Close() })
		if err := first.Apply(t.Context(), b.serde, rec); err != nil {
			t.Fatal(err)
		}
		if err := twin.Apply(t.Context(), b.serde, rec); !errors.Is(err, reconcile.ErrFollower) {
			t.Errorf("the same record is taken in twice: %v", err)
		}
		later := *rec
		later.Offset = 1
		if err := second.Apply(t.Context(), b.serde, &later); !errors.Is(err, reconcile.ErrFollower) {
			t.Errorf("the second writes beside the first: %v", err)
		}
		if o := answer(t, second, "1001"); len(o.Events) != 1 || o.Duplicates != 0 {
			t.Errorf("the second does not read what the first wrote: %+v", o)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := second.Position(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := second.Apply(t.Context(), b.serde, &later); err != nil {
			t.Errorf("the second does not take over: %v", err)
		}
		if err := first.Apply(t.Context(), b.serde, &later); !errors.Is(err, reconcile.ErrFollower) {
			t.Errorf("the first writes on: %v", err)
		}
		if o := answer(t, first, "1001"); len(o.Events) != 1 || o.Duplicates != 1 {
			t.Errorf("both read the same: %+v", o)
		}
	})
}
