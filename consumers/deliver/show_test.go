package deliver

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShowIsWhatIsSent holds Show to what a server receives: every line of the head and every byte of the body, but for secrets.
func TestShowIsWhatIsSent(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	body := make(chan string, 1)
	address := server(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- r
		body <- string(b)
	})
	in := load(t, address, keyed)
	s := set(t, in)
	shown, err := s.Show(request(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if res := s.Deliver(context.Background(), request(t, in)); res.Class != Delivered {
		t.Fatalf("delivery: %+v", res)
	}
	r, sent := <-got, <-body
	if shown.Method != r.Method || shown.URL != address+r.RequestURI || string(shown.Body) != sent || shown.Key != "key-1" {
		t.Errorf("shown %s %s\n%s\nsent %s %s\n%s", shown.Method, shown.URL, shown.Body, r.Method, r.RequestURI, sent)
	}
	hiddenOf := map[string]string{"Authorization": "Bearer ***", "X-Api-Key": "***", "X-Tenant": "***"}
	for _, h := range shown.Headers {
		want := r.Header.Get(h.Name)
		if mask, secret := hiddenOf[http.CanonicalHeaderKey(h.Name)]; secret {
			want = mask
		}
		if h.Value != want {
			t.Errorf("header %s is shown as %q and sent as %q", h.Name, h.Value, want)
		}
		r.Header.Del(h.Name)
	}
	r.Header.Del("Content-Length")
	if len(r.Header) > 0 {
		t.Errorf("sent and not shown: %v", r.Header)
	}
}

// TestShowRow holds Show to the row that a file gets.
func TestShowRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := load(t, dir, strings.ReplaceAll(`
idempotency: {key: idempotency_key, remembers: 24h}
deliver:
  - on: [order.created]
    file: {dir: "URL"}
    required: [id]
    body: {id: order.id, total: order.total.amount, note: order.note}
`, "\t", "  "))
	s := set(t, in)
	shown, err := s.Show(request(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if res := s.Deliver(context.Background(), request(t, in)); res.Class != Delivered {
		t.Fatalf("delivery: %+v", res)
	}
	var names, cells []string
	for _, h := range shown.Headers {
		names, cells = append(names, h.Name), append(cells, h.Value)
	}
	content, err := os.ReadFile(shown.URL)
	if want := strings.Join(names, ",") + "\n" + strings.Join(cells, ",") + "\n"; err != nil || string(content) != want || filepath.Dir(filepath.Dir(shown.URL)) != dir {
		t.Errorf("%s holds %q (%v), shown was %q", shown.URL, content, err, want)
	}
	r := request(t, in)
	r.Event.Order.ID = ""
	if _, err := s.Show(r); err == nil || err.Error() != `required member "id" is empty for this event` {
		t.Errorf("an event that does not fill the row: %v", err)
	}
}
