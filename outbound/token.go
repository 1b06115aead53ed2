package outbound

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Client credentials of OAuth 2.0: RFC 6749, section 4.4.

// Grant is what a token is asked for with.
type Grant struct {
	URL      string // of the token endpoint
	ID       string
	Secret   func() string // as it is now
	Scopes   []string
	Audience string // asked for where it is not empty, as Auth0 and others want it
	InBody   bool   // id and secret are members of the form; else HTTP Basic, which every endpoint must take (RFC 6749, 2.3.1)
}

const (
	maxToken  = 64 << 10         // bytes of a token endpoint's answer that are read
	noExpiry  = 5 * time.Minute  // how long a token is used that does not say
	tokenRest = 10 * time.Second // between two failed renewals of a token that still works
)

// Tokens keeps one token and renews it before it expires. It is safe for concurrent use; one request is out at a time, whoever waits.
type Tokens struct {
	grant   Grant
	client  *Client
	timeout time.Duration
	now     func() time.Time
	flight  singleflight.Group

	mu      sync.Mutex
	token   string
	expires time.Time
	renew   time.Time // from when a new one is asked for, while this one goes on being used
}

// Tokens asks a token endpoint, within timeout each time.
func (g *Guard) Tokens(grant Grant, timeout time.Duration, secure *TLS) *Tokens {
	return &Tokens{grant: grant, client: g.Client(timeout, secure), timeout: timeout, now: time.Now}
}

// Token is one that works, as far as is known. Its error is of the token endpoint, and holds neither secret nor token.
func (t *Tokens) Token(ctx context.Context) (string, error) {
	t.mu.Lock()
	token, now := t.token, t.now()
	usable, due := token != "" && now.Before(t.expires), !now.Before(t.renew)
	t.mu.Unlock()
	if usable && !due {
		return token, nil
	}
	// Who waits may go away; the answer is of use to the others.
	done := t.flight.DoChan("", func() (any, error) { return t.fetch(context.WithoutCancel(ctx)) })
	if usable {
		return token, nil
	}
	select {
	case r := <-done:
		if r.Err != nil {
			return "", r.Err
		}
		return r.Val.(string), nil
	case <-ctx.Done():
		return "", fmt.Errorf("token of %s: %w", t.host(), ctx.Err())
	}
}

// Refuse takes note that a token was answered with 401: it is not used again.
func (t *Tokens) Refuse(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

// Held is the token that was got last; empty for none. For masking.
func (t *Tokens) Held() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}

func (t *Tokens) host() string {
	u, err := url.Parse(t.grant.URL)
	if err != nil {
		return "the token endpoint" // Load has read it
	}
	return u.Host
}

// fetch asks for a token and keeps it.
func (t *Tokens) fetch(ctx context.Context) (string, error) {
	now := t.now()
	token, lasts, err := t.ask(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.renew = now.Add(tokenRest)
		return "", fmt.Errorf("token of %s: %w", t.host(), err)
	}
	// Renewed in the last fifth of its life, processes apart from each other.
	t.token, t.expires = token, now.Add(lasts)
	t.renew = now.Add(lasts*4/5 + time.Duration(rand.Int64N(int64(lasts/10)+1)))
	return token, nil
}

// answered is what a token endpoint says: RFC 6749, sections 5.1 and 5.2.
type answered struct {
	Token   string          `json:"access_token"`
	Type    string          `json:"token_type"`
	Expires json.RawMessage `json:"expires_in"` // a number, and a text with some
	Error   string          `json:"error"`
}

// ask makes the request.
func (t *Tokens) ask(ctx context.Context) (token string, lasts time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.timeout, 10*time.Second))
	defer cancel()
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(t.grant.Scopes) > 0 {
		form.Set("scope", strings.Join(t.grant.Scopes, " "))
	}
	if t.grant.Audience != "" {
		form.Set("audience", t.grant.Audience)
	}
	if t.grant.InBody {
		form.Set("client_id", t.grant.ID)
		form.Set("client_secret", t.grant.Secret())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.grant.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errors.New("its address is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !t.grant.InBody {
		req.SetBasicAuth(url.QueryEscape(t.grant.ID), url.QueryEscape(t.grant.Secret()))
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return "", 0, err
	}
	return readToken(resp.StatusCode, text)
}

// readToken reads a token endpoint's answer. Its error names a code of RFC 6749 at most: the rest may repeat what was sent.
func readToken(status int, text []byte) (token string, lasts time.Duration, err error) {
	var a answered
	err = json.Unmarshal(text, &a)
	switch {
	case status != http.StatusOK && err == nil && errorCode(a.Error):
		return "", 0, fmt.Errorf("it answered %d: %s", status, a.Error)
	case status != http.StatusOK:
		return "", 0, fmt.Errorf("it answered %d", status)
	case err != nil:
		return "", 0, errors.New("its answer is no JSON as RFC 6749 has it")
	case a.Token == "" || !printable(a.Token):
		return "", 0, errors.New("its answer holds no access_token that a header can carry")
	case a.Type != "" && !strings.EqualFold(a.Type, "Bearer"):
		return "", 0, errors.New("its token is of another type than Bearer")
	}
	lasts = noExpiry
	if s, err := strconv.ParseFloat(strings.Trim(string(a.Expires), `"`), 64); err == nil && s > 0 {
		lasts = time.Duration(min(s, (24*time.Hour).Seconds()) * float64(time.Second))
	}
	return a.Token, lasts, nil
}

// errorCode tells whether a text is one of RFC 6749, section 5.2.
func errorCode(s string) bool {
	switch s {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return true
	}
	return false
}

// printable tells whether a header can carry a text.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
