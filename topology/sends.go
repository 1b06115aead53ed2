package topology

import (
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
)

// Sends lists the fields of the model that the body of a route is made of, each once, in the body's order. What identifies a
// thing, and what goes with its event, is no field.
func (r *Route) Sends() []schemas.Field { return r.Body.fields(nil) }

func (m *Mapping) fields(out []schemas.Field) []schemas.Field {
	for i := range m.members {
		mem := &m.members[i]
		switch {
		case mem.nested != nil:
			out = mem.nested.fields(out)
		case mem.program != nil: // else it did not compile
			for _, path := range pathsOf(mem.program) {
				for _, field := range fieldsAt(path) {
					if !slices.Contains(out, field) {
						out = append(out, field)
					}
				}
			}
		}
	}
	return out
}
