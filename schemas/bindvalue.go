package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

var (
	timeType    = reflect.TypeFor[time.Time]()
	decimalType = reflect.TypeFor[decimal.Decimal]()
	moneyType   = reflect.TypeFor[Money]()
)

// value binds one type of a schema to one Go type. ["null", X] is nil for a nil pointer, slice or map, an empty text
// and a zero time; counts that are not pointers are always written, and null reads as 0.
func (b binder) value(n *node, t reflect.Type) (binding, error) {
	if n.kind == avroUnion {
		return b.optional(n, t)
	}
	switch {
	case t == timeType && n.logical == "timestamp-micros":
		return binding{encodeTime, decodeTime}, nil
	case t == decimalType && n.logical == "decimal" && n.kind == avroBytes:
		return bindDecimal(n.scale), nil
	case t.Kind() == reflect.String && (n.kind == avroString || n.kind == avroEnum):
		return b.text(n), nil
	case n.kind == avroLong && (t.Kind() == reflect.Int64 || t.Kind() == reflect.Int), n.kind == avroInt && t.Kind() == reflect.Int32:
		return binding{encodeInt, decodeInt}, nil
	case n.kind == avroBoolean && t.Kind() == reflect.Bool:
		return binding{
			func(v reflect.Value) (any, error) { return v.Bool(), nil },
			func(val any, v reflect.Value) error {
				yes, ok := val.(bool)
				v.SetBool(yes)
				return typed(ok, val, "a boolean")
			},
		}, nil
	case n.kind == avroBytes && t == reflect.TypeFor[[]byte]():
		return binding{
			func(v reflect.Value) (any, error) { return v.Bytes(), nil },
			func(val any, v reflect.Value) error {
				p, ok := val.([]byte)
				v.SetBytes(append([]byte{}, p...)) // goavro's bytes share memory with the record
				return typed(ok, val, "bytes")
			},
		}, nil
	case n.kind == avroRecord && t.Kind() == reflect.Struct:
		return b.record(n, t)
	case n.kind == avroArray && t.Kind() == reflect.Slice:
		return b.array(n, t)
	case n.kind == avroMap && t == reflect.TypeFor[map[string]string]() && n.elem.kind == avroString:
		return b.textMap(), nil
	}
	return binding{}, fmt.Errorf("avro %s %s cannot be bound to %s", n.kind, n.logical, t)
}

// optional binds ["null", X].
func (b binder) optional(n *node, t reflect.Type) (binding, error) {
	if len(n.branches) != 2 || n.branches[0].kind != avroNull {
		return binding{}, errors.New("only a union of null and one type can be bound")
	}
	x, pointer := n.branches[1], t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	inner, err := b.value(x, t)
	if err != nil {
		return binding{}, err
	}
	return binding{
		func(v reflect.Value) (any, error) {
			if absent(v) {
				return nil, nil
			}
			if pointer {
				v = v.Elem()
			}
			val, err := inner.encode(v)
			return map[string]any{x.wire: val}, err
		},
		func(val any, v reflect.Value) error {
			if val == nil {
				v.SetZero()
				return nil
			}
			m, ok := val.(map[string]any)
			if !ok {
				return fmt.Errorf("%T instead of a union", val)
			}
			if pointer {
				v.Set(reflect.New(t))
				v = v.Elem()
			}
			return inner.decode(m[x.wire], v)
		},
	}, nil
}

// absent tells whether a Go value means "not said".
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.IsZero()
	}
	return false
}

func (b binder) text(n *node) binding {
	return binding{
		func(v reflect.Value) (any, error) { return b.clean(v.String()) },
		func(val any, v reflect.Value) error {
			s, ok := val.(string)
			v.SetString(s)
			return typed(ok, val, string(n.kind))
		},
	}
}

// clean is the text as valid UTF-8, which Avro demands.
func (b binder) clean(s string) (any, error) {
	if utf8.ValidString(s) {
		return s, nil
	}
	if b.repair {
		return strings.ToValidUTF8(s, "\uFFFD"), nil
	}
	return nil, errors.New("text is not UTF-8")
}

func (b binder) textMap() binding {
	return binding{
		func(v reflect.Value) (any, error) {
			out := make(map[string]any, v.Len())
			for iter := v.MapRange(); iter.Next(); {
				key, err := b.clean(iter.Key().String())
				if err != nil {
					return nil, fmt.Errorf("a key %q: %w", iter.Key().String(), err)
				}
				if out[key.(string)], err = b.clean(iter.Value().String()); err != nil {
					return nil, under(key.(string), err)
				}
			}
			return out, nil
		},
		func(val any, v reflect.Value) error {
			m, ok := val.(map[string]any)
			out := make(map[string]string, len(m))
			for k, item := range m {
				s, isText := item.(string)
				out[k], ok = s, ok && isText
			}
			v.Set(reflect.ValueOf(out))
			return typed(ok, val, "map of texts")
		},
	}
}

