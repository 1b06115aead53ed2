package mcp_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/mcp"
	"github.com/binaryandbeyond/seam/schemas"
)

// desk is an assistant with plans, and the person who approves them.
type desk struct {
	session
	world *world
	data  string
	plans *mcp.Plans
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	data := t.TempDir()
	plans, err := mcp.OpenPlans(data)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, texts{})
	return &desk{connect(t, mcp.NewServer(w.backend(), mcp.Options{Plans: plans})), w, data, plans}
}

// plan makes a plan and gives its id.
func (d *desk) plan(tool string, args map[string]any) string {
	d.Helper()
	var seam struct {
		ID string `json:"plan_id"`
	}
	if err := json.Unmarshal(d.must(tool, args).Seam, &seam); err != nil {
		d.Fatal(err)
	}
	return seam.ID
}

func (d *desk) approve(id string) {
	d.Helper()
	if _, err := d.plans.Approve(mcp.Approval{Plan: id, Who: "jo", Why: "asked the gateway", At: noon}); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) decided(want ...string) {
	d.Helper()
	if diff := cmp.Diff(want, d.world.decided); diff != "" {
		d.Errorf("decided (-want +got):\n%s", diff)
	}
}

func id(id string) map[string]any { return map[string]any{"plan_id": id} }

func TestPlanApproveApply(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.must("plan_release", map[string]any{"order": "1001"})
	plan := d.plan("plan_release", map[string]any{"order": "1001"}) // again: the same plan
	if want := `{"events":2,"kind":"release","next":"nothing is decided: a person looks at it with seam mcp approve ` + plan + `","orders":1,"plan_id":"` + plan + `"}`; string(a.Seam) != want {
		t.Errorf("%s, want %s", a.Seam, want)
	}
	for _, want := range []string{`"integration":"tax"`, `"integration":"warehouse"`, `"event_id":"e1"`} {
		if !strings.Contains(string(a.Data), want) {
			t.Errorf("%s is not in %s", want, a.Data)
		}
	}
	d.refused("apply_plan", id(plan), "nobody has approved this plan")
	d.decided()
	d.approve(plan)
	d.decided()
	d.must("apply_plan", id(plan))
	want := []string{"release tax e1 by jo: asked the gateway (plan " + plan + ")", "release warehouse e1 by jo: asked the gateway (plan " + plan + ")"}
	d.decided(want...)
	d.refused("apply_plan", id(plan), "this plan was used already")
	if _, err := d.plans.Approve(mcp.Approval{Plan: plan, Who: "jo", Why: "again"}); !errors.Is(err, mcp.ErrApplied) {
		t.Errorf("approved after it was used: %v", err)
	}
	d.decided(want...)
}

// TestAnotherPlan does not go through on the approval of one.
func TestAnotherPlan(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	release, discard, tax := d.plan("plan_release", map[string]any{"order": "1001"}), d.plan("plan_discard", map[string]any{"order": "1001"}), d.plan("plan_release", map[string]any{"integration": "tax"})
	d.approve(tax)
	for _, other := range []string{release, discard} {
		d.refused("apply_plan", id(other), "nobody has approved this plan")
	}
	// What an assistant with hands on the folder might try: another plan's content, or yes, under an approved name.
	swap := func(from, to, ending string) {
		b, err := os.ReadFile(filepath.Join(d.data, "plans", from+ending))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.data, "plans", to+ending), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(d.data, "plans", tax+".plan.json")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), `"release"`, `"discard"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.refused("apply_plan", id(tax), "there is no such plan: the file of "+tax+" holds another")
	swap(discard, tax, ".plan.json")
	d.refused("apply_plan", id(tax), "there is no such plan: the file of "+tax+" holds another")
	swap(tax, release, ".approved.json")
	d.refused("apply_plan", id(release), "nobody has approved this plan")
	for _, wrong := range []string{"", "../" + tax, strings.Repeat("0", 32), strings.ToUpper(tax)} {
		d.refused("apply_plan", id(wrong), "there is no such plan")
	}
	d.decided()
}

// TestChangedState refuses a plan once anything of it is otherwise.
func TestChangedState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*world)
	}{
		{"one event is gone", func(w *world) { w.parked = w.parked[:1] }},
		{"for another reason", func(w *world) { w.parked[0].Reason = schemas.ReasonUnknown }},
		{"tried again", func(w *world) { w.parked[0].Attempts = append(w.parked[0].Attempts, schemas.Attempt{}) }},
		{"parked again", func(w *world) { w.parked[0].Since = noon.Add(1) }},
		{"somebody decided", func(w *world) { w.parked[1].Command = 12 }},
		{"another answer", func(w *world) { w.parked[1].Detail = "answered 423" }},
		{"other bytes", func(w *world) { w.parked[1].Value = []byte("other") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			plan := d.plan("plan_discard", map[string]any{"order": "1001"})
			d.approve(plan)
			tt.change(d.world)
			d.refused("apply_plan", id(plan), "has changed since")
			d.decided()
		})
	}
	d := newDesk(t)
	plan := d.plan("plan_discard", map[string]any{"integration": "tax"})
	d.approve(plan)
	d.world.parked[0].Reason = schemas.ReasonUnknown // the warehouse's: no part of the plan
	d.must("apply_plan", id(plan))
	d.decided("discard tax e1 by jo: asked the gateway (plan " + plan + ")")
}

// TestUsedOnce carries a plan out once, whoever asks at the same time, and not again after a fault.
func TestUsedOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	plan := d.plan("plan_release", map[string]any{"integration": "tax"})
	d.approve(plan)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { d.call("apply_plan", id(plan)) })
	}
	all.Wait()
	d.decided("release tax e1 by jo: asked the gateway (plan " + plan + ")")

	f := newDesk(t)
	f.world.broken = errors.New("no broker answers")
	plan = f.plan("plan_release", map[string]any{"integration": "tax"})
	f.approve(plan)
	f.refused("apply_plan", id(plan), "is used up, and not all of it may be done: no broker answers")
	f.refused("apply_plan", id(plan), "this plan was used already")
	f.decided("release tax e1 by jo: asked the gateway (plan " + plan + ")")
}

func TestPlanFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.refused("plan_release", map[string]any{}, "name what is meant")
	d.refused("plan_release", map[string]any{"order": "4711"}, "nothing that is parked fits")
	d.refused("plan_release", map[string]any{"order": "1001", "approved": true}, "approved")
	plan := d.plan("plan_release", map[string]any{"order": "1001"})
	for _, a := range []mcp.Approval{{Plan: plan, Who: "jo"}, {Plan: plan, Why: "so"}, {Plan: plan, Who: " ", Why: " "}} {
		if _, err := d.plans.Approve(a); err == nil {
			t.Errorf("approved: %+v", a)
		}
	}
	d.approve(plan)
	if _, err := d.plans.Approve(mcp.Approval{Plan: plan, Who: "al", Why: "too"}); err == nil {
		t.Error("approved twice")
	}
	for range 8 {
		d.world.parked = append(d.world.parked, d.world.parked...)
	}
	d.refused("plan_discard", map[string]any{"order": "1001"}, "512 events fit, and a plan has at most 200")
}
