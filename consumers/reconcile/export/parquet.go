package export

import (
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// A row group is what the writer holds in memory, and what a reader reads at once.
const (
	groupRows  = 50_000
	groupBytes = 16 << 20 // of the cells as text
)

// amountBytes is the size of a DECIMAL(20,4) as a fixed-length byte array: the fewest bytes that hold 10^20 with its sign.
const amountBytes = 9

var amountWrap = new(big.Int).Lsh(big.NewInt(1), 8*amountBytes)

// parquetWriter writes the cells of one table.
type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns []Column
	row     parquet.Row
	amounts [][amountBytes]byte // room for the row's amounts
	rows    int                 // in the row group
	bytes   int
}

func newParquetWriter(to io.Writer, table string, columns []Column) *parquetWriter {
	options := []parquet.WriterOption{
		parquet.NewSchema(table, newRoot(columns)),
		parquet.Compression(&parquet.Zstd),
		parquet.CreatedBy("seam", "1.0.0", "export"), // ours and not the library's, whose text depends on how it was built
	}
	for _, c := range columns {
		if c.Type == TypeAmount { // the library orders these by bytes, which puts negative amounts last: no bounds are better than wrong ones
			options = append(options, parquet.SkipPageBounds(c.Name))
		}
	}
	return &parquetWriter{w: parquet.NewGenericWriter[any](to, options...), columns: columns,
		row: make(parquet.Row, len(columns)), amounts: make([][amountBytes]byte, len(columns))}
}

// write adds one row, which the checker has taken.
func (p *parquetWriter) write(row Row, cells []cell, units []*big.Int) error {
	for i, c := range p.columns {
		level := 0
		if c.Nullable && !cells[i].null {
			level = 1
		}
		p.row[i] = p.value(i, row[i], cells[i], units[i]).Level(0, level, i)
		p.bytes += len(cells[i].text)
	}
	if _, err := p.w.WriteRows([]parquet.Row{p.row}); err != nil {
		return err
	}
	p.rows++
	if p.rows < groupRows && p.bytes < groupBytes {
		return nil
	}
	p.rows, p.bytes = 0, 0
	return p.w.Flush()
}

func (p *parquetWriter) value(i int, v Value, c cell, units *big.Int) parquet.Value {
	switch v.typ {
	case TypeString:
		return parquet.ByteArrayValue(c.text)
	case TypeInt64:
		return parquet.Int64Value(v.number)
	case TypeAmount:
		if units.Sign() < 0 {
			units = new(big.Int).Add(units, amountWrap)
		}
		return parquet.FixedLenByteArrayValue(units.FillBytes(p.amounts[i][:]))
	case TypeTimestamp:
		return parquet.Int64Value(v.at.UnixMicro())
	case TypeDate:
		return parquet.Int32Value(int32(v.day.In(time.UTC).Unix() / (24 * 60 * 60)))
	case TypeBool:
		return parquet.BooleanValue(v.number == 1)
	}
	return parquet.NullValue()
}

func (p *parquetWriter) close() error { return p.w.Close() }

// root is the schema's root: a parquet.Group, whose fields are sorted by name, with the columns in their own order.
type root struct {
	parquet.Group
	order []string
}

func newRoot(columns []Column) root {
	r := root{Group: parquet.Group{}}
	for _, c := range columns {
		r.Group[c.Name] = node(c)
		r.order = append(r.order, c.Name)
	}
	return r
}

// Fields gives the columns in their own order.
func (r root) Fields() []parquet.Field {
	fields := r.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(r.order, a.Name()) - slices.Index(r.order, b.Name())
	})
	return fields
}

// node is a column in the schema.
func node(c Column) parquet.Node {
	var n parquet.Node
	switch c.Type {
	case TypeInt64:
		n = parquet.Int(64)
	case TypeAmount:
		n = parquet.Decimal(amountScale, amountPrecision, parquet.FixedLenByteArrayType(amountBytes))
	case TypeTimestamp:
		n = parquet.Timestamp(parquet.Microsecond)
	case TypeDate:
		n = parquet.Date()
	case TypeBool:
		n = parquet.Leaf(parquet.BooleanType)
	default:
		n = parquet.String()
	}
	if c.Nullable {
		n = parquet.Optional(n)
	}
	return n
}
