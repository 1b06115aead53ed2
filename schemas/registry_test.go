package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"
)

func person(fields string) string {
	return `{"type":"record","name":"Person","fields":[{"name":"id","type":"string"}` + fields + `]}`
}

// TestRegistryOverHTTP is the API as any client sees it: requests in order against one registry.
func TestRegistryOverHTTP(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(NewMemoryRegistry())
	defer srv.Close()
	v1, v2 := person(""), person(`,{"name":"age","type":"int","default":0}`)
	broken := person(`,{"name":"age","type":"int"}`)
	reformatted := "{ \"name\":\"Person\", \"type\":\"record\",\n \"fields\":[{\"type\":\"string\",\"name\":\"id\"}]}"
	for _, step := range []struct {
		name, method, path, schema string
		body                       string // instead of schema
		status                     int
		want                       string
	}{
		{name: "empty", method: "GET", path: "/subjects", status: 200, want: `[]`},
		{name: "types", method: "GET", path: "/schemas/types", status: 200, want: `["AVRO"]`},
		{name: "no subject", method: "GET", path: "/subjects/a/versions", status: 404, want: `{"error_code":40401,"message":"subject \"a\" not found"}`},
		{name: "look up in no subject", method: "POST", path: "/subjects/a", schema: v1, status: 404, want: `{"error_code":40401,"message":"subject \"a\" not found"}`},
		{name: "register", method: "POST", path: "/subjects/a/versions", schema: v1, status: 200, want: `{"id":1}`},
		{name: "again", method: "POST", path: "/subjects/a/versions", schema: v1, status: 200, want: `{"id":1}`},
		{name: "again in another layout", method: "POST", path: "/subjects/a/versions", schema: reformatted, status: 200, want: `{"id":1}`},
		{name: "same id in another subject", method: "POST", path: "/subjects/x%2Fb/versions", schema: v1, status: 200, want: `{"id":1}`},
		{name: "a field without default", method: "POST", path: "/compatibility/subjects/a/versions/latest?verbose=true", schema: broken, status: 200,
			want: `{"is_compatible":false,"messages":["new schema cannot read version 1: age: writer Person has no such field and the reader no default"]}`},
		{name: "is refused", method: "POST", path: "/subjects/a/versions", schema: broken, status: 409,
			want: `{"error_code":409,"message":"schema being registered is incompatible with an earlier schema for subject \"a\" (BACKWARD): new schema cannot read version 1: age: writer Person has no such field and the reader no default"}`},
		{name: "a field with default", method: "POST", path: "/compatibility/subjects/a/versions", schema: v2, status: 200, want: `{"is_compatible":true}`},
		{name: "is taken", method: "POST", path: "/subjects/a/versions", schema: v2, status: 200, want: `{"id":2}`},
		{name: "versions", method: "GET", path: "/subjects/a/versions", status: 200, want: `[1,2]`},
		{name: "subjects", method: "GET", path: "/subjects", status: 200, want: `["a","x/b"]`},
		{name: "by id", method: "GET", path: "/schemas/ids/1", status: 200, want: fmt.Sprintf(`{"schema":%q}`, v1)},
		{name: "text by id", method: "GET", path: "/schemas/ids/1/schema", status: 200, want: v1},
		{name: "uses of an id", method: "GET", path: "/schemas/ids/1/versions", status: 200, want: `[{"subject":"a","version":1},{"subject":"x/b","version":1}]`},
		{name: "subjects of an id", method: "GET", path: "/schemas/ids/2/subjects", status: 200, want: `["a"]`},
		{name: "latest", method: "GET", path: "/subjects/a/versions/latest", status: 200, want: fmt.Sprintf(`{"subject":"a","version":2,"id":2,"schema":%q}`, v2)},
		{name: "look up", method: "POST", path: "/subjects/a", schema: v1, status: 200, want: fmt.Sprintf(`{"subject":"a","version":1,"id":1,"schema":%q}`, v1)},
		{name: "look up with an empty list of references", method: "POST", path: "/subjects/a?normalize=false", body: fmt.Sprintf(`{"schema":%q,"schemaType":"AVRO","references":[]}`, v1), status: 200, want: fmt.Sprintf(`{"subject":"a","version":1,"id":1,"schema":%q}`, v1)},
		{name: "look up what is not there", method: "POST", path: "/subjects/a", schema: `"int"`, status: 404, want: `{"error_code":40403,"message":"schema not found under subject \"a\""}`},
		{name: "no such version", method: "GET", path: "/subjects/a/versions/3", status: 404, want: `{"error_code":40402,"message":"version 3 of subject \"a\" not found"}`},
		{name: "bad version", method: "GET", path: "/subjects/a/versions/new", status: 422, want: `{"error_code":42202,"message":"version \"new\" is neither a positive number nor \"latest\""}`},
		{name: "no such id", method: "GET", path: "/schemas/ids/9", status: 404, want: `{"error_code":40403,"message":"schema 9 not found"}`},
		{name: "not a schema", method: "POST", path: "/subjects/a/versions", schema: `{"type":"recrd"}`, status: 422, want: `{"error_code":42201,"message":"invalid schema: schema: unknown type \"recrd\""}`},
		{name: "default of the wrong type", method: "POST", path: "/subjects/a/versions", schema: person(`,{"name":"age","type":"int","default":"0"}`), status: 422, want: `{"error_code":42201,"message":"invalid schema: age: bad default: 0: value does not fit the type int"}`},
		{name: "not JSON", method: "POST", path: "/subjects/a/versions", body: `schema`, status: 400, want: `{"error_code":400,"message":"body is not a schema request: invalid character 's' looking for beginning of value"}`},
		{name: "protobuf", method: "POST", path: "/subjects/a/versions", body: `{"schemaType":"PROTOBUF","schema":"x"}`, status: 422, want: `{"error_code":42201,"message":"schema type PROTOBUF: only AVRO is known"}`},
		{name: "config", method: "GET", path: "/config", status: 200, want: `{"compatibilityLevel":"BACKWARD"}`},
		{name: "no config of its own", method: "GET", path: "/config/a", status: 404, want: `{"error_code":40408,"message":"subject \"a\" has no compatibility of its own"}`},
		{name: "bad config", method: "PUT", path: "/config", body: `{"compatibility":"SIDEWAYS"}`, status: 422, want: `{"error_code":42203,"message":"compatibility \"SIDEWAYS\" is none of [NONE BACKWARD BACKWARD_TRANSITIVE FORWARD FORWARD_TRANSITIVE FULL FULL_TRANSITIVE]"}`},
		{name: "none for one subject", method: "PUT", path: "/config/a", body: `{"compatibility":"NONE"}`, status: 200, want: `{"compatibility":"NONE"}`},
		{name: "takes all", method: "POST", path: "/subjects/a/versions", schema: broken, status: 200, want: `{"id":3}`},
		{name: "but not elsewhere", method: "POST", path: "/subjects/x%2Fb/versions", schema: broken, status: 409,
			want: `{"error_code":409,"message":"schema being registered is incompatible with an earlier schema for subject \"x/b\" (BACKWARD): new schema cannot read version 1: age: writer Person has no such field and the reader no default"}`},
		{name: "reference", method: "POST", path: "/subjects/team/versions", body: fmt.Sprintf(`{"schema":%q,"references":[{"name":"Person","subject":"a","version":2}]}`, `{"type":"array","items":"Person"}`), status: 200, want: `{"id":4}`},
		{name: "delete a version", method: "DELETE", path: "/subjects/a/versions/3", status: 200, want: `3`},
		{name: "delete a subject", method: "DELETE", path: "/subjects/x%2Fb", status: 200, want: `[1]`},
		{name: "it is gone", method: "GET", path: "/subjects", status: 200, want: `["a","team"]`},
		{name: "its id is not", method: "GET", path: "/schemas/ids/3", status: 200, want: fmt.Sprintf(`{"schema":%q}`, broken)},
	} {
		body := step.body
		if step.schema != "" {
			body = fmt.Sprintf(`{"schema":%q}`, step.schema)
		}
		req, err := http.NewRequestWithContext(t.Context(), step.method, srv.URL+step.path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != step.status {
			t.Errorf("%s: status %d, want %d", step.name, resp.StatusCode, step.status)
		}
		if d := cmp.Diff(fromJSON(t, step.want), fromJSON(t, string(got))); d != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, d)
		}
	}
}

