package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/linkedin/goavro/v2"
)

// Limits of one block of an array or a map in a record that is read. goavro allocates a block before it reads it, so
// without a limit a record of 4 bytes that claims 50 million items costs 762 MB. 65536 items are far beyond any order.
const (
	maxBlockItems = 1 << 16
	maxBlockBytes = 64 << 20
)

// limitGoavro sets goavro's package-wide limits, once, before the first codec is built.
var limitGoavro = sync.OnceFunc(func() {
	goavro.MaxBlockCount = maxBlockItems
	goavro.MaxBlockSize = maxBlockBytes
})

// newCodec builds a goavro codec for the base types of n: names without dots, no defaults, no logical types. Decimals
// are bytes and times are longs to goavro; what they mean is said once, in bind.go and native.go.
func newCodec(n *node) (codec *goavro.Codec, err error) {
	limitGoavro()
	schema, err := wireSchema(n, map[*node]bool{})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	return goavro.NewCodec(string(text))
}

// wireSchema is the JSON value of n's base types.
func wireSchema(n *node, defined map[*node]bool) (any, error) {
	if n.name != "" && defined[n] {
		return n.wire, nil
	}
	defined[n] = true
	switch n.kind {
	case avroRecord:
		fields := make([]any, len(n.fields))
		for i, f := range n.fields {
			t, err := wireSchema(f.typ, defined)
			if err != nil {
				return nil, err
			}
			fields[i] = map[string]any{"name": f.name, "type": t}
		}
		return map[string]any{"type": "record", "name": n.wire, "fields": fields}, nil
	case avroEnum:
		return map[string]any{"type": "enum", "name": n.wire, "symbols": n.symbols}, nil
	case avroFixed:
		return map[string]any{"type": "fixed", "name": n.wire, "size": n.size}, nil
	case avroArray:
		if emptyOnWire(n.elem, map[*node]bool{}) {
			return nil, errors.New("an array of items without bytes cannot be bounded")
		}
		t, err := wireSchema(n.elem, defined)
		return map[string]any{"type": "array", "items": t}, err
	case avroMap:
		t, err := wireSchema(n.elem, defined)
		return map[string]any{"type": "map", "values": t}, err
	case avroUnion:
		out := make([]any, len(n.branches))
		for i, b := range n.branches {
			t, err := wireSchema(b, defined)
			if err != nil {
				return nil, err
			}
			out[i] = t
		}
		return out, nil
	}
	return string(n.kind), nil
}

// emptyOnWire tells whether a value of n takes no bytes: then a few bytes may claim any number of them.
func emptyOnWire(n *node, open map[*node]bool) bool {
	if open[n] {
		return true // a record that holds only itself
	}
	switch n.kind {
	case avroNull:
		return true
	case avroFixed:
		return n.size == 0
	case avroRecord:
		open[n] = true
		defer delete(open, n)
		for _, f := range n.fields {
			if !emptyOnWire(f.typ, open) {
				return false
			}
		}
		return true
	}
	return false
}

// decodeWire reads one value of the codec's schema and nothing after it.
func decodeWire(codec *goavro.Codec, b []byte) (v any, err error) {
	defer func() {
		if r := recover(); r != nil { // goavro indexes some input unchecked
			v, err = nil, fmt.Errorf("avro: %v", r)
		}
	}()
	v, rest, err := codec.NativeFromBinary(b)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes left after the value", len(rest))
	}
	return v, nil
}
