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
	"syscall"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/drills"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestKilledAtAnyMoment tells the story of the bad Monday to a Seam that is a process of its own and is killed (SIGKILL)
// at random moments, seeded, and started again. Beside it a second process runs the integrations too, is frozen (SIGSTOP)
// at random moments until its partitions are the first one's, and wakes believing they are its own. Nothing may be lost and
// nothing doubled: the story's own judge says. SEAM_KILL_SEED, SEAM_KILLS and SEAM_FREEZES choose another run.
func TestKilledAtAnyMoment(t *testing.T) {
	seed, kills := int64(fromEnv("SEAM_KILL_SEED", 1)), fromEnv("SEAM_KILLS", 4)
	k := topologytest.Cluster(t)
	killer := &killer{t: t, kafka: k, rng: rand.New(rand.NewPCG(uint64(seed), 9)), kills: kills, freezes: fromEnv("SEAM_FREEZES", 1), restored: make(chan struct{}, 1)}
	out := &buffer{}
	report, err := drills.Story(t.Context(), drills.StoryConfig{Orders: 60, Seed: seed, Out: out, Start: killer.start, Prefix: k.Prefix, Crashes: true, Deadline: 3 * time.Minute})
	t.Logf("killed %d times, frozen %d times\n%s", killer.killed.Load(), killer.frozen.Load(), out)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
	if killer.killed.Load() == 0 || killer.frozen.Load() == 0 && killer.freezes > 0 {
		t.Error("it was never killed, or never frozen: the test proved nothing")
	}
}

// killer runs Seam as a child process that dies often.
type killer struct {
	t       *testing.T
	kafka   *topologytest.Kafka
	rng     *rand.Rand
	kills   int
	freezes int
	killed  atomic.Int32
	frozen  atomic.Int32

	restored chan struct{} // the victim took a partition over
}

// start runs children, one after the other, on one address until ctx ends.
func (k *killer) start(ctx context.Context, s drills.Setting, ready func(drills.Running)) error {
	listen := freeAddress(k.t)
	console := freeAddress(k.t)
	environ := append(os.Environ(), beSeam+"=1", "SEAM_LOG_OUTCOMES=all")
	for name, value := range s.Env {
		environ = append(environ, name+"="+value)
	}
	child := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"run", "--bootstrap-server", strings.Join(k.kafka.Brokers, ","), "--registry", k.kafka.Registry, "--apply",
			"--console", "127.0.0.1:0", "--time-scale", fmt.Sprint(s.Scale)}, args...)...)
		cmd.Env = environ
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 30 * time.Second
		return cmd
	}
	var names []string
	for _, in := range s.Topology.Integrations {
		names = append(names, in.Name)
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	up := sync.OnceFunc(func() {
		ready(drills.Running{EdgeURL: "http://" + listen, BootstrapServers: strings.Join(k.kafka.Brokers, ","), RegistryURL: k.kafka.Registry})
		if k.freezes > 0 {
			seed := k.rng.Int64()
			beside.Go(func() {
				k.freeze(ctx, child("--only", strings.Join(names, ","), "--instance", "frozen", "--listen", "127.0.0.1:0", "--facts", "http://"+console), rand.New(rand.NewPCG(uint64(seed), 1)))
			})
		}
	})
	for life := 0; ctx.Err() == nil; life++ {
		err := k.live(child("--instance", "victim", "--listen", listen, "--console", console, "--data", s.DataDir), life, up)
		if err != nil && ctx.Err() == nil && life >= k.kills {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// freeze runs a process that is stopped now and then until the victim has taken over from it.
func (k *killer) freeze(ctx context.Context, cmd *exec.Cmd, rng *rand.Rand) {
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		k.t.Error(err)
		return
	}
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	after := 1 + rng.IntN(200)
	for outcomes := 0; lines.Scan(); {
		if strings.Contains(lines.Text(), `"level":"ERROR"`) {
			k.t.Logf("frozen: %s", lines.Text())
		}
		if !strings.Contains(lines.Text(), `"msg":"outcome"`) {
			continue
		}
		if outcomes++; outcomes < after || int(k.frozen.Load()) >= k.freezes {
			continue
		}
		select {
		case <-k.restored: // of a time before
		default:
		}
		if cmd.Process.Signal(syscall.SIGSTOP) != nil {
			break // it has ended
		}
		select {
		case <-k.restored:
		case <-ctx.Done():
		}
		k.frozen.Add(1)
		after = outcomes + 1 + rng.IntN(400)
		if cmd.Process.Signal(syscall.SIGCONT) != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		k.t.Errorf("the frozen process ended: %v", err)
	}
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
			case strings.Contains(text, `"msg":"partition restored"`):
				select {
				case k.restored <- struct{}{}:
				default:
				}
			case strings.Contains(text, `"level":"ERROR"`), !strings.HasPrefix(text, "{"):
				k.t.Logf("life %d: %s", life, text)
			}
		}
	})
	wg.Wait()
	return cmd.Wait()
}

// lastPort is how many ports were given to tests.
var lastPort atomic.Int32

// freeAddress is a loopback address nobody listens on, below the ports that clients are given, and another at each call.
func freeAddress(t *testing.T) string {
	for {
		port := 20000 + os.Getpid()%5000 + int(lastPort.Add(1))
		if port >= 32000 {
			t.Fatal("no free port")
		}
		ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			ln.Close()
			return ln.Addr().String()
		}
	}
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
