package export

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// appendHeader appends the CSV's first line.
func appendHeader(dst []byte, columns []Column) []byte {
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.Name...)
	}
	return append(dst, "\r\n"...)
}

// appendLine appends one row. A NULL is nothing, a text is in quotes, everything else is as it is.
func appendLine(dst []byte, columns []Column, cells []cell) []byte {
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case c.null:
		case columns[i].Type == TypeString:
			dst = appendQuoted(dst, c.text)
		default:
			dst = append(dst, c.text...)
		}
	}
	return append(dst, "\r\n"...)
}

// guarded are the beginnings of a text that get an apostrophe before them: those that a spreadsheet takes for a formula or
// drops, and the apostrophe itself, so that taking the first one off gives the text. Source: OWASP, "CSV Injection".
var guarded = []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'"}

func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, begin := range guarded {
		if len(text) >= len(begin) && string(text[:len(begin)]) == begin {
			dst = append(dst, '\'')
			break
		}
	}
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return append(append(dst, text...), '"')
		}
		dst = append(append(dst, text[:i+1]...), '"')
		text = text[i+1:]
	}
}

// csvReader reads back what appendHeader and appendLine wrote, and nothing else.
type csvReader struct {
	r     *bufio.Reader
	cells []cell // of the row, until the next
}

// newCSVReader reads the header, which must be that of the columns.
func newCSVReader(from io.Reader, columns []Column) (*csvReader, error) {
	r := bufio.NewReaderSize(from, 64<<10)
	want := appendHeader(nil, columns)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return nil, torn(err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("%w: header is %q, not %s", errTorn, got, strings.TrimSpace(string(want)))
	}
	return &csvReader{r: r, cells: make([]cell, len(columns))}, nil
}

// next reads one row into cells; false at the end.
func (c *csvReader) next() (bool, error) {
	if _, err := c.r.Peek(1); errors.Is(err, io.EOF) {
		return false, nil
	}
	for i := range c.cells {
		end := byte(',')
		if i == len(c.cells)-1 {
			end = '\r'
		}
		if err := c.cell(&c.cells[i], end); err != nil {
			return false, torn(err)
		}
	}
	b, err := c.r.ReadByte()
	if err == nil && b != '\n' {
		err = fmt.Errorf("%w: a line does not end in CRLF", errTorn)
	}
	return err == nil, torn(err)
}

// errTorn tells of a file that is not as it was written, and not of one that cannot be read now.
var errTorn = errors.New("not as it was written")

// torn makes an end before its time errTorn.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends within a line", errTorn)
	}
	return err
}

// cell reads one cell and the byte that ends it.
func (c *csvReader) cell(into *cell, end byte) error {
	into.text, into.null = into.text[:0], false
	b, err := c.r.ReadByte()
	if err != nil {
		return err
	}
	if b == '"' {
		return c.quoted(into, end)
	}
	for b != end {
		into.text = append(into.text, b)
		if b, err = c.r.ReadByte(); err != nil {
			return err
		}
	}
	into.null = len(into.text) == 0
	return nil
}

// quoted reads the rest of a text after its first quote, and the byte that ends the cell.
func (c *csvReader) quoted(into *cell, end byte) error {
	for {
		part, err := c.r.ReadSlice('"')
		into.text = append(into.text, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		} else if err != nil {
			return err
		}
		b, err := c.r.ReadByte()
		if err != nil {
			return err
		}
		if b == '"' {
			continue // two quotes are one, and ReadSlice gave it
		}
		if b != end {
			return fmt.Errorf("%w: a text is followed by %q", errTorn, b)
		}
		into.text = into.text[:len(into.text)-1]
		into.text = bytes.TrimPrefix(into.text, []byte("'"))
		return nil
	}
}
