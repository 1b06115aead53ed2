package producers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestTheTraceOfADelivery: what was spooled goes on in its caller's trace, what nobody called with begins one of its own, and its
// records carry the span that sends them. Without a tracer the context is there all the same.
func TestTheTraceOfADelivery(t *testing.T) {
	t.Parallel()
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	recorder := tracetest.NewSpanRecorder()
	traced := &Edge{cfg: Config{Topology: &topology.Topology{}, Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("")}}
	r := &reading{events: []*schemas.Event{{ID: "e1", Type: schemas.OrderCreated, Subject: "o1"}}}
	for _, tt := range []struct {
		name string
		had  schemas.Trace
		id   string // of the trace; empty for a new one
	}{
		{"spooled", schemas.Trace{Parent: caller, State: "a=1"}, "0af7651916cd43dd8448eb211c80319c"},
		{"polled", traced.begun(), ""},
	} {
		d := &delivery{source: &topology.Source{Name: "web"}, trace: tt.had}
		_, s := traced.sending(t.Context(), d, r)
		s.end()
		span := recorder.Ended()[len(recorder.Ended())-1]
		if got := schemas.TraceID(d.trace.Parent); got == "" || tt.id != "" && got != tt.id || tt.id == "" && span.Parent().IsValid() {
			t.Errorf("%s: sent in trace %q below %v", tt.name, got, span.Parent())
		}
		if d.trace.Parent[36:52] != span.SpanContext().SpanID().String() || d.trace.State != tt.had.State {
			t.Errorf("%s: records carry %v, the span is %s", tt.name, d.trace, span.SpanContext().SpanID())
		}
	}
	quiet := &Edge{cfg: Config{Topology: &topology.Topology{}}}
	d := &delivery{source: &topology.Source{Name: "web"}, trace: quiet.begun()}
	before := d.trace
	if _, s := quiet.sending(t.Context(), d, r); s.of != nil || d.trace != before || schemas.TraceID(d.trace.Parent) == "" {
		t.Errorf("without a tracer records carry %v, not the context %v that was begun", d.trace, before)
	}
	if got := quiet.continued(http.Header{"Traceparent": {caller}}); got.Parent != caller {
		t.Errorf("a caller's context is continued as %v", got)
	}
}

// TestARequestThatIsNotTakenIsAnError in its span, with the status that its source saw.
func TestARequestThatIsNotTakenIsAnError(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]codes.Code{http.StatusOK: codes.Unset, http.StatusRequestEntityTooLarge: codes.Unset, http.StatusServiceUnavailable: codes.Error} {
		recorder := tracetest.NewSpanRecorder()
		e := &Edge{cfg: Config{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("")}}
		rw := httptest.NewRecorder()
		_, w, s := e.receiving(t.Context(), rw, httptest.NewRequest(http.MethodPost, "/in/web", http.NoBody), &delivery{source: &topology.Source{Name: "web"}})
		w.WriteHeader(status)
		s.end()
		span := recorder.Ended()[0]
		if span.Status().Code != want || rw.Code != status {
			t.Errorf("answered %d, the source saw %d: the span's status is %v", status, rw.Code, span.Status())
		}
		for _, a := range span.Attributes() {
			if a.Key == "http.response.status_code" && a.Value.AsInt64() != int64(status) {
				t.Errorf("answered %d, the span says %v", status, a.Value)
			}
		}
	}
}
