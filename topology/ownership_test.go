package topology

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestOwnershipFaults has a row for every fault of ownership.yaml: where it is, and the mend.
func TestOwnershipFaults(t *testing.T) {
	t.Parallel()
	const rest = "\nunowned: [\"*\"]\n"
	for _, tt := range []struct {
		name, file, want string
	}{
		{"unknown field", "order.totl: {owner: shop, page: ops}" + rest, `:1: unknown field "order.totl": the fields are order.status, `},
		{"unknown key", "order.total: {owner: shop, page: ops, tolerances: 1}" + rest, `:1: unknown key "tolerances": the keys here are owner, copies, tolerance, agree_within, page, on_conflict, transfers`},
		{"unknown owner", "order.note: {owner: shop, page: ops}\norder.total: {owner: shoop, page: ops}" + rest, `:2: unknown system "shoop" of order.total: no source and no integration has it; they have a, shop`},
		{"unknown copy", "order.total: {owner: shop, copies: [erpp], page: ops}" + rest, `:1: unknown system "erpp" of order.total`},
		{"unknown new owner", "order.total:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: nobody, from: 2026-12-01T00:00:00Z}" + rest, `:5: unknown system "nobody" of order.total`},
		{"no owner", "order.total: {page: ops}" + rest, ":1: order.total has no owner: name the system whose word counts"},
		{"an empty list of owners", "order.total: {owner: [], page: ops}" + rest, ":1: order.total has no owner"},
		{"an owner that is no name", "order.total: {owner: {shop: 1}, page: ops}" + rest, ":1: name one system, or several as [shop, admin]"},
		{"owner among its copies", "order.total: {owner: shop, copies: [a, shop], page: ops}" + rest, ":1: order.total is owned by shop, which is among its copies too: take it out there"},
		{"owner twice", "order.note: {owner: [shop, shop], page: ops}" + rest, ":1: order.note names shop twice in owner"},
		{"copy twice", "order.note: {owner: shop, copies: [a, a], page: ops}" + rest, ":1: order.note names a twice in copies"},
		{"no page", "order.note: {owner: shop}" + rest, ":1: order.note has no page: name the team that decides when a copy differs"},
		{"shared without a page", "order.note: {owner: [shop, a]}" + rest, ":1: order.note has no page: name the team that decides when shop, a differ"},
		{"page of no team", "order.note: {owner: shop, page: nobody}" + rest, `:1: order.note pages team "nobody", which teams.yaml does not have`},
		{"tolerance that is no number", "order.total: {owner: shop, page: ops, tolerance: 1 cent}" + rest, `:1: order.total has tolerance "1 cent", which is not a decimal: write 0.01; it counts in the currency of the amounts`},
		{"tolerance of a text", "order.status: {owner: shop, page: ops, tolerance: 1}" + rest, ":1: order.status has a tolerance, but its values are no amounts and no counts: leave it out"},
		{"tolerance below zero", "order.total: {owner: shop, page: ops, tolerance: -0.01}" + rest, ":1: order.total has tolerance -0.01: write the greatest difference, 0 or more"},
		{"tolerance of no currency", "order.total: {owner: shop, page: ops, tolerance: 0.00001}" + rest, ":1: order.total has tolerance 0.00001: an amount has at most 4 decimals, so that this is no amount of any currency"},
		{"tolerance of half a thing", "inventory.available: {owner: shop, page: ops, tolerance: 0.5}" + rest, ":1: inventory.available has tolerance 0.5: it is a count, and differs by whole numbers"},
		{"on_conflict", "order.note: {owner: shop, page: ops, on_conflict: newest}" + rest, `:1: on_conflict of order.note is "newest": write refuse or park`},
		{"nothing to park", "order.note: {owner: shop, page: ops, on_conflict: park}" + rest, ":1: order.note has one owner and on_conflict: park: what others say of it is refused, and there is nothing to park"},
		{"a fact is shared", "payment.amount: {owner: [shop, a], page: ops}" + rest, ":1: payment.amount cannot be shared: each is said once, by one system; name one owner"},
		{"shared without comparison", "order.number: {owner: [shop, a], page: ops}" + rest, ":1: order.number cannot be shared: what two systems say of it cannot be compared; name one owner"},
		{"shared with a tolerance", "order.total: {owner: [shop, a], page: ops, tolerance: 0.01}" + rest, ":1: order.total is shared and has a tolerance: systems that share a field agree exactly; leave it out"},
		{"shared later", "order.total: {owner: shop, page: ops, tolerance: 0.01, transfers: [{to: [shop, a], from: 2026-12-01T00:00:00Z}]}" + rest, ":1: order.total is shared and has a tolerance"},
		{"transfer to nobody", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {from: 2026-12-01T00:00:00Z}" + rest, ":5: a transfer of order.note has no to: name the system that owns it then"},
		{"transfer at no time", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: a}" + rest, ":5: a transfer of order.note has no from: write from when, such as 2026-12-01T00:00:00Z"},
		{"transfer before another", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: a, from: 2026-12-02T00:00:00Z}\n    - {to: shop, from: 2026-12-01T00:00:00Z}" + rest, ":6: a transfer of order.note is from 2026-12-01T00:00:00Z, not after the one before it: put the earliest first"},
		{"two transfers at once", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: a, from: 2026-12-02T00:00:00Z}\n    - {to: shop, from: 2026-12-02T00:00:00Z}" + rest, ":6: a transfer of order.note is from 2026-12-02T00:00:00Z, not after"},
		{"transfer to the same", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: shop, from: 2026-12-02T00:00:00Z}" + rest, ":5: a transfer of order.note is to shop, which owns it already"},
		{"transfer to one twice", "order.note:\n  owner: shop\n  page: ops\n  transfers:\n    - {to: [a, a], from: 2026-12-02T00:00:00Z}" + rest, ":5: order.note names a twice in to"},
		{"unowned and unknown", "order.note: {owner: shop, page: ops}\nunowned: [\"*\", order.notes]", `:2: unowned names the unknown field "order.notes"`},
		{"unowned and owned", "order.note: {owner: shop, page: ops}\nunowned: [\"*\", order.note]", ":2: order.note is unowned and has an owner: take it out of one"},
		{"forgotten", "order.note: {owner: shop, page: ops}\nunowned: [order.email]", ":2: nothing is said of order.status, order.payment_status, order.fulfillment_status, order.total, "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := base()
			fsys["ownership.yaml"].Data = []byte(tt.file)
			_, err := Load(fsys, func(string) (string, bool) { return "", false })
			if err == nil {
				t.Fatal("loaded")
			}
			if !strings.Contains(err.Error(), ownershipName+tt.want) {
				t.Errorf("want %s%s, got:\n%v", ownershipName, tt.want, err)
			}
		})
	}
}

