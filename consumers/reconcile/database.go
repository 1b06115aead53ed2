package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// database is where a view is kept: SQLite in a file, or PostgreSQL. Both hold the same tables.
type database struct {
	*sql.DB
	postgres bool
}

// openDatabase opens postgres://..., or the file of any other address ("sqlite:" before it may be left out), and makes the
// tables that are missing unless it is only to be read.
func openDatabase(ctx context.Context, address string, readOnly bool) (*database, error) {
	d := &database{postgres: strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")}
	driver, dsn := "pgx", address
	if !d.postgres {
		pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(10000)", "cache_size(-65536)", "secure_delete(ON)"}, "_txlock": {"immediate"}}
		if readOnly {
			pragmas = url.Values{"_pragma": {"busy_timeout(10000)"}, "mode": {"ro"}}
		}
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: strings.TrimPrefix(address, "sqlite:")}).EscapedPath()+"?"+pragmas.Encode()
	}
	var err error
	if d.DB, err = sql.Open(driver, dsn); err != nil {
		return nil, fmt.Errorf("view %s: %w", shownAddress(address), err)
	}
	if !d.postgres {
		d.SetMaxOpenConns(4) // readers beside the one who writes
	}
	if readOnly {
		return d, nil
	}
	if err := d.create(ctx); err != nil {
		d.Close()
		return nil, fmt.Errorf("view %s: %w", shownAddress(address), err)
	}
	return d, nil
}

// shownAddress is an address without its password.
func shownAddress(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return u.Redacted()
	}
	return address
}

// kind is what a column holds.
type kind int

const (
	text kind = iota
	number
	flag    // boolean; 0 and 1 in SQLite
	instant // timestamptz; in SQLite a text in UTC that sorts: 2026-11-25T22:30:08.000000Z
	bytes
	amount // an exact decimal: numeric; a text in SQLite, which has none
)

// timeForm is how SQLite keeps a time.
const timeForm = "2006-01-02T15:04:05.000000Z"

func (d *database) typeOf(k kind) string {
	if d.postgres {
		return [...]string{"text", "bigint", "boolean", "timestamptz", "bytea", "numeric"}[k]
	}
	return [...]string{"TEXT", "INTEGER", "INTEGER", "TEXT", "BLOB", "TEXT"}[k]
}

// column is one column of a table; null tells that it may be empty.
type column struct {
	name string
	kind kind
	null bool
}

// table is a table with its key, which comes first among the columns.
type table struct {
	name    string
	keys    int // the first so many columns are the primary key
	columns []column
	indexes []string // column lists
}

// layout is the layout of the tables that are there; empty for none.
func (d *database) layout(ctx context.Context) string {
	var have string
	if err := d.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'layout'").Scan(&have); err != nil {
		return "" // there is no such table, or row, yet
	}
	return have
}

// create makes what is missing, in one transaction. Tables of another layout go: they follow from the topics.
func (d *database) create(ctx context.Context) error {
	stmts := []string{}
	if d.postgres {
		stmts = append(stmts, "SELECT pg_advisory_xact_lock(7326001)") // of several processes that begin at once
	}
	if have := d.layout(ctx); have != "" && have != layout {
		for _, t := range tables {
			stmts = append(stmts, "DROP TABLE IF EXISTS "+t.name)
		}
	}
	for _, t := range tables {
		stmts = append(stmts, d.definition(t)...)
	}
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	for _, stmt := range stmts {
		if _, err := tx.ExecContext(ctx, stmt); err != nil {
			return fmt.Errorf("make tables: %s: %w", stmt, err)
		}
	}
	return tx.Commit()
}

// definition is a table and its indexes, where they are missing.
func (d *database) definition(t *table) []string {
	var defs, keys []string
	for i, c := range t.columns {
		def := c.name + " " + d.typeOf(c.kind)
		if !c.null {
			def += " NOT NULL"
		}
		if i < t.keys {
			keys = append(keys, c.name)
		}
		defs = append(defs, def)
	}
	without := ""
	if !d.postgres {
		without = " WITHOUT ROWID"
	}
	out := []string{fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s, PRIMARY KEY (%s))%s", t.name, strings.Join(defs, ", "), strings.Join(keys, ", "), without)}
	for i, on := range t.indexes {
		out = append(out, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s_%d ON %s (%s)", t.name, i+1, t.name, on))
	}
	return out
}

// bind writes the placeholders of a statement, which has ? for each, as the database wants them.
func (d *database) bind(stmt string) string {
	if !d.postgres {
		return stmt
	}
	var b strings.Builder
	n := 0
	for _, r := range stmt {
		if r == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// arg is a value as the database takes it.
func (d *database) arg(v any) any {
	switch v := v.(type) {
	case time.Time:
		if !d.postgres {
			return v.UTC().Format(timeForm)
		}
	case *time.Time:
		if v == nil {
			return nil
		}
		return d.arg(*v)
	case *int64:
		if v == nil {
			return nil
		}
		return *v
	case bool:
		if !d.postgres {
			if v {
				return int64(1)
			}
			return int64(0)
		}
	}
	return v
}

func (d *database) args(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = d.arg(v)
	}
	return out
}

// moment scans a time of either database; zero for NULL.
type moment struct{ time.Time }

// Scan takes a time, SQLite's text of one, or NULL.
func (m *moment) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		m.Time = time.Time{}
	case time.Time:
		m.Time = v.UTC()
	case string:
		t, err := time.Parse(timeForm, v)
		if err != nil {
			return err
		}
		m.Time = t.UTC()
	default:
		return fmt.Errorf("%T is no time", v)
	}
	return nil
}

