package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/topology"
)

// plan is seam plan: what the cluster lacks.
func (c *cli) plan() *cobra.Command {
	var asJSON bool
	var out string
	cmd := &cobra.Command{
		Use: "plan", Args: cobra.NoArgs,
		Short: "Show what the cluster lacks of the topology, and change nothing",
		Long: "Compares the topology files with the cluster and registry: topics and their configs, schemas and compatibility levels, and,\n" +
			"where access.yaml and subscribers/ name principals, quotas and ACLs. Changes stand in the order apply makes them; DANGER marks\n" +
			"those that lose something, \"!\" those that are refused. Exit 0: nothing to do; 1: something is refused; 2: there are changes.",
		Example: "  seam plan --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7\n  seam plan --out plan.json && seam apply plan.json\n  seam plan --json\n  seam plan history",
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := c.ground(cmd, false)
			if err != nil {
				return err
			}
			defer g.close()
			plan := topology.Plan(g.topo, g.have)
			if out != "" {
				text, err := json.MarshalIndent(topology.NewPlanFile(g.topo, g.have, g.files, whoami(), time.Now()), "", "  ")
				if err != nil {
					return err
				}
				if err := os.WriteFile(out, append(text, '\n'), 0o600); err != nil {
					return fmt.Errorf("--out: %w", err)
				}
			}
			if err := c.show(g, plan, asJSON); err != nil {
				return err
			}
			switch {
			case topology.Has(plan, topology.Refused):
				return errFound
			case len(plan) > 0:
				return errChanges
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.Flags().StringVar(&out, "out", "", "write the plan to a file that seam apply takes, and that it applies only as long as files and cluster are the same")
	cmd.AddCommand(c.planHistory())
	return cmd
}

// apply is seam apply: plan, then do; or do what was planned.
func (c *cli) apply() *cobra.Command {
	var danger bool
	cmd := &cobra.Command{
		Use: "apply [PLAN]", Args: cobra.MaximumNArgs(1),
		Short: "Bring the cluster to the topology, or carry out a plan that was reviewed",
		Long: "Plans and applies. With a file of seam plan --out exactly that is applied: if files or cluster have moved since, nothing is,\n" +
			"and what moved is named. What was cut off is finished by applying again. Dangerous changes need --allow-danger. Each apply is\n" +
			"written down in the topic topology: seam plan history shows it.",
		Example: "  seam apply --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7\n  seam apply plan.json\n  seam apply --allow-danger",
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := c.ground(cmd, true)
			if err != nil {
				return err
			}
			defer g.close()
			plan := topology.Plan(g.topo, g.have)
			if len(args) == 1 {
				text, err := os.ReadFile(args[0])
				if err != nil {
					return err
				}
				file, err := topology.ParsePlanFile(text)
				if err == nil {
					plan, err = file.Rest(g.topo, g.have, g.files)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
			}
			if err := c.show(g, plan, false); err != nil {
				return err
			}
			return topology.Carry(cmd.Context(), topology.CarryConfig{Topology: g.topo, Client: g.client, Registry: g.registry, Files: g.files, Who: whoami(), AllowDanger: danger}, plan)
		},
	}
	cmd.Flags().BoolVar(&danger, "allow-danger", false, "make the changes marked DANGER too")
	return cmd
}

// planHistory is seam plan history: who applied what.
func (c *cli) planHistory() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "history", Args: cobra.NoArgs,
		Short:   "Show the plans that were applied to the cluster: when, by whom, and what they changed",
		Example: "  seam plan history\n  seam plan history --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withJournal(cmd, func(_ *topology.Topology, _ *kgo.Client, journal topology.Journal) error {
				if asJSON {
					return c.json(append([]topology.Applied{}, journal.Applied...))
				}
				for _, a := range journal.Applied {
					fmt.Fprintf(c.out, "%s  %s  %s  %s  %d changes\n", a.At.Format(time.RFC3339), a.State, a.Environment, a.Who, len(a.Changes))
					for _, ch := range a.Changes {
						fmt.Fprintf(c.out, "  %s\n", ch)
					}
					if a.Error != "" {
						fmt.Fprintf(c.out, "  it ended with: %s\n", a.Error)
					}
				}
				if len(journal.Applied) == 0 {
					fmt.Fprintln(c.out, "no plan was applied yet")
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array, oldest first")
	return cmd
}

// ground is what a plan stands on.
type ground struct {
	topo     *topology.Topology
	client   *kgo.Client
	registry *sr.Client
	have     topology.State
	files    map[string]string
}

func (g *ground) close() { g.client.Close() }

// ground reads files and cluster; with reviewed nothing that the review refuses. A cluster that the files forbid is refused; one that another environment claimed is in the plan.
func (c *cli) ground(cmd *cobra.Command, reviewed bool) (*ground, error) {
	g := &ground{}
	var err error
	if g.topo, err = topology.LoadForReading(c.files(), os.LookupEnv); err != nil {
		return nil, err
	}
	if reviewed {
		if err := admit(g.topo, nil); err != nil {
			return nil, err
		}
	}
	if err := g.topo.AllowCluster(c.brokerList(), c.registry, c.pointer()); err != nil {
		return nil, err
	}
	if g.files, err = topology.Fingerprint(c.files()); err != nil {
		return nil, err
	}
	var options []kgo.Opt
	if options, g.registry, err = c.connect(); err != nil {
		return nil, err
	}
	if g.client, err = kgo.NewClient(options...); err != nil {
		return nil, err
	}
	if g.have, err = topology.Survey(cmd.Context(), g.topo, g.client, g.registry); err != nil {
		g.close()
		return nil, err
	}
	if g.have.Claim != nil {
		g.have.From = c.pointer()
	}
	return g, nil
}

// planShown is seam plan --json.
type planShown struct {
	Environment string                   `json:"environment"`
	Prefix      string                   `json:"prefix"`
	ClusterID   string                   `json:"cluster_id"`
	Verdict     string                   `json:"verdict"` // empty, safe, danger or refused: the worst of the changes
	Changes     []topology.Change        `json:"changes"` // in the order apply makes them
	Notes       []string                 `json:"notes"`
	Groups      []topology.ExpectedGroup `json:"groups"`
}

// show prints a plan.
func (c *cli) show(g *ground, plan []topology.Change, asJSON bool) error {
	notes := topology.Notes(g.topo, g.have)
	if asJSON {
		shown := planShown{Environment: g.topo.Environment, Prefix: g.topo.Prefix, ClusterID: g.have.ClusterID, Verdict: "empty", Changes: append([]topology.Change{}, plan...),
			Notes: append([]string{}, notes...), Groups: append([]topology.ExpectedGroup{}, g.topo.Groups()...)}
		for _, m := range []topology.Mark{topology.Safe, topology.Danger, topology.Refused} {
			if topology.Has(plan, m) {
				shown.Verdict = string(m)
			}
		}
		return c.json(shown)
	}
	for _, ch := range plan {
		fmt.Fprintln(c.out, ch)
	}
	if len(plan) == 0 {
		fmt.Fprintln(c.out, "nothing to do: the cluster has what the topology needs")
	}
	for _, note := range notes {
		fmt.Fprintf(c.out, "note: %s\n", note)
	}
	var groups []string
	for _, group := range g.topo.Groups() {
		groups = append(groups, fmt.Sprintf("%s (%s)", group.Group, group.Team))
	}
	if len(groups) > 0 {
		fmt.Fprintf(c.out, "groups that will read: %s\n", strings.Join(groups, ", "))
	}
	return nil
}

// pointer is what names the cluster, for errors.
func (c *cli) pointer() string {
	switch {
	case c.brokers == "":
		return "the port of an embedded Seam"
	case c.brokers == os.Getenv("SEAM_BROKERS"):
		return "SEAM_BROKERS"
	}
	return "--bootstrap-server"
}

// guardLimit is for the question whose a cluster is.
const guardLimit = 5 * time.Second

// guard refuses a cluster that the files forbid or another environment claimed. One that cannot be asked is left to the verb, which says so better.
func (c *cli) guard(topo *topology.Topology, options []kgo.Opt) error {
	if err := topo.AllowCluster(c.brokerList(), c.registry, c.pointer()); err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), guardLimit)
	defer cancel()
	err = topology.Guard(ctx, topo, client, c.pointer())
	var claimed *topology.ClaimedError
	if errors.As(err, &claimed) || topology.Unauthorized(err) {
		return err
	}
	return nil
}

