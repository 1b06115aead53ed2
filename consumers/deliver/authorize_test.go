package deliver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

// TestBarred: nothing leaves for an address within that nobody allowed, nor with TLS files that cannot be used.
func TestBarred(t *testing.T) {
	t.Parallel()
	address := server(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made") })
	in := load(t, address, keyed)
	kinds, err := New(in, outbound.New())
	if err != nil {
		t.Fatal(err)
	}
	if res := kinds.Deliver(t.Context(), request(t, in)); res.Class != Barred || !strings.Contains(res.Detail, "127.0.0.1 may not be called") {
		t.Errorf("%s: %s", res.Class, res.Detail)
	}
	if res := kinds.Read(t.Context(), request(t, in), address+"/x"); res.Class != Barred {
		t.Errorf("a reading: %s: %s", res.Class, res.Detail)
	}

	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a call was made") }))
	t.Cleanup(secure.Close)
	in = load(t, secure.URL, keyed)
	in.TLS = &outbound.Files{CA: "/nowhere/ca.pem"}
	if res := set(t, in).Deliver(t.Context(), request(t, in)); res.Class != Barred || !strings.Contains(res.Detail, "/nowhere/ca.pem") {
		t.Errorf("%s: %s", res.Class, res.Detail)
	}
}

const granted = `
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.created]
    http: {url: "URL/orders", auth: {oauth2: {token_url: "URL/token", client_id: seam, client_secret: client-secret}}}
    body: {id: order.id}
  - on: [order.cancelled]
    http: {url: "URL/cancellations", auth: {oauth2: {token_url: "URL/token", client_id: seam, client_secret: client-secret}}}
    body: {id: event.subject}
`

// login is a downstream with a token endpoint: the tokens from its first good one on are taken.
type login struct {
	tokens, calls atomic.Int32
	good          atomic.Int32
	status        atomic.Int32 // of the token endpoint
	keys          chan string
}

func (l *login) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		w.Header().Set("Content-Type", "application/json")
		if status := int(l.status.Load()); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"client-secret is wrong"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3600}`, l.tokens.Add(1))
		return
	}
	l.calls.Add(1)
	l.keys <- r.Header.Get("Idempotency-Key")
	var n int32
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token-%d", &n); err != nil || n < l.good.Load() {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, "what is %s?", r.Header.Get("Authorization"))
	}
}

// TestToken: one token for all routes; one that is refused is renewed once and the call made once more under its key; a second refusal,
// or a token endpoint that says no, is credentials. No detail holds secret or token.
func TestToken(t *testing.T) {
	t.Parallel()
	l := &login{keys: make(chan string, 10)}
	in := load(t, server(t, l.serve), granted)
	s, r := set(t, in), request(t, in)
	s.mustDeliver(t, r, Delivered)
	other := r
	other.Route = &in.Deliver[1]
	s.mustDeliver(t, other, Delivered)
	if l.tokens.Load() != 1 || l.calls.Load() != 2 {
		t.Fatalf("%d tokens for %d calls", l.tokens.Load(), l.calls.Load())
	}

	l.good.Store(2) // the first is revoked
	s.mustDeliver(t, r, Delivered)
	if l.tokens.Load() != 2 || l.calls.Load() != 4 {
		t.Errorf("%d tokens, %d calls, want a new one and a second attempt", l.tokens.Load(), l.calls.Load())
	}
	for range 4 {
		if key := <-l.keys; key != r.Key {
			t.Errorf("called under %q", key)
		}
	}

	l.good.Store(100)
	res := s.Deliver(t.Context(), r)
	if res.Class != Credentials || res.Status != 401 || l.tokens.Load() != 3 || l.calls.Load() != 6 || strings.Contains(res.Detail, "token-") {
		t.Errorf("%+v after %d tokens and %d calls", res, l.tokens.Load(), l.calls.Load())
	}

	l.status.Store(http.StatusUnauthorized)
	res = s.Deliver(t.Context(), r)
	if res.Class != Credentials || !strings.Contains(res.Detail, "invalid_client") || strings.Contains(res.Detail, "client-secret") || l.calls.Load() != 6 {
		t.Errorf("%+v after %d calls", res, l.calls.Load())
	}
	if shown, err := s.Show(r); err != nil || !strings.Contains(fmt.Sprint(shown.Headers), "{Authorization Bearer ***}") || l.calls.Load() != 6 {
		t.Errorf("shown as %v (%v)", shown, err)
	}
}

// TestTokenWhere401Means: a 401 that the route declares is no word about the token.
func TestTokenWhere401Means(t *testing.T) {
	t.Parallel()
	l := &login{keys: make(chan string, 10)}
	l.good.Store(100)
	in := load(t, server(t, l.serve), strings.Replace(granted, "body: {id: order.id}", "body: {id: order.id}\n    answers: {rejected: [401]}", 1))
	set(t, in).mustDeliver(t, request(t, in), Rejected)
	if l.calls.Load() != 1 {
		t.Errorf("%d calls", l.calls.Load())
	}
}

// TestTokenBarred: tokens are asked for where calls may go.
func TestTokenBarred(t *testing.T) {
	t.Parallel()
	l := &login{keys: make(chan string, 1)}
	in := load(t, server(t, l.serve), granted)
	kinds, err := New(in, outbound.New())
	if err != nil {
		t.Fatal(err)
	}
	if res := kinds.Deliver(t.Context(), request(t, in)); res.Class != Barred || l.tokens.Load() != 0 {
		t.Errorf("%s: %s", res.Class, res.Detail)
	}
}

// TestSigned: calls bear the headers of Standard Webhooks with the idempotency key as id; probes and readings do not.
func TestSigned(t *testing.T) {
	t.Parallel()
	heads := make(chan http.Header, 1)
	address := server(t, func(_ http.ResponseWriter, r *http.Request) { heads <- r.Header })
	in := load(t, address, keyed)
	in.Sign = &topology.Signing{Secrets: []topology.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"}}
	s, r := set(t, in), request(t, in)
	s.mustDeliver(t, r, Delivered)
	h := <-heads
	if h.Get("Webhook-Id") != r.Key || h.Get("Webhook-Timestamp") == "" || strings.Count(h.Get("Webhook-Signature"), "v1,") != 2 {
		t.Errorf("signed %v", h)
	}
	if res := s.Read(t.Context(), r, address+"/x"); res.Class != AlreadyDone {
		t.Fatalf("%+v", res)
	}
	if h := <-heads; h.Get("Webhook-Signature") != "" {
		t.Errorf("a reading is signed %v", h)
	}
	in.Idempotency.Key = "webhook-id"
	set(t, in).mustDeliver(t, r, Delivered)
	if h := <-heads; len(h.Values("Webhook-Id")) != 1 || h.Get("Webhook-Id") != r.Key {
		t.Errorf("where the id is the key: %v", h)
	}
}

// TestQuerySecretsAreMasked: an answer that repeats the key of an address is kept without it.
func TestQuerySecretsAreMasked(t *testing.T) {
	t.Parallel()
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		fmt.Fprint(w, r.URL.String())
	})
	in := load(t, address, strings.Replace(keyed, "{order.id}", "x?api_key=query%2Dsecret&order={order.id}", 1))
	s, r := set(t, in), request(t, in)
	res := s.Deliver(t.Context(), r)
	if strings.Contains(res.Detail, "secret") || !strings.Contains(res.Detail, "api_key=***") {
		t.Errorf("kept %q", res.Detail)
	}
	if shown, err := s.Show(r); err != nil || strings.Contains(shown.URL, "secret") {
		t.Errorf("shown %v (%v)", shown, err)
	}
}
