package deliver

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/binaryandbeyond/seam/topology"
)

// FuzzAnswer: no bytes of a downstream make the reader panic, and what is kept of them is bounded.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.0 503 x\r\nRetry-After: 5\r\n\r\nlater", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "\x00"} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, post bool) {
		c := &conn{}
		c.limited.R = bytes.NewReader(b)
		c.answers = bufio.NewReader(&c.limited)
		method := http.MethodGet
		if post {
			method = http.MethodPost
		}
		r, err := c.read(method)
		if err != nil {
			return
		}
		if len(r.body) > maxAnswer {
			t.Fatalf("%d bytes are kept", len(r.body))
		}
		if d := retryAfter(r.header, time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)); d < 0 || d > 24*time.Hour {
			t.Fatalf("waits %s", d)
		}
		if text := excerpt(string(r.body)); len(text) > 300 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n") {
			t.Fatalf("kept %q", text)
		}
		_ = reference(r.body, "data.id")
	})
}

// FuzzRetryAfter: a wait is between nothing and a day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"5", "-5", "99999999999", "Thu, 26 Nov 2026 08:00:00 GMT", "Thu, 26 Nov 9999 08:00:00 GMT", "1e3", " 7 "} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(http.Header{"Retry-After": {s}}, now); d < 0 || d > 24*time.Hour {
			t.Fatalf("%q waits %s", s, d)
		}
	})
}

// FuzzHead: what an event says cannot add a line to a request's head, nor end it.
func FuzzHead(f *testing.F) {
	f.Add("key-1", "00-trace")
	f.Add("k\r\nX-Admin: yes", "")
	f.Add("k\n\n", "\x00")
	in := load(f, "http://erp.example", keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, trace string) {
		r := request(t, in)
		r.Key, r.TraceParent = key, trace
		call, err := k.call(r.Route)
		if err != nil {
			t.Fatal(err)
		}
		m := message{method: http.MethodPost, fixed: call.fields, body: []byte("{}")}
		if m.url, err = addressed(call.address, topology.ScopeOf(r.Event, r.Key)); err != nil {
			t.Fatal(err)
		}
		if m.fields, err = k.fields(r, call, m.url); err != nil {
			return // it is not sent
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.append(nil))))
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || string(body) != "{}" || req.Header.Get("X-Admin") != "" {
			t.Fatalf("%q became %v with %q (%v)", key, req.Header, body, err)
		}
	})
}
