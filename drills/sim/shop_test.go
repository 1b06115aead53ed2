package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// drain collects the shop's webhooks until it has nothing left to send.
func drain(t *testing.T, w *World, got chan taken) []taken {
	t.Helper()
	var out []taken
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		select {
		case p := <-got:
			out = append(out, p)
		case <-tick.C:
			if w.Pending() == 0 && len(got) == 0 {
				return out
			}
		case <-deadline:
			t.Fatalf("%d posts are still due", w.Pending())
		}
	}
}

func topics(posts []taken) []string {
	var out []string
	for _, p := range posts {
		out = append(out, p.header.Get("X-Shopify-Topic"))
	}
	return out
}

func TestShopTellsAnOrder(t *testing.T) {
	t.Parallel()
	url, got := edge(t, ok)
	w := run(t, url)
	o := w.Shop().Place(Choices{Currency: "JPY", Note: "a/b"})
	posts := drain(t, w, got)
	wantTopics := []string{"customers/create", "orders/create", "orders/paid", "orders/updated"}
	if diff := cmp.Diff(wantTopics, topics(posts), cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
		t.Error(diff)
	}
	for _, p := range posts {
		mac := hmac.New(sha256.New, []byte(w.Env()["SHOPIFY_SECRET"]))
		mac.Write(p.body)
		if p.header.Get("X-Shopify-Hmac-Sha256") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s: bad signature", p.header.Get("X-Shopify-Topic"))
		}
		if p.header.Get("X-Shopify-Topic") != "orders/paid" {
			continue
		}
		var body struct {
			ID              json.Number
			TotalPrice      string `json:"total_price"`
			FinancialStatus string `json:"financial_status"`
			Note            string
		}
		if err := json.Unmarshal(p.body, &body); err != nil {
			t.Fatal(err)
		}
		id, err := strconv.ParseInt(body.ID.String(), 10, 64)
		if err != nil || id <= 1<<53 || body.ID.String() != o.ID {
			t.Errorf("id = %s, %v; want %s, beyond what a float64 holds", body.ID, err, o.ID)
		}
		if body.TotalPrice != o.Total || strings.Contains(body.TotalPrice, ".") || body.FinancialStatus != "paid" || body.Note != "a/b" {
			t.Errorf("body = %+v", body)
		}
		if !strings.Contains(string(p.body), `a\/b`) {
			t.Error("slashes are not escaped as the platform escapes them")
		}
	}
}

func TestShopMisbehaves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		b     Behaviour
		check func(t *testing.T, w *World, posts []taken)
	}{
		{"impatient: the same delivery again", Behaviour{Impatient: 100}, func(t *testing.T, w *World, posts []taken) {
			bodies := map[string]string{}
			for _, p := range posts {
				id := p.header.Get("X-Shopify-Webhook-Id")
				if had, ok := bodies[id]; ok && had != string(p.body) {
					t.Errorf("retry of %s carries another body", id)
				}
				bodies[id] = string(p.body)
			}
			for _, p := range w.Posts() {
				if !p.Taken || p.TimedOut == 0 || p.Attempts != p.TimedOut+1 {
					t.Errorf("post = %+v", p)
				}
			}
		}},
		{"double fire: one event id, two webhook ids", Behaviour{DoubleFire: 100}, func(t *testing.T, w *World, posts []taken) {
			ids := map[string]map[string]bool{}
			for _, p := range posts {
				key := p.header.Get("X-Shopify-Topic") + p.header.Get("X-Shopify-Event-Id")
				if ids[key] == nil {
					ids[key] = map[string]bool{}
				}
				ids[key][p.header.Get("X-Shopify-Webhook-Id")] = true
			}
			for key, hooks := range ids {
				if len(hooks) != 2 {
					t.Errorf("%s came under %d webhook ids, want 2", key, len(hooks))
				}
			}
		}},
		{"never sent: only the API tells", Behaviour{NeverSent: 100, NeverTopics: []string{"orders/paid"}}, func(t *testing.T, w *World, posts []taken) {
			for _, topic := range topics(posts) {
				if topic == "orders/paid" {
					t.Error("orders/paid was sent")
				}
			}
			since := url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
			text := want(t, w, "shop", "GET", "/admin/api/orders.json?order=updated_at+asc&limit=250&updated_at_min="+since, "", "", http.StatusOK)
			if !strings.Contains(text, `"financial_status":"paid"`) {
				t.Errorf("the API does not tell: %s", text)
			}
			if len(w.Shop().Silenced()) != 1 {
				t.Errorf("silenced = %v", w.Shop().Silenced())
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			edgeURL, got := edge(t, ok)
			w := run(t, edgeURL)
			w.Shop().Behave(tt.b)
			w.Shop().Place(Choices{})
			tt.check(t, w, drain(t, w, got))
		})
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	edgeURL, got := edge(t, func(n int) int {
		if n < 3 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	w := run(t, edgeURL)
	shop := w.Shop()
	o := shop.Place(Choices{Currency: "EUR"})
	part, err := shop.Refund(o.ID, false, "scratched")
	if err != nil || part.Full {
		t.Fatal(part, err)
	}
	rest, err := shop.AdminRefund(o.ID, true, "by hand")
	if err != nil || !rest.Full {
		t.Fatal(rest, err)
	}
	if _, err := shop.Refund(o.ID, true, "again"); err == nil {
		t.Error("more was refunded than was paid")
	}
	if err := shop.Cancel(o.ID); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, p := range drain(t, w, got) {
		told[p.source+" "+p.header.Get("X-Shopify-Topic")]++
		if p.source == "admin" && (!standardOK(w, "admin", p) || !strings.Contains(string(p.body), rest.ID)) {
			t.Errorf("admin's webhook: %s", p.body)
		}
	}
	if told["shopify refunds/create"] < 2 || told["admin "] < 1 || told["shopify orders/cancelled"] < 1 {
		t.Errorf("told = %v", told)
	}
	for _, p := range w.Posts() {
		if !p.Taken {
			t.Errorf("%s %s was given up after a 503", p.Source, p.Type)
		}
	}
	truth := shop.Orders()[0]
	if truth.Payment != "refunded" || truth.Status != "cancelled" || len(truth.Refunds) != 2 {
		t.Errorf("truth = %+v", truth)
	}
}

func TestSameSeedSameWorld(t *testing.T) {
	t.Parallel()
	place := func() []string {
		w, err := New(Config{Seed: 3, EdgeURL: func() string { return "" }, ExportDir: t.TempDir(), ERPDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.close() }()
		out := []string{w.Env()["CRM_TOKEN"], w.Env()["FRAUD_WEBHOOK_SECRET"]}
		for range 20 {
			o := w.Shop().Place(Choices{})
			out = append(out, o.ID+" "+o.Total+" "+o.Currency+" "+o.Customer.Email)
		}
		return out
	}
	if diff := cmp.Diff(place(), place()); diff != "" {
		t.Error(diff)
	}
}
