package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
)

// staged is a table whose files are made but not delivered.
type staged struct {
	entry        TableEntry
	csv, parquet string // paths in the scratch folder
}

// cancelEvery is how many rows pass between two looks at the context.
const cancelEvery = 128

// stage writes both files of a table into a folder.
func stage(ctx context.Context, dir string, t *Table) (_ staged, err error) {
	out := staged{csv: filepath.Join(dir, t.Name+".csv"), parquet: filepath.Join(dir, t.Name+".parquet")}
	csv, err := createSheet(out.csv)
	if err != nil {
		return staged{}, err
	}
	defer csv.file.Close()
	columnar, err := createSheet(out.parquet)
	if err != nil {
		return staged{}, err
	}
	defer columnar.file.Close()

	w := newParquetWriter(columnar, t.Name, t.Columns)
	check, sums := newChecker(t), newSums(t)
	line := appendHeader(nil, t.Columns)
	if _, err := csv.Write(line); err != nil {
		return staged{}, err
	}
	for row, err := range t.Rows {
		if err != nil {
			return staged{}, fmt.Errorf("table %s, after row %d: %w", t.Name, check.number, err)
		}
		if check.number%cancelEvery == 0 && ctx.Err() != nil {
			return staged{}, fmt.Errorf("table %s, after row %d: %w", t.Name, check.number, context.Cause(ctx))
		}
		if err := check.take(row); err != nil {
			return staged{}, err
		}
		sums.add(check)
		line = appendLine(line[:0], t.Columns, check.cells)
		if _, err := csv.Write(line); err != nil {
			return staged{}, err
		}
		if err := w.write(row, check.cells, check.units); err != nil {
			return staged{}, fmt.Errorf("table %s, row %d to Parquet: %w", t.Name, check.number, err)
		}
	}
	if err := w.close(); err != nil {
		return staged{}, fmt.Errorf("table %s to Parquet: %w", t.Name, err)
	}
	out.entry = TableEntry{Name: t.Name, Columns: t.Columns, Key: t.Key, Rows: check.number, Totals: sums.totals(t.Columns)}
	var failed [2]error
	out.entry.CSV, failed[0] = csv.finish(t.Name, "csv")
	out.entry.Parquet, failed[1] = columnar.finish(t.Name, "parquet")
	return out, errors.Join(failed[:]...)
}

// sheet is a file in the scratch folder that counts and digests what is written to it.
type sheet struct {
	file  *os.File
	w     *bufio.Writer
	sum   hash.Hash
	bytes int64
}

func createSheet(path string) (*sheet, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s := &sheet{file: f, sum: sha256.New()}
	s.w = bufio.NewWriterSize(io.MultiWriter(f, s.sum), 256<<10)
	return s, nil
}

// Write appends to the file.
func (s *sheet) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.bytes += int64(n)
	return n, err
}

// finish closes the file and says what it is.
func (s *sheet) finish(table, ext string) (File, error) {
	if err := errors.Join(s.w.Flush(), s.file.Close()); err != nil {
		return File{}, err
	}
	sum := s.sum.Sum(nil)
	return File{Name: table + "-" + shortHash(sum) + "." + ext, Bytes: s.bytes, SHA256: hex.EncodeToString(sum)}, nil
}

// sums are a table's control totals while it is read: per amount column, per currency. Currencies have three letters, so
// there are not many.
type sums map[int]map[string]*sum

type sum struct {
	rows  int64
	units *big.Int
}

func newSums(t *Table) sums {
	s := sums{}
	for i, c := range t.Columns {
		if c.Type == TypeAmount {
			s[i] = map[string]*sum{}
		}
	}
	return s
}

// add counts the row that the checker holds.
func (s sums) add(c *checker) {
	for i, by := range s {
		if c.units[i] == nil {
			continue
		}
		var currency []byte
		if of := c.currency[i]; of >= 0 {
			currency = c.cells[of].text
		}
		one := by[string(currency)]
		if one == nil {
			one = &sum{units: new(big.Int)}
			by[string(currency)] = one
		}
		one.rows++
		one.units.Add(one.units, c.units[i])
	}
}

// totals are the sums, of columns by their place in the table.
func (s sums) totals(columns []Column) []Total {
	out := []Total{}
	for _, i := range slices.Sorted(maps.Keys(s)) {
		for _, currency := range slices.Sorted(maps.Keys(s[i])) {
			one := s[i][currency]
			out = append(out, Total{Column: columns[i].Name, Currency: currency, Rows: one.rows, Sum: string(appendUnits(nil, one.units))})
		}
	}
	return out
}
