package topology

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestChecksFaults are the mistakes of a source's checks.
func TestChecksFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, platform, check, want string }{
		{"no such member", "standardwebhooks", "enrichment.mood: {max_length: 3}", `sources/ai.yaml:6: the model has no member "enrichment.mood": name one like enrichment.category`},
		{"a whole part", "standardwebhooks", "enrichment: {required: true}", `sources/ai.yaml:6: the model has no member "enrichment"`},
		{"the envelope", "standardwebhooks", "event.id: {required: true}", `sources/ai.yaml:6: the model has no member "event.id"`},
		{"a bad pattern", "standardwebhooks", `enrichment.summary: {pattern: "("}`, "sources/ai.yaml:6: pattern: error parsing regexp"},
		{"unknown key", "standardwebhooks", "enrichment.summary: {longest: 3}", `sources/ai.yaml:6: unknown key "longest": the keys here are required, one_of, pattern, max_length, max_items`},
		{"files", "files", "enrichment.summary: {max_length: 3}", "sources/ai.yaml:5: checks are for sources that send webhooks, and this one is files"},
		{"as it should be", "standardwebhooks", "enrichment.tags: {max_items: 3}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(fstest.MapFS{
				"topics.yaml": {Data: []byte("partitions: 1\n")}, "teams.yaml": {Data: []byte("ops: {pager: p}\n")},
				"ownership.yaml":  {Data: []byte("order.enrichment: {owner: ai, page: ops}\nunowned: [\"*\"]\n")},
				"sources/ai.yaml": {Data: []byte("name: ai\nsystem: ai\nteam: ops\nplatform: " + tt.platform + "\nchecks:\n  " + tt.check + "\nfiles: [{match: \"*\", type: order.enriched}]\n")},
			}, everything)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("err = %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestFactsOfRoutes are the mistakes of a route that names facts.
func TestFactsOfRoutes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, policy, url, body, want string }{
		{"without a policy", "", "http://x.example/", "{f: facts}", "integrations/ai.yaml:9: body names facts, and ai has no facts policy"},
		{"within an expression", "", "http://x.example/", "{f: {g: 'len(facts.facts)'}}", "body names facts, and ai has no facts policy"},
		{"in the address", "facts: {fields: [order.total]}\n", "http://x.example/{facts.id}", "{f: order.id}", "integrations/ai.yaml:8: url names facts: they belong in the body, as a probe has none"},
		{"a member that they have not", "facts: {fields: [order.total]}\n", "http://x.example/", "{f: facts.mood}", "body member f"},
		{"as it should be", "facts: {fields: [order.total]}\n", "http://x.example/", "{f: facts, total: 'find(facts.facts, .field == \"order.total\").value'}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			topo, err := Load(fstest.MapFS{
				"topics.yaml": {Data: []byte("partitions: 1\n")}, "teams.yaml": {Data: []byte("ops: {pager: p}\n")},
				"ownership.yaml": {Data: []byte("order.total: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
				"integrations/ai.yaml": {Data: []byte("name: ai\nteam: ops\noperation: enrich\ncomplete_within: 1h\nstale_after: 1h\ndeliver:\n  - on: [order.created]\n    http: {url: \"" + tt.url + "\"}\n    body: " + tt.body +
					"\nidempotency: {upsert: true}\n" + tt.policy)},
			}, everything)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("err = %v\nwant %s", err, tt.want)
			}
			if err == nil && !topo.Integration("ai").TellsFacts() {
				t.Error("it is not seen that the body names facts")
			}
		})
	}
}
