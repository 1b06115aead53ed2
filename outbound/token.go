package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
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
	noExpiry  = 5 * time.Minute  // how long a token is used that does not say
	maxLife   = 24 * time.Hour   // how long it is used at most
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

// ask makes the request.
func (t *Tokens) ask(ctx context.Context) (token string, lasts time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.timeout, 10*time.Second))
	defer cancel()
	c := clientcredentials.Config{ClientID: t.grant.ID, ClientSecret: t.grant.Secret(), TokenURL: t.grant.URL, Scopes: t.grant.Scopes, AuthStyle: oauth2.AuthStyleInHeader}
	if t.grant.InBody {
		c.AuthStyle = oauth2.AuthStyleInParams
	}
	if t.grant.Audience != "" {
		c.EndpointParams = url.Values{"audience": {t.grant.Audience}}
	}
	return usable(c.Token(context.WithValue(ctx, oauth2.HTTPClient, &t.client.http)))
}

// usable is a token as a header can carry it, and how long it lasts. Its error names a code of RFC 6749 at most of what was
// answered: the rest may repeat what was sent.
func usable(got *oauth2.Token, err error) (token string, lasts time.Duration, _ error) {
	var answer *oauth2.RetrieveError
	var way *url.Error
	switch {
	case errors.As(err, &answer) && errorCode(answer.ErrorCode):
		return "", 0, fmt.Errorf("it answered %d: %s", answer.Response.StatusCode, answer.ErrorCode)
	case errors.As(err, &answer):
		return "", 0, fmt.Errorf("it answered %d", answer.Response.StatusCode)
	case errors.As(err, &way):
		return "", 0, way.Err
	case err != nil:
		return "", 0, errors.New("its answer is no JSON with an access_token, as RFC 6749 has it")
	case !printable(got.AccessToken):
		return "", 0, errors.New("its answer holds no access_token that a header can carry")
	case got.Type() != "Bearer":
		return "", 0, errors.New("its token is of another type than Bearer")
	}
	if lasts = time.Until(got.Expiry).Round(time.Second); lasts <= 0 {
		lasts = noExpiry
	}
	return got.AccessToken, min(lasts, maxLife), nil
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
