package review

import (
	"fmt"
	"strings"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

const environmentsFile = "environments.yaml"

// outageOutboundRules ask of the recovery path whether calls get out, and who could stand in the way.
var outageOutboundRules = []Rule{
	{ID: "address-within", Question: Outage, Severity: Error, Title: "A call to where calls may not go",
		Why:  "Seam refuses addresses within its own network unless they are allowed by name: every order of the integration waits.",
		Mend: "list the network under private in environments.yaml, with why; or write the address that is meant",
		in: func(s *scope, in *topology.Integration) {
			guard := s.t.Outbound()
			for _, a := range called(in) {
				if u := address(a.text); u != nil {
					if err := guard.CheckHost(u.Hostname()); err != nil {
						s.found(a.key, "in %s %v", s.t.Environment, err)
					}
				}
			}
		},
		src: func(s *scope, src *topology.Source) {
			if u := address(src.URL); u != nil && src.URL != "" {
				if err := s.t.Outbound().CheckHost(u.Hostname()); err != nil {
					s.found("url", "in %s %v", s.t.Environment, err)
				}
			}
		}},
	{ID: "private-without-reason", Question: Outage, Severity: Error, Title: "A network within that calls may go to, and nobody said why",
		Why:  "Whoever may write an address can have Seam call whatever stands there, as one of its own. In a year nobody knows whether that is still needed.",
		Mend: "write why: what stands there, or take the network out",
		all: func(s *scope) {
			s.private(func(name string, i int, n topology.PrivateNetwork) {
				if strings.TrimSpace(n.Why) == "" {
					s.at("environments/"+name, environmentsFile, fmt.Sprintf("%s.private.%d", name, i), "%s may call %s, without a reason", name, n.To)
				}
			})
		}},
	{ID: "private-too-wide", Question: Outage, Severity: Error, Title: "Calls may go anywhere within",
		Why:  "A prefix that holds more than one kind of network allows what nobody thought of, this machine's own ports among them.",
		Mend: "list the networks that are called, each by its own prefix",
		all: func(s *scope) {
			s.private(func(name string, i int, n topology.PrivateNetwork) {
				networks, err := outbound.Networks(n.To)
				if err != nil {
					return // a fault of its own
				}
				for _, p := range networks {
					if p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 7 {
						s.at("environments/"+name, environmentsFile, fmt.Sprintf("%s.private.%d", name, i), "%s may call %s, which is more than a network", name, n.To)
					}
				}
			})
		}},
	{ID: "token-over-http", Question: Outage, Severity: Error, Invariant: true, Title: "A client's secret goes over plain HTTP",
		Why:  "Whoever is on the way to the token endpoint reads the secret and is the shop from then on. RFC 6749 demands TLS there.",
		Mend: "write https in token_url",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.HTTP == nil || r.HTTP.Auth.OAuth2 == nil {
					continue
				}
				if u := address(r.HTTP.Auth.OAuth2.TokenURL); u != nil && u.Scheme == "http" && !loopback(u.Hostname()) {
					s.found(route(i, "http.auth.oauth2.token_url"), "%s asks %s for tokens over http", in.Name, u.Host)
				}
			}
		}},
}

// private goes through the networks that environments allow.
func (s *scope) private(each func(name string, i int, n topology.PrivateNetwork)) {
	for name, env := range s.t.Environments {
		for i, n := range env.Private {
			each(name, i, n)
		}
	}
}

// place is an address with the key that holds it.
type place struct{ key, text string }

// called is every address that an integration calls.
func called(in *topology.Integration) []place {
	var out []place
	for i := range in.Deliver {
		r := &in.Deliver[i]
		if r.HTTP == nil {
			continue
		}
		out = append(out, place{route(i, "http.url"), r.HTTP.URL})
		if r.ReadBack != nil {
			out = append(out, place{route(i, "read_back.get"), r.ReadBack.Get.String()})
		}
		if o := r.HTTP.Auth.OAuth2; o != nil {
			out = append(out, place{route(i, "http.auth.oauth2.token_url"), o.TokenURL})
		}
	}
	if _, probe, ok := strings.Cut(in.Idempotency.Probe, " "); ok {
		out = append(out, place{"idempotency.probe", probe})
	}
	if in.Environment != nil {
		out = append(out, place{"environment.get", in.Environment.Get})
	}
	return out
}

// authenticated tells whether an integration proves who calls other than by a route's headers.
func authenticated(in *topology.Integration) bool {
	return in.TLS != nil && in.TLS.Cert != "" || in.Sign != nil
}