func (m moment) pointer() *time.Time {
	if m.IsZero() {
		return nil
	}
	return &m.Time
}

// upserts writes rows of a table, each with a key of its own. Where add is given, that column of a row that is there already
// grows by the new value; else the row is replaced.
func (d *database) upsert(ctx context.Context, tx *sql.Tx, t *table, add string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	var names, keys, sets []string
	for i, c := range t.columns {
		names = append(names, c.name)
		switch {
		case i < t.keys:
			keys = append(keys, c.name)
		case c.name == add:
			sets = append(sets, fmt.Sprintf("%s = %s.%s + excluded.%s", c.name, t.name, c.name, c.name))
		default:
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	conflict := "DO NOTHING"
	if len(sets) > 0 {
		conflict = "DO UPDATE SET " + strings.Join(sets, ", ")
	}
	end := fmt.Sprintf("ON CONFLICT (%s) %s", strings.Join(keys, ", "), conflict)
	if d.postgres {
		return d.unnest(ctx, tx, t, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%%s) %s", t.name, strings.Join(names, ", "), end), rows)
	}
	stmt, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s) %s", t.name, strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1), end))
	if err != nil {
		return fmt.Errorf("write %s: %w", t.name, err)
	}
	defer stmt.Close()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, d.args(row)...); err != nil {
			return fmt.Errorf("write %s: %w", t.name, err)
		}
	}
	return nil
}

// unnest gives PostgreSQL the rows as an array for each column: one statement whatever their number.
func (d *database) unnest(ctx context.Context, tx *sql.Tx, t *table, stmt string, rows [][]any) error {
	width := len(rows[0])
	holders, arrays := make([]string, width), make([]any, width)
	for i := range width {
		holders[i] = fmt.Sprintf("$%d::%s[]", i+1, d.typeOf(t.columns[i].kind))
		arrays[i] = arrayOf(t.columns[i].kind, rows, i)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(stmt, strings.Join(holders, ", ")), arrays...); err != nil {
		return fmt.Errorf("write %s: %w", t.name, err)
	}
	return nil
}

// arrayOf is one column of rows in the type that the driver knows an array of.
func arrayOf(k kind, rows [][]any, i int) any {
	switch k {
	case text, amount:
		return arrayFrom[string](rows, i)
	case number:
		return arrayFrom[int64](rows, i)
	case flag:
		return arrayFrom[bool](rows, i)
	case instant:
		return arrayFrom[time.Time](rows, i)
	default:
		out := make([][]byte, len(rows))
		for j, row := range rows {
			out[j], _ = row[i].([]byte)
		}
		return out
	}
}

func arrayFrom[T any](rows [][]any, i int) []*T {
	out := make([]*T, len(rows))
	for j, row := range rows {
		switch v := row[i].(type) {
		case T:
			out[j] = &v
		case *T:
			out[j] = v
		}
	}
	return out
}

// remove deletes rows of a table by their keys.
func (d *database) remove(ctx context.Context, tx *sql.Tx, t *table, keys [][]any) error {
	if len(keys) == 0 {
		return nil
	}
	var conds, names, joins []string
	for _, c := range t.columns[:t.keys] {
		conds, names, joins = append(conds, c.name+" = ?"), append(names, c.name), append(joins, fmt.Sprintf("t.%s = u.%s", c.name, c.name))
	}
	if d.postgres {
		return d.unnest(ctx, tx, t, fmt.Sprintf("DELETE FROM %s t USING unnest(%%s) AS u(%s) WHERE %s", t.name, strings.Join(names, ", "), strings.Join(joins, " AND ")), keys)
	}
	stmt, err := tx.PrepareContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s", t.name, strings.Join(conds, " AND ")))
	if err != nil {
		return fmt.Errorf("delete from %s: %w", t.name, err)
	}
	defer stmt.Close()
	for _, key := range keys {
		if _, err := stmt.ExecContext(ctx, d.args(key)...); err != nil {
			return fmt.Errorf("delete from %s: %w", t.name, err)
		}
	}
	return nil
}
