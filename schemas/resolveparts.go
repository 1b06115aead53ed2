package schemas

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// slot is one field of a reader's record: from a field of the writer, or from the default.
type slot struct {
	name, from string
	fn         resolver
	orElse     any
}

func (rs resolving) records(w, r *node) *resolution {
	var faults []error
	slots := make([]slot, 0, len(r.fields))
	same := len(w.fields) == len(r.fields)
	for _, f := range r.fields {
		wf := writerField(w, r, f)
		if wf == nil {
			if !f.hasElse {
				return &resolution{err: under(f.name, fmt.Errorf("writer %s has no such field and the reader no default", w.name))}
			}
			v, err := defaultNative(f.typ, f.orElse, 0)
			if err != nil {
				return &resolution{err: under(f.name, fmt.Errorf("bad default: %w", err))}
			}
			slots, same = append(slots, slot{name: f.name, orElse: v}), false
			continue
		}
		res := rs.pair(wf.typ, f.typ)
		if res.err != nil {
			return &resolution{err: under(f.name, res.err)}
		}
		for _, fault := range res.faults {
			faults = append(faults, under(f.name, fault))
		}
		slots = append(slots, slot{name: f.name, from: wf.name, fn: res.fn})
		same = same && wf.name == f.name && res.fn == nil
	}
	if same {
		return &resolution{faults: faults}
	}
	return &resolution{fn: fillSlots(slots), faults: faults}
}

// writerField is the writer's field that field f of the reader reads: by name, else by an alias that is not the name of
// another field; nil for none.
func writerField(w, r *node, f avroField) *avroField {
	if i := fieldIndex(w, f.name); i >= 0 {
		return &w.fields[i]
	}
	for _, alias := range f.aliases {
		if i := fieldIndex(w, alias); i >= 0 && fieldIndex(r, alias) < 0 {
			return &w.fields[i]
		}
	}
	return nil
}

func fieldIndex(n *node, name string) int {
	return slices.IndexFunc(n.fields, func(f avroField) bool { return f.name == name })
}

func fillSlots(slots []slot) resolver {
	return func(v any) (any, error) {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, typed(false, v, "record")
		}
		out := make(map[string]any, len(slots))
		for _, s := range slots {
			if s.from == "" {
				out[s.name] = s.orElse
				continue
			}
			val, err := s.fn.apply(m[s.from])
			if err != nil {
				return nil, under(s.name, err)
			}
			out[s.name] = val
		}
		return out, nil
	}
}

func enums(w, r *node) *resolution {
	var missing []string
	for _, s := range w.symbols {
		if !slices.Contains(r.symbols, s) {
			missing = append(missing, s)
		}
	}
	switch {
	case len(missing) == 0:
		return &resolution{}
	case r.enumElse != "":
		return &resolution{fn: func(v any) (any, error) {
			if s, _ := v.(string); slices.Contains(missing, s) {
				return r.enumElse, nil
			}
			return v, nil
		}}
	}
	return &resolution{
		faults: []error{fmt.Errorf("reader %s has neither a default nor %s", r.name, strings.Join(missing, ", "))},
		fn: func(v any) (any, error) {
			if s, _ := v.(string); slices.Contains(missing, s) {
				return nil, fmt.Errorf("reader %s has neither a default nor %s", r.name, s)
			}
			return v, nil
		},
	}
}

func (rs resolving) arrays(w, r *node) *resolution {
	inner := rs.pair(w.elem, r.elem)
	if inner.err != nil || inner.fn == nil {
		return &resolution{faults: inner.faults, err: inner.err}
	}
	return &resolution{faults: inner.faults, fn: func(v any) (any, error) {
		list, _ := v.([]any)
		out := make([]any, len(list))
		for i, item := range list {
			var err error
			if out[i], err = inner.fn.apply(item); err != nil {
				return nil, under(fmt.Sprintf("[%d]", i), err)
			}
		}
		return out, nil
	}}
}

func (rs resolving) maps(w, r *node) *resolution {
	inner := rs.pair(w.elem, r.elem)
	if inner.err != nil || inner.fn == nil {
		return &resolution{faults: inner.faults, err: inner.err}
	}
	return &resolution{faults: inner.faults, fn: func(v any) (any, error) {
		m, _ := v.(map[string]any)
		out := make(map[string]any, len(m))
		for k, item := range m {
			var err error
			if out[k], err = inner.fn.apply(item); err != nil {
				return nil, under(fmt.Sprintf("[%q]", k), err)
			}
		}
		return out, nil
	}}
}

// promotions are Avro's: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
var promotions = map[[2]avroKind]func(any) any{
	{avroInt, avroLong}:     func(v any) any { return int64(v.(int32)) },
	{avroInt, avroFloat}:    func(v any) any { return float32(v.(int32)) },
	{avroInt, avroDouble}:   func(v any) any { return float64(v.(int32)) },
	{avroLong, avroFloat}:   func(v any) any { return float32(v.(int64)) },
	{avroLong, avroDouble}:  func(v any) any { return float64(v.(int64)) },
	{avroFloat, avroDouble}: func(v any) any { return float64(v.(float32)) },
	{avroString, avroBytes}: func(v any) any { return []byte(v.(string)) },
	{avroBytes, avroString}: func(v any) any { return string(v.([]byte)) },
}

func promote(w, r *node) *resolution {
	conv := promotions[[2]avroKind{w.kind, r.kind}]
	if conv == nil {
		return &resolution{err: fmt.Errorf("writer %s, reader %s", w.describe(), r.describe())}
	}
	return meaning(w, r, func(v any) (any, error) { return conv(v), nil })
}

// clock is the family of a logical time and its unit in nanoseconds.
type clock struct {
	family string
	unit   int64
}

var clocks = map[string]clock{
	"date": {"date", 1}, "time-millis": {"time", 1e6}, "time-micros": {"time", 1e3},
	"timestamp-millis": {"timestamp", 1e6}, "timestamp-micros": {"timestamp", 1e3}, "timestamp-nanos": {"timestamp", 1},
	"local-timestamp-millis": {"local", 1e6}, "local-timestamp-micros": {"local", 1e3}, "local-timestamp-nanos": {"local", 1},
}

// meaning adds what the logical types say to the resolution of the base types. A decimal is read only from a decimal of
// the same precision and scale. Avro itself would read milliseconds as microseconds; here a coarser time is
// multiplied, and one that would lose digits or changes its sort is an error.
func meaning(w, r *node, base resolver) *resolution {
	if r.logical == "decimal" && (w.logical != "decimal" || w.precision != r.precision || w.scale != r.scale) {
		return &resolution{err: fmt.Errorf("writer %s, reader %s", w.describe(), r.describe())}
	}
	from, isFrom := clocks[w.logical]
	to, isTo := clocks[r.logical]
	if !isFrom || !isTo || from == to {
		return &resolution{fn: base}
	}
	if from.family != to.family || from.unit < to.unit {
		return &resolution{err: fmt.Errorf("writer %s, reader %s", w.describe(), r.describe())}
	}
	factor := from.unit / to.unit
	return &resolution{fn: func(v any) (any, error) {
		v, err := base.apply(v)
		i, ok := v.(int64)
		if err != nil || !ok || i > math.MaxInt64/factor || i < math.MinInt64/factor {
			return nil, fmt.Errorf("time %v does not fit %s", v, r.logical)
		}
		return i * factor, nil
	}}
}
