package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/console"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// server serves a view of one order, whose id is as unfriendly as a source may make it, an hour after it came.
func server(t *testing.T, key string) *httptest.Server {
	t.Helper()
	topo, err := topology.Load(fstest.MapFS{
		"topics.yaml":    {Data: []byte("partitions: 1\n")},
		"teams.yaml":     {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte("order.total: {owner: shop, copies: [erp], agree_within: 15m, page: ops}\norder.email: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"integrations/down.yaml": {Data: []byte("name: down\nteam: ops\noperation: do\ncomplete_within: 30m\nstale_after: 1h\nidempotency: {upsert: true}\n" +
			"deliver:\n  - on: [order.created]\n    http: {method: PUT, url: \"http://127.0.0.1:1/{order.id}\"}\n    body: {reference: order.id}\nfacts: {fields: [order.total], max_staleness: 2d}\n")},
	}, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	k := topologytest.Cluster(t, topologytest.Embedded())
	client, registry := k.Client(t), k.RegistryClient(t)
	if _, err := topology.Ensure(t.Context(), topo, client, registry); err != nil {
		t.Fatal(err)
	}
	serde := schemas.NewSerde(registry)
	view, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Topology: topo, Now: func() time.Time { return noon.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, system := range []schemas.System{"shop", "erp"} {
		total, err := schemas.NewMoney([]string{"20.00", "25.00"}[i], "EUR")
		if err != nil {
			t.Fatal(err)
		}
		ev := &schemas.Event{ID: schemas.EventID("e-" + string(system)), Type: schemas.OrderCreated, System: system, Source: "/test", Subject: key, Time: noon, IngestedAt: noon,
			Order: &schemas.Order{ID: key, Total: total, Email: "jane@example.com"}}
		value, err := serde.EncodeEvent(t.Context(), "orders-value", ev)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Key: []byte(key), Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Serde: serde, Topology: topo, View: view})
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, view.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := view.CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := view.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	return serve(t, view)
}

func serve(t *testing.T, view *reconcile.View) *httptest.Server {
	s := httptest.NewServer(console.Handler(view))
	t.Cleanup(s.Close)
	return s
}

// get gives the status, the type and the body of an answer.
func get(t *testing.T, target, accept string) (status int, kind, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s may be cached: %q", target, got)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := server(t, "1001")
	const verdict = "complete in 0 of 1, missing in down, in disagreement on order.total (erp); page ops"
	tests := []struct {
		name, path, accept string
		status             int
		kind               string
		has                []string
	}{
		{"an order", "/orders/1001", "", 200, "application/json", []string{`"verdict": "` + verdict + `"`, `"behind_records": 0`, `"state": "missing"`}},
		{"an order as text", "/orders/1001", "text/plain", 200, "text/plain", []string{"order 1001: " + verdict + "\n", "order.total"}},
		{"JSON is preferred", "/orders/1001", "application/json, text/plain", 200, "application/json", []string{`"key": "1001"`}},
		{"an unknown order", "/orders/4711", "", 404, "application/json", []string{`"error": "nothing is known of \"4711\""`, `"freshness"`}},
		{"an unknown order as text", "/orders/4711", "text/plain", 404, "text/plain", []string{`nothing is known of "4711"; nothing is behind`}},
		{"by an address", "/orders?email=Jane@Example.com", "", 200, "application/json", []string{`"key": "1001"`, `"state": "missing"`}},
		{"by a name that nobody has", "/orders?customer=4711", "", 200, "application/json", []string{"[]"}},
		{"by what is no name", "/orders?shoe=42", "", 400, "application/json", []string{"customer, email, number, payment"}},
		{"by nothing", "/orders", "", 400, "application/json", []string{"give one of customer"}},
		{"disagreements", "/disagreements", "", 200, "application/json", []string{`"field": "order.total"`, `"overdue": true`, `"page": "ops"`}},
		{"the summary", "/summary", "", 200, "application/json", []string{`"orders": 1`, `"events": 2`}},
		{"the page", "/", "text/html", 200, "text/html", []string{"1 orders, 2 events", "order.total", `href="/?order=1001"`, "<form"}},
		{"the page of an order", "/?order=+1001+", "text/html", 200, "text/html", []string{verdict, "shop: 20.00 EUR", "<pre>order 1001"}},
		{"the page of an unknown order", "/?order=4711", "text/html", 404, "text/html", []string{"Nothing is known of <strong>4711</strong>"}},
		{"the page of a state", "/?state=missing", "text/html", 200, "text/html", []string{"Orders that are missing", `href="/?order=1001"`}},
		{"no such page", "/nothing", "", 404, "text/plain", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, kind, body := get(t, s.URL+tt.path, tt.accept)
			if status != tt.status || !strings.HasPrefix(kind, tt.kind) {
				t.Errorf("%d %s, want %d %s", status, kind, tt.status, tt.kind)
			}
			for _, want := range tt.has {
				if !strings.Contains(body, want) {
					t.Errorf("%q is not in\n%s", want, body)
				}
			}
			if strings.Contains(body, "jane") {
				t.Errorf("an email address is in\n%s", body)
			}
			if tt.kind == "application/json" && !json.Valid([]byte(body)) {
				t.Errorf("no JSON: %s", body)
			}
		})
	}
}

// TestHostileKey shows an id that is markup, and has a slash, as text.
func TestHostileKey(t *testing.T) {
	t.Parallel()
	const key = `a/b"><script>alert(1)</script>&x=1`
	s := server(t, key)
	for _, path := range []string{"/", "/?state=missing", "/?order=" + url.QueryEscape(key), "/?order=" + url.QueryEscape("x"+key)} {
		_, _, body := get(t, s.URL+path, "text/html")
		if strings.Contains(body, "<script>") || strings.Contains(body, "&x=1") && !strings.Contains(body, "&amp;x=1") {
			t.Errorf("%s: markup of the source is in\n%s", path, body)
		}
	}
	status, _, body := get(t, s.URL+"/orders/"+url.PathEscape(key), "")
	var o struct{ Key string }
	if err := json.Unmarshal([]byte(body), &o); err != nil || status != 200 || o.Key != key {
		t.Errorf("%d %q %v", status, o.Key, err)
	}
}

// TestOnlyReads refuses everything that would change something.
func TestOnlyReads(t *testing.T) {
	t.Parallel()
	s := server(t, "1001")
	for _, path := range []string{"/", "/orders/1001", "/disagreements", "/summary"} {
		resp, err := http.Post(s.URL+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, resp.StatusCode)
		}
	}
}
