package schemas

import (
	"reflect"
	"testing"

	"github.com/shopspring/decimal"
)

// What every event costs, by the short way and by goavro: go test -bench Wire ./schemas.
func BenchmarkWire(b *testing.B) {
	total := &Money{decimal.New(5125, -2), "EUR"}
	values := map[string]any{
		"outcome": &Outcome{Integration: "warehouse", EventID: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a11", EventType: OrderUpdated, OrderID: "7000000001", Kind: Delivered, Operation: "fulfill",
			IdempotencyKey: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a12", Attempts: []Attempt{{At: start, TookMS: 3, Status: 200, Class: "delivered"}}, EventTime: start, IngestedAt: start, At: start,
			Topic: "orders", Partition: 3, Offset: 123456, Instance: "seam-0"},
		"ledger_entry": &LedgerEntry{Topic: "orders", TopicID: "q83vEjRWeJCrze8SNFZ4kA", Key: "7000000001", Settled: 123456, Events: []FinishedEvent{{ID: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a11",
			BusinessID: "order.updated/7000000001/1", Kind: Delivered, At: start}}, Operations: []Operation{{Name: "fulfill", State: OpDone, EventID: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a11", At: start}},
			Seen: []EventType{OrderUpdated}, OrderTotal: total, TotalVersion: "1", UpdatedAt: start},
		"order_event": &Event{ID: "5b0e1f6e-7a1c-5a38-9d7e-1c8f5c0f2a11", Type: OrderUpdated, Source: "/shopify/x", System: "shop", Subject: "7000000001", Time: start, IngestedAt: start,
			Order: &Order{ID: "7000000001", Status: "open", Email: "customer@example.com", Total: total, Lines: []Line{{ID: "1", SKU: "MUG", Title: "Mug", Quantity: 2, Price: total}, {ID: "2", SKU: "TEE", Quantity: 1, Price: total}}}},
	}
	for name, value := range values {
		f, v := formats[name], reflect.ValueOf(value).Elem()
		body, err := f.wired.write(nil, v)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			do   func() error
		}{
			{"write/wire", func() error { body, err = f.wired.write(body[:0], v); return err }},
			{"write/goavro", func() error {
				native, err := f.binding.encode(v)
				if err == nil {
					body, err = f.codec.BinaryFromNative(body[:0], native)
				}
				return err
			}},
			{"read/wire", func() error { return readWire(f.wired, body, f.kept, reflect.New(v.Type()).Elem()) }},
			{"read/goavro", func() error {
				return f.readForeign(&writer{codec: f.codec}, &plan{}, body, reflect.New(v.Type()).Elem())
			}},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := c.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
