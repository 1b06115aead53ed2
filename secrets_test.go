package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// secretive is a Seam process whose every secret is a text that is nowhere else, among downstreams that fail in every way and repeat
// what they are sent.
type secretive struct {
	t       *testing.T
	dir     string
	secrets map[string]string // by variable, or by what holds it
	env     []string
	out     buffer
	process *os.Process
	edge    string
	console string
	kafka   string
}

// secret makes one; whsec_ secrets are of the form that signing wants.
func (s *secretive) secret(name string) string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	text := "s3cr3t-" + hex.EncodeToString(b)
	s.secrets[name] = text
	return text
}

// TestNoSecretAnywhere runs a Seam whose calls are refused, unauthorized, answered with an error that repeats them, met with a
// certificate of nobody, kept in by the guard, and left without a token, and looks for every secret in its log, its metrics, its page
// and API, its arguments, and every record of every topic.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	s := &secretive{t: t, dir: t.TempDir(), secrets: map[string]string{}}
	s.prepare()
	s.start()
	s.send("orders/create", "")
	s.send("orders/paid", "")
	s.wait("tax", "contract", "warehouse", "retry", "erp", "retry", "fraud", "barred", "analytics", "credentials")
	s.send("orders/cancelled", `"cancelled_at":"`+time.Now().UTC().Format(time.RFC3339)+`",`)
	s.wait("support", "credentials")
	if runtime.GOOS == "linux" {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.process.Pid))
		if err != nil || !bytes.Contains(line, []byte("run")) {
			t.Fatalf("arguments %q, %v", line, err)
		}
		s.holdsNone("the process list", line)
	}
	for _, path := range []string{"/metrics", "/", "/orders/900719925474099301", "/orders/900719925474099301/facts?for=enrichment"} {
		s.holdsNone(path, s.get(s.console+path))
	}
	topologytest.Eventually(t, "what is known of the failures stands in topics", func() error {
		for _, words := range []string{"credentials refused: POST /v1/cases", "not let out: ", "answered 418"} {
			if !bytes.Contains(s.topics(), []byte(words)) {
				return fmt.Errorf("not yet %q", words)
			}
		}
		return nil
	})
	for _, words := range []string{"credentials are refused", "a call may not go out", "poll not finished", "did not say which environment"} {
		if !strings.Contains(s.out.String(), words) {
			t.Errorf("the log does not say %q: the story was not told", words)
		}
	}
	s.holdsNone("output and log", []byte(s.out.String()))
}

// TestNoSecretInFaults: a secret that stands where an address or a duration belongs is not shown by the fault of the file.
func TestNoSecretInFaults(t *testing.T) {
	t.Parallel()
	s := &secretive{t: t, dir: t.TempDir(), secrets: map[string]string{}}
	s.prepare()
	s.rewrite("integrations/tax.yaml", "${TAX_URL}/v1/transactions?api_key=${QUERY_KEY}\"", "${TAX_TOKEN}\"")
	s.rewrite("integrations/erp.yaml", "stale_after: 30m", "stale_after: \"${ERP_TOKEN}\"")
	s.rewrite("sources/shopify.yaml", "platform: shopify", "platform: \"${SHOPIFY_SECRET}\"")
	for _, verb := range [][]string{{"run"}, {"review"}, {"plan"}, {"test"}, {"apply"}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append(verb, "--topology", s.dir)...)
		cmd.Env = s.env
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("seam %s takes it", verb)
		}
		s.holdsNone("seam "+verb[0], out)
	}
}

// prepare writes the topology and the variables.
func (s *secretive) prepare() {
	echo := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			w.WriteHeader(status)
			fmt.Fprintf(w, "%s %s %v %s", r.Method, r.URL, r.Header, body)
		}))
		s.t.Cleanup(server.Close)
		return server.URL
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	s.t.Cleanup(secure.Close)
	signing := make([]byte, 32)
	_, _ = rand.Read(signing) // never fails
	s.secrets["SIGNING"] = base64.StdEncoding.EncodeToString(signing)
	env := map[string]string{
		"WAREHOUSE_URL": "http://seam:" + s.secret("user's password") + "@127.0.0.1:1", "ERP_URL": secure.URL, "TAX_URL": echo(418), "FRAUD_URL": "http://10.255.255.1",
		"SUPPORT_URL": echo(401), "ANALYTICS_URL": echo(400), "CRM_URL": echo(403), "ENRICHMENT_URL": echo(403),
		"SHOPIFY_POLL_URL": echo(503) + "/orders?api_key=" + s.secret("key of a poll's address"), "QUERY_KEY": s.secret("key of an address"),
		"TAX_SIGNING_SECRET": "whsec_" + s.secrets["SIGNING"], "EXPORT_DIR": filepath.Join(s.dir, "export"), beSeam: "1",
	}
	for _, name := range []string{"WAREHOUSE_TOKEN", "ERP_TOKEN", "TAX_TOKEN", "FRAUD_TOKEN", "SUPPORT_TOKEN", "ANALYTICS_TOKEN", "CRM_TOKEN", "ENRICHMENT_TOKEN", "SHOPIFY_SECRET", "SHOPIFY_POLL_TOKEN"} {
		env[name] = s.secret(name)
	}
	for name, value := range env {
		s.env = append(s.env, name+"="+value)
	}
	err := fs.WalkDir(topology.Default(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(topology.Default(), name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(s.dir, name)), 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.dir, name), text, 0o600)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.rewrite("integrations/analytics.yaml", `auth: {bearer: "${ANALYTICS_TOKEN}"}`, `auth: {oauth2: {token_url: "${ANALYTICS_URL}/token", client_id: seam, client_secret: "${ANALYTICS_TOKEN}", send: body}}`)
	s.rewrite("integrations/tax.yaml", `${TAX_URL}/v1/transactions"`, `${TAX_URL}/v1/transactions?api_key=${QUERY_KEY}"`)
	s.rewrite("integrations/tax.yaml", "operation: declare\n", "operation: declare\nsign: {secrets: [\"${TAX_SIGNING_SECRET}\"]}\nenvironment: {get: \"http://u:${QUERY_KEY}@127.0.0.1:1/?key=${QUERY_KEY}\", header: X-Env}\n")
	waiver := "- {rule: address-within, on: fraud, owner: risk, reason: the guard is tested, expires: " + time.Now().AddDate(0, 0, 2).UTC().Format(time.DateOnly) + "}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "waivers.yaml"), []byte(waiver), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// rewrite changes a file of the topology.
