package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
	"github.com/binaryandbeyond/seam/topology"
)

// export is seam export: a business day as files for finance.
func (c *cli) export() *cobra.Command {
	var day, to string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "export", Args: cobra.NoArgs,
		Short: "Write a business day's money to CSV and Parquet, with a manifest, in versions",
		Long: "Reads the reconciler's database that --view names and writes the day's movements, their totals and what does not come out\n" +
			"even, to a folder that exists or s3://bucket/prefix (AWS_* variables). The same day with the same content changes nothing;\n" +
			"with a late correction it becomes the next version, whose manifest says what it corrects. Let cron run it each night:\n" +
			"  15 3 * * *  seam export --view postgres://seam@db/seam --to s3://finance/seam",
		Example: "  seam export --view ./data/view.db --to ./exports\n  seam export --view ./data/view.db --to s3://finance/seam --day 2026-11-24",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.view == "" || to == "" {
				return errors.New("give --view (SEAM_VIEW), the database to read, and --to, a folder or s3://bucket/prefix")
			}
			res, err := c.exportDay(cmd.Context(), day, to)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(res.Manifest)
			}
			_, err = fmt.Fprintln(c.out, res)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&day, "day", "", "business day, 2026-11-24; the one before today when empty")
	f.StringVar(&to, "to", os.Getenv("SEAM_EXPORT"), "folder, or s3://bucket/prefix (SEAM_EXPORT)")
	f.BoolVar(&asJSON, "json", false, "the manifest as JSON")
	return cmd
}

func (c *cli) exportDay(ctx context.Context, day, to string) (export.Result, error) {
	topo, err := topology.LoadForReading(c.files(), os.LookupEnv)
	if err != nil {
		return export.Result{}, err
	}
	day = cmp.Or(day, time.Now().In(topo.Money.Location()).AddDate(0, 0, -1).Format(time.DateOnly))
	destination, err := export.Open(to, os.Getenv)
	if err != nil {
		return export.Result{}, err
	}
	return fromView(ctx, c, func(v *reconcile.View) (res export.Result, err error) {
		err = v.BusinessDay(ctx, day, func(b *reconcile.BusinessDay) error {
			snapshot, err := snapshotOf(ctx, topo, b)
			if err == nil {
				res, err = export.Write(ctx, destination, snapshot)
			}
			return err
		})
		return res, err
	})
}

// snapshotOf is the three tables of a day.
func snapshotOf(ctx context.Context, topo *topology.Topology, b *reconcile.BusinessDay) (s export.Snapshot, err error) {
	date, err := export.ParseDate(b.Day)
	if err != nil {
		return s, err
	}
	if b.KnownAt.IsZero() {
		return s, errors.New("the view has never caught up with the topics: wait until seam run has read them")
	}
	s = export.Snapshot{Environment: topo.Environment, Cutoff: export.Cutoff{Day: date, Zone: b.Zone, KnownAt: b.KnownAt}, Late: export.LateCorrects}
	for _, r := range b.Offsets {
		s.Offsets = append(s.Offsets, export.Offset{Topic: r.Topic, Partition: r.Partition, Next: r.Next})
	}
	text := func(name string) export.Column { return export.Column{Name: name, Type: export.TypeString} }
	amount := func(name string) export.Column {
		return export.Column{Name: name, Type: export.TypeAmount, Currency: "currency"}
	}
	totals, err := totalsOf(b.Movements(ctx))
	if err != nil {
		return s, err
	}
	s.Tables = []export.Table{
		{Name: "movements", Key: []string{"order_id", "kind", "system", "object", "currency"},
			Columns: []export.Column{text("order_id"), text("kind"), text("system"), text("object"), text("currency"), amount("amount"), {Name: "at", Type: export.TypeTimestamp}, text("reference"), text("event_id")},
			Rows: rowsFrom(b.Movements(ctx), func(m reconcile.DayMovement) export.Row {
				return export.Row{export.StringValue(m.Key), export.StringValue(string(m.Kind)), export.StringValue(string(m.System)), export.StringValue(m.Object), export.StringValue(m.Currency),
					export.AmountValue(m.Amount), export.TimestampValue(m.At), export.StringValue(m.Reference), export.StringValue(string(m.EventID))}
			})},
		{Name: "totals", Key: []string{"currency", "kind", "system"},
			Columns: []export.Column{text("currency"), text("kind"), text("system"), amount("amount"), {Name: "movements", Type: export.TypeInt64}},
			Rows: rowsFrom(totals, func(t reconcile.DayTotal) export.Row {
				return export.Row{export.StringValue(t.Currency), export.StringValue(string(t.Kind)), export.StringValue(string(t.System)), export.AmountValue(t.Amount), export.Int64Value(int64(t.Count))}
			})},
		{Name: "differences", Key: []string{"order_id", "comparison", "currency"},
			Columns: []export.Column{text("order_id"), text("comparison"), text("currency"), amount("amount_a"), amount("amount_b"), amount("difference"), text("silent"), {Name: "since", Type: export.TypeTimestamp},
				{Name: "overdue", Type: export.TypeBool}, text("page")},
			Rows: rowsFrom(b.Differences(ctx), func(d reconcile.KeyDifference) export.Row {
				return export.Row{export.StringValue(d.Key), export.StringValue(d.Comparison), export.StringValue(d.Currency), export.AmountValue(d.AmountA), export.AmountValue(d.AmountB), export.AmountValue(d.Difference),
					export.StringValue(string(d.Silent)), export.TimestampValue(d.Since), export.BoolValue(d.Overdue), export.StringValue(d.Page)}
			})},
	}
	return s, nil
}

// totalsOf sums movements by currency, kind and system.
func totalsOf(movements iter.Seq2[reconcile.DayMovement, error]) (iter.Seq2[reconcile.DayTotal, error], error) {
	sums := map[[3]string]reconcile.DayTotal{}
	for m, err := range movements {
		if err != nil {
			return nil, err
		}
		k := [3]string{m.Currency, string(m.Kind), string(m.System)}
		t := sums[k]
		sums[k] = reconcile.DayTotal{Currency: m.Currency, Kind: m.Kind, System: m.System, Amount: t.Amount.Add(m.Amount), Count: t.Count + 1}
	}
	keys := make([][3]string, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	return func(yield func(reconcile.DayTotal, error) bool) {
		for _, k := range keys {
			if !yield(sums[k], nil) {
				return
			}
		}
	}, nil
}

// rowsFrom makes rows of what an iterator gives.
func rowsFrom[T any](from iter.Seq2[T, error], row func(T) export.Row) iter.Seq2[export.Row, error] {
	return func(yield func(export.Row, error) bool) {
		for v, err := range from {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(row(v), nil) {
				return
			}
		}
	}
}
