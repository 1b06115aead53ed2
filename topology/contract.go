package topology

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Contract is the shape of what a source sends and an integration answers, as a person accepted it: contracts/<name>.yaml.
// There need be none; seam contract NAME --write makes it from what was seen.
type Contract struct {
	Name string `yaml:"name"` // of a source, an integration, or both
	// Source is what the source of that name sends, by the platform's topic or the event type.
	Source map[string]Shape `yaml:"source"`
	// Integration is what the integration of that name answers when it says yes, by RouteName.
	Integration map[string]Shape `yaml:"integration"`
	Mark        string           `yaml:"-"`
}

// Shape is what documents look like, by path: "line_items[].price". A name that is data, such as an id, is "*".
type Shape map[string]ShapeRule

// ShapeRule is what is expected at one path. In YAML it is its type: string, number, boolean, object or array, several of them
// with | between, any, and a ? behind them where it may be missing or null; or {type: "string?", values: [paid, pending]}.
type ShapeRule struct {
	Types    []string // sorted; empty: any
	Optional bool
	Values   []string // the only texts it may be; nil: any
}

// The sides of a contract.
const (
	SideSource      = "source"
	SideIntegration = "integration"
)

var shapeTypes = []string{"array", "boolean", "number", "object", "string"}

// UnmarshalYAML reads either form.
func (r *ShapeRule) UnmarshalYAML(n *yaml.Node) error {
	text := n.Value
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch key, v := n.Content[i], n.Content[i+1]; key.Value {
			case "type":
				text = v.Value
			case "values":
				if err := v.Decode(&r.Values); err != nil {
					return err
				}
				slices.Sort(r.Values)
			default:
				return fault(key, "%q is no key of a shape: type, values", key.Value)
			}
		}
	}
	text, r.Optional = strings.CutSuffix(text, "?")
	if text == "any" {
		return nil
	}
	r.Types = strings.Split(text, "|")
	slices.Sort(r.Types)
	for _, t := range r.Types {
		if !slices.Contains(shapeTypes, t) {
			return fault(n, "%q is no type of JSON: any, or some of %s with | between, and ? where it may be missing or null", t, strings.Join(shapeTypes, ", "))
		}
	}
	if r.Values != nil && !slices.Contains(r.Types, "string") {
		return fault(n, "values are of a string, and type says %q", text)
	}
	return nil
}

// Text is the type as the file has it: "string|number?".
func (r ShapeRule) Text() string {
	text := strings.Join(r.Types, "|")
	if text == "" {
		text = "any"
	}
	if r.Optional {
		text += "?"
	}
	return text
}

// RouteName tells a route from the others of its integration: its operation, and with that of several routes the first type it
// acts on too.
func RouteName(in *Integration, r *Route) string {
	for i := range in.Deliver {
		if other := &in.Deliver[i]; other != r && other.Operation == r.Operation && len(r.On) > 0 {
			return r.Operation + " " + string(r.On[0])
		}
	}
	return r.Operation
}

// Declared is what a person accepted of a topic of a source, or a route of an integration; false where no file says.
func (t *Topology) Declared(side, name, topic string) (Shape, bool) {
	for i := range t.Contracts {
		c := &t.Contracts[i]
		if c.Name != name {
			continue
		}
		shapes := c.Source
		if side == SideIntegration {
			shapes = c.Integration
		}
		s, ok := shapes[topic]
		return s, ok
	}
	return nil, false
}

// contracts reads contracts/*.yaml, of which there need be none.
func (l *loader) contracts(t *Topology) {
	for _, file := range l.list("contracts") {
		c := Contract{Mark: file + ":1"}
		l.file(file, &c)
		t.Contracts = append(t.Contracts, c)
		if want := strings.TrimSuffix(path.Base(file), ".yaml"); c.Name != want {
			l.at(file, "name", "name is %q: it must be the file's name, %q", c.Name, want)
			continue
		}
		if c.Source != nil && t.Source(c.Name) == nil {
			l.at(file, "source", "no source is called %s: take the section away, or name the file after a source", c.Name)
		}
		in := t.Integration(c.Name)
		if c.Integration == nil {
			continue
		}
		if in == nil {
			l.at(file, "integration", "no integration is called %s: take the section away, or name the file after an integration", c.Name)
			continue
		}
		var routes []string
		for i := range in.Deliver {
			routes = append(routes, RouteName(in, &in.Deliver[i]))
		}
		for name := range c.Integration {
			if !slices.Contains(routes, name) {
				l.at(file, "integration."+name, "%s has no route %q: it has %s", c.Name, name, strings.Join(routes, ", "))
			}
		}
	}
}
