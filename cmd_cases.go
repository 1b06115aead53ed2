package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/trial"
)

// test is seam test: the cases kept beside the integrations.
func (c *cli) test() *cobra.Command {
	var asJSON, update bool
	var run string
	cmd := &cobra.Command{
		Use:   "test [INTEGRATION...]",
		Short: "Run the tests kept beside the integrations: event in, request or decision out",
		Long: "Runs integrations/NAME.test.yaml of the integrations named, or of all. Each case is an event, what is known of its order\n" +
			"before, and what is wanted: a decision (withheld/not_owner, parked/needs, ...) or the request. Nothing is called and no\n" +
			"Kafka is needed. Exit 1 where a case fails; docs/integrations.md says what a case may hold.",
		Example: "  seam test\n  seam test warehouse --run cancel\n  seam test loyalty --topology ./topology --update   # writes what cases come to, after showing it\n  seam test --json > results.json",
		RunE: func(_ *cobra.Command, args []string) error {
			pattern, err := regexp.Compile(run)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			if update && c.dir == "" {
				return errors.New("--update writes to the folder that --topology names: the shipped one is part of this program (seam new topology DIR writes it out)")
			}
			files, err := trial.Files(c.files(), args...)
			if err != nil {
				return err
			}
			results, err := trial.Run(c.files(), os.LookupEnv, files, pattern)
			if err != nil {
				return err
			}
			if len(results) == 0 {
				return errors.New("there is nothing to test: no case of integrations/NAME.test.yaml fits")
			}
			failed := slices.ContainsFunc(results, func(r trial.Result) bool { return !r.OK })
			if asJSON {
				err = c.json(results)
			} else {
				err = trial.WriteResults(c.out, c.folder(), results)
			}
			if err != nil {
				return err
			}
			if update {
				return c.updated(files, results)
			}
			if failed {
				return errFound
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "one JSON array, with every rule that was asked")
	f.StringVar(&run, "run", "", "only cases whose names match this regular expression")
	f.BoolVar(&update, "update", false, "write what failing cases came to into their want; review the diff")
	return cmd
}

// folder is what stands before the names of the topology's files in messages.
func (c *cli) folder() string {
	if c.dir == "" {
		return ""
	}
	return strings.TrimSuffix(filepath.ToSlash(c.dir), "/") + "/"
}

// updated writes the wants of failing cases. What has no result, as the case itself is at fault, is left, and is a fault.
func (c *cli) updated(files []*trial.File, results []trial.Result) error {
	for _, f := range files {
		text, err := f.Update(results)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if text == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.dir, f.Name), text, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s%s is written: review it\n", c.folder(), f.Name)
	}
	if slices.ContainsFunc(results, func(r trial.Result) bool { return !r.OK && r.Got == nil }) {
		return errFound
	}
	return nil
}
