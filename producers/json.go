package producers

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth bounds the nesting of a document; the deepest real payload has 9 levels.
	maxDepth = 64
	// maxValues bounds the values of one delivery, as each takes a hundred bytes; an order of 1000 lines has 60000.
	maxValues = 200_000
)

// kind is the kind of a JSON value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// node is one value of an exact document. Text is the decoded string, or the literal of a number, true or false as
// written: a number never passes through a float.
type node struct {
	kind   kind
	text   string
	name   string  // member name or index in the parent; empty for the root
	kids   []*node // of arrays and objects, in order
	up     *node
	from   int  // offset of the value's first byte
	to     int  // offset behind its last byte
	taken  bool // mapped to a typed field
	secret bool // a bearer secret: never copied anywhere
	own    bool // read as an event of its own: not part of what is left of its parent
}

// syntaxError says what is wrong with a document and where.
type syntaxError struct {
	Path   string // of the value being read
	Offset int    // in bytes
	Text   string
}

// Error is "offset 12, order.id: text".
func (e *syntaxError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("offset %d: %s", e.Offset, e.Text)
	}
	return fmt.Sprintf("offset %d, %s: %s", e.Offset, e.Path, e.Text)
}

// parseJSON reads one document of RFC 8259, exactly: number literals stay as written, a duplicate member, a trailing
// comma, an unpaired surrogate, invalid UTF-8, more than maxDepth levels or maxValues values is a *syntaxError.
func parseJSON(b []byte) (*node, error) { return parseUpTo(b, maxValues) }

// parseUpTo is parseJSON with another bound on the values: files and pages of an API are lists of deliveries.
func parseUpTo(b []byte, values int) (*node, error) { return new(parser).parse(b, values) }

// parser is a position in a document.
type parser struct {
	b    []byte
	s    string // the same bytes
	i    int
	left int     // values that may still come
	utf8 bool    // the whole document is UTF-8, so that no string of it needs a look
	open []*node // the values read so far of the arrays and objects that are not closed yet
	room nursery
}

// parse reads one document. Its texts share one copy of b.
func (p *parser) parse(b []byte, values int) (*node, error) {
	p.b, p.s, p.i, p.left = b, string(b), 0, values
	p.utf8 = utf8.ValidString(p.s)
	root := p.room.node()
	p.space()
	if err := p.value(root, 0); err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(p.b) {
		return nil, p.fail(root, "text after the end of the document")
	}
	return root, nil
}

