// Package tracing sends spans to a collector by OTLP over HTTP, and knows the W3C trace context.
//
// In come OpenTelemetry's own variables (OTEL_*), out goes a Tracer for the packages that do the work, nil while nobody collects.
// The context of a trace travels whether or not anybody does: it stands in the headers traceparent and tracestate of requests
// and records. It never makes a span of what the sampler leaves out, and attributes never hold a secret or anything personal.
package tracing
