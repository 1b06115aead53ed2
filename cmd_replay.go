package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/replay"
	"github.com/binaryandbeyond/seam/schemas"
)

// replayFlags is what a person says of a replay, as text.
type replayFlags struct {
	datetime, duration, until                string
	offset, shift                            int64
	earliest, redeliver, stale, dry, execute bool
	wait, asJSON                             bool
	topics, orders, types, kinds             []string
	who, why                                 string
	atMost                                   int
}

// replay is seam replay: the past of an integration again, in the words of Kafka's own tool.
func (c *cli) replay() *cobra.Command { return c.replayOf(&replayFlags{}) }

// replayOf is the verb with a place for what is said.
func (c *cli) replayOf(f *replayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay INTEGRATION", Args: cobra.ExactArgs(1),
		Short: "Read an integration's past again, or deliver chosen events again",
		Long: "Says what going back to an offset or a time would do, in orders, events and calls, and does it with --execute, in the words of\n" +
			"kafka-consumer-groups. What the ledger knows as finished or parked stays so: no call is made for it. With --redeliver the chosen\n" +
			"events are delivered again, once, with who and why in every outcome. Workers go on meanwhile; those that do not run take it in\n" +
			"when they start. What is older than the ledger remembers is refused. See docs/replay.md.",
		Example: "  seam replay warehouse --by-duration PT24H\n" +
			"  seam replay warehouse --to-datetime 2026-11-24T00:00:00Z --topic orders --execute --why \"offsets were reset past Monday\" --wait\n" +
			"  seam replay warehouse --by-duration PT24H --redeliver --order 820982911946154508 --why \"the parcel was lost\" --execute --wait\n" +
			"  seam replay erp --to-datetime 2026-11-23T02:00 --until 2026-11-23T04:00 --redeliver --type order.created --why \"restored from a backup\"",
		RunE: func(cmd *cobra.Command, args []string) error { return c.runReplay(cmd, args[0], *f) },
	}
	v := cmd.Flags()
	v.StringVar(&f.datetime, "to-datetime", "", "go back to the first record of a time: 2026-11-24T00:00:00Z, UTC without a zone")
	v.StringVar(&f.duration, "by-duration", "", "go back by a duration: PT24H, P7D or 24h")
	v.Int64Var(&f.offset, "to-offset", 0, "go back to an offset, in every partition that is meant")
	v.BoolVar(&f.earliest, "to-earliest", false, "go back as far as there is anything")
	v.Int64Var(&f.shift, "shift-by", 0, "go back by so many records, written as a negative number")
	v.StringSliceVar(&f.topics, "topic", nil, "only this topic, or partitions of it: orders, orders:0,2; all that the integration reads when empty")
	v.BoolVar(&f.redeliver, "redeliver", false, "deliver finished events again")
	v.StringSliceVar(&f.orders, "order", nil, "with --redeliver: only of these orders (customers, items)")
	v.StringSliceVar(&f.types, "type", nil, "with --redeliver: only of these event types")
	v.StringSliceVar(&f.kinds, "kind", nil, "with --redeliver: only those that ended so: delivered, withheld, superseded, ..., passed_by (none of the integration's business then, or a copy)")
	v.StringVar(&f.until, "until", "", "with --redeliver: only records before this time")
	v.BoolVar(&f.stale, "even-stale", false, "with --redeliver: also where newer stands in the downstream, or the event has expired")
	v.IntVar(&f.atMost, "at-most", 10_000, "with --redeliver: refuse more events")
	v.BoolVar(&f.dry, "dry-run", false, "only say what would be done, which is the default")
	v.BoolVar(&f.execute, "execute", false, "do it")
	v.StringVar(&f.why, "why", "", "the reason; needed with --execute")
	v.StringVar(&f.who, "who", whoami(), "who asks")
	v.BoolVar(&f.wait, "wait", false, "with --execute: wait until it is done, and say what came of it")
	v.BoolVar(&f.asJSON, "json", false, "one JSON object: the plan, and with --execute the run")
	cmd.MarkFlagsMutuallyExclusive("to-datetime", "by-duration", "to-offset", "to-earliest", "shift-by")
	cmd.MarkFlagsOneRequired("to-datetime", "by-duration", "to-offset", "to-earliest", "shift-by")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "execute")
	return cmd
}

