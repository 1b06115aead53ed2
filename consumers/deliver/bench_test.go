package deliver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkDeliver is one POST to a downstream that answers at once, with all that a call of ours carries and tells; beside it
// the same bytes by net/http's client alone.
func BenchmarkDeliver(b *testing.B) {
	var body []byte
	url := server(b, func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) })
	in := load(b, url, keyed)
	kinds, req := set(b, in), request(b, in)
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			if res := kinds.Deliver(ctx, req); res.Class != Delivered {
				b.Fatal(res)
			}
			cancel()
		}
	})
	client, sent := &http.Client{}, bytes.Clone(body)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(sent))
			if err != nil {
				b.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
