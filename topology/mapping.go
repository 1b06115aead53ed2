package topology

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"
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
			v, err = eval(mem.program, view)
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
		v, err := eval(t.programs[i], view)
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

// machines are the memories of expressions at work, each used by one at a time.
var machines = sync.Pool{New: func() any { return new(vm.VM) }}

// eval runs a compiled expression.
func eval(p *vm.Program, view map[string]any) (any, error) {
	m := machines.Get().(*vm.VM)
	defer machines.Put(m)
	return m.Run(p, view)
}
