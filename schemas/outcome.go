package schemas

import (
	"slices"
	"time"
)

// Kind is what became of an event in an integration. Parked is the only kind that is not final.
type Kind string

// The kinds, as the state diagram of package consumers draws them.
const (
	Duplicate   Kind = "duplicate"    // the event or its business fact was finished before: no call
	Withheld    Kind = "withheld"     // by rule: not subscribed, not the owner's, only a prerequisite, nothing to undo
	Superseded  Kind = "superseded"   // a newer version or a cancelling event made it pointless
	Expired     Kind = "expired"      // too old to do any good
	Delivered   Kind = "delivered"    // the downstream said yes
	AlreadyDone Kind = "already_done" // the downstream said it had it
	Rejected    Kind = "rejected"     // the business said no, and the integration declares that as final
	Parked      Kind = "parked"       // kept durably, waits for an event, a time or a person
	Discarded   Kind = "discarded"    // a person decided so, with a reason

	// Unrecognized is what a reader sees of a kind that only newer writers know. It is never written.
	Unrecognized Kind = "unrecognized"
)

// Kinds lists every kind that is written, in the order of the Avro enum.
var Kinds = []Kind{Duplicate, Withheld, Superseded, Expired, Delivered, AlreadyDone, Rejected, Parked, Discarded}

// Final tells whether no other outcome of the same event in the same integration follows.
func (k Kind) Final() bool { return k != Parked && k != Unrecognized }

// Reason is a stable word for why; Detail of the outcome says it for this event.
type Reason string

// The reasons of outcomes and of parked records.
const (
	ReasonNone           Reason = ""
	ReasonSameEvent      Reason = "same_event"        // duplicate: this event id was finished before
	ReasonSameBusiness   Reason = "same_business"     // duplicate: another event id, the same business fact
	ReasonOnce           Reason = "once"              // duplicate: the operation was done for this order already
	ReasonNotSubscribed  Reason = "not_subscribed"    // withheld
	ReasonErased         Reason = "erased"            // withheld: what is personal of it is erased
	ReasonNotOwner       Reason = "not_owner"         // withheld: no field of it is the speaking system's
	ReasonPrerequisite   Reason = "prerequisite_only" // withheld: noted, another event waits for it
	ReasonNothingToUndo  Reason = "nothing_to_undo"   // withheld
	ReasonStale          Reason = "stale"             // superseded by a newer version
	ReasonCancelled      Reason = "cancelled"         // superseded by a cancelling event
	ReasonTooOld         Reason = "too_old"           // expired
	ReasonNobodys        Reason = "nobodys"           // of a field: ownership.yaml lists it as unowned
	ReasonOwn            Reason = "own"               // of a field: the downstream owns it
	ReasonCorrected      Reason = "corrected"         // superseded, or of a field: a person decided otherwise, and its owner has said nothing newer
	ReasonHeld           Reason = "held"              // withheld: the downstream holds the corrected value already
	ReasonNotTaken       Reason = "not_taken"         // withheld: no route takes a correction of this field
	ReasonConflict       Reason = "conflict"          // withheld or parked: the systems that share a field differ about it
	ReasonFacts          Reason = "facts"             // parked: the facts it needs may not be told as they are
	ReasonNeeds          Reason = "needs"             // parked: a prerequisite has not come
	ReasonBehind         Reason = "behind"            // parked: an earlier event of the order is parked
	ReasonRetryExhausted Reason = "retry_exhausted"   // parked
	ReasonBusinessNo     Reason = "business_no"       // parked or rejected: the downstream refused it
	ReasonUnknown        Reason = "unknown"           // parked: the effect of a call is unknown and may not be repeated
	ReasonContract       Reason = "contract"          // parked: an answer outside the declared contract
	ReasonPoison         Reason = "poison"            // parked: the bytes do not decode
	ReasonMapping        Reason = "mapping"           // parked: the event does not fill the request
	ReasonMissingKey     Reason = "missing_key"       // parked: a record without key
	ReasonOperator       Reason = "operator"          // discarded
	ReasonReleased       Reason = "released"          // parked: a person released it, and its handling is under way
	ReasonReplay         Reason = "replay"            // parked: a person wants it delivered again, and its handling is under way
)

// Attempt is one delivery: one call and what came back.
type Attempt struct {
	At     time.Time
	TookMS int64
	Status int    // HTTP status; 0 when no answer came
	Class  string // deliver.Class of the answer
	Detail string // answer excerpt or transport error; holds no secret
}

// FactsSeen is the facts that a call was made with: which, whose, and how old they were. It holds no values.
type FactsSeen struct {
	ID      string     // a hash over the facts and their versions
	KnownAt time.Time  // up to then everything that came was known; ages are as of then
	AskedAt time.Time  // when they were judged, our clock
	FactsAt *time.Time // when the owner of the oldest said it
	Facts   []FactSeen
}

