package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// correct says how new tables differ from those of a version that a destination has. Both are read row by row.
func correct(ctx context.Context, from Destination, old *Manifest, terms []string, tables []staged) (*Correction, error) {
	out := &Correction{Version: old.Version, Terms: terms, Tables: []Difference{}}
	before := map[string]TableEntry{}
	for _, t := range old.Tables {
		before[t.Name] = t
	}
	for _, t := range tables {
		was, ok := before[t.entry.Name]
		delete(before, t.entry.Name)
		switch {
		case !ok:
			out.Tables = append(out.Tables, Difference{Table: t.entry.Name, Added: t.entry.Rows, ColumnsChanged: true})
		case was.sameShape(t.entry) && was.CSV.SHA256 == t.entry.CSV.SHA256:
		default:
			d, err := differ(ctx, from, old, was, t)
			if err != nil {
				return nil, fmt.Errorf("compare table %s with %s of %s: %w", was.Name, old.Version, old.BusinessDay, err)
			}
			out.Tables = append(out.Tables, d)
		}
	}
	for _, t := range before {
		out.Tables = append(out.Tables, Difference{Table: t.Name, Removed: t.Rows, ColumnsChanged: true})
	}
	slices.SortFunc(out.Tables, func(a, b Difference) int { return bytes.Compare([]byte(a.Table), []byte(b.Table)) })
	return out, nil
}

// differ compares one table's rows, both sorted by the key.
func differ(ctx context.Context, from Destination, m *Manifest, was TableEntry, now staged) (Difference, error) {
	d := Difference{Table: was.Name, ColumnsChanged: !was.sameShape(now.entry)}
	pairs, keys, comparable := match(was, now.entry)
	if !comparable {
		d.Added, d.Removed = now.entry.Rows, was.Rows
		return d, nil
	}
	body, err := from.Open(ctx, m.filePath(was.CSV))
	if err != nil {
		return d, err
	}
	defer body.Close()
	digest := sha256.New()
	stored := io.TeeReader(body, digest)
	file, err := os.Open(now.csv)
	if err != nil {
		return d, err
	}
	defer file.Close()
	older, err := newCSVReader(stored, was.Columns)
	if err != nil {
		return d, unread(m.filePath(was.CSV), err)
	}
	newer, err := newCSVReader(file, now.entry.Columns)
	if err != nil {
		return d, err
	}
	if err := d.count(ctx, older, newer, pairs, keys); err != nil {
		return d, unread(m.filePath(was.CSV), err)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != was.CSV.SHA256 {
		return d, damaged(m.filePath(was.CSV), fmt.Errorf("its SHA-256 is %s, and the manifest says %s", got, was.CSV.SHA256))
	}
	return d, nil
}

func damaged(name string, err error) error {
	return fmt.Errorf("%s: %w: it was changed since it was written, restore it", name, err)
}

// unread is damaged for a file that is not as it was written; anything else may pass.
func unread(name string, err error) error {
	if errors.Is(err, errTorn) {
		return damaged(name, err)
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// pair is a column that both versions have.
type pair struct {
	was, now int // its place in each
	typ      Type
}

// match gives the columns to compare by and the key among them; false where rows cannot be told apart in the same way.
func match(was, now TableEntry) (pairs, keys []pair, comparable bool) {
	if !slices.Equal(was.Key, now.Key) {
		return nil, nil, false
	}
	for i, c := range now.Columns {
		if j := columnOf(was.Columns, c.Name); j >= 0 {
			pairs = append(pairs, pair{was: j, now: i, typ: c.Type})
		}
	}
	for _, name := range now.Key {
		i, j := columnOf(now.Columns, name), columnOf(was.Columns, name)
		if i < 0 || j < 0 || now.Columns[i].Type != was.Columns[j].Type {
			return nil, nil, false
		}
		keys = append(keys, pair{was: j, now: i, typ: now.Columns[i].Type})
	}
	return pairs, keys, true
}

// count walks both tables side by side.
func (d *Difference) count(ctx context.Context, older, newer *csvReader, pairs, keys []pair) error {
	hasOld, err := older.next()
	if err != nil {
		return err
	}
	hasNew, err := newer.next()
	if err != nil {
		return err
	}
	for n := 0; hasOld || hasNew; n++ {
		if n%cancelEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		side := 0
		switch {
		case !hasNew:
			side = -1
		case !hasOld:
			side = 1
		default:
			for _, k := range keys {
				if side = compare(k.typ, older.cells[k.was].text, newer.cells[k.now].text); side != 0 {
					break
				}
			}
		}
		switch {
		case side < 0:
			d.Removed++
		case side > 0:
			d.Added++
		case slices.ContainsFunc(pairs, func(p pair) bool { return !older.cells[p.was].equal(newer.cells[p.now]) }):
			d.Changed++
		}
		if side <= 0 {
			if hasOld, err = older.next(); err != nil {
				return err
			}
		}
		if side >= 0 {
			if hasNew, err = newer.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c cell) equal(of cell) bool { return c.null == of.null && bytes.Equal(c.text, of.text) }
