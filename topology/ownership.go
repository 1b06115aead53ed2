package topology

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

const ownershipName = "ownership.yaml"

// ownership checks each entry of ownership.yaml.
func (l *loader) ownership(t *Topology) {
	known := systemsOf(t)
	for _, field := range slices.Sorted(maps.Keys(t.Ownership)) {
		o := t.Ownership[field]
		if !slices.Contains(schemas.Fields(), field) {
			l.at(ownershipName, string(field), "unknown field %q: the fields are %s", field, join(schemas.Fields()))
			continue
		}
		l.owners(field, &o)
		l.conflict(field, &o)
		l.tolerance(field, &o)
		l.systems(field, &o, known)
		switch _, ok := t.Teams[o.Page]; {
		case o.Page == "":
			l.at(ownershipName, string(field), "%s has no page: name the team that decides when %s", field, whenOf(&o))
		case !ok:
			l.at(ownershipName, string(field), "%s pages team %q, which teams.yaml does not have", field, o.Page)
		}
	}
}

// whenOf is what a field's team is paged for.
func whenOf(o *Owner) string {
	if len(o.Owner) > 1 {
		return o.Owner.String() + " differ"
	}
	return "a copy differs"
}

// owners checks who owns a field, and when.
func (l *loader) owners(field schemas.Field, o *Owner) {
	if len(o.Owner) == 0 {
		l.at(ownershipName, string(field), "%s has no owner: name the system whose word counts", field)
	}
	l.distinct(field, string(field), "owner", o.Owner)
	l.distinct(field, string(field), "copies", o.Copies)
	for _, s := range o.Owner {
		if slices.Contains(o.Copies, s) {
			l.at(ownershipName, string(field), "%s is owned by %s, which is among its copies too: take it out there", field, s)
		}
	}
	owner, from := o.Owner, time.Time{}
	for i, tr := range o.Transfers {
		at := transferKey(field, i)
		l.distinct(field, at, "to", tr.To)
		switch {
		case len(tr.To) == 0:
			l.at(ownershipName, at, "a transfer of %s has no to: name the system that owns it then", field)
		case sameSystems(owner, tr.To):
			l.at(ownershipName, at, "a transfer of %s is to %s, which owns it already", field, tr.To)
		}
		switch {
		case tr.From.IsZero():
			l.at(ownershipName, at, "a transfer of %s has no from: write from when, such as 2026-12-01T00:00:00Z", field)
		case !tr.From.After(from):
			l.at(ownershipName, at, "a transfer of %s is from %s, not after the one before it: put the earliest first", field, tr.From.Format(time.RFC3339))
		}
		owner, from = tr.To, tr.From
	}
}

// transferKey is the place of a transfer in the file.
func transferKey(field schemas.Field, i int) string {
	return string(field) + ".transfers." + strconv.Itoa(i)
}

// distinct checks that a list names no system twice.
func (l *loader) distinct(field schemas.Field, at, key string, list []schemas.System) {
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			l.at(ownershipName, at, "%s names %s twice in %s", field, s, key)
		}
	}
}

func sameSystems(a, b Systems) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s schemas.System) bool { return !b.Has(s) })
}

// conflict checks what a field is shared by, and what becomes of a conflict.
func (l *loader) conflict(field schemas.Field, o *Owner) {
	shared := slices.ContainsFunc(o.Ever(), func(s Systems) bool { return len(s) > 1 })
	switch {
	case o.OnConflict != ConflictRefuse && o.OnConflict != ConflictPark:
		l.at(ownershipName, string(field), "on_conflict of %s is %q: write refuse or park", field, o.OnConflict)
	case o.OnConflict == ConflictPark && !shared:
		l.at(ownershipName, string(field), "%s has one owner and on_conflict: park: what others say of it is refused, and there is nothing to park", field)
	}
	switch {
	case shared && schemas.SetOf(field).States() == 0:
		l.at(ownershipName, string(field), "%s cannot be shared: each is said once, by one system; name one owner", field)
	case shared && !field.Comparable():
		l.at(ownershipName, string(field), "%s cannot be shared: what two systems say of it cannot be compared; name one owner", field)
	case shared && o.Tolerance != "":
		l.at(ownershipName, string(field), "%s is shared and has a tolerance: systems that share a field agree exactly; leave it out", field)
	}
}

// tolerance checks that a tolerance can count for the field's values.
func (l *loader) tolerance(field schemas.Field, o *Owner) {
	if o.Tolerance == "" {
		return
	}
	d, err := decimal.NewFromString(o.Tolerance)
	switch {
	case err != nil:
		l.at(ownershipName, string(field), "%s has tolerance %q, which is not a decimal: write 0.01; it counts in the currency of the amounts", field, o.Tolerance)
	case !field.IsMoney() && !field.IsCount():
		l.at(ownershipName, string(field), "%s has a tolerance, but its values are no amounts and no counts: leave it out", field)
	case d.IsNegative():
		l.at(ownershipName, string(field), "%s has tolerance %s: write the greatest difference, 0 or more", field, o.Tolerance)
	case field.IsMoney() && !d.Equal(d.Truncate(schemas.MoneyScale)):
		l.at(ownershipName, string(field), "%s has tolerance %s: an amount has at most %d decimals, so that this is no amount of any currency", field, o.Tolerance, schemas.MoneyScale)
	case field.IsCount() && !d.IsInteger():
		l.at(ownershipName, string(field), "%s has tolerance %s: it is a count, and differs by whole numbers", field, o.Tolerance)
	}
}

// systemsOf is every system that can speak or be spoken to: of sources and of integrations; nil where there is no source, as
// then others write the topics.
func systemsOf(t *Topology) []schemas.System {
	if len(t.Sources) == 0 {
		return nil
	}
	var out []schemas.System
	for i := range t.Sources {
		out = append(out, t.Sources[i].System)
	}
	for i := range t.Integrations {
		out = append(out, t.Integrations[i].System)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// systems checks that the systems of an entry exist.
func (l *loader) systems(field schemas.Field, o *Owner, known []schemas.System) {
	if known == nil {
		return
	}
	check := func(at string, list []schemas.System) {
		for _, s := range list {
			if !slices.Contains(known, s) {
				l.at(ownershipName, at, "unknown system %q of %s: no source and no integration has it; they have %s", s, field, join(known))
			}
		}
	}
	check(string(field), o.Owner)
	check(string(field), o.Copies)
	for i, tr := range o.Transfers {
		check(transferKey(field, i), tr.To)
	}
}

// unowned checks the list of fields that nobody owns: a field is in an entry or in the list.
func (l *loader) unowned(t *Topology, list []schemas.Field) {
	rest := false
	for _, field := range list {
		_, owned := t.Ownership[field]
		switch {
		case field == "*":
			rest = true
		case !slices.Contains(schemas.Fields(), field):
			l.at(ownershipName, "unowned", "unowned names the unknown field %q: the fields are %s", field, join(schemas.Fields()))
		case owned:
			l.at(ownershipName, "unowned", "%s is unowned and has an owner: take it out of one", field)
		}
	}
	var forgotten []schemas.Field
	for _, field := range schemas.Fields() {
		if _, owned := t.Ownership[field]; !owned && !slices.Contains(list, field) {
			forgotten = append(forgotten, field)
		}
	}
	if len(forgotten) > 0 && !rest {
		l.at(ownershipName, "unowned", "nothing is said of %s: give each an owner, or list it under unowned, and it is never propagated", join(forgotten))
	}
}
