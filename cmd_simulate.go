package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/binaryandbeyond/seam/drills/sim"
)

// simulatedPorts is where seam simulate serves each system.
var simulatedPorts = map[string]int{"shop": 7001, "warehouse": 7002, "erp": 7003, "crm": 7004, "tax": 7005, "fraud": 7006, "analytics": 7007, "support": 7008, "enrichment": 7009}

// simulate is seam simulate: the systems around a Seam that runs elsewhere.
func (c *cli) simulate() *cobra.Command {
	cfg := sim.Config{Ports: simulatedPorts}
	var edge string
	var every time.Duration
	var variables bool
	cmd := &cobra.Command{
		Use: "simulate", Args: cobra.NoArgs,
		Short: "Run the simulated shop and its downstreams beside a Seam that runs elsewhere",
		Long: "Runs the systems of seam demo on ports of their own: a shop that takes an order now and then and tells the edge, and the\n" +
			"downstreams that Seam calls. Nothing goes wrong but what usually does: webhooks that come twice, or the payment before its\n" +
			"order. --env prints the variables that a Seam needs to find them; the same seed gives the same secrets.",
		Example: "  seam simulate --env > simulated.env\n  seam simulate --edge http://127.0.0.1:8080 --every 2s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.EdgeURL = func() string { return edge }
			world, err := sim.New(cfg)
			if err != nil {
				return err
			}
			if variables {
				env := world.Env()
				for _, name := range slices.Sorted(maps.Keys(env)) {
					fmt.Fprintf(c.out, "%s=%s\n", name, env[name])
				}
				return nil
			}
			world.Shop().Behave(sim.Usual())
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return world.Run(ctx) })
			g.Go(func() error { return orders(ctx, world, every) })
			fmt.Fprintf(c.out, "the shop sends to %s/in/shopify, an order every %s; see --env for the rest\n", edge, every)
			return g.Wait()
		},
	}
	f := cmd.Flags()
	f.StringVar(&edge, "edge", "http://127.0.0.1:8080", "URL of Seam's edge")
	f.DurationVar(&every, "every", 5*time.Second, "time between orders")
	f.Int64Var(&cfg.Seed, "seed", 1, "decides customers, prices, ids and secrets")
	f.StringVar(&cfg.ERPDir, "erp-dir", "exchange/erp", "folder where the ERP drops its files: ERP_DIR of Seam")
	f.StringVar(&cfg.ExportDir, "export-dir", "exchange/export", "folder where Seam writes its export: EXPORT_DIR of Seam")
	f.BoolVar(&variables, "env", false, "print the variables of a Seam beside it, NAME=value a line, and end")
	return cmd
}

// orders has the shop take an order at each tick until ctx ends: one in ten of a customer who is known, one in twenty cancelled, one
// in twenty refunded.
func orders(ctx context.Context, world *sim.World, every time.Duration) error {
	if every <= 0 {
		return usage{fmt.Errorf("--every is %s: a time above 0", every)}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := ""
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		switch {
		case n%20 == 10 && before != "":
			if err := world.Shop().Cancel(before); err != nil {
				return err
			}
		case n%20 == 0 && before != "":
			if _, err := world.Shop().Refund(before, true, "changed my mind"); err != nil {
				return err
			}
		}
		before = world.Shop().Place(sim.Choices{Known: n%10 == 0}).ID
	}
}
