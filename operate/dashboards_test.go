package operate

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// measured is the table of docs/metrics.md: the labels of each metric. TestMetricsPage of package app holds it to a run.
func measured(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := []string{"job", "instance"}
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		out[m[1]] = labels
		if m[2] == "histogram" {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				out[m[1]+part] = append(slices.Clone(labels), "le")
			}
		}
	}
	if len(out) < 50 {
		t.Fatalf("docs/metrics.md has %d metrics: the table is not read", len(out))
	}
	out["up"] = []string{"job", "instance"}
	out["ALERTS"] = []string{"alertname", "alertstate", "severity", "integration", "environment", "team"}
	for _, m := range []string{"process_cpu_seconds_total", "process_resident_memory_bytes"} {
		out[m] = []string{"job", "instance"} // docs/metrics.md says process_*: the collector of client_golang
	}
	for _, m := range []string{"seam_kafka_read_bytes_total", "seam_kafka_connect_errors_total"} {
		out[m] = []string{"client", "node_id"} // docs/metrics.md says seam_kafka_*: kprom's names
	}
	return out
}

var (
	metricName = regexp.MustCompile(`\b(?:seam|kafka|process|go)[a-z0-9_]*_[a-z0-9_]+\b|\bup\b|\bALERTS\b`)
	selector   = regexp.MustCompile(`([a-zA-Z_:]+){([^}]*)}`)
	labelName  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// unknown is the metrics and labels of an expression that nothing exports.
func unknown(expr string, known map[string][]string) []string {
	var out []string
	for _, m := range metricName.FindAllString(quoted.ReplaceAllString(expr, ""), -1) {
		if known[m] == nil {
			out = append(out, m)
		}
	}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		for _, l := range labelName.FindAllStringSubmatch(quoted.ReplaceAllString(m[2], `""`), -1) {
			if known[m[1]] != nil && !slices.Contains(known[m[1]], l[1]) {
				out = append(out, m[1]+"{"+l[1]+"}")
			}
		}
	}
	return out
}

// TestUnknown: a metric or a label that nothing exports is found.
func TestUnknown(t *testing.T) {
	t.Parallel()
	known := measured(t)
	for expr, want := range map[string]string{
		`sum(rate(seam_outcomes_total{integration="erp",outcome="parked"}[5m]))`:                        "[]",
		`sum(rate(seam_outcome_total[5m]))`:                                                             "[seam_outcome_total]",
		`max(seam_parked{integration="erp",order="1"}) > 0`:                                             "[seam_parked{order}]",
		`histogram_quantile(0.9, sum by (le) (rate(seam_delivery_duration_seconds_bucket{x="y"}[5m])))`: "[seam_delivery_duration_seconds_bucket{x}]",
	} {
		if got := fmt.Sprint(unknown(expr, known)); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
}

// TestRulesAreMeasured: what rules and their tests ask for is exported, under these labels.
func TestRulesAreMeasured(t *testing.T) {
	t.Parallel()
	known, c := measured(t), Config{Topology: shipped(t)}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	all := c.all()
	rules := slices.Concat(c.recordedBudget(), c.recordedSilence())
	for i := range all {
		rules = append(rules, c.rule(&all[i]))
		for _, trial := range all[i].trials {
			for _, s := range trial.series {
				if bad := unknown(s.name, known); bad != nil {
					t.Errorf("%s is tried with %v, which nothing exports", all[i].name, bad)
				}
			}
		}
	}
	for _, r := range rules {
		if bad := unknown(r.Expr, known); bad != nil {
			t.Errorf("%s%s asks for %v, which nothing exports: %s", r.Alert, r.Record, bad, r.Expr)
		}
	}
}

// TestDashboards: every panel asks for what is exported, in PromQL that Prometheus reads, and stands where no other does.
func TestDashboards(t *testing.T) {
	t.Parallel()
	known, topo := measured(t), shipped(t)
	files, err := Dashboards(Config{Topology: topo})
	if err != nil {
		t.Fatal(err)
	}
	var exprs []rule
	for _, f := range files {
		var d dashboard
		if err := json.Unmarshal(f.Text, &d); err != nil {
			t.Fatal(err)
		}
		taken, ids, rows := map[[2]int]string{}, map[int]bool{}, map[string]bool{}
		for _, p := range d.Panels {
			rows[p.Title] = rows[p.Title] || p.Type == "row"
			if ids[p.ID] || p.ID < 1 {
				t.Errorf("%s: panel %q has the id %d of another", f.Name, p.Title, p.ID)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: panels %q and %q lie over each other, or beyond the edge", f.Name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type != "row" && len(p.Targets) == 0 {
				t.Errorf("%s: panel %q asks for nothing", f.Name, p.Title)
			}
			for _, tg := range p.Targets {
				if bad := unknown(tg.Expr, known); bad != nil {
					t.Errorf("%s: panel %q asks for %v, which nothing exports", f.Name, p.Title, bad)
				}
				exprs = append(exprs, rule{Record: fmt.Sprintf("panel:%d", len(exprs)), Expr: tg.Expr})
			}
		}
		if f.Name != "seam.json" {
			continue
		}
		for _, in := range topo.Integrations {
			if !rows["Integration "+in.Name] {
				t.Errorf("%s has no row", in.Name)
			}
		}
		for _, s := range topo.Sources {
			if !rows["Source "+s.Name] {
				t.Errorf("%s has no row", s.Name)
			}
		}
	}
	promtool := tool(t, "promtool")
	b, err := text(rulesFile{Groups: []group{{Name: "panels", Rules: exprs}}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", name).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

// TestLongNames: Grafana's ids are 40 characters at most, and differ where names do.
func TestLongNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 39)
	a, b := newBoard("seam-"+long+"a", "", ""), newBoard("seam-"+long+"b", "", "")
	if len(a.UID) > maxUID || len(b.UID) > maxUID || a.UID == b.UID {
		t.Errorf("%s and %s", a.UID, b.UID)
	}
}
