package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Guard says which addresses may be called: public ones, and the networks that were allowed by name. The zero Guard and a nil one
// allow public addresses alone. It is safe for concurrent use.
type Guard struct{ allow []netip.Prefix }

// New allows private networks beside what is public.
func New(allow ...netip.Prefix) *Guard { return &Guard{allow: allow} }

// Within allows every network within, for addresses that whoever starts a process gives it by a flag.
func Within() *Guard {
	var allow []netip.Prefix
	for _, n := range inside {
		allow = append(allow, n.prefix)
	}
	return New(allow...)
}

// Refused is an address that may not be called.
type Refused struct {
	Addr netip.Addr
	Why  string // what the address is: "private (RFC 1918)"
	Ever bool   // no environment may allow it
}

// Error names the address and the mend.
func (r *Refused) Error() string {
	if r.Ever {
		return fmt.Sprintf("%s may not be called: it is %s, which nothing allows", r.Addr, r.Why)
	}
	return fmt.Sprintf("%s may not be called: it is %s; if it is yours, list its network under private in environments.yaml", r.Addr, r.Why)
}

// network is a range of addresses that are not simply public.
type network struct {
	prefix netip.Prefix
	why    string
}

func table(pairs ...string) []network {
	var out []network
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, network{netip.MustParsePrefix(pairs[i]), pairs[i+1]})
	}
	return out
}

var (
	// never is what nobody calls on purpose: machines of clouds hand credentials to whoever asks from within.
	never = table(
		"0.0.0.0/8", "this machine by another name (RFC 1122)",
		"169.254.0.0/16", "link-local, where clouds keep their metadata (RFC 3927)",
		"100.100.100.200/32", "a cloud's metadata",
		"168.63.129.16/32", "a cloud's metadata",
		"192.0.0.192/32", "a cloud's metadata",
		"224.0.0.0/4", "multicast (RFC 5771)",
		"240.0.0.0/4", "reserved (RFC 1112)",
		"::/128", "unspecified (RFC 4291)",
		"fd00:ec2::/32", "a cloud's metadata",
		"fd20:ce::/32", "a cloud's metadata",
		"fe80::/10", "link-local (RFC 4291)",
		"ff00::/8", "multicast (RFC 4291)",
	)
	// inside is what is not reached over the internet. Sources: the special-purpose address registries of IANA,
	// https://www.iana.org/assignments/iana-ipv4-special-registry and https://www.iana.org/assignments/iana-ipv6-special-registry.
	inside = table(
		"10.0.0.0/8", "private (RFC 1918)",
		"100.64.0.0/10", "shared by a carrier's customers (RFC 6598)",
		"127.0.0.0/8", "loopback (RFC 1122)",
		"172.16.0.0/12", "private (RFC 1918)",
		"192.0.0.0/24", "set aside for protocols (RFC 6890)",
		"192.0.2.0/24", "for documents (RFC 5737)",
		"192.88.99.0/24", "a relay of 6to4 (RFC 7526)",
		"192.168.0.0/16", "private (RFC 1918)",
		"198.18.0.0/15", "for benchmarks (RFC 2544)",
		"198.51.100.0/24", "for documents (RFC 5737)",
		"203.0.113.0/24", "for documents (RFC 5737)",
		"::1/128", "loopback (RFC 4291)",
		"64:ff9b:1::/48", "translated locally (RFC 8215)",
		"2001::/23", "set aside for protocols, Teredo among them (RFC 2928)",
		"2001:db8::/32", "for documents (RFC 3849)",
		"2002::/16", "6to4 (RFC 3056)",
		"3fff::/20", "for documents (RFC 9637)",
		"fc00::/7", "private (RFC 4193)",
		"fec0::/10", "site-local (RFC 3879)",
	)
	global = netip.MustParsePrefix("2000::/3")     // all of IPv6 that is given out
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // IPv4 in its last four bytes: RFC 6052
)

// Check is a *Refused for an address that may not be called. An address of IPv4 within one of IPv6 is looked at as what it is.
func (g *Guard) Check(addr netip.Addr) error {
	at := addr.Unmap().WithZone("")
	if nat64.Contains(at) {
		b := at.As16()
		at = netip.AddrFrom4([4]byte(b[12:]))
	}
	in := func(n network) bool { return n.prefix.Contains(at) }
	if i := slices.IndexFunc(never, in); i >= 0 {
		return &Refused{Addr: addr, Why: never[i].why, Ever: true}
	}
	if g != nil && slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(at) }) {
		return nil
	}
	if i := slices.IndexFunc(inside, in); i >= 0 {
		return &Refused{Addr: addr, Why: inside[i].why}
	}
	if at.Is6() && !global.Contains(at) {
		return &Refused{Addr: addr, Why: "given out to nobody (RFC 4291)"}
	}
	return nil
}

// CheckHost is Check for a host that is written as an address, or as localhost; nil for names, which are looked at when they are
// resolved.
func (g *Guard) CheckHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.Check(addr)
	}
	if host == "localhost" {
		return g.Check(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return nil
}

// Dialer dials only what may be called. Names are resolved by it, and each address is looked at when it is connected to.
func (g *Guard) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: g.control}
}

// control sees the address that the socket is about to be connected to.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address: %w", address, err)
	}
	return g.Check(at.Addr())
}

// Networks reads what may be allowed: a prefix ("10.20.0.0/16"), an address, or one of the words loopback and private.
func Networks(text string) ([]netip.Prefix, error) {
	switch text {
	case "loopback":
		return prefixes("127.0.0.0/8", "::1/128"), nil
	case "private":
		return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"), nil
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return nil, fmt.Errorf("%q is no network: write a prefix such as 10.20.0.0/16, an address, loopback or private", text)
	}
	return []netip.Prefix{p.Masked()}, nil
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}
