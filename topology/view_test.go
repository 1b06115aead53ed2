package topology

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

func viewed(t testing.TB) *schemas.Event {
	t.Helper()
	total, err := schemas.NewMoney("20.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	at, count := time.Date(2026, 11, 23, 8, 0, 0, 5000, time.FixedZone("", 3600)), int64(0)
	return &schemas.Event{ID: "e1", Type: schemas.OrderUpdated, System: "shop", Subject: "7", Time: at,
		Order:      &schemas.Order{ID: "7", Total: total, UpdatedAt: &at, Lines: []schemas.Line{{ID: "71", Quantity: 2, Price: total}}},
		Inventory:  &schemas.Inventory{Available: &count},
		Extensions: map[string]string{"a.b": "c"}}
}

// TestView holds the compiled view to one that is made by walking the value.
func TestView(t *testing.T) {
	t.Parallel()
	full := viewed(t)
	full.Payment, full.Refund = &schemas.Payment{ID: "p", Amount: full.Order.Total}, &schemas.Refund{ID: "r"}
	full.Order.ShippingAddress = &schemas.Address{City: "Wien"}
	for _, ev := range []*schemas.Event{{}, viewed(t), full} {
		want := walked(reflect.ValueOf(*ev)).(map[string]any)
		delete(want, "sealed")
		delete(want, "sealed_says")
		env := map[string]any{"day": ev.Time.UTC().Format(time.DateOnly)}
		for name, v := range want {
			if _, part := v.(map[string]any); !part || name == "extensions" {
				env[name] = v
				delete(want, name)
			}
		}
		want["event"], want["reference"], want["facts"] = env, "key", (*FactSet)(nil).view()
		if d := cmp.Diff(want, View(ev, "key")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// walked is the view of a value, with no plan made before.
func walked(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return nil
		}
		return x.UTC().Format(time.RFC3339Nano)
	case schemas.Money:
		if x.Currency == "" {
			return map[string]any{"amount": nil, "currency": nil}
		}
		amount, currency, _ := strings.Cut(x.String(), " ")
		return map[string]any{"amount": amount, "currency": currency}
	case string, schemas.EventID, schemas.EventType, schemas.System, schemas.Field:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case int64:
		return x
	case schemas.FieldSet:
		return nil
	case *int64:
		if x == nil {
			return nil
		}
		return *x
	case map[string]string:
		out := map[string]any{}
		for k, text := range x {
			out[k] = text
		}
		return out
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return walked(reflect.Zero(v.Type().Elem()))
		}
		return walked(v.Elem())
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = walked(v.Index(i))
		}
		return out
	}
	out := map[string]any{}
	for i := range v.NumField() {
		out[snake(v.Type().Field(i).Name)] = walked(v.Field(i))
	}
	return out
}

// TestViewHasEveryName: a name that the compiler lets pass is there in every view, be it as nil.
func TestViewHasEveryName(t *testing.T) {
	t.Parallel()
	view := View(&schemas.Event{}, "")
	for _, name := range ViewNames() {
		var at any = view
		for part := range strings.SplitSeq(name, ".") {
			m, ok := at.(map[string]any)
			if !ok {
				t.Errorf("%s: above %s stands %T", name, part, at)
				break
			}
			if at, ok = m[part]; !ok && !strings.HasPrefix(part, "[[") { // any key of extensions
				t.Errorf("the view has no %s", name)
				break
			}
		}
	}
}

// TestAbsentPartsStayAsTheyAre: all views share them.
func TestAbsentPartsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	before, err := ViewJSON(&schemas.Event{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var m Mapping
	for _, src := range []string{"payment", "order", "payment.amount", "order.shipping_address"} {
		p, err := compile(src)
		if err != nil {
			t.Fatal(err)
		}
		m.members = append(m.members, member{name: src, program: p})
	}
	for range 3 {
		if _, err := m.Eval(ScopeOf(&schemas.Event{}, ""), nil); err != nil {
			t.Fatal(err)
		}
	}
	after, err := ViewJSON(&schemas.Event{}, "")
	if err != nil || string(before) != string(after) {
		t.Errorf("%s became %s, %v", before, after, err)
	}
}

// TestActsOn holds the quick question to the list that it is about.
func TestActsOn(t *testing.T) {
	t.Parallel()
	topo, err := LoadForReading(Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for i := range topo.Integrations {
		in := &topo.Integrations[i]
		for _, et := range append([]schemas.EventType{RefundFull, "", "no.type"}, schemas.EventTypes...) {
			if want := slices.Contains(in.Subscribes(), et); in.ActsOn(et) != want {
				t.Errorf("%s acts on %s: %v", in.Name, et, !want)
			}
		}
	}
}

func BenchmarkView(b *testing.B) {
	ev := viewed(b)
	b.ReportAllocs()
	for b.Loop() {
		View(ev, "key")
	}
}
