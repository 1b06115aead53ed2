package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
)

// accept is seam disagreements accept: one system's value is right, and the others are told.
func (c *cli) accept() *cobra.Command {
	var asked reconcile.Accepting
	var field, of string
	var execute, asJSON bool
	cmd := &cobra.Command{Use: "accept ID", Args: cobra.ExactArgs(1), Short: "Accept one system's value: the others are told it by their integrations",
		Long: "Accept one system's value: the others are told it by their integrations, in an event (order.corrected, customer.corrected,\n" +
			"inventory.corrected) of the team that ownership.yaml pages for the field. It counts until the field's owner says something\n" +
			"newer. Prints who would be told, and who must be corrected by hand; --execute decides. Who and why stand in the event.",
		Example: "  seam disagreements accept 820982911946154508 --field order.payment_status --of erp --why \"refunded by bank transfer\"\n" +
			"  seam disagreements accept 820982911946154508 --field payment.amount --object ch_3Nxyz --of shop --why INC-42 --execute",
		RunE: func(cmd *cobra.Command, args []string) error {
			asked.Field, asked.Of, asked.Now = schemas.Field(field), schemas.System(of), time.Now()
			if field == "" || of == "" || strings.TrimSpace(asked.Why) == "" || strings.TrimSpace(asked.Who) == "" {
				return errors.New("--field, --of, --why and --who are needed: what it is about, whose value is right, the reason, and who decides")
			}
			cfg, ring, err := c.opened(cmd.Context())
			if err != nil {
				return err
			}
			defer ring.Close()
			o, err := c.orderOf(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			plan, err := reconcile.Accept(cfg.Topology, o, asked)
			if err != nil {
				return err
			}
			if !plan.Already {
				if err := c.correct(cmd.Context(), cfg, plan, execute); err != nil {
					return err
				}
			}
			if asJSON {
				return c.json(struct {
					*reconcile.Acceptance
					Executed bool `json:"executed"`
				}{plan, execute && !plan.Already})
			}
			c.writeAcceptance(plan, execute)
			return nil
		}}
	f := cmd.Flags()
	f.StringVar(&field, "field", "", "the field: order.total")
	f.StringVar(&asked.Object, "object", "", "the payment, refund, ... that the field is of")
	f.StringVar(&of, "of", "", "the system whose value is right")
	f.StringVar(&asked.Team, "team", "", "the team that you speak for; only the one that ownership.yaml pages for the field may decide")
	f.StringVar(&asked.Why, "why", "", "the reason")
	f.StringVar(&asked.Who, "who", whoami(), "who decides")
	f.BoolVar(&execute, "execute", false, "decide; without it only what would be decided is shown")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// correct makes the correction of what the event topic holds, so that a plan that cannot be carried out is refused, and with
// publish writes it there.
func (c *cli) correct(ctx context.Context, cfg reconcile.ReadConfig, plan *reconcile.Acceptance, publish bool) error {
	from, err := reconcile.ReadEvent(ctx, cfg, plan.Topic, plan.Key, plan.From)
	if errors.Is(err, reconcile.ErrNotFound) {
		return fmt.Errorf("%w: %w", reconcile.ErrNoValue, err)
	}
	if err != nil {
		return err
	}
	ev, err := plan.Correction(from)
	if err != nil || !publish {
		return err
	}
	client, err := kgo.NewClient(append(producers.ClientOpts(), cfg.Options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	return producers.NewPublisher(client, cfg.Serde, cfg.Topology).Publish(ctx, schemas.Trace{}, ev)
}

// writeAcceptance says what a decision comes to.
func (c *cli) writeAcceptance(p *reconcile.Acceptance, executed bool) {
	field := string(p.Field)
	if p.Object != "" {
		field += " of " + p.Object
	}
	for _, s := range p.Says {
		mark := ""
		if s.System == p.Of {
			mark = " (accepted)"
		}
		fmt.Fprintf(c.out, "%s of %s: %s says %s%s\n", field, p.Key, s.System, s.Value, mark)
	}
	if p.Already {
		fmt.Fprintf(c.out, "accepted already by %s: %s\n", p.Who, p.Why)
	}
	for _, t := range p.Told {
		fmt.Fprintf(c.out, "  integration %s tells %s %s by %s\n", t.Integration, t.System, p.Value, t.Call)
	}
	for _, h := range p.Hand {
		fmt.Fprintf(c.out, "  %s must be corrected by hand: %s\n", h.System, h.Why)
	}
	switch {
	case p.Already:
		fmt.Fprintln(c.out, "nothing more is decided")
	case executed:
		fmt.Fprintf(c.out, "decided by %s for %s: %s %s is published; the integrations take it from here\n", p.Who, p.Team, p.Type, p.EventID)
	default:
		fmt.Fprintf(c.out, "%d integrations of other systems, %d to correct by hand; nothing is decided yet: --execute does it\n", len(p.Told), len(p.Hand))
	}
}
