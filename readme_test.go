package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestReadme runs every command of the README as a newcomer would, in its order. "go run ." is this build.
func TestReadme(t *testing.T) {
	if os.Getenv("SEAM_BROKERS") != "" {
		t.Skip("the README's commands are for the embedded broker; they ran without SEAM_BROKERS")
	}
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	for _, port := range []int{8080, 8090, topology.EmbeddedBrokerPort, topology.EmbeddedRegistryPort} {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Skipf("something listens on port %d, which the README's commands use", port)
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if file, err := os.ReadFile("topology/integrations/warehouse.yaml"); err != nil || !strings.Contains(string(text), string(file)) {
		t.Errorf("the README shows another warehouse.yaml than the one that ships (%v)", err)
	}
	sh := newShell(t)
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		block := m[1]
		switch {
		case strings.Contains(block, "demo --keep"):
			sh.keep(block)
		case strings.Contains(block, "/in/shopify"):
			if out := sh.must(block); strings.Count(out, "event_ids") != 2 {
				t.Errorf("two webhooks were sent, and the edge answered\n%s", out)
			}
		case strings.Contains(block, "go run . order"):
			topologytest.Eventually(t, "the README's order is complete", func() error {
				if out, err := sh.run(block); err != nil || !strings.Contains(out, ": complete in") || !strings.Contains(out, "ful_") {
					return fmt.Errorf("%w\n%s", err, out)
				}
				return nil
			})
		default:
			sh.must(block)
		}
	}
}

// shell runs blocks of the README.
type shell struct {
	t   *testing.T
	env []string
}

// newShell makes a go command whose "go run ." is this test binary as seam, and whose "go test" is the run under way.
func newShell(t *testing.T) *shell {
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1 $2\" in\n'run .') shift 2; exec %q \"$@\";;\n'test ./...') exit 0;;\n*) echo \"not a command of the README: go $*\" >&2; exit 2;;\nesac\n", os.Args[0])
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return &shell{t: t, env: append(os.Environ(), beSeam+"=1", "PATH="+dir+":"+os.Getenv("PATH"))}
}

func (s *shell) run(block string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), "bash", "-euo", "pipefail", "-c", block)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *shell) must(block string) string {
	s.t.Helper()
	out, err := s.run(block)
	if err != nil {
		s.t.Fatalf("%s\n%v\n%s", block, err, out)
	}
	return out
}

// keep runs the block that stays up, until the test ends.
func (s *shell) keep(block string) {
	s.t.Helper()
	out := &buffer{}
	cmd := exec.Command("bash", "-c", "exec "+strings.TrimSpace(block))
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		if err := <-ended; err != nil {
			s.t.Errorf("%s\nended badly after an interrupt: %v", block, err)
		}
	})
	limit := time.After(3 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(out.String(), "still running") {
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			s.t.Fatalf("%s\nended: %v\n%s", block, err, out)
		case <-limit:
			s.t.Fatalf("%s\nis not up:\n%s", block, out)
		}
	}
}
