package schemas

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// avroKind is one of Avro's fourteen type words.
type avroKind string

const (
	avroNull    avroKind = "null"
	avroBoolean avroKind = "boolean"
	avroInt     avroKind = "int"
	avroLong    avroKind = "long"
	avroFloat   avroKind = "float"
	avroDouble  avroKind = "double"
	avroBytes   avroKind = "bytes"
	avroString  avroKind = "string"
	avroRecord  avroKind = "record"
	avroEnum    avroKind = "enum"
	avroFixed   avroKind = "fixed"
	avroArray   avroKind = "array"
	avroMap     avroKind = "map"
	avroUnion   avroKind = "union"
)

// node is one type of a parsed schema. A recursive schema is a cyclic graph of nodes.
type node struct {
	kind    avroKind
	name    string   // full name of record, enum, fixed
	aliases []string // full names
	wire    string   // goavro's key of this type in a union: see wireText

	logical          string // empty for none and for those that Avro says to ignore
	precision, scale int    // of decimal

	fields   []avroField // record
	symbols  []string    // enum
	enumElse string      // default symbol of an enum
	size     int         // fixed
	elem     *node       // items of array, values of map
	branches []*node     // union
}

// avroField is one field of a record.
type avroField struct {
	name    string
	aliases []string
	typ     *node
	hasElse bool // whether the schema names a default
	orElse  any  // the default as JSON, numbers as json.Number
	pii     bool // marked as personal data
}

// goodName is what Avro allows as a name or a symbol.
var goodName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// primitives are the types that need no definition.
var primitives = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong,
	"float": avroFloat, "double": avroDouble, "bytes": avroBytes, "string": avroString,
}

// schemaParser holds the named types met so far.
type schemaParser struct {
	names map[string]*node
	wires map[string]bool
}

// parseSchema reads an Avro schema. referenced are schemas whose named types the text may use, in order of use. An
// error names the place in the schema: "OrderEvent.order.total".
func parseSchema(text string, referenced ...string) (*node, error) {
	p := &schemaParser{names: map[string]*node{}, wires: map[string]bool{}}
	for _, r := range referenced {
		if _, err := p.parseText(r); err != nil {
			return nil, err
		}
	}
	return p.parseText(text)
}

func (p *schemaParser) parseText(text string) (*node, error) {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		// Some registries give a primitive schema as a bare word.
		if k, ok := primitives[strings.TrimSpace(text)]; ok {
			return &node{kind: k, wire: string(k)}, nil
		}
		return nil, fmt.Errorf("schema is not JSON: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("schema is followed by more text")
	}
	return p.parse(v, "", "schema")
}

// parse reads one type; ns is the enclosing namespace, at the place for errors.
func (p *schemaParser) parse(v any, ns, at string) (*node, error) {
	switch v := v.(type) {
	case string:
		return p.parseName(v, ns, at)
	case []any:
		return p.parseUnion(v, ns, at)
	case map[string]any:
		return p.parseObject(v, ns, at)
	}
	return nil, fmt.Errorf("%s: a type is a name, a list or an object, not %T", at, v)
}

func (p *schemaParser) parseName(s, ns, at string) (*node, error) {
	if k, ok := primitives[s]; ok {
		return &node{kind: k, wire: s}, nil
	}
	for _, full := range []string{fullName(s, ns), s} {
		if n, ok := p.names[full]; ok {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s: unknown type %q", at, s)
}

func (p *schemaParser) parseUnion(list []any, ns, at string) (*node, error) {
	u := &node{kind: avroUnion, wire: "union"}
	seen := map[string]bool{}
	for i, b := range list {
		n, err := p.parse(b, ns, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return nil, err
		}
		id := n.name
		if id == "" {
			id = string(n.kind)
		}
		if n.kind == avroUnion || seen[id] {
			return nil, fmt.Errorf("%s: a union holds no union and no type twice (%s)", at, id)
		}
		seen[id] = true
		u.branches = append(u.branches, n)
	}
	if len(u.branches) == 0 {
		return nil, fmt.Errorf("%s: a union is never empty", at)
	}
	return u, nil
}

func (p *schemaParser) parseObject(m map[string]any, ns, at string) (*node, error) {
	word, ok := m["type"].(string)
	if !ok {
		if m["type"] == nil {
			return nil, fmt.Errorf("%s: object without type", at)
		}
		return p.parse(m["type"], ns, at) // {"type": {...}}: the wrapper says nothing
	}
	var n *node
	var err error
	switch avroKind(word) {
	case avroRecord, "error":
		n, err = p.parseRecord(m, ns, at)
	case avroEnum:
		n, err = p.parseEnum(m, ns, at)
	case avroFixed:
		n, err = p.parseFixed(m, ns, at)
	case avroArray:
		n = &node{kind: avroArray, wire: "array"}
		n.elem, err = p.parse(m["items"], ns, at+".items")
	case avroMap:
		n = &node{kind: avroMap, wire: "map"}
		n.elem, err = p.parse(m["values"], ns, at+".values")
	default:
		n, err = p.parseName(word, ns, at)
	}
	if err != nil {
		return nil, err
	}
	if n.name == "" || n.kind == avroFixed {
		n.readLogical(m)
	}
	return n, nil
}

// fullName is name in ns, unless it has a namespace of its own.
func fullName(name, ns string) string {
	if ns == "" || strings.Contains(name, ".") {
		return name
	}
	return ns + "." + name
}

// shortName is a full name without its namespace.
func shortName(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }

// namespaceOf is the part of a full name that shortName cuts.
func namespaceOf(full string) string {
	return strings.TrimSuffix(full[:len(full)-len(shortName(full))], ".")
}
