package consumers

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/tracing"
)

// An event's spans in an integration are process <topic> (consumer), from its first call to its outcome, and below it one for
// each call (client): all in the trace whose context the event's record carries. An event that needs no call has one too, but for
// those that are none of the integration's business. A worker that goes leaves its spans ended without an outcome; who takes over
// begins its own in the same trace.

// handling is life with the span of the head's handling, which its calls are below.
func (e *engine) handling(life context.Context, ln *lane, it *item) context.Context {
	if e.Tracer == nil {
		return life
	}
	e.span(ln.part, it)
	return trace.ContextWithSpan(life, it.span)
}

// span begins the span of an event's handling, unless it has one.
func (e *engine) span(p *partition, it *item) {
	if it.span != nil {
		return
	}
	ctx := tracing.Remote(e.ctx, schemas.Trace{Parent: it.env.TraceParent, State: it.env.TraceState})
	_, it.span = e.Tracer.Start(ctx, "process "+p.tp.topic, trace.WithSpanKind(trace.SpanKindConsumer))
	if it.span.IsRecording() {
		it.span.SetAttributes(attribute.String("messaging.system", "kafka"), attribute.String("messaging.operation.type", "process"), attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.destination.name", p.tp.topic), attribute.Int("messaging.destination.partition.id", int(p.tp.partition)),
			attribute.Int64("messaging.kafka.offset", it.rec.Offset), attribute.String("messaging.kafka.message.key", string(it.rec.Key)),
			attribute.String("messaging.consumer.group.name", e.Topology.Group(e.in.Name)), attribute.String("messaging.message.id", string(it.env.ID)),
			attribute.String("cloudevents.event_type", string(it.env.Type)), attribute.String("seam.integration", e.in.Name))
	}
}

// ended ends the span of an event's handling with its outcome, which carries its context on.
func (e *engine) ended(p *partition, it *item, o *schemas.Outcome) {
	if e.Tracer == nil || it.span == nil && o.Reason == schemas.ReasonNotSubscribed {
		return
	}
	e.span(p, it)
	if t := tracing.Of(it.span); t.Parent != "" {
		o.TraceParent = t.Parent
	}
	if it.span.IsRecording() {
		it.span.SetAttributes(attribute.String("seam.outcome", string(o.Kind)), attribute.Int("seam.attempts", len(o.Attempts)))
		if o.Reason != "" {
			it.span.SetAttributes(attribute.String("seam.reason", string(o.Reason)))
		}
		if o.Kind == schemas.Parked && o.Until == nil { // a person must act
			it.span.SetStatus(codes.Error, string(o.Reason))
		}
	}
	it.span.End()
	it.span = nil
}

// abandon ends the spans of a partition's events that another worker handles.
func (p *partition) abandon() {
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			if it.span != nil {
				it.span.End()
				it.span = nil
			}
		}
	}
}

// beginCall begins the span of a call below that of ctx, whose context the call then carries; nil for none.
func beginCall(ctx context.Context, tracer trace.Tracer, what string, in *topology.Integration, r *deliver.Request) (context.Context, trace.Span) {
	if tracer == nil {
		return ctx, nil
	}
	ctx, span := tracer.Start(ctx, what+" "+in.Name, trace.WithSpanKind(trace.SpanKindClient))
	if t := tracing.Of(span); t.Parent != "" {
		r.TraceParent, r.TraceState = t.Parent, t.State
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String("seam.integration", in.Name), attribute.String("seam.operation", r.Route.Operation))
		if r.Attempt > 1 {
			span.SetAttributes(attribute.Int("http.request.resend_count", r.Attempt-1))
		}
	}
	return ctx, span
}

// endCall ends it with what came of the call.
func endCall(span trace.Span, res deliver.Result) {
	if span == nil {
		return
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String("seam.class", string(res.Class)))
		if res.Status > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", res.Status))
		}
		if res.Class != deliver.Delivered && res.Class != deliver.AlreadyDone {
			span.SetAttributes(attribute.String("error.type", string(res.Class)))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// The choices of Config.LogOutcomes: which outcomes are told at info. The others are told at debug.
const (
	LogActed = "acted" // all but those of events that the integration does not act on
	LogAll   = "all"
	LogNone  = "none"
)

// level is that at which an outcome is told.
func (c *Config) level(o *schemas.Outcome) slog.Level {
	if c.LogOutcomes == LogNone || c.LogOutcomes != LogAll && o.Reason == schemas.ReasonNotSubscribed {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// logOutcome tells an outcome in one line, without anything personal: its detail may quote an answer, and stays out.
func (e *engine) logOutcome(o *schemas.Outcome) {
	level := e.level(o)
	if !e.log.Enabled(e.ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 14), slog.String("topic", o.Topic), slog.Int("partition", int(o.Partition)), slog.Int64("offset", o.Offset), slog.String("order_id", o.OrderID),
		slog.String("event_id", string(o.EventID)), slog.String("event_type", string(o.EventType)), slog.String("outcome", string(o.Kind)), slog.String("reason", string(o.Reason)),
		slog.Int("attempts", len(o.Attempts)))
	if len(o.Attempts) > 0 {
		attrs = append(attrs, slog.Int64("duration_ms", o.At.Sub(o.Attempts[0].At).Milliseconds()))
	}
	if !o.IngestedAt.IsZero() {
		attrs = append(attrs, slog.Int64("age_ms", o.At.Sub(o.IngestedAt).Milliseconds()))
	}
	if id := schemas.TraceID(o.TraceParent); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	e.log.LogAttrs(e.ctx, level, "outcome", attrs...)
}
