package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/topology"
)

// service is what the tests look at of docker-compose.yml.
type service struct {
	Image       string
	Build       any
	Command     []string
	Ports       []string
	Volumes     []string
	Environment map[string]string
	ReadOnly    bool `yaml:"read_only"`
	Restart     string
	Healthcheck *struct {
		Test    []string
		Disable bool
	}
	DependsOn map[string]struct{ Condition string } `yaml:"depends_on"`
}

// TestCompose holds docker-compose.yml to what a file that nobody can run here must promise: images by version, every service that
// stays checked and started after what it needs, ports on loopback, and commands and variables that the program knows.
func TestCompose(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]service
		Volumes  map[string]any
	}
	text, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	known := knownVariables(t)
	for name, s := range file.Services {
		if s.Build == nil && !regexp.MustCompile(`^[a-z/-]+:v?\d+(\.\d+)+$`).MatchString(s.Image) {
			t.Errorf("%s: image %s is not of one version", name, s.Image)
		}
		once := s.Restart == "on-failure"
		if !once && (s.Healthcheck == nil || len(s.Healthcheck.Test) == 0) {
			t.Errorf("%s stays and has no health check", name)
		}
		for on, how := range s.DependsOn {
			other, ok := file.Services[on]
			want := "service_healthy"
			if other.Restart == "on-failure" {
				want = "service_completed_successfully"
			}
			if !ok || how.Condition != want {
				t.Errorf("%s waits for %s to be %q, want %q", name, on, how.Condition, want)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to others", name, port)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if _, named := file.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat(from); err != nil {
				t.Errorf("%s mounts %s: %v", name, from, err)
			}
		}
		if s.Build == nil {
			continue
		}
		parses(t, s.Command)
		if !s.ReadOnly {
			t.Errorf("%s: the image's disk can be written", name)
		}
		for variable := range s.Environment {
			if !known[variable] {
				t.Errorf("%s: the program has no variable %s", name, variable)
			}
		}
		if s.Healthcheck != nil && !s.Healthcheck.Disable {
			parses(t, s.Healthcheck.Test[2:])
		}
	}

	only := file.Services["integrations"].Command
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range topo.Integrations {
		names = append(names, in.Name)
	}
	slices.Sort(names)
	if !slices.Contains(only, strings.Join(names, ",")) {
		t.Errorf("the service integrations runs %v, the topology has %v", only, names)
	}
}

// TestComposeFindsSystems holds the variables of compose's Seam to the simulated systems that it starts.
func TestComposeFindsSystems(t *testing.T) {
	t.Parallel()
	world, err := sim.New(sim.Config{Seed: 1, ERPDir: "/exchange/erp", ExportDir: "/exchange/export", EdgeURL: func() string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := world.Run(ended); err != nil { // which closes what it opened
		t.Error(err)
	}
	want := world.Env()
	for name, port := range simulatedPorts { // those of this test are free ones
		system := world.System(name)
		for variable, value := range want {
			want[variable] = strings.Replace(value, system.URL(), fmt.Sprintf("http://127.0.0.1:%d", port), 1)
		}
	}
	maps.DeleteFunc(want, func(name, _ string) bool {
		return strings.HasPrefix(name, "SHOP_API_") || strings.HasPrefix(name, "SHOPIFY_POLL_")
	})
	want["SEAM_ENVIRONMENT"] = "development"
	got := map[string]string{}
	text, err := os.ReadFile("deploy/compose/simulated.env")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		got[m[1]] = m[2]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("deploy/compose/simulated.env (-want, of seam simulate --env +got):\n%s", d)
	}
}
