package topology

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/types"

	"github.com/binaryandbeyond/seam/schemas"
)

// Check limits what a source may say in one member of its events. The zero Check allows all; a member that is not said is
// held to Required only. Each item of a list is held to OneOf, Pattern and MaxLength.
type Check struct {
	// Required true: an event that has the member's part must say the member.
	Required bool `yaml:"required"`
	// OneOf is the texts it may be. Default any.
	OneOf []string `yaml:"one_of"`
	// Pattern must match the whole text (RE2). Default any.
	Pattern string `yaml:"pattern"`
	// MaxLength is the greatest length of the text, in characters. Default 0: any.
	MaxLength int `yaml:"max_length"`
	// MaxItems is the greatest number of items of a list. Default 0: any.
	MaxItems int `yaml:"max_items"`

	get     func(*Scope) any
	part    func(*Scope) any
	pattern *regexp.Regexp
}

// CheckEvent holds an event to the checks of its source: the first member that violates one, by name, and how. The text does
// not repeat what the event says. Both are empty for an event that violates none.
func (s *Source) CheckEvent(ev *schemas.Event) (member, text string) {
	if len(s.Checks) == 0 {
		return "", ""
	}
	scope := ScopeOf(ev, "")
	for _, name := range slices.Sorted(maps.Keys(s.Checks)) {
		c := s.Checks[name]
		if text := c.violation(scope); text != "" {
			return name, text
		}
	}
	return "", ""
}

// violation says how an event violates the check; empty when it does not.
func (c *Check) violation(scope *Scope) string {
	v := prune(c.get(scope))
	switch v := v.(type) {
	case nil:
		if c.Required && c.part(scope) != nil {
			return "is missing: its source must say it"
		}
		return ""
	case []any:
		if c.MaxItems > 0 && len(v) > c.MaxItems {
			return fmt.Sprintf("has %d items, and at most %d are allowed", len(v), c.MaxItems)
		}
		for i, item := range v {
			if text := c.text(item); text != "" {
				return fmt.Sprintf("item %d %s", i, text)
			}
		}
		return ""
	default:
		return c.text(v)
	}
}

func (c *Check) text(v any) string {
	text, ok := v.(string)
	if !ok {
		text = fmt.Sprint(v)
	}
	switch {
	case len(c.OneOf) > 0 && !slices.Contains(c.OneOf, text):
		return "is none of " + strings.Join(c.OneOf, ", ")
	case c.MaxLength > 0 && utf8.RuneCountInString(text) > c.MaxLength:
		return fmt.Sprintf("has %d characters, and at most %d are allowed", utf8.RuneCountInString(text), c.MaxLength)
	case c.pattern != nil && !c.pattern.MatchString(text):
		return "does not match " + c.Pattern
	}
	return ""
}

// checks compiles the checks of a source.
func (l *loader) checks(file string, s *Source) {
	if len(s.Checks) > 0 && (s.Platform == Files || s.Platform == Poll) {
		l.at(file, "checks", "checks are for sources that send webhooks, and this one is %s", s.Platform)
	}
	for name, c := range s.Checks {
		at := "checks." + name
		part, _, nested := strings.Cut(name, ".")
		typ := typeAt(viewTypes, name)
		if typ == nil || !nested || part == "event" || part == factsRoot {
			l.at(file, at, "the model has no member %q: name one like enrichment.category", name)
			continue
		}
		e, err := compile(name)
		if err != nil || e.get == nil {
			l.at(file, at, "%q cannot be checked: name a text, a count or a list of texts", name)
			continue
		}
		c.get, c.part = e.get, partOf(part)
		if c.Pattern != "" {
			if c.pattern, err = regexp.Compile(`\A(?:` + c.Pattern + `)\z`); err != nil {
				l.at(file, at, "pattern: %v", err)
			}
		}
		s.Checks[name] = c
	}
}

// partOf tells whether an event has a part: nil where it has not.
func partOf(name string) func(*Scope) any {
	i := slices.IndexFunc(eventView, func(f viewField) bool { return f.part && f.name == name })
	return func(s *Scope) any {
		if i < 0 || reflect.ValueOf(s.event).Elem().Field(eventView[i].index).IsNil() {
			return nil
		}
		return true
	}
}

// typeAt is the static type of a dotted path of the view; nil where there is none, and for what has members.
func typeAt(t types.Type, path string) types.Type {
	for name := range strings.SplitSeq(path, ".") {
		m, ok := t.(types.Map)
		if !ok || m[name] == nil {
			return nil
		}
		t = m[name]
	}
	if _, members := t.(types.Map); members {
		return nil
	}
	return t
}
