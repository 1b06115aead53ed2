package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// consoleAddress is where a Seam on this machine answers people, unless it was told otherwise.
const consoleAddress = "http://127.0.0.1:8090"

// fromView opens the view that --view names, reads from it, and closes it.
func fromView[T any](ctx context.Context, c *cli, read func(*reconcile.View) (T, error)) (out T, err error) {
	topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
	if err != nil {
		return out, err
	}
	view, err := reconcile.OpenView(ctx, reconcile.ViewConfig{Database: c.view, Topology: topo, ReadOnly: true})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	return read(view)
}

// asked gives what the view says: from its database where --view names one, else from the console of a Seam on this machine.
func asked[T any](ctx context.Context, c *cli, path string, read func(*reconcile.View) (T, error)) (out T, err error) {
	if c.view != "" {
		return fromView(ctx, c, read)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, consoleAddress+path, nil)
	if err != nil {
		return out, err
	}
	resp, err := outbound.Within().Client(30*time.Second, nil).Do(req)
	if err != nil {
		return out, fmt.Errorf("no console answers: give --view (SEAM_VIEW), or start seam run on this machine: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return out, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict { // 409: facts that a policy refuses
		return out, fmt.Errorf("the console answers %d: %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return out, json.Unmarshal(body, &out)
}

// answered prints an answer, as JSON or as text, and says by the exit code whether a fault was found in it.
func (c *cli) answered(answer any, asJSON, found bool, text func() error) error {
	if asJSON {
		text = func() error { return c.json(answer) }
	}
	if err := text(); err != nil {
		return err
	}
	if found {
		return errFound
	}
	return nil
}

// order is seam order: what happened to one order in every system.
func (c *cli) order() *cobra.Command {
	var asJSON, personal bool
	names := map[string]*string{}
	cmd := &cobra.Command{
		Use: "order [ID]", Args: oneName,
		Short: "Tell what happened to an order in every system, what is missing, and who is asked",
		Long: "With --view it asks the reconciler's database. Without, it reads the order's partition of the topics and nothing else, and\n" +
			"works wherever the brokers are reached. Customers and stock are found the same way, by their id. The flags below find\n" +
			"orders by another name, in the view or through a console on this machine. Exit 1 where something is late, missing,\n" +
			"parked or in disagreement.",
		Example: "  seam order 820982911946154508\n  seam order 820982911946154508 --json\n  seam order --email jane@example.com\n  seam order --payment pi_3Nxyz",
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, value := range names {
				if cmd.Flags().Changed(name) {
					return c.find(cmd.Context(), name, *value, asJSON)
				}
			}
			if personal {
				return c.disclosed(cmd.Context(), args[0], asJSON)
			}
			o, err := c.readOrder(cmd.Context(), cmd.ErrOrStderr(), args[0])
			if err != nil {
				return err
			}
			return c.answered(o, asJSON, amiss(o), func() error { return o.Write(c.out) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	cmd.Flags().BoolVar(&personal, "personal", false, "show personal values in the open, where you may read the topic keys")
	for _, name := range reconcile.Names {
		names[name] = cmd.Flags().String(name, "", map[string]string{"customer": "id of a customer", "email": "address, or the SHA-256 of it in lower case in hex", "number": "what the customer reads: #1001",
			"payment": "reference of the PSP, or the shop's id of a payment"}[name])
	}
	return cmd
}

// disclosed prints an order with its personal values, which only the event topics have.
func (c *cli) disclosed(ctx context.Context, key string, asJSON bool) error {
	cfg, ring, err := c.opened(ctx)
	if err != nil {
		return err
	}
	defer ring.Close()
	o, err := c.orderOf(ctx, cfg, key)
	if err != nil {
		return err
	}
	list, err := reconcile.Disclose(ctx, cfg, o.Topic, o.Key)
	if err != nil {
		return err
	}
	whole := struct {
		*reconcile.Order
		Personal []reconcile.Disclosed `json:"personal"`
	}{o, list}
	return c.answered(whole, asJSON, amiss(o), func() error {
		if err := o.Write(c.out); err != nil {
			return err
		}
		fmt.Fprintln(c.out)
		return reconcile.WriteDisclosed(c.out, list)
	})
}

// oneName wants an id, or one of the flags that find by another name.
func oneName(cmd *cobra.Command, args []string) error {
	given := len(args)
	for _, name := range reconcile.Names {
		if cmd.Flags().Changed(name) {
			given++
		}
	}
	if given != 1 {
		return errors.New("give one id, or one of --" + strings.Join(reconcile.Names, ", --"))
	}
	return nil
}

// readOrder asks the view, or reads the topics.
func (c *cli) readOrder(ctx context.Context, stderr io.Writer, key string) (*reconcile.Order, error) {
	if c.view != "" {
		return c.orderOf(ctx, reconcile.ReadConfig{}, key)
	}
	cfg, err := c.reader()
	if err != nil {
		return nil, err
	}
	done, err := c.readable(ctx, stderr, cfg)
	if err != nil {
		return nil, err
	}
	defer done()
	return c.orderOf(ctx, cfg, key)
}

// orderOf is readOrder where the topics can be read already.
func (c *cli) orderOf(ctx context.Context, cfg reconcile.ReadConfig, key string) (*reconcile.Order, error) {
	if c.view != "" {
		return fromView(ctx, c, func(v *reconcile.View) (*reconcile.Order, error) { return v.Order(ctx, key) })
	}
	return reconcile.ReadOrder(ctx, cfg, key)
}

// amiss tells whether somebody should look at an order.
func amiss(o *reconcile.Order) bool {
	return o.State != reconcile.StateComplete && o.State != reconcile.StatePending
}

// maxListed is how many rows a list shows.
const maxListed = 1000

// named is the orders of another name.
func (c *cli) named(ctx context.Context, kind, value string) ([]reconcile.Listed, error) {
	return asked(ctx, c, "/orders?"+url.Values{kind: {value}}.Encode(), func(v *reconcile.View) ([]reconcile.Listed, error) { return v.Find(ctx, kind, value, maxListed) })
}

// find prints the orders of another name.
func (c *cli) find(ctx context.Context, kind, value string, asJSON bool) error {
	list, err := c.named(ctx, kind, value)
	if err != nil {
		return err
	}
	if asJSON {
		return c.json(list)
	}
	if len(list) == 0 {
		return fmt.Errorf("%w: --%s %s", reconcile.ErrNotFound, kind, value)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOPIC\tID\tSTATE\tVERDICT")
	for _, l := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Topic, l.Key, l.State, l.Verdict)
	}
	return w.Flush()
}

// listedDisagreements is the answer of GET /disagreements.
type listedDisagreements struct {
	Disagreements []reconcile.Disagreement `json:"disagreements"`
	All           int                      `json:"all"`
	Freshness     reconcile.Freshness      `json:"freshness"`
}

// differing is what systems differ about; with all also what they differed about before.
func (c *cli) differing(ctx context.Context, all bool) (listedDisagreements, error) {
	path := "/disagreements"
	if all {
		path += "?all=true"
	}
	return asked(ctx, c, path, func(v *reconcile.View) (out listedDisagreements, err error) {
		out.Freshness = v.Freshness()
		out.Disagreements, out.All, err = v.Disagreements(ctx, !all, maxListed)
		return out, err
	})
}

// disagreements is seam disagreements: what systems differ about.
func (c *cli) disagreements() *cobra.Command {
	var asJSON, closed bool
	cmd := &cobra.Command{
		Use: "disagreements", Args: cobra.NoArgs,
		Short:   "List what systems differ about now: whose it is, since when, and who is paged",
		Long:    "Asks the reconciler's database that --view names, else a console on this machine. Exit 1 where one is overdue.",
		Example: "  seam disagreements\n  seam disagreements --all --json\n  seam disagreements --view postgres://seam@db/seam",
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := c.differing(cmd.Context(), closed)
			if err != nil {
				return err
			}
			found := slices.ContainsFunc(list.Disagreements, func(d reconcile.Disagreement) bool { return d.State == reconcile.DisagreementOverdue })
			return c.answered(list, asJSON, found, func() error { return c.writeDisagreements(list) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.Flags().BoolVar(&closed, "all", false, "also those that closed")
	cmd.AddCommand(c.decideDisagreement(schemas.Acknowledge, "Say that somebody is at a disagreement: nobody is paged for it any more"),
		c.decideDisagreement(schemas.Waive, "Let a disagreement be for a time: until then nobody is paged for it"), c.accept())
	return cmd
}

func (c *cli) writeDisagreements(list listedDisagreements) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFIELD\tOWNER SAYS\tOTHER SAYS\tSINCE\tLASTS\tSTATE\tPAGES")
	for _, d := range list.Disagreements {
		state, pages := d.State, ""
		switch d.State {
		case reconcile.DisagreementOverdue:
			pages = d.Page
		case reconcile.DisagreementAcknowledged, reconcile.DisagreementWaived:
			state += " by " + d.Who
		}
		if d.Accepted != "" {
			state += fmt.Sprintf(" (%s's %s, by %s)", d.Accepted, d.AcceptedValue, d.AcceptedBy)
		}
		field := string(d.Field)
		if d.Object != "" {
			field += " of " + d.Object
		}
		fmt.Fprintf(w, "%s\t%s\t%s: %s\t%s: %s\t%s\t%s\t%s\t%s\n", d.Key, field, d.Owner, d.OwnerValue, d.System, d.Value, d.Since.Format(time.RFC3339), d.Duration().Round(time.Second), state, pages)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := list.All - len(list.Disagreements); more > 0 {
		fmt.Fprintf(c.out, "and %d more\n", more)
	}
	_, err := fmt.Fprintln(c.out, list.Freshness.String())
	return err
}

// rebuild is seam rebuild: the view made anew from the topics.
func (c *cli) rebuild() *cobra.Command {
	var level string
	cmd := &cobra.Command{
		Use: "rebuild", Args: cobra.NoArgs,
		Short: "Make the reconciler's database anew from the topics",
		Long: "Empties the database that --view names and reads the topics from their start, then tells what it holds. What retention took\n" +
			"from the topics is not in it any more. Stop the Seam that writes it first: the emptying is refused until it has stopped.",
		Example: "  seam rebuild --view ./data/view.db\n  seam rebuild --view postgres://seam@db/seam",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.view == "" {
				return errors.New("--view is missing: the database to make anew (SEAM_VIEW)")
			}
			log, err := logger(cmd.ErrOrStderr(), level, "json")
			if err != nil {
				return err
			}
			topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			options, registry, err := c.connect()
			if err == nil {
				err = c.guard(topo, options)
			}
			if err != nil {
				return err
			}
			serde := schemas.NewSerde(registry)
			ring, err := c.sealed(cmd.Context(), options, serde, topo)
			if err != nil {
				return err
			}
			defer ring.Close()
			return c.rebuilt(cmd.Context(), reconcile.FollowConfig{Options: options, Serde: serde, Topology: topo, Logger: log})
		},
	}
	cmd.Flags().StringVar(&level, "log-level", env("SEAM_LOG_LEVEL", "warn"), "debug, info, warn or error (SEAM_LOG_LEVEL)")
	return cmd
}

func (c *cli) rebuilt(ctx context.Context, cfg reconcile.FollowConfig) (err error) {
	began := time.Now()
	if cfg.View, err = reconcile.OpenView(ctx, reconcile.ViewConfig{Database: c.view, Topology: cfg.Topology, Logger: cfg.Logger}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cfg.View.Close()) }()
	if err := cfg.View.Reset(ctx); err != nil {
		return err
	}
	follow, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- reconcile.Follow(follow, cfg) }()
	err = cfg.View.CaughtUp(ctx)
	if err == nil {
		_, err = cfg.View.Judge(ctx)
	}
	cancel()
	if err = errors.Join(err, <-done); err != nil {
		return err
	}
	s, err := cfg.View.Summary(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%d orders, %d customers, %d items from %d events in %s; %s\n", s.Orders, s.Customers, s.Items, s.Events, time.Since(began).Round(time.Millisecond), s.Freshness.String())
	return err
}
