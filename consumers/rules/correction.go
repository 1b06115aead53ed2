package rules

import (
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// ofTotal is the field that tells a full refund.
var ofTotal = schemas.SetOf("order.total")

// corrects tells whether an event is a person's correction: made in the name of a team, of one field, and saying just that.
func corrects(ev *schemas.Event) bool {
	_, team := ev.System.Team()
	return team && ev.Type.Corrects() && ev.Correction != nil && schemas.Says(ev) == schemas.SetOf(ev.Correction.Field)
}

// misdirected finds corrections that are not for the downstream: it holds the value already, or no route of it takes the
// field. A route that writes down each event takes them all.
func misdirected(in *topology.Integration, ev *schemas.Event) (Decision, bool) {
	switch {
	case !ev.Type.Corrects():
		return Decision{}, false
	case ev.Sealed != nil && schemas.Says(ev) == ev.SealedSays:
		return finish(schemas.Withheld, schemas.ReasonErased, "its personal data is erased"), true
	case !corrects(ev):
		return finish(schemas.Withheld, schemas.ReasonNotOwner, "it does not say just the field that it corrects"), true
	}
	c := ev.Correction
	route := in.Correcting(ev.Type, c.Field)
	var d Decision
	switch {
	case route == nil:
		d = finish(schemas.Withheld, schemas.ReasonNotTaken, "no route of %s takes a correction of %s: fields does not list it", in.Name, c.Field)
	case !route.Each && slices.Contains(c.Held, in.System):
		d = finish(schemas.Withheld, schemas.ReasonHeld, "%s holds the value that was accepted, which is %s's", in.System, c.Of)
	default:
		return d, false
	}
	d.Withheld, d.Why = []string{string(c.Field)}, []schemas.Reason{d.Reason}
	return d, true
}

// correct notes a person's decision, unless a later one is known. What the field's owners said until then counts no more.
func (o *Owners) correct(entry *schemas.LedgerEntry, ev *schemas.Event) {
	c := ev.Correction
	now := schemas.Corrected{Field: c.Field, Object: c.Object, EventID: ev.ID, At: ev.Time, Basis: c.Basis}
	same := func(x schemas.Corrected) bool { return x.Field == c.Field && x.Object == c.Object }
	if i := slices.IndexFunc(entry.Corrections, same); i >= 0 && entry.Corrections[i].At.After(now.At) {
		return
	}
	entry.Corrections = append(slices.DeleteFunc(slices.Clone(entry.Corrections), same), now)
	if named := (schemas.Applied{System: entry.TotalSystem, Version: entry.TotalVersion, Time: entry.TotalTime}); c.Field == "order.total" && !outdated(ev, &named) {
		entry.OrderTotal, entry.TotalVersion, entry.TotalSystem, entry.TotalTime = ev.Order.Total, ev.SourceVersion, ev.System, ev.Time
	}
	entry.Shared = slices.DeleteFunc(slices.Clone(entry.Shared), func(w schemas.SharedWord) bool {
		if w.Field != c.Field {
			return false
		}
		for _, b := range c.Basis {
			if order, ok := schemas.CompareVersions(w.Version, b.Version); b.System == w.System && ok && order > 0 {
				return false // said meanwhile
			}
		}
		return true
	})
}

// overruled is the part of a set of which a person decided otherwise, who knew the state that the event tells, or a newer one
// of its system. Versions of two systems cannot be compared: a correction therefore names the versions of the owners that it
// was decided against. Of corrections the later counts.
func overruled(entry *schemas.LedgerEntry, ev *schemas.Event, set schemas.FieldSet) (out schemas.FieldSet) {
	for i := range entry.Corrections {
		c := &entry.Corrections[i]
		bit := schemas.SetOf(c.Field) & set
		if bit == 0 || c.Object != schemas.ObjectOf(ev, c.Field) {
			continue
		}
		if corrects(ev) && ev.Time.Before(c.At) || schemas.Covered(c.Basis, ev.System, ev.SourceVersion, ev.Time) {
			out |= bit
		}
	}
	return out
}

// outdated tells whether what stands in the downstream is newer than a correction: its owner's, who said it after what was
// decided against, or a later correction.
func outdated(ev *schemas.Event, than *schemas.Applied) bool {
	if _, team := than.System.Team(); team {
		return ev.Time.Before(than.Time)
	}
	return slices.ContainsFunc(ev.Correction.Basis, func(w schemas.OwnerWord) bool {
		return w.System == than.System && !w.Covers(than.Version, than.Time)
	})
}
