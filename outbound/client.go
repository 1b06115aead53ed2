package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Client makes HTTP requests to where the guard lets it. Redirects are not followed: they would carry credentials to a place that
// nobody declared, and are an answer like others. Its errors name the host and no more of the address.
type Client struct{ http http.Client }

// Client is one whose requests may take timeout each; 0 leaves that to their contexts. secure may be nil, for the system's own
// authorities.
func (g *Guard) Client(timeout time.Duration, secure *TLS) *Client {
	dialer := g.Dialer(timeout)
	proxy, dial := g.Through(dialer)
	t := &http.Transport{
		Proxy: proxy, DialContext: dial, ForceAttemptHTTP2: true,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	c := &Client{http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if secure != nil {
		c.http.Transport = &following{files: secure, base: t}
	} else {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c
}

// Do makes one request.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Host, Bare(err))
	}
	return resp, nil
}

// Bare is an error of net/http without the address, whose path and query may hold ids and secrets.
func Bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// Through is how a transport is led by the proxies of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY). Who set them has said
// where they are, so that they may be within; what stands behind one is looked at where it is written as an address, and names are
// the proxy's to resolve and to refuse.
func (g *Guard) Through(d *net.Dialer) (proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) {
	return g.through(d, http.ProxyFromEnvironment)
}

func (g *Guard) through(d *net.Dialer, named func(*http.Request) (*url.URL, error)) (proxy func(*http.Request) (*url.URL, error), dial func(context.Context, string, string) (net.Conn, error)) {
	var proxies sync.Map // host:port
	plain := *d
	plain.Control = nil
	proxy = func(req *http.Request) (*url.URL, error) {
		u, err := named(req)
		if err != nil || u == nil {
			return u, err
		}
		if err := g.CheckHost(req.URL.Hostname()); err != nil {
			return nil, err
		}
		proxies.Store(hostPort(u), true)
		return u, nil
	}
	dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, ok := proxies.Load(address); ok {
			return plain.DialContext(ctx, network, address)
		}
		return d.DialContext(ctx, network, address)
	}
	return proxy, dial
}

// hostPort is where a proxy is dialled.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
