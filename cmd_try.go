package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/trial"
)

// tryFlags are what seam try is asked.
type tryFlags struct {
	order, event, file, system string
	personal, afresh, json     bool
}

// tried is the answer of seam try.
type tried struct {
	Integration string        `json:"integration"`
	Order       string        `json:"order,omitempty"`
	Ledger      string        `json:"ledger"` // what the trials began with
	Trials      []trial.Trial `json:"trials"`
}

// try is seam try: what would be sent, and why.
func (c *cli) try() *cobra.Command {
	var f tryFlags
	cmd := &cobra.Command{
		Use: "try INTEGRATION (--order ID | --file FILE)",
		Args: func(cmd *cobra.Command, args []string) error {
			if (f.order == "") == (f.file == "") {
				return errors.New("give one of --order and --file")
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		Short: "Show the exact request that would be sent for an order, and why, and send nothing",
		Long: "Takes the events of an order from the topics, or from a file in Seam's own event form, and plays them in one integration:\n" +
			"every rule with what it looked at and what it said, every field with its owner, and the request with its address, headers\n" +
			"and body. Secrets are masked, and what is personal, unless --show-personal. With --order it begins with what the\n" +
			"integration's ledger knows now, as if each event came again; --afresh begins with nothing, as a new integration does. It\n" +
			"joins no group and writes nothing. An address whose variable is not set is http://unset.invalid. Exit 0 whatever is\n" +
			"decided, 1 where the order or integration is unknown.",
		Example: "  seam try warehouse --order 820982911946154508\n  seam try warehouse --order 820982911946154508 --afresh --show-personal\n" +
			"  seam try loyalty --topology ./topology --file order.json --system shop\n  cat order.json | seam try loyalty --file - --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			out := tried{Integration: args[0], Order: f.order, Ledger: "nothing is known", Trials: []trial.Trial{}}
			cfg := trial.Config{Topology: topo, Integration: args[0], Personal: f.personal}
			var inputs []trial.Input
			if f.file != "" {
				inputs, err = fromFile(cmd.InOrStdin(), &f)
			} else {
				inputs, err = c.fromTopics(cmd, topo, &f, &cfg, &out)
			}
			if err != nil {
				return err
			}
			lane, err := trial.New(cfg)
			if err != nil {
				return err
			}
			for _, in := range inputs {
				for _, t := range lane.Try(in) {
					if f.event == "" || f.event == string(t.Event) {
						out.Trials = append(out.Trials, t)
					}
				}
			}
			if len(out.Trials) == 0 {
				return fmt.Errorf("no event of it has the id %s", f.event)
			}
			if f.json {
				return c.json(out)
			}
			fmt.Fprintf(c.out, "the ledger of %s: %s; nothing is sent\n\n", out.Integration, out.Ledger)
			return trial.Write(c.out, out.Integration, out.Trials)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.order, "order", "", "id of an order (customer, location/item) whose events are in the topics")
	flags.StringVar(&f.file, "file", "", "events in Seam's own JSON form: one object, an array, or one after another; - is stdin")
	flags.StringVar(&f.event, "event", "", "show only this event; those before it are still played")
	flags.StringVar(&f.system, "system", "", "with --file: whose word an event is that names no system")
	flags.BoolVar(&f.personal, "show-personal", false, "show personal values")
	flags.BoolVar(&f.afresh, "afresh", false, "with --order: as if the integration knew nothing of it")
	flags.BoolVar(&f.json, "json", false, "one JSON object")
	return cmd
}

// fromFile reads events of a file, or stdin for "-"; each comes alone.
func fromFile(stdin io.Reader, f *tryFlags) ([]trial.Input, error) {
	var b []byte
	var err error
	if f.file == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(f.file)
	}
	if err != nil {
		return nil, err
	}
	events, err := trial.ParseEvents(b, trial.Defaults{System: schemas.System(f.system), ID: f.file}, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.file, err)
	}
	var out []trial.Input
	for _, ev := range events {
		out = append(out, trial.Input{Event: ev})
	}
	return out, nil
}

// fromTopics reads the order's events, and what the ledger knows of it into cfg.
func (c *cli) fromTopics(cmd *cobra.Command, topo *topology.Topology, f *tryFlags, cfg *trial.Config, out *tried) ([]trial.Input, error) {
	if topo.Integration(cfg.Integration) == nil {
		_, err := trial.New(*cfg) // which names those there are
		return nil, err
	}
	h, err := c.past(cmd.Context(), cmd.ErrOrStderr(), topo, cfg.Integration, f.order)
	if err != nil {
		return nil, err
	}
	settled := int64(-1)
	switch {
	case f.afresh:
		out.Ledger = "left aside (--afresh)"
	case h.Entry == nil:
		out.Ledger = "knows nothing of " + f.order
	default:
		cfg.Entry, settled = h.Entry, h.Entry.Settled
		out.Ledger = fmt.Sprintf("%d events finished, %d operations, %d parked, as of %s", len(h.Entry.Events), len(h.Entry.Operations), len(h.Parked), h.Entry.UpdatedAt.UTC().Format(time.RFC3339))
		cfg.Parked = trial.Waiting(h.Parked)
	}
	cfg.Now = time.Now
	var inputs []trial.Input
	var events []*schemas.Event
	for _, told := range h.Events {
		if told.Event == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "offset %d cannot be read, and would be parked: %s\n", told.Position.Offset, told.Unreadable)
			continue
		}
		inputs = append(inputs, trial.Input{Event: told.Event, Partition: told.Position.Partition, TraceParent: told.TraceParent})
		events = append(events, told.Event)
	}
	for i, behind := range trial.BehindEach(topo, events) {
		if at := slices.IndexFunc(h.Events, func(t reconcile.Told) bool { return t.Event == events[i] }); h.Events[at].Position.Offset > settled {
			inputs[i].Behind = behind // a worker that comes to it now has them all before it
		}
	}
	return inputs, nil
}

// past reads the topics, with the keys of personal data where this user may read those.
func (c *cli) past(ctx context.Context, stderr io.Writer, topo *topology.Topology, integration, key string) (*reconcile.History, error) {
	options, registry, err := c.connect()
	if err != nil {
		return nil, err
	}
	cfg := reconcile.ReadConfig{Options: options, Serde: schemas.NewSerde(registry), Topology: topo}
	done, err := c.readable(ctx, stderr, cfg)
	if err != nil {
		return nil, err
	}
	defer done()
	return reconcile.ReadHistory(ctx, cfg, integration, key)
}
