package schemas

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"
)

// TestPoison: bytes that can never decode are told from a registry that cannot be asked.
func TestPoison(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	ev, _, _ := filledEvents()
	good, err := s.EncodeEvent(t.Context(), "orders-value", ev)
	if err != nil {
		t.Fatal(err)
	}
	number := framed(t, s, `"int"`, []byte{2})
	namesake := framed(t, s, `{"type":"record","name":"OrderEvent","fields":[{"name":"id","type":"string"}]}`, []byte{0})
	unbounded := framed(t, s, `{"type":"array","items":"null"}`, []byte{2, 0})
	tests := []struct {
		name  string
		bytes []byte
		want  error
		text  string // part of the error
	}{
		{"nothing", nil, ErrPoison, "0 bytes are shorter than the header of 5"},
		{"no header", []byte("{}..."), ErrPoison, "first byte is 0x7b instead of 0"},
		{"short header", good[:4], ErrPoison, "4 bytes"},
		{"negative id", []byte{0, 0xff, 0, 0, 0}, ErrPoison, "negative"},
		{"no body", good[:5], ErrPoison, "decode order_event"},
		{"half a body", good[:len(good)/2], ErrPoison, "decode order_event"},
		{"more than a body", append(good[:len(good):len(good)], 0), ErrPoison, "1 bytes left after the value"},
		{"another schema", number, ErrPoison, "writer int, reader record seam.OrderEvent"},
		{"a schema without what we need", namesake, ErrPoison, "type: writer OrderEvent has no such field and the reader no default"},
		{"items without bytes", unbounded, ErrPoison, "cannot be bounded"},
		{"unknown id", AppendHeader(nil, 99), ErrUnknownSchema, "fetch schema 99"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := s.DecodeEvent(t.Context(), tt.bytes)
			if !errors.Is(err, tt.want) || !strings.Contains(errText(err), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

// framed registers a foreign schema and puts its id before a body.
func framed(t testing.TB, s *Serde, schema string, body []byte) []byte {
	t.Helper()
	found, err := s.client.CreateSchema(t.Context(), "foreign"+schema, sr.Schema{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	return append(AppendHeader(nil, found.ID), body...)
}

func TestRegistryAway(t *testing.T) {
	t.Parallel()
	status := http.StatusServiceUnavailable
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	s := NewSerde(newClient(t, srv.URL))
	ev, _, _ := filledEvents()
	for _, state := range []string{"answers 503", "is gone"} {
		if state == "is gone" {
			srv.Close()
		}
		if _, err := s.DecodeEvent(t.Context(), AppendHeader(nil, 1)); !errors.Is(err, ErrRegistry) || errors.Is(err, ErrPoison) {
			t.Errorf("registry %s: decode gave %v, want ErrRegistry", state, err)
		}
		if _, err := s.EncodeEvent(t.Context(), "orders-value", ev); !errors.Is(err, ErrRegistry) {
			t.Errorf("registry %s: encode gave %v, want ErrRegistry", state, err)
		}
	}
}

// TestNotARegistry: an address that answers 404 to everything is a wrong address, not an unknown schema.
func TestNotARegistry(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	ev, _, _ := filledEvents()
	_, err := NewSerde(newClient(t, srv.URL)).EncodeEvent(t.Context(), "orders-value", ev)
	if !errors.Is(err, ErrRegistry) || errors.Is(err, ErrUnknownSchema) {
		t.Errorf("got %v, want ErrRegistry", err)
	}
}

// TestReferences reads a value whose schema uses types of other subjects, which use types of others again.
func TestReferences(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	id := 0
	for _, step := range []struct{ subject, schema, refers string }{
		{"cents", `{"type":"fixed","name":"x.Cents","size":1}`, ""},
		{"price", `{"type":"record","name":"x.Price","fields":[{"name":"cents","type":"Cents"}]}`, "cents"},
		{"prices", `{"type":"array","items":"x.Price"}`, "price"},
	} {
		schema := sr.Schema{Schema: step.schema}
		if step.refers != "" {
			schema.References = []sr.SchemaReference{{Name: step.refers, Subject: step.refers, Version: 1}}
		}
		found, err := s.client.CreateSchema(t.Context(), step.subject, schema)
		if err != nil {
			t.Fatal(err)
		}
		id = found.ID
	}
	_, got, err := s.DecodeNative(t.Context(), append(AppendHeader(nil, id), 2, 'c', 0))
	want := map[string]any{"value": []any{map[string]any{"cents": []byte("c")}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// TestCachedSchemasNeedNoRegistry: a registry that is gone stops nothing that is known.
func TestCachedSchemasNeedNoRegistry(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(NewMemoryRegistry())
	s := NewSerde(newClient(t, srv.URL))
	if _, err := s.Register(t.Context(), "orders-value", "order_event"); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	ev, _, _ := filledEvents()
	roundTrip(t, ev, func(_ context.Context, _ string, ev *Event) ([]byte, error) {
		return s.EncodeEvent(t.Context(), "orders-value", ev)
	}, s.DecodeEvent)
}

// TestHugeClaim: a few bytes that claim 50 million items must not be believed before they are read. Not parallel, as it
// measures what the whole process allocates.
func TestHugeClaim(t *testing.T) {
	s := newSerde(t)
	for _, schema := range []string{`{"type":"array","items":"long"}`, `{"type":"map","values":"long"}`} {
		b := framed(t, s, schema, binary.AppendVarint(nil, 50_000_000))
		if _, _, err := s.DecodeNative(t.Context(), b); !errors.Is(err, ErrPoison) { // also fetches the schema
			t.Fatalf("%s: got %v, want ErrPoison", schema, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := s.DecodeNative(t.Context(), b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrPoison) || got > 64<<10 {
			t.Errorf("%s: %v after %d bytes of memory", schema, err, got)
		}
	}
}

func FuzzSplitHeader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, rest, err := SplitHeader(b)
		if err != nil {
			if !errors.Is(err, ErrPoison) {
				t.Fatalf("%v is not ErrPoison", err)
			}
			return
		}
		if got := append(AppendHeader(nil, id), rest...); string(got) != string(b) {
			t.Fatalf("%x became %x", b, got)
		}
	})
}

// FuzzDecode: any body either fails as poison, or gives an event that is written and read again as the same.
func FuzzDecode(f *testing.F) {
	s := newSerde(f)
	ev, _, _ := filledEvents()
	good, err := s.EncodeEvent(f.Context(), "orders-value", ev)
	if err != nil {
		f.Fatal(err)
	}
	header, body := good[:headerSize:headerSize], good[headerSize:]
	f.Add(body)
	f.Add(body[:40])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := s.DecodeEvent(t.Context(), append(header, b...))
		if err != nil {
			if !errors.Is(err, ErrPoison) {
				t.Fatalf("%v is not ErrPoison", err)
			}
			return
		}
		b2, err := s.EncodeEvent(t.Context(), "orders-value", got)
		if err != nil {
			return // read from what we would not write: a broken currency, an empty id
		}
		roundTrip(t, got, s.EncodeEvent, s.DecodeEvent)
		if _, err := s.DecodeEvent(t.Context(), b2); err != nil {
			t.Fatal(err)
		}
	})
}
