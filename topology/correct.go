package topology

import (
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
)

// correct is the operation of corrections, which are not the integration's own step.
const correct = "correct"

// step is the operation of a route that names none.
func (r *Route) step(in *Integration) string {
	if len(r.Fields) > 0 {
		return correct
	}
	return in.Operation
}

// corrections checks which fields a route takes corrections of. A correction is one field, so that a route for whole states
// would send a request of nearly nothing.
func (l *loader) corrections(t *Topology, file, at string, r *Route) {
	l.notCorrected(file, at+".needs", r.Needs)
	l.notCorrected(file, at+".superseded_by", r.SupersededBy)
	some := slices.ContainsFunc(r.On, schemas.EventType.Corrects)
	switch {
	case !some && len(r.Fields) > 0:
		l.at(file, at+".fields", "fields is about corrections, and the route acts on none: take it out, or let the route act on order.corrected")
	case !some || r.Each:
	case len(r.Fields) == 0:
		l.at(file, at+".on", "a route on %s needs fields: the fields it takes corrections of, such as [order.payment_status]", join(r.On))
	case slices.ContainsFunc(r.On, func(et schemas.EventType) bool { return !et.Corrects() }):
		l.at(file, at+".on", "a route on corrections acts on nothing else, as a correction is one field: give %s a route of its own", join(r.On))
	case r.Once:
		l.at(file, at, "a route on corrections cannot be once: each is a decision of its own")
	}
	for _, field := range r.Fields {
		_, owned := t.Ownership[field]
		switch {
		case !slices.Contains(schemas.Fields(), field):
			l.at(file, at+".fields", "unknown field %q: the fields are %s", field, join(schemas.Fields()))
		case !field.Comparable():
			l.at(file, at+".fields", "what two systems say of %s cannot be compared, so nobody corrects it: take it out", field)
		case !owned:
			l.at(file, at+".fields", "%s has no owner in ownership.yaml, so nobody corrects it: give it one, or take it out", field)
		case !slices.ContainsFunc(r.On, func(et schemas.EventType) bool { return et.Topic() == field.Topic() }):
			l.at(file, at+".fields", "%s is of topic %s: let the route act on %s", field, field.Topic(), schemas.CorrectionOf(field.Topic()))
		}
	}
}

// apart checks that two routes do not act on one event: that would be two calls and two outcomes. Corrections are told apart
// by their fields.
func (l *loader) apart(file, at string, r, o *Route) {
	for _, et := range r.On {
		twice := slices.Contains(o.On, et) || et == RefundFull && slices.Contains(o.On, schemas.RefundSucceeded)
		if et.Corrects() && !r.Each && !o.Each && !slices.ContainsFunc(r.Fields, func(f schemas.Field) bool { return slices.Contains(o.Fields, f) }) {
			continue
		}
		if twice {
			l.at(file, at, "two routes act on %s: one event is one call", et)
		}
	}
}

// notCorrected refuses corrections where only what systems tell belongs.
func (l *loader) notCorrected(file, key string, types []schemas.EventType) {
	for _, et := range types {
		if et.Corrects() {
			l.at(file, key, "%s is a person's decision (seam disagreements accept), which no system tells and nothing waits for", et)
		}
	}
}

// noTeam keeps systems apart from teams, in whose names people speak.
func (l *loader) noTeam(file string, system schemas.System) {
	if _, ok := system.Team(); ok {
		l.at(file, "system", "system %q: names that begin with team: are those of people's corrections; choose another", system)
	}
}

// types is every type that rows of the format may get.
func (f *FileFormat) types() []schemas.EventType {
	out := []schemas.EventType{f.Type}
	for _, r := range f.Rules {
		out = append(out, r.Type)
	}
	return out
}
