package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// maxAnswer is how much of an answer is read: enough for any reference, little enough for any liar.
const maxAnswer = 64 << 10

// httpKind calls one integration's HTTP API.
type httpKind struct {
	in     *topology.Integration
	client *http.Client
	probe  *topology.Template
	method string
	calls  sync.Map // *topology.Route to *httpCall
	mask   *strings.Replacer
}

// httpCall is what all requests of a route have in common.
type httpCall struct {
	address *topology.Template
	header  http.Header // its values are shared, and only read
}

func newHTTP(in *topology.Integration) (*httpKind, error) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment, // many a company lets nothing out but by its proxy; loopback is never proxied
		DialContext:         timed(&net.Dialer{Timeout: in.Timeout.D(), KeepAlive: 30 * time.Second}),
		MaxIdleConnsPerHost: max(in.InFlight, 2), // the default of 2 would reopen a connection for most calls
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: in.Timeout.D(),
		ForceAttemptHTTP2:   true,
	}
	k := &httpKind{in: in, client: &http.Client{
		Transport: transport,
		// A redirect is an answer outside the contract: following it would carry the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	k.mask = strings.NewReplacer(secrets(in)...)
	if in.Idempotency.Probe != "" {
		method, address, _ := strings.Cut(in.Idempotency.Probe, " ")
		t, err := topology.ParseTemplate(address)
		if err != nil {
			return nil, fmt.Errorf("probe of %s: %w", in.Name, err)
		}
		k.method, k.probe = method, t
	}
	return k, nil
}

// Deliver makes the route's request.
func (k *httpKind) Deliver(ctx context.Context, r Request) Result {
	scope := topology.ScopeOf(r.Event, r.Key)
	body, err := r.Route.Body.AppendJSON(nil, scope, r.Route.Required)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	call, err := k.call(r.Route)
	if err != nil {
		return Result{Class: Unmappable, Detail: "url: " + err.Error()}
	}
	address, err := call.address.Eval(scope)
	if err != nil {
		return Result{Class: Unmappable, Detail: "url: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, r.Route.HTTP.Method, address, bytes.NewReader(body))
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	// Without GetBody the transport cannot repeat a request behind our back.
	req.GetBody = nil
	req.Header = k.headers(call, r)
	return k.do(req, r)
}

// Probe asks the declared address.
func (k *httpKind) Probe(ctx context.Context, r Request) Result {
	if k.probe == nil {
		return Result{Class: Unknown, Detail: k.in.Name + " declares no probe"}
	}
	call, err := k.call(r.Route)
	if err != nil {
		return Result{Class: Unmappable, Detail: "url: " + err.Error()}
	}
	address, err := k.probe.Eval(topology.ScopeOf(r.Event, r.Key))
	if err != nil {
		return Result{Class: Unmappable, Detail: "probe: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, k.method, address, nil)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	req.Header = k.headers(call, r)
	res := k.do(req, r)
	switch {
	case res.Status >= 200 && res.Status < 300:
		res.Class = AlreadyDone
	case res.Status == http.StatusNotFound:
		res.Class, res.Detail = Retry, "probe: not there"
	case res.Class != Credentials:
		res.Class = Unknown
	}
	return res
}

// call is what a route's requests have in common, worked out once.
func (k *httpKind) call(route *topology.Route) (*httpCall, error) {
	if c, ok := k.calls.Load(route); ok {
		return c.(*httpCall), nil
	}
	address, err := topology.ParseTemplate(route.HTTP.URL)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"seam"}}
	for name, value := range route.HTTP.Headers {
		h.Set(name, value)
	}
	c, _ := k.calls.LoadOrStore(route, &httpCall{address, h})
	return c.(*httpCall), nil
}

// headers are those of one request.
func (k *httpKind) headers(c *httpCall, r Request) http.Header {
	h := make(http.Header, len(c.header)+6)
	h["Seam-Event-Id"] = []string{string(r.Event.ID)}
	h["Seam-Attempt"] = []string{strconv.Itoa(r.Attempt)}
	if k.in.Idempotency.Key != "" {
		h.Set(k.in.Idempotency.Key, r.Key)
	}
	if r.TraceParent != "" {
		h["Traceparent"] = []string{r.TraceParent}
	}
	maps.Copy(h, c.header)
	if auth := r.Route.HTTP.Auth; auth.Bearer != "" {
		h["Authorization"] = []string{"Bearer " + auth.Bearer.Reveal()}
	}
	if auth := r.Route.HTTP.Auth; auth.Header != "" {
		h.Set(auth.Header, auth.Value.Reveal())
	}
	return h
}

// do makes the call and classes what came of it.
func (k *httpKind) do(req *http.Request, r Request) Result {
	route := r.Route
	var sent atomic.Bool // from here on the downstream may have seen the request
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { bound(i.Conn, r.SendBy) }, WroteHeaderField: func(string, []string) { sent.Store(true) }, WroteHeaders: func() { sent.Store(true) }}
	resp, err := k.client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return k.transportResult(err, sent.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	res := Result{Status: resp.StatusCode, Class: k.meaning(resp, body, route)}
	if err == nil && (res.Class == Delivered || res.Class == AlreadyDone) {
		res.Reference = reference(body, route.Answers.Reference)
		return res
	}
	res.Detail, res.RetryAfter = excerpt(k.mask.Replace(string(body))), retryAfter(resp.Header, time.Now())
	return res
}
