package reconcile

import (
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// The states of a disagreement.
const (
	DisagreementOpened       = "opened"       // it is tolerated until its deadline
	DisagreementOverdue      = "overdue"      // its team is asked
	DisagreementAcknowledged = "acknowledged" // somebody is at it: nobody else is asked
	DisagreementAccepted     = "accepted"     // a person accepted a value, and the others have until the deadline to come round
	DisagreementWaived       = "waived"       // a person let it be so until a time
	DisagreementClosed       = "closed"       // the values agree
)

// decision is what a person decided about disagreements of the key.
type decision struct {
	at       Position // in the commands topic
	kind     schemas.CommandKind
	field    schemas.Field
	object   string
	system   schemas.System // empty: whoever differs
	who, why string
	time     time.Time
	until    *time.Time
}

// Decide adds a person's decision, which stands at a position of the commands topic. One about parked events is not for here.
func (f *Fold) Decide(c *schemas.Command, at Position) {
	if c.Kind != schemas.Acknowledge && c.Kind != schemas.Waive {
		return
	}
	for i := range f.decisions {
		if f.decisions[i].at == at {
			return
		}
	}
	f.decisions = append(f.decisions, decision{at, c.Kind, c.Field, c.Object, c.System, c.Who, c.Why, c.At, c.Until})
}

// decided says the state of a disagreement: the newest decision counts that was made while it was open, and since a value was
// accepted.
func (f *Fold) decided(d *Disagreement, now time.Time) {
	var last *decision
	for i := range f.decisions {
		c := &f.decisions[i]
		later := d.AcceptedAt == nil || c.time.After(*d.AcceptedAt)
		mine := later && c.field == d.Field && c.object == d.Object && (c.system == "" || c.system == d.System) && !c.time.Before(d.Since) && (d.Closed == nil || !c.time.After(*d.Closed))
		if mine && (last == nil || last.at.compare(c.at) < 0) {
			last = c
		}
	}
	d.State = DisagreementOpened
	switch {
	case d.Overdue:
		d.State = DisagreementOverdue
	case d.Accepted != "":
		d.State = DisagreementAccepted
	}
	if last != nil {
		who, why := d.Who, d.Why // of who accepted a value
		d.Who, d.Why = last.who, schemas.MaskText(last.why)
		switch {
		case last.kind == schemas.Acknowledge:
			d.State = DisagreementAcknowledged
		case last.until == nil || now.Before(*last.until):
			d.State, d.WaivedUntil = DisagreementWaived, last.until
		default: // the waiver is over
			d.Who, d.Why = who, why
		}
	}
	if d.Closed != nil {
		d.State = DisagreementClosed
	}
}
