package money_test

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/schemas"
)

// The shop gave 85.00 back in two refunds, of which the PSP has made one: the book says how much is missing, and which.
func Example() {
	noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	refund := func(system schemas.System, id string, cents int64) *schemas.Event {
		return &schemas.Event{ID: schemas.EventID(id), Type: schemas.RefundSucceeded, System: system, Subject: "1001", Time: noon, IngestedAt: noon,
			Refund: &schemas.Refund{ID: id, Status: "succeeded", Amount: &schemas.Money{Amount: decimal.New(cents, -2), Currency: "EUR"}}}
	}
	var book money.Book
	book.Add(refund("shop", "r1", 7500))
	book.Add(refund("shop", "r2", 1000))
	book.Add(refund("psp", "re_1", 7500))
	book.Add(refund("shop", "r2", 1000)) // a webhook that comes twice

	for _, t := range book.Net() {
		fmt.Println(t.Kind, t.System, t.Amount.StringFixed(2), t.Currency, "in", t.Count)
	}
	for _, d := range book.Differences(money.Rules{}) {
		fmt.Println(d.Name, d.Difference.StringFixed(2), d.Currency, "only in", d.A.System, d.Parts[0].A[0].Object)
	}
	// Output:
	// refunded psp 75.00 EUR in 1
	// refunded shop 85.00 EUR in 2
	// refunded 10.00 EUR only in shop r2
}
