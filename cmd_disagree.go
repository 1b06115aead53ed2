package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// decideDisagreement is acknowledge or waive: first what is meant, then, with --execute, the decision.
func (c *cli) decideDisagreement(kind schemas.CommandKind, short string) *cobra.Command {
	var field, object, system, who, why string
	var lasts time.Duration
	var execute bool
	cmd := &cobra.Command{Use: string(kind) + " ID", Args: cobra.ExactArgs(1), Short: short,
		Long:    short + ".\nPrints what would be decided; --execute decides. Who and why stand in the topic of disagreements.",
		Example: fmt.Sprintf("  seam disagreements %s 820982911946154508 --field order.total --why \"the ERP rounds up\"\n  seam disagreements %s 820982911946154508 --field order.total --system erp --why \"INC-42\" --execute", kind, kind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if field == "" || strings.TrimSpace(why) == "" {
				return errors.New("--field and --why are needed: what it is about, and the reason")
			}
			if kind == schemas.Waive && lasts <= 0 {
				return errors.New("--for is needed: how long it may be so, for example 48h")
			}
			o, err := c.readOrder(cmd.Context(), cmd.ErrOrStderr(), args[0])
			if err != nil {
				return err
			}
			n := 0
			for _, d := range o.Disagreements {
				if d.Closed == nil && string(d.Field) == field && d.Object == object && (system == "" || string(d.System) == system) {
					fmt.Fprintf(c.out, "%s: %s of %s: %s says %s, %s says %s\n", kind, d.Field, d.Key, d.Owner, d.OwnerValue, d.System, d.Value)
					n++
				}
			}
			if n == 0 {
				return fmt.Errorf("nobody differs about %s of %s now: seam order %s shows what is open", field, args[0], args[0])
			}
			if !execute {
				fmt.Fprintf(c.out, "%d disagreements; nothing is decided yet: --execute does it\n", n)
				return nil
			}
			decided := &schemas.Command{ID: uuid.NewString(), Kind: kind, Topic: o.Topic, Key: o.Key, Who: who, Why: why, At: time.Now().UTC(), Field: schemas.Field(field), Object: object, System: schemas.System(system)}
			if kind == schemas.Waive {
				until := decided.At.Add(lasts)
				decided.Until = &until
			}
			cfg, err := c.reader()
			if err != nil {
				return err
			}
			if err := c.command(cmd.Context(), cfg, placed{decided, topology.PartitionOf(decided.Key, cfg.Topology.Partitions)}); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%d disagreements; the reconciler takes it from here\n", n)
			return nil
		}}
	f := cmd.Flags()
	f.StringVar(&field, "field", "", "the field: order.total")
	f.StringVar(&object, "object", "", "the payment, refund, ... that the field is of")
	f.StringVar(&system, "system", "", "who differs from the owner; whoever does when empty")
	f.StringVar(&why, "why", "", "the reason")
	f.StringVar(&who, "who", whoami(), "who decides")
	if kind == schemas.Waive {
		f.DurationVar(&lasts, "for", 0, "how long it may be so: 48h")
	}
	f.BoolVar(&execute, "execute", false, "decide; without it only what would be decided is shown")
	return cmd
}
