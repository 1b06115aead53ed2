package review_test

import (
	"fmt"
	"time"

	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/review"
)

// What ships with Seam answers the six questions of each of its integrations.
func Example() {
	report := review.Folder(topology.Default(), func(string) (string, bool) { return "", false }, time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	for _, in := range report.Integrations {
		if in.Name == "warehouse" {
			fmt.Println(in.Answers[2].Asked)
			fmt.Println(in.Answers[2].Says[0])
			fmt.Println("an hour's outage drains within", in.Budget.Drain)
		}
	}
	fmt.Println(report.Count(review.Error), "errors")
	// Output:
	// How long can the target operate on stale data before the business is harmed?
	// Harm begins when what it knows is older than 15m; an order that has waited for 30m is late.
	// an hour's outage drains within 36s
	// 0 errors
}
