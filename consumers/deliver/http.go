package deliver

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// maxAnswer is how much of an answer is read: enough for any reference, little enough for any liar.
const maxAnswer = 64 << 10

// httpKind calls one integration's HTTP API.
type httpKind struct {
	in      *topology.Integration
	guard   *outbound.Guard
	tls     *outbound.TLS
	direct  carrier
	proxied carrier
	probe   *topology.Template
	method  string
	calls   sync.Map // *topology.Route to *httpCall
	tokens  sync.Map // of grants, as text, to *outbound.Tokens
	mask    atomic.Pointer[strings.Replacer]

	mu  sync.RWMutex
	via map[origin]carrier
}

// httpCall is what all requests of a route have in common.
type httpCall struct {
	address *topology.Template
	fields  []field
	auth    topology.Auth    // that the fields were made of
	tokens  *outbound.Tokens // nil without OAuth 2.0
}

func newHTTP(in *topology.Integration, guard *outbound.Guard) (*httpKind, error) {
	k := &httpKind{in: in, guard: guard, tls: outbound.Follow(in.TLS), via: map[origin]carrier{}}
	k.direct, k.proxied = newDirect(guard.Dialer(in.Timeout.D()), k.tls), newProxied(guard, k.tls, in.Timeout.D(), in.InFlight)
	k.mask.Store(strings.NewReplacer(secrets(in)...))
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
	scope := topology.ScopeOf(r.Event, r.Key).WithFacts(r.Facts)
	body, err := r.Route.Body.AppendJSON(nil, scope, r.Route.Required)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	call, err := k.call(r.Route)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	return k.do(ctx, r, call, message{method: r.Route.HTTP.Method, body: body, signed: k.in.Sign != nil}, call.address, scope)
}

// Probe asks the declared address.
func (k *httpKind) Probe(ctx context.Context, r Request) Result {
	if k.probe == nil {
		return Result{Class: Unknown, Detail: k.in.Name + " declares no probe"}
	}
	call, err := k.call(r.Route)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	r.Answers = nil // it is not the route that answers
	res := k.do(ctx, r, call, message{method: k.method}, k.probe, topology.ScopeOf(r.Event, r.Key))
	switch {
	case res.Class == Unmappable:
	case res.Status >= 200 && res.Status < 300:
		res.Class = AlreadyDone
	case res.Status == http.StatusNotFound:
		res.Class, res.Detail = Retry, "probe: not there"
	case res.Class != Credentials:
		res.Class = Unknown
	}
	return res
}

// Read gets what stands at an address, with the route's headers and credentials.
func (k *httpKind) Read(ctx context.Context, r Request, address string) Result {
	call, err := k.call(r.Route)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	m := message{method: http.MethodGet}
	if m.url, err = url.Parse(address); err != nil {
		return Result{Class: Unmappable, Detail: "url: " + outbound.Bare(err).Error()}
	}
	got, res, err := k.send(ctx, r, call, m)
	switch {
	case err != nil:
		if res.Class == Unknown {
			res.Class = Retry
		}
		return res
	case got.status == http.StatusUnauthorized || got.status == http.StatusForbidden:
		res.Class = Credentials
	case got.status == http.StatusNotFound || got.status == http.StatusGone:
		res.Class = Rejected
	case got.status >= 200 && got.status < 300 && !got.broken:
		return Result{Status: got.status, Class: AlreadyDone, Body: got.body}
	default:
		res.Class = Retry
	}
	res.Detail, res.RetryAfter = excerpt(schemas.MaskText(k.mask.Load().Replace(string(got.body)))), retryAfter(got.header, time.Now())
	return res
}

// send fills a message's head and carries it. An error says that there is no answer, and the result what that means.
func (k *httpKind) send(ctx context.Context, r Request, call *httpCall, m message) (got reply, res Result, err error) {
	k.describe(ctx, r, m)
	m.by, m.fixed = r.SendBy, call.fields
	if m.fields, err = k.fields(r, call, m.url); err != nil {
		return got, Result{Class: Unmappable, Detail: err.Error()}, err
	}
	if m.signed {
		m.fields = k.signed(m.fields, r, m.body)
	}
	got, sent, err := k.carry(ctx, r, call, m)
	var tokenless *tokenError
	if errors.As(err, &tokenless) {
		return got, k.tokenResult(tokenless), err
	}
	if err != nil {
		return got, k.transportResult(cmp.Or(r.Whole, r.Event), err, sent), err
	}
	return got, Result{Status: got.status}, nil
}

