package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue is a certificate with a name and its key, as PEM.
func (a *authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k := newKey(t)
	of := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, k.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMutualTLS: the server is known by its name and by an authority of a file, we are known by a certificate of another, and both
// may change while a process runs.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	theirs, ours := newAuthority(t), newAuthority(t)
	pair, err := tls.X509KeyPair(theirs.issue(t, "erp.example"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)

	dir := t.TempDir()
	f := Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ServerName: "erp.example"}
	now := &clock{at: time.Now()}
	files := Follow(&f)
	files.now = now.now
	client := Within().Client(5*time.Second, files)
	ask := func() (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	var unready *Unready
	if _, err := ask(); !errors.As(err, &unready) || !Barred(err) || !strings.Contains(err.Error(), f.CA) {
		t.Errorf("without its files: %v", err)
	}
	cert, key := ours.issue(t, "seam-1")
	write(t, f.CA, theirs.pem())
	write(t, f.Cert, cert)
	write(t, f.Key, key)
	if got, err := ask(); err != nil || got != "seam-1" {
		t.Fatalf("%q, %v", got, err)
	}

	next, nextKey := ours.issue(t, "seam-2")
	write(t, f.Cert, next) // its key is still the old one: it is being replaced
	now.pass(reread)
	if got, err := ask(); err != nil || got != "seam-1" {
		t.Errorf("while they are replaced: %q, %v", got, err)
	}
	write(t, f.Key, nextKey)
	now.pass(reread)
	if got, err := ask(); err != nil || got != "seam-2" {
		t.Errorf("after they were replaced: %q, %v", got, err)
	}

	write(t, f.CA, ours.pem()) // the server's is none of that one
	now.pass(reread)
	if _, err := ask(); err == nil || Barred(err) {
		t.Errorf("of an authority that is trusted no more: %v", err)
	}
	other := f
	other.CA, other.ServerName = "", ""
	files = Follow(&other)
	client = Within().Client(5*time.Second, files)
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("by the system's authorities: %v", err)
	}
}

// TestTLSIsRecent: nothing before TLS 1.2 is spoken, with files and without.
func TestTLSIsRecent(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for _, files := range []*TLS{nil, Follow(&Files{CA: ca})} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := Within().Client(5*time.Second, files).Do(req); err == nil || !strings.Contains(err.Error(), "version") {
			t.Errorf("%v, %v", resp, err)
		}
	}
}
