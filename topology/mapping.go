package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
)

// Mapping is a request body: JSON members, each an expression (github.com/expr-lang/expr) over the event's view, compiled
// and type-checked when the file is read. A member whose value is nil is left out. The zero Mapping has no members.
type Mapping struct {
	members []member
}

type member struct {
	name    string
	program *vm.Program // nil where nested is set
	nested  *Mapping
}

// UnmarshalYAML compiles every expression; each that does not compile is a fault at its line.
func (m *Mapping) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fault(n, "body must map members to expressions")
	}
	var faults []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		mem := member{name: key.Value}
		if value.Kind == yaml.MappingNode {
			mem.nested = new(Mapping)
			var nested *yaml.TypeError
			if errors.As(mem.nested.UnmarshalYAML(value), &nested) {
				faults = append(faults, nested.Errors...)
			}
		} else {
			p, err := compile(value.Value)
			if err != nil {
				faults = append(faults, fmt.Sprintf("line %d: body member %s: %v", value.Line, key.Value, err))
			}
			mem.program = p
		}
		m.members = append(m.members, mem)
	}
	if faults != nil {
		return &yaml.TypeError{Errors: faults}
	}
	return nil
}

// Names lists the top members in the file's order.
func (m Mapping) Names() []string {
	out := make([]string, len(m.members))
	for i, mem := range m.members {
		out[i] = mem.name
	}
	return out
}

// Eval is the body for a view (see View): a map of the members whose value is not nil.
func (m Mapping) Eval(view map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(m.members))
	for _, mem := range m.members {
		var v any
		var err error
		if mem.nested != nil {
			var nested map[string]any
			if nested, err = mem.nested.Eval(view); len(nested) > 0 {
				v = nested
			}
		} else {
			v, err = expr.Run(mem.program, view)
		}
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", mem.name, err)
		}
		if v = prune(v); v != nil {
			out[mem.name] = v
		}
	}
	return out, nil
}

// prune takes nil members out of maps and gives nil for a map that has none left.
func prune(v any) any {
	switch t := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			if e = prune(e); e != nil {
				out[k] = e
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = prune(e)
		}
		return out
	case string:
		if t == "" {
			return nil
		}
	}
	return v
}

// Template is a text with {expressions}, each value escaped as one path segment of a URL.
type Template struct {
	literals []string // one more than programs
	programs []*vm.Program
}

// ParseTemplate compiles a text; its braces must pair.
func ParseTemplate(s string) (*Template, error) {
	t := &Template{}
	for {
		before, rest, found := strings.Cut(s, "{")
		t.literals = append(t.literals, before)
		if !found {
			return t, nil
		}
		src, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("%q has no closing brace", s)
		}
		p, err := compile(src)
		if err != nil {
			return nil, err
		}
		t.programs = append(t.programs, p)
		s = after
	}
}

// Eval fills the template; a nil value is an error, as the address would be another.
func (t *Template) Eval(view map[string]any) (string, error) {
	var b strings.Builder
	for i, lit := range t.literals {
		b.WriteString(lit)
		if i == len(t.programs) {
			break
		}
		v, err := expr.Run(t.programs[i], view)
		if err != nil {
			return "", err
		}
		if v = prune(v); v == nil {
			return "", fmt.Errorf("{%s} is empty for this event", t.programs[i].Source().String())
		}
		b.WriteString(url.PathEscape(fmt.Sprint(v)))
	}
	return b.String(), nil
}

// compile type-checks an expression against the view of an event, so that a misspelt field is a fault of the file.
func compile(src string) (*vm.Program, error) {
	p, err := expr.Compile(src, expr.Env(viewTypes))
	if err != nil {
		text := strings.ReplaceAll(strings.SplitN(err.Error(), "\n", 2)[0], "unknown name", "the event has no")
		return nil, fmt.Errorf("expression %q: %s", src, text)
	}
	return p, nil
}

// View is what expressions see of an event: the model's parts in snake_case, absent texts and parts as nil, money as
// {amount: "12.50", currency: "EUR"}, times as RFC 3339 text in UTC; plus reference, the stable key of the operation.
func View(ev *schemas.Event, reference string) map[string]any {
	v := viewValue(reflect.ValueOf(*ev)).(map[string]any)
	out := make(map[string]any, len(v)+2)
	env := make(map[string]any)
	for k, e := range v {
		if _, part := e.(map[string]any); part && k != "extensions" {
			out[k] = e
		} else {
			env[k] = e
		}
	}
	env["day"] = ev.Time.UTC().Format(time.DateOnly)
	out["event"] = env
	out["reference"] = reference
	return out
}

// ViewJSON is the view as indented JSON, for people who write mappings.
func ViewJSON(ev *schemas.Event, reference string) ([]byte, error) {
	return json.MarshalIndent(prune(View(ev, reference)), "", "  ")
}

var (
	moneyType = reflect.TypeOf(schemas.Money{})
	timeType  = reflect.TypeOf(time.Time{})
)

// viewValue turns a model value into the natives that expressions and JSON see.
func viewValue(v reflect.Value) any {
	switch v.Type() {
	case timeType:
		if t := v.Interface().(time.Time); !t.IsZero() {
			return t.UTC().Format(time.RFC3339Nano)
		}
		return nil
	case moneyType:
		m := v.Interface().(schemas.Money)
		if m.Currency == "" {
			return map[string]any{"amount": nil, "currency": nil}
		}
		amount, _, _ := strings.Cut(m.String(), " ")
		return map[string]any{"amount": amount, "currency": m.Currency}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() && v.Type().Elem().Kind() == reflect.Int64 {
			return nil // an unknown count is not 0
		}
		if v.IsNil() {
			return viewValue(reflect.Zero(v.Type().Elem()))
		}
		return viewValue(v.Elem())
	case reflect.Struct:
		out := make(map[string]any, v.NumField())
		for i := range v.NumField() {
			out[snake(v.Type().Field(i).Name)] = viewValue(v.Field(i))
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range v.Len() {
			out[i] = viewValue(v.Index(i))
		}
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			out[k.String()] = v.MapIndex(k).String()
		}
		return out
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case reflect.Int64:
		return v.Int()
	}
	panic("no view of " + v.Type().String())
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
	return out
}()

// typeOf mirrors viewValue.
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
			m[snake(t.Field(i).Name)] = typeOf(t.Field(i).Type)
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
			name, _ := k, e
			if prefix != "" {
				name = prefix + "." + k
			}
			walk(name, e)
		}
	}
	walk("", viewTypes)
	sort.Strings(out)
	return out
}
