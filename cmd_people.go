package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// reader is what the verbs that only read need.
func (c *cli) reader() (reconcile.ReadConfig, error) {
	topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
	if err != nil {
		return reconcile.ReadConfig{}, err
	}
	options, registry, err := c.connect()
	if err == nil {
		err = c.guard(topo, options)
	}
	return reconcile.ReadConfig{Options: options, Serde: schemas.NewSerde(registry), Topology: topo}, err
}

// json writes v, indented.
func (c *cli) json(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// status is seam status: each integration.
func (c *cli) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Args: cobra.NoArgs,
		Short:   "Show each integration: lag, last success, circuit, what is parked",
		Example: "  seam status\n  seam status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.reader()
			if err != nil {
				return err
			}
			list, err := reconcile.ReadStatus(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(list)
			}
			return reconcile.WriteStatus(c.out, list, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array")
	return cmd
}

// quarantine is seam quarantine: input that was authentic and could not be read.
func (c *cli) quarantine() *cobra.Command {
	cmd := &cobra.Command{Use: "quarantine", Short: "List, show and re-ingest input that could not be normalized",
		Example: "  seam quarantine list\n  seam quarantine show 5f0c...\n  seam quarantine reingest 5f0c..."}
	var asJSON bool
	list := &cobra.Command{Use: "list", Args: cobra.NoArgs, Short: "List what is kept, oldest first", Example: "  seam quarantine list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.quarantined(cmd, func(_ reconcile.ReadConfig, all []*schemas.Quarantined) error {
				if asJSON {
					return c.json(all)
				}
				w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tRECEIVED\tSOURCE\tWHERE\tREASON")
				for _, q := range all {
					where := q.Field
					if q.File != "" {
						where = fmt.Sprintf("%s:%d %s", q.File, q.Line, q.Field)
					}
					if q.Sealed != nil {
						where = "erased"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.ID, q.ReceivedAt.UTC().Format(time.RFC3339), q.Source, where, q.Reason)
				}
				return w.Flush()
			})
		}}
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON array, with the bodies")
	show := &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), Short: "Print one body as it came", Example: "  seam quarantine show 5f0c...",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.quarantined(cmd, func(_ reconcile.ReadConfig, all []*schemas.Quarantined) error {
				q, err := byID(all, args[0])
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s from %s: %s\n", q.ID, q.Source, q.Reason)
				_, err = c.out.Write(append(q.Body, '\n'))
				return err
			})
		}}
	reingest := &cobra.Command{Use: "reingest ID...", Args: cobra.MinimumNArgs(1), Short: "Read input again after a fix, and publish what it comes to", Example: "  seam quarantine reingest 5f0c...",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.quarantined(cmd, func(cfg reconcile.ReadConfig, all []*schemas.Quarantined) error {
				return c.reingest(cmd.Context(), cfg, all, args)
			})
		}}
	cmd.AddCommand(list, show, reingest)
	return cmd
}

// quarantined hands over what is in quarantine, while the keys of personal data are at hand.
func (c *cli) quarantined(cmd *cobra.Command, use func(reconcile.ReadConfig, []*schemas.Quarantined) error) error {
	cfg, ring, err := c.opened(cmd.Context())
	if err != nil {
		return err
	}
	defer ring.Close()
	all, err := producers.Quarantine(cmd.Context(), cfg.Options, cfg.Serde, cfg.Topology)
	if err != nil {
		return err
	}
	return use(cfg, all)
}

func byID(all []*schemas.Quarantined, id string) (*schemas.Quarantined, error) {
	i := slices.IndexFunc(all, func(q *schemas.Quarantined) bool { return string(q.ID) == id })
	if i < 0 {
		return nil, fmt.Errorf("nothing in quarantine has the id %s: seam quarantine list shows what there is", id)
	}
	if all[i].Sealed != nil {
		return nil, fmt.Errorf("%s: its body is erased", id)
	}
	return all[i], nil
}

// reingest reads quarantined deliveries again. Their signatures were checked when they came.
func (c *cli) reingest(ctx context.Context, cfg reconcile.ReadConfig, all []*schemas.Quarantined, ids []string) error {
	client, err := kgo.NewClient(append(producers.ClientOpts(), cfg.Options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	dir, err := os.MkdirTemp("", "seam-reingest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // empty: nothing is spooled here
	edge, err := producers.New(producers.Config{Topology: cfg.Topology, Publisher: producers.NewPublisher(client, cfg.Serde, cfg.Topology), SpoolDir: dir})
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		q, err := byID(all, id)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		events, err := edge.Reingest(ctx, q)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		fmt.Fprintf(c.out, "%s: %v\n", id, events)
	}
	return errors.Join(faults...)
}

// ingest is seam ingest: saved webhooks through the real edge.
func (c *cli) ingest() *cobra.Command {
	var source string
	var asJSON bool
	cfg := producers.IngestConfig{}
	cmd := &cobra.Command{
		Use: "ingest", Args: cobra.NoArgs,
		Short: "Push saved webhooks, signed, through a running edge",
		Long: "Sends every *.json of a folder to the edge as the source would: signed with the source's first secret (its variable\n" +
			"must be set here too), under the topic that the file's name says (orders__create.json is orders/create) or its\n" +
			"<name>.headers.json. The same file is the same delivery each time. Exit 1 where the edge refused one.",
		Example: "  SHOPIFY_SECRET=... seam ingest --source shopify --dir ./saved",
		RunE: func(cmd *cobra.Command, _ []string) error {
			topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			if cfg.Source = topo.Source(source); cfg.Source == nil {
				return fmt.Errorf("unknown source %q: the topology has %s", source, sources(topo))
			}
			report, err := producers.Ingest(cmd.Context(), cfg)
			if err := c.told(report, asJSON); err != nil {
				return err
			}
			if err == nil && report.Refused > 0 {
				return errFound
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "name of the source (topology/sources)")
	f.StringVar(&cfg.Dir, "dir", "", "folder of the saved bodies")
	f.StringVar(&cfg.URL, "url", "http://127.0.0.1:8080", "the edge")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	for _, name := range []string{"source", "dir"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// told prints what became of each file.
func (c *cli) told(r producers.Report, asJSON bool) error {
	if asJSON {
		return c.json(r)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, f := range r.Files {
		what := fmt.Sprintf("%d events", len(f.EventIDs))
		switch {
		case f.Quarantined != "":
			what = "quarantined: " + f.Reason
		case f.Status != 200:
			what = fmt.Sprintf("refused with %d: %s", f.Status, f.Reason)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.File, f.Topic, what)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%d accepted, %d quarantined, %d refused\n", r.Accepted, r.Quarantined, r.Refused)
	return err
}

func sources(t *topology.Topology) []string {
	var out []string
	for _, s := range t.Sources {
		out = append(out, s.Name)
	}
	return out
}
