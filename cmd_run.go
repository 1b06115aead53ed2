package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/consumers"
	"github.com/binaryandbeyond/seam/drills"
	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/tracing"
)

// run is seam run: the real thing.
func (c *cli) run() *cobra.Command {
	var cfg app.Config
	var level, format, grace string
	var scale float64
	cmd := &cobra.Command{
		Use: "run", Args: cobra.NoArgs,
		Short: "Run the edge, the integrations and the reconciler",
		Long: "Runs the edge, the integrations and the reconciler until it is interrupted. Without --bootstrap-server Kafka and the\n" +
			"registry are embedded in the process, and gone with it. Addresses and secrets come from the variables that the\n" +
			"topology names (WAREHOUSE_URL, SHOPIFY_SECRET, ...): what is unset and needed is listed. --only reconcile calls nobody\n" +
			"and takes nothing in: it needs none of them.\n\n" +
			"SIGTERM or SIGINT stops it within --grace: calls under way end, what is settled is committed. SIGHUP reads the topology\n" +
			"again: workers whose integration changed begin anew; what needs a restart is named, and then nothing changes.",
		Example: "  seam run --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7 --instance seam-0\n" +
			"  seam run --only edge --listen :8080\n  seam run --only warehouse,erp\n  seam run --only reconcile --view postgres://seam@db/seam\n" +
			"  seam run --only enrichment --facts http://seam-0:8090",
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logger(cmd.ErrOrStderr(), level, format)
			if err != nil {
				return err
			}
			if !slices.Contains([]string{consumers.LogActed, consumers.LogAll, consumers.LogNone}, cfg.LogOutcomes) {
				return usage{fmt.Errorf("--log-outcomes (SEAM_LOG_OUTCOMES) is %q: acted, all or none", cfg.LogOutcomes)}
			}
			if cfg.Grace, err = graceOf(grace); err != nil {
				return usage{err}
			}
			load := func() (*topology.Topology, error) {
				t, err := loaderOf(cfg.Only)(c.files(), topology.WithFiles(os.LookupEnv))
				if err != nil {
					return nil, err
				}
				if err := admit(t, cfg.Only); err != nil {
					return nil, err
				}
				t.Scale(scale)
				return t, nil
			}
			if cfg.Topology, err = load(); err != nil {
				return err
			}
			asked, quiet := hangups()
			defer quiet()
			cfg.Reload = &app.Reload{Asked: asked, Files: c.files(), Load: load}
			cfg.Logger, cfg.Brokers, cfg.Registry, cfg.View, cfg.WellKnownPorts = log, c.brokerList(), c.registry, c.view, true
			cfg.BrokersFrom = c.pointer()
			if cfg.Brokers != nil {
				if cfg.Options, cfg.RegistryOptions, err = signIn(); err != nil {
					return err
				}
			}
			cfg.Ready = func(i app.Info) {
				fmt.Fprintf(cmd.OutOrStdout(), "seam is ready\n  webhooks   %s/in/{source}\n  orders     %s/\n  kafka      %s\n  registry   %s\n",
					i.EdgeURL, i.ConsoleURL, strings.Join(i.BootstrapServers, ","), i.RegistryURL)
			}
			return traced(cmd.Context(), &cfg, func() error { return app.Run(cmd.Context(), cfg) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", env("SEAM_LISTEN", "127.0.0.1:8080"), "address of the edge, for webhooks (SEAM_LISTEN)")
	f.IntVar(&cfg.MaxConnections, "max-connections", 1024, "connections to the edge at once; more wait to be accepted")
	f.StringVar(&cfg.Console, "console", env("SEAM_CONSOLE", "127.0.0.1:8090"), "address of the orders page, its API and /metrics; no sign-in: never on the internet (SEAM_CONSOLE)")
	f.StringVar(&cfg.DataDir, "data", os.Getenv("SEAM_DATA"), "folder of spools, cursors, the ledgers' local copy and the view, of one process; when empty a temporary one, and ledgers stay in memory (SEAM_DATA)")
	f.StringVar(&cfg.Facts, "facts", os.Getenv("SEAM_FACTS"), "URL of the console that is asked for the facts which calls carry, where the role reconcile is another process's (SEAM_FACTS)")
	f.StringVar(&cfg.Instance, "instance", os.Getenv("SEAM_INSTANCE"), "stable name of this process; a restart under it takes its partitions back at once (SEAM_INSTANCE)")
	f.StringSliceVar(&cfg.Only, "only", nil, "roles to run: edge, reconcile, names of integrations; all when empty")
	f.Float64Var(&scale, "time-scale", 1, "multiply every duration of the topology, for drills")
	f.Lookup("time-scale").Hidden = true
	f.StringVar(&grace, "grace", env("SEAM_GRACE", consumers.DefaultGrace.String()), "how long a stop (SIGTERM) lets requests and calls under way end; a second signal ends at once (SEAM_GRACE)")
	f.BoolVar(&cfg.Apply, "apply", false, "create topics and schemas that a real cluster lacks first")
	f.StringVar(&level, "log-level", env("SEAM_LOG_LEVEL", "info"), "debug, info, warn or error (SEAM_LOG_LEVEL)")
	f.StringVar(&format, "log-format", env("SEAM_LOG_FORMAT", "json"), "json or text (SEAM_LOG_FORMAT)")
	f.StringVar(&cfg.LogOutcomes, "log-outcomes", env("SEAM_LOG_OUTCOMES", consumers.LogActed), "outcomes that the log tells at info, a line each, the others at debug: acted (all but those of events that the integration does not act on), all or none (SEAM_LOG_OUTCOMES)")
	return cmd
}

// loaderOf is how the topology is read for some roles: the reconciler alone needs no address and no secret.
func loaderOf(roles []string) func(fs.FS, func(string) (string, bool)) (*topology.Topology, error) {
	if len(roles) > 0 && !slices.ContainsFunc(roles, func(r string) bool { return r != "reconcile" }) {
		return topology.LoadForReading
	}
	return topology.Load
}

// hangups tells of each SIGHUP until the function is called.
func hangups() (<-chan struct{}, func()) {
	signals, asked, done := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			select {
			case asked <- struct{}{}:
			case <-done:
				return
			}
		}
	}()
	return asked, func() { signal.Stop(signals); close(done) }
}

// traced runs something with the tracer that the environment asks for, and sends the last spans when it has ended.
func traced(ctx context.Context, cfg *app.Config, run func() error) error {
	tracer, flush, err := tracing.Open(ctx, tracing.Config{Version: built(), Instance: cfg.Instance, Lookup: os.LookupEnv, Logger: cfg.Logger})
	if err != nil {
		return err
	}
	cfg.Tracer = tracer
	err = run()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
	defer cancel()
	if flushErr := flush(last); flushErr != nil {
		cfg.Logger.Warn("the last spans were not sent", "err", flushErr)
	}
	return err
}

// lastSpans is how long a collector may take for the last spans of a process.
const lastSpans = 3 * time.Second

// graceOf reads --grace.
func graceOf(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--grace (SEAM_GRACE) is %q: a duration such as 25s", text)
	}
	return d, nil
}