// call is what a route's requests have in common, worked out once, and again when its secret is another.
func (k *httpKind) call(route *topology.Route) (*httpCall, error) {
	auth := route.HTTP.Auth.Now()
	if c, ok := k.calls.Load(route); ok && c.(*httpCall).auth == auth {
		return c.(*httpCall), nil
	}
	address, err := topology.ParseTemplate(route.HTTP.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	head := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"seam"}}
	for name, value := range route.HTTP.Headers {
		head.Set(name, value)
	}
	if auth.Bearer != "" {
		head.Set("Authorization", "Bearer "+auth.Bearer.Reveal())
	}
	if auth.Header != "" {
		head.Set(auth.Header, auth.Value.Reveal())
	}
	fresh := &httpCall{address: address, auth: auth, tokens: k.tokensOf(auth.OAuth2)}
	for _, name := range slices.Sorted(maps.Keys(head)) {
		fresh.fields = append(fresh.fields, field{name, head.Get(name)}) // checked when the topology was read
	}
	k.mask.Store(strings.NewReplacer(secrets(k.in)...))
	k.calls.Store(route, fresh)
	return fresh, nil
}

// do addresses a message, makes the call and classes what came of it.
func (k *httpKind) do(ctx context.Context, r Request, call *httpCall, m message, address *topology.Template, scope *topology.Scope) Result {
	var err error
	if m.url, err = addressed(address, scope); err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	got, res, err := k.send(ctx, r, call, m)
	if err != nil {
		return res
	}
	res.Class = k.meaning(got, r.Route)
	if res.Class == Credentials {
		call.auth.Stale()
	}
	observe(r.Answers, got, res.Class)
	if !got.broken && (res.Class == Delivered || res.Class == AlreadyDone) {
		res.Reference = reference(got.body, r.Route.Answers.Reference)
		return res
	}
	res.Detail, res.RetryAfter = excerpt(schemas.MaskFor(cmp.Or(r.Whole, r.Event), k.mask.Load().Replace(string(got.body)))), retryAfter(got.header, time.Now())
	return res
}

// addressed is where a request goes.
func addressed(address *topology.Template, scope *topology.Scope) (*url.URL, error) {
	text, err := address.Eval(scope)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("url: %w", outbound.Bare(err))
	}
	return u, nil
}

// fields are those of one request.
func (k *httpKind) fields(r Request, call *httpCall, to *url.URL) ([]field, error) {
	list := make([]field, 0, 6)
	list = append(list, field{"Seam-Event-Id", string(r.Event.ID)}, field{"Seam-Attempt", strconv.Itoa(r.Attempt)})
	if k.in.Idempotency.Key != "" && r.Key != "" { // a read has none
		list = append(list, field{k.in.Idempotency.Key, r.Key})
	}
	if r.TraceParent != "" {
		list = append(list, field{"Traceparent", r.TraceParent})
		if r.TraceState != "" && topology.HeaderValue(r.TraceState) {
			list = append(list, field{"Tracestate", r.TraceState})
		}
	}
	if to.User != nil && call.tokens == nil && !slices.ContainsFunc(call.fields, func(f field) bool { return f.name == "Authorization" }) {
		password, _ := to.User.Password()
		list = append(list, field{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(to.User.Username()+":"+password))})
	}
	for _, f := range list {
		if !topology.HeaderValue(f.value) {
			return nil, fmt.Errorf("header %s holds a control character", f.name)
		}
	}
	return list, nil
}

// carrier is what leads to an address: by the environment's proxy where it names one for it.
func (k *httpKind) carrier(to *url.URL) carrier {
	at := origin{to.Scheme, to.Host}
	k.mu.RLock()
	c := k.via[at]
	k.mu.RUnlock()
	if c != nil {
		return c
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: to})
	if c = k.direct; proxy != nil || err != nil { // what is wrong with the variable is told by the call
		c = k.proxied
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.via[at] = c
	return c
}
