package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/bench"
)

// config is a small run on the cluster that the environment names, or an embedded one.
func config(cases ...string) bench.Config {
	c := bench.Config{Cases: cases, Events: 2000, Rounds: 1, Orders: 1000, Partitions: 4}
	if brokers := os.Getenv("SEAM_BROKERS"); brokers != "" {
		c.Brokers, c.Registry = strings.Split(brokers, ","), os.Getenv("SEAM_REGISTRY")
	}
	return c
}

// TestCases runs every case with few events: whatever their speed, each event must be accounted for on both sides.
func TestCases(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"dedup": {"dedup/unsubscribed", "dedup/withheld"}, "http": {"http"}, "ingest": {"ingest"},
		"memory": {"memory/stuck", "memory/closed"}, "ledger": {"ledger/cost", "ledger/memory", "ledger/disk", "ledger/restore", "ledger/resume"},
		"view": {"view/rate", "view/order"},
	}
	for _, name := range bench.Cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep, err := bench.Run(t.Context(), config(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range rep.Faults() {
				t.Error(f)
			}
			var got []string
			for _, res := range rep.Results {
				got = append(got, res.Case)
				for _, v := range append(res.Seam, res.Bare...) {
					if v <= 0 && res.Case != "ledger/memory" { // the tests beside share the heap that this one weighs
						t.Errorf("%s: measured %v", res.Case, v)
					}
				}
				if len(res.Seam) != 1 || len(res.Bare) > 0 && res.Ratio != res.Seam[0]/res.Bare[0] {
					t.Errorf("%s: %v against %v is not %v", res.Case, res.Seam, res.Bare, res.Ratio)
				}
			}
			if d := cmp.Diff(want[name], got); d != "" {
				t.Errorf("results (-want +got):\n%s", d)
			}
		})
	}
}

// TestRefuses is what cannot be measured.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  bench.Config
		want string
	}{
		{"unknown case", bench.Config{Cases: []string{"speed"}}, `bench: unknown case "speed": the cases are memory, dedup, http, ingest, ledger, view`},
		{"no registry", bench.Config{Brokers: []string{"127.0.0.1:1"}}, "bench: brokers are given without a registry: give both, or neither for the embedded ones"},
		{"too few events", bench.Config{Events: 10}, "bench: 10 events: give at least 1000"},
		{"too few orders", bench.Config{Orders: 10}, "bench: 10 orders: give at least 1000"},
		{"no round", bench.Config{Rounds: -1}, "bench: -1 rounds: give at least 1"},
		{"no partition", bench.Config{Partitions: -1}, "bench: -1 partitions: give at least 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := bench.Run(t.Context(), tt.cfg); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestDownstreamSeesWhoOvertook holds the judge of the http case to its word.
func TestDownstreamSeesWhoOvertook(t *testing.T) {
	t.Parallel()
	d, err := bench.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, path := range []string{"/a/1", "/b/2", "/a/3", "/a/3", "/b/1", "/a/2", "/a/4"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.URL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if calls, inversions := d.Counted(); calls != 7 || inversions != 2 {
		t.Errorf("%d calls and %d inversions, want 7 and 2", calls, inversions)
	}
}

// TestText is the report as people read it.
func TestText(t *testing.T) {
	t.Parallel()
	rep := bench.Report{Where: "embedded", Go: "go1.26", CPUs: 2, Events: 1000, Partitions: 8, Results: []bench.Result{
		{Case: "http", Unit: "events/s", Seam: []float64{900, 1100, 1234567}, Bare: []float64{1000, 1000, 2469134}, Ratio: 0.9, Target: 0.8, Note: "a note"},
		{Case: "dedup", Unit: "events/s", Seam: []float64{10, 20}, Bare: []float64{100, 100}, Ratio: 0.15, Target: 0.5, Note: "lost one", Faults: []string{"1 event is lost"}},
		{Case: "memory", Unit: "MB", Seam: []float64{301}, Target: 300, Most: true, Note: "peak"},
		{Case: "size", Unit: "bytes", Seam: []float64{12}, Note: "each"},
	}}
	var b bytes.Buffer
	if err := rep.Text(&b); err != nil {
		t.Fatal(err)
	}
	want := `kafka embedded · go1.26 · 2 CPUs · 1000 events · 8 partitions

http                 seam      1,100 events/s   bare      1,000   ratio 0.90   target at least 0.8: reached
    a note
dedup                seam         15 events/s   bare        100   ratio 0.15   target at least 0.5: MISSED
    lost one
    WRONG: 1 event is lost
memory               seam        301 MB   target at most 300: MISSED
    peak
size                 seam         12 bytes
    each
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var back bench.Report
	if text, err := json.Marshal(rep); err != nil || json.Unmarshal(text, &back) != nil || !cmp.Equal(rep, back) {
		t.Errorf("as JSON it is another report: %v", err)
	}
}
