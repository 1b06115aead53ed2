package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// sift is what an event says of fields, by what keeps it from the downstream.
type sift struct {
	said     schemas.FieldSet
	foreign  schemas.FieldSet // not the speaker's, or nobody's
	theirs   schemas.FieldSet // the speaker's, but the downstream owns it itself
	stale    schemas.FieldSet // older than what stands in the downstream
	ruled    schemas.FieldSet // those of stale that a person decided otherwise, who knew what the event says
	conflict schemas.FieldSet // shared, and another that shares it says another value
	forced   schemas.FieldSet // as conflict, but to be sent all the same
}

// left is what may be sent.
func (s *sift) left() schemas.FieldSet {
	return s.said &^ (s.foreign | s.theirs | s.stale | s.conflict)
}

// barren tells that the event speaks of fields and none may be sent.
func (s *sift) barren() bool { return s.said != 0 && s.left() == 0 }

// withheld names what is not sent, and why, in the order of the model.
func (s *sift) withheld(own *Owners) ([]string, []schemas.Reason) {
	drop := s.said &^ s.left()
	if drop == 0 {
		return nil, nil
	}
	names := drop.Names()
	reasons := make([]schemas.Reason, 0, len(names))
	for _, field := range drop.All() {
		reason := schemas.ReasonNotOwner
		switch bit := schemas.SetOf(field); {
		case bit&own.nobody != 0:
			reason = schemas.ReasonNobodys
		case bit&s.theirs != 0:
			reason = schemas.ReasonOwn
		case bit&s.ruled != 0:
			reason = schemas.ReasonCorrected
		case bit&s.stale != 0:
			reason = schemas.ReasonStale
		case bit&s.conflict != 0:
			reason = schemas.ReasonConflict
		}
		reasons = append(reasons, reason)
	}
	return names, reasons
}

// owned parts what the event says into what its system may write into the downstream, and what not. What the downstream
// owns by now is kept from it as well: an event of before it took the field over may be late. A person may correct any field,
// of its owner too.
func owned(in *topology.Integration, own *Owners, f Facts) sift {
	ev, s := f.Event, sift{said: schemas.Says(f.Event)}
	if ev.Type.Corrects() {
		if !corrects(ev) {
			s.foreign = s.said
		}
		return s
	}
	s.foreign = s.said &^ own.By(ev.System, ev.Time)
	s.theirs = s.said &^ s.foreign & own.By(in.System, ev.Time)
	if own.timed != 0 {
		s.theirs |= s.said &^ s.foreign & own.By(in.System, f.Now)
	}
	return s
}

// refuse takes out of what is left what a route may not send now. A request that is made once, or for each event, tells
// what its own event says: a newer state is another event's to tell. A person may force a shared value, and what was
// perhaps sent before is sent again as it was.
func (s *sift) refuse(own *Owners, route *topology.Route, f Facts) {
	newest := !route.Once && !route.Each && !f.evenStale()
	if !route.Once && !route.Each {
		s.ruled = overruled(f.Entry, f.Event, s.left())
		s.stale = s.ruled
	}
	if newest {
		s.stale |= own.stale(f.Entry, f.Event, s.left().States())
	}
	if own.shared == 0 || f.Event.Type.Corrects() {
		return
	}
	stale, conflict := own.differ(f.Entry, f.Event, s.left()&own.shared)
	if newest {
		s.stale |= stale
	}
	if conflict &^= s.stale; f.Released || f.Attempted {
		s.forced = conflict
	} else {
		s.conflict = conflict
	}
}

// stale is the part of a set that the event says in a version older than the one that stands in the downstream, or against a
// person's decision.
func (o *Owners) stale(entry *schemas.LedgerEntry, ev *schemas.Event, set schemas.FieldSet) (out schemas.FieldSet) {
	out = overruled(entry, ev, set)
	for i := range entry.Applied {
		a := &entry.Applied[i]
		both := a.Fields & set
		if both == 0 {
			continue
		}
		switch {
		case corrects(ev) && outdated(ev, a):
			out |= both
			continue
		case a.System == ev.System:
			if older(nil, ev, a) {
				out |= both
			}
			continue
		}
		for place, field := range both.All() {
			if older(&o.of[place], ev, a) {
				out |= schemas.SetOf(field)
			}
		}
	}
	return out
}

