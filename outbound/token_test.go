package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// endpoint answers as a token endpoint does; answer may be changed.
type endpoint struct {
	url    string
	asked  atomic.Int32
	hold   chan struct{} // nil: answers at once
	answer atomic.Value  // string of JSON; empty: a new token each time
	status atomic.Int32
	last   atomic.Value // *http.Request, its form read
}

func tokenEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.status.Store(200)
	e.answer.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := e.asked.Add(1)
		_ = r.ParseForm()
		e.last.Store(r)
		if e.hold != nil {
			<-e.hold
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(e.status.Load()))
		if text := e.answer.Load().(string); text != "" {
			fmt.Fprint(w, text)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("token-%d", n), "token_type": "Bearer", "expires_in": 100})
	}))
	t.Cleanup(server.Close)
	e.url = server.URL + "/token"
	return e
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (e *endpoint) tokens(inBody bool) (*Tokens, *clock) {
	c := &clock{at: time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)}
	t := Within().Tokens(Grant{URL: e.url, ID: "seam id", Secret: func() string { return "s&cret" }, Scopes: []string{"a", "b"}, Audience: "erp", InBody: inBody}, 5*time.Second, nil)
	t.now = c.now
	return t, c
}

// TestTokenRequest is asked for as RFC 6749 has it, in both ways.
func TestTokenRequest(t *testing.T) {
	t.Parallel()
	for _, inBody := range []bool{false, true} {
		e := tokenEndpoint(t)
		tokens, _ := e.tokens(inBody)
		if _, err := tokens.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := e.last.Load().(*http.Request)
		user, password, basic := r.BasicAuth()
		form := r.PostForm
		if r.Method != http.MethodPost || form.Get("grant_type") != "client_credentials" || form.Get("scope") != "a b" || form.Get("audience") != "erp" {
			t.Errorf("%s with %v", r.Method, form)
		}
		if basic == inBody || basic && (user != "seam+id" || password != "s%26cret") || inBody && (form.Get("client_id") != "seam id" || form.Get("client_secret") != "s&cret") {
			t.Errorf("in body %v: basic %q:%q, form %v", inBody, user, password, form)
		}
	}
}

// TestTokenLife: used until shortly before its end, renewed once while the old one goes on, and never used after it was refused.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	e := tokenEndpoint(t)
	tokens, clock := e.tokens(false)
	must := func(want string) {
		t.Helper()
		if got, err := tokens.Token(t.Context()); err != nil || got != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	must("token-1")
	clock.pass(79 * time.Second)
	must("token-1")
	if n := e.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	clock.pass(12 * time.Second) // beyond the renewal, jitter and all
	must("token-1")              // it works still; another is under way
	deadline := time.After(time.Minute)
	for tokens.Held() != "token-2" {
		select {
		case <-deadline:
			t.Fatal("it is not renewed")
		case <-time.After(time.Millisecond):
		}
	}
	must("token-2")
	clock.pass(101 * time.Second)
	must("token-3")
	tokens.Refuse("token-1") // of long ago
	must("token-3")
	tokens.Refuse("token-3")
	must("token-4")
}

// TestTokenAsksOnce: one request is out, however many wait; who goes away leaves it to the others.
func TestTokenAsksOnce(t *testing.T) {
	t.Parallel()
	e := tokenEndpoint(t)
	e.hold = make(chan struct{})
	tokens, _ := e.tokens(false)
	gone, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := tokens.Token(gone); left <- err }()
	for e.asked.Load() == 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("nobody asked")
		case <-time.After(time.Millisecond):
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := tokens.Token(t.Context()); err != nil || got != "token-1" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	leave()
	if err := <-left; err == nil {
		t.Error("who went away got a token")
	}
	close(e.hold)
	wg.Wait()
	if n := e.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestTokenRenewalFails: a token that still works is used on, and the endpoint is left alone for a while.
func TestTokenRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens := &Tokens{now: time.Now, grant: Grant{URL: "http://127.0.0.1:1/", Secret: func() string { return "" }}, client: New().Client(time.Second, nil)}
		tokens.token, tokens.expires, tokens.renew = "old", time.Now().Add(time.Minute), time.Now()
		for range 3 {
			if got, err := tokens.Token(t.Context()); err != nil || got != "old" {
				t.Fatalf("%q, %v", got, err)
			}
			synctest.Wait()
		}
		if wait := time.Until(tokens.renew); wait != tokenRest {
			t.Errorf("asks again in %s", wait)
		}
	})
}

// TestAnswers: what is not a token of RFC 6749 is an error that repeats nothing of the answer.
func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		status     int
		want       string // token and life, or the error
	}{
		{"as it should be", `{"access_token":"abc","token_type":"bearer","expires_in":3600}`, 200, "abc 1h0m0s"},
		{"expires as a text", `{"access_token":"abc","expires_in":"60"}`, 200, "abc 1m0s"},
		{"never says", `{"access_token":"abc"}`, 200, "abc 5m0s"},
		{"expires in a year", `{"access_token":"abc","expires_in":31536000}`, 200, "abc 24h0m0s"},
		{"expired already", `{"access_token":"abc","expires_in":-1}`, 200, "abc 5m0s"},
		{"refused", `{"error":"invalid_client","error_description":"s3cret is wrong"}`, 401, "it answered 401: invalid_client"},
		{"refused in its own words", `{"error":"s3cret is wrong"}`, 400, "it answered 400"},
		{"a page", `<html>s3cret`, 200, "its answer is no JSON with an access_token, as RFC 6749 has it"},
		{"a page of an error", `<html>s3cret`, 502, "it answered 502"},
		{"elsewhere", `s3cret`, 307, "it answered 307"},
		{"no token", `{"token":"s3cret"}`, 200, "its answer is no JSON with an access_token, as RFC 6749 has it"},
		{"a line's end", `{"access_token":"s3cret\r\nX: y"}`, 200, "its answer holds no access_token that a header can carry"},
		{"of another type", `{"access_token":"s3cret","token_type":"mac"}`, 200, "its token is of another type than Bearer"},
	}
	for _, tt := range tests {
		token, lasts, err := answers(tt.status, []byte(tt.text)).ask(t.Context())
		got := fmt.Sprint(token, " ", lasts)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want || strings.Contains(got, "s3cret") {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// answers is tokens of an endpoint that answers so.
func answers(status int, text []byte) *Tokens {
	return &Tokens{grant: Grant{URL: "https://erp.example/token", Secret: func() string { return "s3cret" }}, client: &Client{http.Client{
		Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: req}, nil
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
