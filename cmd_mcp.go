package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/mcp"
	"github.com/binaryandbeyond/seam/schemas"
)

// mcp is seam mcp: what the reconciler knows, for AI assistants.
func (c *cli) mcp() *cobra.Command {
	var listen, data, only string
	var plans bool
	cmd := &cobra.Command{
		Use: "mcp", Args: cobra.NoArgs,
		Short: "Serve orders, facts and what is parked to AI assistants (Model Context Protocol), read-only",
		Long: "Speaks the Model Context Protocol on stdin and stdout, or at --listen on this machine. Asks the reconciler's database that\n" +
			"--view names, else a console on this machine. Its tools only read. With --allow-plans an assistant can also write down which\n" +
			"parked events it would release or discard; nothing is done before a person approves that plan with seam mcp approve.",
		Example: "  seam mcp\n  seam mcp --view ./data/view.db --listen 127.0.0.1:8091\n  seam mcp --for enrichment\n  seam mcp --allow-plans --data ./data",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var store *mcp.Plans
			if plans {
				var err error
				if store, err = openPlans(data); err != nil {
					return err
				}
			}
			server := mcp.NewServer(c.mcpBackend(cmd.ErrOrStderr()), mcp.Options{Version: version, For: only, Plans: store})
			if listen == "" {
				return mcp.Stdio(cmd.Context(), server)
			}
			return mcp.Listen(cmd.Context(), server, listen, func(at net.Addr) { fmt.Fprintf(cmd.ErrOrStderr(), "MCP is served at http://%s/\n", at) })
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "serve streamable HTTP at this address of the machine, in place of stdin and stdout")
	cmd.Flags().BoolVar(&plans, "allow-plans", false, "add tools that plan a release or discard, and carry out what a person approved")
	cmd.Flags().StringVar(&only, "for", "", "offer get_facts alone, under the facts policy of this integration")
	cmd.MarkFlagsMutuallyExclusive("for", "allow-plans")
	cmd.PersistentFlags().StringVar(&data, "data", os.Getenv("SEAM_DATA"), "folder in which plans are kept (SEAM_DATA)")
	cmd.AddCommand(c.mcpApprove(&data))
	return cmd
}

func openPlans(data string) (*mcp.Plans, error) {
	if data == "" {
		return nil, errors.New("--data is missing: the folder in which plans are kept (SEAM_DATA)")
	}
	return mcp.OpenPlans(filepath.Join(data, "mcp"))
}

// mcpApprove is seam mcp approve: a person's yes to one plan.
func (c *cli) mcpApprove(data *string) *cobra.Command {
	var who, why string
	cmd := &cobra.Command{
		Use: "approve PLAN_ID", Args: cobra.ExactArgs(1),
		Short:   "Show a plan; with --why, approve it",
		Long:    "Shows which events a plan would release or discard. With --why it is approved: the assistant can carry it out then, once,\nwhile none of the events has changed. Who and why are recorded in the outcomes.",
		Example: "  seam mcp approve 3f0c9a... --data ./data\n  seam mcp approve 3f0c9a... --data ./data --why \"agreed with the gateway\"",
		RunE: func(_ *cobra.Command, args []string) error {
			plans, err := openPlans(*data)
			if err != nil {
				return err
			}
			plan, err := plans.Plan(args[0])
			if err == nil && why != "" {
				_, err = plans.Approve(mcp.Approval{Plan: args[0], Who: who, Why: why, At: time.Now().UTC()})
			}
			if err != nil {
				return err
			}
			return c.writePlan(plan, why != "")
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "the reason; without it the plan is only shown")
	cmd.Flags().StringVar(&who, "who", whoami(), "who approves")
	return cmd
}

func (c *cli) writePlan(p mcp.Plan, approved bool) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DECISION\tINTEGRATION\tORDER\tEVENT\tTYPE\tREASON")
	for _, e := range p.Events {
		fmt.Fprintf(w, "%s\t%s\t%q\t%s\t%s\t%s\n", p.Kind, e.Integration, e.Order, e.EventID, e.EventType, e.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end := "nothing is decided yet: --why approves it"
	if approved {
		end = "approved: it can be carried out once, while none of them has changed"
	}
	_, err := fmt.Fprintf(c.out, "%d events of %d orders; %s\n", len(p.Events), p.Orders(), end)
	return err
}

// mcpBackend reads as the verbs do, anew at every call.
func (c *cli) mcpBackend(stderr io.Writer) mcp.Backend {
	return mcp.Backend{
		Order: func(ctx context.Context, key string) (*reconcile.Order, error) { return c.readOrder(ctx, stderr, key) },
		Find:  c.named,
		Facts: func(ctx context.Context, key string, q reconcile.FactsQuery) (*reconcile.Facts, error) {
			return asked(ctx, c, factsPath(key, q), func(v *reconcile.View) (*reconcile.Facts, error) { return v.Facts(ctx, key, q) })
		},
		Disagreements: func(ctx context.Context, all bool) ([]reconcile.Disagreement, int, error) {
			list, err := c.differing(ctx, all)
			return list.Disagreements, list.All, err
		},
		Parked: func(ctx context.Context, f mcp.Filter) ([]*schemas.ParkedRecord, error) {
			_, all, err := c.waiting(ctx, &parkedFilter{f.Integration, f.Order, f.Event, f.Reason})
			return all, err
		},
		Status: func(ctx context.Context) ([]reconcile.Status, error) {
			cfg, err := c.reader()
			if err != nil {
				return nil, err
			}
			return reconcile.ReadStatus(ctx, cfg)
		},
		Decide: func(ctx context.Context, events []*schemas.ParkedRecord, kind schemas.CommandKind, who, why string) error {
			cfg, err := c.reader()
			if err != nil {
				return err
			}
			return c.command(ctx, cfg, aboutParked(events, kind, who, why)...)
		},
	}
}

// factsPath is where the console answers a query.
func factsPath(key string, q reconcile.FactsQuery) string {
	values := url.Values{}
	for name, value := range map[string]string{"for": q.For, "fields": strings.Join(q.Fields, ","), "on_disagreement": q.OnDisagreement, "max_staleness": q.MaxStaleness.String()} {
		if value != "" && value != "0s" {
			values.Set(name, value)
		}
	}
	return "/orders/" + url.PathEscape(key) + "/facts?" + values.Encode()
}