// FactSeen is one of FactsSeen.
type FactSeen struct {
	Field         Field
	Object        string // payment, customer, item, ... that the field is of
	SKU           string // of the order's line, with stock
	Owner         System
	SourceVersion string
	AsOf          time.Time // source clock
	AgeSeconds    int64
	Agree         string // yes, no or unknown
}

// Outcome is the record of the reconciliation topic: what became of one event in one integration.
type Outcome struct {
	Integration    string
	EventID        EventID
	EventType      EventType
	OrderID        string // the record key of the event
	Kind           Kind
	Reason         Reason
	Detail         string
	Operation      string   // the business step it belonged to; empty when none
	WithheldFields []string // fields of the event that were not sent, in the order of Fields
	// WithheldReasons says why, one for each of WithheldFields: ReasonNotOwner, ReasonNobodys, ReasonOwn, ReasonStale,
	// ReasonCorrected, ReasonHeld, ReasonNotTaken or ReasonConflict.
	WithheldReasons []Reason
	IdempotencyKey  string // empty when no call was made
	Reference       string // the downstream's own id of what it made, where its answer names one
	Attempts        []Attempt
	Facts           *FactsSeen // that the newest call was made with; nil where it carried none
	EventTime       time.Time  // of the event, source clock
	IngestedAt      time.Time  // of the event, our clock
	At              time.Time  // of the outcome, our clock
	Until           *time.Time // of a parked event: when it becomes a person's
	Topic           string     // where the event was read
	Partition       int32
	Offset          int64
	Instance        string // the process that says so
	TraceParent     string // W3C context of the event; empty when none
	// Replay is set where a person asked for the event to be delivered again: it had a final outcome before.
	Replay *Replay
}

// OperationState is how far an operation of an order has come in one integration.
type OperationState string

// The states of an operation in the ledger.
const (
	OpIntent OperationState = "intent" // durable before the call; the effect is unknown until it changes
	OpDone   OperationState = "done"
	OpUndone OperationState = "undone" // a later call took it back
)

// Operation is what the ledger knows of one business step of one order.
type Operation struct {
	Name      string
	State     OperationState
	EventID   EventID
	Key       string // the Idempotency-Key of its calls
	Version   string // source version last applied
	System    System // whose version that is; empty in entries of before it was kept
	Reference string
	At        time.Time
	Facts     *FactsSeen // of an intent: the facts of its call; nil where it carries none
}

// Applied is fields that stand in the downstream as one state of one system said them.
type Applied struct {
	System  System
	Version string    // source version of the state; empty when it gave none
	Time    time.Time // of the state, source clock
	Fields  FieldSet
}

// SharedWord is what a system that shares a field said of it last.
type SharedWord struct {
	Field   Field
	System  System
	Version string // source version
	Digest  string // of the value's Form: equal for equal values, and no value
}

// FinishedEvent is an event that needs no more handling.
type FinishedEvent struct {
	ID         EventID
	BusinessID string
	Kind       Kind
	At         time.Time
	Heard      int64 // the offset in topic commands after the newest decision taken in for it; 0 for none
}

// LedgerEntry is what one integration has done for one order: the value of ledger.<integration>, keyed by order.
type LedgerEntry struct {
	Topic      string // event topic the entry belongs to
	TopicID    string // Kafka's id of that topic: a recreated topic makes Settled void
	Key        string // the order (customer, item)
	Settled    int64  // every record of this key up to this offset is finished or parked; -1 for none
	Events     []FinishedEvent
	Operations []Operation
	Seen       []EventType // types seen from their owner: what prerequisites ask for
	OrderTotal *Money      // newest total the shop named, to tell a full refund
	// TotalVersion is the source version that named OrderTotal, so that a state told late does not bring an old total back.
	TotalVersion string
	TotalSystem  System            // who named OrderTotal; empty in entries of before it was kept
	TotalTime    time.Time         // of the event that named OrderTotal, source clock
	Refunds      map[string]string // refund id to amount text in OrderTotal's currency
	Applied      []Applied         // whose state each field was delivered of; a field stands in one at most
	Shared       []SharedWord      // of fields that several systems share, by field and system
	Corrections  []Corrected       // what persons decided of fields, the newest of each
	UpdatedAt    time.Time
	ReadAgain    *ReadAgain // of a partition's own entry (ledger.PartitionKey): the newest replay it took in
	Calls        *Calls     // of a partition's own entry: of each order the first event that is not finished may have been called; nil for none
	Skipped      *Calls     // of a partition's own entry: those that another tool moved the group's offset past; nil for none
}

