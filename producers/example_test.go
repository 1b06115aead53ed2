package producers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// A webhook that is signed as Shopify signs comes to an event; the id is that of the delivery, whoever computes it.
func Example() {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders", "quarantine"))
	if err != nil {
		panic(err)
	}
	defer broker.Close()
	registry := httptest.NewServer(schemas.NewMemoryRegistry())
	defer registry.Close()
	client, err := kgo.NewClient(append(producers.ClientOpts(), kgo.SeedBrokers(broker.ListenAddrs()...))...)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	subjects, err := sr.NewClient(sr.URLs(registry.URL))
	if err != nil {
		panic(err)
	}

	topo := &topology.Topology{Sources: []topology.Source{{Name: "shopify", System: "shop", Platform: topology.Shopify, Secrets: []topology.Secret{"shhh"}}}}
	edge, err := producers.New(producers.Config{
		Topology: topo, Publisher: producers.NewPublisher(client, schemas.NewSerde(subjects), topo), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}

	body := `{"id": 820982911946154508, "currency": "EUR", "total_price": "12.50"}`
	mac := hmac.New(sha256.New, []byte("shhh"))
	mac.Write([]byte(body))
	req := httptest.NewRequest(http.MethodPost, "/in/shopify", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Shopify-Topic", "orders/create")
	req.Header.Set("X-Shopify-Shop-Domain", "shop.example")
	req.Header.Set("X-Shopify-Webhook-Id", "545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9")
	req.Header.Set("X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	rec := httptest.NewRecorder()
	edge.Handler().ServeHTTP(rec, req)
	fmt.Print(rec.Code, " ", rec.Body)
	// Output:
	// 200 {"event_ids":["b753430d-7566-5da4-807e-2be2bc0e90ae"]}
}
