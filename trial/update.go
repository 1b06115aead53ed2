package trial

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Update is the file's text with the wants of its failing cases replaced by what they came to; nil when there is nothing to
// replace. Comments stay, though the encoder may quote and
// wrap what stands on one line; a want is written as a decision, or as a request with its method, URL and whole body.
func (f *File) Update(results []Result) ([]byte, error) {
	changed := false
	nodes := f.caseNodes()
	for _, r := range results {
		if r.OK || r.Got == nil || r.File != f.Name {
			continue
		}
		for i := range f.Cases {
			if f.Cases[i].Name == r.Case {
				setMember(nodes[i], "want", wanted(&f.Cases[i].Want, r.Got))
				changed = true
			}
		}
	}
	if !changed {
		return nil, nil
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&f.doc); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// setMember sets a key of a mapping, at its end where it is new.
func setMember(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, textNode(key), value)
}

// wanted is a want that a trial fulfils, with what the one before asked about.
func wanted(before *Want, t *Trial) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if before.Operation != "" {
		setMember(out, "operation", textNode(t.Operation))
	}
	if before.Withheld != nil {
		fields := map[string]any{}
		for field, reason := range t.Withheld {
			fields[field] = string(reason)
		}
		setMember(out, "withheld", toYAML(fields))
	}
	if t.Request == nil {
		setMember(out, "decision", textNode(t.Decision))
		return out
	}
	req := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	setMember(req, "method", textNode(t.Request.Method))
	setMember(req, "url", textNode(t.Request.URL))
	if before.Request != nil && before.Request.Headers != nil {
		headers := map[string]any{}
		for name := range before.Request.Headers {
			if v, ok := valueOf(t.Request.Headers, name); ok {
				headers[name] = v
			}
		}
		setMember(req, "headers", toYAML(headers))
	}
	switch {
	case t.Request.Row != nil:
		row := map[string]any{}
		for _, c := range t.Request.Row {
			row[c.Name] = c.Value
		}
		setMember(req, "row", toYAML(row))
	case t.Request.Body != nil:
		setMember(req, "body", toYAML(t.Request.Body))
	}
	setMember(out, "request", req)
	return out
}
