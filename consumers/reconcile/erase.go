package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Keys destroys keys of personal data: see package sealing.
type Keys interface {
	// Erase destroys the keys of subjects for good; again it changes nothing.
	Erase(ctx context.Context, subjects ...string) (int, error)
	// Roll lets the log cleaner come to what an erasure superseded.
	Roll(ctx context.Context) error
	// Compacted tells whether it has.
	Compacted(ctx context.Context) (bool, error)
}

const (
	maxErasures = 500         // subjects whose keys are destroyed in one go
	goneEvery   = time.Minute // between two looks at what the log cleaner has left
)

// marked tells whether a field's value is personal data by its schema, be it shown until it is erased.
func marked(field schemas.Field) bool {
	return personal[field] || strings.HasPrefix(string(field), "customer.") || field == "fulfillment.tracking_number"
}

// hide takes what is personal out of a fact.
func (n *fact) hide() {
	n.said = slices.DeleteFunc(n.said, func(w word) bool { return marked(w.field) })
	n.refs = slices.DeleteFunc(n.refs, func(r ref) bool { return r.kind == refEmail })
	if n.read != nil && n.read.Detail != "" { // what a downstream answered may repeat what it was told
		c := *n.read
		c.Detail = ""
		n.read = &c
	}
}

// hide takes what is personal out of a fold, and keeps it out.
func (f *Fold) hide() {
	f.erased, f.cache = true, nil
	for _, ev := range f.events {
		ev.hide()
	}
	for _, a := range f.answers {
		for _, o := range a.outcomes {
			o.hide()
		}
	}
}

// hide takes out what a downstream answered: it may repeat what it was told.
func (o *outcome) hide() {
	if o.made == nil || len(o.made.attempts) == 0 {
		return
	}
	o.detail = ""
	for i := range o.made.attempts {
		o.made.attempts[i].Detail = ""
	}
}

// redact erases from the view, in the transaction that takes them in, what the redactions among the records ask for, and
// notes that keys are to be destroyed.
func (v *View) redact(ctx context.Context, tx *sql.Tx, b *intake, taken []*decoded) error {
	for _, d := range taken {
		if d.event == nil || d.event.Type != schemas.CustomerRedacted {
			continue
		}
		list := []subject{{schemas.TopicCustomers, d.key}}
		if c := d.event.Customer; c != nil {
			for _, id := range c.OrderIDs {
				list = append(list, subject{schemas.TopicOrders, sqlText(id)})
			}
		}
		for s, e := range b.touched { // not among the lookups yet
			if s.topic == schemas.TopicOrders && slices.Contains(e.fold.allRefs(), ref{"customer", d.key}) {
				list = append(list, s)
			}
		}
		keys, err := column1(ctx, tx, v.db.bind("SELECT key FROM lookups WHERE kind = 'customer' AND value = ? AND topic = 'orders'"), sqlText(d.key))
		if err != nil {
			return fmt.Errorf("orders of a customer to redact: %w", err)
		}
		for _, key := range keys {
			list = append(list, subject{schemas.TopicOrders, key})
		}
		if err := v.hide(ctx, tx, b, d, list); err != nil {
			return err
		}
	}
	return nil
}

// hide erases subjects of one customer from the view.
func (v *View) hide(ctx context.Context, tx *sql.Tx, b *intake, d *decoded, list []subject) error {
	var rows [][]any
	var known []*decoded
	for _, s := range list {
		if v.erased[s] || b.erased[s] {
			continue
		}
		b.erased[s] = true
		marks, err := column1(ctx, tx, v.db.bind("SELECT value FROM lookups WHERE kind = '"+refEmail+"' AND topic = ? AND key = ?"), s.topic, s.key)
		if err != nil {
			return fmt.Errorf("addresses to redact: %w", err)
		}
		if e := b.touched[s]; e != nil {
			for _, r := range e.fold.allRefs() {
				if r.kind == refEmail {
					marks = append(marks, r.value)
				}
			}
		}
		rows = append(rows, []any{s.topic, s.key, sqlText(d.key), d.event.IngestedAt, strings.Join(marks, " "), nil, nil})
		folds, err := column1(ctx, tx, v.db.bind("SELECT key FROM folds WHERE topic = ? AND key = ?"), s.topic, s.key)
		if err != nil {
			return fmt.Errorf("orders to redact: %w", err)
		}
		if len(folds) > 0 || b.touched[s] != nil {
			known = append(known, &decoded{subject: s})
		}
	}
	if err := v.load(ctx, tx, b, known); err != nil {
		return err
	}
	for _, k := range known {
		b.touched[k.subject].fold.hide()
	}
	return v.db.upsert(ctx, tx, erasuresTable, "", rows)
}

