package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts compare with; review the diff")

// beSeam is the variable under which the test binary is the command itself, for tests that need it as a process.
const beSeam = "SEAM_TEST_BE_SEAM"

// TestMain lets scripts run the command of this build as seam: the test binary calls itself.
func TestMain(m *testing.M) {
	if os.Getenv(beSeam) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"seam": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs every script of the house: what a verb prints, where, and how it ends. Scripts run embedded, with a
// home of their own and nothing of the environment; $INPUTS is SEAM_INPUTS, empty where that is not set.
func TestScripts(t *testing.T) {
	t.Parallel()
	var scripts []string
	for _, pattern := range []string{"testdata/script/*.txtar", "*/testdata/script/*.txtar", "*/*/testdata/script/*.txtar"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, found...)
	}
	if len(scripts) == 0 {
		t.Fatal("no scripts found: run the tests from the root of the repository")
	}
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds:                scriptCommands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("INPUTS", os.Getenv("SEAM_INPUTS"))
			return nil
		},
	})
}
