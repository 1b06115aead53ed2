package trial

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/topology"
)

func none(string) (string, bool) { return "", false }

// TestShipped runs the tests of every shipped integration: each has at least two.
func TestShipped(t *testing.T) {
	t.Parallel()
	files, err := Files(topology.Default())
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(topology.Default(), none, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]int{}
	for _, r := range results {
		cases[r.Integration]++
		if !r.OK {
			t.Errorf("%s:%d: %s\n  %s", r.File, r.Line, r.Case, strings.Join(r.Diff, "\n  "))
		}
	}
	shipped, err := fs.Glob(topology.Default(), "integrations/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range shipped {
		if integration, ok := strings.CutSuffix(path.Base(name), ".yaml"); ok && !strings.HasSuffix(name, topology.TestSuffix) && cases[integration] < 2 {
			t.Errorf("integrations/%s has %d cases, and should have two at least", integration+topology.TestSuffix, cases[integration])
		}
	}
}

// small is a topology of one integration.
func small(t *testing.T, integration, tests string) fs.FS {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"topics.yaml": "partitions: 1\n", "teams.yaml": "ops: {pager: p}\n",
		"ownership.yaml":              "order.status: {owner: shop, page: ops}\norder.email: {owner: shop, page: ops}\norder.total: {owner: erp, page: ops}\npayment.amount: {owner: shop, page: ops}\nunowned: [\"*\"]\n",
		"sources/shop.yaml":           "name: shop\nsystem: shop\nteam: ops\nplatform: standardwebhooks\n",
		"sources/erp.yaml":            "name: erp\nsystem: erp\nteam: ops\nplatform: standardwebhooks\n",
		"integrations/down.yaml":      integration,
		"integrations/down.test.yaml": tests,
	} {
		if err := os.MkdirAll(path.Dir(path.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return os.DirFS(dir)
}
