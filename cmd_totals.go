package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

// totals is seam totals: control totals, and the orders that explain where systems differ.
func (c *cli) totals() *cobra.Command {
	var day, from, to string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "totals", Args: func(cmd *cobra.Command, args []string) error {
			if f := cmd.Flags(); f.Changed("day") && (f.Changed("from") || f.Changed("to")) || f.Changed("from") != f.Changed("to") {
				return errors.New("give --day, or --from and --to")
			}
			return cobra.NoArgs(cmd, args)
		},
		Short: "Sum what each system says of money, per business day and currency, and name the orders that explain differences",
		Long: "Asks the reconciler's database that --view names, else a console on this machine. Days are business days of the zone in\n" +
			"money.yaml. Exit 1 where systems differ about an order, on whatever day they speak of it.",
		Example: "  seam totals\n  seam totals --day 2026-11-24\n  seam totals --from 2026-11-01 --to 2026-11-30 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				from, to = day, day
			}
			t, err := asked(cmd.Context(), c, "/totals?"+url.Values{"from": {from}, "to": {to}}.Encode(), func(v *reconcile.View) (*reconcile.Totals, error) { return v.Totals(cmd.Context(), from, to) })
			if err != nil {
				return err
			}
			differs := slices.ContainsFunc(t.Differences, func(d reconcile.DayDifference) bool {
				return slices.ContainsFunc(d.Orders, func(o reconcile.OrderDifference) bool { return o.Why == reconcile.WhyAmounts })
			})
			return c.answered(t, asJSON, differs, func() error { return c.writeTotals(t) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&day, "day", time.Now().UTC().Format(time.DateOnly), "business day")
	f.StringVar(&from, "from", "", "first business day of several")
	f.StringVar(&to, "to", "", "last business day of several")
	f.BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// maxOrders is how many orders are named for a difference; --json has more.
const maxOrders = 20

func (c *cli) writeTotals(t *reconcile.Totals) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "day\tcurrency\tkind\tsystem\tamount\tmovements\t")
	for _, d := range t.Totals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t\n", d.Day, d.Currency, d.Kind, d.System, amount(d.Amount, d.Currency), d.Count)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, d := range t.Differences {
		fmt.Fprintf(c.out, "\n%s: %s %s, %s %s: %s %s apart, by %d orders\n", d.Name, d.A.System, amount(d.AmountA, d.Currency), d.B.System, amount(d.AmountB, d.Currency),
			amount(d.Difference.Abs(), d.Currency), d.Currency, len(d.Orders)+d.More)
		for i, o := range d.Orders {
			if i == maxOrders {
				fmt.Fprintf(c.out, "  and %d more\n", len(d.Orders)+d.More-i)
				break
			}
			why := map[string]string{reconcile.WhyAmounts: "they differ about it", reconcile.WhyDay: "they agree, on another day", reconcile.WhySilent: string(o.Silent) + " has said nothing of it"}[o.Why]
			fmt.Fprintf(c.out, "  %s: %s against %s: %s\n", o.Key, amount(o.AmountA, d.Currency), amount(o.AmountB, d.Currency), why)
		}
	}
	if len(t.Totals) == 0 {
		fmt.Fprintf(c.out, "no money moved from %s to %s (%s)\n", t.From, t.To, t.Zone)
	}
	_, err := fmt.Fprintln(c.out, t.Freshness.String())
	return err
}

// amount is a number with its currency's decimals.
func amount(n decimal.Decimal, currency string) string {
	text, _, _ := strings.Cut((&schemas.Money{Amount: n, Currency: currency}).String(), " ")
	return text
}
