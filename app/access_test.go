package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// as signs in as a user whose password is the name.
func as(user string) kgo.Opt {
	return kgo.SASL(plain.Auth{User: user, Pass: user}.AsMechanism())
}

// TestLeastAccess runs each role as a principal that may do what the topology derives for it, and nothing else, on a broker that
// checks: an order goes from the webhook to the downstream.
func TestLeastAccess(t *testing.T) {
	t.Parallel()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.MaxVersions(topology.EmbeddedVersions()), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin")}
	for _, user := range []string{"edge", "reconcile", "workers"} {
		opts = append(opts, kfake.User("PLAIN", user, user))
	}
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	web := httptest.NewServer(schemas.NewMemoryRegistry())
	t.Cleanup(web.Close)
	called := make(chan string, 1)
	downstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Path }))
	t.Cleanup(downstream.Close)

	topo, err := topology.Load(fstest.MapFS{
		"topics.yaml":    {Data: []byte("environment: staging\nprefix: s.\npartitions: 2\n")},
		"teams.yaml":     {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte("order.total: {owner: shop, page: ops}\norder.number: {owner: shop, page: ops}\norder.status: {owner: shop, page: ops}\norder.created_at: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"sources/s.yaml": {Data: []byte("name: s\nsystem: shop\nteam: ops\nplatform: shopify\nsecrets: [secret]\n")},
		"integrations/a.yaml": {Data: []byte("name: a\nteam: ops\noperation: do\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\n" +
			"deliver:\n  - on: [order.created]\n    http: {url: \"" + downstream.URL + "/{order.id}\"}\n    body: {id: order.id}\n")},
		"environments.yaml": {Data: []byte("staging: {private: [{to: loopback, why: the downstream of this test}]}\n")},
		"access.yaml":       {Data: []byte("principals:\n  edge: User:edge\n  reconcile: User:reconcile\n  integrations: {\"*\": User:workers}\n")},
	}, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	admin, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), as("admin"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	registry, err := sr.NewClient(sr.URLs(web.URL))
	if err != nil {
		t.Fatal(err)
	}
	have, err := topology.Survey(t.Context(), topo, admin, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := topology.Apply(t.Context(), topo, admin, registry, topology.Plan(topo, have)); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	edge, console := "", ""
	for user, role := range map[string]string{"edge": "edge", "reconcile": "reconcile", "workers": "a"} {
		ready := make(chan app.Info, 1)
		go func() {
			ended <- app.Run(ctx, app.Config{Topology: topo, Brokers: fake.ListenAddrs(), Registry: web.URL, Options: []kgo.Opt{as(user)}, Listen: "127.0.0.1:0", Only: []string{role},
				Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Ready: func(i app.Info) { ready <- i }})
		}()
		select {
		case i := <-ready:
			switch role {
			case "edge":
				edge = i.EdgeURL
			case "reconcile":
				console = i.ConsoleURL
			}
		case err := <-ended:
			t.Fatalf("%s as %s ended: %v", role, user, err)
		}
	}
	body := `{"id":820982911946154508,"name":"#1","currency":"EUR","total_price":"1.00","created_at":"` + time.Now().UTC().Format(time.RFC3339) + `","updated_at":"` + time.Now().UTC().Format(time.RFC3339) + `","line_items":[]}`
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, edge+"/in/s", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "x.example", "X-Shopify-Webhook-Id": "1", "X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the webhook was answered %s", resp.Status)
	}
	select {
	case path := <-called:
		if path != "/820982911946154508" {
			t.Errorf("called %s", path)
		}
	case err := <-ended:
		t.Errorf("a role ended: %v", err)
	case <-time.After(time.Minute):
		t.Error("nobody was called in a minute")
	}
	began := time.Now()
	topologytest.Eventually(t, "the reconciler sees how far the groups are behind", func() error {
		_, text := get(t, console+"/metrics")
		_, value, _ := strings.Cut(text, "\nseam_monitor_last_success_timestamp_seconds ")
		value, _, _ = strings.Cut(value, "\n")
		at, err := strconv.ParseFloat(value, 64)
		if err != nil || at < float64(began.Unix()) || !strings.Contains(text, `kafka_consumergroup_members{consumergroup="s.seam.a"} 1`) {
			return fmt.Errorf("it was told all at %s last (%w)", value, err)
		}
		return nil
	})
	stop()
	for range 3 {
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("a role ended: %v", err)
		}
	}
}