// column1 is the one column of a question's rows.
func column1(ctx context.Context, tx *sql.Tx, stmt string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, stmt, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// knowErased reads which subjects are erased. The caller holds the writer's lock, or nobody else has the view yet.
func (v *View) knowErased(ctx context.Context) error {
	rows, err := v.db.QueryContext(ctx, "SELECT topic, key FROM erasures")
	if err != nil {
		return err
	}
	defer rows.Close()
	v.erased = map[subject]bool{}
	for rows.Next() {
		var s subject
		if err := rows.Scan(&s.topic, &s.key); err != nil {
			return err
		}
		v.erased[s] = true
	}
	return rows.Err()
}

// erasure is a subject whose keys are to be destroyed.
type erasure struct {
	subject
	customer string
	marks    []string // hashes of addresses
}

// eraser destroys the keys of what was redacted.
type eraser struct {
	c    *FollowConfig
	look time.Time // at what the log cleaner has left
}

// all destroys the keys that are to be, and looks whether what held them is gone.
func (e *eraser) all(ctx context.Context) error {
	if e.c.Keys == nil {
		return nil
	}
	for {
		list, err := e.pending(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return e.gone(ctx)
		}
		if err := e.erase(ctx, list); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
}

func (e *eraser) pending(ctx context.Context) ([]erasure, error) {
	db := e.c.View.db
	rows, err := db.QueryContext(ctx, db.bind("SELECT topic, key, customer, marks FROM erasures WHERE erased_at IS NULL ORDER BY topic, key LIMIT ?"), maxErasures)
	if err != nil {
		return nil, fmt.Errorf("what is to be erased: %w", err)
	}
	defer rows.Close()
	var out []erasure
	for rows.Next() {
		var x erasure
		var marks string
		if err := rows.Scan(&x.topic, &x.key, &x.customer, &marks); err != nil {
			return nil, err
		}
		x.marks = strings.Fields(marks)
		out = append(out, x)
	}
	return out, rows.Err()
}

// erase destroys the keys of subjects, and of what mentions them in quarantine.
func (e *eraser) erase(ctx context.Context, list []erasure) error {
	names, subjects := names{}, []string{}
	for _, x := range list {
		names.add(x.key, x.customer)
		names.add(x.marks...)
		subjects = append(subjects, schemas.SealSubject(x.topic, x.key))
	}
	kept, err := e.quarantined(ctx, names)
	if err != nil {
		return err
	}
	if _, err := e.c.Keys.Erase(ctx, append(subjects, kept...)...); err != nil {
		return err
	}
	v, now := e.c.View, e.c.View.now().UTC()
	v.writer.Lock()
	defer v.writer.Unlock()
	return v.transact(ctx, func(tx *sql.Tx) error {
		for _, x := range list {
			if _, err := tx.ExecContext(ctx, v.db.bind("UPDATE erasures SET erased_at = ?, marks = '' WHERE topic = ? AND key = ?"), v.db.arg(now), x.topic, x.key); err != nil {
				return err
			}
		}
		return nil
	})
}

// quarantined is the subjects of quarantined input that mentions somebody.
func (e *eraser) quarantined(ctx context.Context, who names) ([]string, error) {
	var out []string
	err := topology.ReadTopic(ctx, e.c.Options, e.c.Topology.TopicName(topology.TopicQuarantine), func(rec *kgo.Record) error {
		q, err := e.c.Serde.DecodeQuarantined(ctx, rec.Value)
		if errors.Is(err, schemas.ErrPoison) {
			return nil // not ours
		}
		if err != nil {
			return err
		}
		if who.in(string(q.Body)) || slices.ContainsFunc(slices.Collect(maps.Values(q.Headers)), who.in) {
			out = append(out, schemas.QuarantineSubject(q.ID))
		}
		return nil
	})
	return out, err
}

// names is whom a text may mention: by ids, and by hashes of addresses.
type names map[string]bool

func (n names) add(list ...string) {
	for _, s := range list {
		if s != "" {
			n[s] = true
		}
	}
}

// in tells whether a word of a text is one of the names. A word goes on over whatever may stand in an id or an address.
func (n names) in(text string) bool {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'<>()[]{},;:=&?", r) }) {
		if n[w] || strings.ContainsRune(w, '@') && n[EmailHash(w)] {
			return true
		}
		if i := strings.LastIndexByte(w, '/'); i >= 0 && n[w[i+1:]] { // gid://shopify/Customer/1
			return true
		}
	}
	return false
}

// gone notes which destroyed keys are gone from the brokers' disks as well.
func (e *eraser) gone(ctx context.Context) error {
	v := e.c.View
	if time.Since(e.look) < goneEvery {
		return nil
	}
	e.look = time.Now()
	var n int
	if err := v.db.QueryRowContext(ctx, "SELECT count(*) FROM erasures WHERE gone_at IS NULL").Scan(&n); err != nil || n == 0 {
		return err
	}
	if err := e.c.Keys.Roll(ctx); err != nil {
		return err
	}
	done, err := e.c.Keys.Compacted(ctx)
	if err != nil || !done {
		return err
	}
	v.writer.Lock()
	defer v.writer.Unlock()
	return v.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, v.db.bind("UPDATE erasures SET gone_at = ? WHERE erased_at IS NOT NULL AND gone_at IS NULL"), v.db.arg(v.now().UTC()))
		return err
	})
}
