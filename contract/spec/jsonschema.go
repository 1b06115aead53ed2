package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// draft is the dialect of the JSON Schemas.
const draft = "https://json-schema.org/draft/2020-12/schema"

// Names lists the schemas that subscribers read, by the names of the Avro files.
func Names() []string {
	var out []string
	for _, c := range channels {
		out = append(out, c.schema)
	}
	return out
}

// JSONSchema is the JSON Schema (draft 2020-12) of one of Names, indented: what a value is once it is decoded. Decimals are
// texts with a pattern, times RFC 3339, bytes base64. A field that has a default in Avro may be null or missing; fields that are not
// named may come in later versions. An unknown name is an error.
func JSONSchema(name string) ([]byte, error) {
	text := schemas.SchemaText(name)
	if text == "" || !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no topic for subscribers has a schema called %q: there are %s", name, strings.Join(Names(), ", "))
	}
	var root map[string]any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	c := converter{defs: map[string]any{}}
	top, err := c.define(root)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	out := c.defs[top].(map[string]any)
	delete(c.defs, top)
	out["$schema"], out["$id"] = draft, "urn:seam:schema:"+name
	if len(c.defs) > 0 {
		out["$defs"] = c.defs
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(out)
	return b.Bytes(), err
}

// converter makes JSON Schema of Avro.
type converter struct{ defs map[string]any }

// define adds a record or an enumeration to the definitions and gives its name there.
func (c *converter) define(avro map[string]any) (string, error) {
	name, _ := avro["name"].(string)
	name = name[strings.LastIndexByte(name, '.')+1:]
	if c.defs[name] != nil {
		return name, nil
	}
	out := map[string]any{"title": name}
	c.defs[name] = out // before its fields, which may be of its own type
	if doc, ok := avro["doc"].(string); ok {
		out["description"] = doc
	}
	if avro["type"] == "enum" {
		out["type"], out["enum"] = "string", avro["symbols"]
		return name, nil
	}
	out["type"] = "object"
	properties, required := map[string]any{}, []string{}
	fields, _ := avro["fields"].([]any)
	for _, f := range fields {
		field, _ := f.(map[string]any)
		key, _ := field["name"].(string)
		s, err := c.value(field["type"])
		if err != nil {
			return name, fmt.Errorf("%s.%s: %w", name, key, err)
		}
		if doc, ok := field["doc"].(string); ok {
			s["description"] = doc
		}
		if field["pii"] == true {
			s["x-pii"] = true
		}
		if _, ok := field["default"]; !ok {
			required = append(required, key)
		}
		properties[key] = s
	}
	out["properties"] = properties
	if len(required) > 0 {
		out["required"] = required
	}
	return name, nil
}

// value is the schema of a type.
func (c *converter) value(avro any) (map[string]any, error) {
	switch t := avro.(type) {
	case string:
		return c.named(t)
	case []any:
		return c.union(t)
	case map[string]any:
		return c.object(t)
	}
	return nil, fmt.Errorf("%T is no Avro type", avro)
}

func (c *converter) named(name string) (map[string]any, error) {
	switch name {
	case "null", "boolean", "string":
		return map[string]any{"type": name}, nil
	case "int", "long":
		return map[string]any{"type": "integer"}, nil
	case "float", "double":
		return map[string]any{"type": "number"}, nil
	case "bytes":
		return map[string]any{"type": "string", "contentEncoding": "base64"}, nil
	}
	if short := name[strings.LastIndexByte(name, '.')+1:]; c.defs[short] != nil {
		return ref(short), nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func (c *converter) union(branches []any) (map[string]any, error) {
	var list []any
	for _, b := range branches {
		s, err := c.value(b)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(list) == 2 {
		null, _ := list[0].(map[string]any)
		other, _ := list[1].(map[string]any)
		if kind, ok := other["type"].(string); ok && null["type"] == "null" { // shorter than anyOf
			other["type"] = []string{kind, "null"}
			return other, nil
		}
	}
	return map[string]any{"anyOf": list}, nil
}

func (c *converter) object(t map[string]any) (map[string]any, error) {
	switch t["type"] {
	case "record", "enum":
		name, err := c.define(t)
		return ref(name), err
	case "array":
		items, err := c.value(t["items"])
		return map[string]any{"type": "array", "items": items}, err
	case "map":
		values, err := c.value(t["values"])
		return map[string]any{"type": "object", "additionalProperties": values}, err
	}
	switch t["logicalType"] {
	case "decimal":
		precision, _ := t["precision"].(float64)
		scale, _ := t["scale"].(float64)
		return map[string]any{"type": "string", "pattern": fmt.Sprintf(`^-?[0-9]{1,%d}(\.[0-9]{1,%d})?$`, int(precision-scale), int(scale))}, nil
	case "timestamp-micros", "timestamp-millis":
		return map[string]any{"type": "string", "format": "date-time"}, nil
	}
	return c.value(t["type"])
}
