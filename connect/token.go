package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	tokenTimeout = 10 * time.Second // of a request for a token
	renewAt      = 5                // a token is used until a fifth of its life is left: Kafka's sasl.login.refresh.window.factor is 0.8
	leastLeft    = 10 * time.Second // of a token: with less the broker's session would end before it is of use
)

// bearer gives the token to sign in with; nil when no variable asks for one.
func (s settings) bearer(secured *secured) (func(context.Context) (string, error), error) {
	if !s.has("TOKEN_URL") {
		if !s.has("TOKEN") {
			return nil, nil
		}
		read := func(context.Context) (string, error) { return s.need("TOKEN", "a token is asked for") }
		_, err := read(context.Background())
		return read, err
	}
	if s.has("TOKEN") {
		return nil, fmt.Errorf("%s and %s are set: leave one out", s.name("TOKEN"), s.name("TOKEN_URL"))
	}
	endpoint, err := url.Parse(s.get("TOKEN_URL"))
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("%s is no URL: write https://host/path", s.name("TOKEN_URL"))
	}
	if !private(endpoint) {
		return nil, fmt.Errorf("%s is %s://: it would be sent the client's secret as it is: use https", s.name("TOKEN_URL"), endpoint.Scheme)
	}
	if _, err := s.client(); err != nil {
		return nil, err
	}
	web, err := tokenClient(secured)
	if err != nil {
		return nil, err
	}
	return (&tokens{now: time.Now, fetch: func(ctx context.Context) (*oauth2.Token, error) {
		config, err := s.client() // anew: the secret may have been changed
		if err != nil {
			return nil, err
		}
		token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, web))
		return token, s.refused(err)
	}}).current, nil
}

// private tells whether what is sent to a URL is seen by nobody else: TLS, or this machine.
func private(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// client is the client-credentials grant (RFC 6749, 4.4) as the variables have it now.
func (s settings) client() (*clientcredentials.Config, error) {
	id, err := s.need("CLIENT_ID", s.name("TOKEN_URL")+" is set")
	if err != nil {
		return nil, err
	}
	secret, err := s.need("CLIENT_SECRET", s.name("CLIENT_ID")+" is "+id)
	if err != nil {
		return nil, err
	}
	return &clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: s.get("TOKEN_URL"), Scopes: strings.Fields(s.get("SCOPE"))}, nil
}

// tokenClient trusts the system's roots, and the authority of the peer that the token is for: both are often one company's own.
func tokenClient(secured *secured) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if secured != nil && secured.ca != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // none in the image
		}
		if err := secured.trust(pool); err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	return &http.Client{Transport: transport, Timeout: tokenTimeout}, nil
}

// refused is the error of a token that was not given, without what the endpoint wrote: that may repeat what it was sent.
func (s settings) refused(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil {
		why := ""
		if answer.ErrorCode != "" {
			why = ": " + answer.ErrorCode
		}
		return fmt.Errorf("%s answered %s%s: see %s, %s and %s", s.name("TOKEN_URL"), answer.Response.Status, why, s.name("CLIENT_ID"), s.name("CLIENT_SECRET"), s.name("SCOPE"))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name("TOKEN_URL"), err)
	}
	return nil
}

// tokens keeps a token for most of its life. Safe for concurrent use.
type tokens struct {
	fetch func(context.Context) (*oauth2.Token, error)
	now   func() time.Time

	mu    sync.Mutex
	text  string
	renew time.Time // zero for a token that says no end: it is asked for each time
}

// current is a token with a fifth of its life and ten seconds left at least; one that is shorter is asked for each time.
func (t *tokens) current(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.text != "" && now.Before(t.renew) {
		return t.text, nil
	}
	token, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.text, t.renew = token.AccessToken, time.Time{}
	if !token.Expiry.IsZero() {
		t.renew = token.Expiry.Add(-max(token.Expiry.Sub(now)/renewAt, leastLeft))
	}
	return t.text, nil
}
