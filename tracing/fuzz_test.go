package tracing

import (
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// FuzzCaller: what goes on is a trace context or none, whatever came, and fits a header.
func FuzzCaller(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "congo=t61rcWkgMzE")
	f.Add("00-00000000000000000000000000000000-b7ad6b7169203331-01", "")
	f.Add("x\r\n", "a=1,,b=\x00")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := Caller(http.Header{"Traceparent": {parent}, "Tracestate": {state}})
		if got.Parent == "" {
			if got.State != "" {
				t.Fatalf("a state without a parent: %q", got.State)
			}
			return
		}
		_, err := trace.ParseTraceState(got.State)
		if !form.MatchString(got.Parent) || err != nil || len(got.State) > maxState || strings.ContainsAny(got.State, "\r\n") {
			t.Fatalf("%q, %q became %+v: %v", parent, state, got, err)
		}
	})
}
