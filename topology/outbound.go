package topology

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/binaryandbeyond/seam/outbound"
)

// PrivateNetwork is a network within that an environment's calls may go to.
type PrivateNetwork struct {
	To  string `yaml:"to"`  // a prefix (10.20.0.0/16), an address, loopback, or private: RFC 1918 and RFC 4193
	Why string `yaml:"why"` // what is there; for those who review the file
}

// OAuth2 gets tokens by client credentials (RFC 6749, section 4.4) and sends them as Bearer.
type OAuth2 struct {
	TokenURL     string   `yaml:"token_url"`
	ClientID     string   `yaml:"client_id"`
	ClientSecret Secret   `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes"`
	Audience     string   `yaml:"audience"`
	// Send basic: id and secret go as HTTP Basic; body: in the form. Default basic.
	Send string `yaml:"send"`

	file *SecretFile // of ClientSecret; nil when that is fixed
}

// Signing is how calls are signed: Standard Webhooks.
type Signing struct {
	// Secrets make one signature each, of which the receiver needs one: two while one is rotated. whsec_ before base64 is
	// HMAC-SHA256, whsk_ Ed25519.
	Secrets []Secret `yaml:"secrets"`

	files []*SecretFile // of Secrets, by index; nil for those that are fixed
}

// Keys are the secrets to sign with at this moment.
func (s *Signing) Keys() []Secret { return current(s.Secrets, s.files) }

// Secret is the client's secret at this moment.
func (o *OAuth2) Secret() Secret {
	if o.file == nil {
		return o.ClientSecret
	}
	return o.file.Current()
}

// Stale has a client secret that stands in a file read again before the next token.
func (o *OAuth2) Stale() {
	if o.file != nil {
		o.file.Stale()
	}
}

// Grant is what tokens are asked for with.
func (o *OAuth2) Grant() outbound.Grant {
	return outbound.Grant{URL: o.TokenURL, ID: o.ClientID, Secret: func() string { return o.Secret().Reveal() }, Scopes: o.Scopes, Audience: o.Audience, InBody: o.Send == "body"}
}

// Development is the environment whose calls may go to loopback where environments.yaml does not say.
const Development = "development"

// Outbound is where the environment's calls may go.
func (t *Topology) Outbound() *outbound.Guard {
	networks := t.Environments[t.Environment].Private
	if len(networks) == 0 && t.Environment == Development {
		networks = []PrivateNetwork{{To: "loopback"}}
	}
	var allow []netip.Prefix
	for _, n := range networks {
		p, _ := outbound.Networks(n.To) // a fault of the file
		allow = append(allow, p...)
	}
	return outbound.New(allow...)
}

// private checks the networks of an environment.
func (l *loader) private(name string, networks []PrivateNetwork) {
	for i, n := range networks {
		if _, err := outbound.Networks(n.To); err != nil {
			l.at("environments.yaml", fmt.Sprintf("%s.private.%d.to", name, i), "to: %v", err)
		}
	}
}

// oauth2 checks how tokens are got, and that nothing else authenticates beside them.
func (l *loader) oauth2(file, at string, auth Auth) {
	o := auth.OAuth2
	if o == nil {
		return
	}
	at += ".oauth2"
	if u, err := url.Parse(o.TokenURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		l.at(file, at, "token_url is not an http address without a user")
	}
	if o.ClientID == "" || o.ClientSecret == "" {
		l.at(file, at, "client_id and client_secret are needed")
	}
	if o.Send != "" && o.Send != "basic" && o.Send != "body" {
		l.at(file, at+".send", "send is %q: write basic or body", o.Send)
	}
	if auth.Bearer != "" || strings.EqualFold(auth.Header, "Authorization") {
		l.at(file, at, "a token of oauth2 is sent as Authorization: Bearer, and so is what stands beside it: choose one")
	}
}

// secured checks TLS and signatures of an integration.
func (l *loader) secured(file string, in *Integration) {
	if f := in.TLS; f != nil && (f.Cert == "") != (f.Key == "") {
		l.at(file, "tls", "tls.cert and tls.key go together: a certificate is shown with its private key")
	}
	if in.Sign == nil {
		return
	}
	if len(in.Sign.Secrets) == 0 {
		l.at(file, "sign", "sign.secrets is missing: write [\"${NAME_SIGNING_SECRET}\", \"${NAME_SIGNING_SECRET_OLD:-}\"]")
	}
	for i, s := range in.Sign.Secrets {
		if strings.Contains(s.Reveal(), Unset) {
			continue // nobody signs with it
		}
		if _, err := outbound.NewSigner(s.Reveal()); err != nil {
			l.at(file, fmt.Sprintf("sign.secrets.%d", i), "%v", err)
		}
	}
}

// fixedHost is a fault when an event could say where a request goes, credentials and all.
func (l *loader) fixedHost(file, key, address string) {
	rest := address
	if _, after, ok := strings.Cut(address, "://"); ok {
		rest = after
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if strings.Contains(rest, "{") {
		l.at(file, key, "the host of %q holds an expression: an event would say where credentials go; write one integration for each host", address)
	}
}

// DefaultAtOnce is how many deliveries of a source are published at once where its file does not say.
const DefaultAtOnce = 512

// EdgeLimits bound a webhook source's authentic deliveries. Beyond them it is answered 429 if it repeats; else nothing is refused: the
// spool takes what is too much.
type EdgeLimits struct {
	Rate   PerSecond `yaml:"rate"`    // "200/s". Default none
	Burst  int       `yaml:"burst"`   // deliveries at once that the rate forgives. Default two seconds' worth
	AtOnce int       `yaml:"at_once"` // being published at the same time; more wait for a place. Default 512
}

// edgeLimits checks the limits of a source.
func (l *loader) edgeLimits(file string, s *Source) {
	switch {
	case s.Limit == EdgeLimits{}:
	case !s.Platform.Webhooks():
		l.at(file, "limit", "limit is of webhooks, and %s sends none", s.Name)
	case s.Limit.Rate < 0 || s.Limit.Burst < 0 || s.Limit.AtOnce < 0:
		l.at(file, "limit", "a limit is not less than nothing")
	case s.Limit.Burst > 0 && s.Limit.Rate == 0:
		l.at(file, "limit", "burst is what rate forgives, and there is no rate")
	}
}
