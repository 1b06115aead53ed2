package review

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/binaryandbeyond/seam/topology"
)

var tracker = regexp.MustCompile(`^[\w.-]+/[\w.-]+#\d+$`)

// TestCorpus: each of the bad topologies, of the failures that Seam was made for and of those that people told of in public
// trackers, is refused, for the reason that its story tells.
func TestCorpus(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	trackers := map[string]bool{}
	reasons := map[string]string{}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
		if len(lines) != 3 || len(a.Files) != 1 {
			t.Fatalf("%s: want a line of story, from:, refused by:, and the file changes", name)
		}
		from, rule := strings.TrimPrefix(lines[1], "from: "), strings.TrimPrefix(lines[2], "refused by: ")
		if tracker.MatchString(from) {
			trackers[from] = true
		} else if from != "essay" {
			t.Errorf("%s: from %q: essay, or owner/repository#number", name, from)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			report := Folder(overlay(t, string(a.Files[0].Data)), nothing, today)
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Rule == rule && f.Severity == Error && f.Waived == nil }) {
				t.Errorf("is not refused by %s: %v", rule, report.Findings)
			}
		})
		changes := string(a.Files[0].Data)
		if other := reasons[rule+changes]; other != "" {
			t.Errorf("%s is %s again", name, other)
		}
		reasons[rule+changes] = name
	}
	if len(names) < 40 || len(trackers) < 20 {
		t.Errorf("%d topologies, %d of trackers: want 40 and 20", len(names), len(trackers))
	}
}

// TestAdmit: what is refused does not start, whatever does not concern the process does not matter, and what is waived may run.
func TestAdmit(t *testing.T) {
	t.Parallel()
	read := func(changes string) *topology.Topology {
		topo, err := topology.LoadForReading(overlay(t, changes), nothing)
		if err != nil {
			t.Fatal(err)
		}
		return topo
	}
	const bad = "integrations/tax.yaml: {deliver/0/once: null}\nsources/tax.yaml: {patience: null}\n"
	const waived = bad + `waivers.yaml: "- {rule: once-missing, on: integrations/tax, owner: finance, reason: the gateway refuses a second document, expires: 2027-01-31}\n"` + "\n"
	tests := []struct {
		name, changes string
		only          []string
		want          string
	}{
		{"what ships", "topics.yaml: {partitions: 8}", nil, ""},
		{"all", bad, nil, "the review refuses the topology, for 2 reasons:\n" +
			"  integrations/tax.yaml:12: tax makes a request for every order.created of an order, and nothing says once (once-missing)\n" +
			"  sources/tax.yaml:5: how long does tax wait for an answer? (source-patience-unknown)\nsee: seam review tax"},
		{"another integration", bad, []string{"warehouse"}, ""},
		{"this one", bad, []string{"tax"}, "the review refuses the topology, for 1 reason:\n" +
			"  integrations/tax.yaml:12: tax makes a request for every order.created of an order, and nothing says once (once-missing)\nsee: seam review tax"},
		{"the edge", waived, []string{"edge"}, "the review refuses the topology, for 1 reason:\n" +
			"  sources/tax.yaml:5: how long does tax wait for an answer? (source-patience-unknown)\nsee: seam review tax"},
		{"waived", waived, []string{"tax"}, ""},
		{"of all", "money.yaml: {page: null}", []string{"crm"}, "the review refuses the topology, for 1 reason:\n" +
			"  money.yaml:1: who is paged when systems differ about amounts? (money-nobody-paged)\nsee: seam review"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := Admit(read(tt.changes), today, tt.only); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
	expired := today.Add(100 * 24 * time.Hour)
	if err := Admit(read(waived), expired, []string{"tax"}); err == nil || !strings.Contains(err.Error(), "waiver-expired") || !strings.Contains(err.Error(), "once-missing") {
		t.Errorf("after the waiver's end: %v", err)
	}
}
