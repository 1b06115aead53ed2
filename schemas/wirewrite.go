package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// wired ties a Go type to the bytes of a type of a schema of ours, with no value in between. It writes the very bytes that
// goavro writes of what binding makes, and reads what binding reads of what goavro makes; the tests hold the two to each
// other. It exists because natives are maps of boxed values: they cost an event more than all the rest of its handling.
// It is compiled once from the schema, so that it cannot say something else than the schema does.
type wired struct {
	write func(b []byte, v reflect.Value) ([]byte, error) // v is addressable
	read  func(r *wireReader, v reflect.Value) error      // v is settable and zero
}

// wiredField is one field of a record and its home in the Go struct.
type wiredField struct {
	name  string
	index int
	wired
}

// wire compiles a record. It has binder.record's rules: a schema field without a Go home is an error, a Go field without
// a place in the schema must be zero.
func (b binder) wire(n *node, t reflect.Type) (wired, error) {
	homes := map[string]int{}
	for i := range t.NumField() {
		homes[snake(t.Field(i).Name)] = i
	}
	var fields []wiredField
	for _, f := range n.fields {
		i, ok := homes[f.name]
		if !ok {
			return wired{}, fmt.Errorf("%s.%s has no field in %s", n.name, f.name, t)
		}
		delete(homes, f.name)
		inner, err := b.wireValue(f.typ, t.Field(i).Type)
		if err != nil {
			return wired{}, fmt.Errorf("%s.%s: %w", n.name, f.name, err)
		}
		fields = append(fields, wiredField{f.name, i, inner})
	}
	out := wired{write: writeRecord(n.name, fields, homes), read: readRecord(fields)}
	if t == moneyType {
		return wireMoney(out), nil
	}
	return out, nil
}

func writeRecord(name string, fields []wiredField, homes map[string]int) func([]byte, reflect.Value) ([]byte, error) {
	var homeless []wiredField
	for field, i := range homes {
		homeless = append(homeless, wiredField{name: field, index: i})
	}
	return func(b []byte, v reflect.Value) ([]byte, error) {
		for i := range homeless {
			if f := &homeless[i]; !v.Field(f.index).IsZero() {
				return b, fmt.Errorf("%s: %s has no place for it", f.name, name)
			}
		}
		for i := range fields {
			f := &fields[i]
			var err error
			if b, err = f.write(b, v.Field(f.index)); err != nil {
				return b, under(f.name, err)
			}
		}
		return b, nil
	}
}

// wireValue compiles one type of a schema for one Go type, as binder.value binds it.
func (b binder) wireValue(n *node, t reflect.Type) (wired, error) {
	switch {
	case n.kind == avroUnion:
		return b.wireOptional(n, t)
	case t == timeType && n.logical == "timestamp-micros":
		return wired{writeTime, readTime}, nil
	case t == decimalType && n.logical == "decimal" && n.kind == avroBytes:
		return wireDecimal(n.scale), nil
	case t.Kind() == reflect.String && n.kind == avroString:
		return wired{b.writeText, readText}, nil
	case t.Kind() == reflect.String && n.kind == avroEnum:
		return wireEnum(n), nil
	case n.kind == avroLong && (t.Kind() == reflect.Int64 || t.Kind() == reflect.Int):
		return wired{writeInt, readLong}, nil
	case n.kind == avroInt && t.Kind() == reflect.Int32:
		return wired{writeInt, readInt}, nil
	case n.kind == avroBytes && t == reflect.TypeFor[[]byte]():
		return wired{writeBytes, readBytes}, nil
	case n.kind == avroRecord && t.Kind() == reflect.Struct:
		return b.wire(n, t)
	case n.kind == avroArray && t.Kind() == reflect.Slice:
		return b.wireArray(n, t)
	case n.kind == avroMap && t == reflect.TypeFor[map[string]string]() && n.elem.kind == avroString:
		return wired{b.writeMap, readMap}, nil
	}
	return wired{}, fmt.Errorf("avro %s %s has no wire form for %s", n.kind, n.logical, t)
}

// wireOptional compiles ["null", X].
func (b binder) wireOptional(n *node, t reflect.Type) (wired, error) {
	if len(n.branches) != 2 || n.branches[0].kind != avroNull {
		return wired{}, errors.New("only a union of null and one type can be bound")
	}
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	inner, err := b.wireValue(n.branches[1], t)
	write := func(b []byte, v reflect.Value) ([]byte, error) {
		if unsaid(v) {
			return append(b, 0), nil
		}
		if pointer {
			v = v.Elem()
		}
		return inner.write(append(b, 2), v) // branch 1, zigzag
	}
	return wired{write, readOptional(inner, t, pointer)}, err
}

// unsaid is absent without a copy of the value.
func unsaid(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Addr().Interface().(*time.Time).IsZero()
		}
	}
	return false
}

func writeLong(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

func writeInt(b []byte, v reflect.Value) ([]byte, error) { return writeLong(b, v.Int()), nil }

// Seconds since 1970 of the years 1 to 9999.
const (
	firstSecond = -62_135_596_800
	lastSecond  = 253_402_300_799
)

// writeTime cuts what is finer than a microsecond.
func writeTime(b []byte, v reflect.Value) ([]byte, error) {
	t := v.Addr().Interface().(*time.Time)
	if t.IsZero() {
		return b, errors.New("time is not set")
	}
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return b, fmt.Errorf("year %d is outside 1 to 9999", t.UTC().Year())
	}
	return writeLong(b, t.UnixMicro()), nil
}

