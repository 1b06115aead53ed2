package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/topology"
)

// diff is seam diff: what two environments do not share.
func (c *cli) diff() *cobra.Command {
	var asJSON bool
	var envA, envB string
	cmd := &cobra.Command{
		Use: "diff A B", Args: cobra.ExactArgs(2),
		Short: "Show what differs between two environments, with secrets masked",
		Long: "A and B are environments of environments.yaml, whose env_file and topology say where their variables and files are, or folders\n" +
			"of topology files. --env-a and --env-b name files of variables, NAME=value a line; without one, those of this process count.\n" +
			"Secrets are never shown; those that both share are named. Exit 0: no difference; 2: there are some.",
		Example: "  seam diff staging production\n  seam diff staging/topology production/topology --env-a staging.env --env-b production.env\n  seam diff staging production --json",
		RunE: func(_ *cobra.Command, args []string) error {
			a, err := c.side(args[0], envA)
			if err != nil {
				return err
			}
			b, err := c.side(args[1], envB)
			if err != nil {
				return err
			}
			differences, shared := topology.Differ(a, b)
			if err := c.showDifferences(args, differences, shared, asJSON); err != nil {
				return err
			}
			if len(differences) > 0 {
				return errChanges
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&envA, "env-a", "", "file of A's variables")
	f.StringVar(&envB, "env-b", "", "file of B's variables")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (c *cli) showDifferences(names []string, differences []topology.Difference, shared []string, asJSON bool) error {
	if asJSON {
		return c.json(map[string]any{"a": names[0], "b": names[1], "differences": append([]topology.Difference{}, differences...), "shared_secrets": append([]string{}, shared...)})
	}
	width := max(len(names[0]), len(names[1]))
	for _, d := range differences {
		from := ""
		if len(d.Variables) > 0 {
			from = "  (" + strings.Join(d.Variables, ", ") + ")"
		}
		fmt.Fprintf(c.out, "%s  %s%s\n  %-*s  %s\n  %-*s  %s\n", d.File, d.Key, from, width, names[0], d.A, width, names[1], d.B)
	}
	for _, s := range shared {
		fmt.Fprintf(c.out, "the same secret in both: %s\n", s)
	}
	if len(differences) == 0 {
		fmt.Fprintln(c.out, "no difference")
	}
	return nil
}

// side reads the values of one environment: of a folder, or of one that environments.yaml names.
func (c *cli) side(name, envFile string) (map[string]topology.Value, error) {
	var files fs.FS
	lookup := os.LookupEnv
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		files = os.DirFS(name)
	} else {
		env, err := topology.EnvironmentNamed(c.files(), name)
		if err != nil {
			return nil, fmt.Errorf("%s is no folder, and %w", name, err)
		}
		files = c.files()
		if env.Topology != "" {
			files = os.DirFS(filepath.Join(c.dir, env.Topology))
		}
		if envFile == "" && env.EnvFile != "" {
			envFile = filepath.Join(c.dir, env.EnvFile)
		}
		lookup = func(key string) (string, bool) {
			if key == "SEAM_ENVIRONMENT" {
				return name, true
			}
			return os.LookupEnv(key)
		}
	}
	if envFile != "" {
		values, err := variables(envFile)
		if err != nil {
			return nil, err
		}
		if values["SEAM_ENVIRONMENT"] == "" {
			values["SEAM_ENVIRONMENT"] = name
		}
		lookup = func(key string) (string, bool) { v, ok := values[key]; return v, ok }
	}
	values, err := topology.Values(files, topology.WithFiles(lookup))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return values, nil
}

// variables reads a file of NAME=value lines, as env_file of docker compose is: nothing is unquoted, # begins a line of comment.
func variables(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok {
			return nil, fmt.Errorf("%s:%d: it is not NAME=value", name, n) // the line may hold a secret
		}
		out[key] = value
	}
	return out, lines.Err()
}
