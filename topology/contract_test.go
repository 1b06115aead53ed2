package topology

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const contractFile = `name: a
integration:
  do:
    id: string
    status: {type: "string?", values: [open, closed]}
    lines[].price: number|string?
    anything: any?
`

func TestContractFile(t *testing.T) {
	t.Parallel()
	fsys := base()
	fsys["contracts/a.yaml"] = &fstest.MapFile{Data: []byte(contractFile)}
	topo, err := Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	got, ok := topo.Declared(SideIntegration, "a", "do")
	want := Shape{"id": {Types: []string{"string"}}, "status": {Types: []string{"string"}, Optional: true, Values: []string{"closed", "open"}},
		"lines[].price": {Types: []string{"number", "string"}, Optional: true}, "anything": {Optional: true}}
	if d := cmp.Diff(want, got); !ok || d != "" {
		t.Errorf("%t (-want +got):\n%s", ok, d)
	}
	for _, rule := range []string{"string", "number|string?", "any", "any?"} {
		var r ShapeRule
		if rest, optional := strings.CutSuffix(rule, "?"); rest != "any" {
			r = ShapeRule{Types: strings.Split(rest, "|"), Optional: optional}
		} else {
			r.Optional = optional
		}
		if r.Text() != rule {
			t.Errorf("%+v is written %q, want %q", r, r.Text(), rule)
		}
	}
	for _, nothing := range [][3]string{{SideSource, "a", "do"}, {SideIntegration, "a", "undo"}, {SideIntegration, "b", "do"}} {
		if _, ok := topo.Declared(nothing[0], nothing[1], nothing[2]); ok {
			t.Errorf("%v is declared", nothing)
		}
	}
	if topo.Learn != 200 {
		t.Errorf("it learns from %d documents", topo.Learn)
	}
}

func TestContractFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, new, want string }{
		{"another file's name", "name: a", "name: s", `contracts/a.yaml:1: name is "s": it must be the file's name, "a"`},
		{"a source that is none", "integration:", "source: {orders/create: {id: string}}\nintegration:", "contracts/a.yaml:2: no source is called a: take the section away, or name the file after a source"},
		{"an unknown route", "  do:", "  undo:", `contracts/a.yaml:3: a has no route "undo": it has do`},
		{"an unknown type", "id: string", "id: text", `contracts/a.yaml:4: "text" is no type of JSON: any, or some of array, boolean, number, object, string with | between, and ? where it may be missing or null`},
		{"words of a number", `"string?"`, "number", `contracts/a.yaml:5: values are of a string, and type says "number"`},
		{"an unknown key of a shape", "values:", "words:", `contracts/a.yaml:5: "words" is no key of a shape: type, values`},
		{"an unknown key", "name: a", "name: a\nowner: x", `contracts/a.yaml:2: unknown key "owner"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := base()
			fsys["contracts/a.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(contractFile, tt.old, tt.new, 1))}
			_, err := Load(fsys, func(string) (string, bool) { return "", false })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLearnOfNothing(t *testing.T) {
	t.Parallel()
	fsys := base()
	fsys["topics.yaml"] = &fstest.MapFile{Data: append(fsys["topics.yaml"].Data, "\nlearn: 0\n"...)}
	if _, err := Load(fsys, func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "learn is 0: of how many documents is a shape learned?") {
		t.Errorf("got %v", err)
	}
}
