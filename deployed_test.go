package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// parses holds a command line of a file to the verbs and flags of this build.
func parses(t *testing.T, args []string) {
	t.Helper()
	ran := false
	cmd, rest, err := newRoot(io.Discard, &ran).Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("seam %s: %v", strings.Join(args, " "), err)
	}
}

// knownVariables are the names SEAM_... that the program itself asks for.
func knownVariables(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	whole, short := regexp.MustCompile(`\bSEAM_[A-Z_]+[A-Z]\b`), regexp.MustCompile(`\bs\.(?:get|has|need|pairs)\("([A-Z_]+)"`)
	for _, pattern := range []string{"*.go", "*/*.go", "topology/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, variable := range whole.FindAllString(string(text), -1) {
				known[variable] = true
			}
			if filepath.Dir(name) != "connect" {
				continue
			}
			for _, m := range short.FindAllStringSubmatch(string(text), -1) {
				for _, prefix := range []string{"SEAM_KAFKA_", "SEAM_REGISTRY_"} {
					known[prefix+m[1]], known[prefix+m[1]+"_FILE"] = true, true
				}
			}
		}
	}
	if !known["SEAM_BROKERS"] || !known["SEAM_KAFKA_CLIENT_SECRET_FILE"] {
		t.Fatalf("the variables of the program are not found where they were: %v", known)
	}
	return known
}

// TestStatic: the image holds nothing but the program, so it must be built without C, as deploy/Dockerfile does.
func TestStatic(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-tags", "timetzdata", "-f", "{{with .Error}}{{.}}{{end}}{{range .CgoFiles}}{{$.ImportPath}}/{{.}}\n{{end}}", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("CGO_ENABLED=0: %v, and what needs C or has no file without it:\n%s", err, out)
	}
}
