package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// cluster.sh is where a real Kafka of the test's own comes from.
const clusterScript = "deploy/local/cluster.sh"

// brokers is how many brokers a Kafka of the test's own has. One alone would lose transactions when it comes back: its
// coordinator takes partitions whose leader is not yet known for deleted, and skips their markers.
const brokers = 3

// cluster is a Kafka that the test started and may break.
type cluster struct{ local string }

// ownKafka gives a Kafka for the rounds. Where the jars are at hand (SEAM_KAFKA_LIBS) it is a real one of the test's own,
// whose brokers may be broken one at a time; else the embedded one, or one that others use too, and the cluster is nil.
func ownKafka(t *testing.T) (*topologytest.Kafka, *cluster) {
	t.Helper()
	if os.Getenv("SEAM_KAFKA_LIBS") == "" {
		return topologytest.Cluster(t), nil
	}
	// A broker that was killed may not come back before its session is over: 9 s by default.
	out, err := script(t.Context(), "", "start", "--brokers", strconv.Itoa(brokers), "broker.session.timeout.ms=3000")
	if err != nil {
		t.Fatal(err)
	}
	exports := exportsOf(out)
	c := &cluster{exports["SEAM_LOCAL"]}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for n := range brokers {
			_ = c.do(ctx, "thaw", n+1) // it cannot end while it is frozen, and may not be
		}
		if _, err := script(ctx, c.local, "stop"); err != nil {
			t.Error(err)
		}
	})
	return &topologytest.Kafka{Brokers: strings.Split(exports["SEAM_BROKERS"], ","), Registry: exports["SEAM_REGISTRY"], Prefix: "rounds."}, c
}

// exportsOf is what a verb of the script prints to be exported.
func exportsOf(out string) map[string]string {
	exports := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
		exports[name] = strings.ReplaceAll(value, `\`, "") // bash's %q, of addresses and a path
	}
	return exports
}

// do has a verb of the script done to a broker, of those from 1 to brokers.
func (c *cluster) do(ctx context.Context, verb string, broker int) error {
	_, err := script(ctx, c.local, verb, strconv.Itoa(broker))
	return err
}

// script runs a verb of cluster.sh on a run of its own and gives what it prints; what it says is in the error.
func script(ctx context.Context, local string, args ...string) (string, error) {
	return scriptWith(ctx, []string{"SEAM_LOCAL=" + local}, args...)
}

// scriptWith is script with variables.
func scriptWith(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, clusterScript, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w\n%s", clusterScript, strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}
