package reconcile

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// View is every key of the topics, folded, in a database: SQLite or PostgreSQL. The offsets of what was taken in change in
// the transaction that takes it in, so every record counts once whenever the process dies; all of it follows from the topics
// and can be made anew from them. Follow keeps it current. One process at a time writes; others that have the same database
// only read, until the writer is gone for leaderLease. Safe for concurrent use.
type View struct {
	topo     *topology.Topology
	rules    string         // fingerprint of what answers depend on beside the facts
	zone     *time.Location // of business days
	acts     acting
	now      func() time.Time
	log      *slog.Logger
	db       *database
	instance string
	remove   func() error // of a database that goes with the view
	metrics  *metrics

	writer sync.Mutex // held while a transaction is made
	hot    map[subject]*entry
	warm   map[subject]*entry // was hot before
	heat   int                // of all that is hot; see maxHot
	erased map[subject]bool   // whose personal data is erased

	mu     sync.RWMutex
	next   map[place]int64 // per partition: the offset after the last record taken in
	starts map[place]int64 // per partition: what lies before can be read no more
	ends   map[place]int64 // per partition: its end as of fresh.CheckedAt; nil until that is known
	fresh  Freshness
	moved  chan struct{} // closed when next grows
	// topicIDs are Kafka's ids of the topics that are read; leader tells whether this process writes.
	topicIDs map[string]string
	leader   bool

	asks chan ask // of CaughtUp to Follow
}

// entry is a fold with the rows that were written of it.
type entry struct {
	fold *Fold
	rows map[string]record
	done map[stepKey]bool // steps that have come true
	heat int              // what it counts in View.heat
}

// ViewConfig says where a view is kept.
type ViewConfig struct {
	// Database is the file of an SQLite database, or postgres://user:password@host:port/database. Default a temporary file
	// that goes with the view.
	Database string
	Topology *topology.Topology
	// ReadOnly opens a view that another process writes, as it is. It fails where there is none of this layout.
	ReadOnly bool
	// Instance names the process among those that share a database: with a name it writes again at once when it comes back.
	// Default random.
	Instance string
	// Registerer takes the metrics; nil keeps them unregistered.
	Registerer prometheus.Registerer
	Now        func() time.Time // our clock. Default time.Now
	Logger     *slog.Logger     // default: nowhere
}

// subject is a key of an event topic without prefix.
type subject struct{ topic, key string }

// place is a partition of a topic, prefix included.
type place struct {
	topic     string
	partition int32
}

// ask wants to know the ends of all topics.
type ask struct {
	reply chan map[place]int64
}

// Summary counts everything the view has taken in.
type Summary struct {
	Orders      int                             `json:"orders"` // keys of the orders topic
	Customers   int                             `json:"customers"`
	Items       int                             `json:"items"`
	Events      int                             `json:"events"`     // distinct
	Duplicates  int                             `json:"duplicates"` // records that repeated an event under its id
	Undecodable int                             `json:"undecodable"`
	Outcomes    map[string]map[schemas.Kind]int `json:"outcomes"` // by integration, every outcome written
	Parked      map[schemas.Reason]int          `json:"parked"`   // events that are parked now, by reason, over all integrations
	Freshness   Freshness                       `json:"freshness"`
}

// OpenView opens or makes the database of a view. One of another layout is emptied; Follow fills it again from the topics.
func OpenView(ctx context.Context, c ViewConfig) (*View, error) {
	v := &View{topo: c.Topology, acts: newActing(c.Topology), now: c.Now, log: c.Logger, instance: cmp.Or(c.Instance, rand.Text()), hot: map[subject]*entry{}, next: map[place]int64{},
		moved: make(chan struct{}), asks: make(chan ask), fresh: Freshness{BehindRecords: -1}, remove: func() error { return nil }}
	if v.now == nil {
		v.now = time.Now
	}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	if err := v.measured(c.Registerer); err != nil {
		return nil, err
	}
	v.rules, v.zone = fingerprint(c.Topology), c.Topology.Money.Location()
	if c.Database == "" {
		dir, err := os.MkdirTemp("", "seam-view-")
		if err != nil {
			return nil, fmt.Errorf("view: %w", err)
		}
		c.Database, v.remove = filepath.Join(dir, "view.db"), func() error { return os.RemoveAll(dir) }
	}
	var err error
	if v.db, err = openDatabase(ctx, c.Database, c.ReadOnly); err != nil {
		return nil, errors.Join(err, v.remove())
	}
	if c.ReadOnly {
		err = v.readOnly(ctx)
	} else {
		err = v.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("view %s: %w", shownAddress(c.Database), err), v.Close())
	}
	return v, nil
}

// Close closes the database.
func (v *View) Close() error { return errors.Join(v.db.Close(), v.remove()) }

// prepare brings an empty database to what a view begins with, and reads how far another is.
func (v *View) prepare(ctx context.Context) error {
	empty := v.db.layout(ctx) == ""
	if err := v.subscriptions(ctx, empty); err != nil {
		return err
	}
	if empty {
		if err := v.Reset(ctx); !errors.Is(err, errFollower) { // else another process began at the same moment
			return errors.Join(err, v.knowErased(ctx))
		}
	}
	return errors.Join(v.knowErased(ctx), v.position(ctx))
}

// readOnly reads how far a view of this layout is.
func (v *View) readOnly(ctx context.Context) error {
	switch have := v.db.layout(ctx); have {
	case "":
		return errors.New("no view is there: seam run writes it (--only reconcile is enough)")
	case layout:
	default:
		return fmt.Errorf("the view has layout %s and this version reads %s: a seam run of this version makes it anew", have, layout)
	}
	return v.position(ctx)
}

