package sealing

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
)

// What it costs that personal data is sealed: go test -bench Event ./schemas/sealing.
func BenchmarkEvent(b *testing.B) {
	srv := httptest.NewServer(schemas.NewMemoryRegistry())
	defer srv.Close()
	client, err := sr.NewClient(sr.URLs(srv.URL))
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	total, _ := schemas.NewMoney("51.25", "EUR")
	event := func() *schemas.Event {
		id := "7000000001"
		return &schemas.Event{ID: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a11", Type: schemas.OrderUpdated, Source: "/shopify/x", System: "shop", Subject: id, Time: at, IngestedAt: at,
			Order: &schemas.Order{ID: id, Status: "open", Email: "customer@example.com", Total: total, Lines: []schemas.Line{{ID: "1", SKU: "MUG", Title: "Mug", Quantity: 2, Price: total}, {ID: "2", SKU: "TEE", Quantity: 1, Price: total}},
				ShippingAddress: &schemas.Address{Name: "Ada Lovelace", Address1: "Main Street 1", City: "Vienna", Zip: "1010", Country: "AT"}},
			Extensions: map[string]string{"note_attributes.0.name": "gift", "note_attributes.0.value": "yes", "browser_ip": "192.0.2.1"}}
	}
	for _, sealed := range []bool{false, true} {
		serde, name := schemas.NewSerde(client), "open"
		if sealed {
			k := newKeys()
			k.put(uuid.New(), wholeRoot, at, map[node]seed{{}: {1, 2, 3}})
			serde.SealWith(&Ring{keys: k, c: Config{Now: func() time.Time { return at }}})
			name = "sealed"
		}
		ev := event()
		encode := func(i int) []byte {
			ev.Subject = strconv.Itoa(i)
			out, err := serde.EncodeEvent(b.Context(), "orders-value", ev)
			if err != nil {
				b.Fatal(err)
			}
			return out
		}
		value := encode(0)
		b.Run(name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				encode(i) // another subject each time
			}
		})
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := serde.DecodeEvent(b.Context(), value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/decode-sealed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := serde.DecodeSealed(b.Context(), value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
