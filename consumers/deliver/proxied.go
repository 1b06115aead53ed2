package deliver

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// proxied speaks with downstreams that are reached by a proxy (HTTP_PROXY, HTTPS_PROXY and NO_PROXY), by net/http.
type proxied struct{ transport *http.Transport }

func newProxied(timeout time.Duration, connections int) *proxied {
	return &proxied{&http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         timed(&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}),
		MaxIdleConnsPerHost: max(connections, 2), // the default of 2 would reopen a connection for most calls
		IdleConnTimeout:     idleLimit,
		TLSHandshakeTimeout: timeout,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
	}}
}

// carry makes one request.
func (p *proxied) carry(ctx context.Context, m message) (reply, bool, error) {
	var sent atomic.Bool // from here on the downstream may have seen the request
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:          func(i httptrace.GotConnInfo) { bound(i.Conn, m.by) },
		WroteHeaderField: func(string, []string) { sent.Store(true) },
		WroteHeaders:     func() { sent.Store(true) },
	})
	var body io.Reader
	if len(m.body) > 0 {
		body = bytes.NewReader(m.body)
	}
	req, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), body)
	if err != nil {
		return reply{}, false, err
	}
	req.GetBody = nil // without it the transport cannot repeat a request behind our back
	for _, list := range [2][]field{m.fixed, m.fields} {
		for _, f := range list {
			req.Header[f.name] = append(req.Header[f.name], f.value)
		}
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return reply{}, sent.Load(), err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	r.broken = err != nil
	return r, true, nil
}
