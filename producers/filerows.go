package producers

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// row is one row of a file. Number counts from 1; 0 stands for the whole file.
type row struct {
	number  int
	line    int64 // 1-based; 0 when unknown
	raw     []byte
	node    *node  // an object of the row's cells by column
	columns string // the file's header line
	fault   *fault
}

// rows reads the file, whose byte order mark is off, row by row. A fault of the whole file is one row with number 0.
func (f *fileFormat) rows(content []byte) iter.Seq[row] {
	whole := func(format string, args ...any) iter.Seq[row] {
		r := row{raw: content, fault: &fault{"", fmt.Sprintf(format, args...)}}
		return func(yield func(row) bool) { yield(r) }
	}
	switch {
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		return whole("the file is UTF-16: export it as UTF-8")
	case len(bytes.TrimSpace(content)) == 0:
		return whole("the file is empty")
	case f.json:
		return f.jsonRows(content, whole)
	}
	return f.csvRows(content, whole)
}

// wholeFault makes the only row of a file that cannot be read.
type wholeFault func(format string, args ...any) iter.Seq[row]

// separator is the one of comma, semicolon and tab that the header line has most of.
func separator(header []byte) rune {
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := bytes.Count(header, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

func (f *fileFormat) csvRows(content []byte, whole wholeFault) iter.Seq[row] {
	head, _, _ := bytes.Cut(content, []byte("\n"))
	in := csv.NewReader(bytes.NewReader(content))
	in.Comma, in.FieldsPerRecord = separator(head), -1
	header, err := in.Read()
	if err != nil {
		return whole("line 1: %v: the first line must name the columns", err)
	}
	if fault := f.checkHeader(header); fault != "" {
		return whole("line 1: %s", fault)
	}
	columns := strings.TrimRight(string(head), "\r")
	return func(yield func(row) bool) {
		for number := 1; ; number++ {
			from := in.InputOffset()
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			r := row{number: number, columns: columns, raw: bytes.Trim(content[from:in.InputOffset()], "\r\n")}
			r.read(in, header, cells, err)
			if !yield(r) {
				return
			}
		}
	}
}

// read puts the cells under their columns.
func (r *row) read(in *csv.Reader, header, cells []string, err error) {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		r.line = int64(parse.StartLine)
		r.fault = &fault{"", fmt.Sprintf("%v in column %d: mend the quoting", parse.Err, parse.Column)}
		return
	}
	if err != nil {
		r.fault = &fault{"", err.Error()}
		return
	}
	line, _ := in.FieldPos(0)
	r.line = int64(line)
	if len(cells) != len(header) {
		r.fault = &fault{"", fmt.Sprintf("the row has %d cells, the header %d: a separator too many or too few, or an unquoted one", len(cells), len(header))}
		return
	}
	r.node = &node{kind: kindObject}
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			r.fault = &fault{header[i], "the cell is not UTF-8: export the file as UTF-8"}
			return
		}
		kid := &node{kind: kindString, text: cell, name: header[i], up: r.node, secret: bearerNames[header[i]]}
		r.node.kids = append(r.node.kids, kid)
	}
}

// checkHeader says what is wrong with the columns; empty when nothing is.
func (f *fileFormat) checkHeader(header []string) string {
	seen := map[string]bool{}
	for _, h := range header {
		switch {
		case h == "":
			return "a column has no name"
		case seen[h]:
			return fmt.Sprintf("column %q is there twice", h)
		case !utf8.ValidString(h):
			return "a column's name is not UTF-8: export the file as UTF-8"
		}
		seen[h] = true
	}
	for _, c := range f.columns {
		if !seen[c.column] {
			return fmt.Sprintf("column %q, which the source maps to %s, is not in the file; its columns are %s", c.column, c.path, strings.Join(header, ", "))
		}
	}
	for _, rule := range f.Rules {
		if !slices.Contains(header, rule.Column) {
			return fmt.Sprintf("column %q of a rule is not in the file; its columns are %s", rule.Column, strings.Join(header, ", "))
		}
	}
	return ""
}

// jsonRows reads an array of objects, one object, or an object a line.
func (f *fileFormat) jsonRows(content []byte, whole wholeFault) iter.Seq[row] {
	root, err := parseUpTo(content, math.MaxInt)
	if err != nil && bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return jsonLines(content)
	}
	if err != nil {
		return whole("the file is not exact JSON: %v", err)
	}
	list := []*node{root}
	if root.kind == kindArray {
		list = root.kids
	}
	return func(yield func(row) bool) {
		at, line := 0, int64(1)
		for i, n := range list {
			line += int64(bytes.Count(content[at:n.from], []byte("\n")))
			at = n.from
			if !yield(jsonRow(i+1, line, content[n.from:n.to], n)) {
				return
			}
		}
	}
}

func jsonRow(number int, line int64, raw []byte, n *node) row {
	r := row{number: number, line: line, raw: raw, node: n}
	if n.kind != kindObject {
		r.fault = &fault{"", "the row is not an object"}
		return r
	}
	n.up, n.name = nil, "" // paths start at the row
	return r
}

func jsonLines(content []byte) iter.Seq[row] {
	return func(yield func(row) bool) {
		line, number := int64(0), 0
		for raw := range bytes.Lines(content) {
			line++
			raw = bytes.TrimSpace(raw)
			if len(raw) == 0 {
				continue
			}
			number++
			n, err := parseJSON(raw)
			r := row{number: number, line: line, raw: raw}
			if err != nil {
				r.fault = &fault{"", "the line is not exact JSON: " + err.Error()}
			} else {
				r = jsonRow(number, line, raw, n)
			}
			if !yield(r) {
				return
			}
		}
	}
}
