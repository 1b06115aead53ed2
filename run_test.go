package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestReconcilerAloneNeedsNoSecrets: it calls nobody, and makes the view that other verbs ask for.
func TestReconcilerAloneNeedsNoSecrets(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	nothing := func(name string) (string, bool) { return k.Prefix, name == "SEAM_PREFIX" }
	for _, tt := range []struct {
		only  []string
		needs bool
	}{{[]string{"reconcile"}, false}, {nil, true}, {[]string{"reconcile", "erp"}, true}, {[]string{"edge"}, true}} {
		if _, err := loaderOf(tt.only)(topology.Default(), nothing); (err != nil) != tt.needs || err != nil && !strings.Contains(err.Error(), "is not set") {
			t.Errorf("%v: %v", tt.only, err)
		}
	}
	topo, err := loaderOf([]string{"reconcile"})(topology.Default(), nothing)
	if err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(t.TempDir(), "view.db")
	if err := os.WriteFile(database, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reading := reconcile.ViewConfig{Database: database, Topology: topo, ReadOnly: true}
	if _, err := reconcile.OpenView(t.Context(), reading); err == nil || !strings.Contains(err.Error(), "no view is there: seam run writes it (--only reconcile is enough)") {
		t.Fatalf("an empty database gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{Topology: topo, Brokers: k.Brokers, Registry: k.Registry, Apply: true, Listen: "127.0.0.1:0", View: database, Only: []string{"reconcile"}, Ready: func(app.Info) { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("it did not start: %v", err)
	}
	view, err := reconcile.OpenView(t.Context(), reading)
	if err != nil {
		t.Errorf("the view that was made: %v", err)
	}
	cancel()
	if err := errors.Join(<-ended, view.Close()); err != nil {
		t.Error(err)
	}
}

// TestDemoView: the embedded cluster of a demo does not empty the view of another one.
func TestDemoView(t *testing.T) {
	t.Setenv("SEAM_VIEW", "postgres://production")
	t.Setenv("SEAM_BROKERS", "")
	for _, tt := range []struct {
		args []string
		want string
	}{{nil, ""}, {[]string{"--view", "mine.db"}, "mine.db"}, {[]string{"--bootstrap-server", "b:1"}, "postgres://production"}} {
		ran := false
		c := &cli{out: io.Discard}
		root := c.root(&ran)
		demo, _, err := root.Find([]string{"demo"})
		if err != nil {
			t.Fatal(err)
		}
		if err := demo.ParseFlags(tt.args); err != nil {
			t.Fatal(err)
		}
		if got := c.demoView(demo); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.args, got, tt.want)
		}
	}
}
