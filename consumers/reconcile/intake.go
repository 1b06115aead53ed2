package reconcile

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// intake is what one transaction takes in.
type intake struct {
	next     map[place]int64
	touched  map[subject]*entry
	counts   map[[2]string]int64 // what and of which: see Summary
	arrivals map[arrivalKey]arrival
	notices  map[noticeKey]bool
	erased   map[subject]bool // by it

	completed []completion // steps that came true
}

func newIntake() *intake {
	return &intake{next: map[place]int64{}, touched: map[subject]*entry{}, counts: map[[2]string]int64{}, arrivals: map[arrivalKey]arrival{}, notices: map[noticeKey]bool{}, erased: map[subject]bool{}}
}

// The counts of a Summary.
const (
	countKeys        = "keys" // of an event topic
	countEvents      = "events"
	countDuplicates  = "duplicates"
	countUndecodable = "undecodable"
	countOutcomes    = "outcomes" // of integration/kind
)

const (
	maxHot  = 50_000 // rows of the folds that are remembered, each a kilobyte with what it follows from; as many again of before
	maxLoad = 400    // keys in one question
	maxDue  = 500    // folds judged again in one transaction
)

// take folds a decoded record and counts it.
func (b *intake) take(d *decoded) {
	if d.unreadable != "" {
		b.counts[[2]string{countUndecodable, ""}]++
		if d.ofOutcome {
			return
		}
	}
	f := b.touched[d.subject].fold
	switch {
	case d.decision != nil:
		f.Decide(d.decision, d.at)
	case d.outcome != nil:
		f.Outcome(d.outcome, d.at)
		b.counts[[2]string{countOutcomes, d.outcome.Integration + "/" + string(d.outcome.Kind)}]++
	case d.fold(f):
		b.counts[[2]string{countEvents, ""}]++
		b.arrived(d.event)
	default:
		b.counts[[2]string{countDuplicates, ""}]++
	}
}

// load brings the folds of the records' keys into the intake: those that are remembered, else from the database, else new.
func (v *View) load(ctx context.Context, tx *sql.Tx, b *intake, taken []*decoded) error {
	var unknown []subject
	for _, d := range taken {
		if d.unreadable != "" && d.ofOutcome || b.touched[d.subject] != nil {
			continue
		}
		e := v.hot[d.subject]
		if e == nil {
			e = v.warm[d.subject]
		}
		if e == nil {
			unknown = append(unknown, d.subject)
			e = &entry{fold: newFold(v.topo, v.acts, d.topic, d.key), rows: map[string]record{}}
			e.fold.erased = v.erased[d.subject]
		}
		b.touched[d.subject] = e
	}
	return v.read(ctx, tx, b, unknown)
}

// read fills new folds from the database, and counts those that it does not have.
func (v *View) read(ctx context.Context, tx *sql.Tx, b *intake, unknown []subject) error {
	byTopic := map[string][]subject{}
	for _, s := range unknown {
		byTopic[s.topic] = append(byTopic[s.topic], s)
	}
	for topic, list := range byTopic {
		b.counts[[2]string{countKeys, topic}] += int64(len(list))
		for part := range slices.Chunk(list, maxLoad) {
			found, err := v.readSome(ctx, tx, b, topic, part)
			if err != nil {
				return err
			}
			b.counts[[2]string{countKeys, topic}] -= int64(found)
		}
	}
	return nil
}