func (p *parser) fail(n *node, format string, args ...any) error {
	return &syntaxError{Path: n.path(), Offset: p.i, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// value reads one value into n.
func (p *parser) value(n *node, depth int) error {
	if depth > maxDepth {
		return p.fail(n, "more than %d levels deep", maxDepth)
	}
	if p.left--; p.left < 0 {
		return p.fail(n, "more values than one delivery may have (%d)", maxValues)
	}
	n.from = p.i
	err := p.anyValue(n, depth)
	n.to = p.i
	return err
}

func (p *parser) anyValue(n *node, depth int) error {
	switch c := p.peek(); {
	case c == '"':
		n.kind = kindString
		s, err := p.str(n)
		n.text = s
		return err
	case c == '-' || c >= '0' && c <= '9':
		n.kind = kindNumber
		return p.number(n)
	case c == '{':
		return p.object(n, depth)
	case c == '[':
		return p.array(n, depth)
	case c == 0 && p.i >= len(p.b):
		return p.fail(n, "the document ends early")
	}
	for _, w := range []string{"true", "false", "null"} {
		if strings.HasPrefix(p.s[p.i:], w) {
			p.i += len(w)
			n.text, n.kind = w, kindBool
			if w == "null" {
				n.kind = kindNull
			}
			return nil
		}
	}
	return p.fail(n, "%q does not start a value (a trailing comma before it?)", p.peek())
}

func (p *parser) object(n *node, depth int) error {
	n.kind = kindObject
	if p.empty('}') {
		return nil
	}
	var seen nameSet
	base := len(p.open)
	for more := true; more; {
		if p.peek() != '"' {
			return p.fail(n, "a member name was expected (a trailing comma?)")
		}
		at := p.i
		name, err := p.str(n)
		if err != nil {
			return err
		}
		if !seen.add(name, p.open[base:]) {
			p.i = at
			return p.fail(n, "member %q is there twice: which one counts is unknown", name)
		}
		p.space()
		if p.peek() != ':' {
			return p.fail(n, "%q must be followed by a colon", name)
		}
		p.i++
		p.space()
		if err := p.child(n, name, depth); err != nil {
			return err
		}
		if more, err = p.next(n, '}'); err != nil {
			return err
		}
	}
	p.close(n, base)
	return nil
}

func (p *parser) array(n *node, depth int) error {
	n.kind = kindArray
	if p.empty(']') {
		return nil
	}
	base := len(p.open)
	for more := true; more; {
		err := p.child(n, strconv.Itoa(len(p.open)-base), depth)
		if err != nil {
			return err
		}
		if more, err = p.next(n, ']'); err != nil {
			return err
		}
	}
	p.close(n, base)
	return nil
}

// child reads the value of a member or an element, and lists it as open.
func (p *parser) child(n *node, name string, depth int) error {
	kid := p.room.node()
	kid.name, kid.up, kid.secret = name, n, n.secret || bearerName(name)
	p.open = append(p.open, kid)
	return p.value(kid, depth+1)
}

// close gives n the values that were read since base.
func (p *parser) close(n *node, base int) {
	n.kids = p.room.list(p.open[base:])
	p.open = p.open[:base]
}

// empty goes behind an opening byte, and when the list ends at once behind its end, which it tells.
func (p *parser) empty(end byte) bool {
	p.i++
	p.space()
	if p.peek() != end {
		return false
	}
	p.i++
	return true
}

// next goes behind the comma after an item; false when the list ends instead, and then behind its end.
func (p *parser) next(n *node, end byte) (more bool, err error) {
	p.space()
	switch p.peek() {
	case ',':
		p.i++
		p.space()
		if p.peek() == end {
			return false, p.fail(n, "trailing comma")
		}
		return true, nil
	case end:
		p.i++
		return false, nil
	}
	return false, p.fail(n, "a comma or %q was expected", end)
}

// digits goes behind the digits that follow and tells whether there were any.
func (p *parser) digits() bool {
	at := p.i
	for p.i < len(p.b) && p.b[p.i]-'0' <= 9 {
		p.i++
	}
	return p.i > at
}

// number reads a literal by the grammar and keeps its text.
func (p *parser) number(n *node) error {
	start := p.i
	if p.peek() == '-' {
		p.i++
	}
	zero := p.peek() == '0'
	whole := p.i
	if !p.digits() || zero && p.i > whole+1 {
		p.i = start
		return p.fail(n, "not a number")
	}
	if p.peek() == '.' {
		p.i++
		if !p.digits() {
			return p.fail(n, "a digit was expected after the point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.i++
		if c := p.peek(); c == '+' || c == '-' {
			p.i++
		}
		if !p.digits() {
			return p.fail(n, "a digit was expected in the exponent")
		}
	}
	n.text = p.s[start:p.i]
	return nil
}

// str reads a string and decodes its escapes.
func (p *parser) str(n *node) (string, error) {
	p.i++
	start := p.i
	var out []byte // nil while the text needs no decoding
	for {
		p.plain()
		if p.i >= len(p.b) {
			return "", p.fail(n, "the string does not end")
		}
		switch c := p.b[p.i]; c {
		case '"':
			s := p.s[start:p.i]
			if out != nil {
				s = string(append(out, s...))
			}
			if !p.utf8 && !utf8.ValidString(s) {
				return "", p.fail(n, "the string is not UTF-8")
			}
			p.i++
			return s, nil
		case '\\':
			out = append(out, p.b[start:p.i]...)
			var err error
			if out, err = p.escape(n, out); err != nil {
				return "", err
			}
			start = p.i
		default:
			return "", p.fail(n, "a control character (0x%02x) stands bare in a string", c)
		}
	}
}

// plain goes to the next byte of a string that is a quote, a backslash or a control character, or to the end: eight bytes
// at a time, by the carries of https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord. A carry may mark bytes
// above the lowest that is marked, never that one.
func (p *parser) plain() {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := p.i
	for ; i+8 <= len(p.b); i += 8 {
		w := binary.LittleEndian.Uint64(p.b[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs; found != 0 {
			p.i = i + bits.TrailingZeros64(found)/8
			return
		}
	}
	for i < len(p.b) && p.b[i] != '"' && p.b[i] != '\\' && p.b[i] >= 0x20 {
		i++
	}
	p.i = i
}

// escapes are the single-letter escapes.
var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(n *node, out []byte) ([]byte, error) {
	p.i++
	c := p.peek()
	if e, ok := escapes[c]; ok {
		p.i++
		return append(out, e), nil
	}
	if c != 'u' {
		return nil, p.fail(n, "\\%c is not an escape", c)
	}
	r, err := p.hex(n)
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		if p.i+1 >= len(p.b) || p.b[p.i] != '\\' || p.b[p.i+1] != 'u' {
			return nil, p.fail(n, "half of a surrogate pair")
		}
		p.i++
		low, err := p.hex(n)
		if err != nil {
			return nil, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, p.fail(n, "half of a surrogate pair")
		}
	}
	return utf8.AppendRune(out, r), nil
}

// hex reads uXXXX.
func (p *parser) hex(n *node) (rune, error) {
	if p.i+5 > len(p.b) {
		return 0, p.fail(n, "\\u needs four hex digits")
	}
	v, err := strconv.ParseUint(string(p.b[p.i+1:p.i+5]), 16, 32)
	if err != nil {
		return 0, p.fail(n, "\\u needs four hex digits")
	}
	p.i += 5
	return rune(v), nil
}
