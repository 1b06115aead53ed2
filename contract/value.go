package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// Value is one value of a JSON document. It is only looked at while Subject.See runs.
type Value interface {
	// Kind is one kind, not a set.
	Kind() Kind
	// Text is the text of a string; empty for everything else, and for what must not be kept.
	Text() string
	// Len is the number of members or elements.
	Len() int
	// At is a member with its name, or an element, by position.
	At(i int) (name string, v Value)
}

// Kind is a set of JSON types.
type Kind uint8

// The kinds.
const (
	Null Kind = 1 << iota
	Array
	Boolean
	Number
	Object
	String
)

var kindNames = []struct {
	kind Kind
	name string
}{{Array, "array"}, {Boolean, "boolean"}, {Null, "null"}, {Number, "number"}, {Object, "object"}, {String, "string"}}

// String lists the kinds by name: "null|string".
func (k Kind) String() string {
	var names []string
	for _, n := range kindNames {
		if k&n.kind != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, "|")
}

// kindsOf reads what String wrote; names that are not known, of a later version, are left out.
func kindsOf(text string) (k Kind) {
	for _, name := range strings.Split(text, "|") {
		for _, n := range kindNames {
			if n.name == name {
				k |= n.kind
			}
		}
	}
	return k
}

// Read parses a JSON document for Subject.See: what has no tree yet, such as an answer. A name that is there twice counts once.
func Read(b []byte) (Value, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the end of the document")
	}
	return valueOf(v), nil
}

// decoded is a Value of encoding/json.
type decoded struct {
	any
	names []string // of an object
}

func valueOf(v any) Value {
	d := decoded{any: v}
	if m, ok := v.(map[string]any); ok {
		d.names = slices.Sorted(maps.Keys(m))
	}
	return d
}

// Kind is by the Go type.
func (d decoded) Kind() Kind {
	switch d.any.(type) {
	case bool:
		return Boolean
	case json.Number:
		return Number
	case string:
		return String
	case []any:
		return Array
	case map[string]any:
		return Object
	}
	return Null
}

// Text is a string's.
func (d decoded) Text() string {
	s, _ := d.any.(string)
	return s
}

// Len counts members or elements.
func (d decoded) Len() int {
	if list, ok := d.any.([]any); ok {
		return len(list)
	}
	return len(d.names)
}

// At is by name in an object.
func (d decoded) At(i int) (string, Value) {
	if list, ok := d.any.([]any); ok {
		return "", valueOf(list[i])
	}
	m, _ := d.any.(map[string]any)
	return d.names[i], valueOf(m[d.names[i]])
}
