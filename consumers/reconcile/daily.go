package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/schemas"
)

// BusinessDay is what a view knows of one business day at one moment, read in one transaction.
type BusinessDay struct {
	Day     string    // 2026-11-24
	Zone    string    // IANA
	KnownAt time.Time // everything that came before is in it; zero while the view has never caught up
	Offsets []Reached // sorted by topic and partition
	tx      *sql.Tx
	v       *View
}

// Reached is how far a partition was read.
type Reached struct {
	Topic     string
	Partition int32
	Next      int64 // the first offset that was not
}

// DayMovement is a movement with its order.
type DayMovement struct {
	Key string
	money.Movement
}

// KeyDifference is a comparison of an order's money that does not come out even.
type KeyDifference struct {
	Key, Comparison, Currency    string
	AmountA, AmountB, Difference decimal.Decimal
	Silent                       schemas.System
	Since                        time.Time
	Overdue                      bool
	Page                         string
}

// BusinessDay reads a day. What it gives is good inside do only.
func (v *View) BusinessDay(ctx context.Context, day string, do func(*BusinessDay) error) (err error) {
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return fmt.Errorf("%w: %q", ErrNoDay, day)
	}
	options := &sql.TxOptions{}
	if v.db.postgres {
		options = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := v.db.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("read day %s: %w", day, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	b := &BusinessDay{Day: day, Zone: v.zone.String(), tx: tx, v: v}
	var caughtUp moment
	if err := tx.QueryRowContext(ctx, "SELECT caught_up_at FROM reconciler").Scan(&caughtUp); err != nil {
		return fmt.Errorf("read day %s: %w", day, err)
	}
	b.KnownAt = caughtUp.Time
	rows, err := tx.QueryContext(ctx, "SELECT topic, partition, next FROM offsets ORDER BY topic, partition")
	if err != nil {
		return fmt.Errorf("read day %s: %w", day, err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Reached
		if err := rows.Scan(&r.Topic, &r.Partition, &r.Next); err != nil {
			return fmt.Errorf("read day %s: %w", day, err)
		}
		b.Offsets = append(b.Offsets, r)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read day %s: %w", day, err)
	}
	return do(b)
}

// bytewise orders a text by its bytes, as SQLite does anyway.
func (b *BusinessDay) bytewise(columns ...string) string {
	out := ""
	for i, c := range columns {
		if i > 0 {
			out += ", "
		}
		out += c
		if b.v.db.postgres {
			out += ` COLLATE "C"`
		}
	}
	return out
}

// Movements is every movement of the day, by order, kind, system, object and currency.
func (b *BusinessDay) Movements(ctx context.Context) iter.Seq2[DayMovement, error] {
	stmt := "SELECT key, kind, system, object, currency, amount, at, reference, event_id FROM movements WHERE topic = ? AND day = ? ORDER BY " + b.bytewise("key", "kind", "system", "object", "currency")
	return scanned(ctx, b, stmt, func(rows *sql.Rows) (m DayMovement, err error) {
		var at moment
		err = rows.Scan(&m.Key, &m.Kind, &m.System, &m.Object, &m.Currency, &m.Amount, &at, &m.Reference, &m.EventID)
		m.At = at.Time
		return m, err
	})
}

// Differences is what does not come out even of orders that money moved of on the day, by order, comparison and currency.
func (b *BusinessDay) Differences(ctx context.Context) iter.Seq2[KeyDifference, error] {
	stmt := "SELECT key, comparison, currency, amount_a, amount_b, difference, silent, since, overdue, page FROM money_differences d WHERE topic = ? AND EXISTS " +
		"(SELECT 1 FROM movements m WHERE m.topic = d.topic AND m.key = d.key AND m.day = ?) ORDER BY " + b.bytewise("key", "comparison", "currency")
	return scanned(ctx, b, stmt, func(rows *sql.Rows) (d KeyDifference, err error) {
		var since moment
		err = rows.Scan(&d.Key, &d.Comparison, &d.Currency, &d.AmountA, &d.AmountB, &d.Difference, &d.Silent, &since, &d.Overdue, &d.Page)
		d.Since = since.Time
		return d, err
	})
}

// scanned gives the rows of a statement about orders of the day, one after the other.
func scanned[T any](ctx context.Context, b *BusinessDay, stmt string, scan func(*sql.Rows) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		rows, err := b.tx.QueryContext(ctx, b.v.db.bind(stmt), schemas.TopicOrders, b.Day)
		if err != nil {
			yield(none, fmt.Errorf("read day %s: %w", b.Day, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				yield(none, fmt.Errorf("read day %s: %w", b.Day, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, fmt.Errorf("read day %s: %w", b.Day, err))
		}
	}
}