// subscriptions keeps since when each integration acts on each type: what came before a change of the topology asks nothing
// of it. In an empty view all do for ever.
func (v *View) subscriptions(ctx context.Context, empty bool) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	have := map[[2]string]time.Time{}
	rows, err := tx.QueryContext(ctx, "SELECT integration, event_type, since FROM subscriptions")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k [2]string
		var since moment
		if err := rows.Scan(&k[0], &k[1], &since); err != nil {
			return err
		}
		have[k] = since.Time
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var came, gone [][]any
	for in, types := range v.acts {
		for et := range types {
			k := [2]string{in, string(et)}
			since, known := have[k]
			if delete(have, k); !known && !empty && et != "" {
				since = v.now().UTC()
			}
			if types[et] = since; !known {
				came = append(came, []any{k[0], k[1], nullTime(since)})
			}
		}
	}
	for k := range have {
		gone = append(gone, []any{k[0], k[1]})
	}
	if err := errors.Join(v.db.upsert(ctx, tx, subscriptionsTable, "", came), v.db.remove(ctx, tx, subscriptionsTable, gone)); err != nil {
		return err
	}
	return tx.Commit()
}

// nullTime is a time, or nil for the zero one.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Reset empties the view: Follow then reads the topics from their start. It fails while another process writes the view.
func (v *View) Reset(ctx context.Context) error {
	v.writer.Lock()
	defer v.writer.Unlock()
	_, err := v.db.ExecContext(ctx, v.db.bind("INSERT INTO reconciler (id, instance, until) VALUES (1, '', ?) ON CONFLICT (id) DO NOTHING"), v.db.arg(time.Unix(0, 0)))
	if err == nil {
		err = v.transact(ctx, func(tx *sql.Tx) error { return v.empty(ctx, tx) })
	}
	if err != nil {
		return err
	}
	v.forget()
	return v.position(ctx)
}

// empty deletes all that follows from the topics.
func (v *View) empty(ctx context.Context, tx *sql.Tx) error {
	for _, t := range tables {
		if t == leaderTable || t == subscriptionsTable || t == toldTable || t == erasuresTable {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.name); err != nil {
			return fmt.Errorf("empty %s: %w", t.name, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE reconciler SET caught_up_at = NULL"); err != nil {
		return err
	}
	return v.db.upsert(ctx, tx, metaTable, "", [][]any{{"layout", layout}})
}

// forget drops what is remembered of folds: the database is asked again.
func (v *View) forget() { v.hot, v.warm, v.heat = map[subject]*entry{}, nil, 0 }

// position reads from the database how far the view is.
func (v *View) position(ctx context.Context) error {
	next := map[place]int64{}
	rows, err := v.db.QueryContext(ctx, "SELECT topic, partition, next FROM offsets")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p place
		var n int64
		if err := rows.Scan(&p.topic, &p.partition, &n); err != nil {
			return err
		}
		next[p] = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var caughtUp moment
	if err := v.db.QueryRowContext(ctx, "SELECT caught_up_at FROM reconciler").Scan(&caughtUp); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = next
	if caughtUp.After(v.fresh.CaughtUpAt) || caughtUp.IsZero() {
		v.fresh.CaughtUpAt = caughtUp.Time
	}
	close(v.moved)
	v.moved = make(chan struct{})
	return nil
}

// Apply takes records of event topics and the reconciliation topic in, in one transaction. Records of a partition must come
// in order; one that was taken before is ignored. What cannot be decoded is kept as such. After an error nothing was taken,
// and the records are to be offered again: schemas.ErrRegistry when the registry is away, else the database's own.
func (v *View) Apply(ctx context.Context, serde *schemas.Serde, recs ...*kgo.Record) error {
	v.writer.Lock()
	defer v.writer.Unlock()
	b := newIntake()
	var taken []*decoded
	topics := followed(v.topo)
	for _, rec := range recs {
		at := place{rec.Topic, rec.Partition}
		v.mu.RLock()
		seen := rec.Offset < max(v.next[at], b.next[at])
		v.mu.RUnlock()
		if seen {
			continue
		}
		d, err := decode(ctx, serde, v.topo, rec)
		if err != nil {
			return err
		}
		if d != nil {
			taken = append(taken, d)
		}
		if slices.Contains(topics, rec.Topic) {
			b.next[at] = rec.Offset + 1
		}
	}
	if len(b.next) == 0 {
		return nil
	}
	err := v.transact(ctx, func(tx *sql.Tx) error {
		if err := v.load(ctx, tx, b, taken); err != nil {
			return err
		}
		for _, d := range taken {
			b.take(d)
		}
		if err := v.redact(ctx, tx, b, taken); err != nil {
			return err
		}
		return v.write(ctx, tx, b)
	})
	if err != nil {
		return err
	}
	maps.Copy(v.erased, b.erased)
	v.metrics.records.Add(float64(len(taken)))
	v.metrics.complete(b.completed)
	v.mu.Lock()
	for p, n := range b.next {
		v.next[p] = n
	}
	v.mu.Unlock()
	return nil
}

func (v *View) topicID(topic string) string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.topicIDs[topic]
}

// subjects is what a key that a person gives may mean, the likeliest first.
func subjects(key string) []subject {
	topics := []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory}
	var out []subject
	for _, topic := range topics {
		out = append(out, subject{topic, key})
	}
	for _, topic := range topics {
		if rest, ok := strings.CutPrefix(key, topic+":"); ok {
			out = append(out, subject{topic, rest})
		}
	}
	return out
}
