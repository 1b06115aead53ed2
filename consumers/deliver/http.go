package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
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
}

func newHTTP(in *topology.Integration) (*httpKind, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: in.Timeout.D(), KeepAlive: 30 * time.Second}).DialContext,
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
	return k.do(req, r.Route)
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
	res := k.do(req, r.Route)
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

// requestBody evaluates the mapping and checks its required members.
func requestBody(route *topology.Route, view map[string]any) ([]byte, error) {
	members, err := route.Body.Eval(view)
	if err != nil {
		return nil, err
	}
	for _, name := range route.Required {
		if members[name] == nil {
			return nil, fmt.Errorf("required member %q is empty for this event", name)
		}
	}
	return json.Marshal(members)
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
func (k *httpKind) do(req *http.Request, route *topology.Route) Result {
	var sent atomic.Bool // from here on the downstream may have seen the request
	trace := &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { sent.Store(true) }, WroteHeaders: func() { sent.Store(true) }}
	resp, err := k.client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return transportResult(err, sent.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	res := Result{Status: resp.StatusCode, Class: k.class(resp.StatusCode, route), Detail: excerpt(string(body)), RetryAfter: retryAfter(resp.Header, time.Now())}
	if err == nil && (res.Class == Delivered || res.Class == AlreadyDone) {
		res.Reference = reference(body, route.Answers.Reference)
		res.Detail = ""
	}
	return res
}

// class says what a status means for a route.
func (k *httpKind) class(status int, route *topology.Route) Class {
	a := route.Answers
	switch {
	case slices.Contains(a.Delivered, status):
		return Delivered
	case slices.Contains(a.AlreadyDone, status):
		return AlreadyDone
	case slices.Contains(a.Rejected, status):
		return Rejected
	case slices.Contains(a.Retry, status):
		return Retry
	}
	switch status { // what HTTP itself says: RFC 9110, RFC 6585, RFC 8470
	case 401, 403:
		return Credentials
	case 408, 425, 429, 503:
		return Retry
	case 500, 502, 504:
		return Unknown
	}
	return Contract
}

// transportResult classes a call that got no answer. Nothing was done if not a header was written.
func transportResult(err error, sent bool) Result {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // without the address, which may carry ids
	}
	class := Unknown
	if !sent {
		class = Retry
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer within the timeout"
	}
	return Result{Class: class, Detail: excerpt(text)}
}

// reference finds the downstream's id in its JSON answer by a dotted path; empty when it is not there.
func reference(body []byte, path string) string {
	if path == "" {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return ""
	}
	for _, key := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	switch t := v.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	}
	return ""
}

// retryAfter reads Retry-After as seconds or as a date, and ShipBob's x-retry-after; 0 when there is none. A day is the most
// that is believed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		v = h.Get("X-Retry-After")
	}
	d := time.Duration(0)
	if secs, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); err == nil {
		d = time.Duration(secs) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}

// excerpt is the first 300 bytes of a text on one line.
func excerpt(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}
