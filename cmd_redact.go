package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/schemas/sealing"
	"github.com/binaryandbeyond/seam/topology"
)

// sealed gives the serde the keys of personal data: what is written is sealed with them, what is read opened. Close the ring.
func (c *cli) sealed(ctx context.Context, options []kgo.Opt, serde *schemas.Serde, topo *topology.Topology) (*sealing.Ring, error) {
	ring, err := sealing.Open(ctx, sealing.Config{Options: options, Topic: topo.TopicName(topology.TopicKeys), Serde: serde})
	if err == nil {
		serde.SealWith(ring)
	}
	return ring, err
}

// opened is reader with the keys of personal data. Close the ring.
func (c *cli) opened(ctx context.Context) (cfg reconcile.ReadConfig, ring *sealing.Ring, err error) {
	if cfg, err = c.reader(); err == nil {
		ring, err = c.sealed(ctx, cfg.Options, cfg.Serde, cfg.Topology)
	}
	return cfg, ring, err
}

// readable gives a serde the keys of personal data where this user may read them; else what is personal stays sealed, and stderr
// is told. done releases them.
func (c *cli) readable(ctx context.Context, stderr io.Writer, cfg reconcile.ReadConfig) (done func(), err error) {
	ring, err := c.sealed(ctx, cfg.Options, cfg.Serde, cfg.Topology)
	switch {
	case err == nil:
		return ring.Close, nil
	case ctx.Err() != nil:
		return nil, err
	}
	fmt.Fprintf(stderr, "what is personal stays sealed: %v\n", err)
	return func() {}, nil
}

// redact is seam redact: a person asks for the erasure of a customer's personal data.
func (c *cli) redact() *cobra.Command {
	var orders []string
	var who, why string
	var execute, wait bool
	cmd := &cobra.Command{
		Use: "redact CUSTOMER", Args: cobra.ExactArgs(1),
		Short: "Erase the personal data of a customer, as a customers/redact webhook does",
		Long: "Publishes customer.redacted: the integrations that act on it tell their systems, and the reconciler erases the customer and\n" +
			"every order of theirs that it knows, or that --order names, from its database, and destroys the keys under which their\n" +
			"personal data stands in the topics. That cannot be taken back. Prints what would be done; --execute does it.",
		Example: "  seam redact 207119551 --why \"asked for on 25 November\"\n  seam redact 207119551 --order 820982911946154508 --why \"GDPR-17\" --execute --wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(why) == "" {
				return errors.New("--why is needed: the reason")
			}
			fmt.Fprintf(c.out, "redact: customer %s, orders that name the customer, and %d orders given by id\n", args[0], len(orders))
			if !execute {
				fmt.Fprintln(c.out, "nothing is erased yet: --execute does it")
				return nil
			}
			cfg, ring, err := c.opened(cmd.Context())
			if err != nil {
				return err
			}
			defer ring.Close()
			asked := &schemas.Command{ID: uuid.NewString(), Kind: schemas.Redact, Topic: schemas.TopicCustomers, Key: args[0], Who: who, Why: why, At: time.Now().UTC()}
			if err := c.command(cmd.Context(), cfg, placed{asked, topology.PartitionOf(asked.Key, cfg.Topology.Partitions)}); err != nil {
				return err
			}
			if err := publishRedaction(cmd.Context(), cfg, asked, orders); err != nil {
				return err
			}
			if !wait {
				fmt.Fprintln(c.out, "asked for; the reconciler takes it from here")
				return nil
			}
			return c.erased(cmd.Context(), ring, args[0])
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&orders, "order", nil, "ids of orders to erase beside those that name the customer")
	f.StringVar(&why, "why", "", "the reason, recorded in the topic of decisions")
	f.StringVar(&who, "who", whoami(), "who asks")
	f.BoolVar(&execute, "execute", false, "do it; without it only what would be done is shown")
	f.BoolVar(&wait, "wait", false, "wait until the keys are destroyed")
	return cmd
}

// publishRedaction writes the event that a person's decision comes to, spoken for the system that owns the customer's address.
func publishRedaction(ctx context.Context, cfg reconcile.ReadConfig, asked *schemas.Command, orders []string) error {
	client, err := kgo.NewClient(append(producers.ClientOpts(), cfg.Options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	at := asked.At.Truncate(time.Microsecond)
	owner, ok := cfg.Topology.Ownership["customer.email"]
	if !ok {
		return errors.New("ownership.yaml: customer.email has no owner, so nobody can be spoken for: name one")
	}
	const source = "/seam/people"
	ev := &schemas.Event{ID: schemas.NewEventID(source, asked.ID, ""), Type: schemas.CustomerRedacted, Source: source, System: owner.At(at)[0], Subject: asked.Key, Time: at, IngestedAt: at,
		DeliveryID: asked.ID, CausationID: asked.ID, BusinessID: string(schemas.CustomerRedacted) + "/" + asked.Key + "/" + asked.ID,
		Customer: &schemas.Customer{ID: asked.Key, OrderIDs: orders}}
	return producers.NewPublisher(client, cfg.Serde, cfg.Topology).Publish(ctx, schemas.Trace{}, ev)
}

// erased waits until a customer's key is destroyed.
func (c *cli) erased(ctx context.Context, ring *sealing.Ring, customer string) error {
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		if ring.Erased(schemas.SealSubject(schemas.TopicCustomers, customer)) {
			_, err := fmt.Fprintln(c.out, "erased; table erasures of the view tells when the brokers' disks are clean too")
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
