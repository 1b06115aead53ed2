package tracing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/schemas"
)

// form is version 00 of W3C Trace Context: https://www.w3.org/TR/trace-context/.
var form = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// maxState is how long a tracestate must at least be passed on, and here is at most, in bytes.
const maxState = 512

// Caller is the context in a request's headers; zero where there is none that is valid.
func Caller(h http.Header) schemas.Trace {
	tp := h.Get("Traceparent")
	if !form.MatchString(tp) || strings.HasPrefix(tp[3:], strings.Repeat("0", 32)) || tp[36:52] == strings.Repeat("0", 16) {
		return schemas.Trace{}
	}
	state := strings.Join(h.Values("Tracestate"), ",")
	if _, err := trace.ParseTraceState(state); err != nil || len(state) > maxState {
		state = "" // as the recommendation has it: the parent stays
	}
	return schemas.Trace{Parent: tp, State: state}
}

// New begins a trace that nobody here records. It says sampled, so that those who are called decide as for one of their own.
func New() schemas.Trace {
	var b [24]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return schemas.Trace{Parent: "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"}
}

// Of is the context of a span, to be sent on.
func Of(span trace.Span) schemas.Trace {
	sc := span.SpanContext()
	if !sc.IsValid() {
		return schemas.Trace{}
	}
	return schemas.Trace{Parent: "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String(), State: sc.TraceState().String()}
}

// Remote makes a context the parent of the spans begun under ctx; one that is not valid changes nothing.
func Remote(ctx context.Context, t schemas.Trace) context.Context {
	if t.Parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": t.Parent, "tracestate": t.State})
}