// runReplay plans, and with --execute decides.
func (c *cli) runReplay(cmd *cobra.Command, name string, f replayFlags) error {
	ctx := cmd.Context()
	if f.execute && (strings.TrimSpace(f.why) == "" || strings.TrimSpace(f.who) == "") {
		return errors.New("--why and --who are needed: they are recorded")
	}
	cfg, err := c.reader()
	if err != nil {
		return err
	}
	in := cfg.Topology.Integration(name)
	if in == nil {
		return fmt.Errorf("unknown integration %q", name)
	}
	r := replay.Request{Options: cfg.Options, Serde: cfg.Serde, Topology: cfg.Topology, Integration: in}
	if err := f.fill(&r, cmd, time.Now()); err != nil {
		return err
	}
	ring, err := c.sealed(ctx, cfg.Options, cfg.Serde, cfg.Topology)
	if err != nil {
		return fmt.Errorf("keys of personal data, without which nobody can say what would be sent: %w", err)
	}
	defer ring.Close()
	plan, err := replay.New(ctx, r)
	if plan != nil && !f.asJSON {
		if err := plan.WriteText(c.out); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	told := struct {
		Plan *replay.Plan `json:"plan"`
		Run  *replay.Run  `json:"run,omitempty"`
	}{Plan: plan}
	if f.execute {
		if told.Run, err = c.executeReplay(ctx, r, plan, f, cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	switch {
	case f.asJSON:
		return c.json(told)
	case !f.execute:
		_, err = fmt.Fprintln(c.out, "\nNothing is done yet: --execute does it.")
	case !f.wait:
		_, err = fmt.Fprintf(c.out, "\nreplay %s is asked for; the workers take it from here\n", told.Run.ID)
	default:
		fmt.Fprintln(c.out)
		err = told.Run.WriteText(c.out)
	}
	return err
}

// executeReplay writes the decisions and, with --wait, follows what comes of them.
func (c *cli) executeReplay(ctx context.Context, r replay.Request, plan *replay.Plan, f replayFlags, talk io.Writer) (*replay.Run, error) {
	run, err := replay.Execute(ctx, r, plan, f.who, f.why)
	if err != nil || !f.wait {
		return run, err
	}
	last := -1
	return run, run.Wait(ctx, r, func(so replay.Run) {
		if so.Done != last {
			fmt.Fprintf(talk, "replay %s: %d of %d\n", so.ID, so.Done, so.Asked)
			last = so.Done
		}
	})
}

// fill turns the flags into what is asked for.
func (f replayFlags) fill(r *replay.Request, cmd *cobra.Command, now time.Time) (err error) {
	given := cmd.Flags().Changed
	switch {
	case given("to-datetime"):
		r.Back.Datetime, err = datetime("--to-datetime", f.datetime)
	case given("by-duration"):
		var d time.Duration
		d, err = duration(f.duration)
		r.Back.Datetime = now.Add(-d)
	case given("to-offset"):
		r.Back.Offset = &f.offset
	case given("shift-by"):
		if r.Back.Shift = &f.shift; f.shift >= 0 {
			return errors.New("--shift-by takes a negative number: a replay goes back")
		}
	default:
		if r.Back.Earliest = f.earliest; !f.earliest {
			return errors.New("--to-earliest=false says nothing of where to go back to")
		}
	}
	if err != nil {
		return err
	}
	if r.Places, err = places(f.topics); err != nil {
		return err
	}
	if !f.redeliver {
		for _, name := range []string{"order", "type", "kind", "until", "even-stale", "at-most"} {
			if given(name) {
				return fmt.Errorf("--%s chooses what to deliver again: add --redeliver, without which nothing is", name)
			}
		}
		return nil
	}
	r.Choice = &replay.Choice{Orders: f.orders, Kinds: f.kinds, AtMost: f.atMost}
	if f.stale {
		r.Choice.Even = schemas.ReasonStale
	}
	for _, et := range f.types {
		if !slices.Contains(schemas.EventTypes, schemas.EventType(et)) {
			return fmt.Errorf("--type %s: no such event type", et)
		}
		r.Choice.Types = append(r.Choice.Types, schemas.EventType(et))
	}
	for _, k := range f.kinds {
		if kind := schemas.Kind(k); k != replay.PassedBy && (!slices.Contains(schemas.Kinds, kind) || !kind.Final()) {
			return fmt.Errorf("--kind %s: one of %s, %v", k, replay.PassedBy, slices.DeleteFunc(slices.Clone(schemas.Kinds), func(k schemas.Kind) bool { return !k.Final() }))
		}
	}
	if f.until != "" {
		r.Choice.Until, err = datetime("--until", f.until)
	}
	return err
}

// datetime reads a time as people and kafka-consumer-groups write it; one without a zone is UTC.
func datetime(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: write 2026-11-24T00:00:00Z", flag, text)
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// duration reads P7DT12H as kafka-consumer-groups does, or 36h.
func duration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m := isoDuration.FindStringSubmatch(text); m != nil && m[i+1] != "" {
			n, err := strconv.ParseInt(m[i+1], 10, 32)
			if err != nil {
				return 0, fmt.Errorf("--by-duration %q: %w", text, err)
			}
			d += time.Duration(n) * unit
		}
	}
	if d <= 0 {
		return 0, fmt.Errorf("--by-duration %q: write PT24H, P7D or 24h", text)
	}
	return d, nil
}

// places reads topics with partitions, as kafka-consumer-groups takes them: orders, orders:0,2. The flag's own commas part them
// first: what is only a number belongs to the topic before it.
func places(list []string) (map[string][]int32, error) {
	out := map[string][]int32{}
	topic := ""
	for _, text := range list {
		name, part, ok := strings.Cut(text, ":")
		if n, err := strconv.ParseInt(text, 10, 32); err == nil && topic != "" && len(out[topic]) > 0 {
			out[topic] = append(out[topic], int32(n))
			continue
		}
		if topic = name; out[topic] == nil {
			out[topic] = []int32{}
		}
		if ok {
			n, err := strconv.ParseInt(part, 10, 32)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("--topic %s: write orders, or orders:0,2 for partitions of it", text)
			}
			out[topic] = append(out[topic], int32(n))
		}
	}
	if slices.Contains(slices.Collect(maps.Keys(out)), "") {
		return nil, errors.New("--topic is empty: write orders, or orders:0,2 for partitions of it")
	}
	return out, nil
}
