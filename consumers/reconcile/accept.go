package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Accepting is what a person decides: whose value a field is to be.
type Accepting struct {
	Field  schemas.Field
	Object string // payment, refund, ... that the field is of
	Of     schemas.System
	// Team is whom the person speaks for. Default the team that ownership.yaml pages for the field, which is the only one that
	// may decide.
	Team     string
	Who, Why string
	Now      time.Time // our clock
}

// Acceptance is what a decision comes to: what is told to whom.
type Acceptance struct {
	Topic  string         `json:"topic"`
	Key    string         `json:"key"`
	Field  schemas.Field  `json:"field"`
	Object string         `json:"object,omitempty"`
	Of     schemas.System `json:"of"`
	Value  string         `json:"value"` // masked where it is personal
	Team   string         `json:"team"`
	Who    string         `json:"who"`
	Why    string         `json:"why"`
	// Already is true where the value was accepted before: there is nothing to do.
	Already bool              `json:"already"`
	Type    schemas.EventType `json:"type"`
	EventID schemas.EventID   `json:"event_id"` // of the correction; the same for the same decision about the same words
	// From is the event in which Of said the value.
	From  schemas.EventID `json:"from"`
	Told  []Telling       `json:"told"` // by integration
	Hand  []ByHand        `json:"by_hand"`
	Says  []Said          `json:"says"` // who says what now, the corrections of before among them
	event schemas.Event   // the correction, less its value
}

// Telling is an integration that delivers the correction.
type Telling struct {
	Integration string         `json:"integration"`
	System      schemas.System `json:"system"`
	Call        string         `json:"call"` // "PATCH http://erp/v1/orders/{event.subject}", or the folder of a file
}

// ByHand is a system that holds another value and that no integration tells.
type ByHand struct {
	System schemas.System `json:"system"`
	Why    string         `json:"why"`
}

// Accept says what a decision comes to, from what is known of its key. It does no I/O. An error names the mend: nobody differs,
// the system has said nothing, or the team is another's.
func Accept(topo *topology.Topology, o *Order, a Accepting) (*Acceptance, error) {
	of := fieldOf(a.Field, a.Object) + " of " + o.Key
	i := slices.IndexFunc(o.Fields, func(f Field) bool { return f.Field == a.Field && f.Object == a.Object })
	open := slices.DeleteFunc(slices.Clone(o.Disagreements), func(d Disagreement) bool {
		return d.Closed != nil || d.Field != a.Field || d.Object != a.Object
	})
	if i < 0 || len(open) == 0 {
		return nil, fmt.Errorf("nobody differs about %s now: seam order %s shows what is open", of, o.Key)
	}
	f, owner := o.Fields[i], topo.Ownership[a.Field]
	word := slices.IndexFunc(f.Said, func(s Said) bool { return s.System == a.Of })
	if _, team := a.Of.Team(); word < 0 || team {
		return nil, fmt.Errorf("%s has said nothing of %s: --of names one of those who have: %s", a.Of, of, strings.Join(voices(f.Said), ", "))
	}
	if a.Team = cmp.Or(a.Team, owner.Page); a.Team != owner.Page {
		return nil, fmt.Errorf("%s is %s's to decide, which ownership.yaml pages for it, and not %s's: let %s decide, or change page there", a.Field, owner.Page, a.Team, owner.Page)
	}
	said := f.Said[word]
	p := &Acceptance{Topic: o.Topic, Key: o.Key, Field: a.Field, Object: a.Object, Of: a.Of, Value: said.Value, Team: a.Team, Who: a.Who, Why: a.Why, Type: schemas.CorrectionOf(o.Topic), From: said.EventID,
		Told: []Telling{}, Hand: []ByHand{}, Says: f.Said}
	for _, d := range open {
		if d.Accepted == a.Of && d.AcceptedValue == said.Value {
			p.Already, p.Who, p.Why = true, d.Who, d.Why
		}
	}
	p.compose(&owner, f, a.Now)
	p.tell(topo, &owner, f)
	return p, nil
}

// voices is who says what.
func voices(list []Said) []string {
	var out []string
	for _, s := range list {
		if _, team := s.System.Team(); !team {
			out = append(out, fmt.Sprintf("%s (%s)", s.System, s.Value))
		}
	}
	return out
}

