package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestHealth asks what a process says of itself: ready is exit 0, all else 1.
func TestHealth(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(web.Close)
	for _, tt := range []struct {
		status int64
		args   []string
		code   int
	}{
		{200, []string{"health", web.URL + "/readyz"}, 0},
		{503, []string{"health", web.URL + "/readyz"}, 1},
		{404, []string{"health", web.URL}, 1},
		{404, []string{"health", "--any", web.URL}, 0},
		{200, []string{"health", "http://127.0.0.1:1/readyz"}, 1},
		{200, []string{"health", "://"}, 2},
	} {
		status.Store(tt.status)
		if code := run(tt.args, io.Discard, io.Discard); code != tt.code {
			t.Errorf("%v answered %d: exit %d, want %d", tt.args, tt.status, code, tt.code)
		}
	}
}

// TestReadyURL: what listens everywhere is asked on this machine.
func TestReadyURL(t *testing.T) {
	t.Parallel()
	for listens, want := range map[string]string{
		":8090": "http://127.0.0.1:8090/readyz", "0.0.0.0:1": "http://127.0.0.1:1/readyz", "[::]:1": "http://127.0.0.1:1/readyz",
		"127.0.0.1:8090": "http://127.0.0.1:8090/readyz", "10.0.0.1:80": "http://10.0.0.1:80/readyz", "[::1]:1": "http://[::1]:1/readyz",
	} {
		if got := readyURL(listens); got != want {
			t.Errorf("%s: %s, want %s", listens, got, want)
		}
	}
}
