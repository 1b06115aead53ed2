package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// TestBodiesIn: a body that does not come costs its sender the connection, also where no handler reads it.
func TestBodiesIn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(bodiesIn(http.NotFoundHandler(), 100*time.Millisecond))
	t.Cleanup(server.Close)
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(c)
	resp, err := http.ReadResponse(from, nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatalf("%+v, %v", resp, err)
	}
	if _, err := from.Discard(1 << 20); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// TestConnections: those beyond the bound wait to be accepted, and are served once another ends.
func TestConnections(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan Info, 1), make(chan error, 1)
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- Run(ctx, Config{Topology: topo, Listen: "127.0.0.1:0", MaxConnections: 1, Only: []string{"edge"}, Ready: func(i Info) { ready <- i }})
	}()
	var at string
	select {
	case i := <-ready:
		at = strings.TrimPrefix(i.EdgeURL, "http://")
	case err := <-ended:
		t.Fatal(err)
	}
	first, second := ask(t, at), ask(t, at)
	answered(t, first)
	if err := second.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := second.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a second connection was served: %d bytes, %v", n, err)
	}
	_ = first.Close()
	if err := second.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	answered(t, second)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// ask sends a request on a connection that is kept.
func ask(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

func answered(t *testing.T, c net.Conn) {
	t.Helper()
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", resp, err)
	}
}