func (s *secretive) rewrite(name, was, is string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	b, err := os.ReadFile(path)
	text := string(b)
	if err != nil || !strings.Contains(text, was) {
		s.t.Fatalf("%s does not hold %q (%v)", name, was, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, was, is, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start runs the process until the test ends.
func (s *secretive) start() {
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0], "run", "--topology", s.dir, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--log-level", "debug", "--time-scale", "0.1")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &s.out, &s.out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.process = cmd.Process
	s.t.Cleanup(func() { stop(); _ = cmd.Wait() })
	ready := regexp.MustCompile(`(?s)seam is ready.*webhooks\s+(http://\S+)/in/.*orders\s+(http://\S+)/\n.*kafka\s+(\S+)`)
	topologytest.Eventually(s.t, "it is ready", func() error {
		m := ready.FindStringSubmatch(s.out.String())
		if m == nil {
			return fmt.Errorf("so far: %s", s.out.String())
		}
		s.edge, s.console, s.kafka = m[1], m[2], m[3]
		return nil
	})
}

// send sends a webhook about the order, also with a signature of nobody.
func (s *secretive) send(topic, state string) {
	s.t.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	body := `{"id":900719925474099301,"name":"#9001","currency":"EUR","total_price":"42.50","financial_status":"paid",` + state + `"created_at":"` + now + `","updated_at":"` + now +
		`","line_items":[{"id":1,"sku":"MUG","title":"Mug","quantity":2,"price":"21.25"}]}`
	for secret, want := range map[string]int{s.secrets["SHOPIFY_SECRET"]: http.StatusOK, "nobody's": http.StatusUnauthorized} {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.edge+"/in/shopify", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "demo.example", "X-Shopify-Webhook-Id": topic,
			"X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			s.t.Fatalf("%s: %d %s", topic, resp.StatusCode, answer)
		}
		s.holdsNone("an answer of the edge", answer)
	}
}

// wait waits until each integration has made an attempt of a class.
func (s *secretive) wait(pairs ...string) {
	topologytest.Eventually(s.t, "every kind of failure has come", func() error {
		metrics := string(s.get(s.console + "/metrics"))
		for i := 0; i < len(pairs); i += 2 {
			if want := fmt.Sprintf(`seam_delivery_attempts_total{class=%q,integration=%q}`, pairs[i+1], pairs[i]); !strings.Contains(metrics, want) {
				return fmt.Errorf("not yet %s", want)
			}
		}
		return nil
	})
}

func (s *secretive) get(address string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) == 0 {
		s.t.Fatalf("%s: %d bytes, %v", address, len(body), err)
	}
	return body
}

// topics reads every record of every topic, and gives what they hold.
func (s *secretive) topics() []byte {
	var all []byte
	kafka := topologytest.Kafka{Brokers: strings.Split(s.kafka, ",")}
	records := kafka.Records(s.t, func(string) bool { return true })
	for _, r := range records {
		text := append(append([]byte{}, r.Key...), r.Value...)
		for _, h := range r.Headers {
			text = append(text, h.Value...)
		}
		s.holdsNone(fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset), text)
		all = append(all, text...)
	}
	if len(records) < 10 {
		s.t.Errorf("read %d records", len(records))
	}
	return all
}

// holdsNone is a fault for each secret in a text, also as base64 and percent-encoded.
func (s *secretive) holdsNone(what string, text []byte) {
	s.t.Helper()
	for name, secret := range s.secrets {
		if i := bytes.Index(text, []byte(secret)); i >= 0 {
			s.t.Errorf("%s holds %s: ...%s...", what, name, text[max(0, i-200):min(len(text), i+20)])
		}
		if bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString([]byte(secret)))) {
			s.t.Errorf("%s holds %s as base64", what, name)
		}
	}
}
