package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// mine writes a small topology and gives its folder.
func mine(t *testing.T, environment, prefix string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"topics.yaml":    "environment: " + environment + "\nprefix: \"" + prefix + "\"\npartitions: 2\n",
		"teams.yaml":     "ops: {pager: p, hours: 24x7}\n",
		"money.yaml":     "page: ops\n",
		"ownership.yaml": "order.number: {owner: shop, page: ops}\nunowned: [\"*\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPlanToApply goes the way of a reviewed change: plan to a file, apply the file, nothing left; then drift, a moved cluster, a
// dangerous change, another environment, and the history of it all.
func TestPlanToApply(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	dir := mine(t, "staging", k.Prefix)
	file := filepath.Join(t.TempDir(), "plan.json")
	seam := func(code int, want string, args ...string) string {
		t.Helper()
		var out, talk bytes.Buffer
		args = append(args, "--bootstrap-server", strings.Join(k.Brokers, ","), "--registry", k.Registry)
		if got := run(args, &out, &talk); got != code || !strings.Contains(out.String()+talk.String(), want) {
			t.Fatalf("seam %v = %d, want %d and %q:\n%s%s", args, got, code, want, out.String(), talk.String())
		}
		return out.String()
	}
	seam(2, "+ claim   the cluster is staging's for prefix \""+k.Prefix+"\"", "plan", "--topology", dir, "--out", file)
	seam(0, "+ topic   "+k.Prefix+"orders", "apply", file, "--topology", dir)
	seam(0, "nothing to do", "plan", "--topology", dir)
	seam(0, "nothing to do", "apply", file, "--topology", dir)
	seam(0, "staging, for prefix", "environment", "--topology", dir)

	value := "1000000"
	admin := kadm.NewClient(k.Client(t))
	if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.bytes", Value: &value}}, k.Prefix+"orders"); err != nil {
		t.Fatal(err)
	}
	topologytest.Eventually(t, "the config is told", func() error {
		var out bytes.Buffer
		if run([]string{"plan", "--topology", dir, "--bootstrap-server", strings.Join(k.Brokers, ","), "--registry", k.Registry}, &out, &out) != 2 {
			return os.ErrNotExist
		}
		return nil
	})
	seam(1, "have moved since the plan was made", "apply", file, "--topology", dir)
	seam(1, "the plan holds dangerous changes", "apply", "--topology", dir)
	var shown struct{ Verdict, Environment string }
	if err := json.Unmarshal([]byte(seam(2, "retention.bytes", "plan", "--json", "--topology", dir)), &shown); err != nil || shown.Verdict != "danger" || shown.Environment != "staging" {
		t.Errorf("plan --json = %+v, %v", shown, err)
	}
	seam(0, "- topic   "+k.Prefix+"orders  retention.bytes", "apply", "--allow-danger", "--topology", dir)
	if history := seam(0, "done  staging", "plan", "history", "--topology", dir); strings.Count(history, "done  staging") != 2 {
		t.Errorf("history has not the two that were applied:\n%s", history)
	}

	other := mine(t, "test", k.Prefix)
	seam(1, " points there) was claimed by staging", "plan", "--topology", other)
	seam(1, "refuses", "apply", "--topology", other)
	seam(1, "this is environment test", "run", "--topology", other, "--only", "edge", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	seam(1, "this is environment test", "status", "--topology", other)
	seam(1, "staging, for prefix", "environment", "--topology", other)
	seam(1, "the cluster is claimed by staging, not by test", "environment", "release", "test", "--topology", other)
	seam(0, "nobody's", "environment", "release", "staging", "--topology", other)
	seam(2, "+ claim   the cluster is test's", "plan", "--topology", other)
}
