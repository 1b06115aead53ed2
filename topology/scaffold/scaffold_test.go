package scaffold

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

// folder is a topology of one's own.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mine")
	if _, err := Topology(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTopology writes what ships, once.
func TestTopology(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if _, err := topology.LoadForReading(os.DirFS(dir), none); err != nil {
		t.Errorf("what was written does not load: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "env.example")); err != nil || !strings.Contains(string(b), "\nWAREHOUSE_URL=\n") || !strings.Contains(string(b), "\nSHOPIFY_SECRET=\n") {
		t.Errorf("env.example: %s (%v)", b, err)
	}
	if err := os.Remove(filepath.Join(dir, "topics.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := Topology(dir); err == nil || !strings.Contains(err.Error(), "exists: nothing is written over") {
		t.Errorf("a folder with files: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "topics.yaml")); err == nil {
		t.Error("a part was written")
	}
}

// TestAsk asks what no flag answered, and nothing else, until the input ends.
func TestAsk(t *testing.T) {
	t.Parallel()
	questions := []Question{{Key: "a", Of: "question 1", Ask: "twice?"}, {Key: "b", Ask: "how?", Default: "POST"}, {Key: "c", Ask: "who?"}, {Key: "d", Ask: "when?"}}
	answers := map[string]string{"c": "me"}
	var out bytes.Buffer
	if err := Ask(strings.NewReader(" upsert \n\n"), &out, questions, answers); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"a": "upsert", "b": "", "c": "me"}, answers); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
	if want := "question 1: twice?: how? [POST]: when?: \n"; out.String() != want {
		t.Errorf("asked %q, want %q", out.String(), want)
	}
}

// TestIntegration: every way to answer makes a file that loads, or leaves a question open, or is refused and leaves nothing.
func TestIntegration(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	full := map[string]string{KeyTeam: "crm", KeyOn: "order.created refund.succeeded", KeyOnce: "yes", KeyURL: "${A_URL}/v1/{event.subject}?x=1", KeyMethod: "put", KeyIdempotency: "upsert",
		KeyOperation: "yes", KeyCompleteWithin: "1h", KeyStaleAfter: "30m", KeyVolume: "30/m 3/s", KeyRate: "20/s", KeyGiveUpAfter: "2h",
		KeyBody: `id=order.id, lines=map(order.lines, {{"sku": .sku, "n": .quantity}}), who=order.email ?? "a, b"`, KeyReadBack: "GET ${A_URL}/v1/{event.subject}, order.total=answer.total"}
	with := func(key, value string) map[string]string {
		out := map[string]string{}
		for k, v := range full {
			out[k] = v
		}
		out[key] = value
		return out
	}
	tests := []struct {
		name    string
		answers map[string]string
		open    []string // starts of the open questions' texts
		err     string
	}{
		{"full", full, nil, ""},
		{"key", with(KeyIdempotency, "key 24h"), nil, ""},
		{"key-forgets", with(KeyIdempotency, "key"), []string{"remembers is open: question 1"}, ""},
		{"probe", with(KeyIdempotency, "probe GET ${A_URL}/v1/{event.subject}"), nil, ""},
		{"deletes", with(KeyMethod, "DELETE"), nil, ""},
		{"nothing-to-tell", with(KeyBody, ""), []string{"body is open: question 2"}, ""},
		{"quiet", with(KeyVolume, ""), []string{"volume is open: question 4"}, ""},
		{"sometimes", with(KeyIdempotency, "sometimes"), nil, "integrations/sometimes.yaml:7: "},
		{"late", with(KeyStaleAfter, "tomorrow"), nil, `bad duration "tomorrow": write 30s, 15m, 2h or 35d`},
		{"mistyped", with(KeyBody, "id=order.idd"), nil, `expression "order.idd"`},
		{"Bad Name", full, nil, `name "Bad Name": use lower case letters, digits and -, at most 40`},
	}
	for _, tt := range tests {
		w, err := Integration(dir, tt.name, tt.answers)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: err = %v, want %s", tt.name, err, tt.err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "integrations", tt.name+"*")); left != nil {
				t.Errorf("%s: %v is left", tt.name, left)
			}
			continue
		}
		if err != nil || len(w.Open) != len(tt.open) {
			t.Errorf("%s: %v, open: %v", tt.name, err, w)
			continue
		}
		for i, o := range w.Open {
			if !strings.HasPrefix(o.Text, tt.open[i]) {
				t.Errorf("%s: open %s, want %s", tt.name, o.Text, tt.open[i])
			}
		}
		if err := os.Remove(filepath.Join(dir, "integrations", tt.name+".yaml")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSource leaves open what only its people know.
func TestSource(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	w, err := Source(dir, "returns", map[string]string{KeyPlatform: "standardwebhooks", KeySystem: "warehouse"})
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, o := range w.Open {
		key, _, _ := strings.Cut(o.Text, " ")
		open = append(open, key)
	}
	if d := cmp.Diff([]string{"team", "emits", "patience", "retries_for"}, open); d != "" {
		t.Errorf("open (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"RETURNS_SECRET"}, w.Variables); d != "" {
		t.Errorf("variables (-want +got):\n%s", d)
	}
	if _, err := Source(dir, "shop2", map[string]string{KeyPlatform: "magento", KeySystem: "shop", KeyTeam: "crm"}); err == nil || !strings.Contains(err.Error(), `unknown platform "magento"`) {
		t.Errorf("a platform that is none: %v", err)
	}
}

func none(string) (string, bool) { return "", false }