// compose makes the correction, less its value. Its id follows from the words that it is decided on, so that the same decision
// is the same event; the decision before it is one of them. By our clock it comes after all of them.
func (p *Acceptance) compose(owner *topology.Owner, f Field, now time.Time) {
	c := &schemas.Correction{Field: p.Field, Object: p.Object, Of: p.Of, Who: p.Who, Why: p.Why}
	about := []string{p.Topic, p.Key, string(p.Field), p.Object}
	words := append(slices.Clone(about), string(p.Of), string(p.From))
	now = now.UTC().Truncate(time.Microsecond)
	for _, s := range f.Said {
		if !now.After(s.SeenAt) {
			now = s.SeenAt.Truncate(time.Microsecond).Add(time.Microsecond)
		}
		_, team := s.System.Team()
		owns := slices.ContainsFunc(owner.Ever(), func(list topology.Systems) bool { return list.Has(s.System) })
		if owns {
			c.Basis = append(c.Basis, schemas.OwnerWord{System: s.System, Version: s.SourceVersion, Time: s.Time})
		}
		if owns || team {
			words = append(words, string(s.System), string(s.EventID))
		}
	}
	source, delivery := "/seam/people/"+p.Team, strings.Join(words, "|")
	p.EventID = schemas.NewEventID(source, delivery, "")
	p.event = schemas.Event{ID: p.EventID, Type: p.Type, Source: source, System: schemas.TeamSystem(p.Team), Subject: p.Key, Time: now, IngestedAt: now, SourceVersion: now.Format(time.RFC3339Nano),
		DeliveryID: delivery, BusinessID: strings.Join([]string{string(p.Type), p.Key, string(p.Field), string(p.EventID)}, "/"), CorrelationID: strings.Join(about, "|"), CausationID: string(p.From), Correction: c}
}

// tell says who is told, and who must be corrected by hand. Who says the accepted value holds it; where that is an owner's, so
// does everyone who has said nothing, as its integration was told by the owner.
func (p *Acceptance) tell(topo *topology.Topology, owner *topology.Owner, f Field) {
	value := plain(p.Value)
	holds, others := []schemas.System{}, []schemas.System{}
	for _, s := range f.Said {
		if _, team := s.System.Team(); team {
			continue
		}
		if s.System == p.Of || agrees(plain(s.Value), value, owner.Tolerance) {
			holds = append(holds, s.System)
		} else {
			others = append(others, s.System)
		}
	}
	owners := owner.At(p.event.Time)
	won := owners.Has(p.Of)
	silent := func(s schemas.System) bool { return !slices.Contains(holds, s) && !slices.Contains(others, s) }
	for i := range topo.Integrations {
		in := &topo.Integrations[i]
		route := in.Correcting(p.Type, p.Field)
		if route == nil {
			continue
		}
		if won && !route.Each && silent(in.System) {
			holds = append(holds, in.System)
		}
		if route.Each || !slices.Contains(holds, in.System) {
			p.Told = append(p.Told, Telling{in.Name, in.System, callOf(route)})
		}
	}
	if !won {
		for _, s := range append(slices.Clone(owners), owner.Copies...) {
			if silent(s) {
				others = append(others, s)
			}
		}
	}
	p.event.Correction.Held = holds
	for _, s := range others {
		if why := untold(topo, p, s); why != "" {
			p.Hand = append(p.Hand, ByHand{s, why})
		}
	}
}

// plain is a value by its text for people.
func plain(text string) value { return value{shown: unique.Make(text)} }

// callOf is how a route delivers.
func callOf(r *topology.Route) string {
	if r.HTTP != nil {
		return r.HTTP.Method + " " + r.HTTP.URL
	}
	return "a row in " + r.File.Dir
}

// untold is why no integration tells a system of a correction; empty where one does.
func untold(topo *topology.Topology, p *Acceptance, system schemas.System) string {
	why := fmt.Sprintf("no integration delivers %s to it", p.Type)
	for i := range topo.Integrations {
		in := &topo.Integrations[i]
		route := in.Correcting(p.Type, p.Field)
		switch {
		case in.System != system:
		case route != nil && !route.Each:
			return ""
		case slices.Contains(in.Subscribes(), p.Type):
			why = fmt.Sprintf("integration %s takes no corrections of %s", in.Name, p.Field)
		}
	}
	return why
}

// ErrNoValue is the error for a word whose value is not to be had any more.
var ErrNoValue = errors.New("its value is not there any more: correct the systems by hand")

// Correction is the event that tells the decision, with the value as the event From has it: views keep personal values as masks,
// which are never sent. ErrNoValue when From does not say what is known of it.
func (p *Acceptance) Correction(from *schemas.Event) (*schemas.Event, error) {
	ev := p.event
	fault := fmt.Errorf("%s as %s said it in event %s: %w", fieldOf(p.Field, p.Object), p.Of, p.From, ErrNoValue)
	text, ok := schemas.ValueOf(from, p.Field)
	switch {
	case from.ID != p.From || !ok || newValue(p.Field, text).text() != p.Value || schemas.ObjectOf(from, p.Field) != p.Object:
		return nil, fault
	case !schemas.Only(&ev, from, p.Field) || schemas.ObjectOf(&ev, p.Field) != p.Object:
		return nil, fault
	}
	return &ev, nil
}
