package reconcile

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// Count counts what is open, as Follow does from time to time.
func (v *View) Count(ctx context.Context) error { return v.count(ctx) }

// Lag is seam_view_lag_seconds.
func (v *View) Lag() float64 { return v.lag() }

// Rows is every row of the answer tables and the counts, as text, sorted.
func (v *View) Rows(ctx context.Context) ([]string, error) {
	var out []string
	for _, t := range append([]*table{countsTable, arrivalsTable}, answers...) {
		var names []string
		for _, c := range t.columns {
			names = append(names, c.name)
		}
		rows, err := v.db.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+t.name)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			cells, into := make([]cell, len(names)), make([]any, len(names))
			for i, c := range t.columns {
				cells[i].kind = c.kind
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
			out = append(out, t.name+fmt.Sprint(cells))
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	sort.Strings(out)
	return out, nil
}

// cell is a value as both databases give it.
type cell struct {
	kind kind
	text string
}

func (c cell) String() string { return fmt.Sprintf("%q", c.text) }

func (c *cell) Scan(v any) error {
	switch {
	case v == nil:
		c.text = "NULL"
	case c.kind == instant:
		var m moment
		if err := m.Scan(v); err != nil {
			return err
		}
		c.text = m.Format(timeForm)
	case c.kind == flag:
		c.text = fmt.Sprint(v == true || v == int64(1))
	default:
		c.text = fmt.Sprintf("%s", v)
		if n, ok := v.(int64); ok {
			c.text = fmt.Sprint(n)
		}
	}
	return nil
}

// ErrFollower is the error of a process that may not write.
var ErrFollower = errFollower

// Release lets another process write.
func (v *View) Release(ctx context.Context) error { return v.release(ctx) }

// Exec changes the database behind the view's back.
func (v *View) Exec(ctx context.Context, stmt string) error {
	_, err := v.db.ExecContext(ctx, stmt)
	return err
}

// Position reads how far the view is, as a process does that begins to write.
func (v *View) Position(ctx context.Context) error { return v.position(ctx) }
