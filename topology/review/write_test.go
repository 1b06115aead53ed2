package review

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

var update = flag.Bool("update", false, "rewrite what the tests compare with; review the diff")

// golden compares with a file, or rewrites it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got; go test ./topology/review -update rewrites it):\n%s", name, d)
	}
}

// mixed has an error, a warning, a note and a waived finding, and text that wants to be markup.
const mixed = `
integrations/tax.yaml: {deliver/0/once: null, rate: null, deliver/1/needs_within: 48h}
teams.yaml: {finance/chat: null}
waivers.yaml: "- {rule: rate-missing, on: tax, owner: finance, reason: 'the vendor has not <b>answered</b> | yet', expires: 2027-01-31}\n"
`

func mixedReport(t *testing.T) *Report {
	t.Helper()
	r := Folder(overlay(t, mixed), nothing, today)
	if unknown := r.Narrow([]string{"tax"}); unknown != nil {
		t.Fatal(unknown)
	}
	return &r
}

func TestFormats(t *testing.T) {
	t.Parallel()
	r := mixedReport(t)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.txt":  func(b *bytes.Buffer) error { return r.Text(b) },
		"report.md":   func(b *bytes.Buffer) error { return r.Markdown(b) },
		"report.html": func(b *bytes.Buffer) error { return r.HTML(b) },
		"report.json": func(b *bytes.Buffer) error { return r.JSON(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if name != "report.txt" && name != "report.json" && strings.Contains(b.String(), "<b>") {
			t.Errorf("%s: a text of the files is markup in it", name)
		}
		golden(t, filepath.Join("testdata", name), b.Bytes())
	}
}

// TestSARIF: what is written keeps to the schema of OASIS, and says what the report says.
func TestSARIF(t *testing.T) {
	t.Parallel()
	r := mixedReport(t)
	var b bytes.Buffer
	if err := r.SARIF(&b, "topology", "v0.0.0"); err != nil {
		t.Fatal(err)
	}
	// Validate looks at what the library would write again, so that members it does not know are looked for apart.
	exact := json.NewDecoder(bytes.NewReader(b.Bytes()))
	exact.DisallowUnknownFields()
	if err := exact.Decode(&sarif.Report{}); err != nil {
		t.Error(err)
	}
	log, err := sarif.FromBytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	english := "en-US"
	run := log.Runs[0] // the library writes empty texts and lists for what is left out, which the schema does not take
	run.Language, run.Tool.Driver.Language, run.NewlineSequences = english, english, []string{"\n"}
	if err := log.Validate(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, res := range log.Runs[0].Results {
		line := *res.RuleID + " " + *res.Locations[0].PhysicalLocation.ArtifactLocation.URI
		if len(res.Suppressions) > 0 {
			line += " suppressed"
		}
		got = append(got, line)
		if rule := log.Runs[0].Tool.Driver.Rules[res.RuleIndex]; *rule.ID != *res.RuleID {
			t.Errorf("%s has the index of %s", *res.RuleID, *rule.ID)
		}
	}
	want := []string{"once-missing topology/integrations/tax.yaml", "chat-missing topology/teams.yaml", "needs-longer-than-late topology/integrations/tax.yaml",
		"rate-missing topology/integrations/tax.yaml suppressed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
}

// TestRuleIDs: ids are for ever. One that goes, or changes, breaks waivers and what people have built on SARIF; new ones are
// added to the file.
func TestRuleIDs(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
		if r.Title == "" || len(r.Why) < 10 || r.Mend == "" || r.Severity == "" {
			t.Errorf("%s lacks a title, why it matters, a mend or a severity", r.ID)
		}
	}
	slices.Sort(ids)
	if len(ids) < 40 || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("%d rules, some twice or fewer than 40", len(ids))
	}
	golden(t, "testdata/ids.txt", []byte(strings.Join(ids, "\n")+"\n"))
}

// TestDocumented: docs/review.md holds the table of all rules as they are.
func TestDocumented(t *testing.T) {
	t.Parallel()
	const name = "../../docs/review.md"
	const begin, end = "<!-- rules -->\n", "<!-- end of rules -->\n"
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the rules", name)
	}
	var b bytes.Buffer
	if err := RulesMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, name, []byte(head+begin+"\n"+b.String()+end+tail))
}

// TestReportIsJSON: what programs read has every span as text and every list, be it empty.
func TestReportIsJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	r := Folder(overlay(t, "topics.yaml: {partitions: 8}"), nothing, today)
	r.Narrow([]string{"warehouse"})
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Integrations []struct{ Budget map[string]any }
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"complete_within": "30m", "stale_after": "15m", "objective": 99.5, "late_allowed": 6480.0, "away_allowed": "3h36m", "availability": 100.0,
		"usual": 0.5, "peak": 3.0, "rate": 50.0, "rate_declared": true, "slow_rate": 5.0, "attempts": 129.0, "amplification": 21.2, "open_calls": 120.0,
		"backlog": 1800.0, "drain": "36s", "drain_slow": "6m40s", "drain_peak": "3m50s", "dedup_window": "95d", "longest_retry": "30d", "longest_retry_by": "adyen",
		"retention": "90d", "remembers": "24h"}
	if d := cmp.Diff(want, got.Integrations[0].Budget); d != "" {
		t.Errorf("budget (-want +got):\n%s", d)
	}
}
