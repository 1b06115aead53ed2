package schemas

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// DecodeNative reads the bytes of any Avro schema for a person or a foreign reader: the full name of the schema they
// were written with ("seam.OrderEvent") and their fields. Unions are the value itself or nil, records and maps
// map[string]any, arrays []any, decimals decimal.Decimal, timestamps time.Time in UTC; everything else is Avro's base
// type in Go. A value that is no record comes under the key "value". Errors as DecodeEvent.
func (s *Serde) DecodeNative(ctx context.Context, b []byte) (schemaName string, native map[string]any, err error) {
	id, body, err := SplitHeader(b)
	if err != nil {
		return "", nil, fmt.Errorf("decode: %w", err)
	}
	w, err := s.writer(ctx, id)
	if err != nil {
		return "", nil, fmt.Errorf("decode: %w", err)
	}
	v, err := decodeWire(w.codec, body)
	if err != nil {
		return w.root.name, nil, fmt.Errorf("decode %s: %w: %w", w.root.name, ErrPoison, err)
	}
	m, ok := plain(w.root, v).(map[string]any)
	if !ok || w.root.kind != avroRecord {
		m = map[string]any{"value": plain(w.root, v)}
	}
	return w.root.name, m, nil
}

// plain turns a goavro native of type n into what DecodeNative promises.
func plain(n *node, v any) any {
	switch n.kind {
	case avroUnion:
		m, _ := v.(map[string]any)
		for _, b := range n.branches {
			if inner, ok := m[b.wire]; ok {
				return plain(b, inner)
			}
		}
		return nil
	case avroRecord:
		m, _ := v.(map[string]any)
		out := make(map[string]any, len(m))
		for _, f := range n.fields {
			out[f.name] = plain(f.typ, m[f.name])
		}
		return out
	case avroMap:
		m, _ := v.(map[string]any)
		out := make(map[string]any, len(m))
		for k, item := range m {
			out[k] = plain(n.elem, item)
		}
		return out
	case avroArray:
		list, _ := v.([]any)
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = plain(n.elem, item)
		}
		return out
	}
	return plainLogical(n, v)
}

func plainLogical(n *node, v any) any {
	switch x := v.(type) {
	case []byte:
		if n.logical == "decimal" {
			return decimal.NewFromBigInt(signedInt(x), -int32(n.scale))
		}
	case int64:
		switch n.logical {
		case "timestamp-millis":
			return time.UnixMilli(x).UTC()
		case "timestamp-micros":
			return time.UnixMicro(x).UTC()
		case "timestamp-nanos":
			return time.Unix(0, x).UTC()
		}
	}
	return v
}
