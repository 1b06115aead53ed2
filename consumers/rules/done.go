package rules

import (
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Done notes in an entry, which is the caller's own, that a call of a route had its effect: how its operation stands, what it
// undid, and whose state each field that was sent stands in the downstream of. route is nil where none acts on the event any more.
func Done(own *Owners, entry *schemas.LedgerEntry, route *topology.Route, ev *schemas.Event, done schemas.Operation, sent, forced schemas.FieldSet) {
	if op := OperationOf(entry, done.Name); op != nil && (op.System == "" || op.System == done.System) {
		done.Version = Newer(op.Version, done.Version)
	}
	setOperation(entry, done, route != nil && route.Once)
	if route == nil {
		return
	}
	if route.Undoes != "" {
		undone := schemas.Operation{Name: route.Undoes, EventID: ev.ID, At: done.At} // its own call's effect was never known
		if op := OperationOf(entry, route.Undoes); op != nil {
			undone = *op
		}
		undone.State = schemas.OpUndone
		setOperation(entry, undone, true)
		entry.Applied = nil // what stood there may be gone
	}
	Apply(own, entry, route, ev, sent, forced)
}

// setOperation replaces how an operation stands, and takes out the intents that this settles: the event's own, and every
// other where the operation happens once.
func setOperation(entry *schemas.LedgerEntry, op schemas.Operation, once bool) {
	ops := slices.DeleteFunc(slices.Clone(entry.Operations), func(o schemas.Operation) bool {
		return o.Name == op.Name && (o.State != schemas.OpIntent || once || o.EventID == op.EventID)
	})
	entry.Operations = append(ops, op)
}
