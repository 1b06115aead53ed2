package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "github.com/binaryandbeyond/seam"

// Config says who traces.
type Config struct {
	Version  string
	Instance string // service.instance.id; empty for none
	// Lookup gives the environment's variables; os.LookupEnv. The exporter, the sampler and the batches read their own from the
	// process: OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*.
	Lookup func(string) (string, bool)
	Logger *slog.Logger
}

// Open gives the process's tracer, and what sends the last spans. The tracer is nil while nobody collects: without
// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_TRACES_EXPORTER=otlp, with
// OTEL_TRACES_EXPORTER=none, and with OTEL_SDK_DISABLED=true. What cannot be sent is told in the log, once in a minute, and
// nothing waits for it.
func Open(ctx context.Context, c Config) (trace.Tracer, func(context.Context) error, error) {
	on, err := c.wanted()
	if err != nil || !on {
		return nil, func(context.Context) error { return nil }, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	attributes := []attribute.KeyValue{attribute.String("service.name", "seam"), attribute.String("service.version", c.Version)}
	if c.Instance != "" {
		attributes = append(attributes, attribute.String("service.instance.id", c.Instance))
	}
	about, err := resource.New(ctx, resource.WithAttributes(attributes...), resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last wins
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(seldom(c.Logger))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider.Tracer(scope), provider.Shutdown, nil
}

// wanted tells whether anybody is to collect.
func (c Config) wanted() (bool, error) {
	get := func(name string) string { v, _ := c.Lookup(name); return v }
	if get("OTEL_SDK_DISABLED") == "true" {
		return false, nil
	}
	endpoint := cmp.Or(get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), get("OTEL_EXPORTER_OTLP_ENDPOINT"))
	switch exporter := get("OTEL_TRACES_EXPORTER"); {
	case exporter == "none", exporter == "" && endpoint == "":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: seam exports by otlp, or none", exporter)
	}
	if p := cmp.Or(get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), get("OTEL_EXPORTER_OTLP_PROTOCOL")); p != "" && p != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: seam speaks http/protobuf, by default to port 4318 of the collector", p)
	}
	return true, nil
}

// seldom tells the exporter's errors, one in a minute at most.
func seldom(log *slog.Logger) otel.ErrorHandler {
	var last atomic.Int64
	return otel.ErrorHandlerFunc(func(err error) {
		now := time.Now().UnixNano()
		if at := last.Load(); now-at > int64(time.Minute) && last.CompareAndSwap(at, now) {
			log.Warn("spans were not sent", "err", err)
		}
	})
}
