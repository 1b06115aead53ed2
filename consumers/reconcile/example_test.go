package reconcile_test

import (
	"fmt"
	"os"
	"time"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// An order that the books have, and that the warehouse should have had half an hour ago.
func ExampleFold() {
	topo, err := topology.Load(files(""), func(string) (string, bool) { return "", false })
	if err != nil {
		fmt.Println(err)
		return
	}
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	fold := reconcile.NewFold(topo, schemas.TopicOrders, "1001")
	fold.Event(&schemas.Event{ID: "e1", Type: schemas.OrderCreated, System: "shop", Time: nine, IngestedAt: nine.Add(time.Second)}, reconcile.Position{Offset: 0})
	fold.Outcome(&schemas.Outcome{Integration: "books", EventID: "e1", EventType: schemas.OrderCreated, Kind: schemas.Delivered, Reference: "B-17", At: nine.Add(2 * time.Second),
		Attempts: []schemas.Attempt{{At: nine.Add(2 * time.Second), TookMS: 40, Status: 201, Class: "delivered"}}}, reconcile.Position{Offset: 0})
	if err := fold.Order(nine.Add(time.Hour)).Write(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// order 1001: complete in 1 of 2, missing in warehouse; page fulfilment
	//   missing in warehouse: order.created has no outcome; since 2026-11-23 09:30:01.000 (29m59s); page fulfilment
	//
	// clock (UTC)              source clock  where  what
	// 2026-11-23 09:00:01.000  09:00:00.000  shop   order.created  e1
	// 2026-11-23 09:00:02.000                books  order.created e1: delivered by call 1 (201 in 40ms), reference B-17
	//
	// integration  state     since                    answers
	// books        complete  2026-11-23 09:00:02.000  1 delivered, by 1 call
	// warehouse    missing   2026-11-23 09:30:01.000  1 missing
}
