package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestSecured: on a real Kafka that takes nobody unknown, with TLS everywhere and no access but by ACLs, seam apply gives each role
// what it needs. The edge signs in by SCRAM, the worker by OAUTHBEARER, the reconciler by a certificate, each as a user of its own,
// and an order goes through all three. Other teams read it by the programs that seam subscribe prints. Who is not known, or not
// allowed, is told what to look at.
func TestSecured(t *testing.T) {
	t.Parallel()
	if os.Getenv("SEAM_KAFKA_LIBS") == "" || os.Getenv("SEAM_BROKERS") == "" {
		t.Skip(`start the real cluster first: eval "$(deploy/local/cluster.sh start)"; the test starts one more, a secured one`)
	}
	s := newSecured(t)
	s.seam("admin", 2, "+ access", "plan")
	s.seam("admin", 0, "", "apply")
	s.seam("admin", 0, "nothing to do", "plan")
	s.seam("admin", 0, "dedup/withheld", "bench", "--case", "dedup", "--events", "2000", "--rounds", "1")
	s.seam("stranger", 1, "the broker does not know this user and password or token: see SEAM_KAFKA_USER", "plan")
	wrong := s.start("astray", "--only", "analytics", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	topologytest.Eventually(t, "the edge's user may not work for an integration, and its log says what to do", func() error {
		if said := wrong.words(); !strings.Contains(said, "this principal lacks access: name it in access.yaml") {
			return errors.New(said)
		}
		return nil
	})
	wrong.end()

	edge := freeAddress(t)
	console := freeAddress(t)
	s.start("edge", "--only", "edge", "--listen", edge, "--console", "127.0.0.1:0")
	s.start("reconcile", "--only", "reconcile", "--listen", "127.0.0.1:0", "--console", console)
	worker := s.start("worker", "--only", "analytics", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	s.order(edge, "8001")
	topologytest.Eventually(t, "the reconciler knows what became of the order", func() error { return says("http://"+console+"/orders/8001", `"delivered"`) })
	s.read("8001")

	// The broker ends a session after five seconds, and a token's life is as long: the worker signs in again by then, with another.
	before := s.issuer.given.Load()
	topologytest.Eventually(t, "two more tokens are asked for", func() error {
		if now := s.issuer.given.Load(); now < before+2 {
			return fmt.Errorf("%d tokens were given, %d before", now, before)
		}
		return nil
	})
	s.order(edge, "8002")

	// What it has written it may read again.
	if err := worker.stop(t.Context()); err != nil {
		t.Error(err)
	}
	s.start("worker", "--only", "analytics", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	s.order(edge, "8003")
}

// seam runs a verb as somebody, and holds it to its exit code and to something that it says.
func (s *secured) seam(who string, code int, want string, args ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), s.environ(who)...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) {
		s.Errorf("seam %s as %s: exit %d, want %d, and %q in:\n%s", strings.Join(args, " "), who, got, code, want, out)
	}
	s.quiet(who, out)
}

// start runs roles as somebody until the end of the test.
func (s *secured) start(who string, args ...string) *proc {
	s.Helper()
	log, err := os.Create(filepath.Join(s.ArtifactDir(), fmt.Sprintf("%s-%d.log", who, len(s.started))))
	if err != nil {
		s.Fatal(err)
	}
	p := &proc{t: s.T, name: who, log: log, env: s.environ(who), tally: newTally(), args: args}
	s.started = append(s.started, p)
	s.Cleanup(func() {
		p.end()
		said, err := os.ReadFile(log.Name())
		if err := errors.Join(err, log.Close()); err != nil {
			s.Error(err)
		}
		s.quiet(who, said)
		if who != "astray" && bytes.Contains(said, []byte("AUTHORIZATION_FAILED")) {
			s.Errorf("%s may do less than it needs:\n%s", who, said)
		}
	})
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	if err := p.start(ctx); err != nil {
		s.Fatal(err)
	}
	return p
}

// quiet holds what was said to hold no secret.
func (s *secured) quiet(who string, said []byte) {
	s.Helper()
	for _, secret := range s.secrets {
		if bytes.Contains(said, []byte(secret)) {
			s.Errorf("%s says a secret: %s", who, said)
		}
	}
}

// order sends an order of the shop and waits until the downstream is called with its event.
func (s *secured) order(edge, id string) {
	s.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	body := fmt.Appendf(nil, `{"id": %s, "name": "#%s", "currency": "EUR", "total_price": "42.50", "financial_status": "pending", "created_at": %q, "updated_at": %q,
		"line_items": [{"id": 1, "sku": "MUG", "title": "Mug", "quantity": 2, "price": "21.25"}]}`, id, id, now, now)
	mac := hmac.New(sha256.New, []byte(shopSecret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://"+edge+"/in/shopify", bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "demo.example",
		"X-Shopify-Webhook-Id": "create-" + id, "X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		s.Fatalf("the order is answered %s: %s", resp.Status, said)
	}
	select {
	case subject := <-s.called:
		if subject != id {
			s.Errorf("the downstream is told of %s, want %s", subject, id)
		}
	case <-time.After(time.Minute):
		s.Fatalf("the downstream is not told of order %s in a minute", id)
	}
}

// says asks an address and holds its answer to something.
func says(address, want string) error {
	resp, err := http.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Contains(said, []byte(want)) {
		err = fmt.Errorf("%s: %s does not have %s", resp.Status, said, want)
	}
	return err
}
