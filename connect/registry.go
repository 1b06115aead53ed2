package connect

import (
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

const registryTimeout = 5 * time.Second // of a request, franz-go's own

// Registry is how the registry is reached beside its URL. All variables begin with SEAM_REGISTRY_:
//
//   - CA, a PEM file, for an authority other than the system's; CERT and KEY, PEM files, for a client's certificate.
//   - USER and PASSWORD for HTTP's basic authentication; TOKEN, or TOKEN_URL, CLIENT_ID, CLIENT_SECRET and SCOPE, for a bearer token.
//   - HEADERS (name=value,...) for what a platform asks for beside them.
//
// PASSWORD, TOKEN and CLIENT_SECRET may be files by _FILE. What signs in is sent over https only, or to this machine.
func Registry(lookup func(string) (string, bool)) ([]sr.ClientOpt, error) {
	s := newSettings("SEAM_REGISTRY_", lookup)
	secured, err := s.secured()
	if err != nil {
		return nil, err
	}
	headers, err := s.pairs("HEADERS")
	if err != nil {
		return nil, err
	}
	sign, err := s.signature(secured)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if secured != nil {
		transport.DialTLSContext = secured.dial
	}
	out := []sr.ClientOpt{sr.HTTPClient(&http.Client{Timeout: registryTimeout, Transport: transport})}
	if sign == nil && headers == nil {
		return out, nil
	}
	return append(out, sr.PreReq(func(r *http.Request) error {
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		if sign == nil {
			return nil
		}
		if !private(r.URL) {
			return fmt.Errorf("SEAM_REGISTRY is %s://%s: it would be sent what opens it as it is: use https", r.URL.Scheme, r.URL.Host)
		}
		return sign(r)
	})), nil
}

// signature puts what signs in into a request; nil for nothing.
func (s settings) signature(secured *secured) (func(*http.Request) error, error) {
	token, err := s.bearer(secured)
	if err != nil {
		return nil, err
	}
	basic := s.has("USER") || s.has("PASSWORD")
	switch {
	case token != nil && basic:
		return nil, fmt.Errorf("%s and a token are set: leave one out", s.name("USER"))
	case token != nil:
		return func(r *http.Request) error {
			text, err := token(r.Context())
			if err == nil {
				r.Header.Set("Authorization", "Bearer "+text)
			}
			return err
		}, nil
	case !basic:
		return nil, nil
	}
	read := func() (user, password string, err error) {
		if user, err = s.need("USER", s.name("PASSWORD")+" is set"); err == nil {
			password, err = s.need("PASSWORD", s.name("USER")+" is "+user)
		}
		return user, password, err
	}
	_, _, err = read()
	return func(r *http.Request) error {
		user, password, err := read()
		if err == nil {
			r.SetBasicAuth(user, password)
		}
		return err
	}, err
}
