package topology

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// unsendable tells which members of a body, and which part of an address, are made of a field that nobody owns: it is never
// sent to anybody, so that a member would always be empty and an address could never be made.
func (l *loader) unsendable(t *Topology, file, at string, r *Route) {
	l.unsendableMembers(t, file, at+".body", &r.Body)
	if r.HTTP == nil {
		return
	}
	if address, err := ParseTemplate(r.HTTP.URL); err == nil { // else it is a fault already
		for _, p := range address.programs {
			if field := nobodys(t, p); field != "" {
				l.at(file, at+".http.url", "{%s} is always empty: %s", p.source, mendUnowned(field))
			}
		}
	}
}

func (l *loader) unsendableMembers(t *Topology, file, at string, m *Mapping) {
	for i := range m.members {
		mem := &m.members[i]
		if mem.nested != nil {
			l.unsendableMembers(t, file, at+"."+mem.name, mem.nested)
		} else if field := nobodys(t, mem.program); field != "" {
			l.at(file, at+"."+mem.name, "body member %s uses %s and is never sent: %s", mem.name, field, mendUnowned(field))
		}
	}
}

func mendUnowned(field schemas.Field) string {
	return fmt.Sprintf("ownership.yaml gives %s no owner; give it one, or take this out", field)
}

// nobodys is a field of those an expression reads that nobody owns; empty where there is none, or the expression did not compile.
func nobodys(t *Topology, e *expression) schemas.Field {
	if e == nil {
		return ""
	}
	for _, path := range pathsOf(e) {
		for _, field := range fieldsAt(path) {
			if _, owned := t.Ownership[field]; !owned {
				return field
			}
		}
	}
	return ""
}

// pathsOf lists the dotted names that an expression reads: order.total, customer.first_name.
func pathsOf(e *expression) []string {
	node := e.program.Node()
	found := &paths{}
	ast.Walk(&node, found)
	return found.list
}

// paths collects chains of members that begin at a part. Walk comes to a chain's inner members before its outer ones.
type paths struct{ list []string }

// Visit takes note of one node.
func (p *paths) Visit(node *ast.Node) {
	member, ok := (*node).(*ast.MemberNode)
	if !ok {
		return
	}
	path, ok := chain(member)
	if !ok {
		return
	}
	if i := slices.Index(p.list, path[:strings.LastIndexByte(path, '.')]); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1) // the longer chain says more
	}
	p.list = append(p.list, path)
}

// chain is "order.total.amount" of such a member; false for all else.
func chain(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		name, isName := n.Property.(*ast.StringNode)
		before, ok := chain(n.Node)
		if isName && ok {
			return before + "." + name.Value, true
		}
	case *ast.ChainNode:
		return chain(n.Node)
	}
	return "", false
}

// fieldsAt is the one field that everything at a path of the view belongs to; none where several do, or what belongs to no field.
func fieldsAt(path string) []schemas.Field {
	var out []schemas.Field
	for leaf, field := range leaves() {
		if leaf == path || strings.HasPrefix(leaf, path+".") {
			if field == "" {
				return nil
			}
			if !slices.Contains(out, field) {
				out = append(out, field)
			}
		}
	}
	if len(out) != 1 {
		return nil
	}
	return out
}

// leaves says for each name of the view which field it goes with; empty for what goes with its event. It is found out by taking
// each field out of an event that says everything.
var leaves = sync.OnceValue(func() map[string]schemas.Field {
	whole := &schemas.Event{}
	saying(reflect.ValueOf(whole).Elem())
	full, out := View(whole, ""), map[string]schemas.Field{}
	for _, name := range ViewNames() {
		if part, _, _ := strings.Cut(name, "."); part != "event" && part != "reference" {
			out[name] = ""
		}
	}
	for _, field := range schemas.Fields() {
		less := View(schemas.Without(whole, schemas.SetOf(field)), "")
		for name := range out {
			if !empty(lookup(full, name)) && empty(lookup(less, name)) {
				out[name] = field
			}
		}
	}
	return out
})

func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

// lookup is the value at a path of a view.
func lookup(view map[string]any, path string) any {
	var at any = view
	for name := range strings.SplitSeq(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[name]
	}
	return at
}

// saying fills a value so that nothing of it is unsaid; lists get one item.
func saying(v reflect.Value) {
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
	case v.Type() == moneyType:
		v.Set(reflect.ValueOf(schemas.Money{Amount: decimal.New(1, 0), Currency: "EUR"}))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		saying(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			saying(v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		saying(v.Index(0))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Int64:
		v.SetInt(1)
	}
}
