package deliver

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestSpansTellNothingThatMustNotBeTold: no password, no query, no secret of the integration and nothing personal of the event.
func TestSpansTellNothingThatMustNotBeTold(t *testing.T) {
	t.Parallel()
	in := &topology.Integration{Name: "crm", Deliver: []topology.Route{{HTTP: &topology.HTTPCall{Auth: topology.Auth{Bearer: "sesame-open"}}}}}
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	ev := &schemas.Event{Customer: &schemas.Customer{ID: "c1", Email: "ann@example.com"}}
	to, err := url.Parse("https://user:pw@crm.example:8443/v1/sesame-open/contacts/ann@example.com?key=topsecret#top")
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewSpanRecorder()
	ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("").Start(t.Context(), "call")
	k.describe(ctx, Request{Event: ev}, message{method: "PUT", url: to})
	span.End()
	got := map[string]string{}
	for _, a := range spans.Ended()[0].Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	want := map[string]string{"http.request.method": "PUT", "server.address": "crm.example", "server.port": "8443", "url.full": "https://crm.example:8443/v1/%2A%2A%2A/contacts/%2A%2A%2A"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
