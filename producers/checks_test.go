package producers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

// TestChecks holds what the AI step sends to what its shipped source lets it say.
func TestChecks(t *testing.T) {
	t.Parallel()
	topo, err := topology.Load(topology.Default(), func(string) (string, bool) { return "http://127.0.0.1:1", true })
	if err != nil {
		t.Fatal(err)
	}
	const id, at = `"facts_id":"0123456789abcdef0123456789abcdef"`, `"facts_at":"2026-11-02T08:00:00Z"`
	tests := []struct {
		name, enrichment string
		want             []string // rejects
	}{
		{"as agreed", `"category":"single","summary":"one line","tags":["gift"],` + id + "," + at, nil},
		{"no tags", `"category":"basket","summary":"2 lines",` + id + "," + at, nil},
		{"a category nobody declared", `"category":"refund everything","summary":"x",` + id + "," + at, []string{"enrichment.category: is none of single, basket (checks of enrichment)"}},
		{"no category", `"summary":"x",` + id + "," + at, []string{"enrichment.category: is missing: its source must say it (checks of enrichment)"}},
		{"a long summary", `"category":"single","summary":"` + strings.Repeat("ä", 301) + `",` + id + "," + at, []string{"enrichment.summary: has 301 characters, and at most 300 are allowed (checks of enrichment)"}},
		{"a long summary that just fits", `"category":"single","summary":"` + strings.Repeat("ä", 300) + `",` + id + "," + at, nil},
		{"a tag of its own", `"category":"single","tags":["gift","vip"],` + id + "," + at, []string{"enrichment.tags: item 1 is none of gift, urgent, invoice, delivery, care (checks of enrichment)"}},
		{"many tags", `"category":"single","tags":["gift","gift","gift","gift","gift","gift"],` + id + "," + at, []string{"enrichment.tags: has 6 items, and at most 5 are allowed (checks of enrichment)"}},
		{"facts with a name of its own", `"category":"single","facts_id":"f1",` + at, []string{"enrichment.facts_id: does not match [0-9a-f]{32} (checks of enrichment)"}},
		{"without its facts", `"category":"single",` + at, []string{"enrichment.facts_id: is missing: its source must say it (checks of enrichment)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := given(topology.StandardWebhooks, `{"type":"order.enriched","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1001","version":"1","enrichment":{`+tt.enrichment+`}}}`, "Webhook-Id: w1")
			d.source = topo.Source("enrichment")
			r := readAll(t, d)
			if d := cmp.Diff(tt.want, faultsOf(r)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if len(r.events)+len(r.rejects) != 1 {
				t.Errorf("%d events and %d rejects", len(r.events), len(r.rejects))
			}
		})
	}
	other := given(topology.StandardWebhooks, `{"type":"order.updated","timestamp":"2026-11-02T08:15:00Z","data":{"order_id":"1001","version":"1","order":{"status":"open"}}}`, "Webhook-Id: w2")
	other.source = topo.Source("enrichment")
	if r := readAll(t, other); len(r.rejects) != 0 {
		t.Errorf("an event without the part is held to it: %v", faultsOf(r))
	}
}
