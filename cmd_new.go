package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/topology/scaffold"
)

// newFolder is where seam new writes when no --topology is given.
const newFolder = "topology"

// new is seam new: files to begin with.
func (c *cli) new() *cobra.Command {
	cmd := &cobra.Command{
		Use: "new", Short: "Begin a topology, an integration or a source, with every question open that nobody answered",
		Example: "  seam new topology ./topology\n  seam new integration loyalty --topology ./topology\n  seam new source returns --platform standardwebhooks",
		Long: "Writes files, and never over one. What has no answer stands as TODO with its question, and Seam refuses to start until it\n" +
			"is answered. docs/integrations.md is the way from here to the first delivered order.",
	}
	cmd.AddCommand(c.newTopology(), c.newIntegration(), c.newSource())
	return cmd
}

func (c *cli) newTopology() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "topology DIR", Args: cobra.ExactArgs(1),
		Short:   "Write the shipped topology into a folder, to be edited",
		Long:    "Writes the files that ship with Seam, with their tests, and env.example: the variables that they ask for. Nothing is written\nwhere one of the files exists.",
		Example: "  seam new topology ./topology\n  export SEAM_TOPOLOGY=./topology",
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := scaffold.Topology(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(w)
			}
			_, err = fmt.Fprintf(c.out, "%d files in %s; env.example lists the variables to set\nuse it with --topology %s, or SEAM_TOPOLOGY=%s\n", len(w.Files), args[0], args[0], args[0])
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (c *cli) newIntegration() *cobra.Command {
	flags := map[string]string{
		scaffold.KeyTeam: "which of teams.yaml answers for it", scaffold.KeyOn: "event types it acts on: order.created,refund.succeeded",
		scaffold.KeyURL: "where it is called: '${LOYALTY_URL}/v1/points/{order.id}'", scaffold.KeyMethod: "POST, PUT, DELETE, ...",
		scaffold.KeyIdempotency: "'key 24h', upsert, 'probe GET URL' or none", scaffold.KeyOperation: "the business step it completes",
		scaffold.KeyCompleteWithin: "by when an order must have it: 1h", scaffold.KeyStaleAfter: "how old what it knows may be: 30m",
		scaffold.KeyGiveUpAfter: "how long a call is repeated", scaffold.KeyVolume: "events that come, usually and at their peak: '30/m 3/s'",
		scaffold.KeyOnce: "yes: one call for each order, whatever the event ids; or no", scaffold.KeyReadBack: "where what it made is read: 'GET URL, order.total=answer.total'",
		scaffold.KeyRate: "calls a second that it can take: 20/s",
		scaffold.KeyBody: "what it is told: 'order_id=order.id, total=order.total'",
	}
	return c.newFile("integration", "Begin an integration: its file with the six questions, and its tests",
		"  seam new integration loyalty                       # asks, on a terminal\n"+
			"  seam new integration loyalty --on order.created --url '${LOYALTY_URL}/v1/points' --idempotency 'key 24h' --team crm \\\n"+
			"    --operation reward --complete-within 1h --stale-after 1h --volume '30/m 3/s' --rate 20/s --body 'order_id=order.id, total=order.total'",
		flags, scaffold.IntegrationQuestions, scaffold.Integration)
}

func (c *cli) newSource() *cobra.Command {
	return c.newFile("source", "Begin a source", "  seam new source returns --platform standardwebhooks --system warehouse --team fulfilment",
		map[string]string{scaffold.KeyPlatform: "shopify, woocommerce, stripe, adyen or standardwebhooks", scaffold.KeySystem: "whose word its events are", scaffold.KeyTeam: "which of teams.yaml answers for it"},
		func(_ string, teams []string) []scaffold.Question { return scaffold.SourceQuestions(teams) }, scaffold.Source)
}

// newFile is a verb that writes a file of one kind: answers by flag, or asked for on a terminal.
func (c *cli) newFile(kind, short, example string, flags map[string]string, questions func(name string, teams []string) []scaffold.Question,
	make func(dir, name string, answers map[string]string) (*scaffold.Written, error)) *cobra.Command {
	values, asJSON := map[string]*string{}, false
	cmd := &cobra.Command{
		Use: kind + " NAME", Args: cobra.ExactArgs(1), Short: short, Example: example,
		Long: short + ". On a terminal it asks what no flag answers; else what is missing stays open in the file,\n" +
			"which Seam then refuses to load. Without --topology the folder ./" + newFolder + " is used, and made of the shipped files where it is\nnot there. Nothing is written over.",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := c.ownFolder(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			answers := map[string]string{}
			for key, v := range values {
				answers[key] = strings.TrimSpace(*v)
			}
			list := questions(args[0], scaffold.Teams(dir))
			if in, ok := cmd.InOrStdin().(*os.File); ok && isatty.IsTerminal(in.Fd()) {
				fmt.Fprintln(cmd.ErrOrStderr(), "An empty answer takes what is in brackets, or leaves the question open.")
				if err := scaffold.Ask(in, cmd.ErrOrStderr(), list, answers); err != nil {
					return err
				}
			}
			for _, q := range list {
				if answers[q.Key] == "" {
					answers[q.Key] = q.Default
				}
			}
			w, err := make(dir, args[0], answers)
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "to say it again: seam new %s %s%s\n", kind, args[0], asFlags(list, answers))
				return err
			}
			if asJSON {
				return c.json(w)
			}
			return c.written(dir, kind, args[0], w)
		},
	}
	f := cmd.Flags()
	for _, key := range sortedNames(flags) {
		values[key] = f.String(strings.ReplaceAll(key, "_", "-"), "", flags[key])
	}
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// asFlags is answers as flags of a shell, in the order of the questions.
func asFlags(list []scaffold.Question, answers map[string]string) string {
	var b strings.Builder
	for _, q := range list {
		if a := answers[q.Key]; a != "" {
			fmt.Fprintf(&b, " --%s '%s'", strings.ReplaceAll(q.Key, "_", "-"), strings.ReplaceAll(a, "'", `'\''`))
		}
	}
	return b.String()
}

func sortedNames(m map[string]string) []string {
	out := []string{}
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// ownFolder is the topology's folder to write to, made where it is not there.
func (c *cli) ownFolder(stderr io.Writer) (string, error) {
	dir := c.dir
	if dir == "" {
		dir = newFolder
	}
	if _, err := os.Stat(filepath.Join(dir, "topics.yaml")); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	if _, err := scaffold.Topology(dir); err != nil {
		return dir, err
	}
	fmt.Fprintf(stderr, "%s is made of the shipped topology: use it with --topology %s, or SEAM_TOPOLOGY=%s\n", dir, dir, dir)
	return dir, nil
}

// written tells what was made, what is open, and how to go on.
func (c *cli) written(dir, kind, name string, w *scaffold.Written) error {
	for _, f := range w.Files {
		fmt.Fprintf(c.out, "%s\n", filepath.ToSlash(filepath.Join(dir, f)))
	}
	for _, o := range w.Open {
		fmt.Fprintf(c.out, "  line %d: %s\n", o.Line, o.Text)
	}
	if len(w.Open) > 0 {
		fmt.Fprintf(c.out, "%d questions are open: answer them in the file\n", len(w.Open))
	}
	if len(w.Variables) > 0 {
		fmt.Fprintf(c.out, "set %s before it runs\n", strings.Join(w.Variables, ", "))
	}
	next := fmt.Sprintf("then: seam review %s", name)
	if kind == "integration" {
		next += fmt.Sprintf(", seam test %s --update, seam try %s --file event.json", name, name)
	}
	_, err := fmt.Fprintln(c.out, next)
	return err
}
