package reconcile

import (
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestStoredAgain: that an outcome is of a delivery that a person wanted again is kept, and with it which one counts.
func TestStoredAgain(t *testing.T) {
	t.Parallel()
	topo := &topology.Topology{}
	f := NewFold(topo, "orders", "1")
	f.Outcome(&schemas.Outcome{Integration: "erp", EventID: "e1", Kind: schemas.Delivered, At: time.Unix(1, 0)}, Position{0, 1})
	f.Outcome(&schemas.Outcome{Integration: "erp", EventID: "e1", Kind: schemas.Superseded, At: time.Unix(2, 0), Replay: &schemas.Replay{ID: "r1"}}, Position{0, 2})
	packed, err := f.pack()
	if err != nil {
		t.Fatal(err)
	}
	read := NewFold(topo, "orders", "1")
	if err := read.unpack(packed); err != nil {
		t.Fatal(err)
	}
	if last := read.answer("erp", "e1").latest(); last.kind != schemas.Delivered {
		t.Errorf("%s counts", last.kind)
	}
}
