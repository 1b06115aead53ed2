package outbound

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzToken: what a token endpoint answers becomes a token that a header can carry, for a day at most, or an error that repeats nothing.
func FuzzToken(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"abc","token_type":"bearer","expires_in":3600}`))
	f.Add(200, []byte(`{"access_token":"abc","expires_in":1e308}`))
	f.Add(400, []byte(`{"error":"s3cret"}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		token, lasts, err := answers(status, text).ask(t.Context())
		if err != nil {
			if len(err.Error()) > 100 {
				t.Fatalf("%v", err)
			}
			return
		}
		if token == "" || strings.ContainsAny(token, "\r\n \x00") || lasts <= 0 || lasts > 24*time.Hour {
			t.Fatalf("%q for %s", token, lasts)
		}
	})
}

// FuzzCheck: an address is judged the same however it is written, and metadata and link-local are refused whatever is allowed.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1%x", "2002:a9fe:a9fe::"} {
		f.Add(s)
	}
	all := New(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return
		}
		if (New().Check(addr) == nil) != (New().Check(addr.Unmap()) == nil) {
			t.Fatalf("%s is judged otherwise than %s", addr, addr.Unmap())
		}
		if u := addr.Unmap(); (u.IsLinkLocalUnicast() || u.IsMulticast() || u.IsUnspecified()) && all.Check(addr) == nil {
			t.Fatalf("%s is allowed", addr)
		}
	})
}

// FuzzNetworks: what is read as a network can be written and read again.
func FuzzNetworks(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "loopback", "private", "::1", "::ffff:0:0/96", "10.0.0.1/99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := Networks(s)
		if err != nil {
			return
		}
		for _, p := range list {
			again, err := Networks(p.String())
			if err != nil || len(again) != 1 || again[0] != p {
				t.Fatalf("%q gave %s, which gives %v (%v)", s, p, again, err)
			}
		}
	})
}
