package trial

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Defaults are what an event in a file need not say of itself.
type Defaults struct {
	System schemas.System // whose word it is
	ID     string         // of the event
}

// ParseEvents reads Seam's own event JSON (docs/integrations.md): one object, an array of them, or one after another. Beside
// what a webhook holds, an object may name its id and the system that speaks; d fills in what it does not say. received is our
// clock.
func ParseEvents(b []byte, d Defaults, received time.Time) ([]*schemas.Event, error) {
	var out []*schemas.Event
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	for n := 1; dec.More(); n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("document %d is not JSON: %w", n, err)
		}
		list := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, fmt.Errorf("document %d is not JSON: %w", n, err)
			}
		}
		for _, one := range list {
			each := d
			each.ID = fmt.Sprintf("%s-%d", d.ID, len(out)+1)
			ev, err := parseEvent(one, each, received)
			if err != nil {
				return nil, fmt.Errorf("event %d: %w", len(out)+1, err)
			}
			out = append(out, ev)
		}
	}
	if out == nil {
		return nil, errors.New("there is no event in it")
	}
	return out, nil
}

// parseEvent reads one object.
func parseEvent(b []byte, d Defaults, received time.Time) (*schemas.Event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, fmt.Errorf("an object was expected: %w", err)
	}
	own := false
	for name, into := range map[string]func(string){"id": func(s string) { d.ID, own = s, true }, "system": func(s string) { d.System = schemas.System(s) }} {
		if raw, ok := members[name]; ok {
			var text string
			if err := json.Unmarshal(raw, &text); err != nil || text == "" {
				return nil, fmt.Errorf("%s: a text was expected", name)
			}
			into(text)
			delete(members, name)
		}
	}
	if d.System == "" {
		return nil, errors.New("system: is missing: say whose word it is (shop, warehouse, ...)")
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	ev, err := producers.ParseEvent(&topology.Source{Name: "trial", System: d.System, Platform: topology.StandardWebhooks}, d.ID, body, received)
	if err == nil && own {
		ev.ID = schemas.EventID(d.ID)
	}
	return ev, err
}

// toJSON is a YAML value as JSON, its numbers and times as they are written.
func toJSON(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return toJSON(n.Alias)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := toJSON(c)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := toJSON(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[n.Content[i].Value] = v
		}
		return out, nil
	default:
		return scalar(n)
	}
}

// scalar is a YAML scalar as JSON has it.
func scalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strconv.ParseBool(n.Value)
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return nil, fmt.Errorf("line %d: number %s is not one of JSON: quote it to make it a text", n.Line, n.Value)
		}
		return json.Number(n.Value), nil
	default:
		return n.Value, nil
	}
}

// toYAML is a JSON value as YAML, with its numbers as they are written. Lists of leaves and small objects stand on one line.
func toYAML(v any) *yaml.Node {
	n := &yaml.Node{}
	switch t := v.(type) {
	case map[string]any:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, k := range sortedKeys(t) {
			n.Content = append(n.Content, textNode(k), toYAML(t[k]))
		}
		n.Style = flowIfSmall(n)
	case []any:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for _, item := range t {
			n.Content = append(n.Content, toYAML(item))
		}
		n.Style = flowIfSmall(n)
	case json.Number:
		n.Kind, n.Value, n.Tag = yaml.ScalarNode, t.String(), "!!int"
		if _, err := strconv.ParseInt(t.String(), 10, 64); err != nil {
			n.Tag = "!!float"
		}
	case bool:
		n.Kind, n.Value, n.Tag = yaml.ScalarNode, strconv.FormatBool(t), "!!bool"
	case nil:
		n.Kind, n.Value, n.Tag = yaml.ScalarNode, "null", "!!null"
	default:
		return textNode(fmt.Sprint(t))
	}
	return n
}

// flowIfSmall is the style of a list or object.
func flowIfSmall(n *yaml.Node) yaml.Style {
	size := 0
	for _, c := range n.Content {
		size += len(c.Value) + 4
		if c.Kind != yaml.ScalarNode {
			return 0
		}
	}
	if size > 100 {
		return 0
	}
	return yaml.FlowStyle
}

// textNode is a text, quoted where it would be read as something else.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	var back any
	if err := yaml.Unmarshal([]byte(s), &back); err != nil || back != any(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