func (v *View) readSome(ctx context.Context, tx *sql.Tx, b *intake, topic string, part []subject) (found int, err error) {
	args, byText := []any{sqlText(topic)}, map[string]subject{}
	for _, s := range part {
		args = append(args, sqlText(s.key))
		byText[sqlText(s.key)] = s
	}
	stmt := "SELECT key, facts, judged_at, rules FROM folds WHERE topic = ? AND key IN (?" + strings.Repeat(", ?", len(part)-1) + ")"
	rows, err := tx.QueryContext(ctx, v.db.bind(stmt), args...)
	if err != nil {
		return 0, fmt.Errorf("read folds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, rules string
		var facts []byte
		var judged moment
		if err := rows.Scan(&key, &facts, &judged, &rules); err != nil {
			return 0, fmt.Errorf("read folds: %w", err)
		}
		e := b.touched[byText[key]]
		if err := e.fold.unpack(facts); err != nil {
			return 0, err
		}
		if rules == v.rules {
			o := e.fold.Order(judged.Time)
			e.rows, e.done = rowsOf(o, e.fold.allRefs(), v.zone), stepsDone(o)
		} else {
			e.rows = nil // other rows may stand there
		}
		found++
	}
	return found, rows.Err()
}

// allRefs is every name that the key's events give it, each once.
func (f *Fold) allRefs() []ref {
	var out []ref
	known := map[ref]bool{}
	for _, ev := range f.events {
		for _, r := range ev.refs {
			if !known[r] {
				known[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// write writes the folds of an intake as judged now, what changed of the rows that follow from them, the counts and offsets.
func (v *View) write(ctx context.Context, tx *sql.Tx, b *intake) error {
	judged := v.horizon()
	var folds [][]any
	gone, came := map[*table][][]any{}, map[*table][][]any{}
	for s, e := range b.touched {
		o := e.fold.Order(judged)
		rows := rowsOf(o, e.fold.allRefs(), v.zone)
		e.done = v.completions(b, o, e.done)
		facts, err := e.fold.pack()
		if err != nil {
			return fmt.Errorf("facts of %s %s: %w", s.topic, s.key, err)
		}
		folds = append(folds, []any{sqlText(s.topic), sqlText(s.key), facts, judged, o.due(), v.rules})
		if e.rows == nil {
			if err := v.clear(ctx, tx, s); err != nil {
				return err
			}
		}
		for name, r := range e.rows {
			if _, stays := rows[name]; !stays {
				gone[r.table] = append(gone[r.table], r.values[:r.table.keys])
				b.queue(r)
			}
		}
		for name, r := range rows {
			if had, is := e.rows[name]; !is || !r.same(had) {
				came[r.table] = append(came[r.table], r.values)
				b.queue(r)
			}
		}
		e.rows = rows
		v.remember(s, e)
	}
	if err := v.db.upsert(ctx, tx, foldsTable, "", folds); err != nil {
		return err
	}
	for _, t := range answers {
		if err := v.db.remove(ctx, tx, t, gone[t]); err != nil {
			return err
		}
		if err := v.db.upsert(ctx, tx, t, "", came[t]); err != nil {
			return err
		}
	}
	if err := errors.Join(v.writeArrivals(ctx, tx, b), v.writeNotices(ctx, tx, b)); err != nil {
		return err
	}
	var counts [][]any
	for name, n := range b.counts {
		if n != 0 {
			counts = append(counts, []any{name[0], sqlText(name[1]), n})
		}
	}
	if err := v.db.upsert(ctx, tx, countsTable, "n", counts); err != nil {
		return err
	}
	return v.move(ctx, tx, b)
}

// move sets the offsets, from where this process knows them to be: whoever took the same records in is refused.
func (v *View) move(ctx context.Context, tx *sql.Tx, b *intake) error {
	for p, n := range b.next {
		stmt, args := "INSERT INTO offsets (next, topic_id, topic, partition) VALUES (?, ?, ?, ?) ON CONFLICT (topic, partition) DO NOTHING", []any{n, v.topicID(p.topic), p.topic, int64(p.partition)}
		if had := v.reached(p); had > 0 {
			stmt, args = "UPDATE offsets SET next = ?, topic_id = ? WHERE topic = ? AND partition = ? AND next = ?", append(args, had)
		}
		res, err := tx.ExecContext(ctx, v.db.bind(stmt), args...)
		if err != nil {
			return fmt.Errorf("move offset of %s/%d: %w", p.topic, p.partition, err)
		}
		if moved, err := res.RowsAffected(); err != nil || moved != 1 {
			return errors.Join(fmt.Errorf("offset of %s/%d: %w", p.topic, p.partition, errFollower), err)
		}
	}
	return nil
}

// remember keeps a fold at hand.
func (v *View) remember(s subject, e *entry) {
	if v.heat >= maxHot {
		v.hot, v.warm, v.heat = map[subject]*entry{}, v.hot, 0
	}
	if v.hot[s] == e {
		v.heat -= e.heat
	}
	e.heat = 1 + len(e.rows)
	v.heat += e.heat
	v.hot[s] = e
}

// clear deletes all rows of a key.
func (v *View) clear(ctx context.Context, tx *sql.Tx, s subject) error {
	for _, t := range answers {
		if _, err := tx.ExecContext(ctx, v.db.bind("DELETE FROM "+t.name+" WHERE topic = ? AND key = ?"), sqlText(s.topic), sqlText(s.key)); err != nil {
			return fmt.Errorf("delete from %s: %w", t.name, err)
		}
	}
	return nil
}

// Judge judges again what time alone has changed, up to the moment that the view knows everything of, and what was judged by
// other rules. It gives how many keys that were.
func (v *View) Judge(ctx context.Context) (int, error) { return v.judge(ctx, math.MaxInt) }

// judge judges some keys at most, and a few more.
func (v *View) judge(ctx context.Context, most int) (int, error) {
	v.writer.Lock()
	defer v.writer.Unlock()
	for done := 0; ; {
		n, b := 0, newIntake()
		err := v.transact(ctx, func(tx *sql.Tx) error {
			var err error
			if n, err = v.loadDue(ctx, tx, b); err != nil || n == 0 {
				return err
			}
			return v.write(ctx, tx, b)
		})
		if err != nil {
			return done, err
		}
		v.metrics.complete(b.completed)
		if done += n; n < maxDue || done >= most {
			return done, nil
		}
	}
}

// loadDue brings folds that are to be judged again into an intake.
func (v *View) loadDue(ctx context.Context, tx *sql.Tx, b *intake) (int, error) {
	rows, err := tx.QueryContext(ctx, v.db.bind("SELECT topic, key FROM (SELECT topic, key FROM folds WHERE due < ? ORDER BY due LIMIT ?) a UNION SELECT topic, key FROM (SELECT topic, key FROM folds WHERE rules <> ? LIMIT ?) b LIMIT ?"),
		v.db.arg(v.horizon()), maxDue, v.rules, maxDue, maxDue)
	if err != nil {
		return 0, fmt.Errorf("read what is due: %w", err)
	}
	defer rows.Close()
	var list []*decoded
	for rows.Next() {
		var d decoded
		if err := rows.Scan(&d.topic, &d.key); err != nil {
			return 0, err
		}
		list = append(list, &d)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if err := v.load(ctx, tx, b, list); err != nil {
		return 0, err
	}
	clear(b.counts) // nothing came
	return len(list), nil
}

// Rules is the fingerprint of what a view's answers depend on beside the facts: of two topologies that agree in it they are one.
func Rules(t *topology.Topology) string { return fingerprint(t) }

// fingerprint changes with everything of a topology that answers depend on.
func fingerprint(t *topology.Topology) string {
	type integration struct {
		Name, Team string
		Within     time.Duration
		Acts       []schemas.EventType
	}
	var list []integration
	for i := range t.Integrations {
		in := &t.Integrations[i]
		list = append(list, integration{in.Name, in.Team, in.CompleteWithin.D(), in.Subscribes()})
	}
	b, err := json.Marshal(struct {
		Integrations []integration
		Ownership    map[schemas.Field]topology.Owner
		Operations   []topology.Operation
		Money        topology.Money
	}{list, t.Ownership, t.Operations, t.Money})
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
