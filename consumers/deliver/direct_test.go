package deliver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
)

// spoken answers the requests of every connection by texts, one after the other, and hangs up after the last.
func spoken(t *testing.T, answers ...string) (address string, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	return raw(t, func(c net.Conn) {
		connections.Add(1)
		go func() {
			defer c.Close()
			in := bufio.NewReader(c)
			for _, text := range answers {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, text)
			}
		}()
	}), connections
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

// TestConnections says when a connection serves again.
func TestConnections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []string // of one connection
		calls   int
		want    int32 // connections
	}{
		{"kept", []string{ok, ok, ok}, 3, 1},
		{"told to close", []string{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", ok}, 2, 2},
		{"without a length", []string{"HTTP/1.1 200 OK\r\n\r\n{}"}, 2, 2},
		{"in chunks", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ok}, 2, 1},
		{"hints before the answer", []string{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok, ok}, 2, 1},
		{"no content", []string{"HTTP/1.1 204 No Content\r\n\r\n", ok}, 2, 1},
		{"more than was asked for", []string{ok + ok, ok}, 2, 2},
		{"longer than is read", []string{fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", maxAnswer+1, strings.Repeat("x", maxAnswer+1)), ok}, 2, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address, connections := spoken(t, tt.answers...)
			in := load(t, address, keyed)
			s, r := set(t, in), request(t, in)
			for range tt.calls {
				s.mustDeliver(t, r, Delivered)
			}
			if n := connections.Load(); n != tt.want {
				t.Errorf("%d connections, want %d", n, tt.want)
			}
		})
	}
}

// TestHungUpWhileIdle: what the other side closed between two calls is noticed before a request is written to it, for a request
// that gets no answer may have had its effect.
func TestHungUpWhileIdle(t *testing.T) {
	t.Parallel()
	address, connections := spoken(t, ok)
	in := load(t, address, keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	s, r, d := Set{"http": k}, request(t, in), k.direct.(*direct)
	for n := int32(1); n <= 3; n++ {
		s.mustDeliver(t, r, Delivered)
		for _, list := range d.idle { // wait for the end of the connection to arrive
			_, _ = list[0].raw.Read(make([]byte, 1))
		}
		if got := connections.Load(); got != n {
			t.Errorf("%d connections after %d calls", got, n)
		}
	}
}

// TestAnsweredBeforeItWasRead: who refuses a request for its size does so before it has come whole, and hangs up.
func TestAnsweredBeforeItWasRead(t *testing.T) {
	t.Parallel()
	address := raw(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1024))
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		c.Close()
	})
	in := load(t, address, keyed)
	r := request(t, in)
	r.Event.Order.Note = strings.Repeat("x", 32<<20)
	if res := set(t, in).Deliver(t.Context(), r); res.Class != Rejected || res.Status != 413 {
		t.Errorf("%s (%s), want its 413", res.Class, res.Detail)
	}
}

// TestEndlessHead: who answers with a head that does not end is not heard out.
func TestEndlessHead(t *testing.T) {
	t.Parallel()
	address := raw(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for line := []byte("X-More: " + strings.Repeat("x", 1000) + "\r\n"); ; {
			if _, err := c.Write(line); err != nil {
				return
			}
		}
	})
	in := load(t, address, keyed)
	if res := set(t, in).Deliver(t.Context(), request(t, in)); res.Class != Unknown {
		t.Errorf("%s (%s)", res.Class, res.Detail)
	}
}

// TestEndedCallsLeaveNoConnection: neither its own end nor its context's leaves the next call an answer that is not its own.
func TestEndedCallsLeaveNoConnection(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	})
	in := load(t, address, keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	s, r := Set{"http": k}, request(t, in)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Result)
	go func() { done <- s.Deliver(ctx, r) }()
	<-asked
	cancel()
	if res := <-done; res.Class != Unknown || !strings.Contains(res.Detail, "cancel") {
		t.Errorf("%s (%s), want unknown, cancelled", res.Class, res.Detail)
	}
	if n := len(k.direct.(*direct).idle); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
	close(answer)
	s.mustDeliver(t, r, Delivered)
}

