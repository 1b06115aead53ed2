package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// correctionOf is what an event tells of a person's decision; nil for all others.
func correctionOf(ev *schemas.Event) *Correction {
	if _, team := ev.System.Team(); !team || !ev.Type.Corrects() || ev.Correction == nil {
		return nil
	}
	c := ev.Correction
	out := &Correction{Field: c.Field, Object: c.Object, Of: c.Of, Held: append([]schemas.System{}, c.Held...), Basis: []Basis{}, Who: c.Who, Why: schemas.MaskText(c.Why)}
	for _, b := range c.Basis {
		out.Basis = append(out.Basis, Basis{b.System, b.Version, b.Time})
	}
	return out
}

// covers tells whether an owner's word was known, or an older one than that was, when a person decided.
func (c *Correction) covers(ev *fact) bool {
	for _, b := range c.Basis {
		if b.System == ev.System {
			return schemas.OwnerWord{System: b.System, Version: b.SourceVersion, Time: b.Time}.Covers(ev.SourceVersion, ev.Time)
		}
	}
	return false
}

// owned tells whether a word's system owned the field when it said it.
func (l *fieldLine) owned(s *said) bool { return l.owner.At(s.ev.Time).Has(s.ev.System) }

// correct takes in a person's decision of what the field is, unless a later one is known, or an owner has said something newer
// than the person knew.
func (l *fieldLine) correct(s *said) {
	if s.ev.Correction.Field != l.field || l.fix != nil && s.ev.Time.Before(l.fix.ev.Time) {
		return
	}
	for _, word := range l.newest {
		if l.owned(word) && !s.ev.Correction.covers(word.ev) && l.owner.Reign(word.ev.Time) >= l.owner.Reign(s.ev.Time) {
			return
		}
	}
	l.fix = s
	l.settle(s.ev.IngestedAt)
}

// settle holds every system against the corrected value at a time: two disagree no more once the system and the owner both say
// it.
func (l *fieldLine) settle(at time.Time) {
	own := l.own
	if own == nil {
		own = l.fix // no owner has spoken: a correction of a word that retention took
	}
	round := agrees(own.value, l.fix.value, l.owner.Tolerance)
	for _, system := range slices.Sorted(maps.Keys(l.newest)) {
		if word := l.newest[system]; system != own.ev.System {
			l.mark(round && agrees(word.value, l.fix.value, l.owner.Tolerance), &span{system: system, by: own.ev.System, owner: own, other: word, since: at, fix: l.fix})
		}
	}
}

// lift ends a correction when an owner says something newer than the person knew. What differs from then on opens anew.
func (l *fieldLine) lift(s *said) {
	if l.fix == nil || !l.owned(s) || l.fix.ev.Correction.covers(s.ev) || l.owner.Reign(s.ev.Time) < l.owner.Reign(l.fix.ev.Time) {
		return
	}
	l.fix = nil
	for i := range l.spans {
		if sp := &l.spans[i]; sp.fix != nil && sp.closed.IsZero() {
			sp.closed, sp.over = s.ev.IngestedAt, true
		}
	}
	for _, system := range slices.Sorted(maps.Keys(l.newest)) {
		if l.own != nil {
			l.compare(system, l.own, l.newest[system], s.ev.IngestedAt)
		}
	}
}

// deadline is until when two may differ: from when they began, or from when a person accepted a value.
func (l *fieldLine) deadline(s *span) time.Time {
	since := s.since
	if s.fix != nil && s.fix.ev.IngestedAt.After(since) {
		since = s.fix.ev.IngestedAt
	}
	return since.Add(l.owner.AgreeWithin.D())
}

// amended is the fact of a field that a person corrected: who says another value must come round to it.
func (l *fieldLine) amended(known time.Time) Fact {
	f := Fact{Field: l.field, Object: l.object, Owner: l.fix.ev.System, Masked: personal[l.field], Agree: AgreeYes, Ask: l.owner.Page}
	f.fill(l.fix, known)
	since := l.fix.ev.IngestedAt
	deadline := since.Add(l.owner.AgreeWithin.D())
	for _, system := range slices.Sorted(maps.Keys(l.newest)) {
		word := l.newest[system]
		if agrees(word.value, l.fix.value, l.owner.Tolerance) {
			continue
		}
		o := word.other(system)
		o.Since, o.Deadline = &since, &deadline
		f.Agree, f.Others, f.Overdue = AgreeNo, append(f.Others, o), f.Overdue || known.After(deadline)
	}
	return f
}

func storeCorrection(c *Correction) *storedCorrection {
	if c == nil {
		return nil
	}
	s := &storedCorrection{Field: string(c.Field), Object: c.Object, Of: string(c.Of), Held: texts(c.Held), Who: c.Who, Why: c.Why}
	for _, b := range c.Basis {
		s.Basis = append(s.Basis, storedBasis{System: string(b.System), Version: b.SourceVersion, Time: micros(b.Time)})
	}
	return s
}

func (s *storedCorrection) correction() *Correction {
	if s == nil {
		return nil
	}
	c := &Correction{Field: schemas.Field(s.Field), Object: s.Object, Of: schemas.System(s.Of), Held: append([]schemas.System{}, words[schemas.System](s.Held)...), Basis: []Basis{}, Who: s.Who, Why: s.Why}
	for _, b := range s.Basis {
		c.Basis = append(c.Basis, Basis{schemas.System(b.System), b.Version, fromMicros(b.Time)})
	}
	return c
}

// texts and words turn a list of typed texts into one of plain ones, and back; nil stays nil.
func texts[T ~string](list []T) []string { return words[string](list) }

func words[T, F ~string](list []F) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(list))
	for i, s := range list {
		out[i] = T(s)
	}
	return out
}