func fromJSON(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// TestRegistryLevels registers three versions of which each pair says what it is.
func TestRegistryLevels(t *testing.T) {
	t.Parallel()
	v1 := person(`,{"name":"age","type":"int"}`)
	v2 := person(`,{"name":"age","type":"int","default":0}`)
	tests := []struct {
		level       string
		older, next string
		ok          bool
	}{
		{"BACKWARD", v1, person(""), true},
		{"BACKWARD", person(""), v1, false},
		{"FORWARD", person(""), v1, true},
		{"FORWARD", v1, person(""), false},
		{"FULL", person(""), v2, true},
		{"FULL", person(""), v1, false},
		{"NONE", person(""), `"int"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.level, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(NewMemoryRegistry())
			t.Cleanup(srv.Close)
			cl := newClient(t, srv.URL)
			if err := cl.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level(tt.level)}, "s")[0].Err; err != nil {
				t.Fatal(err)
			}
			for i, text := range []string{tt.older, tt.next} {
				_, err := cl.CreateSchema(t.Context(), "s", sr.Schema{Schema: text})
				if want := i == 0 || tt.ok; want != (err == nil) {
					t.Errorf("schema %d: %v, want ok %v", i+1, err, want)
				}
			}
		})
	}
}

func level(word string) (l sr.CompatibilityLevel) {
	_ = l.UnmarshalText([]byte(word)) // an unknown word stays 0, and the registry says so
	return l
}

// TestRegistryTransitive needs the oldest version to see the fault: the middle one removes the field.
func TestRegistryTransitive(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(NewMemoryRegistry())
	defer srv.Close()
	cl := newClient(t, srv.URL)
	texts := []string{person(`,{"name":"age","type":"string"}`), person(""), person(`,{"name":"age","type":"int","default":0}`)}
	for _, subject := range []string{"plain", "transitive"} {
		if subject == "transitive" {
			cl.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatBackwardTransitive}, subject)
		}
		for i, text := range texts {
			_, err := cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: text})
			if refused := err != nil; refused != (subject == "transitive" && i == 2) {
				t.Errorf("%s version %d: %v", subject, i+1, err)
			}
		}
	}
}

func TestRegisterIncompatible(t *testing.T) {
	t.Parallel()
	s := newSerde(t)
	if _, err := s.client.CreateSchema(t.Context(), "orders-value", sr.Schema{Schema: `"int"`}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Register(t.Context(), "orders-value", "order_event"); !errors.Is(err, ErrIncompatible) {
		t.Errorf("got %v, want ErrIncompatible", err)
	}
}
