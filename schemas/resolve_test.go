package schemas

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resolveBytes writes an Avro-JSON value with the writer's schema and reads it with the reader's.
func resolveBytes(t *testing.T, writerText, readerText, value string) (any, error) {
	t.Helper()
	w, r := mustParse(t, writerText), mustParse(t, readerText)
	native, err := defaultNative(w, jsonValue(t, value), 0) // a value in the notation of defaults
	if err != nil {
		t.Fatalf("value %s: %v", value, err)
	}
	codec, err := newCodec(w)
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.BinaryFromNative(nil, native)
	if err != nil {
		t.Fatal(err)
	}
	fn, err := compileResolver(w, r)
	if err != nil {
		return nil, err
	}
	got, err := decodeWire(codec, b)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = fn.apply(got); err != nil {
		return nil, err
	}
	return plain(r, got), nil
}

// TestResolve has one row for each sentence of the specification's "Schema Resolution".
func TestResolve(t *testing.T) {
	t.Parallel()
	rec := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	enum := func(symbols, more string) string {
		return `{"type":"enum","name":"E","symbols":[` + symbols + `]` + more + `}`
	}
	tests := []struct {
		name, writer, reader, value string
		want                        any
		wantErr                     string
	}{
		{name: "same", writer: `"long"`, reader: `"long"`, value: `7`, want: int64(7)},
		{name: "int to long", writer: `"int"`, reader: `"long"`, value: `-7`, want: int64(-7)},
		{name: "int to float", writer: `"int"`, reader: `"float"`, value: `7`, want: float32(7)},
		{name: "int to double", writer: `"int"`, reader: `"double"`, value: `7`, want: float64(7)},
		{name: "long to float", writer: `"long"`, reader: `"float"`, value: `7`, want: float32(7)},
		{name: "long to double", writer: `"long"`, reader: `"double"`, value: `7`, want: float64(7)},
		{name: "float to double", writer: `"float"`, reader: `"double"`, value: `0.5`, want: 0.5},
		{name: "string to bytes", writer: `"string"`, reader: `"bytes"`, value: `"ä"`, want: []byte("ä")},
		{name: "bytes to string", writer: `"bytes"`, reader: `"string"`, value: `"ab"`, want: "ab"},
		{name: "long to int", writer: `"long"`, reader: `"int"`, value: `7`, wantErr: "writer long, reader int"},
		{name: "double to float", writer: `"double"`, reader: `"float"`, value: `7`, wantErr: "writer double, reader float"},
		{name: "int to string", writer: `"int"`, reader: `"string"`, value: `7`, wantErr: "writer int, reader string"},

		{name: "record fields in another order", writer: rec(`{"name":"a","type":"int"},{"name":"b","type":"string"}`), reader: rec(`{"name":"b","type":"string"},{"name":"a","type":"long"}`),
			value: `{"a":1,"b":"x"}`, want: map[string]any{"a": int64(1), "b": "x"}},
		{name: "field removed", writer: rec(`{"name":"a","type":"int"},{"name":"b","type":{"type":"array","items":"string"}},{"name":"c","type":"int"}`), reader: rec(`{"name":"c","type":"int"}`),
			value: `{"a":1,"b":["x"],"c":3}`, want: map[string]any{"c": int32(3)}},
		{name: "field added with default", writer: rec(``), reader: rec(`{"name":"a","type":{"type":"map","values":"long"},"default":{"k":3}}`),
			value: `{}`, want: map[string]any{"a": map[string]any{"k": int64(3)}}},
		{name: "field added with null default", writer: rec(``), reader: rec(`{"name":"a","type":["null","string"],"default":null}`), value: `{}`, want: map[string]any{"a": nil}},
		{name: "field added without default", writer: rec(``), reader: rec(`{"name":"a","type":"int"}`), value: `{}`,
			wantErr: "a: writer R has no such field and the reader no default"},
		{name: "field by alias", writer: rec(`{"name":"old","type":"int"}`), reader: rec(`{"name":"new","aliases":["older","old"],"type":"int"}`), value: `{"old":1}`, want: map[string]any{"new": int32(1)}},
		{name: "a name outranks an alias", writer: rec(`{"name":"a","type":"int"}`), reader: rec(`{"name":"b","aliases":["a"],"type":"int","default":9},{"name":"a","type":"int"}`), value: `{"a":1}`, want: map[string]any{"a": int32(1), "b": int32(9)}},
		{name: "place of a fault", writer: rec(`{"name":"o","type":{"type":"record","name":"O","fields":[{"name":"amount","type":"string"}]}}`),
			reader: rec(`{"name":"o","type":{"type":"record","name":"O","fields":[{"name":"amount","type":"int"}]}}`), value: `{"o":{"amount":"1"}}`, wantErr: "o.amount: writer string, reader int"},
		{name: "record of another name", writer: rec(``), reader: `{"type":"record","name":"S","fields":[]}`, value: `{}`, wantErr: "writer record R, reader record S"},
		{name: "record of another namespace", writer: rec(``), reader: `{"type":"record","name":"x.R","fields":[]}`, value: `{}`, want: map[string]any{}},
		{name: "record by alias", writer: rec(``), reader: `{"type":"record","name":"x.S","aliases":["y.T","R"],"fields":[]}`, value: `{}`, wantErr: "writer record R, reader record x.S"},
		{name: "record by full alias", writer: `{"type":"record","name":"x.R","fields":[]}`, reader: `{"type":"record","name":"x.S","aliases":["R"],"fields":[]}`, value: `{}`, want: map[string]any{}},

		{name: "array items", writer: `{"type":"array","items":"int"}`, reader: `{"type":"array","items":"double"}`, value: `[1,2]`, want: []any{1.0, 2.0}},
		{name: "map values", writer: `{"type":"map","values":"int"}`, reader: `{"type":"map","values":"long"}`, value: `{"k":1}`, want: map[string]any{"k": int64(1)}},
		{name: "array against map", writer: `{"type":"array","items":"int"}`, reader: `{"type":"map","values":"int"}`, value: `[]`, wantErr: "writer array, reader map"},

		{name: "enum symbol known", writer: enum(`"A","B"`, ""), reader: enum(`"B","A","C"`, ""), value: `"B"`, want: "B"},
		{name: "enum symbol unknown, default", writer: enum(`"A","B"`, ""), reader: enum(`"X","A"`, `,"default":"X"`), value: `"B"`, want: "X"},
		{name: "enum symbol unknown, the writer's default is not asked", writer: enum(`"A","B"`, `,"default":"A"`), reader: enum(`"A"`, ""), value: `"B"`, wantErr: "reader E has neither a default nor B"},
		{name: "enum of another name", writer: enum(`"A"`, ""), reader: `{"type":"enum","name":"F","symbols":["A"]}`, value: `"A"`, wantErr: "writer enum E, reader enum F"},
		{name: "fixed", writer: `{"type":"fixed","name":"F","size":2}`, reader: `{"type":"fixed","name":"F","size":2}`, value: `"ab"`, want: []byte("ab")},
		{name: "fixed of another size", writer: `{"type":"fixed","name":"F","size":2}`, reader: `{"type":"fixed","name":"F","size":3}`, value: `"ab"`, wantErr: "writer F of 2 bytes, reader of 3"},
		{name: "fixed by alias", writer: `{"type":"fixed","name":"F","size":2}`, reader: `{"type":"fixed","name":"G","aliases":["F"],"size":2}`, value: `"ab"`, want: []byte("ab")},

		{name: "union to union, reordered", writer: `["null","int","string"]`, reader: `["string","null","long"]`, value: `5`, want: int64(5)},
		{name: "union to union, null", writer: `["null","int"]`, reader: `["int","null"]`, value: `null`, want: nil},
		{name: "union to one type", writer: `["null","int"]`, reader: `"long"`, value: `5`, want: int64(5)},
		{name: "union to one type, a branch it has no place for", writer: `["null","int"]`, reader: `"long"`, value: `null`, wantErr: "writer null, reader long"},
		{name: "one type to union", writer: `"int"`, reader: `["null","string","double"]`, value: `5`, want: 5.0},
		{name: "one type to union, its own kind first", writer: `"int"`, reader: `["double","int"]`, value: `5`, want: int32(5)},
		{name: "one type to union, none fits", writer: `"int"`, reader: `["null","string"]`, value: `5`, wantErr: "writer int, reader [null string]"},
		{name: "union of two records", writer: `[{"type":"record","name":"B","fields":[{"name":"x","type":"int"}]},{"type":"record","name":"A","fields":[]}]`,
			reader: `[{"type":"record","name":"A","fields":[]},{"type":"record","name":"B","fields":[{"name":"x","type":"long"}]}]`, value: `{"x":1}`, want: map[string]any{"x": int64(1)}},
		{name: "union whose own type does not fit is not promoted", writer: `{"type":"bytes","logicalType":"decimal","precision":9,"scale":1}`,
			reader: `["string",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]`, value: `"\u0001"`, wantErr: "writer decimal(9,1), reader decimal(9,2)"},

		{name: "recursive", writer: `{"type":"record","name":"L","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","L"],"default":null}]}`,
			reader: `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"],"default":null},{"name":"v","type":"long"}]}`,
			value:  `{"v":1,"next":{"v":2}}`, want: map[string]any{"v": int64(1), "next": map[string]any{"v": int64(2), "next": nil}}},

		{name: "decimal", writer: `{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}`, reader: `{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}`, value: `"\u0001"`,
			wantErr: "writer decimal(20,4), reader decimal(20,2)"},
		{name: "bytes are no decimal", writer: `"bytes"`, reader: `{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}`, value: `"\u0001"`, wantErr: "writer bytes, reader decimal(20,2)"},
		{name: "text is no decimal", writer: `"string"`, reader: `{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}`, value: `"1"`, wantErr: "writer string, reader decimal(20,2)"},
		{name: "milliseconds to microseconds", writer: `{"type":"long","logicalType":"timestamp-millis"}`, reader: `{"type":"long","logicalType":"timestamp-micros"}`, value: `7`, want: fromMicros(7000)},
		{name: "microseconds to milliseconds", writer: `{"type":"long","logicalType":"timestamp-micros"}`, reader: `{"type":"long","logicalType":"timestamp-millis"}`, value: `7`, wantErr: "writer timestamp-micros, reader timestamp-millis"},
		{name: "date to timestamp", writer: `{"type":"int","logicalType":"date"}`, reader: `{"type":"long","logicalType":"timestamp-micros"}`, value: `7`, wantErr: "writer date, reader timestamp-micros"},
		{name: "milliseconds that overflow", writer: `{"type":"long","logicalType":"timestamp-millis"}`, reader: `{"type":"long","logicalType":"timestamp-micros"}`, value: `9223372036854775807`, wantErr: "time 9223372036854775807 does not fit timestamp-micros"},
		{name: "a logical type that is invalid is ignored", writer: `{"type":"int","logicalType":"decimal","precision":4}`, reader: `"long"`, value: `7`, want: int64(7)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := resolveBytes(t, tt.writer, tt.reader, tt.value)
			if text := errText(err); text != tt.wantErr {
				t.Fatalf("err %q, want %q", text, tt.wantErr)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
