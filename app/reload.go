package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/topology"
)

// Reload says how the topology is read again while everything runs. What is taken over is what a worker can begin anew with:
// the files of integrations that run here. All else needs a restart, and a reload that meets any of it, or a fault, changes
// nothing.
type Reload struct {
	Asked <-chan struct{} // a value for each wish
	Files fs.FS           // where Load reads
	// Load reads the topology and holds it to everything that a start would.
	Load func() (*topology.Topology, error)
}

// restarts are the keys of an integration that only a restart takes over: what is keyed by its name, whose fields it owns, which
// facts the view may tell it, and what is asked of its downstream before the first call.
var restarts = []string{"name", "system", "facts", "environment"}

// loaded is what is exported of the reading of the files, under the names that Prometheus has for its own.
type loaded struct{ ok, at prometheus.Gauge }

// newLoaded counts the start as a reading that went well.
func newLoaded(reg prometheus.Registerer) loaded {
	l := loaded{
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "seam_config_last_reload_successful", Help: "Whether the topology's files as they were read last are what runs."}),
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "seam_config_last_reload_success_timestamp_seconds", Help: "When the topology's files that run were read."}),
	}
	reg.MustRegister(l.ok, l.at)
	l.read(nil)
	return l
}

// read takes note of a reading.
func (l loaded) read(err error) {
	if err != nil {
		l.ok.Set(0)
		return
	}
	l.ok.Set(1)
	l.at.SetToCurrentTime()
}

// reloads takes over what changed whenever it is asked to, until ctx ends.
func (r *Reload) reloads(ctx context.Context, c *Config, before map[string]string, check func(*topology.Topology) error, w *workers, l loaded) error {
	now := c.Topology
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.Asked:
		}
		next, files, changed, err := r.read(c, now, before)
		if err == nil && len(changed) > 0 {
			err = check(next)
		}
		l.read(err)
		switch {
		case err != nil:
			c.Logger.Error("the topology is not reloaded: nothing has changed", "err", err)
			continue
		case len(changed) == 0:
			c.Logger.Info("the topology is reloaded: nothing of it concerns what runs here")
		}
		now, before = next, files
		for _, file := range slices.Sorted(maps.Keys(changed)) {
			name := strings.TrimSuffix(path.Base(file), ".yaml")
			c.Logger.Info("the topology is reloaded: the worker ends its calls and begins anew", "integration", name, "file", file, "keys", changed[file])
			w.start(ctx, next, next.Integration(name))
		}
	}
}

// files is what the topology was read from; nil where nobody reloads.
func (c *Config) files() (map[string]string, error) {
	if c.Reload == nil {
		return nil, nil
	}
	return contents(c.Reload.Files)
}

// allowed holds a topology to the cluster as a start does: it must be this environment's, and have all that is needed.
func (c *Config) allowed(ctx context.Context, next *topology.Topology, client *kgo.Client, registry *sr.Client, facts consumers.Facts) error {
	if err := next.AllowCluster(c.Brokers, c.Registry, c.BrokersFrom); err != nil {
		return err
	}
	for i := range next.Integrations {
		if in := &next.Integrations[i]; facts == nil && c.runs(in.Name) && in.TellsFacts() {
			return fmt.Errorf("integration %s is told facts (%s), and nobody here knows any: that needs a restart, with --facts", in.Name, in.Mark)
		}
	}
	have, err := topology.Read(ctx, next, client, registry)
	if err != nil {
		return fmt.Errorf("read the cluster: %w", err)
	}
	if err := topology.Claimed(next, have.Claim, c.BrokersFrom); err != nil {
		return err
	}
	if needed := topology.Needed(topology.Plan(next, have)); len(needed) > 0 {
		return fmt.Errorf("the cluster lacks %d things the topology needs, the first: %s; seam apply makes them", len(needed), needed[0])
	}
	return nil
}

// read reads the files again, and tells which of the integrations that run here differ, by file and key. What differs and cannot
// be taken over is an error.
func (r *Reload) read(c *Config, now *topology.Topology, before map[string]string) (*topology.Topology, map[string]string, map[string][]string, error) {
	files, err := contents(r.Files)
	if err != nil {
		return nil, nil, nil, err
	}
	next, err := r.Load()
	if err != nil {
		return nil, nil, nil, err
	}
	if again, err := contents(r.Files); err != nil || !maps.Equal(files, again) {
		return nil, nil, nil, errors.Join(errors.New("the files change while they are read: ask again when they stand still"), err)
	}
	changed, faults := map[string][]string{}, []error(nil)
	for _, file := range changes(before, files) {
		keys := differ(before[file], files[file])
		in := next.Integration(strings.TrimSuffix(path.Base(file), ".yaml"))
		switch {
		case file == "waivers.yaml", len(keys) == 0:
		case path.Dir(file) != "integrations" || before[file] == "" || in == nil:
			faults = append(faults, fmt.Errorf("%s: %s needs a restart", file, strings.Join(keys, ", ")))
		case !c.runs(in.Name):
		default:
			if fixed := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !slices.Contains(restarts, k) }); len(fixed) > 0 {
				faults = append(faults, fmt.Errorf("%s: %s needs a restart", file, strings.Join(fixed, ", ")))
			}
			if _, err := deliver.New(in, next.Outbound()); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", file, err))
			}
			changed[file] = keys
		}
	}
	if c.runs("reconcile") && reconcile.Rules(now) != reconcile.Rules(next) && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("%s: the role reconcile of this process judges orders by what differs: that needs a restart", describe(changed)))
	}
	return next, files, changed, errors.Join(faults...)
}

// describe is "integrations/erp.yaml (rate, timeout)" of each file.
func describe(changed map[string][]string) string {
	var out []string
	for _, file := range slices.Sorted(maps.Keys(changed)) {
		out = append(out, file+" ("+strings.Join(changed[file], ", ")+")")
	}
	return strings.Join(out, ", ")
}

// contents is every YAML file of a topology.
func contents(fsys fs.FS) (map[string]string, error) {
	out := map[string]string{}
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			out[name] = string(b)
		}
	}
	return out, nil
}

// changes are the files that came, went or are others, sorted.
func changes(before, now map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if had, ok := before[name]; !ok || had != now[name] {
			out = append(out, name)
		}
	}
	for name := range before {
		if _, ok := now[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// differ are the top keys of which two texts say different things; none where only comments or order do.
func differ(before, now string) []string {
	var a, b map[string]any
	if yaml.Unmarshal([]byte(before), &a) != nil || yaml.Unmarshal([]byte(now), &b) != nil {
		return []string{"all of it"} // a list: it has no keys
	}
	var out []string
	for key := range b {
		if !reflect.DeepEqual(a[key], b[key]) {
			out = append(out, key)
		}
	}
	for key := range a {
		if _, ok := b[key]; !ok {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
