package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
)

// ReadBack asks a downstream, some time after a call of the route succeeded, for the record that the call made. What it says
// comes back as an event of type order.observed, with the downstream as the system that speaks; 404 says that the record is
// missing. Expressions see event (id, type, subject), reference (our stable key of the operation), made (the downstream's own
// id, where answers.reference found one) and, but for Get, answer: the JSON that was read, its whole numbers as integers and
// other numbers as exact texts.
type ReadBack struct {
	// Get is the address, with {expressions}; each value is escaped.
	Get ReadAddress `yaml:"get"`
	// After is how long after the delivery it is read. Default 1m.
	After Duration `yaml:"after"`
	// Every reads again, until Until after the delivery. Default 0: once.
	Every Duration `yaml:"every"`
	// Until is required with Every, and a day at most.
	Until Duration `yaml:"until"`
	// Found tells of a 2xx whether the record is in it. Default: it is.
	Found *ReadExpression `yaml:"found"`
	// Version and Time are the record's, by the system's own clock. Default none, and the time of the reading.
	Version *ReadExpression `yaml:"version"`
	Time    *ReadExpression `yaml:"time"` // RFC 3339
	// Says maps members of the model ("fulfillment.status", "order.total") to expressions; nil says nothing of it. Amounts are
	// {amount, currency} or texts like "12.50 EUR".
	Says map[string]*ReadExpression `yaml:"says"`
}

// ReadExpression is a compiled expression of a ReadBack.
type ReadExpression struct {
	source  string
	program *vm.Program
}

// readTypes is what expressions of a ReadBack see.
var readTypes = types.Map{"event": types.Map{"id": types.String, "type": types.String, "subject": types.String}, "reference": types.String, "made": types.String, "answer": types.Any}

func compileRead(src string, env types.Map) (*ReadExpression, error) {
	p, err := expr.Compile(src, expr.Env(env))
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s; it sees %s", src, strings.SplitN(err.Error(), "\n", 2)[0], strings.Join(slices.Sorted(maps.Keys(env)), ", "))
	}
	return &ReadExpression{source: src, program: p}, nil
}

// UnmarshalYAML compiles the expression.
func (e *ReadExpression) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fault(n, "write an expression")
	}
	c, err := compileRead(n.Value, readTypes)
	if err != nil {
		return fault(n, "%v", err)
	}
	*e = *c
	return nil
}

// eval is the expression's value for a scope; nil for what is not there.
func (e *ReadExpression) eval(env map[string]any) (any, error) {
	v, err := vm.Run(e.program, env)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s", e.source, strings.SplitN(err.Error(), "\n", 2)[0])
	}
	return prune(v), nil
}

// ReadAddress is the compiled address of a ReadBack.
type ReadAddress struct {
	source   string
	literals []string // one more than programs
	programs []*ReadExpression
}

// String is the address as the file has it.
func (a *ReadAddress) String() string { return a.source }

// UnmarshalYAML compiles the address.
func (a *ReadAddress) UnmarshalYAML(n *yaml.Node) error {
	rest := n.Value
	out := ReadAddress{source: rest}
	env := maps.Clone(readTypes)
	delete(env, "answer")
	for {
		before, after, found := strings.Cut(rest, "{")
		out.literals = append(out.literals, before)
		if !found {
			break
		}
		src, after, closed := strings.Cut(after, "}")
		if !closed {
			return fault(n, "get %q has no closing brace", n.Value)
		}
		p, err := compileRead(src, env)
		if err != nil {
			return fault(n, "get: %v", err)
		}
		out.programs, rest = append(out.programs, p), after
	}
	if u, err := url.Parse(strings.Join(out.literals, "")); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault(n, "get %q is not an http address", n.Value)
	}
	*a = out
	return nil
}

// Called is the call whose record is read back.
type Called struct {
	Event     schemas.EventID
	Type      schemas.EventType
	Subject   string // order
	Key       string // our stable key of the operation
	Reference string // the downstream's id of what it made; empty where it named none
}

func (c *Called) env() map[string]any {
	return map[string]any{"event": map[string]any{"id": string(c.Event), "type": string(c.Type), "subject": c.Subject}, "reference": c.Key, "made": c.Reference}
}

// Address is where the call's record is read. A value that is empty is an error, as the address would be another.
func (rb *ReadBack) Address(c *Called) (string, error) {
	var b strings.Builder
	env, query := c.env(), false
	for i, literal := range rb.Get.literals {
		b.WriteString(literal)
		if i == len(rb.Get.programs) {
			break
		}
		query = query || strings.Contains(literal, "?")
		v, err := rb.Get.programs[i].eval(env)
		if err != nil {
			return "", err
		}
		if v == nil {
			return "", fmt.Errorf("{%s} is empty for this call", rb.Get.programs[i].source)
		}
		if text := fmt.Sprint(v); query {
			b.WriteString(url.QueryEscape(text))
		} else {
			b.WriteString(url.PathEscape(text))
		}
	}
	return b.String(), nil
}

// Read fills an event with what an answer says of the call's record; false when the record is not in it. The event's Time is
// changed only where the answer tells one.
func (rb *ReadBack) Read(c *Called, body []byte, ev *schemas.Event) (found bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var answer any
	if err := dec.Decode(&answer); err != nil {
		return false, fmt.Errorf("the answer is not JSON: %w", err)
	}
	env := c.env()
	env["answer"] = plainNumbers(answer)
	if rb.Found != nil {
		v, err := rb.Found.eval(env)
		if err != nil {
			return false, fmt.Errorf("found: %w", err)
		}
		if is, _ := v.(bool); !is {
			return false, nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rb.Says)) {
		v, err := rb.Says[name].eval(env)
		if err == nil {
			err = say(ev, name, v)
		}
		if err != nil {
			return false, fmt.Errorf("says %s: %w", name, err)
		}
	}
	if rb.Version != nil {
		v, err := rb.Version.eval(env)
		if err != nil {
			return false, fmt.Errorf("version: %w", err)
		}
		if v != nil {
			ev.SourceVersion = fmt.Sprint(v)
		}
	}
	if rb.Time != nil {
		v, err := rb.Time.eval(env)
		if err != nil {
			return false, fmt.Errorf("time: %w", err)
		}
		if v != nil {
			at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
			if err != nil {
				return false, errors.New("time is not RFC 3339")
			}
			ev.Time = at.UTC().Truncate(time.Microsecond)
		}
	}
	return true, nil
}

// plainNumbers makes whole numbers integers and leaves the others as exact texts.
func plainNumbers(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			t[k] = plainNumbers(e)
		}
	case []any:
		for i, e := range t {
			t[i] = plainNumbers(e)
		}
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return int(n)
		}
		return t.String()
	}
	return v
}
