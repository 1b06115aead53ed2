package schemas

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

var update = flag.Bool("update", false, "write testdata/"+thisVersion+" anew")

// thisVersion is the folder of the schemas as they are now. Once a version is released its folder is frozen: a change
// of a schema then goes to the next one.
const thisVersion = "v2"

// golden writes or reads one value of each schema; what it reads is given as JSON.
func golden(s *Serde, t *testing.T) map[string]struct {
	encode func() ([]byte, error)
	decode func([]byte) (any, error)
} {
	ctx := t.Context()
	order, customer, inventory := filledEvents()
	for _, ev := range []*Event{order, customer, inventory} {
		ev.Extensions = map[string]string{"a.b": "x"} // one key, as maps have no order
	}
	type row = struct {
		encode func() ([]byte, error)
		decode func([]byte) (any, error)
	}
	event := func(ev *Event) row {
		return row{func() ([]byte, error) { return s.EncodeEvent(ctx, "s", ev) }, func(b []byte) (any, error) { return s.DecodeEvent(ctx, b) }}
	}
	return map[string]row{
		"order_event": event(order), "customer_event": event(customer), "inventory_event": event(inventory),
		"outcome": {func() ([]byte, error) { return s.EncodeOutcome(ctx, "s", filled[Outcome]()) },
			func(b []byte) (any, error) { return s.DecodeOutcome(ctx, b) }},
		"ledger_entry": {func() ([]byte, error) { return s.EncodeLedgerEntry(ctx, "s", filled[LedgerEntry]()) },
			func(b []byte) (any, error) { return s.DecodeLedgerEntry(ctx, b) }},
		"parked_record": {func() ([]byte, error) { return s.EncodeParkedRecord(ctx, "s", filled[ParkedRecord]()) },
			func(b []byte) (any, error) { return s.DecodeParkedRecord(ctx, b) }},
		"quarantined": {func() ([]byte, error) { return s.EncodeQuarantined(ctx, "s", filled[Quarantined]()) },
			func(b []byte) (any, error) { return s.DecodeQuarantined(ctx, b) }},
		"worker_status": {func() ([]byte, error) { return s.EncodeWorkerStatus(ctx, "s", filled[WorkerStatus]()) },
			func(b []byte) (any, error) { return s.DecodeWorkerStatus(ctx, b) }},
		"command": {func() ([]byte, error) { return s.EncodeCommand(ctx, "s", filled[Command]()) },
			func(b []byte) (any, error) { return s.DecodeCommand(ctx, b) }},
		"disagreement": {func() ([]byte, error) { return s.EncodeDisagreement(ctx, "s", filled[Disagreement]()) },
			func(b []byte) (any, error) { return s.DecodeDisagreement(ctx, b) }},
		"contract": {func() ([]byte, error) { return s.EncodeContract(ctx, "s", filled[Contract]()) },
			func(b []byte) (any, error) { return s.DecodeContract(ctx, b) }},
		"sealing_key": {func() ([]byte, error) { return s.EncodeSealingKey(ctx, "s", filled[SealingKey]()) },
			func(b []byte) (any, error) { return s.DecodeSealingKey(ctx, b) }},
	}
}

// TestPastVersions reads the bytes of every version there ever was, each with its own schema: what they said then is
// what they say now.
func TestPastVersions(t *testing.T) {
	t.Parallel()
	if *update {
		writeGolden(t)
	}
	bins, err := filepath.Glob("testdata/v*/*.bin")
	if err != nil || len(bins) < len(SchemaNames()) {
		t.Fatalf("%v: %d golden files are fewer than the schemas: run go test ./schemas -run TestPastVersions -update", err, len(bins))
	}
	for _, bin := range bins {
		t.Run(bin, func(t *testing.T) {
			t.Parallel()
			s := newSerde(t)
			base := strings.TrimSuffix(bin, ".bin")
			name := filepath.Base(base)
			found, err := s.client.CreateSchema(t.Context(), name, sr.Schema{Schema: readFile(t, base+".avsc")})
			if err != nil {
				t.Fatal(err)
			}
			got, err := golden(s, t)[name].decode(append(AppendHeader(nil, found.ID), readFile(t, bin)...))
			if err != nil {
				t.Fatal(err)
			}
			then, now := fromJSON(t, readFile(t, base+".json")), fromJSON(t, toJSON(t, got))
			if d := cmp.Diff(then, common(then, now)); d != "" {
				t.Errorf("(-then +now):\n%s", d)
			}
			past := mustParse(t, readFile(t, base+".avsc"))
			if faults := incompatibilities(formats[name].root, past); len(faults) > 0 {
				t.Errorf("readers of that version cannot read what is written now: %v", faults)
			}
		})
	}
}

