package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/review"
)

// review is seam review: the six questions, answered from the files.
func (c *cli) review() *cobra.Command {
	var format, output string
	var asJSON, listRules bool
	cmd := &cobra.Command{
		Use:   "review [NAME...]",
		Short: "Answer the six questions of every integration and source from the files, and refuse vague ones",
		Long: "Reads the topology's files and says, for each integration and source: what happens if a message arrives twice, which system\n" +
			"owns a field, how stale the target may be, what an hour's outage costs, whether success can be seen, and who is paged. Numbers are\n" +
			"computed. What is missing, vague or contradicted by another file is a finding with a rule's id and the mend; an error keeps\n" +
			"seam run and seam apply from starting it. waivers.yaml lets a finding be for a while, with owner, reason and expiry. docs/review.md\n" +
			"has the rules. Exit 0: may run; 1: errors; 2: wrong usage.",
		Example: "  seam review\n  seam review warehouse --topology ./topology\n  seam review --format html --output review.html\n" +
			"  seam review --format sarif --output review.sarif   # for code scanning\n  seam review --rules",
		PreRunE: func(*cobra.Command, []string) error {
			if asJSON {
				format = "json"
			}
			if !strings.Contains(" text markdown html json sarif ", " "+format+" ") {
				return usage{fmt.Errorf("--format %q: text, markdown, html, json or sarif", format)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, names []string) error {
			var b bytes.Buffer
			if listRules {
				if err := writeRules(&b, format); err != nil {
					return err
				}
				return c.deliver(b.Bytes(), output)
			}
			report := review.Folder(c.files(), os.LookupEnv, time.Now())
			if unknown := report.Narrow(names); unknown != nil {
				return usage{fmt.Errorf("no integration and no source is called %s", strings.Join(unknown, ", "))}
			}
			if err := c.writeReview(&b, &report, format); err != nil {
				return err
			}
			if err := c.deliver(b.Bytes(), output); err != nil {
				return err
			}
			if report.Count(review.Error) > 0 {
				return errFound
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "text", "text, markdown, html, json or sarif")
	f.BoolVar(&asJSON, "json", false, "as --format json")
	f.StringVar(&output, "output", "", "write to this file in place of stdout")
	f.BoolVar(&listRules, "rules", false, "list every rule: its question, why it matters, and the mend")
	return cmd
}

// writeReview writes a report in a format.
func (c *cli) writeReview(b *bytes.Buffer, report *review.Report, format string) error {
	switch format {
	case "markdown":
		return report.Markdown(b)
	case "html":
		return report.HTML(b)
	case "json":
		return report.JSON(b)
	case "sarif":
		dir := c.dir
		if dir == "" {
			dir = "topology"
		}
		return report.SARIF(b, filepath.ToSlash(dir), version)
	}
	return report.Text(b)
}

// writeRules lists the rules in a format.
func writeRules(b *bytes.Buffer, format string) error {
	switch format {
	case "text":
		return review.RulesText(b)
	case "markdown":
		return review.RulesMarkdown(b)
	case "json":
		enc := json.NewEncoder(b)
		enc.SetIndent("", "  ")
		return enc.Encode(review.Rules())
	}
	return usage{errors.New("--rules is written as text, markdown or json")}
}

// deliver writes to a file, or to stdout where none is named.
func (c *cli) deliver(text []byte, output string) error {
	if output == "" {
		_, err := c.out.Write(text)
		return err
	}
	return os.WriteFile(output, text, 0o644)
}

// admit gives the error of a topology, loaded and not scaled, that may not run or be applied. only are the roles of a process.
func admit(t *topology.Topology, only []string) error { return review.Admit(t, time.Now(), only) }
