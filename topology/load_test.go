package topology

import (
	"strings"
	"testing"
	"testing/fstest"
)

// everything answers each variable of the shipped files.
func everything(name string) (string, bool) {
	switch {
	case strings.HasSuffix(name, "_URL"):
		return "http://127.0.0.1:1/" + strings.ToLower(name), true
	case strings.HasPrefix(name, "SEAM_"):
		return "", false
	}
	return "x", true
}

func TestShippedTopologyLoads(t *testing.T) {
	topo, err := Load(Default(), everything)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"analytics", "crm", "enrichment", "erp", "export", "fraud", "support", "tax", "warehouse"}
	var got []string
	for _, in := range topo.Integrations {
		got = append(got, in.Name)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("integrations = %v, want %v", got, want)
	}
	if n := len(topo.Topics); n != 11+2*9 {
		t.Errorf("%d topics, want 29", n)
	}
	for _, topic := range topo.Topics { // several rejects of one delivery share a key
		if policy := topic.Configs["cleanup.policy"]; topic.Name == TopicQuarantine && policy != "delete" {
			t.Errorf("cleanup.policy of %s is %s: compaction would lose what is kept", topic.Name, policy)
		}
	}
}

const teamsFile = "ops: {pager: p}\n"

// base is a small sound topology; a case replaces or adds files.
func base() fstest.MapFS {
	return fstest.MapFS{
		"topics.yaml":    {Data: []byte("partitions: 2\n")},
		"teams.yaml":     {Data: []byte(teamsFile)},
		"ownership.yaml": {Data: []byte("order.total: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"sources/s.yaml": {Data: []byte("name: s\nsystem: shop\nteam: ops\nplatform: shopify\nsecrets: [x]\n")},
		"integrations/a.yaml": {Data: []byte(`name: a
team: ops
operation: do
complete_within: 1h
stale_after: 1h
idempotency: {upsert: true}
deliver:
  - on: [order.created]
    http: {url: "http://localhost/{order.id}"}
    body: {id: order.id}
`)},
	}
}

func TestLoadFaults(t *testing.T) {
	tests := []struct {
		name, file, old, new string
		want                 []string
	}{
		{"unknown key", "integrations/a.yaml", "team: ops", "team: ops\nretries: 3", []string{`integrations/a.yaml:3: unknown key "retries": the keys here are name, system, team`}},
		{"bad duration", "integrations/a.yaml", "stale_after: 1h", "stale_after: 5", []string{`integrations/a.yaml:5: bad duration "5": write 30s, 15m, 2h or 35d`}},
		{"missing team", "integrations/a.yaml", "team: ops", "team: nobody", []string{`integrations/a.yaml:2: team "nobody" is not in teams.yaml`}},
		{"unset variable", "sources/s.yaml", "secrets: [x]", "secrets: [\"${NOT_SET}\"]", []string{`sources/s.yaml:5: variable NOT_SET is not set: set it, or write ${NOT_SET:-default}`}},
		{"misspelt field", "integrations/a.yaml", "{id: order.id}", "{id: order.idd}", []string{`integrations/a.yaml:10: body member id: expression "order.idd":`}},
		{"unowned field name", "ownership.yaml", "order.total", "order.totl", []string{`ownership.yaml:1: unknown field "order.totl"`}},
		{"no idempotency", "integrations/a.yaml", "idempotency: {upsert: true}", "idempotency: {}", []string{"integrations/a.yaml:6: declare one of key, upsert, probe or none: what happens if this call is made twice?"}},
		{"key outlived by retries", "integrations/a.yaml", "idempotency: {upsert: true}", "idempotency: {key: K, remembers: 1h}", []string{"a late retry would be a second effect"}},
		{"settles without a probe", "integrations/a.yaml", "idempotency: {upsert: true}", "idempotency: {upsert: true, settles: 1m}", []string{"integrations/a.yaml:6: settles is about a probe, and none is declared"}},
		{"settles before the call ends", "integrations/a.yaml", "idempotency: {upsert: true}", `idempotency: {probe: "GET http://a/{event.id}", settles: 1s}`, []string{"integrations/a.yaml:6: settles is 1s and a call may take 5s"}},
		{"key is no header", "integrations/a.yaml", "idempotency: {upsert: true}", "idempotency: {key: Idempotency Key, remembers: 24h}", []string{`integrations/a.yaml:6: "Idempotency Key" is no name of a header`}},
		{"header with two lines", "integrations/a.yaml", `{order.id}"}`, `{order.id}", headers: {X-Tenant: "a\r\nb"}}`, []string{"integrations/a.yaml:9: header X-Tenant holds a control character, perhaps a line's end"}},
		{"header of HTTP itself", "integrations/a.yaml", `{order.id}"}`, `{order.id}", headers: {host: erp}}`, []string{"integrations/a.yaml:9: header host is not yours to set"}},
		{"token with its line's end", "integrations/a.yaml", `{order.id}"}`, `{order.id}", auth: {bearer: "secret\n"}}`, []string{"integrations/a.yaml:9: bearer holds a control character"}},
		{"two at once", "integrations/a.yaml", "name: a\nteam: ops\noperation: do\ncomplete_within: 1h", "name: b\nteam: none\noperation: do", []string{
			`integrations/a.yaml:1: name is "b": write "a"`, `integrations/a.yaml:2: team "none"`, "integrations/a.yaml:1: complete_within is missing"}},
		{"duplicate key", "teams.yaml", teamsFile, "ops: {pager: p}\nops: {pager: q}\n", []string{`teams.yaml:2: mapping key "ops" already defined`}},
		{"facts of an unknown field", "integrations/a.yaml", "team: ops", "team: ops\nfacts:\n  fields: [order.total, order.totl]", []string{`integrations/a.yaml:4: unknown field "order.totl": the fields are order.status`}},
		{"facts of a pattern of nothing", "integrations/a.yaml", "team: ops", "team: ops\nfacts: {fields: [\"ord*\"]}", []string{`integrations/a.yaml:3: unknown field "ord*"`}},
		{"facts that nobody owns", "integrations/a.yaml", "team: ops", "team: ops\nfacts: {fields: [\"order.tax?\", \"customer.*\"]}", []string{`integrations/a.yaml:3: nobody owns "order.tax?": give it an owner`, `nobody owns "customer.*"`}},
		{"facts without fields", "integrations/a.yaml", "team: ops", "team: ops\nfacts: {max_staleness: 1h}", []string{"integrations/a.yaml:3: fields is missing: which facts may it be told?"}},
		{"age of facts without a unit", "integrations/a.yaml", "team: ops", "team: ops\nfacts:\n  fields: [order.total]\n  max_staleness: 15", []string{`integrations/a.yaml:5: bad duration "15": write 30s, 15m, 2h or 35d`}},
		{"age of an unknown field", "integrations/a.yaml", "team: ops", "team: ops\nfacts:\n  fields: [order.total]\n  max_staleness_of:\n    stock.*: 1h", []string{`integrations/a.yaml:6: unknown field "stock.*"`}},
		{"facts on a disagreement", "integrations/a.yaml", "team: ops", "team: ops\nfacts:\n  fields: [order.total]\n  on_disagreement: ask", []string{`integrations/a.yaml:5: on_disagreement is "ask": write refuse or flag`}},
		{"unknown key of facts", "integrations/a.yaml", "team: ops", "team: ops\nfacts:\n  fields: [order.total]\n  stale: 1h", []string{`integrations/a.yaml:5: unknown key "stale": the keys here are fields, max_staleness, max_staleness_of, on_disagreement`}},
		{"wait for nobody there", "sources/s.yaml", "secrets: [x]", "secrets: [x]\nwait: {for: [b], at_most: 20s, otherwise: never}", []string{`sources/s.yaml:6: wait.for: integration "b" does not exist`,
			"sources/s.yaml:6: wait.at_most 20s is longer than the source waits for any answer (answer_within 4s)", `sources/s.yaml:6: wait.otherwise "never" is neither accepted nor unavailable`}},
		{"wait for nothing", "sources/s.yaml", "secrets: [x]", "secrets: [x]\nwait: {at_most: 1s}", []string{"sources/s.yaml:6: wait.for is missing"}},
		{"window", "integrations/a.yaml", "team: ops", "team: ops\nwindows: [{every: sunday, from: \"02:00\", to: \"04:00\"}]", []string{`integrations/a.yaml:3: every is "sunday"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := base()
			text := string(fsys[tt.file].Data)
			if !strings.Contains(text, tt.old) {
				t.Fatalf("case is stale: %q is not in %s", tt.old, tt.file)
			}
			fsys[tt.file].Data = []byte(strings.Replace(text, tt.old, tt.new, 1))
			_, err := Load(fsys, func(string) (string, bool) { return "", false })
			if err == nil {
				t.Fatal("loaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestSoundBaseLoads(t *testing.T) {
	if _, err := Load(base(), func(string) (string, bool) { return "", false }); err != nil {
		t.Fatal(err)
	}
}
