package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tally counts by name what was seen, and wakes whoever waits for a count.
type tally struct {
	mu      sync.Mutex
	n       map[string]int
	changed chan struct{} // closed at the next change
}

func newTally() *tally { return &tally{n: map[string]int{}, changed: make(chan struct{})} }

// add counts one more of each name.
func (t *tally) add(names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		t.n[name]++
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tally) of(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n[name]
}

// until asks cond at every change until it holds or ctx ends; the context's end is the error.
func (t *tally) until(ctx context.Context, cond func() bool) error {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// within is until with a bound of its own; false when the bound or ctx came first.
func (t *tally) within(ctx context.Context, d time.Duration, cond func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return t.until(ctx, cond) == nil
}

// proc is one place for a Seam process: it is started, killed and started again under one name.
type proc struct {
	t     *testing.T
	name  string
	args  []string
	env   []string
	tally *tally
	// binary is another build of the command; this test's own when empty.
	binary string

	cmd   *exec.Cmd
	ended chan struct{} // closed when the life is over
	err   error         // how it ended; to be read once ended is closed

	mu   sync.Mutex
	last []string // newest lines above Info
	log  *os.File // all lines of every life
}

// start begins a life and returns once it takes webhooks.
func (p *proc) start(ctx context.Context) error {
	p.cmd = exec.Command(cmp.Or(p.binary, os.Args[0]), append([]string{"run"}, p.args...)...)
	p.cmd.Env = append(append(os.Environ(), "SEAM_LOG_OUTCOMES=all"), p.env...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	p.ended = ended
	var reading sync.WaitGroup
	reading.Go(func() { p.hear(stdout, func(line string) { once(line, "seam is ready", ready) }) })
	reading.Go(func() { p.hear(stderr, p.note) })
	go func() {
		reading.Wait()
		p.err = p.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ready:
		return nil
	case <-ended:
		return fmt.Errorf("%s ended before it was ready (%w)\n%s", p.name, p.err, p.words())
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w\n%s", p.name, context.Cause(ctx), p.words())
	}
}

// once closes ch at the first line that holds text; no other goroutine closes it.
func once(line, text string, ch chan struct{}) {
	if strings.Contains(line, text) {
		select {
		case <-ch:
		default:
			close(ch)
		}
	}
}

// hear reads lines until the process has closed its end.
func (p *proc) hear(r io.Reader, on func(line string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		on(lines.Text())
	}
}

// note counts what a line of the log tells: outcomes, partitions taken over, engines that began anew.
func (p *proc) note(line string) {
	_, _ = fmt.Fprintln(p.log, line) // for whoever looks into a failure
	switch {
	case strings.Contains(line, `"msg":"outcome"`):
		p.tally.add("outcome", "outcome/"+p.name)
		return
	case strings.Contains(line, `"msg":"partition restored"`):
		var said struct{ Integration string }
		_ = json.Unmarshal([]byte(line), &said) // a line that is none counts for no integration
		p.tally.add("restored/"+p.name, "restored/"+p.name+"/"+said.Integration)
		return
	case strings.Contains(line, `"msg":"worker restarts"`):
		p.tally.add("engine restarts")
	case strings.Contains(line, `"msg":"the worker stops: no new calls"`):
		p.tally.add("stops/" + p.name)
	case strings.Contains(line, `"msg":"the topology is reloaded`):
		p.tally.add("reloads/" + p.name)
	case strings.Contains(line, `"msg":"the topology is not reloaded`):
		defer p.tally.add("refusals/" + p.name)
	case strings.Contains(line, `"level":"INFO"`):
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.last) >= 40 {
		p.last = slices.Delete(p.last, 0, 1)
	}
	p.last = append(p.last, line)
}

// words are the newest lines of the process above Info.
func (p *proc) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name + ": " + strings.Join(p.last, "\n"+p.name+": ")
}

// kill ends the life with SIGKILL.
func (p *proc) kill() error {
	p.mark("SIGKILL")
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s, which ended by itself: %w\n%s", p.name, err, p.words())
	}
	<-p.ended
	return nil
}

// stop interrupts the process and waits until it has ended well.
func (p *proc) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("interrupt %s, which ended by itself: %w\n%s", p.name, err, p.words())
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s ended badly: %w\n%s", p.name, p.err, p.words())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w\n%s", p.name, context.Cause(ctx), p.words())
	}
}

func (p *proc) freeze() error {
	p.mark("SIGSTOP")
	return p.cmd.Process.Signal(syscall.SIGSTOP)
}

func (p *proc) thaw(context.Context) error {
	p.mark("SIGCONT")
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

// mark writes into the log what is done to the process.
func (p *proc) mark(what string) {
	_, _ = fmt.Fprintf(p.log, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), what)
}

// end kills what still runs, whatever state it is in.
func (p *proc) end() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}
