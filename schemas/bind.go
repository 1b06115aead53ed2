package schemas

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// binding ties a Go struct to a record schema. It is compiled once; after that nothing looks at names.
type binding struct {
	encode func(reflect.Value) (any, error)
	decode func(any, reflect.Value) error
}

// binder compiles bindings. repair true replaces invalid UTF-8 in texts by U+FFFD, for what must be recorded whatever
// a downstream or a foreign record wrote; false makes it an error. wired true compiles the short way to bytes as well.
type binder struct{ repair, wired bool }

// bindField is one field of a record and its home in the Go struct.
type bindField struct {
	name  string
	index int
	binding
}

// record binds a struct. Every schema field must have a Go home. A Go field may have no place in the schema (an order
// part in a customer event): it must then be zero, and encoding says so instead of dropping it.
func (b binder) record(n *node, t reflect.Type) (binding, error) {
	if n.kind != avroRecord || t.Kind() != reflect.Struct {
		return binding{}, fmt.Errorf("record %s cannot be bound to %s", n.name, t)
	}
	homes := map[string]int{}
	for i := range t.NumField() {
		homes[snake(t.Field(i).Name)] = i
	}
	var fields []bindField
	for _, f := range n.fields {
		i, ok := homes[f.name]
		if !ok {
			return binding{}, fmt.Errorf("%s.%s has no field in %s", n.name, f.name, t)
		}
		delete(homes, f.name)
		inner, err := b.value(f.typ, t.Field(i).Type)
		if err != nil {
			return binding{}, fmt.Errorf("%s.%s: %w", n.name, f.name, err)
		}
		fields = append(fields, bindField{f.name, i, inner})
	}
	out := binding{encode: encodeRecord(n.name, fields, homes), decode: decodeRecord(fields)}
	if t == moneyType {
		return bindMoney(out), nil
	}
	return out, nil
}

func encodeRecord(name string, fields []bindField, homeless map[string]int) func(reflect.Value) (any, error) {
	return func(v reflect.Value) (any, error) {
		for field, i := range homeless {
			if !v.Field(i).IsZero() {
				return nil, fmt.Errorf("%s: %s has no place for it", field, name)
			}
		}
		out := make(map[string]any, len(fields))
		for _, f := range fields {
			val, err := f.encode(v.Field(f.index))
			if err != nil {
				return nil, under(f.name, err)
			}
			out[f.name] = val
		}
		return out, nil
	}
}

func decodeRecord(fields []bindField) func(any, reflect.Value) error {
	return func(val any, v reflect.Value) error {
		m, ok := val.(map[string]any)
		if !ok {
			return fmt.Errorf("%T instead of a record", val)
		}
		for _, f := range fields {
			if err := f.decode(m[f.name], v.Field(f.index)); err != nil {
				return under(f.name, err)
			}
		}
		return nil
	}
}

// pathError carries the place of a fault: "order.total: ...".
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// under puts a field in front of the place of an error.
func under(field string, err error) error {
	if p, ok := errors.AsType[*pathError](err); ok {
		if strings.HasPrefix(p.path, "[") {
			return &pathError{field + p.path, p.err}
		}
		return &pathError{field + "." + p.path, p.err}
	}
	return &pathError{field, err}
}

// snake is the Avro name of a Go field: SourceVersion is source_version, OrderIDs order_ids, Address1 address1.
func snake(name string) string {
	rs := []rune(strings.ReplaceAll(name, "IDs", "Ids"))
	var out strings.Builder
	for i, r := range rs {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
