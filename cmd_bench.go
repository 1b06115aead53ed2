package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/bench"
)

// bench is seam bench: Seam against bare loops.
func (c *cli) bench() *cobra.Command {
	var cfg bench.Config
	var asJSON bool
	var cpu, mem string
	cmd := &cobra.Command{
		Use: "bench", Args: cobra.NoArgs,
		Short: "Measure Seam against bare loops that do the same work with nothing kept",
		Long: "Runs Seam's own parts and the least that anybody could write for the same work, by turns, in this process, and tells\n" +
			"both and their ratio; docs/bench.md says how to read it. Topics of its own are made and removed. Without\n" +
			"--bootstrap-server Kafka is embedded, which is good for a first look and for nothing else. Exit 1: an event was lost,\n" +
			"doubled or overtaken. Being slow is no fault.",
		Example: "  seam bench --bootstrap-server kafka:9092 --registry http://registry:8080/apis/ccompat/v7\n" +
			"  seam bench --case dedup,http --events 100000 --rounds 1 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Brokers, cfg.Registry = c.brokerList(), c.registry
			cfg.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			if c.brokers != "" {
				var err error
				if cfg.Options, cfg.RegistryOptions, err = signIn(); err != nil {
					return err
				}
			}
			end, err := profiled(cpu, mem)
			if err != nil {
				return err
			}
			rep, err := bench.Run(cmd.Context(), cfg)
			if stopErr := end(); err == nil {
				err = stopErr
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				_ = enc.Encode(rep)
			} else {
				_ = rep.Text(cmd.OutOrStdout())
			}
			if err == nil && len(rep.Faults()) > 0 {
				return errFound
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&cfg.Cases, "case", nil, fmt.Sprintf("what to measure, of %v; all when empty", bench.Cases))
	f.IntVar(&cfg.Events, "events", 1_000_000, "records of the dedup and memory cases; http and ledger take a tenth, ingest a fiftieth")
	f.Int32Var(&cfg.Partitions, "partitions", 8, "partitions of every topic")
	f.IntVar(&cfg.Rounds, "rounds", 3, "measurements of each side; the median counts")
	f.IntVar(&cfg.Orders, "orders", 1_000_000, "orders of the view, and of the larger ledger; the smaller has a tenth")
	f.BoolVar(&asJSON, "json", false, "the report as JSON")
	f.StringVar(&cpu, "cpuprofile", "", "write a CPU profile of the run to this file")
	f.StringVar(&mem, "memprofile", "", "write a profile of all that was allocated to this file")
	return cmd
}

// profiled starts a CPU profile into a file, and gives what ends it and writes what was allocated into another; an empty name
// does nothing.
func profiled(cpu, mem string) (end func() error, err error) {
	stop := func() error { return nil }
	if cpu != "" {
		out, err := os.Create(cpu)
		if err != nil {
			return nil, fmt.Errorf("--cpuprofile: %w", err)
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			return nil, fmt.Errorf("--cpuprofile: %w", err)
		}
		stop = func() error { pprof.StopCPUProfile(); return out.Close() }
	}
	return func() error {
		err := stop()
		if mem == "" {
			return err
		}
		out, memErr := os.Create(mem)
		if memErr == nil {
			memErr = errors.Join(pprof.Lookup("allocs").WriteTo(out, 0), out.Close())
		}
		if memErr != nil {
			err = errors.Join(err, fmt.Errorf("--memprofile: %w", memErr))
		}
		return err
	}, nil
}
