package bench

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
)

const (
	secret  = "whsec-of-the-benchmark"
	senders = 64 // requests out at once
)

// ingest compares a signed webhook of 3 KB: received, authenticated, read, published to all replicas, answered.
func (s *suite) ingest(ctx context.Context) ([]Result, error) {
	g, err := s.ground(ctx, nil, map[string]string{"shop": "system: shop\nplatform: shopify\nanswer_within: 1m\nsecrets: [" + secret + "]\n"})
	if err != nil {
		return nil, err
	}
	edge, err := producers.New(producers.Config{Topology: g.topo, Publisher: producers.NewPublisher(g.client, g.serde, g.topo), Logger: s.Logger})
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	hooks := webhooks(max(s.Events/50, 100))
	res := Result{Case: "ingest", Unit: "webhooks/s", Target: 0.8,
		Note: fmt.Sprintf("a signed order of %d bytes becomes an event, no value lost, acks=all; against HMAC, the same JSON reader and the body as it came, acks=all", len(hooks[0].body))}
	topic := g.topo.TopicName(schemas.TopicOrders)
	side := func(h http.Handler) side {
		return func(ctx context.Context, _ int) (float64, error) {
			before, err := g.ends(ctx, topic)
			if err != nil {
				return 0, err
			}
			took, err := sendAll(ctx, h, hooks)
			if err != nil {
				return 0, err
			}
			after, err := g.ends(ctx, topic)
			if err != nil {
				return 0, err
			}
			if n := total(after) - total(before); n != int64(len(hooks)) {
				res.fault("%d webhooks were answered 200, and %d records are in Kafka", len(hooks), n)
			}
			return float64(len(hooks)) / took.Seconds(), nil
		}
	}
	err = s.compare(ctx, &res, side(edge.Handler()), side(bareIngest(g.client, topic)))
	return []Result{res}, errors.Join(err, g.remove())
}

func total(offsets map[int32]int64) int64 {
	var sum int64
	for _, o := range offsets {
		sum += o
	}
	return sum
}

// bareIngest is the least that takes a webhook: it checks, reads with the reader of the edge and publishes, and keeps the
// body as it came.
func bareIngest(client *kgo.Client, topic string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(body)
		given, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Shopify-Hmac-Sha256"))
		if err != nil || !hmac.Equal(given, h.Sum(nil)) {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		var id string
		if err := producers.ReadJSON(body, func(order producers.Document) { id = order.Text("id") }); err != nil || id == "" {
			http.Error(w, "no order", http.StatusBadRequest)
			return
		}
		rec := &kgo.Record{Topic: topic, Key: []byte(id), Value: body}
		if err := client.ProduceSync(r.Context(), rec).FirstErr(); err != nil {
			http.Error(w, "try again later", http.StatusServiceUnavailable)
		}
	})
}

// hook is one request.
type hook struct {
	body      []byte
	id        string
	signature string
}

// webhooks are orders of about 3 KB, signed.
func webhooks(n int) []hook {
	out := make([]hook, n)
	for i := range out {
		body := orderBody(8_000_000_000 + i)
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(body)
		out[i] = hook{body, fmt.Sprintf("bench-%d", i), base64.StdEncoding.EncodeToString(h.Sum(nil))}
	}
	return out
}

// sendAll serves a handler on loopback and sends every webhook, 64 at once; each must be answered 200.
func sendAll(ctx context.Context, handler http.Handler, hooks []hook) (time.Duration, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()  // ends with ErrServerClosed
	defer func() { _ = server.Close() }() // nothing is under way by then
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var failed firstError
	var work sync.WaitGroup
	begin := time.Now()
	for range senders {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(hooks)) && failed.get() == nil; i = next.Add(1) - 1 {
				if err := send(ctx, client, "http://"+ln.Addr().String()+"/in/shop", hooks[i]); err != nil {
					failed.set(err)
				}
			}
		})
	}
	work.Wait()
	return time.Since(begin), failed.get()
}

// send sends one webhook as the shop does.
func send(ctx context.Context, client *http.Client, url string, h hook) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(h.body))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": "orders/updated", "X-Shopify-Shop-Domain": "bench.example",
		"X-Shopify-Webhook-Id": h.id, "X-Shopify-Hmac-Sha256": h.signature} {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("answered %d: %s", resp.StatusCode, answer))
	}
	return errors.Join(err, resp.Body.Close())
}

// orderBody is an order as Shopify writes them, with the members a sender of 3 KB has: state, two lines with price sets
// and an address.
func orderBody(id int) []byte {
	set := func(amount string) map[string]any {
		money := map[string]string{"amount": amount, "currency_code": "EUR"}
		return map[string]any{"shop_money": money, "presentment_money": money}
	}
	line := func(n int, sku, title, price string) map[string]any {
		return map[string]any{"id": id*10 + n, "product_id": 632910392 + n, "variant_id": 808950810 + n, "sku": sku, "title": title, "name": title, "quantity": n,
			"current_quantity": n, "fulfillable_quantity": n, "price": price, "price_set": set(price), "total_discount": "0.00", "total_discount_set": set("0.00"),
			"grams": 450, "taxable": true, "requires_shipping": true, "gift_card": false, "vendor": "Bench", "fulfillment_service": "manual", "properties": []any{}}
	}
	body, _ := json.Marshal(map[string]any{ // of texts and numbers: cannot fail
		"id": id, "admin_graphql_api_id": fmt.Sprint("gid://shopify/Order/", id), "name": fmt.Sprint("#", id), "number": id % 100_000, "order_number": id % 100_000,
		"email": "customer@example.com", "phone": nil, "currency": "EUR", "presentment_currency": "EUR", "financial_status": "paid", "fulfillment_status": nil,
		"created_at": "2026-11-23T08:00:00+01:00", "updated_at": "2026-11-23T08:00:05+01:00", "processed_at": "2026-11-23T08:00:01+01:00", "cancelled_at": nil,
		"total_price": "51.25", "current_total_price": "51.25", "subtotal_price": "46.25", "current_subtotal_price": "46.25", "total_tax": "8.18", "current_total_tax": "8.18",
		"total_discounts": "0.00", "current_total_discounts": "0.00", "total_price_set": set("51.25"), "total_shipping_price_set": set("5.00"), "note": "leave it with the neighbour",
		"tags": "bench, newsletter", "test": false, "confirmed": true, "source_name": "web", "taxes_included": true, "total_weight": 1350, "browser_ip": "192.0.2.7",
		"customer":   map[string]any{"id": 207119551, "email": "customer@example.com", "first_name": "Jo", "last_name": "Bench", "state": "enabled", "tags": "newsletter"},
		"line_items": []any{line(1, "MUG-BLUE", "Mug, blue", "10.25"), line(2, "TEE-L", "T-shirt, L", "18.00")},
		"shipping_address": map[string]string{"name": "Jo Bench", "first_name": "Jo", "last_name": "Bench", "address1": "Hauptstrasse 1", "address2": "Stiege 2", "city": "Wien", "zip": "1010",
			"province_code": "W", "country": "Austria", "country_code": "AT", "phone": "+43 1 0000000"},
	})
	return body
}
