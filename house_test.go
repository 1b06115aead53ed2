package main_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/binaryandbeyond/seam"

// plan says which packages of ours a package may import outside its tests. Data flows one way: producers and
// consumers meet in a topic, never in an import. A new package is a new row.
var plan = map[string][]string{
	".":                          {"app", "bench", "connect", "console", "consumers", "consumers/reconcile", "consumers/reconcile/export", "consumers/replay", "contract", "contract/spec", "drills", "drills/sim", "mcp", "operate", "outbound", "producers", "schemas", "schemas/sealing", "snippets", "topology", "topology/review", "topology/scaffold", "tracing", "trial"},
	"schemas":                    {},
	"outbound":                   {},
	"schemas/sealing":            {"schemas", "topology"},
	"snippets":                   {"connect"},
	"topology":                   {"outbound", "schemas"},
	"topology/review":            {"outbound", "topology", "schemas"},
	"topology/scaffold":          {"topology", "schemas"},
	"topology/topologytest":      {"topology", "schemas"},
	"connect":                    {"topology"},
	"operate":                    {"topology"},
	"contract":                   {"schemas", "topology"},
	"contract/spec":              {"schemas", "topology"},
	"tracing":                    {"schemas"},
	"producers":                  {"contract", "outbound", "schemas", "topology", "tracing"},
	"consumers":                  {"consumers/deliver", "consumers/ledger", "consumers/replay", "consumers/rules", "contract", "outbound", "schemas", "topology", "tracing"},
	"consumers/lag":              {"topology"},
	"consumers/ledger":           {"schemas"},
	"consumers/rules":            {"schemas", "topology"},
	"consumers/deliver":          {"contract", "outbound", "schemas", "topology"},
	"consumers/replay":           {"consumers/ledger", "consumers/rules", "schemas", "topology"},
	"consumers/reconcile":        {"consumers/reconcile/money", "topology", "schemas"},
	"consumers/reconcile/export": {},
	"consumers/reconcile/money":  {"schemas"},
	"console":                    {"consumers/reconcile", "topology", "schemas"},
	"mcp":                        {"consumers/reconcile", "topology", "schemas"},
	"trial":                      {"consumers/rules", "consumers/deliver", "producers", "topology", "schemas"},
	"app": {"console", "contract", "consumers", "consumers/lag", "consumers/ledger", "consumers/rules", "consumers/deliver", "consumers/reconcile",
		"outbound", "producers", "topology", "schemas", "schemas/sealing"},
	"drills": {"app", "console", "consumers", "consumers/ledger", "consumers/rules", "consumers/deliver", "consumers/reconcile",
		"drills/sim", "producers", "topology", "topology/review", "schemas", "schemas/sealing"},
	"drills/sim": {"schemas"},
	"bench": {"app", "console", "consumers", "consumers/ledger", "consumers/rules", "consumers/deliver", "consumers/reconcile",
		"producers", "topology", "schemas", "schemas/sealing"},
}

// The longest a file may be, in lines. The house's own guide is half of it.
const (
	maxLines     = 400
	maxTestLines = 600
)

