package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// cluster.sh is where a real Kafka of the test's own comes from.
const clusterScript = "deploy/local/cluster.sh"

// broker is a Kafka that the test started and may break.
type broker struct{ local string }

// ownKafka gives a Kafka for the rounds. Where the jars are at hand (SEAM_KAFKA_LIBS) it is a real one of the test's own,
// which may be broken; else the embedded one, or one that others use too, and the broker is nil.
func ownKafka(t *testing.T) (*topologytest.Kafka, *broker) {
	t.Helper()
	if os.Getenv("SEAM_KAFKA_LIBS") == "" {
		return topologytest.Cluster(t), nil
	}
	// A broker that was killed may not come back before its session is over: 9 s by default.
	out, err := script(t.Context(), "", "start", "broker.session.timeout.ms=3000")
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
		exports[name] = strings.ReplaceAll(value, `\`, "") // bash's %q, of addresses and a path
	}
	b := &broker{exports["SEAM_LOCAL"]}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = b.thaw(ctx) // it cannot end while it is frozen, and may not be
		if _, err := script(ctx, b.local, "stop"); err != nil {
			t.Error(err)
		}
	})
	return &topologytest.Kafka{Brokers: strings.Split(exports["SEAM_BROKERS"], ","), Registry: exports["SEAM_REGISTRY"], Prefix: "rounds."}, b
}

func (b *broker) restart(ctx context.Context) error { return b.do(ctx, "restart") }
func (b *broker) freeze(ctx context.Context) error  { return b.do(ctx, "freeze") }
func (b *broker) thaw(ctx context.Context) error    { return b.do(ctx, "thaw") }

func (b *broker) do(ctx context.Context, verb string) error {
	_, err := script(ctx, b.local, verb)
	return err
}

// script runs a verb of cluster.sh on a run of its own and gives what it prints; what it says is in the error.
func script(ctx context.Context, local string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, clusterScript, args...)
	cmd.Env = append(os.Environ(), "SEAM_LOCAL="+local)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w\n%s", clusterScript, strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}
