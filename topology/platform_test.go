package topology

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestSourceFacts: what a source's file leaves out is its platform's, and what it says counts.
func TestSourceFacts(t *testing.T) {
	t.Parallel()
	load := func(text string) *Source {
		files := base()
		files["sources/s.yaml"] = &fstest.MapFile{Data: []byte("name: s\nsystem: shop\nteam: ops\nsecrets: [x]\n" + text)}
		topo, err := Load(files, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		return &topo.Sources[0]
	}
	tests := []struct {
		name, text                          string
		within, patience, retries, repeated time.Duration
	}{
		{"shopify", "platform: shopify\n", 4 * time.Second, 5 * time.Second, 4 * time.Hour, 4 * time.Hour},
		{"stripe, by hand for longer", "platform: stripe\n", 15 * time.Second, 20 * time.Second, 72 * time.Hour, 720 * time.Hour},
		{"woocommerce never repeats", "platform: woocommerce\n", 20 * time.Second, time.Minute, 0, 0},
		{"adyen, as the file says", "platform: adyen\nanswer_within: 3s\nretries_for: 60d\n", 3 * time.Second, 10 * time.Second, 1440 * time.Hour, 1440 * time.Hour},
		{"a sender of whom nothing is known", "platform: standardwebhooks\n", 10 * time.Second, 0, 0, 0},
		{"an impatient sender", "platform: standardwebhooks\npatience: 5s\nretries_for: 1h\n", 4 * time.Second, 5 * time.Second, time.Hour, time.Hour},
	}
	for _, tt := range tests {
		s := load(tt.text)
		if s.AnswerWithin.D() != tt.within || s.Patience.D() != tt.patience || s.RetriesFor.D() != tt.retries || s.RepeatedFor() != tt.repeated {
			t.Errorf("%s: answers within %s, patience %s, repeats for %s and %s", tt.name, s.AnswerWithin.D(), s.Patience.D(), s.RetriesFor.D(), s.RepeatedFor())
		}
	}
	if s := load("platform: standardwebhooks\n"); !s.May(schemas.OrderEnriched) {
		t.Error("a source that does not say what it sends may send anything")
	}
	if s := load("platform: standardwebhooks\nemits: [refund.succeeded]\n"); s.May(schemas.OrderCreated) || !s.May(RefundFull) {
		t.Error("a source sends what it says, and a full refund is a refund")
	}
	if s := load("platform: files\nfiles: [{match: '*.csv', type: invoice.issued, rules: [{column: a, prefix: C, type: invoice.cancelled}]}]\n"); !s.May(schemas.InvoiceCancelled) || s.May(schemas.OrderCreated) {
		t.Errorf("files send what their rows are: %v", s.Emits)
	}
}

// TestWritten: where keys stand, as they are written, and where a missing one would.
func TestWritten(t *testing.T) {
	t.Parallel()
	files := base()
	files["sources/s.yaml"] = &fstest.MapFile{Data: []byte("name: s\nsystem: shop\nteam: ops\nplatform: shopify\nsecrets:\n  - \"${SECRET:-x}\"\n")}
	topo, err := Load(files, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, key, text string
		line            int
		ok              bool
	}{
		{"sources/s.yaml", "platform", "shopify", 4, true},
		{"sources/s.yaml", "secrets.0", "${SECRET:-x}", 6, true},
		{"sources/s.yaml", "secrets.1", "", 5, false},
		{"sources/s.yaml", "spool", "", 1, false},
		{"integrations/a.yaml", "deliver.0.http.auth", "", 9, false},
		{"ownership.yaml", "order.total.owner", "shop", 1, true},
		{"nowhere.yaml", "a.b", "", 1, false},
	} {
		if line, text, ok := topo.Written(tt.file, tt.key); line != tt.line || text != tt.text || ok != tt.ok {
			t.Errorf("%s %s: line %d %q %v, want %d %q %v", tt.file, tt.key, line, text, ok, tt.line, tt.text, tt.ok)
		}
	}
}