func (b binder) array(n *node, t reflect.Type) (binding, error) {
	inner, err := b.value(n.elem, t.Elem())
	return binding{
		func(v reflect.Value) (any, error) {
			out := make([]any, v.Len())
			for i := range out {
				var err error
				if out[i], err = inner.encode(v.Index(i)); err != nil {
					return nil, under(fmt.Sprintf("[%d]", i), err)
				}
			}
			return out, nil
		},
		func(val any, v reflect.Value) error {
			list, ok := val.([]any)
			v.Set(reflect.MakeSlice(t, len(list), len(list)))
			for i, item := range list {
				if err := inner.decode(item, v.Index(i)); err != nil {
					return under(fmt.Sprintf("[%d]", i), err)
				}
			}
			return typed(ok, val, "array")
		},
	}, err
}

func encodeInt(v reflect.Value) (any, error) { return v.Int(), nil }

func decodeInt(val any, v reflect.Value) error {
	switch i := val.(type) {
	case int64:
		v.SetInt(i)
	case int32:
		v.SetInt(int64(i))
	default:
		return typed(false, val, "number")
	}
	return nil
}

// encodeTime cuts what is finer than a microsecond.
func encodeTime(v reflect.Value) (any, error) {
	t := v.Interface().(time.Time)
	if t.IsZero() {
		return nil, errors.New("time is not set")
	}
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("year %d is outside 1 to 9999", y)
	}
	return t.UnixMicro(), nil
}

func decodeTime(val any, v reflect.Value) error {
	us, ok := val.(int64)
	t := time.UnixMicro(us).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return fmt.Errorf("year %d is outside 1 to 9999", y)
	}
	v.Set(reflect.ValueOf(t))
	return typed(ok, val, "time")
}

// bindDecimal writes the unscaled value as big-endian two's complement in the fewest bytes, as Avro says.
func bindDecimal(scale int) binding {
	return binding{
		func(v reflect.Value) (any, error) {
			d := v.Interface().(decimal.Decimal)
			unscaled := d.Shift(int32(scale))
			if !unscaled.IsInteger() {
				return nil, fmt.Errorf("%s has more than %d decimals", d, scale)
			}
			return signedBytes(unscaled.BigInt()), nil
		},
		func(val any, v reflect.Value) error {
			p, ok := val.([]byte)
			v.Set(reflect.ValueOf(decimal.NewFromBigInt(signedInt(p), -int32(scale))))
			return typed(ok, val, "decimal")
		},
	}
}

func signedBytes(n *big.Int) []byte {
	if n.Sign() >= 0 {
		return append(bytes.Repeat([]byte{0}, 1-min(1, (8-n.BitLen()%8)%8)), n.Bytes()...)
	}
	size := new(big.Int).Not(n).BitLen()/8 + 1
	return new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size))).Bytes()
}

func signedInt(p []byte) *big.Int {
	n := new(big.Int).SetBytes(p)
	if len(p) > 0 && p[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(p))))
	}
	return n
}

// bindMoney refuses amounts that the wire cannot carry, and reads amounts with the currency's own decimals.
func bindMoney(b binding) binding {
	return binding{
		func(v reflect.Value) (any, error) {
			m := v.Interface().(Money)
			if err := CheckMoney(&m); err != nil {
				return nil, err
			}
			return b.encode(v)
		},
		func(val any, v reflect.Value) error {
			if err := b.decode(val, v); err != nil {
				return err
			}
			m := v.Interface().(Money)
			v.Set(reflect.ValueOf(Money{canonical(m.Amount, exponent(m.Currency)), m.Currency}))
			return nil
		},
	}
}

// canonical is the same amount with as few decimals as it has, but not fewer than least.
func canonical(d decimal.Decimal, least int32) decimal.Decimal {
	if c, ok := small(d); ok {
		if short, exp := shortest(c, d.Exponent(), least); exp != d.Exponent() {
			return decimal.New(short, exp)
		}
		return d
	}
	for places := least; places < -d.Exponent(); places++ {
		if cut := d.Truncate(places); cut.Equal(d) {
			return cut
		}
	}
	return d
}

func typed(ok bool, val any, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%T instead of a %s", val, want)
}
