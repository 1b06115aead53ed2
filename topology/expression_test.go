package topology

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/expr-lang/expr/vm"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestEveryPathIsWhatTheViewSays holds the short way to a value to the expression language's own, for every name and every
// part, of events with and without it.
func TestEveryPathIsWhatTheViewSays(t *testing.T) {
	t.Parallel()
	full := viewed(t)
	full.Payment, full.Refund = &schemas.Payment{ID: "p", Amount: full.Order.Total}, &schemas.Refund{ID: "r"}
	full.Order.ShippingAddress = &schemas.Address{City: "Wien"}
	short := 0
	for _, src := range append(append(ViewNames(), partNames...), "order.total", "order.shipping_address", "event.extensions") {
		e, err := compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if e.get != nil {
			short++
		}
		for _, ev := range []*schemas.Event{{}, viewed(t), full} {
			got, err := e.eval(ScopeOf(ev, "key"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := vm.Run(e.program, View(ev, "key"))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", src, d)
			}
		}
	}
	if short < len(ViewNames())*9/10 {
		t.Errorf("only %d paths go the short way", short)
	}
}

// TestAppendJSON holds the body's bytes to encoding/json's.
func TestAppendJSON(t *testing.T) {
	t.Parallel()
	const text = `
zebra: order.total
amount: order.total.amount
lines: 'map(order.lines, {{"id": .id, "quantity": .quantity, "none": nil}})'
all: '[order.id, 1, 2.5, true, nil, "a<b>&\"\\ü\n"]'
nested: {"in < side": event.id, none: payment.id}
empty: {none: payment.id}
none: payment.id
count: inventory.available
whole: $env.order
"näme": '"x"'
`
	var m Mapping
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	for _, ev := range []*schemas.Event{{}, viewed(t)} {
		members, err := m.Eval(ScopeOf(ev, "key"), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.AppendJSON([]byte("before"), ScopeOf(ev, "key"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff("before"+string(want), string(got)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	var empty *EmptyMemberError
	if _, err := m.AppendJSON(nil, ScopeOf(viewed(t), "key"), []string{"zebra", "none"}); !errors.As(err, &empty) || empty.Name != "none" {
		t.Errorf("a required member without a value: %v", err)
	}
	if _, err := m.AppendJSON(nil, ScopeOf(viewed(t), "key"), []string{"nobody"}); !errors.As(err, &empty) || empty.Name != "nobody" {
		t.Errorf("a required member that the body does not have: %v", err)
	}
	if got, err := (Mapping{}).AppendJSON(nil, ScopeOf(viewed(t), "key"), nil); err != nil || string(got) != "{}" {
		t.Errorf("an empty body is %s, %v", got, err)
	}
}
