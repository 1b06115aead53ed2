package mcp_test

import (
	"context"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/mcp"
)

// An assistant asks what may be used of an order, and is refused.
func ExampleNewServer() {
	server := mcp.NewServer(mcp.Backend{
		Facts: func(_ context.Context, key string, q reconcile.FactsQuery) (*reconcile.Facts, error) {
			return &reconcile.Facts{Key: key, For: q.For, Refusals: []reconcile.Refusal{{Field: "order.total", Reason: reconcile.RefusedTooOld, Detail: "shop said it 2h ago, and 1h is allowed", Ask: "finance"}}}, nil
		},
	}, mcp.Options{For: "enrichment"})
	ctx := context.Background()
	here, there := sdk.NewInMemoryTransports()
	if _, err := server.Connect(ctx, there, nil); err != nil {
		fmt.Println(err)
		return
	}
	client, err := sdk.NewClient(&sdk.Implementation{Name: "example", Version: "1"}, nil).Connect(ctx, here, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }() // in memory
	answer, err := client.CallTool(ctx, &sdk.CallToolParams{Name: "get_facts", Arguments: map[string]any{"id": "1001"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	seam := answer.StructuredContent.(map[string]any)["seam"].(map[string]any)
	fmt.Println(seam["for"], seam["usable"], seam["refusals"])
	// Output: enrichment false [map[ask:finance detail:shop said it 2h ago, and 1h is allowed field:order.total reason:too_old]]
}
