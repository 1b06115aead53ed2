package console_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/topology"
)

func TestFacts(t *testing.T) {
	t.Parallel()
	s := server(t, "1001")
	tests := []struct {
		name, path string
		status     int
		has        []string
	}{
		{"all", "/orders/1001/facts", 200, []string{`"usable": true`, `"field": "order.total"`, `"value": "20.00 EUR"`, `"value": "25.00 EUR"`, `"agree": "no"`, `"overdue": true`, `"masked": true`, `"age_seconds": 3`, `"behind_records": 0`, `"state": "missing"`}},
		{"under a policy", "/orders/1001/facts?for=down", 409, []string{`"usable": false`, `"for": "down"`, `"reason": "disagreement"`, `"ask": "ops"`, `"value": ""`, `"max_staleness": "48h0m0s"`}},
		{"a policy is not widened", "/orders/1001/facts?for=down&on_disagreement=flag&max_staleness=90d", 409, []string{`"reason": "disagreement"`, `"max_staleness": "48h0m0s"`}},
		{"a policy is narrowed", "/orders/1001/facts?for=down&max_staleness=1m", 409, []string{`"reason": "too_old"`, `"max_staleness": "1m0s"`}},
		{"some fields", "/orders/1001/facts?fields=order.email,fraud.*", 400, []string{`field \"fraud.*\"`}},
		{"one field", "/orders/1001/facts?fields=order.email", 200, []string{`"field": "order.email"`}},
		{"refused without a policy", "/orders/1001/facts?on_disagreement=refuse", 409, []string{`"usable": false`}},
		{"an unknown order", "/orders/4711/facts", 404, []string{`nothing is known of \"4711\"`, `"freshness"`}},
		{"an unknown policy", "/orders/1001/facts?for=nobody", 400, []string{`no integration \"nobody\" has facts`}},
		{"no duration", "/orders/1001/facts?max_staleness=5", 400, []string{"write 30s, 15m, 2h or 35d"}},
		{"twice", "/orders/1001/facts?for=down&for=x", 400, []string{"give for once"}},
		{"an unknown parameter", "/orders/1001/facts?maxstaleness=5m", 400, []string{`unknown parameter \"maxstaleness\"`}},
		{"an order of that name", "/orders/facts", 404, []string{`nothing is known of \"facts\"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, kind, body := get(t, s.URL+tt.path, "")
			if status != tt.status || !strings.HasPrefix(kind, "application/json") || !json.Valid([]byte(body)) {
				t.Errorf("%d %s, want %d", status, kind, tt.status)
			}
			for _, want := range tt.has {
				if !strings.Contains(body, want) {
					t.Errorf("%q is not in\n%s", want, body)
				}
			}
			if status == 409 && strings.Contains(body, "20.00 EUR") || strings.Contains(body, "jane") {
				t.Errorf("a value that may not be used is in\n%s", body)
			}
		})
	}
}

// TestFactsOfHostileKeys finds orders whose ids hold slashes, and one that ends as the path of facts does.
func TestFactsOfHostileKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{`a/b"><script>alert(1)</script>&x=1`, "a/facts", "1001%2F"} {
		s := server(t, key)
		for path, facts := range map[string]bool{url.PathEscape(key) + "/facts": true, url.PathEscape(key): false} {
			status, _, body := get(t, s.URL+"/orders/"+path, "")
			var o struct{ ID, Key string }
			if err := json.Unmarshal([]byte(body), &o); err != nil || status != 200 || o.Key != key || (o.ID != "") != facts {
				t.Errorf("%s: %d %q %v", path, status, o.Key, err)
			}
		}
	}
	s := server(t, "a/b")
	if status, _, body := get(t, s.URL+"/orders/a/b/facts", ""); status != 200 || !strings.Contains(body, `"key": "a/b"`) {
		t.Errorf("with plain slashes: %d %s", status, body)
	}
}

// TestFactsWithoutADatabase is 503 with a time to come again.
func TestFactsWithoutADatabase(t *testing.T) {
	t.Parallel()
	topo, err := topology.Load(topology.Default(), func(name string) (string, bool) { return "http://" + name, true })
	if err != nil {
		t.Fatal(err)
	}
	view, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Topology: topo})
	if err != nil {
		t.Fatal(err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	status, kind, body := get(t, serve(t, view).URL+"/orders/1001/facts", "")
	if status != 503 || !strings.HasPrefix(kind, "application/json") || !strings.Contains(body, "the view cannot be read now") {
		t.Errorf("%d %s %s", status, kind, body)
	}
}
