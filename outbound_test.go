package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// unguarded are files outside of package outbound that may make connections of their own, each with why.
var unguarded = map[string]string{
	"consumers/deliver/proxied.go": "its transport dials by the guard",
	"bench/http.go":                "measures bare loops against downstreams of its own",
	"bench/ingest.go":              "sends to an edge of its own",
	"drills/sim/world.go":          "is the world outside of Seam",

	"topology/topologytest/cluster.go": "asks the registry of tests",

	"cmd_health.go":       "asks this machine's own process, or what the command line names",
	"connect/registry.go": "reaches what the operator's environment names, and no file of the topology: Kafka, the registry and who gives them tokens",
	"connect/tls.go":      "as connect/registry.go",
	"connect/token.go":    "as connect/registry.go",
}

// makers are what connections are made with, by package.
var makers = map[string][]string{
	"net/http":   {"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
	"net":        {"Dialer", "Dial", "DialTimeout", "DialTCP"},
	"crypto/tls": {"Dialer", "Dial", "DialWithDialer"},
}

// TestCallsAreGuarded: no file but those above makes an HTTP client or dials, so that every call goes where the guard lets it.
func TestCallsAreGuarded(t *testing.T) {
	t.Parallel()
	found := dialling(t, os.DirFS("."))
	for _, at := range found {
		file, _, _ := strings.Cut(at, ":")
		if unguarded[file] == "" {
			t.Errorf("%s: make it by package outbound", at)
		}
	}
	for file := range unguarded {
		if !slices.ContainsFunc(found, func(at string) bool { return strings.HasPrefix(at, file+":") }) {
			t.Errorf("%s makes no connection any more: take it off the list", file)
		}
	}
	seen := dialling(t, fstest.MapFS{"a.go": {Data: []byte("package p\n\nimport web \"net/http\"\n\nvar c = &web.Client{}\n")}, "b_test.go": {Data: []byte("package p\n\nimport \"net\"\n\nvar d net.Dialer\n")}})
	if !slices.Equal(seen, []string{"a.go:5"}) {
		t.Errorf("of a tree with one client, it finds %v", seen)
	}
}

// dialling lists where the files of a tree make connections, as file:line.
func dialling(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (name == "outbound" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		made := map[string][]string{} // by the name under which a package is imported
		for _, spec := range f.Imports {
			full := strings.Trim(spec.Path.Value, `"`)
			as := path.Base(full)
			if spec.Name != nil {
				as = spec.Name.Name
			}
			if list := makers[full]; list != nil {
				made[as] = list
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var kind ast.Expr
			switch n := n.(type) {
			case *ast.CompositeLit:
				kind = n.Type
			case *ast.CallExpr:
				kind = n.Fun
			case *ast.SelectorExpr:
				if strings.HasPrefix(n.Sel.Name, "Default") {
					kind = n
				}
			}
			if sel, ok := kind.(*ast.SelectorExpr); ok {
				if of, ok := sel.X.(*ast.Ident); ok && slices.Contains(made[of.Name], sel.Sel.Name) {
					if at := set.Position(n.Pos()); !slices.Contains(found, at.Filename+":"+strconv.Itoa(at.Line)) {
						found = append(found, at.Filename+":"+strconv.Itoa(at.Line))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestSecurityPage: every test that docs/security.md names is there.
func TestSecurityPage(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		tests.WriteString(read(t, name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, threats, _ := strings.Cut(read(t, "docs/security.md"), "## Threats")
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(threats, -1)
	if len(named) < 40 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, m := range named {
		if !strings.Contains(tests.String(), "func "+m[1]+"(") {
			t.Errorf("docs/security.md names %s, which is not there", m[1])
		}
	}
}
