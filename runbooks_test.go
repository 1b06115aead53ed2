package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/operate"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// runbooks is the text of every page by its name.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/runbooks/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	out := map[string]string{}
	for _, name := range names {
		out[strings.TrimSuffix(filepath.Base(name), ".md")] = read(t, name)
	}
	return out
}

// TestRunbooksAreOfAlerts: every alert that reaches people has its page, every page of an alert has its alert, and the index and
// docs/alerts.md have both.
func TestRunbooksAreOfAlerts(t *testing.T) {
	t.Parallel()
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	topo.Subscribers = append(topo.Subscribers, topology.Subscriber{Team: "finance", Group: "books", LagObjective: topology.Duration(900e9)})
	topo.Sources[0].Spool = true
	files, err := operate.Alerts(operate.Config{Topology: topo})
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string]bool{}
	for _, f := range files {
		for _, m := range regexp.MustCompile(`runbook_url: docs/runbooks/(\w+)\.md\n`).FindAllStringSubmatch(string(f.Text), -1) {
			alerts[m[1]] = true
		}
	}
	pages := runbooks(t)
	index, list := pages["README"], read(t, "docs/alerts.md")
	delete(pages, "README")
	var has, want []string
	for name, text := range pages {
		if !strings.Contains(index, "]("+name+".md)") {
			t.Errorf("docs/runbooks/README.md does not name %s", name)
		}
		if strings.HasPrefix(name, "Seam") {
			has = append(has, name)
			for _, part := range []string{"# " + name + "\n", "\n**Whose:** ", "\n## Look\n", "\n## Mend\n", "\n## Do not\n", "```sh\n"} {
				if !strings.Contains(text, part) {
					t.Errorf("docs/runbooks/%s.md has no %q", name, strings.TrimSpace(part))
				}
			}
		}
	}
	for name := range alerts {
		want = append(want, name)
		if !strings.Contains(list, "[`"+name+"`](runbooks/"+name+".md)") {
			t.Errorf("docs/alerts.md does not list %s", name)
		}
	}
	slices.Sort(has)
	slices.Sort(want)
	if d := cmp.Diff(want, has); d != "" {
		t.Errorf("docs/runbooks (-alerts +pages):\n%s", d)
	}
}

// TestRunbookCommands runs every command of every runbook as it is written, against a Seam in which one order was delivered and one
// is parked. A command may end with 1, which says that something was found, and then says nothing on stderr.
func TestRunbookCommands(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		interop(t, tool)
	}
	w := newWhole(t)
	shop, warehouse := w.world.Shop(), w.world.System("warehouse")
	order := shop.Place(sim.Choices{})
	made := func(id string) func() error {
		return func() error {
			if len(warehouse.Effects()[id]) == 0 {
				return fmt.Errorf("the warehouse does not know order %s", id)
			}
			return nil
		}
	}
	topologytest.Eventually(t, "an order is delivered", made(order.ID))
	warehouse.Fault(sim.Status("POST", "/v1/fulfillments", 299))
	topologytest.Eventually(t, "an order is parked", made(shop.Place(sim.Choices{}).ID))

	sh := newSeamShell(t, "SEAM_PREFIX="+w.kafka.Prefix, "SEAM_BROKERS="+strings.Join(w.kafka.Brokers, ","), "SEAM_REGISTRY="+w.kafka.Registry,
		"SEAM_VIEW="+filepath.Join(w.dir, "seam", "view.db"), "CONSOLE="+w.console, "ORDER="+order.ID)
	ran := map[string]bool{}
	pages := runbooks(t)
	for _, name := range sortedNames(pages) {
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(pages[name], -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", "")) {
				if line = strings.TrimSpace(line); ran[line] {
					continue
				}
				ran[line] = true
				if err := sh.run(line); err != nil {
					t.Errorf("docs/runbooks/%s.md: %s\n%v", name, line, err)
				}
			}
		}
	}
	if len(ran) < 20 {
		t.Errorf("%d commands were found", len(ran))
	}
}

func sortedNames(m map[string]string) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// seamShell runs lines in which seam is this build.
type seamShell struct {
	t   *testing.T
	dir string
	env []string
}

func newSeamShell(t *testing.T, env ...string) *seamShell {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "bin", "seam"), fmt.Sprintf("#!/bin/sh\nexec env SEAM_TEST_BE_SEAM=1 %q \"$@\"\n", os.Args[0]))
	if err := os.Chmod(filepath.Join(dir, "bin", "seam"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &seamShell{t: t, dir: dir, env: append(append(os.Environ(), env...), "SEAM_TOPOLOGY=", "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))}
}

func (s *seamShell) run(line string) error {
	cmd := exec.CommandContext(s.t.Context(), "bash", "-c", line)
	cmd.Env, cmd.Dir = s.env, s.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == 1 && !strings.Contains(errs.String(), "seam: ") && !strings.Contains(errs.String(), "curl: ") {
		return nil
	}
	return fmt.Errorf("%w\n%s%s", err, out.String(), errs.String())
}
