package review

import (
	"slices"

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

// money is the amounts that a route sends.
func (s *scope) money(r *topology.Route) []schemas.Field {
	return slices.DeleteFunc(slices.Clone(s.sent(r)), func(f schemas.Field) bool { return !f.IsMoney() })
}
