package app

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

// TestWhatAReloadTakesOver: the files of integrations that run here, but for the keys that only a restart takes over; anything else
// refuses all of it.
func TestWhatAReloadTakesOver(t *testing.T) {
	t.Parallel()
	base := fstest.MapFS{}
	for _, name := range []string{"topics.yaml", "teams.yaml", "ownership.yaml", "operations.yaml", "money.yaml", "sources/web.yaml", "integrations/down.yaml"} {
		b, err := os.ReadFile("../testdata/small/" + name)
		if err != nil {
			t.Fatal(err)
		}
		base[name] = &fstest.MapFile{Data: b}
	}
	const down = "integrations/down.yaml"
	for _, tt := range []struct {
		name, file, old, replacement string
		only                         []string
		changed                      map[string][]string
		err                          string
	}{
		{"nothing", down, "name: down", "name: down", nil, map[string][]string{}, ""},
		{"a comment", down, "name: down", "name: down # the only one", nil, map[string][]string{}, ""},
		{"rates and retries", down, "retry: {initial: 50ms", "retry: {initial: 60ms", nil, map[string][]string{down: {"retry"}}, ""},
		{"a mapping", down, "body: {reference: event.subject}", "body: {reference: event.subject, n: 1}", nil, map[string][]string{down: {"deliver"}}, ""},
		{"another process's integration", down, "timeout: 10s", "timeout: 9s", []string{"edge"}, map[string][]string{}, ""},
		{"what the view judges by", down, "complete_within: 1h", "complete_within: 2h", nil, nil, down + " (complete_within): the role reconcile of this process"},
		{"what a view elsewhere judges by", down, "complete_within: 1h", "complete_within: 2h", []string{"down"}, map[string][]string{down: {"complete_within"}}, ""},
		{"whose fields it owns", down, "name: down", "name: down\nsystem: other", nil, nil, down + ": system needs a restart"},
		{"a source", "sources/web.yaml", "patience: 10s", "patience: 11s", nil, nil, "sources/web.yaml: patience needs a restart"},
		{"ownership", "ownership.yaml", "agree_within: 1h", "agree_within: 2h", nil, nil, "ownership.yaml: order.status needs a restart"},
		{"partitions", "topics.yaml", "partitions: 4", "partitions: 8", nil, nil, "topics.yaml: partitions needs a restart"},
		{"a broken file", down, "timeout: 10s", "timeout: soon", nil, nil, down + ":7: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(base)
			load := func() (*topology.Topology, error) {
				return topology.LoadForReading(files, func(string) (string, bool) { return "", false })
			}
			now, err := load()
			if err != nil {
				t.Fatal(err)
			}
			before, err := contents(files)
			if err != nil {
				t.Fatal(err)
			}
			text := string(files[tt.file].Data)
			if !strings.Contains(text, tt.old) {
				t.Fatalf("%s does not hold %q", tt.file, tt.old)
			}
			files[tt.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, tt.old, tt.replacement, 1))}
			r := &Reload{Files: files, Load: load}
			_, _, changed, err := r.read(&Config{Only: tt.only, Logger: slog.New(slog.DiscardHandler)}, now, before)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("%v, want %s", err, tt.err)
				}
				return
			}
			if d := cmp.Diff(tt.changed, changed); d != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
	half := &Reload{Files: base, Load: func() (*topology.Topology, error) { return nil, errors.New("half a file") }}
	if _, _, _, err := half.read(&Config{}, nil, nil); err == nil {
		t.Error("a topology that does not load is taken over")
	}
}
