package topology

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
)

// Systems is one system or several: "shop" or "[shop, admin]" in YAML.
type Systems []schemas.System

// UnmarshalYAML reads both forms.
func (s *Systems) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*s = nil
		if n.Value != "" {
			*s = Systems{schemas.System(n.Value)}
		}
		return nil
	}
	var list []schemas.System
	if err := n.Decode(&list); err != nil {
		return fault(n, "name one system, or several as [shop, admin]")
	}
	*s = list
	return nil
}

// Has tells whether a system is among them.
func (s Systems) Has(system schemas.System) bool { return slices.Contains(s, system) }

// String is "shop" or "shop, admin".
func (s Systems) String() string { return join(s) }

// Owner says whose word counts for a field: an entry of ownership.yaml. docs/ownership.md tells what follows from it.
type Owner struct {
	// Owner is the system whose word counts, or several that share the field: what they say is propagated while they agree.
	Owner Systems `yaml:"owner"`
	// Copies are the systems that hold a copy; the reconciler compares what they say.
	Copies []schemas.System `yaml:"copies"`
	// Tolerance is the greatest difference of value that is agreement, a decimal: for amounts of one currency, in that
	// currency, and for counts. Default 0. It is about copies: systems that share a field agree exactly.
	Tolerance   string   `yaml:"tolerance"`
	AgreeWithin Duration `yaml:"agree_within"` // how long two systems may differ before it is a disagreement
	Page        string   `yaml:"page"`         // team
	// OnConflict is what becomes of an event when the systems that share the field differ. Default ConflictRefuse.
	OnConflict OnConflict `yaml:"on_conflict"`
	// Transfers are later owners, the earliest first. An event is judged by who owned the field at its own time, by its
	// source's clock.
	Transfers []Transfer `yaml:"transfers"`
}

// Transfer gives a field to another owner.
type Transfer struct {
	To   Systems   `yaml:"to"`
	From time.Time `yaml:"from"` // with its offset: 2026-12-01T00:00:00Z. Events of this time and later are To's
}

// OnConflict is what becomes of an event that says a shared field while the systems that share it differ.
type OnConflict string

// What may become of it. That the newest wins is not among them: clocks and versions of two systems cannot be compared.
const (
	ConflictRefuse OnConflict = "refuse" // the field is withheld, the rest of the event goes on
	ConflictPark   OnConflict = "park"   // the whole event waits until they agree or a person decides
)

// At is who owns the field at a time; not to be written to.
func (o *Owner) At(at time.Time) Systems {
	if n := o.Reign(at); n > 0 {
		return o.Transfers[n-1].To
	}
	return o.Owner
}

// Reign counts the transfers up to a time: of two, the greater is the later owner's.
func (o *Owner) Reign(at time.Time) int {
	n := 0
	for n < len(o.Transfers) && !at.Before(o.Transfers[n].From) {
		n++
	}
	return n
}

// Ever lists the owners of all times, in their order: the first of them, then those of each transfer.
func (o *Owner) Ever() []Systems {
	out := []Systems{o.Owner}
	for _, t := range o.Transfers {
		out = append(out, t.To)
	}
	return out
}

// ownershipFile is ownership.yaml: an entry per field, and the fields that nobody owns.
type ownershipFile struct {
	// Unowned lists fields that nobody owns and that are never propagated; "*" is every field without an entry.
	Unowned []schemas.Field  `yaml:"unowned"`
	Fields  map[string]Owner `yaml:",inline"` // by schemas.Field
}

// ownership is the entries by field.
func (f *ownershipFile) ownership() map[schemas.Field]Owner {
	out := make(map[schemas.Field]Owner, len(f.Fields))
	for name, o := range f.Fields {
		or(&o.OnConflict, ConflictRefuse)
		out[schemas.Field(name)] = o
	}
	return out
}
