package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
)

// listedSources is the answer of GET /sources.
type listedSources struct {
	Sources   []reconcile.Source  `json:"sources"`
	Freshness reconcile.Freshness `json:"freshness"`
}

// sources is seam sources: who speaks, how often, by which clock, and who has fallen silent.
func (c *cli) sources() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sources", Args: cobra.NoArgs,
		Short: "Show each system's sources: when they last spoke, how far their clock is ahead, who has fallen silent",
		Long: "Asks the reconciler's database that --view names, else a console on this machine. How long a system may be silent is\n" +
			"declared by its sources (silent_after), or learned from two weeks. Exit 1 where one has been silent for longer.",
		Example: "  seam sources\n  seam sources --view postgres://seam@db/seam --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := asked(cmd.Context(), c, "/sources", func(v *reconcile.View) (out listedSources, err error) {
				out.Freshness = v.Freshness()
				out.Sources, err = v.Sources(cmd.Context())
				return out, err
			})
			if err != nil {
				return err
			}
			silent := slices.ContainsFunc(list.Sources, func(s reconcile.Source) bool { return s.Silent })
			return c.answered(list, asJSON, silent, func() error { return c.writeSources(list) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (c *cli) writeSources(list listedSources) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SYSTEM\tEVENTS A DAY\tLAST\tMAY BE SILENT\tCLOCK AHEAD\tSTATE\tTEAMS")
	for _, s := range list.Sources {
		last, limit, ahead, state := "never", "not known yet", "no", "speaks"
		if !s.LastAt.IsZero() {
			last = s.LastAt.UTC().Format(time.RFC3339)
		}
		if s.LimitMS > 0 {
			limit = (time.Duration(s.LimitMS) * time.Millisecond).String()
		}
		if s.AheadMS > 0 {
			ahead = (time.Duration(s.AheadMS) * time.Millisecond).String()
		}
		if s.Silent {
			state = "SILENT"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.System, s.Events, last, limit, ahead, state, strings.Join(s.Teams, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, list.Freshness.String())
	return err
}
