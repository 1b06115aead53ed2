package rules

import (
	stdcmp "cmp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func TestNewer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, b, want string }{{"1", "2", "2"}, {"2", "1", "2"}, {"2", "", "2"}, {"", "2", "2"}, {"v9", "v10", "v10"}} {
		if got := Newer(tt.a, tt.b); got != tt.want {
			t.Errorf("of %q and %q the newer is %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestStateful names the types of which an older one is worthless after a newer: what is a fact of its own is never dropped.
func TestStateful(t *testing.T) {
	t.Parallel()
	var got []schemas.EventType
	for _, et := range schemas.EventTypes {
		if stateful(et) {
			got = append(got, et)
		}
	}
	want := []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.CustomerRegistered, schemas.CustomerUpdated, schemas.InventoryLevelSet}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(stdcmp.Less[schemas.EventType])); diff != "" {
		t.Error(diff)
	}
}

// TestKeyIsFrozen holds keys against their texts of the first release: another key for the same call is a second effect
// at every downstream that was called under the first.
func TestKeyIsFrozen(t *testing.T) {
	t.Parallel()
	in := &topology.Integration{Name: "warehouse"}
	once, each := &topology.Route{Operation: "fulfill", Once: true}, &topology.Route{Operation: "fulfill"}
	ev := &schemas.Event{ID: "e1", Type: schemas.OrderCreated, Subject: "A"}
	for _, tt := range []struct {
		route *topology.Route
		want  string
	}{{once, "e8879c4b-25b3-5ed7-9dab-d5135076a26b"}, {each, "2ab84f62-e532-5b49-bf61-d0f10cecb943"}} {
		if got := Key(in, tt.route, ev); got != tt.want {
			t.Errorf("once %v: key %s, want %s", tt.route.Once, got, tt.want)
		}
	}
	other := *ev
	other.ID = "e2"
	if Key(in, once, ev) != Key(in, once, &other) {
		t.Error("two events of one order make two keys of an operation that happens once")
	}
	if Key(in, each, ev) == Key(in, each, &other) {
		t.Error("two events share a key")
	}
	other.Type, other.Subject = schemas.CustomerUpdated, "A"
	if Key(in, once, ev) == Key(in, once, &other) {
		t.Error("order A and customer A share a key")
	}
	if Key(in, once, ev) == Key(&topology.Integration{Name: "erp"}, once, ev) {
		t.Error("two integrations share a key")
	}
}
