package deliver

import (
	"cmp"
	"context"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/binaryandbeyond/seam/schemas"
)

// describe tells the span of ctx where a message goes: no credentials, no query, and of the path nothing that is personal in the
// event or secret in the integration.
func (k *httpKind) describe(ctx context.Context, r Request, m message) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	shown := url.URL{Scheme: m.url.Scheme, Host: m.url.Host, Path: schemas.MaskFor(cmp.Or(r.Whole, r.Event), k.mask.Load().Replace(m.url.Path))}
	span.SetAttributes(attribute.String("http.request.method", m.method), attribute.String("url.full", shown.String()), attribute.String("server.address", m.url.Hostname()))
	if port, err := strconv.Atoi(cmp.Or(m.url.Port(), map[string]string{"http": "80", "https": "443"}[m.url.Scheme])); err == nil {
		span.SetAttributes(attribute.Int("server.port", port))
	}
}
