package review

import (
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// today is when the tests review; waivers of fixtures expire by it.
var today = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func nothing(string) (string, bool) { return "", false }

// TestShippedPasses: what ships with Seam is refused nowhere, and warned of nowhere.
func TestShippedPasses(t *testing.T) {
	t.Parallel()
	for _, environment := range []string{"development", "staging", "production"} {
		r := Folder(topology.Default(), func(name string) (string, bool) {
			switch {
			case name == "SEAM_ENVIRONMENT":
				return environment, true
			case strings.HasSuffix(name, "_URL"):
				return "https://" + strings.ToLower(strings.TrimSuffix(name, "_URL")) + ".shop.net", true
			}
			return "", false
		}, today)
		for _, f := range r.Findings {
			if f.Severity != Note && f.Rule != "min-insync-missing" { // the broker's to say, and it is not there to be asked
				t.Error(environment, f.Severity, f)
			}
		}
	}
}
