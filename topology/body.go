package topology

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// AppendJSON appends the body for a scope as a JSON object: the bytes that encoding/json writes for Eval's map, its members
// sorted. A required member without a value is an error.
func (m Mapping) AppendJSON(b []byte, s *Scope, required []string) ([]byte, error) {
	b = append(b, '{')
	filled := 0
	for _, i := range m.sorted {
		mem := &m.members[i]
		v, err := mem.eval(s)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if slices.Contains(required, mem.name) {
			filled++
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		if b, err = appendText(b, mem.name); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), v); err != nil {
			return nil, fmt.Errorf("member %s: %w", mem.name, err)
		}
	}
	if filled < len(required) { // Eval names the first that is empty
		if _, err := m.Eval(s, required); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// EmptyMemberError says that an event does not fill a required member of a body.
type EmptyMemberError struct{ Name string }

// Error names the member.
func (e *EmptyMemberError) Error() string {
	return fmt.Sprintf("required member %q is empty for this event", e.Name)
}

// appendValue appends what an expression gave. Maps are sorted; what expressions seldom give is encoding/json's to write.
func appendValue(b []byte, v any) (_ []byte, err error) {
	switch t := v.(type) {
	case string:
		return appendText(b, t)
	case int64:
		return strconv.AppendInt(b, t, 10), nil
	case int:
		return strconv.AppendInt(b, int64(t), 10), nil
	case bool:
		return strconv.AppendBool(b, t), nil
	case nil:
		return append(b, "null"...), nil
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(t)) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendText(b, name); err != nil {
				return nil, err
			}
			if b, err = appendValue(append(b, ':'), t[name]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case []any:
		b = append(b, '[')
		for i, item := range t {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	text, err := json.Marshal(v)
	return append(b, text...), err
}

// appendText appends a JSON string as encoding/json writes it; that itself writes those with anything to escape.
func appendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			return append(b, text...), err
		}
	}
	return append(append(append(b, '"'), s...), '"'), nil
}
