package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/topology"
)

// chartValues is what the Helm chart takes from a topology.
type chartValues struct {
	Integrations map[string]chartIntegration `yaml:"integrations"`
	Topology     chartTopology               `yaml:"topology"`
}

type chartIntegration struct {
	LagSeconds int `yaml:"lagSeconds"` // half of stale_after: where autoscaling steps in
}

type chartTopology struct {
	Files map[string]string `yaml:"files"`
}

// chart is seam chart-values: the topology as values of the Helm chart.
func (c *cli) chart() *cobra.Command {
	return &cobra.Command{
		Use: "chart-values", Args: cobra.NoArgs,
		Short: "Print the topology as values of the Helm chart: its integrations and files",
		Long: "Prints values for deploy/helm/seam: one Deployment for each integration, scaled by half of its stale_after, and the files\n" +
			"themselves. A file that is added to the topology is a Deployment more with the next upgrade. Comments at the top list the\n" +
			"variables that the files name, for env and secrets of your own values.",
		Example: "  seam chart-values --topology ./topology > topology-values.yaml\n" +
			"  helm upgrade --install seam deploy/helm/seam -f topology-values.yaml -f production.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			files := c.files()
			topo, err := topology.LoadForReading(files, os.LookupEnv)
			if err != nil {
				return err
			}
			values := chartValues{Integrations: map[string]chartIntegration{}}
			for _, in := range topo.Integrations {
				values.Integrations[in.Name] = chartIntegration{LagSeconds: max(1, int(time.Duration(in.StaleAfter)/time.Second)/2)}
			}
			if values.Topology.Files, err = texts(files); err != nil {
				return err
			}
			plain, secret, err := named(files)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "# Made by seam chart-values: make it anew when the topology changes, and keep your own values in another file.\n#\n"+
				"# env, what the files name:     %s\n# secrets, what they name:      %s\n", strings.Join(plain, ", "), strings.Join(secret, ", "))
			out := yaml.NewEncoder(c.out)
			out.SetIndent(2)
			return out.Encode(values)
		},
	}
}

// texts are the topology's files by path: what is loaded, and no tests.
func texts(files fs.FS) (map[string]string, error) {
	prints, err := topology.Fingerprint(files)
	if err != nil {
		return nil, err
	}
	contracts, err := fs.Glob(files, "contracts/*.yaml")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(prints)), contracts) {
		if path.Ext(name) != ".yaml" {
			continue // a schema of Seam's own
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		out[name] = string(text)
	}
	return out, nil
}

// named are the variables of the files, sorted: plain ones, and those whose values authenticate.
func named(files fs.FS) (plain, secret []string, err error) {
	values, err := topology.Values(files, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, nil, err
	}
	names := map[string]bool{}
	for _, v := range values {
		for _, name := range v.Variables {
			names[name] = names[name] || v.Secret
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			secret = append(secret, name)
		} else {
			plain = append(plain, name)
		}
	}
	return plain, secret, nil
}
