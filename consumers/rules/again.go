package rules

import (
	"github.com/google/uuid"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// What a person may have delivered again, and what not. It overrides that the event is finished, and that a step which is
// made once was made by it. It does not override who owns a field, who supersedes whom, that another event told the same
// fact or made the step, or what the downstream must have seen before; only with Even that newer stands there.

// evenStale tells whether a person wants the event delivered again though a newer state stands in the downstream, or it is of
// no use any more.
func (f *Facts) evenStale() bool { return f.Again != nil && f.Again.Even == schemas.ReasonStale }

// made tells whether an event that is to be delivered again is the one that made a step.
func (f *Facts) made(op *schemas.Operation) bool { return f.Again != nil && op.EventID == f.Event.ID }

// undid tells whether an event that is to be delivered again may be the one that took back what its route takes back.
func (f *Facts) undid(route *topology.Route) bool {
	if f.Again == nil {
		return false
	}
	op, undone := OperationOf(f.Entry, route.Operation), OperationOf(f.Entry, route.Undoes)
	return op != nil && f.made(op) && undone != nil && undone.State == schemas.OpUndone
}

// KeyAgain is the idempotency key of calls that a replay makes for what has the given key otherwise: another than any call
// before had, and the same for every attempt of this replay in every process. It is the key itself without a replay.
func KeyAgain(key string, again *schemas.Replay) string {
	if again == nil {
		return key
	}
	return uuid.NewSHA1(keySpace, []byte(key+"\x00replay\x00"+again.ID)).String()
}
