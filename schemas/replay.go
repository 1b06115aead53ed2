package schemas

import "time"

// The decisions of a replay, beside those in outcome.go.
const (
	Redeliver CommandKind = "redeliver" // deliver one finished event again
	Reread    CommandKind = "reread"    // read a range of a partition again; what is finished stays finished
)

// Replay is a person's wish that events be delivered again.
type Replay struct {
	ID       string // of the replay; its calls have idempotency keys of their own
	Who, Why string
	// Even is ReasonStale where it is to be done also if a newer state stands in the downstream, or the event has expired;
	// else empty.
	Even Reason
}

// String is who and why, as outcomes tell it.
func (r *Replay) String() string {
	return "again by " + r.Who + ": " + r.Why + " (replay " + r.ID + ")"
}

// ReadAgain is what came of reading a range of a partition again. Counts are of records.
type ReadAgain struct {
	ID       string // of the replay
	Heard    int64  // the offset in topic commands after the decision
	From, To int64  // the range: offsets from From up to but not To
	Read     int64
	Finished int64 // the ledger knew them as finished or parked: nothing was done
	Beyond   int64 // older than the ledger remembers, and read before: nothing was done
	Handled  int64 // nobody had handled them: they were, as any event
	At       time.Time
}
