package rules

import (
	stdcmp "cmp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		cmp  int
		ok   bool
	}{
		{"1", "2", -1, true},
		{"10", "9", 1, true}, // as numbers, not as texts
		{"1.5", "1.50", 0, true},
		{"007", "7", 0, true},
		{"999999999999999999", "1000000000000000000", -1, true}, // 18 digits and 19
		{"9223372036854775808", "9223372036854775807", 1, true}, // above 2^63
		{"7", "7.1", -1, true},
		{"820982911946154509", "820982911946154508", 1, true}, // above 2^53
		{"2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00", 0, true},
		{"2026-11-23T08:00:00.000001Z", "2026-11-23T08:00:00Z", 1, true},
		{"2026-11-23T23:00:00-05:00", "2026-11-24T01:00:00Z", 1, true}, // the text says otherwise
		{"", "1", 0, false},
		{"1", "", 0, false},
		{"v1", "v2", 0, false},
		{"2026-11-23T08:00:00Z", "1764000000", 0, false},
		{"1764000000", "2026-11-23T08:00:00Z", 0, false},
		{"1e999999999", "1", 0, false}, // comparing it would write it out
		{"1e2", "99", 0, false},
		{"1", "2", -1, true},
	} {
		if cmp, ok := CompareVersions(tt.a, tt.b); cmp != tt.cmp || ok != tt.ok {
			t.Errorf("%q and %q: %d %v, want %d %v", tt.a, tt.b, cmp, ok, tt.cmp, tt.ok)
		}
		if cmp, ok := CompareVersions(tt.b, tt.a); cmp != -tt.cmp || ok != tt.ok {
			t.Errorf("%q and %q: %d %v, the other way round it is %d %v", tt.b, tt.a, cmp, ok, -tt.cmp, tt.ok)
		}
	}
}

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