// Calls is calls that may have been made without an intent of their own.
type Calls struct {
	Below int64     // for events below that offset
	Since time.Time // not before
	Of    []string  // operations that are called so
}

// Has tells whether a call of an operation may have been made for the event at an offset; nil has none.
func (c *Calls) Has(offset int64, operation string) bool {
	return c != nil && offset < c.Below && slices.Contains(c.Of, operation)
}

// ParkedRecord is an event that waits: the value of parked.<integration>.
type ParkedRecord struct {
	Integration string
	EventID     EventID // for poison: topic/partition/offset
	EventType   EventType
	Key         string
	Topic       string
	Partition   int32
	Offset      int64
	Headers     map[string]string
	Value       []byte // the record's bytes as read
	Reason      Reason
	Detail      string
	Needs       []EventType // what it waits for, with ReasonNeeds
	Operation   string
	Until       *time.Time // when waiting ends and a person is asked; nil: it waits for a person already
	Attempts    []Attempt
	Since       time.Time
	// Command is the offset in the commands topic of the newest decision that was taken in for this event; -1 for none.
	Command  int64
	Released string // who released it and why, while that is under way; empty otherwise
	// Replay is set where a person asked for the event to be delivered again: the ledger has an earlier final outcome of it.
	Replay *Replay
}

// CommandKind is what a person decided, about a parked event or about a disagreement.
type CommandKind string

// The decisions.
const (
	Release CommandKind = "release" // handle it again now
	Discard CommandKind = "discard" // end it without an effect of ours

	Acknowledge CommandKind = "acknowledge" // somebody is at it: page no more for it
	Waive       CommandKind = "waive"       // it may be so until a time

	Redact CommandKind = "redact" // erase a customer's personal data; the event customer.redacted does it
)

// Command is a person's decision: the value of the commands topic, keyed and partitioned as the event or order it is about.
type Command struct {
	ID          string
	Kind        CommandKind
	Integration string // empty for a decision about a disagreement
	Topic       string // event topic, without the prefix
	Key         string
	EventID     EventID
	Who, Why    string
	At          time.Time
	Field       Field      // of a disagreement, as are the next two
	Object      string     // payment, refund, ... that the field is of
	System      System     // who differs from the owner
	Until       *time.Time // of a waiver
	Replay      string     // of redeliver and reread, as are the next three: the id of the replay
	From, To    int64      // offsets of the event's partition, from From up to but not To; a redelivered event is one
	Even        Reason     // see Replay
}

// Disagreement is how it stands with what two systems differ about: the value of the disagreements topic.
type Disagreement struct {
	Topic       string // event topic of the key, without the prefix
	Key         string
	Field       Field
	Object      string // payment, refund, ... that the field is of; empty for the order's own
	System      System // who says another value than the owner
	State       string // opened, overdue, acknowledged, accepted, waived, closed
	Page        string // team
	Paged       bool   // the team is to be paged for this record: the first that is overdue, and again after one side was accepted
	Owner       System
	OwnerValue  string // masked where it is personal
	OwnerTime   time.Time
	OwnerSeenAt time.Time
	Value       string // masked where it is personal
	Time        time.Time
	SeenAt      time.Time
	Since       time.Time // our clock
	Deadline    time.Time
	Closed      *time.Time
	Flaps       int64
	Who, Why    string // of who acknowledged or waived it, or accepted one side
	Until       *time.Time

	Accepted      System     // whose value a person accepted; empty for nobody's. The next three go with it
	AcceptedValue string     // masked where it is personal
	AcceptedAt    *time.Time // our clock
	AcceptedBy    string     // team of that person

	At time.Time // as of when this is so, our clock
}

// Quarantined is authentic input that could not be normalized, kept whole: the value of the quarantine topic.
type Quarantined struct {
	ID          EventID // of the delivery
	Source      string
	Platform    string
	DeliveryID  string
	Reason      string // for a person: what is wrong, where in the input, and the mend
	Field       string // JSON path, column or header that is at fault; empty when the whole is
	File        string // of batch input
	Line        int64  // of batch input, 1-based; 0 when none
	ContentType string
	Headers     map[string]string // as received, less credentials
	Body        []byte
	ReceivedAt  time.Time
	Sealed      []byte // headers and body, encrypted, while nothing opened them or once they are erased: see Event
}

// WorkerStatus is what a running worker says of itself: the value of the status topic, keyed integration/instance.
type WorkerStatus struct {
	Integration string
	Instance    string
	State       string // running, paused, stopped
	Circuit     string // closed, open, half_open
	CircuitWhy  string
	InFlight    int64
	Parked      int64
	Partitions  int64
	LastSuccess *time.Time
	At          time.Time
}
