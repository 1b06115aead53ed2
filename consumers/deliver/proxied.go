package deliver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
)

// proxied speaks with downstreams that are reached by a proxy (HTTP_PROXY, HTTPS_PROXY and NO_PROXY), by net/http.
type proxied struct {
	base      *http.Transport
	transport http.RoundTripper // as base, with TLS as its files are
}

func newProxied(guard *outbound.Guard, secure *outbound.TLS, timeout time.Duration, connections int) *proxied {
	proxy, dial := guard.Through(guard.Dialer(timeout))
	base := &http.Transport{
		Proxy:               proxy,
		DialContext:         timed(dial),
		MaxIdleConnsPerHost: max(connections, 2), // the default of 2 would reopen a connection for most calls
		IdleConnTimeout:     idleLimit,
		TLSHandshakeTimeout: timeout,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
	}
	return &proxied{base, secure.Transport(base)}
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
		return reply{}, false, outbound.Bare(err)
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
