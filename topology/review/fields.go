package review

import (
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// sent is the fields that a route sends; found out once.
func (s *scope) sent(r *topology.Route) []schemas.Field {
	list, ok := s.bodies[r]
	if !ok {
		list = r.Sends()
		s.bodies[r] = list
	}
	return list
}

// sentAll is the fields that an integration sends, each once.
func (s *scope) sentAll(in *topology.Integration) []schemas.Field {
	var out []schemas.Field
	for i := range in.Deliver {
		for _, f := range s.sent(&in.Deliver[i]) {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// money is the amounts that a route sends itself: a refund's reason goes with its amount, and is none.
func (s *scope) money(in *topology.Integration, i int) []schemas.Field {
	texts := s.t.TextsUnder(topology.File(in.Mark), route(i, "body"))
	return slices.DeleteFunc(slices.Clone(s.sent(&in.Deliver[i])), func(f schemas.Field) bool {
		return !f.IsMoney() || !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, string(f)) })
	})
}
