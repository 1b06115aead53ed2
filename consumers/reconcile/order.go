package reconcile

import (
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// State is how far an event, an integration or a whole order is.
type State string

// The states, from best to worst; of several the worst speaks for all.
const (
	StateComplete State = "complete" // every event that the integration acts on has a final outcome
	StatePending  State = "pending"  // not finished, and its time is not over: see Until
	StateLate     State = "late"     // not finished within complete_within, though the integration knows the order
	StateMissing  State = "missing"  // complete_within is over, and the integration has said nothing of the order at all; or it said yes, and a read-back does not find what its call made
	StateParked   State = "parked"   // waits for a person
	StateUnknown  State = "unknown"  // waits for a person: whether a call had its effect is not known
)

// States lists the states from best to worst.
var States = []State{StateComplete, StatePending, StateLate, StateMissing, StateParked, StateUnknown}

// rank is the place of a state among States.
func (s State) rank() int {
	for i, x := range States {
		if x == s {
			return i
		}
	}
	return -1
}

// Order is everything known of one key: an order, or a customer or an item where Topic says so. Times are UTC.
type Order struct {
	Topic   string    `json:"topic"` // event topic without prefix: orders, customers, inventory
	Key     string    `json:"key"`   // record key: order ID, customer ID, location/item
	AsOf    time.Time `json:"as_of"` // our clock when the states below were judged
	State   State     `json:"state"` // the worst of Integrations and Operations; complete where none is concerned
	Verdict string    `json:"verdict"`
	// Since is when it came into State: of complete the last outcome, of pending the oldest open event, of late and missing
	// the time that was missed, of parked and unknown the parking.
	Since *time.Time `json:"since,omitempty"`
	// Until is the next time limit of a pending order; nil otherwise.
	Until         *time.Time     `json:"until,omitempty"`
	Pages         []string       `json:"pages"` // teams to ask about late, missing, parked, unknown and overdue disagreements and sums, sorted
	Events        []Event        `json:"events"`
	Integrations  []Integration  `json:"integrations"`         // those concerned, sorted by name
	Operations    []Operation    `json:"operations"`           // those that began, sorted by name
	ReadBacks     []ReadBack     `json:"read_backs,omitempty"` // the newest of each call, sorted by integration and operation
	Derived       []Derived      `json:"derived,omitempty"`    // what was made from facts, in the order of our clock
	Money         *Money         `json:"money,omitempty"`
	Fields        []Field        `json:"fields"`
	Disagreements []Disagreement `json:"disagreements"`    // open ones first, then by Since
	Duplicates    int            `json:"duplicates"`       // copies of events that came again under the same id
	Erased        bool           `json:"erased,omitempty"` // what is personal of it
	Freshness     *Freshness     `json:"freshness,omitempty"`
}

// Event is one fact of a source, in the order of our clock.
type Event struct {
	ID            schemas.EventID   `json:"id"`
	Type          schemas.EventType `json:"type"`
	System        schemas.System    `json:"system"`
	Source        string            `json:"source"`
	Time          time.Time         `json:"time"`        // source clock
	IngestedAt    time.Time         `json:"ingested_at"` // our clock
	SourceVersion string            `json:"source_version,omitempty"`
	BusinessID    string            `json:"business_id,omitempty"`
	Copies        int               `json:"copies"`              // times it stands in the topic; 0: retention took it, only outcomes tell of it
	SameFactAs    schemas.EventID   `json:"same_fact,omitempty"` // an earlier event with the same business id
	Undecodable   string            `json:"undecodable,omitempty"`
	ReadBack      string            `json:"read_back,omitempty"`  // "warehouse/fulfill: found": a read of the downstream's own record; empty for what a source sent
	Correction    *Correction       `json:"correction,omitempty"` // a person's decision about a field
	Partition     int32             `json:"partition"`
	Offset        int64             `json:"offset"`
	TraceID       string            `json:"trace_id,omitempty"` // of the trace that the event came in: W3C, hexadecimal
}

// Correction is a person's decision of what a field is.
type Correction struct {
	Field  schemas.Field    `json:"field"`
	Object string           `json:"object,omitempty"`
	Of     schemas.System   `json:"of"`    // whose value was accepted
	Held   []schemas.System `json:"held"`  // who holds it already, and is not told
	Basis  []Basis          `json:"basis"` // the owners' words that it was decided against: it counts until one says something newer
	Who    string           `json:"who"`
	Why    string           `json:"why"`
}

// Basis is the newest word of an owner.
type Basis struct {
	System        schemas.System `json:"system"`
	SourceVersion string         `json:"source_version,omitempty"`
	Time          time.Time      `json:"time"` // source clock
}

// Integration is how one downstream stands with the order.
type Integration struct {
	Name    string     `json:"name"`
	Team    string     `json:"team,omitempty"`
	State   State      `json:"state"`
	Detail  string     `json:"detail,omitempty"` // why it is not complete, or ended without effect
	Since   *time.Time `json:"since,omitempty"`  // as Order.Since
	Until   *time.Time `json:"until,omitempty"`  // as Order.Until
	Answers []Answer   `json:"answers"`          // in the order of the events
}

// Answer is what an integration made of one event.
type Answer struct {
	EventID        schemas.EventID   `json:"event_id"`
	EventType      schemas.EventType `json:"event_type"`
	State          State             `json:"state"`
	Kind           schemas.Kind      `json:"kind,omitempty"` // of the newest outcome; empty while there is none
	Reason         schemas.Reason    `json:"reason,omitempty"`
	Detail         string            `json:"detail,omitempty"`
	Operation      string            `json:"operation,omitempty"`
	Reference      string            `json:"reference,omitempty"` // the downstream's id of what it made
	IdempotencyKey string            `json:"idempotency_key,omitempty"`
	WithheldFields []string          `json:"withheld_fields,omitempty"`
	// WithheldReasons says why, one for each of WithheldFields; nil in outcomes of before reasons were kept.
	WithheldReasons []schemas.Reason    `json:"withheld_reasons,omitempty"`
	Needs           []schemas.EventType `json:"needs,omitempty"`
	Attempts        []Attempt           `json:"attempts"`
	ReadBack        string              `json:"read_back,omitempty"` // found, missing or failed: what the newest read of the call's record told; empty for none
	Facts           *FactsUsed          `json:"facts,omitempty"`     // that its newest call carried; nil where it carried none
	Since           *time.Time          `json:"since,omitempty"`     // as Order.Since
	Until           *time.Time          `json:"until,omitempty"`     // as Order.Until
	Duplicates      int                 `json:"duplicates"`          // copies of the event it absorbed
	Steps           []Step              `json:"steps"`               // every outcome, in the order they were written
}

// Attempt is one call and what came back.
type Attempt struct {
	At     time.Time `json:"at"`
	TookMS int64     `json:"took_ms"`
	Status int       `json:"status"` // HTTP; 0 when no answer came
	Class  string    `json:"class"`
	Detail string    `json:"detail,omitempty"`
}

// Step is one outcome as it was written.
type Step struct {
	At       time.Time      `json:"at"`
	Kind     schemas.Kind   `json:"kind"`
	Reason   schemas.Reason `json:"reason,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Instance string         `json:"instance,omitempty"`
	Offset   int64          `json:"offset"` // in the reconciliation topic; -1 for a record known from the parked topic only
}

// Field is who says what of one owned field.
type Field struct {
	Field  schemas.Field  `json:"field"`
	Object string         `json:"object,omitempty"` // payment, refund, fulfillment or invoice that it is of; empty for the order's own
	Owner  schemas.System `json:"owner"`            // whose word counts; "team:finance" while a person's correction does
	Said   []Said         `json:"said"`             // newest word of each system, sorted by system
}

// Said is the newest word of one system.
type Said struct {
	System        schemas.System  `json:"system"`
	Value         string          `json:"value"` // masked where it is personal
	SourceVersion string          `json:"source_version,omitempty"`
	Time          time.Time       `json:"time"`    // source clock
	SeenAt        time.Time       `json:"seen_at"` // our clock
	EventID       schemas.EventID `json:"event_id"`
	ReadBack      bool            `json:"read_back,omitempty"` // it was read from the system's own record
}

// Disagreement is a system that says another value than the owner. It opens when both are known and differ beyond
// tolerance, and closes when they agree again. Once a person accepted a value it closes when the system and the owner both
// say that, and whoever else says another is in one too.
type Disagreement struct {
	Topic      string         `json:"topic"`
	Key        string         `json:"key"`
	Field      schemas.Field  `json:"field"`
	Object     string         `json:"object,omitempty"`
	Owner      schemas.System `json:"owner"`
	OwnerValue string         `json:"owner_value"` // masked where it is personal; while closed, the value that was agreed on
	// OwnerTime and Time are when the two values were said by their systems' clocks, OwnerSeenAt and SeenAt by ours.
	OwnerTime   time.Time      `json:"owner_time"`
	OwnerSeenAt time.Time      `json:"owner_seen_at"`
	System      schemas.System `json:"system"`
	Value       string         `json:"value"` // last value that differed
	Time        time.Time      `json:"time"`
	SeenAt      time.Time      `json:"seen_at"`
	Since       time.Time      `json:"since"` // our clock
	Deadline    time.Time      `json:"deadline"`
	Closed      *time.Time     `json:"closed,omitempty"` // our clock; nil while open
	DurationMS  int64          `json:"duration_ms"`      // until closed, or until AsOf
	Overdue     bool           `json:"overdue"`          // it lasts, or lasted, beyond Deadline
	Page        string         `json:"page"`             // team
	State       string         `json:"state"`            // opened, overdue, acknowledged, accepted, waived, closed; the team is asked while it is overdue
	Flaps       int            `json:"flaps,omitempty"`  // how often it was overdue, closed for less than it may last, and opened again
	// Who and Why are of the person who acknowledged or waived it, or accepted a value.
	Who         string     `json:"who,omitempty"`
	Why         string     `json:"why,omitempty"`
	WaivedUntil *time.Time `json:"waived_until,omitempty"`
	// Accepted is the system whose value a person accepted; empty for none. It counts from AcceptedAt (our clock), and so does
	// the time in which the others must come round. AcceptedBy is that person's team.
	Accepted      schemas.System `json:"accepted,omitempty"`
	AcceptedValue string         `json:"accepted_value,omitempty"` // masked where it is personal
	AcceptedAt    *time.Time     `json:"accepted_at,omitempty"`
	AcceptedBy    string         `json:"accepted_by,omitempty"`
}

// Duration is how long it lasted until it closed or was asked about.
func (d Disagreement) Duration() time.Duration { return time.Duration(d.DurationMS) * time.Millisecond }

// Freshness says how far behind the topics an answer is.
type Freshness struct {
	BehindRecords int64     `json:"behind_records"`        // records in the topics that are not in the answer; -1: not known yet
	CaughtUpAt    time.Time `json:"caught_up_at,omitzero"` // last time that nothing was behind; zero: never yet
	CheckedAt     time.Time `json:"checked_at,omitzero"`   // when the topics' ends were last asked for
}
