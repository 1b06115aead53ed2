package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/connect"
	"github.com/binaryandbeyond/seam/snippets"
	"github.com/binaryandbeyond/seam/topology"
)

// subscription is subscribers/<team>.yaml as a person writes it.
type subscription struct {
	Team         string   `yaml:"team"`
	Reads        []string `yaml:"reads,flow"`
	Group        string   `yaml:"group"`
	LagObjective string   `yaml:"lag_objective"`
	Principal    string   `yaml:"principal,omitempty"`
	Personal     string   `yaml:"personal,omitempty"`
}

// subscribe is seam subscribe: another team reads our topics.
func (c *cli) subscribe() *cobra.Command {
	s := subscription{}
	var language string
	var lag time.Duration
	var write bool
	cmd := &cobra.Command{
		Use: "subscribe TEAM", Args: cobra.ExactArgs(1),
		Short: "Let another team read the topics: its file, and a program that reads",
		Long: "Prints topology/subscribers/TEAM.yaml, which says what the team reads, in which group, and how far behind it may be, and a\n" +
			"program that reads it with the stock clients of a language, which signs in as Seam does here, with what its own environment\n" +
			"holds. --write puts the file into --topology, where seam plan and seam apply take it up: access, quota. A team that is there\n" +
			"already is only shown its program.",
		Example: "  seam subscribe finance --reads orders,reconciliation --language python\n" +
			"  seam subscribe support --reads disagreements --principal User:support --lag-objective 5m --topology ./topology --write",
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Team, s.LagObjective = args[0], written(lag)
			topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(topo.Subscribers, func(x topology.Subscriber) bool { return x.Team == s.Team }); i >= 0 {
				if cmd.Flags().Changed("reads") || write {
					return fmt.Errorf("subscribers/%s.yaml is there already: edit it; without --reads and --write the program is shown", s.Team)
				}
				s.Reads, s.Group = topo.Subscribers[i].Reads, topo.Subscribers[i].Group
				return c.program(topo, s, language)
			}
			if len(s.Reads) == 0 {
				return fmt.Errorf("--reads is needed: which of %s", strings.Join(topology.Subscribable, ", "))
			}
			if s.Group == "" {
				s.Group = topo.Prefix + s.Team
			}
			if err := c.scaffold(s, write); err != nil {
				return err
			}
			return c.program(topo, s, language)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.Reads, "reads", nil, "topics: "+strings.Join(topology.Subscribable, ", "))
	f.StringVar(&s.Group, "group", "", "consumer group of the team's own; its name when empty")
	f.StringVar(&s.Principal, "principal", "", "who reads, as Kafka writes it: User:finance; none leaves access to somebody else")
	f.StringVar(&s.Personal, "personal", "", "why the team must read personal data too; it cannot when empty")
	f.DurationVar(&lag, "lag-objective", 15*time.Minute, "how far behind the team may be before it is told")
	f.StringVar(&language, "language", "python", "of the program: "+strings.Join(snippets.Languages, ", ")+", or none")
	f.BoolVar(&write, "write", false, "write the file into --topology")
	return cmd
}

// written is a duration as files write it: 15m, not 15m0s.
func written(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// scaffold prints a team's file, once the topology loads with it, and writes it where that is asked for.
func (c *cli) scaffold(s subscription, write bool) error {
	text, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	if write && c.dir == "" {
		return errors.New("--write needs --topology: the shipped files cannot be written to")
	}
	dir, err := os.MkdirTemp("", "seam-subscribe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, c.files()); err != nil {
		return err
	}
	name := filepath.Join("subscribers", s.Team+".yaml")
	put := func(root string) error {
		if err := os.MkdirAll(filepath.Join(root, "subscribers"), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(root, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	}
	if err := put(dir); err != nil {
		return err
	}
	if _, err := topology.LoadForReading(os.DirFS(dir), os.LookupEnv); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "# %s\n%s\n", filepath.ToSlash(name), text)
	if !write {
		return nil
	}
	return put(c.dir)
}

// program prints what reads a subscription.
func (c *cli) program(topo *topology.Topology, s subscription, language string) error {
	if language == "none" {
		return nil
	}
	sub := snippets.Subscription{Brokers: c.brokerList(), Registry: c.registry, Group: s.Group}
	if len(sub.Brokers) > 0 {
		var err error
		if sub.Kafka, sub.Schema, err = connect.Describe(os.LookupEnv); err != nil {
			return err
		}
	} else {
		sub.Brokers, sub.Registry = []string{fmt.Sprintf("127.0.0.1:%d", topology.EmbeddedBrokerPort)}, fmt.Sprintf("http://127.0.0.1:%d", topology.EmbeddedRegistryPort)
	}
	for _, name := range s.Reads {
		sub.Topics = append(sub.Topics, topo.TopicName(name))
	}
	return snippets.Write(c.out, language, sub)
}
