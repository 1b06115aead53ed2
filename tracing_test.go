package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/binaryandbeyond/seam/schemas"
)

// spans is a collector of OTLP over HTTP.
type spans struct {
	t     *testing.T
	tally *tally
	mu    sync.Mutex
	list  []*otlp.Span
	of    map[string]string // service.instance.id by span id
}

// ServeHTTP takes an export.
func (c *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Error(err)
			return
		}
		body = z
	}
	content, err := io.ReadAll(body)
	var req collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(content, &req)
	}
	if err != nil {
		c.t.Errorf("%s: %v", r.URL.Path, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		instance := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.instance.id" {
				instance = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.list, c.of[string(s.SpanId)] = append(c.list, s), instance
				c.tally.add("span", "span/"+s.Name)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// tree is a line per span below a parent, by name and process, with what it says of how it ended; each level is indented.
func (c *spans) tree(trace, parent []byte, indent string) []string {
	var out []string
	for _, s := range c.list {
		if string(s.TraceId) != string(trace) || string(s.ParentSpanId) != string(parent) {
			continue
		}
		said := map[string]string{}
		for _, a := range s.Attributes {
			switch a.Key {
			case "seam.outcome", "seam.class", "http.response.status_code", "http.request.resend_count":
				said[strings.TrimPrefix(a.Key, "seam.")] = cmp.Or(a.Value.GetStringValue(), strconv.FormatInt(a.Value.GetIntValue(), 10))
			}
		}
		line := fmt.Sprintf("%s%s (%s) %s", indent, s.Name, c.of[string(s.SpanId)], strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
		for _, k := range slices.Sorted(maps.Keys(said)) {
			line += " " + k + "=" + said[k]
		}
		out = append(append(out, line), c.tree(trace, s.SpanId, indent+"  ")...)
	}
	return out
}

// TestOneTrace: a webhook that comes with a trace is taken by one process and delivered by another, at the second attempt. All of
// it is one trace: the collector's tree has every step, the downstream is called with the context of its own span, records carry
// it, the log and seam order name it. Nothing of it tells a secret.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	s := newSmall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &spans{t: t, tally: s.tally, of: map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	s.env = append(s.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_BSP_SCHEDULE_DELAY=50")
	s.answer = func(_ string, call int) (int, <-chan struct{}) {
		if call == 1 {
			return http.StatusServiceUnavailable, nil
		}
		return http.StatusOK, nil
	}
	edge := freeAddress(t)
	for name, role := range map[string]string{"edge": "edge", "worker": "down"} {
		if err := s.proc(name, "--only", role, "--listen", map[string]string{"edge": edge, "worker": "127.0.0.1:0"}[name], "--instance", name).start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.order(ctx, edge, "o1", "Traceparent", "00-"+trace+"-"+caller+"-01", "Tracestate", "shop=t61rcWkgMzE"); err != nil {
		t.Fatal(err)
	}
	o := s.outcomes(ctx, 1)["o1"][0]
	if err := s.tally.until(ctx, func() bool { return s.tally.of("span") >= 5 }); err != nil {
		t.Fatalf("%d spans came: %v", s.tally.of("span"), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id, parent := []byte("\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"), []byte("\xb7\xad\x6b\x71\x69\x20\x33\x31")
	orders := s.kafka.Prefix + schemas.TopicOrders
	want := []string{
		"POST /in/{source} (edge) SERVER http.response.status_code=200",
		"  send " + orders + " (edge) PRODUCER",
		"    process " + orders + " (worker) CONSUMER outcome=delivered",
		"      deliver down (worker) CLIENT class=retry http.response.status_code=503",
		"      deliver down (worker) CLIENT class=delivered http.request.resend_count=1 http.response.status_code=200",
	}
	if d := gocmp.Diff(want, c.tree(id, parent, "")); d != "" {
		t.Errorf("spans (-want +got):\n%s", d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.heads["o1"] {
		if tp := h.Get("Traceparent"); schemas.TraceID(tp) != trace || !slices.ContainsFunc(c.list, func(sp *otlp.Span) bool {
			return sp.Name == "deliver down" && fmt.Sprintf("%x", sp.SpanId) == tp[36:52]
		}) {
			t.Errorf("call %d came with %q: not of its own span", i+1, tp)
		}
		if got := h.Get("Tracestate"); got != "shop=t61rcWkgMzE" {
			t.Errorf("call %d came with tracestate %q", i+1, got)
		}
	}
	if schemas.TraceID(o.TraceParent) != trace {
		t.Errorf("the outcome is of trace %q", o.TraceParent)
	}
	for topic, name := range map[string]string{orders: "event", s.kafka.Prefix + "reconciliation": "outcome"} {
		rec := s.kafka.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart())).PollRecords(ctx, 1).Records()[0]
		if env, _ := schemas.EnvelopeOf(rec.Headers); schemas.TraceID(env.TraceParent) != trace {
			t.Errorf("the %s's record carries %q", name, env.TraceParent)
		}
	}
	if text := s.run("order", "o1"); !strings.Contains(text, trace+"  order.created") {
		t.Errorf("seam order does not name the trace:\n%s", text)
	}
	if text := s.run("order", "o1", "--json"); !strings.Contains(text, `"trace_id": "`+trace+`"`) && !strings.Contains(text, `"trace_id":"`+trace+`"`) {
		t.Errorf("seam order --json does not name the trace:\n%s", text)
	}
	for _, sp := range c.list {
		if text := sp.String(); strings.Contains(text, "token") || strings.Contains(text, "Bearer") {
			t.Errorf("a span tells a secret: %s", text)
		}
	}
}
