package schemas_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/twmb/franz-go/pkg/sr"
)

// An event goes to bytes as a producer sends it, and comes back as a consumer reads it.
func Example() {
	registry := httptest.NewServer(schemas.NewMemoryRegistry())
	defer registry.Close()
	client, err := sr.NewClient(sr.URLs(registry.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := schemas.NewMoney("12.50", "EUR")
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	ev := &schemas.Event{
		ID: schemas.NewEventID("/shopify/acme", "b54557e4", ""), Type: schemas.OrderCreated,
		Source: "/shopify/acme", System: "shop", Subject: "450789469", Time: at, IngestedAt: at.Add(time.Second),
		Order: &schemas.Order{ID: "450789469", Total: total},
	}
	ctx := context.Background()
	b, err := schemas.NewSerde(client).EncodeEvent(ctx, "orders-value", ev)
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := schemas.NewSerde(client).DecodeEvent(ctx, b) // another process: it asks the registry
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("header %x\n%s %s, total %s\n", b[:5], got.Type, got.Order.ID, got.Order.Total)
	// Output:
	// header 0000000001
	// order.created 450789469, total 12.50 EUR
}
