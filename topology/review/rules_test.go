package review

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// fixture is one rule's: changes to the shipped topology that it finds, and others close by that it does not.
type fixture struct {
	fails, passes string
	also          []string // rules that find the failing ones too
}

func fixtures(t *testing.T) map[string]fixture {
	t.Helper()
	names, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]fixture{}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Files) != 2 || a.Files[0].Name != "fails" || a.Files[1].Name != "passes" {
			t.Fatalf("%s: want the files fails and passes", name)
		}
		f := fixture{fails: string(a.Files[0].Data), passes: string(a.Files[1].Data)}
		if also, ok := strings.CutPrefix(strings.TrimSpace(string(a.Comment)), "also: "); ok {
			f.also = strings.Split(also, ", ")
		}
		out[strings.TrimSuffix(filepath.Base(name), ".txtar")] = f
	}
	return out
}

// TestRules: each rule finds what its failing fixture breaks, nothing else does unless the fixture says so, and it finds nothing
// in its passing one.
func TestRules(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	for _, rule := range Rules() {
		f, ok := all[rule.ID]
		if !ok {
			t.Errorf("testdata/rules/%s.txtar is missing: a rule has a fixture that fails and one that passes", rule.ID)
			continue
		}
		delete(all, rule.ID)
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			got := found(t, f.fails)
			if rule.ID == "recorder-unseen" { // what ships has it
				got = append(got, rule.ID)
			}
			want := append([]string{rule.ID}, f.also...)
			slices.Sort(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("failing fixture (-want +got):\n%s", d)
				for _, finding := range Folder(overlay(t, f.fails), nothing, today).Findings {
					t.Log(finding)
				}
			}
			report := Folder(overlay(t, f.passes), nothing, today)
			for _, finding := range report.Findings {
				if finding.Rule == rule.ID && finding.Waived == nil && !shippedToo(finding) {
					t.Errorf("passing fixture: %s", finding)
				}
			}
		})
	}
	for id := range all {
		t.Errorf("testdata/rules/%s.txtar is no rule's", id)
	}
}

// shippedToo tells of the notes that what ships has.
func shippedToo(f Finding) bool { return f.Severity == Note && f.On == "integrations/crm" }
