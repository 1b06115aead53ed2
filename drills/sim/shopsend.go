package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// ShopDomain is the shop's name in its headers.
const ShopDomain = "seam-demo.myshopify.com"

// emit tells an order's present state under a topic of its own action. The lock is held.
func (s *Shop) emit(d time.Duration, topic string, o *Order, never string) {
	s.emitAs(d, topic, o, never, s.uuid())
}

// emitAs is emit for one of several webhooks of an action, which share an event id; never is the topic that is not sent.
func (s *Shop) emitAs(d time.Duration, topic string, o *Order, never, event string) {
	if topic != never {
		s.post(d, topic, o.ID, orderBody(o), event)
	}
}

// post sends a webhook as badly as the shop behaves: impatient, or a second time under another webhook id. The body is
// what it is now; every retry carries it unchanged. The lock is held.
func (s *Shop) post(d time.Duration, topic, subject string, body json.RawMessage, event string) {
	times := 1
	if s.chance(s.behaviour.DoubleFire) {
		times = 2
	}
	for i := range times {
		p := Post{Source: "shopify", ID: s.uuid(), Type: topic, Subject: subject, Body: body, EventID: event}
		if s.chance(s.behaviour.Impatient) {
			p.impatient = 1 + s.rnd.IntN(2)
		}
		triggered := s.now().Add(s.skew)
		p.header = func(time.Time) http.Header { return ShopifyHeader(s.w.secrets["shopify"], p, triggered) }
		s.w.send(d+time.Duration(i)*3*time.Second, p)
	}
}

// ShopifyHeader is the header of a Shopify delivery, signed with the app's secret.
func ShopifyHeader(secret string, p Post, triggered time.Time) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(p.Body)
	h := http.Header{}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "X-Shopify-Topic": p.Type, "X-Shopify-Shop-Domain": ShopDomain,
		"X-Shopify-Api-Version": "2026-07", "X-Shopify-Webhook-Id": p.ID, "X-Shopify-Event-Id": p.EventID,
		"X-Shopify-Triggered-At": triggered.UTC().Format("2006-01-02T15:04:05.000000000Z"),
		"X-Shopify-Hmac-Sha256":  base64.StdEncoding.EncodeToString(mac.Sum(nil)), "User-Agent": "Shopify-Captain-Hook",
	} {
		h.Set(k, v)
	}
	return h
}

// maxPage is the most orders one answer of the API gives.
const maxPage = 250

// list is GET /admin/api/orders.json?updated_at_min=&limit=: orders from a time on, oldest change first, as they are now.
// More than a page continues at updated_at_min = the last one's updated_at, as a poll with overlap does.
func (s *Shop) list(r *http.Request, _ []byte) answer {
	q := r.URL.Query()
	since := time.Time{}
	if text := q.Get("updated_at_min"); text != "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return problem(http.StatusBadRequest, "updated_at_min %q is not RFC 3339", text)
		}
		since = t
	}
	limit := maxPage
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return problem(http.StatusBadRequest, "limit %q is not between 1 and %d", text, maxPage)
		}
		limit = n
	}
	var found []*Order
	for _, o := range s.orders {
		if !o.UpdatedAt.Before(since) {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b *Order) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	out := []json.RawMessage{}
	for _, o := range found[:min(limit, len(found))] {
		out = append(out, orderBody(o))
	}
	return answer{http.StatusOK, map[string]any{"orders": out}}
}
