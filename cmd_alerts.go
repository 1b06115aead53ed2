package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/operate"
	"github.com/binaryandbeyond/seam/topology"
)

// alerts is seam alerts: rules, their tests and routes.
func (c *cli) alerts() *cobra.Command {
	var cfg operate.Config
	var out string
	cmd := &cobra.Command{
		Use: "alerts", Args: cobra.NoArgs,
		Short: "Write Prometheus' alerting rules with their tests, and Alertmanager's routes, from the topology",
		Long: "Writes rules/*.yaml for Prometheus, tests/*.yaml for promtool test rules, and alertmanager.yaml. What each rule says\n" +
			"follows from the files: stale_after, objective, complete_within, silent_after, retention, lag_objective; who is paged from\n" +
			"teams.yaml, with hours and after_hours. A pager is pager:NAME (PagerDuty; the file NAME in --secrets holds its routing key),\n" +
			"an https URL, or file:PATH of a file that holds one. No key is written. docs/alerts.md lists the alerts.",
		Example: "  seam alerts --out ./alerts && promtool test rules ./alerts/tests/*.yaml\n" +
			"  seam alerts --out /etc/prometheus/seam --runbooks https://git.example/seam/docs/runbooks --heartbeat file:/run/secrets/heartbeat",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := topology.LoadForReading(c.files(), os.LookupEnv)
			if err != nil {
				return err
			}
			t.Scale(cfg.Scale)
			cfg.Topology = t
			files, err := operate.Alerts(cfg)
			if err != nil {
				return err
			}
			if cfg.Heartbeat == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: no --heartbeat: nobody will notice when Prometheus or Alertmanager end")
			}
			return c.write(out, files)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", ".", "folder to write to; it is made")
	f.StringVar(&cfg.Job, "job", "seam", "the job under which Prometheus scrapes Seam")
	f.StringVar(&cfg.Runbooks, "runbooks", "docs/runbooks", "URL of the folder with the runbooks, for runbook_url")
	f.StringVar(&cfg.Secrets, "secrets", "/etc/alertmanager/secrets", "folder in which Alertmanager finds its keys: a file for each pager:NAME, and slack")
	f.StringVar(&cfg.Heartbeat, "heartbeat", os.Getenv("SEAM_HEARTBEAT"), "where the dead man's switch reports: a URL outside of this place, or file:PATH of a file that holds it (SEAM_HEARTBEAT)")
	f.Float64Var(&cfg.Scale, "time-scale", 1, "multiply every duration, as seam run's flag of that name, for drills")
	return cmd
}

// write makes files in a folder and names them.
func (c *cli) write(dir string, files []operate.File) error {
	var names []string
	for _, f := range files {
		to := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		if err := os.WriteFile(to, f.Text, 0o644); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		names = append(names, f.Name)
	}
	fmt.Fprintf(c.out, "%s: %s\n", dir, strings.Join(names, ", "))
	return nil
}
