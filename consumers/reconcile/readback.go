package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// ReadBack is what the newest read of a call's record found.
type ReadBack struct {
	Integration string          `json:"integration"`
	Operation   string          `json:"operation"`
	Of          schemas.EventID `json:"of"` // the event whose call it was
	Reference   string          `json:"reference,omitempty"`
	Result      string          `json:"result"` // found, missing or failed: see schemas.ReadBack
	Detail      string          `json:"detail,omitempty"`
	EventID     schemas.EventID `json:"event_id"` // of the observation
	Time        time.Time       `json:"time"`     // of the record by the system's own clock, of the reading where it tells none
	SeenAt      time.Time       `json:"seen_at"`  // of the reading, our clock
	AgeSeconds  int64           `json:"age_seconds"`
	Says        []ReadWord      `json:"says,omitempty"`
}

// ReadWord is what it says of one owned field.
type ReadWord struct {
	Field  schemas.Field `json:"field"`
	Object string        `json:"object,omitempty"`
	Value  string        `json:"value"` // masked where it is personal
}

// readBackOf is an event's read-back; nil for all that is not Seam's own: what another source sends under that type counts as
// its word on fields, and as nothing more.
func readBackOf(ev *schemas.Event) *schemas.ReadBack {
	rb := ev.ReadBack
	if ev.Type != schemas.OrderObserved || rb == nil || ev.Source != schemas.ReadBackSource(rb.Integration) {
		return nil
	}
	c := *rb
	c.Integration, c.Operation, c.Result, c.Detail = intern(c.Integration), intern(c.Operation), intern(c.Result), schemas.MaskText(c.Detail)
	return &c
}

// readsOf is the read-backs of a timeline.
func readsOf(line []*fact) []*fact {
	var out []*fact
	for _, ev := range line {
		if ev.read != nil {
			out = append(out, ev)
		}
	}
	return out
}

// newestRead is the read-back that told last of the record of a call; nil for none. They are in the order of our clock.
func newestRead(reads []*fact, integration string, of schemas.EventID) *fact {
	var last *fact
	for _, ev := range reads {
		if ev.read.Integration == integration && ev.read.EventID == of {
			last = ev
		}
	}
	return last
}

// readBack lets an answer say what a read-back found: a call whose record is not there has had no effect, whatever was
// answered, unless it was taken back since.
func (f *Fold) readBack(a *Answer, integration string, reads []*fact) {
	if a.Kind != schemas.Delivered && a.Kind != schemas.AlreadyDone {
		return
	}
	ev := newestRead(reads, integration, a.EventID)
	if ev == nil {
		return
	}
	if a.ReadBack = ev.read.Result; a.ReadBack != schemas.ReadMissing || f.undone(integration, a.Operation) {
		return
	}
	a.State, a.Since = StateMissing, &ev.IngestedAt
	a.Detail = "it was answered, and a read-back at " + ev.IngestedAt.Format(clockForm) + " does not find what the call made"
}

// undone tells whether an integration has taken an operation back.
func (f *Fold) undone(integration, operation string) bool {
	in := f.topo.Integration(integration)
	if in == nil {
		return false
	}
	for k, a := range f.answers {
		last := a.latest()
		if k.integration != integration || last == nil || last.made == nil || last.kind != schemas.Delivered && last.kind != schemas.AlreadyDone {
			continue
		}
		for i := range in.Deliver {
			if r := &in.Deliver[i]; r.Undoes == operation && r.Operation == last.made.operation {
				return true
			}
		}
	}
	return false
}

// readBacks is the newest read of each call's record, sorted by integration and operation.
func readBacks(reads []*fact, now time.Time) []ReadBack {
	var out []ReadBack
	for _, ev := range reads {
		if newestRead(reads, ev.read.Integration, ev.read.EventID) != ev {
			continue
		}
		r := ev.read
		said := ev.Time
		if said.IsZero() || ev.IngestedAt.Before(said) {
			said = ev.IngestedAt
		}
		n := ReadBack{Integration: r.Integration, Operation: r.Operation, Of: r.EventID, Reference: r.Reference, Result: r.Result, Detail: r.Detail, EventID: ev.ID, Time: ev.Time, SeenAt: ev.IngestedAt,
			AgeSeconds: max(0, int64(now.Sub(said)/time.Second))}
		for _, w := range ev.said {
			n.Says = append(n.Says, ReadWord{w.field, w.object, w.value.text()})
		}
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b ReadBack) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Operation, b.Operation))
	})
	return out
}

// readRows is a tab-separated line per read-back.
func (o *Order) readRows() []string {
	var out []string
	for _, r := range o.ReadBacks {
		says := r.Detail
		for _, w := range r.Says {
			says += ", " + strings.TrimSpace(string(w.Field)+" "+w.Object) + " " + w.Value
		}
		out = append(out, cells(r.Integration+"/"+r.Operation+" "+r.Reference, r.Result, r.Time.Format(clockForm), r.SeenAt.Format(clockForm), about(time.Duration(r.AgeSeconds)*time.Second).String(), strings.TrimPrefix(says, ", ")))
	}
	return out
}

// readBackText marks an event as a read-back.
func readBackText(r *schemas.ReadBack) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s/%s: %s", r.Integration, r.Operation, r.Result)
}