// older tells whether an event's state of a field is older than another: of one system by source version, of two by the time
// since which each owned the field; owner may be nil for one system. What cannot be compared is not older.
func older(owner *topology.Owner, ev *schemas.Event, than *schemas.Applied) bool {
	if ev.System == than.System {
		order, ok := schemas.CompareVersions(ev.SourceVersion, than.Version)
		return ok && order < 0
	}
	return owner.Reign(ev.Time) < owner.Reign(than.Time)
}

// listen keeps what a system says of fields that it shares, unless it has said something newer.
func (o *Owners) listen(entry *schemas.LedgerEntry, ev *schemas.Event) {
	said := schemas.Says(ev) & o.shared & o.By(ev.System, ev.Time)
	said &^= overruled(entry, ev, said)
	for _, field := range said.All() {
		text, ok := schemas.ValueOf(ev, field)
		if !ok {
			continue
		}
		word := schemas.SharedWord{Field: field, System: ev.System, Version: ev.SourceVersion, Digest: digest(field, text)}
		i, found := slices.BinarySearchFunc(entry.Shared, word, bySpeaker)
		if !found {
			entry.Shared = slices.Insert(slices.Clone(entry.Shared), i, word)
			continue
		}
		if order, ok := schemas.CompareVersions(ev.SourceVersion, entry.Shared[i].Version); !ok || order >= 0 {
			entry.Shared = slices.Clone(entry.Shared)
			entry.Shared[i] = word
		}
	}
}

func bySpeaker(a, b schemas.SharedWord) int {
	return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.System, b.System))
}

// digest is equal for values that are equal in their form, and tells nothing of them.
func digest(field schemas.Field, text string) string {
	sum := sha256.Sum256([]byte(schemas.Form(field, text)))
	return hex.EncodeToString(sum[:16])
}

// differ finds, among shared fields of a set, those of which the event's system has said something newer, and those of which
// another that shares it says another value.
func (o *Owners) differ(entry *schemas.LedgerEntry, ev *schemas.Event, set schemas.FieldSet) (stale, conflict schemas.FieldSet) {
	for place, field := range set.All() {
		text, ok := schemas.ValueOf(ev, field)
		if !ok {
			continue
		}
		owners, value := o.of[place].At(ev.Time), digest(field, text)
		for _, w := range entry.Shared {
			if w.Field != field || !owners.Has(w.System) {
				continue
			}
			order, ok := schemas.CompareVersions(ev.SourceVersion, w.Version)
			switch {
			case w.System == ev.System && ok && order < 0:
				stale |= schemas.SetOf(field)
			case w.System != ev.System && w.Digest != value:
				conflict |= schemas.SetOf(field)
			}
		}
	}
	return stale, conflict
}

// Apply notes in an entry that an event's fields stand in the downstream: of them, what is older is refused from now on.
// forced is those that a person wanted there though systems that share them differ: what the others said until then counts
// no more.
func Apply(own *Owners, entry *schemas.LedgerEntry, route *topology.Route, ev *schemas.Event, fields, forced schemas.FieldSet) {
	if forced != 0 {
		entry.Shared = slices.DeleteFunc(slices.Clone(entry.Shared), func(w schemas.SharedWord) bool {
			return w.System != ev.System && schemas.SetOf(w.Field)&forced != 0
		})
	}
	if route.Each {
		return
	}
	set := fields.States()
	set &^= own.stale(entry, ev, set) // what is made once may tell of an older state
	for i := range entry.Applied {
		if a := &entry.Applied[i]; ev.SourceVersion == "" && a.System == ev.System {
			set &^= a.Fields // it cannot be compared, and the version known still can
		}
	}
	if set == 0 {
		return
	}
	next := make([]schemas.Applied, 0, len(entry.Applied)+1)
	now := schemas.Applied{System: ev.System, Version: ev.SourceVersion, Time: ev.Time, Fields: set}
	for _, a := range entry.Applied {
		switch {
		case a.System == now.System && a.Version == now.Version:
			now.Fields |= a.Fields
		case a.Fields&^set != 0:
			a.Fields &^= set
			next = append(next, a)
		}
	}
	entry.Applied = append(next, now)
}
