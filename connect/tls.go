package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

const dialTimeout = 10 * time.Second // franz-go's own

// secured is TLS to a peer, from the files that its variables name.
type secured struct {
	settings
	ca, cert, key string // paths; empty for the system's roots, and for no certificate of ours
}

// secured reads TLS, CA, CERT and KEY; nil when TLS is off. A CA or a certificate turns it on.
func (s settings) secured() (*secured, error) {
	on := false
	if text := s.get("TLS"); text != "" {
		var err error
		if on, err = strconv.ParseBool(text); err != nil {
			return nil, fmt.Errorf("%s is %q: true or false", s.name("TLS"), text)
		}
	}
	out := &secured{settings: s, ca: s.get("CA"), cert: s.get("CERT"), key: s.get("KEY")}
	switch {
	case (out.cert == "") != (out.key == ""):
		return nil, fmt.Errorf("%s and %s name a client's certificate and its key: set both or neither", s.name("CERT"), s.name("KEY"))
	case out.ca == "" && out.cert == "" && !on:
		return nil, nil
	case s.get("TLS") != "" && !on:
		return nil, fmt.Errorf("%s is false and %s or %s is set: leave one out", s.name("TLS"), s.name("CA"), s.name("CERT"))
	}
	_, err := out.config()
	return out, err
}

// config is the settings of one connection, as the files are now.
func (s *secured) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		c.RootCAs = x509.NewCertPool()
		if err := s.trust(c.RootCAs); err != nil {
			return nil, err
		}
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", s.name("CERT"), s.name("KEY"), err)
		}
		// By this and not Certificates: those are held back from a server that names other authorities, and it says no more than
		// "certificate required" then.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c, nil
}

// trust adds the certificates of CA to a pool.
func (s *secured) trust(pool *x509.CertPool) error {
	text, err := os.ReadFile(s.ca)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name("CA"), err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s: %s holds no certificate: it must be PEM", s.name("CA"), s.ca)
	}
	return nil
}

// dial connects by TLS.
func (s *secured) dial(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	if err != nil {
		return nil, s.explain(address, err)
	}
	return &secureConn{conn, s}, nil
}

// secureConn is a connection by TLS. In TLS 1.3 a server refuses a client's certificate only after the handshake, in the first read.
type secureConn struct {
	net.Conn
	of *secured
}

// Read adds to an alert of the other side which variables it is about.
func (c *secureConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if alert := (*net.OpError)(nil); errors.As(err, &alert) && alert.Op == "remote error" {
		err = fmt.Errorf("%w: it did not take our certificate: see %s and %s", err, c.of.name("CERT"), c.of.name("KEY"))
	}
	return n, err
}

// explain says what a handshake that failed asks of the settings.
func (s *secured) explain(address string, err error) error {
	var (
		plain     tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
	)
	switch {
	case errors.As(err, &plain):
		return fmt.Errorf("TLS to %s: %w: it does not speak TLS there: give the address of its TLS listener, or unset %s", address, err, s.name("TLS"))
	case errors.As(err, &authority):
		return fmt.Errorf("TLS to %s: %w: set %s to the PEM file of the authority that signed its certificate", address, err, s.name("CA"))
	case errors.As(err, &host):
		return fmt.Errorf("TLS to %s: %w: use a name that its certificate has", address, err)
	}
	return fmt.Errorf("TLS to %s: %w", address, err)
}
