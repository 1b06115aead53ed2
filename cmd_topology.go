package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"os"

	"github.com/binaryandbeyond/seam/topology"
)

// plan is seam plan: what the cluster lacks.
func (c *cli) plan() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "plan", Args: cobra.NoArgs,
		Short:   "Show what the cluster lacks of the topology, and change nothing",
		Long:    "Compares the topology files with the cluster and registry. Exit 0: nothing to do; 1: something is refused; 2: there are changes.",
		Example: "  seam plan --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7\n  seam plan --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, _, err := c.read(cmd, false)
			if err != nil {
				return err
			}
			if err := c.show(plan, asJSON); err != nil {
				return err
			}
			switch {
			case slices.ContainsFunc(plan, func(x topology.Change) bool { return x.Step == topology.Refuse }):
				return errFound
			case len(plan) > 0:
				return errChanges
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array")
	return cmd
}

// apply is seam apply: plan, then do.
func (c *cli) apply() *cobra.Command {
	return &cobra.Command{
		Use: "apply", Args: cobra.NoArgs,
		Short:   "Create the topics and schemas that the cluster lacks, once the review has nothing to refuse",
		Example: "  seam apply --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7",
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, do, err := c.read(cmd, true)
			if err != nil {
				return err
			}
			if err := c.show(plan, false); err != nil {
				return err
			}
			return do()
		},
	}
}

// read plans, and gives the way to apply what was planned. With reviewed it plans nothing that the review refuses.
func (c *cli) read(cmd *cobra.Command, reviewed bool) ([]topology.Change, func() error, error) {
	ctx := cmd.Context()
	topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	if reviewed {
		if err := admit(topo, nil); err != nil {
			return nil, nil, err
		}
	}
	options, registry, err := c.connect()
	if err != nil {
		return nil, nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, nil, err
	}
	have, err := topology.Read(ctx, topo, client, registry)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	plan := topology.Plan(topo, have)
	return plan, func() error {
		defer client.Close()
		return topology.Apply(ctx, topo, client, registry, plan)
	}, nil
}

// show prints a plan.
func (c *cli) show(plan []topology.Change, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(append([]topology.Change{}, plan...))
	}
	for _, ch := range plan {
		fmt.Fprintln(c.out, ch)
	}
	if len(plan) == 0 {
		fmt.Fprintln(c.out, "nothing to do: the cluster has what the topology needs")
	}
	return nil
}
