package sim_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/binaryandbeyond/seam/drills/sim"
)

// A help desk that does the work and then loses its answer: the caller knows nothing, the count knows all.
func Example() {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	world, err := sim.New(sim.Config{EdgeURL: func() string { return "" }, ExportDir: dir, ERPDir: dir})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- world.Run(ctx) }()

	support := world.System("support")
	support.Fault(sim.LoseAnswer(1))
	req, err := http.NewRequest("POST", world.Env()["SUPPORT_URL"]+"/v1/cases", strings.NewReader(`{"order_id": "A1", "kind": "refund"}`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+world.Env()["SUPPORT_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	fmt.Println("answer lost:", err != nil)
	fmt.Println("cases:", support.Effects()["A1"]["refund"])

	cancel()
	if err := <-done; err != nil {
		panic(err)
	}
	// Output:
	// answer lost: true
	// cases: 1
}
