package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	urls   sync.Map // route's url text to *topology.Template
	mask   *strings.Replacer
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
	view := topology.View(r.Event, r.Key)
	body, err := requestBody(r.Route, view)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	address, err := k.address(r.Route.HTTP.URL, view)
	if err != nil {
		return Result{Class: Unmappable, Detail: "url: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, r.Route.HTTP.Method, address, bytes.NewReader(body))
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	// Without GetBody the transport cannot repeat a request behind our back.
	req.GetBody = nil
	k.headers(req, r)
	return k.do(req, r)
}

// Probe asks the declared address.
func (k *httpKind) Probe(ctx context.Context, r Request) Result {
	if k.probe == nil {
		return Result{Class: Unknown, Detail: k.in.Name + " declares no probe"}
	}
	address, err := k.probe.Eval(topology.View(r.Event, r.Key))
	if err != nil {
		return Result{Class: Unmappable, Detail: "probe: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, k.method, address, nil)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	k.headers(req, r)
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

// address fills a route's URL; templates are compiled once.
func (k *httpKind) address(text string, view map[string]any) (string, error) {
	t, ok := k.urls.Load(text)
	if !ok {
		parsed, err := topology.ParseTemplate(text)
		if err != nil {
			return "", err
		}
		t, _ = k.urls.LoadOrStore(text, parsed)
	}
	return t.(*topology.Template).Eval(view)
}

// requestBody is the JSON of the mapping.
func requestBody(route *topology.Route, view map[string]any) ([]byte, error) {
	members, err := requestMembers(route, view)
	if err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// requestMembers evaluates the mapping and checks its required members.
func requestMembers(route *topology.Route, view map[string]any) (map[string]any, error) {
	members, err := route.Body.Eval(view)
	if err != nil {
		return nil, err
	}
	for _, name := range route.Required {
		if members[name] == nil {
			return nil, fmt.Errorf("required member %q is empty for this event", name)
		}
	}
	return members, nil
}

func (k *httpKind) headers(req *http.Request, r Request) {
	h, call := req.Header, r.Route.HTTP
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "seam")
	h.Set("Seam-Event-Id", string(r.Event.ID))
	h.Set("Seam-Attempt", strconv.Itoa(r.Attempt))
	if k.in.Idempotency.Key != "" {
		h.Set(k.in.Idempotency.Key, r.Key)
	}
	if r.TraceParent != "" {
		h.Set("traceparent", r.TraceParent)
	}
	for name, value := range call.Headers {
		h.Set(name, value)
	}
	if call.Auth.Bearer != "" {
		h.Set("Authorization", "Bearer "+call.Auth.Bearer.Reveal())
	}
	if call.Auth.Header != "" {
		h.Set(call.Auth.Header, call.Auth.Value.Reveal())
	}
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
	res := Result{Status: resp.StatusCode, Class: k.meaning(resp, body, route), Detail: excerpt(k.mask.Replace(string(body))), RetryAfter: retryAfter(resp.Header, time.Now())}
	if err == nil && (res.Class == Delivered || res.Class == AlreadyDone) {
		res.Reference = reference(body, route.Answers.Reference)
		res.Detail = ""
	}
	return res
}
