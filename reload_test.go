package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload: on SIGHUP a worker goes on with the integration's new file; a file that is broken, or that only a restart can take
// over, changes nothing and is named.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSmall(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	edge := freeAddress(t)
	console := freeAddress(t)
	p := s.proc("seam", "--only", "edge,down", "--listen", edge, "--console", console)
	if err := p.start(ctx); err != nil {
		t.Fatal(err)
	}
	// edit changes a file, asks for a reload and waits for the answer.
	edit := func(file, old, replacement, answer string) {
		t.Helper()
		s.edit(file, old, replacement)
		had := s.tally.of(answer + "/seam")
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if err := s.tally.until(ctx, func() bool { return s.tally.of(answer+"/seam") > had }); err != nil {
			t.Fatalf("no %s after %s changed: %v\n%s", answer, file, err, p.words())
		}
		if err := says("http://"+console+"/metrics", "\nseam_config_last_reload_successful "+map[string]string{"reloads": "1", "refusals": "0"}[answer]); err != nil {
			t.Error(err)
		}
	}
	delivered := func(order, rules string) {
		t.Helper()
		if err := s.order(ctx, edge, order); err != nil {
			t.Fatal(err)
		}
		if err := s.tally.until(ctx, func() bool { return s.tally.of("call/"+order) > 0 }); err != nil {
			t.Fatalf("%s is not delivered: %v\n%s", order, err, p.words())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := s.heads[order][0].Get("X-Rules"); got != rules {
			t.Errorf("%s was delivered by rules %q, want %q", order, got, rules)
		}
	}
	const call = `http: {url: "${DOWN_URL}/things", `
	delivered("o1", "")
	edit("integrations/down.yaml", call, call+"headers: {X-Rules: second}, ", "reloads")
	delivered("o2", "second")
	edit("integrations/down.yaml", "timeout: 10s", "timeout: soon", "refusals")
	if !strings.Contains(p.words(), "integrations/down.yaml:7: ") {
		t.Errorf("the refusal does not name the line:\n%s", p.words())
	}
	delivered("o3", "second")
	edit("integrations/down.yaml", "timeout: soon", "timeout: 9s", "reloads")
	edit("ownership.yaml", "agree_within: 1h", "agree_within: 2h", "refusals")
	if !strings.Contains(p.words(), "ownership.yaml: order.status needs a restart") {
		t.Errorf("the refusal does not name the field:\n%s", p.words())
	}
	delivered("o4", "second")
	if err := p.stop(ctx); err != nil {
		t.Error(err)
	}
}
