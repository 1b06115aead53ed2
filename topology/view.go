package topology

import (
	"encoding/json"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"

	"github.com/binaryandbeyond/seam/schemas"
)

// View is what expressions see of an event: the model's parts in snake_case, absent texts and parts as nil, money as
// {amount: "12.50", currency: "EUR"}, times as RFC 3339 text in UTC; plus reference, the stable key of the operation, and
// facts, which only a call has (see FactSet). It is
// only to be read: absent parts are shared by all views.
func View(ev *schemas.Event, reference string) map[string]any {
	out := make(map[string]any, len(partNames)+1)
	out[factsRoot] = (*FactSet)(nil).view()
	for _, name := range partNames {
		out[name], _ = part(ev, reference, name)
	}
	return out
}

// part is one part of a view; false for a name that no view has.
func part(ev *schemas.Event, reference, name string) (any, bool) {
	v := reflect.ValueOf(ev).Elem()
	switch name {
	case "reference":
		return reference, true
	case "event":
		env := make(map[string]any, len(eventView))
		for _, f := range eventView {
			if !f.part {
				env[f.name] = f.view(v.Field(f.index))
			}
		}
		env["day"] = ev.Time.UTC().Format(time.DateOnly)
		return env, true
	}
	for _, f := range eventView {
		if f.part && f.name == name {
			return f.view(v.Field(f.index)), true
		}
	}
	return nil, false
}

// ViewJSON is the view as indented JSON, for people who write mappings.
func ViewJSON(ev *schemas.Event, reference string) ([]byte, error) {
	return json.MarshalIndent(prune(View(ev, reference)), "", "  ")
}

var (
	moneyType = reflect.TypeOf(schemas.Money{})
	timeType  = reflect.TypeOf(time.Time{})
)

// sealedType tells the fields of an event that are of its sealed part, which no expression reads.
func sealedType(t reflect.Type) bool {
	return t == reflect.TypeFor[[]byte]() || t == reflect.TypeFor[schemas.FieldSet]()
}

// viewer turns a model value into the natives that expressions and JSON see.
type viewer func(reflect.Value) any

// viewField is one field of a struct of the model.
type viewField struct {
	name  string
	index int
	part  bool // a struct: of an event, one of its parts
	view  viewer
}

// eventView is how an event is viewed, compiled once.
var eventView = viewFields(reflect.TypeFor[schemas.Event]())

// partNames names every part of a view.
var partNames = func() []string {
	out := []string{"reference", "event"}
	for _, f := range eventView {
		if f.part {
			out = append(out, f.name)
		}
	}
	return out
}()

func viewFields(t reflect.Type) []viewField {
	var out []viewField
	for i := range t.NumField() {
		f := t.Field(i).Type
		if sealedType(f) {
			continue
		}
		out = append(out, viewField{snake(t.Field(i).Name), i, f.Kind() == reflect.Pointer && f.Elem().Kind() == reflect.Struct && f.Elem() != moneyType && f.Elem() != timeType, viewOf(f)})
	}
	return out
}

// viewOf compiles the viewer of a type.
func viewOf(t reflect.Type) viewer {
	switch t {
	case timeType:
		return viewTime
	case moneyType:
		return viewMoney
	}
	switch t.Kind() {
	case reflect.Pointer:
		return viewPointer(t.Elem())
	case reflect.Struct:
		fields := viewFields(t)
		return func(v reflect.Value) any {
			out := make(map[string]any, len(fields))
			for _, f := range fields {
				out[f.name] = f.view(v.Field(f.index))
			}
			return out
		}
	case reflect.Slice:
		item := viewOf(t.Elem())
		return func(v reflect.Value) any {
			out := make([]any, v.Len())
			for i := range out {
				out[i] = item(v.Index(i))
			}
			return out
		}
	case reflect.Map:
		return func(v reflect.Value) any {
			out := make(map[string]any, v.Len())
			for iter := v.MapRange(); iter.Next(); {
				out[iter.Key().String()] = iter.Value().String()
			}
			return out
		}
	case reflect.String:
		return func(v reflect.Value) any {
			if v.Len() == 0 {
				return nil
			}
			return v.String()
		}
	case reflect.Int64:
		return func(v reflect.Value) any { return v.Int() }
	}
	panic("no view of " + t.String())
}

// viewPointer views what is pointed to; for nil it is what an empty one shows, made once, and nil for a count: an unknown
// one is not 0.
func viewPointer(t reflect.Type) viewer {
	view := viewOf(t)
	var none any
	if t.Kind() != reflect.Int64 {
		none = view(reflect.New(t).Elem())
	}
	return func(v reflect.Value) any {
		if v.IsNil() {
			return none
		}
		return view(v.Elem())
	}
}

func viewTime(v reflect.Value) any {
	if t := v.Addr().Interface().(*time.Time); !t.IsZero() {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return nil
}

func viewMoney(v reflect.Value) any {
	m := v.Addr().Interface().(*schemas.Money)
	if m.Currency == "" {
		return map[string]any{"amount": nil, "currency": nil}
	}
	amount, _, _ := strings.Cut(m.String(), " ")
	return map[string]any{"amount": amount, "currency": m.Currency}
}

// viewTypes is the static type of View's result, so that the compiler knows every name.
var viewTypes = func() types.Map {
	all := typeOf(reflect.TypeOf(schemas.Event{})).(types.Map)
	out, env := types.Map{"reference": types.String}, types.Map{"day": types.String}
	for k, t := range all {
		if m, part := t.(types.Map); part && k != "extensions" {
			out[k] = m
		} else {
			env[k] = t
		}
	}
	out["event"] = env
	out[factsRoot] = factsType
	return out
}()

// typeOf mirrors viewOf.
func typeOf(t reflect.Type) types.Type {
	switch t {
	case timeType:
		return types.String
	case moneyType:
		return types.Map{"amount": types.String, "currency": types.String}
	}
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Int64 {
			return types.Int64
		}
		return typeOf(t.Elem())
	case reflect.Struct:
		m := types.Map{}
		for i := range t.NumField() {
			if f := t.Field(i); !sealedType(f.Type) {
				m[snake(f.Name)] = typeOf(f.Type)
			}
		}
		return m
	case reflect.Slice:
		return types.Array(typeOf(t.Elem()))
	case reflect.Map:
		return types.Map{types.Extra: types.String}
	case reflect.Int64:
		return types.Int64
	}
	return types.String
}

// snake is the member name of a Go field: BillingAddress is billing_address, SKU is sku, FactsAt is facts_at.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && (s[i-1] < 'A' || s[i-1] > 'Z' || i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z') {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// ViewNames lists every dotted name that an expression may use, sorted; docs are made from it.
func ViewNames() []string {
	var out []string
	var walk func(prefix string, t types.Type)
	walk = func(prefix string, t types.Type) {
		m, ok := t.(types.Map)
		if !ok {
			out = append(out, prefix)
			return
		}
		for k, e := range m {
			switch {
			case k == types.Extra: // any name
				out = append(out, prefix)
			case prefix == "":
				walk(k, e)
			default:
				walk(prefix+"."+k, e)
			}
		}
	}
	walk("", viewTypes)
	sort.Strings(out)
	return out
}
