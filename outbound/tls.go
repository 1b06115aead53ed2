package outbound

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// Files say how TLS is spoken with a downstream: PEM files, which are read again while Seam runs. TLS 1.2 is the least, and nothing
// turns verification off.
type Files struct {
	CA         string `yaml:"ca"`          // authorities that are trusted, instead of the system's
	Cert       string `yaml:"cert"`        // certificate that we show, with its chain; needs key
	Key        string `yaml:"key"`         // its private key
	ServerName string `yaml:"server_name"` // name that its certificate must have. Default the host of the address
}

// reread is how long the text of the files is trusted.
const reread = 10 * time.Second

// TLS follows Files. It is safe for concurrent use.
type TLS struct {
	files Files
	now   func() time.Time

	mu     sync.Mutex
	texts  [][]byte
	config *tls.Config
	read   time.Time
}

// Follow makes a TLS of files; nil gives one of the system's own authorities. Nothing is read yet.
func Follow(f *Files) *TLS {
	t := &TLS{now: time.Now}
	if f != nil {
		t.files = *f
	}
	return t
}

// Unready is a setting of ours that no call can be made with.
type Unready struct{ err error }

// Error says which.
func (u *Unready) Error() string { return u.err.Error() }

// Unwrap is why.
func (u *Unready) Unwrap() error { return u.err }

// Config is how to speak TLS now: another one, with no sessions to resume, once a file has changed. It must not be written to. Files that
// cannot be used, because they are being replaced, leave the last one; where there is none the error is an *Unready.
func (t *TLS) Config() (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.config != nil && now.Sub(t.read) < reread {
		return t.config, nil
	}
	texts, err := t.files.texts()
	if err == nil && t.config != nil && slices.EqualFunc(texts, t.texts, bytes.Equal) {
		t.read = now
		return t.config, nil
	}
	var made *tls.Config
	if err == nil {
		made, err = t.files.config(texts)
	}
	switch {
	case err == nil:
		t.config, t.texts, t.read = made, texts, now
	case t.config == nil:
		return nil, &Unready{err}
	default:
		t.read = now
	}
	return t.config, nil
}

// texts reads the files in the order of Files.
func (f *Files) texts() ([][]byte, error) {
	out := make([][]byte, 3)
	for i, name := range []string{f.CA, f.Cert, f.Key} {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		out[i] = text
	}
	return out, nil
}

// config makes what the files say.
func (f *Files) config(texts [][]byte) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if f.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(texts[0]) {
			return nil, fmt.Errorf("tls: %s holds no certificate in PEM", f.CA)
		}
	}
	if f.Cert != "" {
		pair, err := tls.X509KeyPair(texts[1], texts[2])
		if err != nil {
			return nil, fmt.Errorf("tls: %s with %s: %w", f.Cert, f.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// following makes requests over a transport of the files as they are now.
type following struct {
	files *TLS
	base  *http.Transport

	mu     sync.Mutex
	config *tls.Config
	now    *http.Transport
}

// RoundTrip makes one request.
func (f *following) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := f.transport()
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

func (f *following) transport() (*http.Transport, error) {
	config, err := f.files.Config()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.config != config {
		if f.now != nil {
			f.now.CloseIdleConnections()
		}
		f.config, f.now = config, f.base.Clone()
		f.now.TLSClientConfig = config.Clone() // a transport writes to its own
	}
	return f.now, nil
}

// Transport is a transport as base is, but of the files as they are at each request.
func (t *TLS) Transport(base *http.Transport) http.RoundTripper {
	return &following{files: t, base: base}
}

// Ready is an error when no call can be made with the files as they are.
func (t *TLS) Ready() error {
	_, err := t.Config()
	return err
}

// Barred tells whether an error is of ours: the address may not be called, or a setting cannot be used. Nothing was sent then, and
// nothing will be before somebody mends it.
func Barred(err error) bool {
	var refused *Refused
	var unready *Unready
	return errors.As(err, &refused) || errors.As(err, &unready)
}
