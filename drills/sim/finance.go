package sim

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ExportRow is one line of the finance export, less its key.
type ExportRow struct {
	Key, EventID, Type, OrderID, Amount, Currency, Time string
	Times                                               int // how often the key stands in the files
}

// newFinance has no listener: the department reads the files it is given.
func newFinance(w *World) *System {
	return &System{name: "finance", count: func() map[string]map[string]int {
		out := map[string]map[string]int{}
		rows, err := w.Export()
		if err != nil {
			return map[string]map[string]int{"": {err.Error(): 1}}
		}
		for _, r := range rows {
			if out[r.OrderID] == nil {
				out[r.OrderID] = map[string]int{}
			}
			out[r.OrderID][r.Type]++
		}
		return out
	}}
}

// Export reads every file of the export as finance does: one row per idempotency key, a repeated key counted, not booked
// again. The head of a file names the columns; idempotency_key comes first. Rows are sorted by key. A folder that is
// not there yet is an empty export; a file that does not parse is an error naming file and line.
func (w *World) Export() ([]ExportRow, error) {
	files, err := filepath.Glob(filepath.Join(w.cfg.ExportDir, "*", "*.csv"))
	if err != nil {
		return nil, fmt.Errorf("finance export: %w", err)
	}
	rows := map[string]*ExportRow{}
	for _, f := range files {
		if err := readExport(f, rows); err != nil {
			return nil, err
		}
	}
	out := make([]ExportRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b ExportRow) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func readExport(path string, rows map[string]*ExportRow) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("finance export: %w", err)
	}
	c := csv.NewReader(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1])) // the last line may be being written
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil // just made
	}
	if err != nil {
		return fmt.Errorf("finance export: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[name] = i
	}
	if len(head) == 0 || head[0] != "idempotency_key" {
		return fmt.Errorf("finance export %s:1: the first column must be idempotency_key, not %q", path, head)
	}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("finance export %s: %w", path, err)
		}
		if had := rows[rec[0]]; had != nil {
			had.Times++
			continue
		}
		col := func(name string) string {
			if i, ok := at[name]; ok {
				return rec[i]
			}
			return ""
		}
		rows[rec[0]] = &ExportRow{
			Key: rec[0], EventID: col("event_id"), Type: col("type"), OrderID: col("order_id"),
			Amount: col("amount"), Currency: col("currency"), Time: col("time"), Times: 1,
		}
	}
}
