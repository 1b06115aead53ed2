package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/contract/spec"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// contract is seam contract: what is sent and answered, against what was declared.
func (c *cli) contract() *cobra.Command {
	var asJSON, write, asyncAPI bool
	var schemaDir, output string
	cmd := &cobra.Command{
		Use:   "contract [NAME...]",
		Short: "Show the shape of what sources send and downstreams answer, and where it is not as declared",
		Long: "Reads from the cluster what was seen of each source's topics and each integration's answers: which paths, of which JSON types, how\n" +
			"often, and which statuses. It is held to topology/contracts/<name>.yaml, and where there is none to what the first documents looked\n" +
			"like (learn in topics.yaml, 200). What differs is drift: a path that is new, one that always had a value and has none (missing), another\n" +
			"type, another value of an enumeration, a status that is not declared. No value is kept but words of enumerations that are not\n" +
			"personal. With names every path is shown. Drift holds nothing up, and ends when a file accepts it: --write puts what was seen\n" +
			"into contracts/<name>.yaml, for review in git; restart Seam with it. --asyncapi and --json-schema say what Seam's own topics hold, for who\n" +
			"reads them; they need no cluster. docs/contracts.md has more. Exit 1 while drift is open.",
		Example: "  seam contract\n  seam contract shopify --json\n  seam contract shopify --write --topology ./topology\n" +
			"  seam contract --asyncapi --output asyncapi.yaml\n  seam contract --json-schema ./schemas",
		PreRunE: func(_ *cobra.Command, names []string) error {
			switch documents := asyncAPI || schemaDir != ""; {
			case documents && (write || len(names) > 0):
				return usage{errors.New("--asyncapi and --json-schema are of the whole topology: take NAME and --write away")}
			case write && len(names) == 0:
				return usage{errors.New("--write needs the names that it is to accept")}
			case write && c.dir == "":
				return usage{errors.New("--write needs --topology: the shipped files cannot be written")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			if asyncAPI || schemaDir != "" {
				return c.documents(topo, asyncAPI, asJSON, schemaDir, output)
			}
			for _, name := range names {
				if topo.Source(name) == nil && topo.Integration(name) == nil {
					return usage{fmt.Errorf("no source and no integration is called %s", name)}
				}
			}
			seen, err := c.shapes(cmd.Context(), topo)
			if err != nil {
				return err
			}
			if write {
				return c.acceptShapes(topo, seen, names)
			}
			report := contract.Of(topo, seen, names)
			return c.answered(report, asJSON, report.Open > 0, func() error { return report.Text(c.out, len(names) > 0) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	f.BoolVar(&write, "write", false, "accept what was seen: write contracts/<name>.yaml of each name")
	f.BoolVar(&asyncAPI, "asyncapi", false, "describe Seam's topics as an AsyncAPI 3.0 document; YAML unless --json")
	f.StringVar(&schemaDir, "json-schema", "", "write JSON Schemas of the topics' values into this folder")
	f.StringVar(&output, "output", "", "with --asyncapi: write to this file in place of stdout")
	return cmd
}

// shapes reads what was seen.
func (c *cli) shapes(ctx context.Context, topo *topology.Topology) (map[string]*schemas.Contract, error) {
	options, registry, err := c.connect()
	if err != nil {
		return nil, err
	}
	return contract.ReadAll(ctx, contract.ReadConfig{Options: options, Serde: schemas.NewSerde(registry), Topology: topo})
}

// acceptShapes writes the files of names, and nothing unless something was seen of every one.
func (c *cli) acceptShapes(topo *topology.Topology, seen map[string]*schemas.Contract, names []string) error {
	texts := make([][]byte, len(names))
	for i, name := range names {
		var some bool
		if texts[i], some = contract.File(topo, seen, name); !some {
			return fmt.Errorf("nothing was seen of %s yet: there is nothing to accept", name)
		}
	}
	dir := filepath.Join(c.dir, "contracts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, name := range names {
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, texts[i], 0o644); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "wrote %s: review the difference, and restart Seam with it\n", filepath.ToSlash(file))
	}
	return nil
}

// documents writes what subscribers read.
func (c *cli) documents(topo *topology.Topology, asyncAPI, asJSON bool, schemaDir, output string) error {
	if schemaDir != "" {
		if err := os.MkdirAll(schemaDir, 0o755); err != nil {
			return err
		}
		for _, name := range spec.Names() {
			text, err := spec.JSONSchema(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(schemaDir, name+".schema.json"), text, 0o644); err != nil {
				return err
			}
		}
		if !asyncAPI {
			names := spec.Names()
			_, err := fmt.Fprintf(c.out, "wrote %s to %s\n", strings.Join(names, ", "), filepath.ToSlash(schemaDir))
			return err
		}
	}
	text, err := spec.AsyncAPI(topo, version, asJSON)
	if err != nil {
		return err
	}
	return c.deliver(text, output)
}
