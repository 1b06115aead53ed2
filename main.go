// Command seam connects a shop to everything behind it, and proves per order that it did.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/connect"
	"github.com/binaryandbeyond/seam/topology"
)

// version is set by the linker in releases.
var version = "devel"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// What a verb found and has told of already; the exit code says it to scripts.
var (
	errFound   = errors.New("a fault was found") // 1
	errChanges = errors.New("there are changes") // 2, as Terraform's -detailed-exitcode
)

// usage is wrong usage that is found only once a verb's work has begun.
type usage struct{ error }

// run is the whole command: exit 0 ok, 1 found a fault or failed, 2 wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := interruptible()
	defer stop()
	ran := false
	root := newRoot(stdout, &ran)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return 1
	case errors.Is(err, errChanges):
		return 2
	}
	fmt.Fprintf(stderr, "seam: %v\n", connect.Explain(err))
	var wrong usage
	if !ran || errors.As(err, &wrong) {
		fmt.Fprintf(stderr, "see seam --help\n")
		return 2
	}
	return 1
}

// interruptible is a context that the first SIGINT or SIGTERM ends. A second one is nobody's, and ends the process at once.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals) // before anything that follows can be seen
		cancel()
	}()
	return ctx, cancel
}

// newRoot is the tree of verbs; ran is set once a verb's own work begins, which is where wrong usage ends.
func newRoot(stdout io.Writer, ran *bool) *cobra.Command { return (&cli{out: stdout}).root(ran) }

// root is the tree of verbs over what they share.
func (c *cli) root(ran *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "seam",
		Short: "Connects a shop to everything behind it, and proves per order that it did",
		Long: "Seam takes a shop's webhooks and files, hands each event to every downstream once and in order, and answers\n" +
			"for any order what happened in every system. Start with: seam demo",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *ran = true },
	}
	f := root.PersistentFlags()
	f.StringVar(&c.brokers, "bootstrap-server", os.Getenv("SEAM_BROKERS"), "Kafka brokers, host:port,... (SEAM_BROKERS)")
	f.StringVar(&c.registry, "registry", os.Getenv("SEAM_REGISTRY"), "schema registry URL (SEAM_REGISTRY)")
	f.StringVar(&c.dir, "topology", os.Getenv("SEAM_TOPOLOGY"), "folder of topology files; the shipped ones when empty (SEAM_TOPOLOGY)")
	f.StringVar(&c.view, "view", os.Getenv("SEAM_VIEW"), "the reconciler's database: an SQLite file or postgres://... (SEAM_VIEW)")
	root.AddCommand(c.demo(), c.run(), c.ingest(), c.review(), c.plan(), c.apply(), c.environment(), c.diff(), c.order(), c.disagreements(), c.totals(), c.export(), c.sources(), c.rebuild(), c.status(), c.parked(), c.mcp(), c.quarantine(), c.redact(), c.subscribe(), c.contract(), c.replay(), c.bench(), c.new(), c.test(), c.try(), c.chart(), c.simulate(), c.health(), c.alerts(), c.dashboards(), versionCommand())
	return root
}

// cli is what the verbs share.
type cli struct {
	out                          io.Writer
	brokers, registry, dir, view string
}

// files is the folder of the topology: the flag's, or the shipped one.
func (c *cli) files() fs.FS {
	if c.dir == "" {
		return topology.Default()
	}
	return os.DirFS(c.dir)
}

// connect gives clients of the cluster and registry: the flags' or variables', or those of an embedded Seam that runs on
// this machine.
func (c *cli) connect() (options []kgo.Opt, registry *sr.Client, err error) {
	brokers, url := c.brokers, c.registry
	if brokers == "" {
		brokers = fmt.Sprintf("127.0.0.1:%d", topology.EmbeddedBrokerPort)
		url = fmt.Sprintf("http://127.0.0.1:%d", topology.EmbeddedRegistryPort)
	}
	if url == "" {
		return nil, nil, errors.New("--bootstrap-server is given without --registry")
	}
	var registryOptions []sr.ClientOpt
	if c.brokers != "" {
		if options, registryOptions, err = signIn(); err != nil {
			return nil, nil, err
		}
	}
	registry, err = sr.NewClient(append(registryOptions, sr.URLs(url))...)
	return append(options, kgo.SeedBrokers(strings.Split(brokers, ",")...)), registry, err
}

// signIn is how a cluster that is not embedded, and its registry, are reached beside their addresses.
func signIn() (kafka []kgo.Opt, registry []sr.ClientOpt, err error) {
	if kafka, err = connect.Kafka(os.LookupEnv); err == nil {
		registry, err = connect.Registry(os.LookupEnv)
	}
	return kafka, registry, err
}

// brokerList is the brokers given; nil when none are.
func (c *cli) brokerList() []string {
	if c.brokers == "" {
		return nil
	}
	return strings.Split(c.brokers, ",")
}

// logger writes lines to w from a level on: JSON, or key=value as text.
func logger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l, ReplaceAttr: explained}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: json or text", format)
}

// explained adds to an error of Kafka or the registry which variable to look at.
func explained(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		a.Value = slog.AnyValue(connect.Explain(err))
	}
	return a
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  seam version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "seam", built())
			return err
		}}
}

// built is the version of this build.
func built() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "devel" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}