// TestOwnershipLoads in its fullest form; without sources nobody knows what systems there are.
func TestOwnershipLoads(t *testing.T) {
	t.Parallel()
	fsys := base()
	delete(fsys, "sources/s.yaml")
	fsys["ownership.yaml"].Data = []byte("order.total: {owner: whoever, copies: [erp], tolerance: \"0.01\", page: ops}\n" +
		"order.note: {owner: [shop, admin], page: ops, on_conflict: park, transfers: [{to: crm, from: 2026-12-01T00:00:00+01:00}, {to: [crm, shop], from: 2027-01-01T00:00:00Z}]}\nunowned: [\"*\"]\n")
	topo, err := Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	o := topo.Ownership["order.note"]
	if total := topo.Ownership["order.total"]; total.OnConflict != ConflictRefuse || o.OnConflict != ConflictPark {
		t.Errorf("on_conflict of a field that says nothing is %q, of the other %q", total.OnConflict, o.OnConflict)
	}
	for _, tt := range []struct {
		at    string
		want  Systems
		reign int
	}{
		{"0001-01-01T00:00:00Z", Systems{"shop", "admin"}, 0}, {"2026-11-30T22:59:59Z", Systems{"shop", "admin"}, 0}, {"2026-11-30T23:00:00Z", Systems{"crm"}, 1},
		{"2026-12-31T23:59:59Z", Systems{"crm"}, 1}, {"2027-01-01T00:00:00Z", Systems{"crm", "shop"}, 2},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.At(at); !slices.Equal(got, tt.want) || o.Reign(at) != tt.reign {
			t.Errorf("at %s it is %s's, in reign %d", tt.at, got, o.Reign(at))
		}
	}
}

// TestShippedOwnershipIsWhole: it lists each field by name, so that a new one is a fault until somebody decides.
func TestShippedOwnershipIsWhole(t *testing.T) {
	t.Parallel()
	topo, err := Load(Default(), everything)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []schemas.Field{"customer.note", "customer.order_count", "customer.total_spent"} {
		if _, owned := topo.Ownership[f]; owned {
			t.Errorf("%s has an owner", f)
		}
	}
	if n := len(topo.Ownership); n != len(schemas.Fields())-3 {
		t.Errorf("%d fields of %d have an owner", n, len(schemas.Fields()))
	}
}
