package main_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// told is the answer to a caller that waits.
type told struct {
	EventIDs []schemas.EventID  `json:"event_ids"`
	Complete bool               `json:"complete"`
	Outcomes []producers.Waited `json:"outcomes"`
}

// kinds is "integration=kind" of each outcome.
func (r told) kinds() string {
	var out []string
	for _, o := range r.Outcomes {
		out = append(out, o.Integration+"="+string(o.Kind))
	}
	return strings.Join(out, " ")
}

// TestCallersWait: a caller that prefers to wait is answered with what the integrations made of its order; while one is down
// it is told where to ask, and the stream goes on for everybody else.
func TestCallersWait(t *testing.T) {
	t.Parallel()
	w := newWholeWith(t, func(topo *topology.Topology) {
		s := topo.Source("shopify")
		s.AnswerWithin = topology.Duration(40 * time.Second)
		s.Wait = &topology.Wait{For: []string{"tax", "warehouse"}, AtMost: topology.Duration(30 * time.Second), Otherwise: topology.Accepted}
	})
	status, head, got := w.order("1", "wait=30")
	if status != 200 || !got.Complete || got.kinds() != "tax=delivered warehouse=parked" || head.Get("Preference-Applied") != "wait=30" {
		t.Errorf("%d %v %+v", status, head, got) // the payment has not come: the warehouse waits for it
	}
	if status, head, got = w.order("2", ""); status != 200 || len(got.EventIDs) != 1 || got.Outcomes != nil || head.Get("Location") != "" {
		t.Errorf("without a preference: %d %v %+v", status, head, got)
	}

	w.world.System("tax").Fault(sim.Down())
	status, head, got = w.order("3", "respond-async, wait=1")
	at := head.Get("Location")
	if status != 202 || got.Complete || !strings.HasPrefix(at, "/in/shopify/events/") || slices.ContainsFunc(got.Outcomes, func(o producers.Waited) bool { return o.Integration == "tax" }) {
		t.Errorf("tax is down: %d %v %+v", status, head, got)
	}
	if status, again := w.ask(at); status != 202 || again.Complete || !slices.Equal(again.EventIDs, got.EventIDs) {
		t.Errorf("asked while it is down: %d %+v", status, again)
	}
	for _, forged := range []string{at + "x", strings.Replace(at, "shopify", "stripe", 1), at[:strings.LastIndexByte(at, '.')]} {
		if status, _ := w.ask(forged); status != 404 {
			t.Errorf("%s: %d", forged, status)
		}
	}
	w.world.System("tax").Fault(sim.Off())
	topologytest.Eventually(t, "the status tells every outcome", func() error {
		status, later := w.ask(at)
		if status != 200 || !later.Complete || later.kinds() != "tax=delivered warehouse=parked" {
			return fmt.Errorf("%d %+v", status, later)
		}
		return nil
	})
	for n := range 2 { // what the first came to may be seen only by the second, but not after it
		if status, _, got = w.order("3", "wait=30"); status != 200 || !got.Complete || n > 0 && !strings.Contains(got.kinds(), "tax=duplicate") {
			t.Errorf("the same delivery once more: %d %+v", status, got)
		}
	}
}

// order sends orders/create of the shop, signed, and gives the answer.
func (w *whole) order(id, prefer string) (int, http.Header, told) {
	w.Helper()
	const placed = "2026-11-25T10:00:00Z" // the same each time: it is the same delivery
	body := fmt.Appendf(nil, `{"id": 77%s, "name": "#%s", "currency": "EUR", "total_price": "12.50", "current_total_price": "12.50", "financial_status": "pending", "created_at": %q, "updated_at": %q,
		"line_items": [{"id": 1, "sku": "MUG", "title": "Mug", "quantity": 1, "price": "12.50"}]}`, id, id, placed, placed)
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.edge+"/in/shopify", bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	sum := hmac.New(sha256.New, []byte(w.topo.Source("shopify").Secrets[0].Reveal()))
	sum.Write(body)
	for name, value := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "seam-demo.myshopify.com",
		"X-Shopify-Webhook-Id": "wait-" + id, "X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(sum.Sum(nil))} {
		req.Header.Set(name, value)
	}
	if prefer != "" {
		req.Header.Set("Prefer", prefer)
	}
	return w.answer(req)
}

func (w *whole) ask(path string) (int, told) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.edge+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	status, _, got := w.answer(req)
	return status, got
}

func (w *whole) answer(req *http.Request) (int, http.Header, told) {
	w.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var got told
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			w.Fatal(err)
		}
	}
	return resp.StatusCode, resp.Header, got
}
