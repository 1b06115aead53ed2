package topology

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/binaryandbeyond/seam/schemas"
)

// Scope is an event as expressions see it. Its view (see View) is made only as far as an expression asks for it. It is not
// safe for concurrent use.
type Scope struct {
	event     *schemas.Event
	reference string
	facts     *FactSet       // nil for none
	view      map[string]any // the parts made so far
}

// ScopeOf is the scope of an event; reference is the stable key of the operation.
func ScopeOf(ev *schemas.Event, reference string) *Scope {
	return &Scope{event: ev, reference: reference}
}

// WithFacts lets expressions see facts, as facts.
func (s *Scope) WithFacts(f *FactSet) *Scope {
	s.facts = f
	return s
}

// expression is a compiled expression over a Scope.
type expression struct {
	source  string
	get     func(*Scope) any // of a plain path, such as order.total; nil for all else
	program *vm.Program
	roots   []string // parts of the view that program reads
}

// plain is a path that needs no machine.
var plain = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// compile type-checks an expression against the view of an event, so that a misspelt field is a fault of the file.
func compile(src string) (*expression, error) {
	p, err := expr.Compile(src, expr.Env(viewTypes))
	if err != nil {
		text := strings.ReplaceAll(strings.SplitN(err.Error(), "\n", 2)[0], "unknown name", "the event has no")
		return nil, fmt.Errorf("expression %q: %s", src, text)
	}
	e := &expression{source: strings.TrimSpace(src), program: p}
	if plain.MatchString(e.source) {
		e.get = getter(strings.Split(e.source, "."))
	}
	e.roots = rootsOf(p)
	return e, nil
}

// rootsOf lists the parts of the view that a program reads: all of them where it reads the view as a whole.
func rootsOf(p *vm.Program) []string {
	node := p.Node()
	found := &identifiers{}
	ast.Walk(&node, found)
	if found.env {
		return partNames
	}
	return found.names
}

// identifiers collects the names of parts in an expression.
type identifiers struct {
	names []string
	env   bool // $env is the whole view
}

// Visit takes note of one node.
func (f *identifiers) Visit(node *ast.Node) {
	id, ok := (*node).(*ast.IdentifierNode)
	switch {
	case !ok:
	case id.Value == "$env":
		f.env = true
	case !slices.Contains(f.names, id.Value):
		f.names = append(f.names, id.Value)
	}
}

// getter is how the value at a path of the view is had without making the view; nil where that needs it.
func getter(names []string) func(*Scope) any {
	if names[0] == "reference" && len(names) == 1 {
		return func(s *Scope) any { return s.reference }
	}
	if names[0] == "event" {
		if names = names[1:]; len(names) == 0 || names[0] == "day" {
			return nil
		}
	} else if i := slices.IndexFunc(eventView, func(f viewField) bool { return f.name == names[0] }); i < 0 || !eventView[i].part {
		return nil
	}
	get := reach(reflect.TypeFor[schemas.Event](), names)
	if get == nil {
		return nil
	}
	return func(s *Scope) any { return get(reflect.ValueOf(s.event).Elem()) }
}

// reach is the viewer of what lies at a path within values of a type; nil where no struct leads there.
func reach(t reflect.Type, names []string) viewer {
	if len(names) == 0 {
		return viewOf(t)
	}
	switch {
	case t == moneyType:
		return func(v reflect.Value) any { return viewMoney(v).(map[string]any)[names[0]] }
	case t.Kind() == reflect.Pointer:
		inner := reach(t.Elem(), names)
		if inner == nil {
			return nil
		}
		none := inner(reflect.New(t.Elem()).Elem())
		return func(v reflect.Value) any {
			if v.IsNil() {
				return none
			}
			return inner(v.Elem())
		}
	case t.Kind() == reflect.Struct && t != timeType:
		for i := range t.NumField() {
			if snake(t.Field(i).Name) != names[0] {
				continue
			}
			inner := reach(t.Field(i).Type, names[1:])
			if inner == nil {
				return nil
			}
			return func(v reflect.Value) any { return inner(v.Field(i)) }
		}
	}
	return nil
}

// machines are the memories of expressions at work, each used by one at a time.
var machines = sync.Pool{New: func() any { return new(vm.VM) }}

// eval is the expression's value.
func (e *expression) eval(s *Scope) (any, error) {
	if e.get != nil {
		return e.get(s), nil
	}
	m := machines.Get().(*vm.VM)
	defer machines.Put(m)
	return m.Run(e.program, s.parts(e.roots))
}

// parts is the view with the named parts in it.
func (s *Scope) parts(names []string) map[string]any {
	if s.view == nil {
		s.view = map[string]any{}
	}
	for _, name := range names {
		if _, ok := s.view[name]; !ok {
			if name == factsRoot {
				s.view[name] = s.facts.view()
			} else if v, ok := part(s.event, s.reference, name); ok {
				s.view[name] = v
			}
		}
	}
	return s.view
}
