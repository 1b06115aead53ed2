package export

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Column is one column of a table.
type Column struct {
	Name     string `json:"name"` // a-z, 0-9 and _, at most 63, beginning with a letter
	Type     Type   `json:"type"`
	Nullable bool   `json:"nullable"`
	// Currency is the string column that holds the ISO 4217 code of an amount; a row with the amount must have it. Empty:
	// the amount has no currency (a ratio, a quantity) and has one control total.
	Currency string `json:"currency,omitempty"`
}

// Table is one table of the export.
type Table struct {
	Name    string // as Column.Name; unique in the export
	Columns []Column
	// Key are the columns, not nullable, that name a row; rows come in their ascending order, each key once. Strings sort by
	// bytes (COLLATE "C" in PostgreSQL), numbers by value.
	Key []string
	// Rows gives every row once; it is ranged over once. An error ends the export. A row is not kept after the next one is
	// asked for, so the slice may be used again.
	Rows iter.Seq2[Row, error]
}

// RowError is a row that cannot be exported.
type RowError struct {
	Table  string
	Key    string // "order_id=1001, line=2"; empty where the key is what is wrong, or is not known yet
	Number int64  // of the row in its table, from 1
	Column string // empty: the row as a whole
	Fault  string // what is wrong
	Mend   string // what to do about it
}

// Error names table, row, column, fault and mend.
func (e *RowError) Error() string {
	where := fmt.Sprintf("table %s, row %d", e.Table, e.Number)
	if e.Key != "" {
		where += " (" + e.Key + ")"
	}
	if e.Column != "" {
		where += ", column " + e.Column
	}
	return where + ": " + e.Fault + ": " + e.Mend
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// check gives every fault of the table's declaration.
func (t *Table) check() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("table "+t.Name+": "+format, args...))
	}
	if !namePattern.MatchString(t.Name) {
		faults = append(faults, fmt.Errorf("table %q: the name must match %s, for it is part of a file name", t.Name, namePattern))
	}
	if t.Rows == nil {
		fault("has no Rows: give an empty iterator where there are none")
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if !namePattern.MatchString(c.Name) {
			fault("column %q: the name must match %s", c.Name, namePattern)
		}
		if seen[c.Name] {
			fault("column %s is there twice", c.Name)
		}
		seen[c.Name] = true
		if _, ok := typeNames[c.Type]; !ok {
			fault("column %s has no type", c.Name)
		}
		if c.Currency == "" {
			continue
		}
		if of := t.column(c.Currency); c.Type != TypeAmount || of < 0 || t.Columns[of].Type != TypeString {
			fault("column %s: currency %q: an amount names a string column of its table", c.Name, c.Currency)
		}
	}
	if len(t.Key) == 0 {
		fault("has no Key: name the columns that the rows are sorted by")
	}
	for i, name := range t.Key {
		switch at := t.column(name); {
		case at < 0:
			fault("key column %s is not a column", name)
		case t.Columns[at].Nullable:
			fault("key column %s is nullable: a key has a value in every row", name)
		case slices.Contains(t.Key[:i], name):
			fault("key column %s is there twice", name)
		}
	}
	return errors.Join(faults...)
}

// column is the index of a column, or -1.
func (t *Table) column(name string) int { return columnOf(t.Columns, name) }

func columnOf(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
}

// cell is one value as CSV says it, without quotes and apostrophe.
type cell struct {
	text []byte
	null bool
}

// checker turns the rows of a table into cells and holds them to what the table declares.
type checker struct {
	table    *Table
	key      []int // columns
	currency []int // per column; -1: none
	number   int64
	named    bool       // the key's cells are those of the row
	cells    []cell     // of the row
	units    []*big.Int // of the row's amounts; nil where there is none
	last     []cell     // key of the row before
}

func newChecker(t *Table) *checker {
	n := len(t.Columns)
	c := &checker{table: t, cells: make([]cell, n), units: make([]*big.Int, n), last: make([]cell, len(t.Key))}
	for _, name := range t.Key {
		c.key = append(c.key, t.column(name))
	}
	for _, col := range t.Columns {
		c.currency = append(c.currency, t.column(col.Currency))
	}
	return c
}

