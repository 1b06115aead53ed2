package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/operate"
	"github.com/binaryandbeyond/seam/topology"
)

// dashboards is seam dashboards.
func (c *cli) dashboards() *cobra.Command {
	var cfg operate.Config
	var out string
	cmd := &cobra.Command{
		Use: "dashboards", Args: cobra.NoArgs,
		Short: "Write Grafana's dashboards from the topology",
		Long: "Writes seam.json, with a row for each integration and source, for the edge, the reconciler, Kafka and the processes, and\n" +
			"seam-NAME.json for each integration. Red begins where the topology says that harm does. They ask the Prometheus that is chosen\n" +
			"above the dashboard. docs/dashboards.md says how Grafana takes them.",
		Example: "  seam dashboards --out /etc/grafana/dashboards/seam",
		RunE: func(*cobra.Command, []string) error {
			t, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			cfg.Topology = t
			files, err := operate.Dashboards(cfg)
			if err != nil {
				return err
			}
			return c.write(out, files)
		},
	}
	cmd.Flags().StringVar(&out, "out", ".", "folder to write to; it is made")
	cmd.Flags().StringVar(&cfg.Job, "job", "seam", "the job under which Prometheus scrapes Seam")
	return cmd
}
