package topology

import (
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/binaryandbeyond/seam/schemas"
)

// FuzzLoad: no text of a file makes loading panic; what is wrong is told with a file, and what is right is loaded.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"topics.yaml", "ownership.yaml", "integrations/warehouse.yaml", "sources/shopify.yaml", "operations.yaml", "money.yaml"} {
		text, err := defaults.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, string(text))
	}
	f.Add("environments.yaml", "staging: {private: [{to: 10.0.0.0/8}], never: [\"*\"]}")
	f.Add("integrations/a.yaml", "a: &a [*a]\nb: {<<: *a}")
	f.Add("integrations/a.yaml", "deliver: [{on: [order.created], http: {url: \"http://x/{order.id}\"}, body: {a: '[1..9]'}}]")
	f.Fuzz(func(t *testing.T, name, text string) {
		files := fstest.MapFS{"topics.yaml": {Data: []byte("partitions: 1\n")}, "teams.yaml": {Data: []byte("ops: {pager: p}\n")}, "ownership.yaml": {Data: []byte("unowned: [\"*\"]\n")}}
		if name == "" || strings.ContainsAny(name, "\x00\\") || !fsValid(name) {
			return
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
		topo, err := Load(files, func(string) (string, bool) { return "", false })
		if err == nil && topo == nil {
			t.Fatal("neither a topology nor a fault")
		}
		if err != nil && err.Error() == "" {
			t.Fatal("a fault without a text")
		}
	})
}

// fsValid tells whether a name can be one of a file system's.
func fsValid(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// FuzzTemplate: no expression makes compiling or filling in panic, and no value of an event leaves the path that it was put into.
func FuzzTemplate(f *testing.F) {
	f.Add("https://a.example/{order.id}/x?y={order.number}", "A/1")
	f.Add("{order.id}{", "x")
	f.Add("https://a.example/{map(order.lines, {.sku})}", "..")
	f.Add("https://a.example/{order.total.amount * 2}", "?#@")
	f.Fuzz(func(t *testing.T, text, id string) {
		tmpl, err := ParseTemplate(text)
		if err != nil || len(text) > 200 {
			return
		}
		ev := &schemas.Event{ID: "e", Type: schemas.OrderCreated, Subject: id, Order: &schemas.Order{ID: id, Number: id}}
		if _, err := tmpl.Eval(ScopeOf(ev, "k")); err != nil {
			return
		}
		fixed, err := ParseTemplate("https://a.example/v1/{order.id}/x")
		if err != nil {
			t.Fatal(err)
		}
		got, err := fixed.Eval(ScopeOf(ev, "k"))
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Host != "a.example" || u.RawQuery != "" || u.Fragment != "" || strings.Count(u.EscapedPath(), "/") != 3 {
			t.Fatalf("%q led to %q (%v)", id, got, err)
		}
	})
}

// FuzzDuration: a duration is not negative.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"35d", "1d12h", "-5d", "106752d", "99999999999999d", "1h", "-1h", "", "d", "1dd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil && (d < 0) {
			t.Fatalf("%q is %s", s, d)
		}
	})
}

// FuzzFactSet: no answer of a console makes reading its facts panic.
func FuzzFactSet(f *testing.F) {
	f.Add([]byte(`{"id":"1","facts":[{"field":"order.total","owner":"shop","value":"1.00 EUR","as_of":"2026-11-02T08:00:00Z"}]}`))
	f.Add([]byte(`{"id":"1","facts":[null]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseFactSet(b)
		if err != nil {
			return
		}
		if got.ID == "" {
			t.Fatal("facts without an id")
		}
		_, _ = got.Seen(), got.view()
	})
}

// FuzzPlanFile: a plan that is taken is of the format that we write.
func FuzzPlanFile(f *testing.F) {
	f.Add([]byte(`{"format":1,"changes":[{"step":"topic"}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParsePlanFile(b); err == nil && p.Format != planFormat {
			t.Fatalf("format %d", p.Format)
		}
	})
}