func writeBytes(b []byte, v reflect.Value) ([]byte, error) {
	p := v.Bytes()
	return append(writeLong(b, int64(len(p))), p...), nil
}

func (b binder) writeText(out []byte, v reflect.Value) ([]byte, error) {
	return b.appendText(out, v.String())
}

// appendText writes a text as binder.clean leaves it.
func (b binder) appendText(out []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		if !b.repair {
			return out, errors.New("text is not UTF-8")
		}
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return append(writeLong(out, int64(len(s))), s...), nil
}

func wireEnum(n *node) wired {
	return wired{
		func(b []byte, v reflect.Value) ([]byte, error) {
			s := v.String()
			for i, symbol := range n.symbols {
				if symbol == s {
					return writeLong(b, int64(i)), nil
				}
			}
			return b, fmt.Errorf("%q is not one of %v", s, n.symbols)
		},
		func(r *wireReader, v reflect.Value) error {
			i, err := r.long()
			if err == nil && (i < 0 || i >= int64(len(n.symbols))) {
				err = fmt.Errorf("symbol %d of %d", i, len(n.symbols))
			}
			if err == nil {
				v.SetString(n.symbols[i])
			}
			return err
		},
	}
}

// wireArray writes blocks of at most maxBlockItems, as goavro does.
func (b binder) wireArray(n *node, t reflect.Type) (wired, error) {
	inner, err := b.wireValue(n.elem, t.Elem())
	write := func(b []byte, v reflect.Value) ([]byte, error) {
		size := v.Len()
		for i := range size {
			if i%maxBlockItems == 0 {
				b = writeLong(b, int64(min(size-i, maxBlockItems)))
			}
			var err error
			if b, err = inner.write(b, v.Index(i)); err != nil {
				return b, under(fmt.Sprintf("[%d]", i), err)
			}
		}
		return append(b, 0), nil
	}
	return wired{write, readArray(inner, t)}, err
}

// writeMap writes texts by texts, in any order. Two keys that repair makes one are written once, as a map has them.
func (b binder) writeMap(out []byte, v reflect.Value) ([]byte, error) {
	m := *v.Addr().Interface().(*map[string]string)
	if b.repair {
		m = repaired(m)
	}
	i := 0
	for key, value := range m {
		if i%maxBlockItems == 0 {
			out = writeLong(out, int64(min(len(m)-i, maxBlockItems)))
		}
		i++
		var err error
		if out, err = b.appendText(out, key); err != nil {
			return out, fmt.Errorf("a key %q: %w", key, err)
		}
		if out, err = b.appendText(out, value); err != nil {
			return out, under(key, err)
		}
	}
	return append(out, 0), nil
}

// repaired is the map with its keys in UTF-8; the map itself where they are.
func repaired(m map[string]string) map[string]string {
	for key := range m {
		if utf8.ValidString(key) {
			continue
		}
		out := make(map[string]string, len(m))
		for k, v := range m {
			out[strings.ToValidUTF8(k, "\uFFFD")] = v
		}
		return out
	}
	return m
}

// wireMoney refuses amounts that the wire cannot carry, and reads amounts with the currency's own decimals.
func wireMoney(w wired) wired {
	return wired{
		func(b []byte, v reflect.Value) ([]byte, error) {
			if err := CheckMoney(v.Addr().Interface().(*Money)); err != nil {
				return b, err
			}
			return w.write(b, v)
		},
		func(r *wireReader, v reflect.Value) error {
			if err := w.read(r, v); err != nil {
				return err
			}
			m := v.Addr().Interface().(*Money)
			m.Amount = canonical(m.Amount, exponent(m.Currency))
			return nil
		},
	}
}

// wireDecimal is bindDecimal; amounts of up to 18 digits, which is all but all, need no big numbers.
func wireDecimal(scale int) wired {
	return wired{
		func(b []byte, v reflect.Value) ([]byte, error) {
			d := v.Addr().Interface().(*decimal.Decimal)
			if c, ok := small(*d); ok && d.Exponent() <= 0 && int(-d.Exponent()) <= scale {
				return writeSmall(b, c*powers[scale+int(d.Exponent())]), nil
			}
			unscaled := d.Shift(int32(scale))
			if !unscaled.IsInteger() {
				return b, fmt.Errorf("%s has more than %d decimals", d, scale)
			}
			p := signedBytes(unscaled.BigInt())
			return append(writeLong(b, int64(len(p))), p...), nil
		},
		func(r *wireReader, v reflect.Value) error {
			p, err := r.bytes()
			if err == nil {
				*v.Addr().Interface().(*decimal.Decimal) = readDecimal(p, -int32(scale))
			}
			return err
		},
	}
}

// powers of ten that a small decimal may be multiplied by: 14 digits and 4 more fit an int64.
var powers = [...]int64{1, 10, 100, 1000, 10_000}

// small is the coefficient of a decimal of at most 14 digits.
func small(d decimal.Decimal) (int64, bool) {
	if d.NumDigits() > 14 {
		return 0, false
	}
	return d.CoefficientInt64(), true
}

// writeSmall is signedBytes of a small number, with its length.
func writeSmall(b []byte, v int64) []byte {
	size := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		size++
	}
	b = append(b, byte(size<<1))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// readDecimal is the decimal of an unscaled number in big-endian two's complement.
func readDecimal(p []byte, exp int32) decimal.Decimal {
	if len(p) > 8 || len(p) == 0 {
		return decimal.NewFromBigInt(signedInt(p), exp)
	}
	v := int64(int8(p[0]))
	for i := 1; i < len(p); i++ {
		v = v<<8 | int64(p[i])
	}
	return decimal.New(v, exp)
}
