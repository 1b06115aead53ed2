package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/topology"
)

// Config says what to measure, and where.
type Config struct {
	Brokers  []string // host:port; empty starts an embedded broker and registry, in whose memory all records stay
	Registry string   // URL with the Confluent API; required with Brokers
	// How to sign in to the brokers and the registry, beside where they are.
	Options         []kgo.Opt
	RegistryOptions []sr.ClientOpt
	Cases           []string // of Cases; empty for all
	// Events is how many records the dedup and memory cases read. The http and ingest cases take a tenth and a fiftieth of it,
	// as a call costs that much more. Default 1,000,000.
	Events     int
	Partitions int32 // of every topic. Default 8
	Rounds     int   // measurements of each side; the median counts. Default 3
	// Orders is how many orders the view holds, and the larger ledger of the ledger case; the smaller has a tenth. Default
	// 1,000,000.
	Orders int
	Logger *slog.Logger // of the workers; default none
	// Progress is told what is measured now; nil for nobody.
	Progress func(string)
}

// Cases lists what can be measured, in the order it is: memory first, while nothing else has used any.
var Cases = []string{"memory", "dedup", "http", "ingest", "ledger", "view"}

// Report is what a run found.
type Report struct {
	Where      string   `json:"where"` // embedded, or the brokers
	Go         string   `json:"go"`
	CPUs       int      `json:"cpus"`
	Events     int      `json:"events"`
	Partitions int32    `json:"partitions"`
	Results    []Result `json:"results"`
}

// Result is one comparison or one measured size.
type Result struct {
	Case string `json:"case"` // "dedup/unsubscribed"
	Unit string `json:"unit"` // events/s, MB, ...
	// Seam and Bare are the measurements in the order they were made; Bare is empty where there is nothing to compare with.
	Seam []float64 `json:"seam"`
	Bare []float64 `json:"bare,omitempty"`
	// Ratio is the median of Seam/Bare of each round; 0 without Bare.
	Ratio float64 `json:"ratio,omitempty"`
	// Target is what Seam sets itself: the least Ratio, with Least the least value, or with Most the greatest. 0 for none.
	Target float64  `json:"target,omitempty"`
	Least  bool     `json:"least,omitempty"`
	Most   bool     `json:"most,omitempty"`
	Note   string   `json:"note,omitempty"`
	Faults []string `json:"faults,omitempty"` // what was wrong: lost, doubled, overtaken
}

// Faults is everything that was wrong in any case; empty when every event was accounted for.
func (r *Report) Faults() []string {
	var out []string
	for _, res := range r.Results {
		for _, f := range res.Faults {
			out = append(out, res.Case+": "+f)
		}
	}
	return out
}

// suite is a run under way.
type suite struct {
	Config
	where string
}

// Run measures the cases one after the other. An error means that it could not go on; the report holds what was measured
// until then. Being wrong is not an error but a fault in the report.
func Run(ctx context.Context, c Config) (Report, error) {
	s, err := newSuite(c)
	if err != nil {
		return Report{}, err
	}
	if len(s.Brokers) == 0 {
		embedded, err := topology.StartEmbedded(false)
		if err != nil {
			return Report{}, err
		}
		defer func() { _ = embedded.Close() }() // it is gone with the process anyway
		s.Brokers, s.Registry, s.where = embedded.Brokers, embedded.Registry, "embedded"
	}
	rep := Report{Where: s.where, Go: runtime.Version(), CPUs: runtime.GOMAXPROCS(0), Events: s.Events, Partitions: s.Partitions}
	run := map[string]func(context.Context) ([]Result, error){"memory": s.memory, "dedup": s.dedup, "http": s.http, "ingest": s.ingest, "ledger": s.ledger, "view": s.view}
	for _, name := range Cases {
		if !slices.Contains(s.Cases, name) {
			continue
		}
		results, err := run[name](ctx)
		rep.Results = append(rep.Results, results...)
		if err != nil {
			return rep, fmt.Errorf("bench %s: %w", name, err)
		}
	}
	return rep, nil
}

// newSuite completes the settings and refuses what cannot run.
func newSuite(c Config) (*suite, error) {
	s := &suite{Config: c, where: strings.Join(c.Brokers, ",")}
	if len(c.Brokers) > 0 && c.Registry == "" {
		return nil, errors.New("bench: brokers are given without a registry: give both, or neither for the embedded ones")
	}
	for _, name := range c.Cases {
		if !slices.Contains(Cases, name) {
			return nil, fmt.Errorf("bench: unknown case %q: the cases are %s", name, strings.Join(Cases, ", "))
		}
	}
	if len(s.Cases) == 0 {
		s.Cases = Cases
	}
	for _, n := range []struct {
		value         *int
		orElse, least int
		name          string
	}{{&s.Events, 1_000_000, 1000, "events"}, {&s.Rounds, 3, 1, "rounds"}, {&s.Orders, 1_000_000, 1000, "orders"}} {
		if *n.value == 0 {
			*n.value = n.orElse
		}
		if *n.value < n.least {
			return nil, fmt.Errorf("bench: %d %s: give at least %d", *n.value, n.name, n.least)
		}
	}
	if s.Partitions == 0 {
		s.Partitions = 8
	}
	if s.Partitions < 1 {
		return nil, fmt.Errorf("bench: %d partitions: give at least 1", s.Partitions)
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Progress == nil {
		s.Progress = func(string) {}
	}
	return s, nil
}

// tell reports progress.
func (s *suite) tell(format string, args ...any) { s.Progress(fmt.Sprintf(format, args...)) }

// prefix is one that no topic has.
func prefix() string { return "bench-" + strings.ToLower(rand.Text()[:10]) + "." }

// side is one of the two things compared; it gives its throughput.
type side func(ctx context.Context, round int) (float64, error)

// compare runs both sides by turns, and each first as often as the other.
func (s *suite) compare(ctx context.Context, res *Result, seam, bare side) error {
	for round := range s.Rounds {
		for turn := range 2 {
			name, run, into := "seam", seam, &res.Seam
			if (round+turn)%2 == 1 {
				name, run, into = "the bare loop", bare, &res.Bare
			}
			s.tell("%s: %s, round %d of %d", res.Case, name, round+1, s.Rounds)
			runtime.GC() // of what the other side left
			var got float64
			var err error
			pprof.Do(ctx, pprof.Labels("case", res.Case, "side", name), func(ctx context.Context) { got, err = run(ctx, round) })
			if err != nil {
				return fmt.Errorf("%s, %s, round %d: %w", res.Case, name, round+1, err)
			}
			*into = append(*into, got)
		}
	}
	ratios := make([]float64, s.Rounds)
	for i := range ratios {
		ratios[i] = res.Seam[i] / res.Bare[i]
	}
	res.Ratio = median(ratios)
	return nil
}

// fault notes what was wrong.
func (res *Result) fault(format string, args ...any) {
	res.Faults = append(res.Faults, fmt.Sprintf(format, args...))
}

// median is the middle value; the mean of the two in the middle where there is none. 0 for no values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}