// TestThisVersionIsKept: a schema that changed must leave its bytes behind, or nothing proves that they stay readable.
func TestThisVersionIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range SchemaNames() {
		if kept := readFile(t, filepath.Join("testdata", thisVersion, name+".avsc")); kept != SchemaText(name) {
			t.Errorf("%s.avsc differs from testdata/%s: make a new version folder if that one was released, then -update", name, thisVersion)
		}
	}
}

func writeGolden(t *testing.T) {
	t.Helper()
	dir := filepath.Join("testdata", thisVersion)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name := range golden(nil, t) {
		s := newSerde(t)
		g := golden(s, t)[name]
		b, err := g.encode()
		if err != nil {
			t.Fatal(err)
		}
		v, err := g.decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for ending, text := range map[string]string{".bin": string(b[headerSize:]), ".avsc": SchemaText(name), ".json": toJSON(t, v)} {
			if err := os.WriteFile(filepath.Join(dir, name+ending), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// common is now without the members that then did not have: fields that came later.
func common(then, now any) any {
	switch then := then.(type) {
	case map[string]any:
		m, _ := now.(map[string]any)
		out := map[string]any{}
		for k, v := range then {
			if n, ok := m[k]; ok {
				out[k] = common(v, n)
			}
		}
		return out
	case []any:
		list, _ := now.([]any)
		if len(list) != len(then) {
			return now
		}
		out := make([]any, len(list))
		for i := range list {
			out[i] = common(then[i], list[i])
		}
		return out
	}
	return now
}

// TestOtherVersions reads what older and newer producers write.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	older := `{"type":"record","name":"OrderEvent","namespace":"seam","fields":[
	  {"name":"id","type":"string"},{"name":"type","type":"string"},{"name":"source","type":"string"},
	  {"name":"system","type":"string"},{"name":"subject","type":"string"},
	  {"name":"time","type":{"type":"long","logicalType":"timestamp-millis"}},
	  {"name":"ingested_at","type":{"type":"long","logicalType":"timestamp-micros"}},
	  {"name":"order","type":["null",{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"lines","type":{"type":"array","items":
	    {"type":"record","name":"Line","fields":[{"name":"quantity","type":"int"}]}}}]}]}]}`
	newer := strings.Replace(SchemaText("order_event"), `{"name": "id", "type": "string", "doc"`,
		`{"name": "legs", "type": {"type": "array", "items": {"type": "record", "name": "Leg", "fields": [{"name": "km", "type": "double"}]}}, "default": []},
		 {"name": "id", "type": "string", "doc"`, 1)
	want := &Event{ID: "e", Type: OrderCreated, Source: "/s", System: "shop", Subject: "1", Time: fromMicros(7000), IngestedAt: fromMicros(9)}
	wantOlder := *want
	wantOlder.Order = &Order{ID: "1", Lines: []Line{{Quantity: 3}}}
	tests := []struct {
		name, schema string
		native       map[string]any
		want         *Event
	}{
		{"older", older, map[string]any{"time": int64(7), "order": map[string]any{"seam_Order": map[string]any{
			"id": "1", "lines": []any{map[string]any{"quantity": int32(3)}}}}}, &wantOlder},
		{"newer", newer, map[string]any{"time": int64(7000), "legs": []any{map[string]any{"km": 1.5}}}, want},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSerde(t)
			w := mustParse(t, tt.schema)
			for _, f := range w.fields {
				if _, ok := tt.native[f.name]; !ok {
					tt.native[f.name] = nil
				}
			}
			for k, v := range map[string]any{"id": "e", "type": "order.created", "source": "/s", "system": "shop", "subject": "1", "ingested_at": int64(9)} {
				tt.native[k] = v
			}
			codec, err := newCodec(w)
			if err != nil {
				t.Fatal(err)
			}
			body, err := codec.BinaryFromNative(nil, tt.native)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.DecodeEvent(t.Context(), framed(t, s, tt.schema, body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestBytesOfAnother: another implementation reads our bytes, and writes the same ones from what it read.
func TestBytesOfAnother(t *testing.T) {
	t.Parallel()
	for _, name := range SchemaNames() {
		g := golden(newSerde(t), t)[name]
		if name == "ledger_entry" || name == "parked_record" || name == "quarantined" {
			continue // their maps have two keys, and maps have no order
		}
		b, err := g.encode()
		if err != nil {
			t.Fatal(err)
		}
		other, err := avro.Parse(SchemaText(name))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		rest, err := other.Decode(b[headerSize:], &v)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: %v, %d bytes left", name, err, len(rest))
		}
		again, err := other.Encode(v)
		if err != nil || !reflect.DeepEqual(again, b[headerSize:]) {
			t.Errorf("%s: %v\nours  %x\nother %x", name, err, b[headerSize:], again)
		}
	}
}
