package topology

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Mapping is a request body: JSON members, each an expression (github.com/expr-lang/expr) over the event's view, compiled
// and type-checked when the file is read. A member whose value is nil is left out. The zero Mapping has no members.
type Mapping struct {
	members []member
	sorted  []int // the members' places, by name
}

type member struct {
	name    string
	program *expression // nil where nested is set
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
	m.sorted = make([]int, len(m.members))
	for i := range m.sorted {
		m.sorted[i] = i
	}
	slices.SortStableFunc(m.sorted, func(a, b int) int { return strings.Compare(m.members[a].name, m.members[b].name) })
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

// names tells whether an expression of the body names a part of the view.
func (m Mapping) names(root string) bool {
	return slices.ContainsFunc(m.members, func(mem member) bool {
		return mem.nested != nil && mem.nested.names(root) || mem.program != nil && slices.Contains(mem.program.roots, root)
	})
}

// Eval is the body for a scope: a map of the members whose value is not nil. A required one without a value is an
// EmptyMemberError.
func (m Mapping) Eval(s *Scope, required []string) (map[string]any, error) {
	out := make(map[string]any, len(m.members))
	for _, mem := range m.members {
		v, err := mem.eval(s)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[mem.name] = v
		}
	}
	for _, name := range required {
		if out[name] == nil {
			return nil, &EmptyMemberError{name}
		}
	}
	return out, nil
}

// eval is a member's value; nil when there is none.
func (mem *member) eval(s *Scope) (any, error) {
	if mem.nested != nil {
		nested, err := mem.nested.Eval(s, nil)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", mem.name, err)
		}
		return prune(nested), nil
	}
	v, err := mem.program.eval(s)
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", mem.name, err)
	}
	return prune(v), nil
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
	programs []*expression
}

// names tells whether an expression of the text names a part of the view.
func (t *Template) names(root string) bool {
	return slices.ContainsFunc(t.programs, func(e *expression) bool { return slices.Contains(e.roots, root) })
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
func (t *Template) Eval(s *Scope) (string, error) {
	if len(t.programs) == 0 {
		return t.literals[0], nil
	}
	var b strings.Builder
	for i, lit := range t.literals {
		b.WriteString(lit)
		if i == len(t.programs) {
			break
		}
		v, err := t.programs[i].eval(s)
		if err != nil {
			return "", err
		}
		if v = prune(v); v == nil {
			return "", fmt.Errorf("{%s} is empty for this event", t.programs[i].source)
		}
		text, ok := v.(string)
		if !ok {
			text = fmt.Sprint(v)
		}
		b.WriteString(url.PathEscape(text))
	}
	return b.String(), nil
}