// take reads one row into cells and units, which hold until the next.
func (c *checker) take(row Row) error {
	c.number++
	c.named = false
	if len(row) != len(c.table.Columns) {
		return c.fault(-1, fmt.Sprintf("has %d cells for %d columns", len(row), len(c.table.Columns)), "give one per column, in their order")
	}
	for _, i := range c.key { // first: a fault elsewhere names the row by them
		if err := c.read(i, row[i]); err != nil {
			return err
		}
	}
	c.named = true
	for i, v := range row {
		if slices.Contains(c.key, i) {
			continue
		}
		if err := c.read(i, v); err != nil {
			return err
		}
	}
	for i, of := range c.currency {
		if of >= 0 && !c.cells[i].null && !currencyCode(c.cells[of]) {
			return c.fault(of, "is not an ISO 4217 code, and "+c.table.Columns[i].Name+" has an amount", "give the currency of the amount, as EUR")
		}
	}
	return c.order()
}

// read makes one cell.
func (c *checker) read(i int, v Value) error {
	col, text := c.table.Columns[i], c.cells[i].text[:0]
	c.cells[i].null, c.units[i] = v.Null(), nil
	switch {
	case v.Null() && !col.Nullable:
		return c.fault(i, "is NULL, and the column is not nullable", "give a value, or declare the column nullable")
	case v.Null():
	case v.typ != col.Type:
		return c.fault(i, fmt.Sprintf("holds %s, and the column is %s", v.typ, col.Type), "make one of them the other")
	default:
		if fault, mend := c.fits(i, v); fault != "" {
			return c.fault(i, fault, mend)
		}
		text = v.appendText(text, c.units[i])
	}
	c.cells[i].text = text
	return nil
}

// fits tells what of a value cannot be written; it keeps the units of an amount.
func (c *checker) fits(i int, v Value) (fault, mend string) {
	switch v.typ {
	case TypeString:
		if !utf8.ValidString(v.text) {
			return "is not valid UTF-8", "decode it where it comes from"
		}
	case TypeAmount:
		c.units[i], fault, mend = scaled(v.amount)
	case TypeTimestamp:
		if at := v.at.UTC(); at.Year() < 1 || at.Year() > 9999 {
			return "is not in the years 1 to 9999", "give NULL for an instant that is not known"
		}
		if v.at.Nanosecond()%int(time.Microsecond) != 0 {
			return "is finer than a microsecond", "truncate it where the row is made"
		}
	case TypeDate:
		if !v.day.valid() {
			return "is not a day of the calendar", "give NULL for a day that is not known"
		}
	case TypeInt64, TypeBool:
	}
	return fault, mend
}

func currencyCode(c cell) bool {
	return !c.null && len(c.text) == 3 && !slices.ContainsFunc(c.text, func(b byte) bool { return b < 'A' || b > 'Z' })
}

// order tells whether the row comes after the one before.
func (c *checker) order() error {
	if c.number > 1 {
		than := 0
		for k, i := range c.key {
			if than = compare(c.table.Columns[i].Type, c.cells[i].text, c.last[k].text); than != 0 {
				break
			}
		}
		switch {
		case than == 0:
			return c.fault(-1, "has the key of the row before", "give each key once, or add the column that tells them apart to the key")
		case than < 0:
			return c.fault(-1, "comes after a greater key", `sort by the key, strings by bytes (ORDER BY … COLLATE "C")`)
		}
	}
	for k, i := range c.key {
		c.last[k].text = append(c.last[k].text[:0], c.cells[i].text...)
	}
	return nil
}

// fault is a RowError of a column, or of the row where the column is -1.
func (c *checker) fault(column int, fault, mend string) error {
	e := &RowError{Table: c.table.Name, Number: c.number, Fault: fault, Mend: mend}
	if column >= 0 {
		e.Column = c.table.Columns[column].Name
	}
	if c.named {
		e.Key = c.keyText()
	}
	return e
}

// keyText is "order_id=1001, line=2".
func (c *checker) keyText() string {
	var parts []string
	for _, i := range c.key {
		parts = append(parts, c.table.Columns[i].Name+"="+string(c.cells[i].text))
	}
	return strings.Join(parts, ", ")
}

// compare orders two values of a type, each as CSV says it, that are not NULL.
func compare(t Type, a, b []byte) int {
	if t != TypeInt64 && t != TypeAmount {
		return bytes.Compare(a, b) // days, instants and booleans are written so that they sort by bytes
	}
	minus := []byte{'-'}
	switch negA, negB := bytes.HasPrefix(a, minus), bytes.HasPrefix(b, minus); {
	case negA && negB:
		return magnitude(b[1:], a[1:])
	case negA:
		return -1
	case negB:
		return 1
	}
	return magnitude(a, b)
}

// magnitude orders two numbers without sign and leading zeros, of as many decimals.
func magnitude(a, b []byte) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}
