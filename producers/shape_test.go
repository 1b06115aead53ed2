package producers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// shaped is a rig whose edge watches shapes, learned from so many documents.
func shaped(t *testing.T, learn int, sources ...topology.Source) (*rig, *contract.Watch) {
	t.Helper()
	r := newRig(t, sources...)
	r.kafka.Topic(t, topology.TopicContracts, 1, map[string]string{"max.message.bytes": "4194304"})
	r.topo.Learn = learn
	w, err := contract.Open(t.Context(), contract.Config{Topology: r.topo, Options: []kgo.Opt{kgo.SeedBrokers(r.kafka.Brokers...)}, Serde: r.serde, Instance: "one", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	r.edge.cfg.Contracts = w
	return r, w
}

// published ends the watch, which publishes what it has seen, and reads that.
func (r *rig) published(w *contract.Watch) map[string]*schemas.Contract {
	r.t.Helper()
	ended, end := context.WithCancel(r.t.Context())
	end()
	if err := w.Run(ended); err != nil {
		r.t.Fatal(err)
	}
	all, err := contract.ReadAll(r.t.Context(), contract.ReadConfig{Options: []kgo.Opt{kgo.SeedBrokers(r.kafka.Brokers...)}, Serde: r.serde, Topology: r.topo})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestShapesOfVersions sends what one version of Shopify's API calls a resource, and then what another does: what differs is
// drift. The only sample of 2026-07 is of a stock level.
func TestShapesOfVersions(t *testing.T) {
	t.Parallel()
	root := inputs(t, "shopify")
	const learn = 20
	r, w := shaped(t, learn, webhookSource(topology.Shopify))
	versions := []struct{ topic, before, after string }{
		{"inventory_levels__update", "2025-10/inventory_levels__disconnect.json", "2026-07/inventory_levels__update.json"},
		{"orders__updated", "webhookdb/order_updated_old.json", "2025-10/orders__updated.json"},
		{"customers__update", "webhookdb/customer_old.json", "2025-10/customers__update.json"},
	}
	for _, v := range versions {
		for i, file := range slices.Concat(slices.Repeat([]string{v.before}, learn), []string{v.after}) {
			body, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			if rec := r.post("shopify", v.topic, string(body)); rec.Code != 200 {
				t.Fatalf("%s %d: %d", file, i, rec.Code)
			}
		}
	}
	report := contract.Of(r.topo, r.published(w), nil)
	var out bytes.Buffer
	if err := report.Text(&out, false); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out.String()) // go test -v -run TestShapesOfVersions ./producers
	if len(report.Subjects) != len(versions) {
		t.Fatalf("%d topics", len(report.Subjects))
	}
	for _, s := range report.Subjects {
		if s.Declared != contract.ByLearned || s.Documents != learn+1 || s.Team != "ops" {
			t.Errorf("%s: %s, %d documents, team %s", s.Topic, s.Declared, s.Documents, s.Team)
		}
	}
	var stock []string
	for _, d := range report.Subjects[1].Drifts {
		stock = append(stock, d.Kind+" "+d.Path+" "+d.Seen)
	}
	if d := cmp.Diff([]string{"new admin_graphql_api_id string", "new available number", "new updated_at string"}, stock); d != "" {
		t.Errorf("stock levels (-want +got):\n%s", d)
	}
}

// TestShapesKeepNothingPersonal sends every real payload through the edge, twice of two kinds so that there is drift, and looks
// for their values in what is published.
func TestShapesKeepNothingPersonal(t *testing.T) {
	t.Parallel()
	root := inputs(t)
	var sources []topology.Source
	for _, p := range []topology.Platform{topology.Shopify, topology.WooCommerce, topology.Stripe, topology.Adyen, topology.StandardWebhooks} {
		sources = append(sources, webhookSource(p))
	}
	r, w := shaped(t, 1, sources...) // the second document is held to the first
	values, names := map[string]string{}, map[string]bool{}
	for _, in := range realInputs(t, root) {
		in.send(r)
		withJSON(in.body, func(n *node, err error) {
			if err == nil {
				leaves(n, in.file, values, names)
			}
		})
	}
	all := r.published(w)
	if len(all) < 20 || len(values) < 500 {
		t.Fatalf("%d shapes, %d values", len(all), len(values))
	}
	drifts, words := 0, map[string]bool{}
	for _, c := range all {
		var said []string
		for _, p := range c.Paths {
			said = append(said, strings.FieldsFunc(p.Path, func(r rune) bool { return strings.ContainsRune(".[]", r) })...)
			for _, v := range p.Values {
				words[v] = true
			}
		}
		for _, d := range c.Drifts {
			drifts++
			if d.Kind == contract.Word && d.Seen != "" {
				words[d.Seen] = true
			}
		}
		for _, text := range said {
			if where, ok := values[text]; ok && !names[text] {
				t.Errorf("%s says %q, a value of %s", c.Subject, text, where)
			}
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for v, where := range values {
			if len(v) > 5 && strings.ContainsAny(v, "@0123456789 ") && bytes.Contains(b, []byte(v)) && !bytes.Contains([]byte(c.Subject), []byte(v)) {
				t.Errorf("%s holds %q of %s", c.Subject, v, where)
			}
		}
	}
	for word := range words {
		if where, ok := values[word]; ok && personalWhere(where) && !onlyWord(word) {
			t.Errorf("the word %q is also a value at %s", word, where)
		}
	}
	if drifts == 0 || len(words) < 5 {
		t.Errorf("%d drifts and %d words: too few to prove anything", drifts, len(words))
	}
	t.Logf("%d shapes, %d drifts, words: %v", len(all), drifts, slices.Sorted(maps.Keys(words)))
}

// leaves collects the texts and numbers below n with their places, and all names.
func leaves(n *node, at string, values map[string]string, names map[string]bool) {
	for _, kid := range n.kids {
		if n.kind == kindObject {
			names[kid.name] = true
		}
		leaves(kid, at+" "+kid.name, values, names)
	}
	if n.kind == kindString && n.text != "" || n.kind == kindNumber && len(n.text) > 3 {
		if have := values[n.text]; have == "" || personalWhere(at) {
			values[n.text] = at
		}
	}
}

// personalWhere tells whether a place names a person.
func personalWhere(at string) bool {
	for _, name := range []string{"customer", "address", "billing", "shipping", "email", "name", "phone", "note", "client", "card", "city"} {
		if strings.Contains(at, name) {
			return true
		}
	}
	return false
}

// onlyWord are words of platforms that stand in places of persons too: kinds of objects, currencies, states.
func onlyWord(text string) bool {
	return slices.Contains([]string{"USD", "usd", "XXX", "EUR", "CAD", "JPY", "AED", "card", "customer", "enabled", "disabled", "line_item", "address", "charge", "payment_intent"}, text)
}

// TestTreesAgree: the edge's own tree has the shape that any other parser's has.
func TestTreesAgree(t *testing.T) {
	t.Parallel()
	for _, body := range []string{shopOrder(2), `[1,null,{"a":[[true]]}]`, `{"token":{"deep":"secret"},"status":"paid","n":-1.5e3}`, `null`, `"x"`} {
		other, err := contract.Read([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		withJSON([]byte(body), func(root *node, err error) {
			if err != nil {
				t.Fatal(err)
			}
			a, b := lines(root, "", true), lines(other, "", true)
			slices.Sort(a)
			slices.Sort(b)
			if d := cmp.Diff(b, a); d != "" {
				t.Errorf("%.40s (-encoding/json +ours):\n%s", body, d)
			}
		})
	}
}

// lines are the values of a tree; the text of what is below a token is not given by ours.
func lines(v contract.Value, path string, text bool) []string {
	out := []string{path + " " + v.Kind().String()}
	if text {
		out[0] += " " + v.Text()
	}
	for i := range v.Len() {
		name, kid := v.At(i)
		if v.Kind() == contract.Array {
			name = "" // ours counts them
		}
		out = append(out, lines(kid, path+"/"+name, text && name != "token" && name != "order_status_url")...)
	}
	return out
}

// What watching its shape adds to a delivery that is read, in percent, both measured by turns: go test -run xxx -bench Shape
// ./producers. "sampled" is what an edge does once a topic is learned, "all" what it does until then.
func BenchmarkShape(b *testing.B) {
	for _, lineCount := range []int{2, 50} {
		for how, learn := range map[string]int{"sampled": 20, "all": 1 << 40} {
			b.Run(fmt.Sprintf("%d lines/%s", lineCount, how), func(b *testing.B) {
				d, p := given(topology.Shopify, shopOrder(lineCount), "X-Shopify-Topic: orders/updated", "X-Shopify-Webhook-Id: 1"), platforms[topology.Shopify]
				watch := contract.Detached(&topology.Topology{Learn: learn})
				var took [2]time.Duration // without, with
				for i := 0; b.Loop(); i++ {
					for with := range took {
						if d.shapes = nil; with == 1 {
							d.shapes = watch
						}
						start := time.Now()
						for range 64 { // more than sampleEvery
							if r := p.read(d); len(r.events) != 1 {
								b.Fatal(faultsOf(r))
							}
						}
						took[with] += time.Since(start)
					}
				}
				b.ReportMetric(100*(took[1].Seconds()/took[0].Seconds()-1), "%more")
			})
		}
	}
}
