package tracing

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/schemas"
)

const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestWanted: spans are sent only where OpenTelemetry's own variables say so, and what cannot be done is refused by name.
func TestWanted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  map[string]string
		want bool
		err  string
	}{
		{nil, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, true, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, false, ""},
		{map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, false, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, `OTEL_TRACES_EXPORTER is "zipkin"`},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"`},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
	} {
		got, err := Config{Lookup: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }}.wanted()
		if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %v, %v; want %v, %q", tt.env, got, err, tt.want, tt.err)
		}
	}
}

// TestCaller takes what the recommendation allows, and of what is wrong the least that must go.
func TestCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		parent string
		state  []string
		want   schemas.Trace
	}{
		{valid, nil, schemas.Trace{Parent: valid}},
		{valid, []string{"a=1", "b=2"}, schemas.Trace{Parent: valid, State: "a=1,b=2"}},
		{valid, []string{"not a state"}, schemas.Trace{Parent: valid}},
		{valid, []string{"a=" + strings.Repeat("x", 300) + ",b=" + strings.Repeat("x", 300)}, schemas.Trace{Parent: valid}},
		{"", []string{"a=1"}, schemas.Trace{}},
		{strings.ToUpper(valid), nil, schemas.Trace{}},
		{"ff" + valid[2:], nil, schemas.Trace{}},
		{"00-" + strings.Repeat("0", 32) + valid[35:], nil, schemas.Trace{}},
		{valid[:36] + strings.Repeat("0", 16) + "-01", nil, schemas.Trace{}},
		{valid + "-more", nil, schemas.Trace{}},
	} {
		h := http.Header{"Tracestate": tt.state}
		h.Set("Traceparent", tt.parent)
		if got := Caller(h); got != tt.want {
			t.Errorf("%q %q: %v, want %v", tt.parent, tt.state, got, tt.want)
		}
	}
}

// TestContexts: what is begun is valid and sampled, and what is made a parent comes out of its spans as it went in.
func TestContexts(t *testing.T) {
	t.Parallel()
	fresh := New()
	if !form.MatchString(fresh.Parent) || !strings.HasSuffix(fresh.Parent, "-01") || fresh == New() {
		t.Errorf("a new context is %v", fresh)
	}
	for _, want := range []schemas.Trace{fresh, {Parent: valid, State: "a=1"}, {}} {
		if got := Of(trace.SpanFromContext(Remote(context.Background(), want))); got != want {
			t.Errorf("%v comes back as %v", want, got)
		}
	}
	if id := schemas.TraceID(valid); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace of %s is %q", valid, id)
	}
	for _, wrong := range []string{"", valid[:40], strings.Replace(valid, "a", "\n", 1), strings.ToUpper(valid)} {
		if id := schemas.TraceID(wrong); id != "" {
			t.Errorf("the trace of %q is %q", wrong, id)
		}
	}
}
