package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// parkedFilter chooses among what is parked; an empty field chooses all.
type parkedFilter struct{ integration, order, event, reason string }

// parked is seam parked: what waits, and what people decide about it.
func (c *cli) parked() *cobra.Command {
	var f parkedFilter
	cmd := &cobra.Command{
		Use: "parked", Short: "List, release and discard what waits in integrations",
		Example: "  seam parked list --integration warehouse\n  seam parked show --event 901f6e7d-adcb-58ad-a27a-20b82f661d2b\n" +
			"  seam parked release --integration tax --reason contract --why \"299 means filed late\" --execute",
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.integration, "integration", "", "only of this integration")
	flags.StringVar(&f.order, "order", "", "only of this order (customer, item)")
	flags.StringVar(&f.event, "event", "", "only this event")
	flags.StringVar(&f.reason, "reason", "", "only for this reason: contract, unknown, business_no, ...")
	cmd.AddCommand(c.parkedList(&f), c.parkedShow(&f),
		c.decide(&f, schemas.Release, "Handle parked events again, in order; what stood behind them follows"),
		c.decide(&f, schemas.Discard, "End parked events without an effect; what stood behind them follows"))
	return cmd
}

func (c *cli) parkedList(f *parkedFilter) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Args: cobra.NoArgs, Short: "List what waits, why and since when", Example: "  seam parked list\n  seam parked list --reason unknown --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, all, err := c.waiting(cmd.Context(), f)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(append([]*schemas.ParkedRecord{}, all...))
			}
			w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "INTEGRATION\tORDER\tEVENT\tTYPE\tREASON\tSINCE\tWAITS FOR\tDETAIL")
			for _, p := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Integration, p.Key, p.EventID, p.EventType, p.Reason, p.Since.UTC().Format(time.RFC3339), next(p), p.Detail)
			}
			return w.Flush()
		}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array, with the events' bytes")
	return cmd
}

// next is what a parked event waits for.
func next(p *schemas.ParkedRecord) string {
	switch {
	case p.Until != nil:
		return fmt.Sprintf("%v until %s", p.Needs, p.Until.UTC().Format(time.RFC3339))
	case p.Reason == schemas.ReasonBehind:
		return "the one before"
	case p.Reason == schemas.ReasonReleased, p.Reason == schemas.ReasonReplay:
		return "nothing: under way"
	}
	return "a person"
}

func (c *cli) parkedShow(f *parkedFilter) *cobra.Command {
	return &cobra.Command{Use: "show", Args: cobra.NoArgs, Short: "Show parked events with their attempts and answers", Example: "  seam parked show --order 820982911946154508",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, all, err := c.waiting(cmd.Context(), f)
			if err != nil {
				return err
			}
			for _, p := range all {
				fmt.Fprintf(c.out, "%s  %s of order %s\n  event   %s (%s/%d offset %d)\n  reason  %s: %s\n  since   %s, waits for %s\n", p.Integration, p.EventType, p.Key,
					p.EventID, p.Topic, p.Partition, p.Offset, p.Reason, p.Detail, p.Since.UTC().Format(time.RFC3339), next(p))
				for i, a := range p.Attempts {
					fmt.Fprintf(c.out, "  call %-2d %s %d %s in %dms: %s\n", i+1, a.At.UTC().Format(time.RFC3339), a.Status, a.Class, a.TookMS, a.Detail)
				}
			}
			if len(all) == 0 {
				return errors.New("nothing that is parked fits")
			}
			return nil
		}}
}

// decide is release or discard: first the count, then, with --execute, the decision.
func (c *cli) decide(f *parkedFilter, kind schemas.CommandKind, short string) *cobra.Command {
	var why, who string
	var execute bool
	cmd := &cobra.Command{Use: string(kind), Args: cobra.NoArgs, Short: short,
		Long:    short + ".\nPrints what would be decided; --execute decides. Who and why are recorded in the outcome.",
		Example: fmt.Sprintf("  seam parked %s --integration tax --reason contract --why \"agreed with the gateway\"\n  seam parked %s --event 901f6e7d-adcb-58ad-a27a-20b82f661d2b --why \"asked the customer\" --execute", kind, kind),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if *f == (parkedFilter{}) {
				return errors.New("name what is meant: --integration, --order, --event or --reason")
			}
			if strings.TrimSpace(why) == "" {
				return errors.New("--why is missing: the reason is recorded in the outcome")
			}
			cfg, all, err := c.waiting(cmd.Context(), f)
			if err != nil {
				return err
			}
			orders := map[string]bool{}
			for _, p := range all {
				orders[p.Key] = true
				fmt.Fprintf(c.out, "%s %s: %s of order %s (%s)\n", kind, p.Integration, p.EventType, p.Key, p.Reason)
			}
			if !execute {
				fmt.Fprintf(c.out, "%d events of %d orders; nothing is decided yet: --execute does it\n", len(all), len(orders))
				return nil
			}
			if err := c.command(cmd.Context(), cfg, aboutParked(all, kind, who, why)...); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%d events of %d orders; the workers take it from here\n", len(all), len(orders))
			return nil
		}}
	cmd.Flags().StringVar(&why, "why", "", "the reason")
	cmd.Flags().StringVar(&who, "who", whoami(), "who decides")
	cmd.Flags().BoolVar(&execute, "execute", false, "decide; without it only what would be decided is shown")
	return cmd
}

// waiting is what is parked and fits the filter.
func (c *cli) waiting(ctx context.Context, f *parkedFilter) (reconcile.ReadConfig, []*schemas.ParkedRecord, error) {
	cfg, err := c.reader()
	if err != nil {
		return cfg, nil, err
	}
	var out []*schemas.ParkedRecord
	for _, in := range cfg.Topology.Integrations {
		if f.integration != "" && f.integration != in.Name {
			continue
		}
		list, err := reconcile.Parked(ctx, cfg, in.Name)
		if err != nil {
			return cfg, nil, err
		}
		for _, p := range list {
			if (f.order == "" || f.order == p.Key) && (f.event == "" || f.event == string(p.EventID)) && (f.reason == "" || f.reason == string(p.Reason)) {
				out = append(out, p)
			}
		}
	}
	if f.integration != "" && cfg.Topology.Integration(f.integration) == nil {
		return cfg, nil, fmt.Errorf("unknown integration %q", f.integration)
	}
	return cfg, out, nil
}

// placed is a decision and the partition of the event or order that it is about.
type placed struct {
	*schemas.Command
	partition int32
}

// aboutParked is one decision for each parked event.
func aboutParked(events []*schemas.ParkedRecord, kind schemas.CommandKind, who, why string) []placed {
	var out []placed
	for _, p := range events {
		out = append(out, placed{&schemas.Command{ID: uuid.NewString(), Kind: kind, Integration: p.Integration, Topic: p.Topic, Key: p.Key, EventID: p.EventID, Who: who, Why: why, At: time.Now().UTC()}, p.Partition})
	}
	return out
}

// command writes decisions, each to the partition of what it is about: whoever reads that reads it.
func (c *cli) command(ctx context.Context, cfg reconcile.ReadConfig, list ...placed) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, cfg.Options...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := cfg.Topology.TopicName(topology.TopicCommands)
	var records []*kgo.Record
	for _, d := range list {
		value, err := cfg.Serde.EncodeCommand(ctx, topic+"-value", d.Command)
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: topic, Partition: d.partition, Key: []byte(d.Key), Value: value})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// whoami is the user of this machine, for the record.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
