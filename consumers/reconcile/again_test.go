package reconcile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestDeliveredAgain: of an event that a person had delivered again the newest effect counts, and the former where the wish came to
// nothing. The view keeps that.
func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	again := func(kind schemas.Kind, reason schemas.Reason, seconds int) *schemas.Outcome {
		o := outcome("warehouse", "e1", schemas.OrderCreated, kind, reason, seconds)
		o.Replay = &schemas.Replay{ID: "r1", Who: "ann", Why: "lost"}
		return o
	}
	first := outcome("warehouse", "e1", schemas.OrderCreated, schemas.Delivered, "", 1)
	for name, tt := range map[string]struct {
		outcomes []*schemas.Outcome
		want     string
	}{
		"delivered":          {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Delivered, "", 3)}, "delivered/ 12:00:03"},
		"under way":          {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2)}, "parked/replay 12:00:02"},
		"waits for a person": {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Parked, schemas.ReasonBusinessNo, 3)}, "parked/business_no 12:00:03"},
		"newer stands there": {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Superseded, schemas.ReasonStale, 3)}, "delivered/ 12:00:01"},
		"given up":           {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Discarded, schemas.ReasonOperator, 3)}, "delivered/ 12:00:01"},
		"refused":            {[]*schemas.Outcome{first, again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Rejected, schemas.ReasonBusinessNo, 3)}, "rejected/business_no 12:00:03"},
		"the first is gone":  {[]*schemas.Outcome{again(schemas.Parked, schemas.ReasonReplay, 2), again(schemas.Superseded, schemas.ReasonStale, 3)}, "superseded/stale 12:00:03"},
		"a second wish":      {[]*schemas.Outcome{first, again(schemas.Delivered, "", 3), again(schemas.Parked, schemas.ReasonReplay, 4), again(schemas.Withheld, schemas.ReasonErased, 5)}, "delivered/ 12:00:03"},
	} {
		facts := []fact{event("e1", schemas.OrderCreated, "shop", 0)}
		for _, o := range tt.outcomes {
			facts = append(facts, o)
		}
		order := fold(topo, facts...).Order(at(10))
		got := ""
		for _, in := range order.Integrations {
			if in.Name == "warehouse" {
				a := in.Answers[0]
				got = string(a.Kind) + "/" + string(a.Reason) + " " + a.Since.Format("15:04:05")
				if len(a.Steps) != len(tt.outcomes) {
					t.Errorf("%s: %d steps are told of %d", name, len(a.Steps), len(tt.outcomes))
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
