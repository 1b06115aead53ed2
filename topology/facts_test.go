package topology

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

func TestShippedFactsPolicy(t *testing.T) {
	t.Parallel()
	topo, err := Load(Default(), everything)
	if err != nil {
		t.Fatal(err)
	}
	topo.Scale(0.5)
	want := &Facts{
		Fields:         []string{"order.total", "order.lines", "order.status?", "order.payment_status?", "customer.segment?", "inventory.available?"},
		MaxStaleness:   Duration(12 * time.Hour),
		MaxStalenessOf: map[string]Duration{"customer.*": Duration(365 * 12 * time.Hour)},
		OnDisagreement: DisagreementRefuse,
		Wait:           Duration(12 * time.Hour),
	}
	if d := cmp.Diff(want, topo.Integration("enrichment").Facts); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if f := topo.Integration("warehouse").Facts; f != nil {
		t.Errorf("the warehouse has a policy that nobody gave it: %+v", f)
	}
}

func TestMatchField(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern       string
		field         schemas.Field
		match, demand bool
	}{
		{"order.total", "order.total", true, true},
		{"order.total?", "order.total", true, false},
		{"order.total", "order.tax", false, true},
		{"order.*", "order.tax", true, false},
		{"order.*", "customer.email", false, false},
		{"*", "customer.email", true, false},
		{"order.t*", "order.total", false, false},
		{"*total", "order.total", false, true},
		{"", "order.total", false, true},
	}
	for _, tt := range tests {
		if got := MatchField(tt.pattern, tt.field); got != tt.match {
			t.Errorf("MatchField(%q, %q) = %v", tt.pattern, tt.field, got)
		}
		if got := MustKnow(tt.pattern); got != tt.demand {
			t.Errorf("MustKnow(%q) = %v", tt.pattern, got)
		}
	}
}
