package topology

import (
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestCorrectionFaults has a row for every way in which corrections can be asked for in vain.
func TestCorrectionFaults(t *testing.T) {
	t.Parallel()
	const route = "  - {on: [order.corrected], fields: [order.total], http: {url: \"http://x/{event.subject}\"}, body: {total: order.total}}\n"
	for _, tt := range []struct{ name, file, old, new, want string }{
		{"a sound route", "", "", "", ""},
		{"no fields", "integrations/a.yaml", "fields: [order.total], ", "", "integrations/a.yaml:11: a route on order.corrected needs fields: the fields it takes corrections of, such as [order.payment_status]"},
		{"each takes all", "integrations/a.yaml", "fields: [order.total], ", "each: true, ", ""},
		{"fields of nothing", "integrations/a.yaml", "order.corrected", "order.updated", "integrations/a.yaml:11: fields is about corrections, and the route acts on none"},
		{"unknown field", "integrations/a.yaml", "fields: [order.total]", "fields: [order.totl]", "integrations/a.yaml:11: unknown field \"order.totl\": the fields are order.status, "},
		{"a field that is not compared", "integrations/a.yaml", "fields: [order.total]", "fields: [order.number]", "integrations/a.yaml:11: what two systems say of order.number cannot be compared, so nobody corrects it: take it out"},
		{"a field of another topic", "integrations/a.yaml", "fields: [order.total]", "fields: [customer.email]", "integrations/a.yaml:11: customer.email is of topic customers: let the route act on customer.corrected"},
		{"a field of nobody", "integrations/a.yaml", "fields: [order.total]", "fields: [order.note]", "integrations/a.yaml:11: order.note has no owner in ownership.yaml, so nobody corrects it"},
		{"with whole states", "integrations/a.yaml", "[order.corrected]", "[order.updated, order.corrected]", "integrations/a.yaml:11: a route on corrections acts on nothing else"},
		{"once", "integrations/a.yaml", "fields:", "once: true, fields:", "integrations/a.yaml:11: a route on corrections cannot be once: each is a decision of its own"},
		{"needed", "integrations/a.yaml", "on: [order.created]", "on: [order.created]\n    needs: [order.corrected]", "integrations/a.yaml:9: order.corrected is a person's decision (seam disagreements accept), which no system tells and nothing waits for"},
		{"another route for another field", "integrations/a.yaml", route, route + strings.ReplaceAll(route, "order.total", "order.tax"), ""},
		{"another route for the same field", "integrations/a.yaml", route, route + route, "integrations/a.yaml:11: two routes act on order.corrected: one event is one call"},
		{"a file's type", "sources/s.yaml", "platform: shopify\nsecrets: [x]", "platform: files\ndir: d\nfiles:\n  - {match: \"*.csv\", type: order.corrected}", "sources/s.yaml:6: order.corrected is a person's decision"},
		{"a file's rule", "sources/s.yaml", "platform: shopify\nsecrets: [x]", "platform: files\ndir: d\nfiles:\n  - {match: \"*.csv\", type: order.updated, rules: [{column: a, prefix: b, type: order.corrected}]}", "sources/s.yaml:6: order.corrected is a person's decision"},
		{"a source called as a team", "sources/s.yaml", "system: shop", "system: team:ops", "sources/s.yaml:2: system \"team:ops\": names that begin with team: are those of people's corrections; choose another"},
		{"a downstream called as a team", "integrations/a.yaml", "name: a", "name: a\nsystem: team:ops", "integrations/a.yaml:2: system \"team:ops\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := base()
			fsys["ownership.yaml"].Data = []byte("order.total: {owner: shop, page: ops}\norder.tax: {owner: shop, page: ops}\ncustomer.email: {owner: shop, page: ops}\nunowned: [\"*\"]\n")
			fsys["integrations/a.yaml"].Data = append(fsys["integrations/a.yaml"].Data, route...)
			if tt.file != "" {
				was := string(fsys[tt.file].Data)
				if fsys[tt.file].Data = []byte(strings.Replace(was, tt.old, tt.new, 1)); was == string(fsys[tt.file].Data) {
					t.Fatalf("%q is not in the file", tt.old)
				}
			}
			topo, err := Load(fsys, func(string) (string, bool) { return "", false })
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v\nwant %s", err, tt.want)
			case tt.want == "" && topo.Integrations[0].Correcting(schemas.OrderCorrected, "order.total") == nil:
				t.Error("no route takes a correction of order.total")
			}
		})
	}
	topo := mustLoad(t)
	if r := topo.Integration("erp").Correcting(schemas.OrderCorrected, "order.payment_status"); r == nil || r.Operation != correct {
		t.Errorf("the ERP's route for corrections: %+v", r)
	}
}

func mustLoad(t *testing.T) *Topology {
	t.Helper()
	topo, err := Load(Default(), everything)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// TestUnownedIsNeverMapped: what is made of a field that nobody owns would always be empty.
func TestUnownedIsNeverMapped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, new, want string }{
		{"a member", "{id: order.id}", "{id: order.id, note: order.note}", "integrations/a.yaml:10: body member note uses order.note and is never sent: ownership.yaml gives order.note no owner; give it one, or take this out"},
		{"a nested member", "{id: order.id}", "{id: order.id, more: {note: order.note}}", "body member note uses order.note"},
		{"in an expression", "{id: order.id}", "{id: order.id, note: 'order.note ?? order.email ?? \"-\"'}", "body member note uses order.note"},
		{"a part of a field", "{id: order.id}", "{id: order.id, tax: order.tax.amount}", "body member tax uses order.tax"},
		{"by another name", "{id: order.id}", "{id: order.id, paid: payment.gateway}", "body member paid uses payment.amount"},
		{"a list", "{id: order.id}", "{id: order.id, lines: 'map(order.lines, {.sku})'}", "body member lines uses order.lines"},
		{"an address", "{order.id}", "{order.number}", "integrations/a.yaml:9: {order.number} is always empty: ownership.yaml gives order.number no owner"},
		{"what is owned", "{id: order.id}", "{id: order.id, total: order.total.amount, currency: order.total.currency}", ""},
		{"what is in no field", "{id: order.id}", "{id: order.id, at: order.updated_at, why: dispute.reason, of: event.system, key: reference, x: 'event.extensions[\"a.b\"]', by: correction.who}", ""},
	} {
		fsys := base()
		text := strings.Replace(string(fsys["integrations/a.yaml"].Data), tt.old, tt.new, 1)
		fsys["integrations/a.yaml"].Data = []byte(text)
		_, err := Load(fsys, func(string) (string, bool) { return "", false })
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v\nwant %s", tt.name, err, tt.want)
		}
	}
}