// environment is seam environment: whose the cluster is.
func (c *cli) environment() *cobra.Command {
	cmd := &cobra.Command{
		Use: "environment", Args: cobra.NoArgs,
		Short: "Show which environment has claimed the cluster; release gives it up",
		Long: "The first seam apply claims a cluster, under its prefix, for the environment of topics.yaml (SEAM_ENVIRONMENT). From then on a\n" +
			"process of another environment that points there refuses to start. release takes the claim back, on purpose: the next apply claims.",
		Example: "  seam environment\n  seam environment release staging",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withJournal(cmd, func(topo *topology.Topology, _ *kgo.Client, j topology.Journal) error {
				if j.Claim == nil {
					fmt.Fprintf(c.out, "nobody has claimed the cluster for prefix %q\n", topo.Prefix)
					return nil
				}
				fmt.Fprintf(c.out, "%s, for prefix %q, since %s, by %s; this is %s\n", j.Claim.Environment, j.Claim.Prefix, j.Claim.At.Format(time.RFC3339), j.Claim.Who, topo.Environment)
				if j.Claim.Environment != topo.Environment {
					return errFound
				}
				return nil
			})
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "release ENVIRONMENT", Args: cobra.ExactArgs(1),
		Short:   "Give up the claim; ENVIRONMENT is the name that has it",
		Example: "  seam environment release staging",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withJournal(cmd, func(topo *topology.Topology, client *kgo.Client, _ topology.Journal) error {
				if err := topology.Release(cmd.Context(), topo, client, args[0]); err != nil {
					return err
				}
				fmt.Fprintf(c.out, "the cluster is nobody's for prefix %q; the next seam apply claims it\n", topo.Prefix)
				return nil
			})
		},
	})
	return cmd
}

// withJournal reads the topic topology of the cluster.
func (c *cli) withJournal(cmd *cobra.Command, f func(*topology.Topology, *kgo.Client, topology.Journal) error) error {
	topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
	if err != nil {
		return err
	}
	options, _, err := c.connect()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	journal, err := topology.ReadJournal(cmd.Context(), topo, client)
	if err != nil {
		return err
	}
	return f(topo, client, journal)
}
