package operate

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// shipped is the topology that ships, with a subscriber, a declared silence and a window beside.
func shipped(t *testing.T) *topology.Topology {
	t.Helper()
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// some leaves a topology three integrations and the sources of three systems: promtool evaluates every rule at every step, and more
// of a kind prove no more.
func some(topo *topology.Topology) {
	topo.Integrations = slices.DeleteFunc(topo.Integrations, func(in topology.Integration) bool {
		return !slices.Contains([]string{"analytics", "tax", "warehouse"}, in.Name)
	})
	topo.Sources = slices.DeleteFunc(topo.Sources, func(s topology.Source) bool {
		return !slices.Contains([]schemas.System{"shop", "psp", "erp"}, s.System)
	})
	for _, op := range topo.Operations {
		maps.DeleteFunc(op.Done, func(key string, _ topology.Duration) bool { in, _ := topo.DoneBy(key); return in == nil })
	}
}

// tool is a program of Prometheus' or Alertmanager's; without it the test is skipped, where SEAM_INTEROP is set it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("SEAM_INTEROP") == "1":
		t.Fatalf("%s is missing: install it (Debian: prometheus, prometheus-alertmanager)", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return path
}

// written is the files of a config in a folder.
func written(t *testing.T, c Config) string {
	t.Helper()
	files, err := Alerts(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		to := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, f.Text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRules holds every rule to its trials: it fires, does not fire, and resolves, as Prometheus itself evaluates it.
func TestRules(t *testing.T) {
	t.Parallel()
	if os.Getenv("SEAM_BROKERS") != "" {
		t.Skip("rules know no broker; they ran without SEAM_BROKERS")
	}
	promtool := tool(t, "promtool")
	topo := shipped(t)
	some(topo)
	topo.Subscribers = append(topo.Subscribers, topology.Subscriber{Team: "finance", Group: "finance.books", Reads: []string{"orders"}, LagObjective: topology.Duration(900e9)})
	topo.Source("shopify").SilentAfter = topology.Duration(3600e9)
	topo.Source("woocommerce").Spool = true
	dir := written(t, Config{Topology: topo})
	found := func(pattern string) []string {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no files (%v)", pattern, err)
		}
		return names
	}
	if out, err := exec.CommandContext(t.Context(), promtool, append([]string{"check", "rules"}, found("rules/*.yaml")...)...).CombinedOutput(); err != nil || strings.Contains(string(out), "duplicate") {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	for _, name := range found("tests/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", name).CombinedOutput(); err != nil {
				t.Errorf("promtool test rules: %v\n%.4000s", err, out)
			}
		})
	}
}
