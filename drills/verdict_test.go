package drills

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/schemas"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	type effects = map[string]map[string]int
	tests := []struct {
		name    string
		should  map[string]due
		effects effects
		held    map[string]int
		want    SystemReport
		faults  []string
	}{
		{"as it should be", map[string]due{"A": {"fulfill": exactly(1), "cancel": exactly(0)}}, effects{"A": {"fulfill": 1}}, nil,
			SystemReport{System: "warehouse", Should: 1, Did: 1}, nil},
		{"doubled", map[string]due{"A": {"fulfill": exactly(1)}}, effects{"A": {"fulfill": 2}}, nil,
			SystemReport{System: "warehouse", Should: 1, Did: 2, Doubled: 1}, []string{"warehouse did fulfill for A 2 times, and should have once"}},
		{"doubled, and parked is no excuse", map[string]due{"A": {"fulfill": exactly(1)}}, effects{"A": {"fulfill": 2}}, map[string]int{"warehouse/A": 1},
			SystemReport{System: "warehouse", Should: 1, Did: 2, Doubled: 1}, []string{"warehouse did fulfill for A 2 times, and should have once"}},
		{"missing", map[string]due{"A": {"fulfill": exactly(1)}}, effects{}, map[string]int{"warehouse/B": 1},
			SystemReport{System: "warehouse", Should: 1, Missing: 1}, []string{"warehouse did not do fulfill for A"}},
		{"missing and parked", map[string]due{"A": {"fulfill": exactly(1)}}, effects{}, map[string]int{"warehouse/A": 1},
			SystemReport{System: "warehouse", Should: 1, Missing: 1, Parked: 1}, nil},
		{"not asked for", map[string]due{"A": {"fulfill": exactly(0)}}, effects{"A": {"fulfill": 1}, "B": {"fulfill": 1}}, nil,
			SystemReport{System: "warehouse", Did: 2, Doubled: 2}, []string{"warehouse did fulfill for A once, and should have not at all", "warehouse did fulfill for B, which nobody asked for"}},
		{"either is right", map[string]due{"A": {"cancel": span{0, 1}}, "B": {"cancel": span{0, 1}}}, effects{"A": {"cancel": 1}}, nil,
			SystemReport{System: "warehouse", Should: 1, Did: 1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, faults := compare("warehouse", tt.should, tt.effects, tt.held)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.faults, faults); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	refund := sim.Refund{ID: "R1"}
	full := sim.Refund{ID: "R2", Full: true}
	tests := []struct {
		name            string
		order           sim.Order
		fulfill, cancel span
		cases           int
	}{
		{"unpaid", sim.Order{ID: "A", Status: "open"}, exactly(0), exactly(0), 0},
		{"paid", sim.Order{ID: "A", Status: "open", PaidID: "T"}, exactly(1), exactly(0), 0},
		{"partly refunded", sim.Order{ID: "A", Status: "open", PaidID: "T", Refunds: []sim.Refund{refund}}, exactly(1), exactly(0), 1},
		{"fully refunded", sim.Order{ID: "A", Status: "open", PaidID: "T", Refunds: []sim.Refund{refund, full}}, span{0, 1}, span{0, 1}, 2},
		{"cancelled unpaid", sim.Order{ID: "A", Status: "cancelled"}, exactly(0), exactly(0), 0},
		{"cancelled paid", sim.Order{ID: "A", Status: "cancelled", PaidID: "T"}, span{0, 1}, span{0, 1}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := truthOf([]sim.Order{tt.order}, []sim.Customer{{ID: "C"}})
			wh := got["warehouse"]["A"]
			if wh["fulfill"] != tt.fulfill || wh["cancel"] != tt.cancel {
				t.Errorf("warehouse = %v", wh)
			}
			if n := got["support"]["A"][string(schemas.RefundSucceeded)]; n != exactly(tt.cases) {
				t.Errorf("cases = %v, want %d", n, tt.cases)
			}
			if n := got["erp"]["A"]["refund/R1"]; len(tt.order.Refunds) > 0 && n != exactly(1) {
				t.Errorf("refund in the ERP = %v", n)
			}
			if got["crm"]["C"]["contact"] != exactly(1) || got["erp"]["A"]["order"] != exactly(1) {
				t.Errorf("truth = %v", got)
			}
		})
	}
}

func TestActsPlaceEveryOrder(t *testing.T) {
	t.Parallel()
	for _, all := range []int{20, 37, 300, 5000} {
		sum := 0
		for _, a := range acts(all) {
			if a.orders < 0 {
				t.Errorf("%d orders: %q places %d", all, a.title, a.orders)
			}
			sum += a.orders
		}
		if sum != all {
			t.Errorf("the acts place %d orders, want %d", sum, all)
		}
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	got := group([]*schemas.Outcome{
		{Integration: "support", Reason: schemas.ReasonUnknown, OrderID: "A", Detail: "reset"},
		{Integration: "tax", Reason: schemas.ReasonBehind, OrderID: "B"},
		{Integration: "tax", Reason: schemas.ReasonContract, OrderID: "B", Detail: "299"},
		{Integration: "tax", Reason: schemas.ReasonContract, OrderID: "C", Detail: "299"},
	})
	want := []ParkedReport{
		{"support", schemas.ReasonUnknown, 1, "order A: reset"}, {"tax", schemas.ReasonBehind, 1, "order B: "}, {"tax", schemas.ReasonContract, 2, "order B: 299"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPaperIsPlainWithoutATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newPaper(StoryConfig{Out: &out, Scale: 1}, time.Now())
	p.act("Rain")
	p.live("is not shown")
	p.say(strings.Repeat("word ", 30))
	p.closing(Report{
		Orders: 1234, Systems: []SystemReport{{System: "tax", Should: 3, Did: 1, Missing: 2, Parked: 2}},
		Parked:        []ParkedReport{{"tax", schemas.ReasonContract, 2, "x"}},
		Disagreements: []DisagreementReport{{"order.total", "shop", "erp", 2, 1, 1, 17 * time.Minute}},
		Violations:    []string{"tax doubled"}, Took: time.Second,
	})
	text := out.String()
	for _, want := range []string{
		"08:00  Rain\n       word word", "1 234 orders", "  tax               3        1        0        0        2\n",
		"  tax           2  an answer outside the contract", "  order.total              shop, not erp          2        1        1  17 minutes\n", "1 promises broken:\n  tax doubled\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %q in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, "is not shown") {
		t.Errorf("a plain paper has terminal codes:\n%q", text)
	}
	for _, l := range strings.Split(text, "\n") {
		if len(l) > width {
			t.Errorf("line of %d: %s", len(l), l)
		}
	}
}
