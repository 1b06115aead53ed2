package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	shopSecret     = "shop-secret-51c9"
	workerSecret   = "worker-secret-7f3a"
	registrySecret = "registry-secret-e802"
	strangerSecret = "stranger-secret-03bd"
)

// tokenLife is shorter than the test, and so is the session that the broker gives.
const tokenLife = 5 * time.Second

// secured is a Kafka of the test's own that takes nobody unknown, a registry that does neither, and who is known to them.
type secured struct {
	*testing.T
	common  map[string]string            // variables of every process
	who     map[string]map[string]string // and those of one that signs in as somebody
	issuer  *issuer
	called  chan string // subjects that the downstream is told
	reader  string      // password of the user reader
	secrets []string
	started []*proc
}

// newSecured starts them, and stops them with the test.
func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{T: t, issuer: newIssuer(t), called: make(chan string, 16), secrets: []string{shopSecret, workerSecret, registrySecret, strangerSecret}}
	jwks := s.issuer.url + "/jwks"
	const oauth = "listener.name.sasl_ssl.oauthbearer.sasl."
	out, err := scriptWith(t.Context(), []string{"KAFKA_OPTS=-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + jwks},
		"start", "--secure", "--no-registry", "--user", "edge", "--user", "reconcile", "--user", "reader",
		"sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,OAUTHBEARER",
		oauth+"jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
		oauth+"server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
		"sasl.oauthbearer.jwks.endpoint.url="+jwks, "sasl.oauthbearer.expected.audience=kafka", "sasl.oauthbearer.expected.issuer="+s.issuer.url,
		"connections.max.reauth.ms=5000")
	if err != nil {
		t.Fatal(err)
	}
	kafka := exportsOf(out)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := script(ctx, kafka["SEAM_LOCAL"], "stop"); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(kafka["SEAM_LOCAL"], "secure")
	s.who = map[string]map[string]string{
		"admin":     {"SEAM_KAFKA_USER": "admin", "SEAM_KAFKA_PASSWORD_FILE": filepath.Join(dir, "admin.password")},
		"edge":      {"SEAM_KAFKA_USER": "edge", "SEAM_KAFKA_PASSWORD_FILE": filepath.Join(dir, "edge.password")},
		"astray":    {"SEAM_KAFKA_USER": "edge", "SEAM_KAFKA_PASSWORD_FILE": filepath.Join(dir, "edge.password")},
		"stranger":  {"SEAM_KAFKA_USER": "edge", "SEAM_KAFKA_PASSWORD": strangerSecret},
		"reconcile": {"SEAM_BROKERS": kafka["SEAM_LOCAL_MTLS"], "SEAM_KAFKA_CERT": filepath.Join(dir, "reconcile.crt"), "SEAM_KAFKA_KEY": filepath.Join(dir, "reconcile.key")},
		"worker":    {"SEAM_KAFKA_TOKEN_URL": s.issuer.url + "/token", "SEAM_KAFKA_CLIENT_ID": "worker", "SEAM_KAFKA_CLIENT_SECRET": workerSecret},
	}
	password, err := os.ReadFile(filepath.Join(dir, "reader.password"))
	if err != nil {
		t.Fatal(err)
	}
	s.reader = strings.TrimSpace(string(password))
	registry, ca := registryThatAsks(t)
	s.common = map[string]string{
		beSeam: "1", "SEAM_TOPOLOGY": topologyWithAccess(t), "SEAM_BROKERS": kafka["SEAM_BROKERS"], "SEAM_KAFKA_CA": kafka["SEAM_KAFKA_CA"],
		"SEAM_REGISTRY": registry, "SEAM_REGISTRY_CA": ca, "SEAM_REGISTRY_USER": "seam", "SEAM_REGISTRY_PASSWORD": registrySecret,
		"SHOPIFY_SECRET": shopSecret, "SEAM_VIEW": "", "SEAM_KAFKA_USER": "", "SEAM_KAFKA_PASSWORD": "",
	}
	s.downstreams()
	return s
}

// environ is the variables of a process that signs in as somebody.
func (s *secured) environ(who string) []string {
	all := maps.Clone(s.common)
	maps.Copy(all, s.who[who])
	var out []string
	for name, value := range all {
		out = append(out, name+"="+value)
	}
	return out
}

// downstreams has every address of the shipped topology lead to one server, which notes what it is told of.
func (s *secured) downstreams() {
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var told struct{ Subject string }
		if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
			told.Subject = err.Error()
		}
		s.called <- told.Subject
	}))
	s.Cleanup(web.Close)
	example, err := os.ReadFile("deploy/seam.env.example")
	if err != nil {
		s.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)_(URL|TOKEN)=http`).FindAllStringSubmatch(string(example), -1) {
		s.common[m[1]+"_URL"], s.common[m[1]+"_TOKEN"] = web.URL, "a-token"
	}
	s.common["EXPORT_DIR"] = s.TempDir()
}

// topologyWithAccess is the shipped topology, and whom it gives access.
func topologyWithAccess(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "topology")
	if err := os.CopyFS(dir, topology.Default()); err != nil {
		t.Fatal(err)
	}
	access := "principals:\n  edge: User:edge\n  reconcile: User:reconcile\n  integrations: {\"*\": User:worker}\n"
	if err := os.WriteFile(filepath.Join(dir, "access.yaml"), []byte(access), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := subscribers(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// registryThatAsks is a registry over TLS that wants a password, and the PEM file of who signed its certificate.
func registryThatAsks(t *testing.T) (url, ca string) {
	t.Helper()
	memory := schemas.NewMemoryRegistry()
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "seam" || password != registrySecret {
			http.Error(w, `{"error_code": 401, "message": "Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		memory.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	ca = filepath.Join(t.TempDir(), "registry.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return web.URL, ca
}

// issuer gives the client worker tokens that end after tokenLife (RFC 6749, 4.4), and their key to who checks them (RFC 7517).
type issuer struct {
	url   string
	key   *rsa.PrivateKey
	given atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "worker" || secret != workerSecret {
			http.Error(w, `{"error": "invalid_client"}`, http.StatusUnauthorized)
			return
		}
		token, err := i.token(time.Now(), tokenLife)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		i.given.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(tokenLife / time.Second)})
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	i.url = web.URL
	return i
}

// token is a signed JWT (RFC 7519, RS256) of the subject worker.
func (i *issuer) token(now time.Time, life time.Duration) (string, error) {
	claims, err := json.Marshal(map[string]any{"sub": "worker", "aud": "kafka", "iss": i.url, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": fmt.Sprint(i.given.Load())})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"one","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	return strings.Join([]string{text, base64.RawURLEncoding.EncodeToString(signature)}, "."), err
}
