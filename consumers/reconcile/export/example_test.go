package export_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

// A day is exported, and corrected when a refund comes late.
func Example() {
	dir, err := os.MkdirTemp("", "finance-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	to, err := export.Open(dir, os.Getenv) // or s3://bucket/prefix
	if err != nil {
		fmt.Println(err)
		return
	}
	refund := func(id, amount string) export.Row {
		return export.Row{export.StringValue(id), export.AmountValue(decimal.RequireFromString(amount)), export.StringValue("EUR")}
	}
	snapshot := func(rows ...export.Row) export.Snapshot {
		return export.Snapshot{
			Environment: "production",
			Cutoff: export.Cutoff{Day: export.Date{Year: 2026, Month: time.November, Day: 24}, Zone: "Europe/Berlin",
				KnownAt: time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)},
			Late:    export.LateCorrects,
			Offsets: []export.Offset{{Topic: "orders", Partition: 0, Next: 4711}},
			Tables: []export.Table{{Name: "refunds", Key: []string{"refund_id"}, Rows: given(rows...), Columns: []export.Column{
				{Name: "refund_id", Type: export.TypeString},
				{Name: "amount", Type: export.TypeAmount, Currency: "currency"},
				{Name: "currency", Type: export.TypeString},
			}}},
		}
	}
	for _, rows := range [][]export.Row{
		{refund("r1", "-12.50")},
		{refund("r1", "-12.50")},
		{refund("r1", "-12.50"), refund("r2", "-0.99")},
	} {
		result, err := export.Write(context.Background(), to, snapshot(rows...))
		if err != nil {
			fmt.Println(err)
			return
		}
		total := result.Manifest.Tables[0].Totals[0]
		fmt.Println(result, total.Sum, total.Currency)
	}
	// Output:
	// 2026-11-24: wrote v1 -12.5000 EUR
	// 2026-11-24: unchanged v1 -12.5000 EUR
	// 2026-11-24: wrote v2, which corrects v1 -13.4900 EUR
}
