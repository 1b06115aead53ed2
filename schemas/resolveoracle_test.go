package schemas

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
)

// schemaGen makes random schemas as JSON values, and readers that differ from them in what evolution changes.
type schemaGen struct {
	rnd   *rand.Rand
	names int
}

func (g *schemaGen) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

var scalarKinds = []any{"boolean", "int", "long", "float", "double", "string", "bytes"}

func (g *schemaGen) typ(depth int) any {
	n := 11
	if depth <= 0 {
		n = 7
	}
	switch k := g.rnd.IntN(n); k {
	case 7:
		return map[string]any{"type": "array", "items": g.nonEmpty(depth - 1)}
	case 8:
		return map[string]any{"type": "map", "values": g.typ(depth - 1)}
	case 9:
		if g.rnd.IntN(2) == 0 {
			return map[string]any{"type": "fixed", "name": g.name("F"), "size": 1 + g.rnd.IntN(4)}
		}
		return map[string]any{"type": "enum", "name": g.name("E"), "symbols": []any{"A", "B", "C"}}
	case 10:
		return g.union(depth - 1)
	default:
		if depth > 0 && g.rnd.IntN(4) == 0 {
			return g.record(depth - 1)
		}
		return scalarKinds[k]
	}
}

// nonEmpty is a type whose values take bytes: our codec refuses arrays of others.
func (g *schemaGen) nonEmpty(depth int) any {
	if g.rnd.IntN(2) == 0 {
		return scalarKinds[g.rnd.IntN(len(scalarKinds))]
	}
	return g.union(depth)
}

func (g *schemaGen) union(depth int) any {
	out := []any{"null"}
	for _, k := range g.rnd.Perm(len(scalarKinds))[:1+g.rnd.IntN(3)] {
		out = append(out, scalarKinds[k])
	}
	if depth > 0 {
		out = append(out, g.record(depth-1))
	}
	g.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (g *schemaGen) record(depth int) any {
	fields := []any{}
	for range g.rnd.IntN(5) {
		fields = append(fields, map[string]any{"name": g.name("f"), "type": g.typ(depth)})
	}
	return map[string]any{"type": "record", "name": g.name("R"), "fields": fields}
}

var widened = map[string][]any{
	"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}, "string": {"bytes"}, "bytes": {"string"},
	"boolean": {"int"}, "double": {"float"}, // these two do not resolve
}

// evolve is a reader's version of a writer's type; now and then one that cannot read it.
func (g *schemaGen) evolve(v any) any {
	if g.rnd.IntN(12) == 0 {
		if _, isUnion := v.([]any); !isUnion {
			return []any{"null", g.evolve1(v)}
		}
	}
	return g.evolve1(v)
}

func (g *schemaGen) evolve1(v any) any {
	switch v := v.(type) {
	case string:
		if w := widened[v]; len(w) > 0 && g.rnd.IntN(4) == 0 {
			return w[g.rnd.IntN(len(w))]
		}
		return v
	case []any:
		out := slices.Clone(v)
		for i, b := range out {
			if m, ok := b.(map[string]any); ok {
				out[i] = g.evolve1(m)
			}
		}
		g.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		if g.rnd.IntN(5) == 0 && len(out) > 1 {
			return out[:len(out)-1]
		}
		return out
	}
	return g.evolveObject(v.(map[string]any))
}

func (g *schemaGen) evolveObject(m map[string]any) any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	switch m["type"] {
	case "array":
		out["items"] = g.evolve1(m["items"])
	case "map":
		out["values"] = g.evolve1(m["values"])
	case "enum":
		out["symbols"] = [][]any{{"A", "B", "C"}, {"C", "D", "A", "B"}, {"B", "A"}}[g.rnd.IntN(3)]
		if g.rnd.IntN(2) == 0 {
			out["default"] = "A"
		}
	case "record":
		fields := []any{}
		for _, f := range m["fields"].([]any) {
			fields = append(fields, g.evolveField(f.(map[string]any))...)
		}
		if g.rnd.IntN(3) == 0 {
			fields = append(fields, map[string]any{"name": g.name("n"), "type": []any{"null", "string"}, "default": nil})
		}
		if g.rnd.IntN(3) == 0 {
			fields = append(fields, map[string]any{"name": g.name("n"), "type": map[string]any{"type": "array", "items": "int"}, "default": []any{1, 2}})
		}
		if g.rnd.IntN(25) == 0 {
			fields = append(fields, map[string]any{"name": g.name("n"), "type": "int"}) // without default
		}
		g.rnd.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		out["fields"] = fields
	}
	if m["name"] != nil && g.rnd.IntN(6) == 0 {
		out["aliases"], out["name"] = []any{m["name"]}, g.name("N")
	}
	return out
}

