package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/drills"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestKilledAtAnyMoment tells the story of the bad Monday to a Seam that is a process of its own and is killed (SIGKILL)
// at random moments, seeded, and started again. Nothing may be lost and nothing doubled: the story's own judge says.
// SEAM_KILL_SEED and SEAM_KILLS choose another run.
func TestKilledAtAnyMoment(t *testing.T) {
	seed, kills := int64(fromEnv("SEAM_KILL_SEED", 1)), fromEnv("SEAM_KILLS", 4)
	k := topologytest.Cluster(t)
	killer := &killer{t: t, kafka: k, rng: rand.New(rand.NewPCG(uint64(seed), 9)), kills: kills}
	out := &buffer{}
	report, err := drills.Story(t.Context(), drills.StoryConfig{Orders: 60, Seed: seed, Out: out, Start: killer.start, Prefix: k.Prefix, Crashes: true, Deadline: 3 * time.Minute})
	t.Logf("killed %d times\n%s", killer.killed.Load(), out)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
	if killer.killed.Load() == 0 {
		t.Error("it was never killed: the test proved nothing")
	}
}

// killer runs Seam as a child process that dies often.
type killer struct {
	t      *testing.T
	kafka  *topologytest.Kafka
	rng    *rand.Rand
	kills  int
	killed atomic.Int32
}

// start runs children, one after the other, on one address until ctx ends.
func (k *killer) start(ctx context.Context, s drills.Setting, ready func(drills.Running)) error {
	listen := freeAddress(k.t)
	environ := append(os.Environ(), beSeam+"=1")
	for name, value := range s.Env {
		environ = append(environ, name+"="+value)
	}
	for life := 0; ctx.Err() == nil; life++ {
		cmd := exec.CommandContext(ctx, os.Args[0], "run", "--bootstrap-server", strings.Join(k.kafka.Brokers, ","), "--registry", k.kafka.Registry, "--apply",
			"--instance", "victim", "--listen", listen, "--data", s.DataDir, "--time-scale", fmt.Sprint(s.Scale), "--log-level", "info")
		cmd.Env = environ
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 30 * time.Second
		if err := k.live(cmd, life, func() {
			ready(drills.Running{EdgeURL: "http://" + listen, BootstrapServers: strings.Join(k.kafka.Brokers, ","), RegistryURL: k.kafka.Registry})
		}); err != nil && ctx.Err() == nil && life >= k.kills {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// live is one life: it ends by itself, or by SIGKILL after a random number of the outcomes that its log tells of.
func (k *killer) live(cmd *exec.Cmd, life int, ready func()) error {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	after := 1 << 30
	if life < k.kills {
		after = 1 + k.rng.IntN(6000/k.kills) // about 8000 in all
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if life == 0 && strings.Contains(lines.Text(), "seam is ready") {
				ready()
			}
		}
	})
	wg.Go(func() {
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for outcomes := 0; lines.Scan(); {
			switch text := lines.Text(); {
			case strings.Contains(text, `"msg":"outcome"`):
				if outcomes++; outcomes == after {
					k.killed.Add(1)
					_ = cmd.Process.Kill() // it may have ended by itself
				}
			case strings.Contains(text, `"level":"ERROR"`), !strings.HasPrefix(text, "{"):
				k.t.Logf("life %d: %s", life, text)
			}
		}
	})
	wg.Wait()
	return cmd.Wait()
}

// freeAddress is a loopback address nobody listens on, below the ports that clients are given.
func freeAddress(t *testing.T) string {
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// fromEnv is a number of the environment.
func fromEnv(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// buffer is a writer that more than one goroutine may use.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var _ io.Writer = (*buffer)(nil)