// TestTLS calls over it, and only whom it can trust.
func TestTLS(t *testing.T) {
	t.Parallel()
	var calls, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1); r.ProtoMajor != 1 {
			w.WriteHeader(418)
		}
	}))
	server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	in := load(t, server.URL, keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	s, r := Set{"http": k}, request(t, in)
	if res := s.Deliver(t.Context(), r); res.Class != Retry || !strings.Contains(res.Detail, "certificate") || calls.Load() != 0 {
		t.Errorf("an unknown certificate: %s (%s), %d calls", res.Class, res.Detail, calls.Load())
	}
	in.TLS = &outbound.Files{CA: written(t, "CERTIFICATE", server.Certificate().Raw)}
	s = set(t, in)
	for range 3 {
		s.mustDeliver(t, r, Delivered)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want one that was refused and one for all calls", n)
	}
}

// TestHeadsHoldNoOther: what an event says cannot end a line of the head.
func TestHeadsHoldNoOther(t *testing.T) {
	t.Parallel()
	address := server(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made") })
	in := load(t, address, keyed)
	for _, spoil := range []func(*Request){
		func(r *Request) { r.Event.ID = "e1\r\nX-Admin: yes" },
		func(r *Request) { r.Key = "k\n" },
		func(r *Request) { r.TraceParent = "00\x00" },
	} {
		r := request(t, in)
		spoil(&r)
		if res := set(t, in).Deliver(t.Context(), r); res.Class != Unmappable || !strings.Contains(res.Detail, "control character") {
			t.Errorf("%s (%s)", res.Class, res.Detail)
		}
	}
}

// TestOneAuthorization: what a route sets counts before what its address carries.
func TestOneAuthorization(t *testing.T) {
	t.Parallel()
	var got []string
	address := server(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header["Authorization"] })
	in := load(t, strings.Replace(address, "http://", "http://ann:url-secret@", 1), strings.Replace(keyed, "X-Tenant: tenant-secret", "Authorization: Token own-secret", 1))
	in.Deliver[0].HTTP.Auth.Bearer = ""
	set(t, in).mustDeliver(t, request(t, in), Delivered)
	if len(got) != 1 || got[0] != "Token own-secret" {
		t.Errorf("sent %q", got)
	}
}

// TestIdleConnectionsAreClosed once nobody used them for long.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	address, _ := spoken(t, ok, ok)
	in := load(t, address, keyed)
	k, err := newHTTP(in, local)
	if err != nil {
		t.Fatal(err)
	}
	d := k.direct.(*direct)
	Set{"http": k}.mustDeliver(t, request(t, in), Delivered)
	d.close()
	if len(d.idle) != 1 || d.sweep == nil {
		t.Error("a fresh connection was closed, or would never be")
	}
	for _, list := range d.idle {
		list[0].since = time.Now().Add(-idleLimit)
	}
	if d.close(); len(d.idle) != 0 {
		t.Error("an old connection was kept")
	}
}

// TestProxied goes by a proxy, which is given whole addresses.
func TestProxied(t *testing.T) {
	t.Parallel()
	var line atomic.Value
	proxy, err := url.Parse(server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line.Store(r.Method + " " + r.RequestURI + " " + r.Header.Get("X-Tenant") + r.Header.Get("Idempotency-Key") + " " + string(body))
		w.WriteHeader(201)
		_, _ = io.WriteString(w, "made")
	}))
	if err != nil {
		t.Fatal(err)
	}
	p := newProxied(local, outbound.Follow(nil), time.Second, 1)
	p.base.Proxy = http.ProxyURL(proxy)
	to, err := url.Parse("http://erp.example/orders/A%2F1?x=1")
	if err != nil {
		t.Fatal(err)
	}
	m := message{method: "POST", url: to, fixed: []field{{"X-Tenant", "t"}}, fields: []field{{"Idempotency-Key", "k"}}, body: []byte("{}")}
	got, sent, err := p.carry(t.Context(), m)
	if err != nil || !sent || got.status != 201 || string(got.body) != "made" {
		t.Errorf("%d %q (sent %v, %v)", got.status, got.body, sent, err)
	}
	if want := "POST http://erp.example/orders/A%2F1?x=1 tk {}"; line.Load() != want {
		t.Errorf("the proxy was asked %q, want %q", line.Load(), want)
	}
	line.Store("")
	m.by = time.Now().Add(-time.Second)
	if _, _, err := p.carry(t.Context(), m); err == nil || line.Load() != "" {
		t.Errorf("sent after its time: %v, %q", err, line.Load())
	}
}