func (g *schemaGen) evolveField(f map[string]any) []any {
	out := map[string]any{"name": f["name"], "type": g.evolve(f["type"])}
	switch g.rnd.IntN(8) {
	case 0:
		return nil
	case 1:
		out["aliases"], out["name"] = []any{f["name"]}, g.name("a")
	}
	return []any{out}
}

// value is a random native of n, as goavro takes it.
func (g *schemaGen) value(n *node) any {
	switch n.kind {
	case avroBoolean:
		return g.rnd.IntN(2) == 0
	case avroInt:
		return int32(g.rnd.Uint32())
	case avroLong:
		return int64(g.rnd.Uint64())
	case avroFloat:
		return g.rnd.Float32()
	case avroDouble:
		return g.rnd.Float64()
	case avroString:
		return fmt.Sprintf("ä%d", g.rnd.IntN(1000))
	case avroBytes:
		return []byte(fmt.Sprint(g.rnd.IntN(1000)))
	case avroFixed:
		return make([]byte, n.size)
	case avroEnum:
		return n.symbols[g.rnd.IntN(len(n.symbols))]
	case avroArray:
		out := []any{}
		for range g.rnd.IntN(3) {
			out = append(out, g.value(n.elem))
		}
		return out
	case avroMap:
		out := map[string]any{}
		for i := range g.rnd.IntN(3) {
			out[fmt.Sprint("k", i)] = g.value(n.elem)
		}
		return out
	case avroUnion:
		if b := n.branches[g.rnd.IntN(len(n.branches))]; b.kind != avroNull {
			return map[string]any{b.wire: g.value(b)}
		}
		return nil
	case avroRecord:
		out := map[string]any{}
		for _, f := range n.fields {
			out[f.name] = g.value(f.typ)
		}
		return out
	}
	return nil
}

// even makes natives of two implementations comparable: whole numbers int64, fractions float64, bytes text.
func even(v any) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case int:
		return int64(v)
	case float32:
		return float64(v)
	case []byte:
		return "bytes " + string(v)
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, even(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = even(item)
		}
		return out
	}
	return v
}

// TestResolveAgainstAnother holds our resolution to another implementation's: the same pairs are compatible, and the same
// bytes give the same values.
func TestResolveAgainstAnother(t *testing.T) {
	t.Parallel()
	compatible := 0
	for seed := range uint64(4000) {
		g := &schemaGen{rnd: rand.New(rand.NewPCG(seed, 1))}
		writer := g.record(3)
		reader := g.evolveObject(writer.(map[string]any))
		wt, rt := compactJSON(t, writer), compactJSON(t, reader)
		ow, or := oracle(t, wt), oracle(t, rt)
		w, r := mustParse(t, wt), mustParse(t, rt)
		faults := incompatibilities(w, r)
		if err := avro.CheckCompatibility(ow, or); (err == nil) != (len(faults) == 0) {
			t.Fatalf("seed %d\nwriter %s\nreader %s\nours: %v\nother: %v", seed, wt, rt, faults, err)
		}
		if len(faults) > 0 {
			continue
		}
		compatible++
		compareValues(t, g, w, r, ow, or)
	}
	t.Logf("%d pairs compatible", compatible)
	if compatible < 1000 || compatible > 3500 {
		t.Errorf("%d of 4000 pairs were compatible: the generator has gone one-sided", compatible)
	}
}

func compareValues(t *testing.T, g *schemaGen, w, r *node, ow, or *avro.Schema) {
	t.Helper()
	codec, err := newCodec(w)
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.BinaryFromNative(nil, g.value(w))
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := avro.Resolve(ow, or)
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if _, err := resolved.Decode(b, &want); err != nil {
		t.Fatal(err)
	}
	native, err := decodeWire(codec, b)
	if err != nil {
		t.Fatal(err)
	}
	fn, err := compileResolver(w, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fn.apply(native)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(even(want), even(plain(r, got))); d != "" {
		t.Fatalf("writer %s\nreader %s\n(-other +ours):\n%s", ow, or, d)
	}
}

func oracle(t *testing.T, text string) *avro.Schema {
	t.Helper()
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func compactJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
