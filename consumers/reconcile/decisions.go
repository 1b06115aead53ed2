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

// decided says the state of a disagreement: the newest decision counts that was made while it was open.
func (f *Fold) decided(d *Disagreement, now time.Time) {
	var last *decision
	for i := range f.decisions {
		c := &f.decisions[i]
		mine := c.field == d.Field && c.object == d.Object && (c.system == "" || c.system == d.System) && !c.time.Before(d.Since) && (d.Closed == nil || !c.time.After(*d.Closed))
		if mine && (last == nil || last.at.compare(c.at) < 0) {
			last = c
		}
	}
	d.State = DisagreementOpened
	if d.Overdue {
		d.State = DisagreementOverdue
	}
	if last != nil {
		d.Who, d.Why = last.who, schemas.MaskText(last.why)
		switch {
		case last.kind == schemas.Acknowledge:
			d.State = DisagreementAcknowledged
		case last.until == nil || now.Before(*last.until):
			d.State, d.WaivedUntil = DisagreementWaived, last.until
		default: // the waiver is over
			d.Who, d.Why = "", ""
		}
	}
	if d.Closed != nil {
		d.State = DisagreementClosed
	}
}
