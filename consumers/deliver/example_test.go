package deliver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/consumers/deliver"
	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// A downstream takes an order, and knows it when it comes again under its key.
func ExampleSet_Deliver() {
	known := map[string]bool{}
	warehouse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.Header.Get("Idempotency-Key"); known[key] {
			w.WriteHeader(http.StatusConflict)
		} else {
			known[key] = true
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id": "F-1"}`)
		}
	}))
	defer warehouse.Close()

	var body topology.Mapping
	if err := yaml.Unmarshal([]byte("reference: order.id"), &body); err != nil {
		fmt.Println(err)
		return
	}
	in := &topology.Integration{Name: "warehouse", Idempotency: topology.Idempotency{Key: "Idempotency-Key"}, Deliver: []topology.Route{{
		HTTP: &topology.HTTPCall{Method: "POST", URL: warehouse.URL}, Body: body, Answers: topology.Answers{Delivered: []int{201}, AlreadyDone: []int{409}, Reference: "id"},
	}}}
	kinds, err := deliver.New(in, outbound.Within())
	if err != nil {
		fmt.Println(err)
		return
	}
	r := deliver.Request{Event: &schemas.Event{ID: "1", Order: &schemas.Order{ID: "A"}}, Route: &in.Deliver[0], Key: "8f14e45f"}
	for r.Attempt = 1; r.Attempt <= 2; r.Attempt++ {
		res := kinds.Deliver(context.Background(), r)
		fmt.Println(res.Class, res.Status, res.Reference)
	}
	// Output:
	// delivered 201 F-1
	// already_done 409
}
