package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/replay"
	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// seam runs a verb of this build as a process against the running Seam, and gives its standard output and exit code.
func (w *whole) seam(args ...string) (out string, code int) {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), os.Args[0], append(args, "--bootstrap-server", strings.Join(w.kafka.Brokers, ","), "--registry", w.kafka.Registry)...)
	cmd.Env = append(os.Environ(), "SEAM_TEST_BE_SEAM=1", "SEAM_PREFIX="+w.kafka.Prefix)
	var talk strings.Builder
	cmd.Stderr = &talk
	b, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	if w.Logf("seam %s: exit %d\n%s%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), b, talk.String()); exit != nil {
		b = append(b, talk.String()...)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// replayed is what seam replay --json prints.
type replayed struct {
	Plan replay.Plan
	Run  *replay.Run
}

func (w *whole) replay(args ...string) replayed {
	w.Helper()
	var out replayed
	text, code := w.seam(append([]string{"replay", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &out); err != nil || code != 0 {
		w.Fatalf("exit %d, %v: %s", code, err, text)
	}
	return out
}

// done is how often the warehouse did each thing for orders, less what it did once.
func (w *whole) doneTwice() map[string]int {
	out := map[string]int{}
	for id, ops := range w.world.System("warehouse").Effects() {
		for op, n := range ops {
			if n != 1 {
				out[op+" "+id] = n
			}
		}
	}
	return out
}

// TestReplay goes back a day with the real command: a plan, the run of it, which does nothing again, and one order again on purpose,
// while orders come in.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	var ids []string
	for range 6 {
		ids = append(ids, w.world.Shop().Place(sim.Choices{}).ID)
	}
	w.settled(12)
	w.caughtUp()
	plan := w.replay("warehouse", "--by-duration", "PT1H").Plan
	total := 0
	for _, n := range plan.Finished {
		total += n
	}
	if plan.Events < 12 || plan.Orders < 6 || total+plan.Parked != plan.Events || len(plan.Calls)+plan.Unread != 0 {
		t.Errorf("%+v", plan)
	}
	w.world.Shop().Place(sim.Choices{})
	did := w.replay("warehouse", "--by-duration", "PT1H", "--execute", "--why", "looking", "--wait")
	if did.Run.Read != int64(did.Plan.Events) || did.Run.Finished != did.Run.Read || did.Run.Done != did.Run.Asked {
		t.Errorf("plan %+v, run %+v", did.Plan, did.Run)
	}
	if diff := cmp.Diff(map[string]int{}, w.doneTwice()); diff != "" {
		t.Errorf("a replay did: %s", diff)
	}
	w.caughtUp()
	again := w.replay("warehouse", "--to-earliest", "--redeliver", "--order", ids[2], "--type", "order.created", "--who", "ann", "--why", "the parcel was lost", "--execute", "--wait")
	w.world.Shop().Place(sim.Choices{})
	if len(again.Plan.Calls) != 1 || again.Plan.Calls[0].Count != 1 || again.Plan.Again != 1 || again.Plan.Chosen < 1 || again.Run.Called != 1 {
		t.Errorf("plan %+v, run %+v", again.Plan, again.Run)
	}
	if diff := cmp.Diff(map[string]int{"delivered": 1}, again.Run.Outcomes); diff != "" {
		t.Error(diff)
	}
	w.caughtUp()
	if diff := cmp.Diff(map[string]int{"fulfill " + ids[2]: 2}, w.doneTwice()); diff != "" {
		t.Errorf("wanted again is one thing: %s", diff)
	}
	topologytest.Eventually(w, "seam order tells who wanted it", func() error {
		if text, _ := w.seam("order", ids[2]); !strings.Contains(text, "again by ann: the parcel was lost (replay "+again.Run.ID+")") {
			return fmt.Errorf("it says\n%s", text)
		}
		return nil
	})
	w.stop()
	w.start(t.Context(), t.TempDir())
	w.caughtUp()
	if diff := cmp.Diff(map[string]int{"fulfill " + ids[2]: 2}, w.doneTwice()); diff != "" {
		t.Errorf("a restart did it again: %s", diff)
	}
	for text, args := range map[string][]string{
		"--why and --who are needed":    {"--to-earliest", "--execute"},
		"unknown integration":           {"--to-earliest"},
		"at least one of the flags":     {},
		"a replay goes back":            {"--shift-by", "3"},
		"a replay goes back, and skips": {"--to-offset", "1000000"},
	} {
		name := "warehouse"
		if text == "unknown integration" {
			name = "warehoose"
		}
		if out, code := w.seam(append([]string{"replay", name}, args...)...); code == 0 || !strings.Contains(out, text) {
			t.Errorf("%v: exit %d: %s", args, code, out)
		}
	}
}
