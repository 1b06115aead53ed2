package review

import (
	"regexp"
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

var dotted = regexp.MustCompile(`\b(order|payment|refund|fulfillment|fraud|invoice|customer|inventory)\.([a-z_]+)`)

// fieldsIn is the fields of the model that a text of expressions names, each once. What identifies a thing (order.id) is no
// field.
func fieldsIn(texts []string) []schemas.Field {
	var out []schemas.Field
	for _, text := range texts {
		for _, m := range dotted.FindAllStringSubmatch(text, -1) {
			name := schemas.Field(m[1] + "." + m[2])
			if name == "customer.first_name" || name == "customer.last_name" {
				name = "customer.name"
			}
			if slices.Contains(schemas.Fields(), name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// told is the fields that a route of the subject sends.
func (s *scope) told(i int) []schemas.Field { return s.sent(s.file, i) }

// sent is the fields that a route of a file sends; read once.
func (s *scope) sent(file string, i int) []schemas.Field {
	key := file + "#" + route(i, "body")
	list, ok := s.bodies[key]
	if !ok {
		list = fieldsIn(s.t.TextsUnder(file, route(i, "body")))
		s.bodies[key] = list
	}
	return list
}

// toldAll is the fields that an integration sends, each once.
func (s *scope) toldAll(in *topology.Integration) []schemas.Field {
	var out []schemas.Field
	for i := range in.Deliver {
		for _, f := range s.sent(topology.File(in.Mark), i) {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// moneyOf is the amounts that a route of an integration sends.
func (s *scope) moneyOf(in *topology.Integration, i int) []schemas.Field {
	return slices.DeleteFunc(slices.Clone(s.sent(topology.File(in.Mark), i)), func(f schemas.Field) bool { return !f.IsMoney() })
}