// TestHouse holds every Go file to what the house promises its readers.
func TestHouse(t *testing.T) {
	faults, packages, err := inspect(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
	if !slices.Contains(packages, "schemas") {
		t.Errorf("inspected %v: package schemas is not among them, so the walk went wrong", packages)
	}
}

// TestHouseSees proves that each rule of the house finds its fault.
func TestHouseSees(t *testing.T) {
	const doc = "// Package p is here.\n"
	tests := []struct {
		name, file, src string
		want            []string
	}{
		{"clean", "schemas/a.go", doc + "package p\n\n// A is one.\nconst A = 1\n", nil},
		{"import against the plan", "schemas/a.go", doc + "package p\n\nimport _ \"" + module + "/topology\"\n",
			[]string{"schemas/a.go:4: schemas imports topology: the import plan does not allow it"}},
		{"import by a test", "schemas/a_test.go", doc + "package p\n\nimport _ \"" + module + "/topology/topologytest\"\n", nil},
		{"package without a row", "other/a.go", doc + "package p\n",
			[]string{"other: no row in the import plan of house_test.go"}},
		{"no package doc", "schemas/a.go", "package p\n",
			[]string{"schemas: no package doc: say in doc.go what comes in, what goes out and what it never does"}},
		{"undocumented names", "schemas/a.go", doc + "package p\n\nfunc F() {}\n\ntype T int\n\nfunc (*T) M() {}\n\nfunc (t) M() {}\n\ntype t int\n\nvar (\n\tV = 1\n\tw = 2\n)\n",
			[]string{"schemas/a.go:4: F is exported and has no comment", "schemas/a.go:6: T is exported and has no comment",
				"schemas/a.go:8: M is exported and has no comment", "schemas/a.go:15: V is exported and has no comment"}},
		{"a comment for a block", "schemas/a.go", doc + "package p\n\n// The colours.\nconst (\n\tRed = iota\n\tBlue\n)\n", nil},
		{"sleep in a test", "schemas/a_test.go", "package p\n\nimport clock \"time\"\n\nfunc f() { clock.Sleep(1) }\n",
			[]string{"schemas/a_test.go:5: sleeps: wait on an event, with a bound"}},
		{"unfinished", "schemas/a.go", doc + "package p\n\nfunc f() { panic(\"TODO: later\") }\n\nfunc g() { panic(\"not implemented\") }\n\n// TODO mend\n",
			[]string{"schemas/a.go:4: panics as a place-holder", "schemas/a.go:6: panics as a place-holder", "schemas/a.go:8: TODO without an issue: write TODO(#12)"}},
		{"finished", "schemas/a.go", doc + "package p\n\n// TODO(#12): the other colours.\nfunc f() { panic(\"no such colour\") }\n", nil},
		{"too long", "schemas/a.go", doc + "package p\n" + strings.Repeat("\n", maxLines), []string{"schemas/a.go:1: 402 lines, more than 400: split it by what it is about"}},
		{"generated", "schemas/a.go", "// Code generated by x. DO NOT EDIT.\n\n" + doc + "package p\n" + strings.Repeat("\n", maxLines), nil},
		{"does not parse", "schemas/a.go", "package", []string{"schemas/a.go:1:8: expected 'IDENT', found 'EOF'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{}
			for name, src := range map[string]string{tt.file: tt.src, "testdata/x.go": "not go", ".hidden/x.go": "not go"} {
				tree[name] = &fstest.MapFile{Data: []byte(src)}
			}
			if strings.HasSuffix(tt.file, "_test.go") {
				tree[path.Dir(tt.file)+"/doc.go"] = &fstest.MapFile{Data: []byte(doc + "package p\n")}
			}
			got, _, err := inspect(tree)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

// TestVersionsAgree holds the compose file and the documents to the broker and registry that the tests run against.
func TestVersionsAgree(t *testing.T) {
	pom := read(t, "deploy/local/pom.xml")
	version := func(name string) string {
		m := regexp.MustCompile(`<` + name + `\.version>([^<]+)<`).FindStringSubmatch(pom)
		if m == nil {
			t.Fatalf("deploy/local/pom.xml has no property %s.version", name)
		}
		return m[1]
	}
	compose := read(t, "docker-compose.yml")
	for _, image := range []string{"apache/kafka:" + version("kafka"), "apicurio/apicurio-registry:" + version("apicurio")} {
		if !strings.Contains(compose, "image: "+image+"\n") {
			t.Errorf("docker-compose.yml does not use %s, the version of deploy/local/pom.xml", image)
		}
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if goVersion == nil || !strings.Contains(read(t, "deploy/Dockerfile"), "FROM golang:"+goVersion[1]+".") {
		t.Errorf("deploy/Dockerfile does not build with the Go of go.mod: %v", goVersion)
	}
}

// TestEnvironmentExample holds deploy/seam.env.example to what the shipped topology asks of the environment.
func TestEnvironmentExample(t *testing.T) {
	asked := map[string]bool{}
	for _, pattern := range []string{"topology/*.yaml", "topology/*/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			for _, m := range regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)[:}]`).FindAllStringSubmatch(read(t, name), -1) {
				asked[m[1]] = true
			}
		}
	}
	given := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z][A-Z0-9_]*)=`).FindAllStringSubmatch(read(t, "deploy/seam.env.example"), -1) {
		given[m[1]] = true
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(asked)), slices.Sorted(maps.Keys(given))); d != "" {
		t.Errorf("deploy/seam.env.example (-asked for in topology/ +given):\n%s", d)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// inspect gives the faults of every Go file of a tree as file:line: text, and the packages it saw.
func inspect(tree fs.FS) (faults, packages []string, err error) {
	documented := map[string]bool{}
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) { // renamed by an editor meanwhile
			return nil
		} else if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			faults = append(faults, err.Error())
			return nil
		}
		f := &file{name: name, dir: path.Dir(name), set: set, ast: parsed, lines: strings.Count(string(src), "\n")}
		faults = append(faults, f.faults()...)
		if !f.test() {
			if _, seen := documented[f.dir]; !seen {
				packages = append(packages, f.dir)
			}
			documented[f.dir] = documented[f.dir] || parsed.Doc != nil
		}
		return nil
	})
	for _, p := range packages {
		if !documented[p] {
			faults = append(faults, p+": no package doc: say in doc.go what comes in, what goes out and what it never does")
		}
		if _, ok := plan[p]; !ok {
			faults = append(faults, p+": no row in the import plan of house_test.go")
		}
	}
	return faults, packages, err
}

// file is one parsed Go file.
type file struct {
	name, dir string
	set       *token.FileSet
	ast       *ast.File
	lines     int
}

func (f *file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// faults are the file's offences against the house, in no promised order between rules.
func (f *file) faults() []string {
	var out []string
	at := func(p token.Pos, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s:%d: %s", f.name, f.set.Position(p).Line, fmt.Sprintf(format, args...)))
	}
	limit := maxLines
	if f.test() {
		limit = maxTestLines
	}
	if f.lines > limit && !ast.IsGenerated(f.ast) {
		at(f.ast.FileStart, "%d lines, more than %d: split it by what it is about", f.lines, limit)
	}
	if f.test() {
		f.sleeps(at)
	} else {
		f.imports(at)
		f.undocumented(at)
	}
	f.unfinished(at)
	return out
}

type report func(p token.Pos, format string, args ...any)

// imports checks the import plan.
func (f *file) imports(at report) {
	allowed, known := plan[f.dir]
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		ours, ok := strings.CutPrefix(p, module+"/")
		if ok && known && !slices.Contains(allowed, ours) {
			at(spec.Pos(), "%s imports %s: the import plan does not allow it", f.dir, ours)
		}
	}
}

// undocumented finds exported names without a comment of their own or of their block.
func (f *file) undocumented(at report) {
	name := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if id.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return d != nil }) {
			at(id.Pos(), "%s is exported and has no comment", id.Name)
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if receiverExported(d) {
				name(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					name(s.Name, d.Doc, s.Doc)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						name(id, d.Doc, s.Doc, s.Comment)
					}
				}
			}
		}
	}
}

// receiverExported is whether users see the function: it has no receiver, or one of an exported type.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// sleeps finds time.Sleep, under whatever name time is imported.
func (f *file) sleeps(at report) {
	clock := "time"
	for _, spec := range f.ast.Imports {
		if spec.Path.Value == `"time"` && spec.Name != nil {
			clock = spec.Name.Name
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == clock {
				at(n.Pos(), "sleeps: wait on an event, with a bound")
			}
		}
		return true
	})
}

var (
	placeholder = regexp.MustCompile(`(?i)todo|fixme|not (yet )?implemented|unimplemented`)
	bareTODO    = regexp.MustCompile(`\b(TODO|FIXME)\b(\(#\d+\))?`)
)

// unfinished finds what somebody meant to come back to.
func (f *file) unfinished(at report) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		fn, isName := call.Fun.(*ast.Ident)
		text, isText := call.Args[0].(*ast.BasicLit)
		if isName && fn.Name == "panic" && isText && placeholder.MatchString(text.Value) {
			at(call.Pos(), "panics as a place-holder")
		}
		return true
	})
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			for _, m := range bareTODO.FindAllStringSubmatch(c.Text, -1) {
				if m[2] == "" {
					at(c.Pos(), "TODO without an issue: write TODO(#12)")
				}
			}
		}
	}
}
