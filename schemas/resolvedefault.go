package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// maxDefaultDepth bounds a default that holds its own record.
const maxDefaultDepth = 32

var errBadDefault = errors.New("value does not fit the type")

// defaultNative is a default of a schema as a native of type n. Of a union it is the first branch that the value fits.
func defaultNative(n *node, v any, depth int) (any, error) {
	if depth > maxDefaultDepth {
		return nil, errors.New("it holds itself")
	}
	switch n.kind {
	case avroRecord:
		return defaultRecord(n, v, depth)
	case avroArray:
		return defaultArray(n, v, depth)
	case avroMap:
		return defaultMap(n, v, depth)
	case avroUnion:
		for _, b := range n.branches {
			val, err := defaultNative(b, v, depth+1)
			if err == nil && b.kind != avroNull {
				return map[string]any{b.wire: val}, nil
			}
			if err == nil {
				return nil, nil
			}
		}
		return nil, fmt.Errorf("%v: %w %s", v, errBadDefault, n.describe())
	}
	out, ok := defaultScalar(n, v)
	if !ok {
		return nil, fmt.Errorf("%v: %w %s", v, errBadDefault, n.describe())
	}
	return out, nil
}

func defaultScalar(n *node, v any) (any, bool) {
	text, isText := v.(string)
	num, isNumber := v.(json.Number)
	switch n.kind {
	case avroNull:
		return nil, v == nil
	case avroBoolean:
		b, ok := v.(bool)
		return b, ok
	case avroInt:
		i, err := strconv.ParseInt(num.String(), 10, 32)
		return int32(i), isNumber && err == nil
	case avroLong:
		i, err := strconv.ParseInt(num.String(), 10, 64)
		return i, isNumber && err == nil
	case avroFloat:
		f, ok := defaultFloat(v, 32)
		return float32(f), ok
	case avroDouble:
		return defaultFloat(v, 64)
	case avroString:
		return text, isText
	case avroEnum:
		return text, isText && slices.Contains(n.symbols, text)
	}
	b, ok := defaultBytes(text)
	return b, ok && isText && (n.kind != avroFixed || len(b) == n.size)
}

// defaultFloat reads a number, or a word for what JSON has no number for.
func defaultFloat(v any, bits int) (float64, bool) {
	switch v {
	case "NaN":
		return math.NaN(), true
	case "Infinity", "INF":
		return math.Inf(1), true
	case "-Infinity", "-INF":
		return math.Inf(-1), true
	}
	num, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(num.String(), bits)
	return f, err == nil
}

// defaultBytes reads Avro's text for bytes: code points 0 to 255 are the bytes.
func defaultBytes(s string) ([]byte, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, false
		}
		out = append(out, byte(r))
	}
	return out, true
}

func defaultRecord(n *node, v any, depth int) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v: %w %s", v, errBadDefault, n.describe())
	}
	out := make(map[string]any, len(n.fields))
	for _, f := range n.fields {
		val, ok := m[f.name]
		if !ok && !f.hasElse {
			return nil, under(f.name, errors.New("has no default"))
		}
		if !ok {
			val = f.orElse
		}
		var err error
		if out[f.name], err = defaultNative(f.typ, val, depth+1); err != nil {
			return nil, under(f.name, err)
		}
	}
	return out, nil
}

func defaultArray(n *node, v any, depth int) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%v: %w array", v, errBadDefault)
	}
	out := make([]any, len(list))
	for i, item := range list {
		var err error
		if out[i], err = defaultNative(n.elem, item, depth+1); err != nil {
			return nil, under(fmt.Sprintf("[%d]", i), err)
		}
	}
	return out, nil
}

func defaultMap(n *node, v any, depth int) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v: %w map", v, errBadDefault)
	}
	out := make(map[string]any, len(m))
	for k, item := range m {
		var err error
		if out[k], err = defaultNative(n.elem, item, depth+1); err != nil {
			return nil, under(fmt.Sprintf("[%q]", k), err)
		}
	}
	return out, nil
}
