package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/linkedin/goavro/v2"
)

func TestParseSchemaRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, schema, want string }{
		{"not JSON", `{`, "schema is not JSON: unexpected EOF"},
		{"two schemas", `"int" "int"`, "schema is followed by more text"},
		{"a number", `1`, "schema: a type is a name, a list or an object, not json.Number"},
		{"unknown type", `["null","nil"]`, `schema[1]: unknown type "nil"`},
		{"empty union", `[]`, "schema: a union is never empty"},
		{"union in a union", `["null",["int"]]`, "schema: a union holds no union and no type twice (union)"},
		{"type twice", `["int",{"type":"int","logicalType":"date"}]`, "schema: a union holds no union and no type twice (int)"},
		{"record without fields", `{"type":"record","name":"R"}`, "R: record without fields"},
		{"record without name", `{"type":"record","fields":[]}`, `schema: "" is not a name`},
		{"bad name", `{"type":"record","name":"a-b","fields":[]}`, `schema: "a-b" is not a name`},
		{"name twice", `["null",{"type":"record","name":"R","fields":[{"name":"r","type":{"type":"fixed","name":"R","size":1}}]}]`, "R.r: R is defined twice"},
		{"field twice", `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, `R: field name "a" is twice or is no name`},
		{"field without type", `{"type":"record","name":"R","fields":[{"name":"a"}]}`, "R.a: field without type"},
		{"enum without symbols", `{"type":"enum","name":"E","symbols":[]}`, "E: enum without symbols"},
		{"symbol twice", `{"type":"enum","name":"E","symbols":["A","A"]}`, `E: symbol "A" is twice or is no name`},
		{"default that is no symbol", `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`, "E: default B is not a symbol"},
		{"fixed without size", `{"type":"fixed","name":"F"}`, "F: fixed of size <nil>"},
		{"array without items", `{"type":"array"}`, "schema.items: a type is a name, a list or an object, not <nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseSchema(tt.schema); errText(err) != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestNames: goavro has its own reading of namespaces; ours decides.
func TestNames(t *testing.T) {
	t.Parallel()
	n := mustParse(t, `{"type":"record","name":"a.R","fields":[
	  {"name":"own","type":{"type":"fixed","name":"F","size":1}},
	  {"name":"other","type":{"type":"fixed","name":"F","namespace":"b","size":2}},
	  {"name":"none","type":{"type":"fixed","name":"F","namespace":"","size":3}},
	  {"name":"clash","type":{"type":"fixed","name":"a_F","namespace":"","size":4}},
	  {"name":"back","type":["null","F","b.F","a_F"]}]}`)
	var names []string
	for _, f := range n.fields[:4] {
		names = append(names, fmt.Sprint(f.typ.name, " ", f.typ.wire, " ", f.typ.size))
	}
	if d := cmp.Diff([]string{"a.F a_F 1", "b.F b_F 2", "F F 3", "a_F a_F_ 4"}, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	codec, err := newCodec(n)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"own": []byte("1"), "other": []byte("22"), "none": []byte("333"), "clash": []byte("4444"), "back": map[string]any{"b_F": []byte("22")}}
	b, err := codec.BinaryFromNative(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeWire(codec, b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(any(in), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestPersonalDataIsMarked: tools that erase or mask go by the attribute.
func TestPersonalDataIsMarked(t *testing.T) {
	t.Parallel()
	want := map[string][]string{ // fields of a record that are not personal; of the others: all are
		"Address": nil, "Customer": {"id", "order_ids"},
	}
	personal := map[string][]string{ // fields that are, among others that are not
		"Order": {"email", "phone", "note", "shipping_address", "billing_address"}, "Refund": {"note"},
		"OrderEvent": {"customer", "extensions"}, "CustomerEvent": {"customer", "extensions"},
		"ParkedRecord": {"value", "detail"}, "Quarantined": {"headers", "body"},
	}
	seen := map[string]bool{}
	for _, name := range SchemaNames() {
		var v any
		if err := json.Unmarshal([]byte(SchemaText(name)), &v); err != nil {
			t.Fatal(err)
		}
		eachField(v, func(record string, field map[string]any) {
			f, _ := field["name"].(string)
			free, whole := want[record]
			if (whole && !slices.Contains(free, f) || slices.Contains(personal[record], f)) && field["pii"] != true {
				t.Errorf("%s: %s.%s is personal data and is not marked", name, record, f)
			}
			if doc, _ := field["doc"].(string); doc == "" {
				t.Errorf("%s: %s.%s has no doc", name, record, f)
			}
			seen[record+"."+f] = true
		})
	}
	for record, fields := range personal {
		for _, f := range fields {
			if !seen[record+"."+f] {
				t.Errorf("%s.%s is in no schema", record, f)
			}
		}
	}
}

// eachField visits the fields of every record of a schema.
func eachField(v any, visit func(record string, field map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			eachField(item, visit)
		}
	case map[string]any:
		name, _ := v["name"].(string)
		fields, _ := v["fields"].([]any)
		for _, f := range fields {
			visit(name, f.(map[string]any))
		}
		for _, inner := range v {
			eachField(inner, visit)
		}
	}
}

// TestForeignVectors reads what others published.
func TestForeignVectors(t *testing.T) {
	t.Parallel()
	var wire struct {
		Header []struct {
			ID  int    `json:"schema_id"`
			Hex string `json:"hex"`
		} `json:"header"`
	}
	input(t, "confluent_wire_vectors.json", &wire)
	for _, v := range wire.Header {
		if got := AppendHeader(nil, v.ID); string(got) != string(unhex(t, v.Hex)) {
			t.Errorf("header of %d is %x, want %s", v.ID, got, v.Hex)
		}
		if id, rest, err := SplitHeader(append(unhex(t, v.Hex), 1)); id != v.ID || len(rest) != 1 || err != nil {
			t.Errorf("%s is id %d, %d bytes, %v", v.Hex, id, len(rest), err)
		}
	}
	var prints []struct {
		Canonical string
		CRC       string `json:"crc64_avro"`
	}
	input(t, "fingerprint_vectors.json", &prints)
	for _, v := range prints {
		codec, err := goavro.NewCodec(v.Canonical)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%016x", codec.Rabin); got != v.CRC {
			t.Errorf("%s has fingerprint %s, want %s", v.Canonical, got, v.CRC)
		}
	}
	for _, name := range []string{"hamba_full-schema.json", "quickstop.avsc"} {
		var raw json.RawMessage
		input(t, name, &raw)
		if _, err := newCodec(mustParse(t, string(raw))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(wire.Header) == 0 || len(prints) == 0 {
		t.Error("the vectors are gone")
	}
}
