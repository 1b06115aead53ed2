package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestCheck holds each kind of address to what may be called, written in each way it can be.
func TestCheck(t *testing.T) {
	t.Parallel()
	var ours []netip.Prefix
	for _, text := range []string{"10.20.0.0/16", "fd12:3456::/32", "192.0.2.7", "169.254.0.0/16", "fd00::/8"} {
		p, err := Networks(text)
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, p...)
	}
	const public, inside, never = "public", "inside", "never"
	tests := []struct{ addr, without, with string }{
		{"93.184.216.34", public, public},
		{"2606:2800:220:1::1", public, public},
		{"10.20.3.4", inside, public},
		{"10.21.3.4", inside, inside},
		{"::ffff:10.20.3.4", inside, public},
		{"::ffff:10.21.3.4", inside, inside},
		{"64:ff9b::10.20.3.4", inside, public},
		{"64:ff9b::10.21.3.4", inside, inside},
		{"64:ff9b::93.184.216.34", public, public},
		{"64:ff9b:1::10.21.3.4", inside, inside},
		{"2002:0a15:0304::1", inside, inside}, // 6to4 of 10.21.3.4
		{"2001:0:1:2::3", inside, inside},     // Teredo
		{"::10.21.3.4", inside, inside},       // IPv4-compatible
		{"127.0.0.1", inside, inside},
		{"127.8.8.8", inside, inside},
		{"::1", inside, inside},
		{"::ffff:127.0.0.1", inside, inside},
		{"172.16.0.1", inside, inside},
		{"172.32.0.1", public, public},
		{"192.168.1.1", inside, inside},
		{"100.64.0.1", inside, inside},
		{"100.128.0.1", public, public},
		{"192.0.2.7", inside, public},
		{"198.18.0.1", inside, inside},
		{"203.0.113.9", inside, inside},
		{"fd12:3456::1", inside, public},
		{"fc00::1", inside, inside},
		{"fec0::1", inside, inside},
		{"4000::1", inside, inside},
		{"0.0.0.0", never, never},
		{"::", never, never},
		{"0.1.2.3", never, never},
		{"169.254.169.254", never, never},
		{"::ffff:169.254.169.254", never, never},
		{"64:ff9b::169.254.169.254", never, never},
		{"169.254.170.2", never, never},
		{"100.100.100.200", never, never},
		{"168.63.129.16", never, never},
		{"fd00:ec2::254", never, never},
		{"fd20:ce::254", never, never},
		{"fe80::1", never, never},
		{"fe80::1%eth0", never, never},
		{"224.0.0.1", never, never},
		{"ff02::1", never, never},
		{"255.255.255.255", never, never},
	}
	for _, tt := range tests {
		for guard, want := range map[*Guard]string{nil: tt.without, New(ours...): tt.with} {
			got := public
			var refused *Refused
			if errors.As(guard.Check(netip.MustParseAddr(tt.addr)), &refused) {
				if got = inside; refused.Ever {
					got = never
				}
			}
			if got != want {
				t.Errorf("%s, allowed %v: %s, want %s", tt.addr, guard != nil, got, want)
			}
		}
	}
}

// TestNetworks reads what may be allowed.
func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.20.3.4/16": "[10.20.0.0/16]", "10.0.0.1": "[10.0.0.1/32]", "::1": "[::1/128]", "loopback": "[127.0.0.0/8 ::1/128]",
		"private":         "[10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7]",
		"::ffff:10.0.0.1": "[10.0.0.1/32]", "erp.example": "", "": "", "10.0.0.0/33": "", "::ffff:10.0.0.0/104": "", "fe80::1%eth0": "",
	} {
		got := ""
		if list, err := Networks(text); err == nil {
			for _, p := range list {
				got += " " + p.String()
			}
			got = "[" + strings.TrimPrefix(got, " ") + "]"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// names is a resolver on loopback that answers every name with the next of its addresses, as one does that is up to something.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			q := b[:n]
			end := 12
			for q[end] != 0 {
				end += int(q[end]) + 1
			}
			end += 5
			a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
			if q[end-3] == 1 { // of type A
				a[7] = 1
				ip := netip.MustParseAddr(addresses[0]).As4()
				a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
				if len(addresses) > 1 {
					addresses = addresses[1:]
				}
			}
			_, _ = server.WriteTo(a, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// TestRebinding: a name that was public when somebody looked, and leads within when it is called, leads nowhere.
func TestRebinding(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	at := net.JoinHostPort("rebound.example", u.Port())

	resolver := names(t, "93.184.216.34", "127.0.0.1")
	first, err := resolver.LookupHost(t.Context(), "rebound.example")
	if err != nil || first[0] != "93.184.216.34" {
		t.Fatalf("looked up %v, %v", first, err)
	}
	d := New().Dialer(5 * time.Second)
	d.Resolver = resolver
	var refused *Refused
	if c, err := d.DialContext(t.Context(), "tcp", at); !errors.As(err, &refused) || refused.Addr.String() != "127.0.0.1" {
		t.Errorf("dialled %v: %v, want the address refused", c, err)
	}
	d = Within().Dialer(5 * time.Second)
	d.Resolver = names(t, "127.0.0.1")
	c, err := d.DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatalf("where loopback is allowed: %v", err)
	}
	_ = c.Close()
}

// TestClient follows no redirect, refuses what the guard does, and its errors hold nothing of an address but its host.
func TestClient(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	get := func(g *Guard, address string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.Client(5*time.Second, nil).Do(req)
	}
	resp, err := get(Within(), server.URL)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.RawQuery, u.Path = url.UserPassword("someone", "hunter2"), "key=s3cret", "/orders/s3cret"
	if _, err = get(New(), u.String()); !Barred(err) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "someone") {
		t.Errorf("refused with %v", err)
	}
	if !strings.Contains(err.Error(), "GET "+u.Host) || !strings.Contains(err.Error(), "environments.yaml") {
		t.Errorf("%v names neither host nor mend", err)
	}
}

// TestThrough: a proxy of the environment may stand within, and what stands behind one is refused where it is an address.
func TestThrough(t *testing.T) {
	t.Parallel()
	g := New()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy, dial := g.through(g.Dialer(time.Second), http.ProxyURL(at))
	if _, err := dial(t.Context(), "tcp", at.Host); !Barred(err) {
		t.Errorf("dialled a proxy before it was named: %v", err)
	}
	if u, err := proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "169.254.169.254"}}); !Barred(err) || u != nil {
		t.Errorf("a cloud's metadata by a proxy: %v, %v", u, err)
	}
	if u, err := proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "erp.example"}}); err != nil || u == nil {
		t.Fatalf("a name by a proxy: %v, %v", u, err)
	}
	c, err := dial(t.Context(), "tcp", at.Host)
	if err != nil {
		t.Fatalf("the proxy itself: %v", err)
	}
	_ = c.Close()
}