// env is a variable or its default.
func env(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// demo is seam demo: the story.
func (c *cli) demo() *cobra.Command {
	cfg := drills.StoryConfig{}
	var level, console string
	cmd := &cobra.Command{
		Use: "demo", Args: cobra.NoArgs,
		Short: "Watch a shop's bad Monday happen to eleven systems, and Seam survive it",
		Long: "Runs Kafka, a registry, Seam and eleven simulated systems in this process, tells a day in which everything goes wrong,\n" +
			"and then compares what happened with what should have. Exit code 1 if anything was lost or doubled. The view is a\n" +
			"database of its own, gone at the end; --view keeps it in that one instead (SEAM_VIEW counts only beside a real cluster).",
		Example: "  seam demo\n  seam demo --orders 1000 --seed 7\n  seam demo --keep   # stays up, with the edge open for your own webhook",
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.DiscardHandler)
			if level != "" {
				var err error
				if log, err = logger(cmd.ErrOrStderr(), level, "json"); err != nil {
					return err
				}
			}
			cfg.Out = cmd.OutOrStdout()
			cfg.Interactive = terminal(cfg.Out)
			cfg.Start = func(ctx context.Context, s drills.Setting, ready func(drills.Running)) error {
				at := ""
				if cfg.Keep {
					at = console
				}
				return app.Run(ctx, app.Config{Console: at, View: c.demoView(cmd), Topology: s.Topology, Brokers: c.brokerList(), Registry: c.registry, Apply: true, WellKnownPorts: cfg.Keep, Listen: s.Listen, DataDir: s.DataDir, Instance: "demo", Logger: log,
					Ready: func(i app.Info) {
						ready(drills.Running{EdgeURL: i.EdgeURL, ConsoleURL: i.ConsoleURL, BootstrapServers: strings.Join(i.BootstrapServers, ","), RegistryURL: i.RegistryURL})
					}})
			}
			if cfg.Keep {
				cfg.Told = func(r drills.Report, running drills.Running, w *sim.World) { kept(cmd, r, running, w) }
			}
			report, err := drills.Story(cmd.Context(), cfg)
			if err != nil && cmd.Context().Err() == nil {
				return err
			}
			if len(report.Violations) > 0 {
				return errFound
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Orders, "orders", 300, "orders of the day, at least 20")
	f.Int64Var(&cfg.Seed, "seed", 1, "decides customers, prices and who is hit by what")
	f.BoolVar(&cfg.Keep, "keep", false, "leave everything running after the report, with the edge open")
	f.StringVar(&cfg.Listen, "listen", "", "address of the edge; with --keep 127.0.0.1:8080, else a free port")
	f.StringVar(&console, "console", "127.0.0.1:8090", "with --keep: address of the orders page and its API")
	f.StringVar(&level, "log-level", "", "debug, info, warn or error; no log when empty")
	cmd.PreRun = func(*cobra.Command, []string) {
		if cfg.Keep && cfg.Listen == "" {
			cfg.Listen = "127.0.0.1:8080"
		}
	}
	return cmd
}

// demoView is where a demo keeps its view. With an embedded cluster it is not the one of SEAM_VIEW, which is another cluster's:
// a view is emptied when its topics are others.
func (c *cli) demoView(cmd *cobra.Command) string {
	if c.brokers != "" || cmd.Flags().Changed("view") {
		return c.view
	}
	return ""
}

// kept tells how to go on with what --keep left running.
func kept(cmd *cobra.Command, _ drills.Report, r drills.Running, w *sim.World) {
	at := ""
	if r.BootstrapServers != fmt.Sprintf("127.0.0.1:%d", topology.EmbeddedBrokerPort) {
		at = fmt.Sprintf(" --bootstrap-server %s --registry %s", r.BootstrapServers, r.RegistryURL)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\nSeam is still running; Ctrl-C ends it. Webhooks go to %s/in/{source}, orders are shown at %s/\n"+
		"README.md has a signed one to send; its secret is %s\nFrom another terminal:\n\n  seam order %s%s\n  seam status%s\n",
		r.EdgeURL, r.ConsoleURL, w.Env()["SHOPIFY_SECRET"], w.Shop().Orders()[0].ID, at, at)
}

// terminal tells whether a writer is one.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
