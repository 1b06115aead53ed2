package producers

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/tracing"
)

// A delivery's spans are POST /in/{source} (server) and send <topic> (producer); its records carry the context of the latter,
// or of its caller, or of a new trace, whether or not anybody records them. A caller's context is continued: whoever gets past
// the signature is a partner, and no stranger from the internet, whose trace would have to be left at the door.

// begun is the context of what nobody called with: a row, a polled state. A tracer begins one itself.
func (e *Edge) begun() schemas.Trace {
	if e.cfg.Tracer != nil {
		return schemas.Trace{}
	}
	return tracing.New()
}

// continued is the context of a request's caller, or of a new trace.
func (e *Edge) continued(h http.Header) schemas.Trace {
	if t := tracing.Caller(h); t.Parent != "" {
		return t
	}
	return e.begun()
}

// span is a span that may be none.
type span struct {
	of      trace.Span // nil for none
	written *statusWriter
}

// end ends it with the status that was answered.
func (s span) end() {
	if s.of == nil {
		return
	}
	if s.written != nil {
		s.of.SetAttributes(attribute.Int("http.response.status_code", s.written.status))
		if s.written.status >= http.StatusInternalServerError {
			s.of.SetStatus(codes.Error, "")
		}
	}
	s.of.End()
}

// failed notes an error and gives it back.
func (s span) failed(err error) error {
	if s.of != nil {
		s.of.SetStatus(codes.Error, "")
		s.of.SetAttributes(attribute.String("error.type", kindOf(err)))
	}
	return err
}

// kindOf is a low number of words for errors, none of which tells a value.
func kindOf(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errLate):
		return "timeout"
	case errors.Is(err, schemas.ErrRegistry):
		return "registry"
	}
	return "_OTHER"
}

// receiving begins the span of a request whose signature holds.
func (e *Edge) receiving(ctx context.Context, w http.ResponseWriter, req *http.Request, d *delivery) (context.Context, http.ResponseWriter, span) {
	if e.cfg.Tracer == nil {
		return ctx, w, span{}
	}
	ctx, s := e.cfg.Tracer.Start(tracing.Remote(ctx, d.trace), "POST /in/{source}", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(d.received),
		trace.WithAttributes(attribute.String("http.request.method", http.MethodPost), attribute.String("http.route", "/in/{source}"),
			attribute.String("url.path", req.URL.Path), attribute.String("seam.source", d.source.Name)))
	d.trace = tracing.Of(s)
	written := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	return ctx, written, span{of: s, written: written}
}

// sending begins the span of a delivery's events, which they carry from here on.
func (e *Edge) sending(ctx context.Context, d *delivery, r *reading) (context.Context, span) {
	if e.cfg.Tracer == nil || len(r.events) == 0 {
		return ctx, span{}
	}
	topic := e.cfg.Topology.TopicName(r.events[0].Type.Topic())
	if !trace.SpanContextFromContext(ctx).IsValid() { // it was spooled, or nobody called
		ctx = tracing.Remote(ctx, d.trace)
	}
	attributes := []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.operation.name", "send"), attribute.String("messaging.destination.name", topic), attribute.String("seam.source", d.source.Name)}
	if len(r.events) == 1 {
		ev := r.events[0]
		attributes = append(attributes, attribute.String("messaging.message.id", string(ev.ID)), attribute.String("messaging.kafka.message.key", ev.Subject),
			attribute.String("cloudevents.event_type", string(ev.Type)))
	} else {
		attributes = append(attributes, attribute.Int("messaging.batch.message_count", len(r.events)))
	}
	ctx, s := e.cfg.Tracer.Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
	d.trace = tracing.Of(s)
	return ctx, span{of: s}
}

// statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
