package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Derived is an event that somebody made from facts that were given to it: what an AI step wrote.
type Derived struct {
	EventID   schemas.EventID   `json:"event_id"`
	EventType schemas.EventType `json:"event_type"`
	System    schemas.System    `json:"system"`
	FactsID   string            `json:"facts_id,omitempty"` // as it says
	FactsAt   *time.Time        `json:"facts_at,omitempty"` // as it says
	Given     Given             `json:"given"`
	Detail    string            `json:"detail,omitempty"` // why not yes
	By        string            `json:"by,omitempty"`     // integration whose call carried them
	Facts     *FactsUsed        `json:"facts,omitempty"`
	Page      string            `json:"page,omitempty"` // team that is asked where it is no
}

// Given is whether the facts that somebody names are those that were given to it.
type Given string

// The answers.
const (
	GivenYes     Given = "yes"
	GivenNo      Given = "no"      // a call was made and carried others, or says another age
	GivenUnknown Given = "unknown" // it names none, or what was given is not known yet, or not any more
)

// FactsUsed is the facts that a call carried: whose word each was, and how old. It holds no values.
type FactsUsed struct {
	ID      string     `json:"id"`
	KnownAt time.Time  `json:"known_at"` // ages are as of then
	AskedAt time.Time  `json:"asked_at"` // when they were judged
	FactsAt *time.Time `json:"facts_at,omitempty"`
	Facts   []FactUsed `json:"facts"`
}

// FactUsed is one of FactsUsed.
type FactUsed struct {
	Field         schemas.Field  `json:"field"`
	Object        string         `json:"object,omitempty"`
	SKU           string         `json:"sku,omitempty"`
	Owner         schemas.System `json:"owner"`
	SourceVersion string         `json:"source_version,omitempty"`
	AsOf          time.Time      `json:"as_of,omitzero"` // source clock
	AgeSeconds    int64          `json:"age_seconds"`
	Agree         Agreement      `json:"agree"`
}

func usedOf(s *schemas.FactsSeen) *FactsUsed {
	if s == nil {
		return nil
	}
	out := &FactsUsed{ID: s.ID, KnownAt: s.KnownAt, AskedAt: s.AskedAt, FactsAt: s.FactsAt, Facts: []FactUsed{}}
	for _, x := range s.Facts {
		out.Facts = append(out.Facts, FactUsed{x.Field, x.Object, x.SKU, x.Owner, x.SourceVersion, x.AsOf, x.AgeSeconds, Agreement(x.Agree)})
	}
	return out
}

// origin is what an event says of the facts it was made from.
type origin struct {
	id string
	at time.Time // zero where it does not say
}

func originOf(ev *schemas.Event) *origin {
	if ev.Enrichment == nil {
		return nil
	}
	o := &origin{id: ev.Enrichment.FactsID}
	if at := ev.Enrichment.FactsAt; at != nil {
		o.at = at.UTC()
	}
	return o
}

// derived is every event that was made from facts, in the order of a timeline, held to what the integrations of an order gave.
func (f *Fold) derived(o *Order, line []*fact) []Derived {
	var out []Derived
	for _, ev := range line {
		if ev.origin == nil {
			continue
		}
		d := Derived{EventID: ev.ID, EventType: ev.Type, System: ev.System, FactsID: ev.origin.id}
		if !ev.origin.at.IsZero() {
			d.FactsAt = &ev.origin.at
		}
		f.given(&d, o)
		out = append(out, d)
	}
	return out
}

// given finds the call that carried the facts which an event names.
func (f *Fold) given(d *Derived, o *Order) {
	d.Given, d.Detail = GivenUnknown, "it names no facts"
	if d.FactsID == "" {
		return
	}
	d.Detail, d.Page = "what was given to it is not known yet", f.topo.Ownership["order.enrichment"].Page
	ended := false
	for _, k := range f.answerKeys() {
		a := f.answers[k]
		in := f.topo.Integration(k.integration)
		for _, x := range a.outcomes {
			if x.made == nil || x.made.facts == nil {
				continue
			}
			if used := x.made.facts; used.ID == d.FactsID {
				d.Given, d.By, d.Facts, d.Detail = GivenYes, k.integration, used, ""
				if d.FactsAt != nil && used.FactsAt != nil && !d.FactsAt.Equal(*used.FactsAt) {
					d.Given, d.Detail = GivenNo, fmt.Sprintf("it says that its oldest fact is of %s, and was given one of %s", d.FactsAt.Format(clockForm), used.FactsAt.Format(clockForm))
				}
				return
			}
		}
		if in != nil && in.TellsFacts() && (in.System == d.System || d.System == "") && a.latest() != nil && a.latest().kind.Final() {
			ended = true
		}
	}
	if open := o.integration(string(d.System)); ended && (open == nil || open.State == StateComplete) {
		d.Given, d.Detail = GivenNo, "no call to it carried these facts"
	}
}

// answerKeys is the keys of all answers, sorted.
func (f *Fold) answerKeys() []answerKey {
	return slices.SortedFunc(maps.Keys(f.answers), func(a, b answerKey) int {
		return cmp.Or(cmp.Compare(a.integration, b.integration), cmp.Compare(a.event, b.event))
	})
}

// judgeDerived says what was made from facts that were never given.
func (o *Order) judgeDerived() {
	var names []string
	for _, d := range o.Derived {
		if d.Given != GivenNo {
			continue
		}
		if names = append(names, string(d.EventType)+" ("+string(d.System)+")"); d.Page != "" {
			o.Pages = append(o.Pages, d.Page)
		}
	}
	if len(names) > 0 {
		o.Verdict += ", made from facts that were not given: " + strings.Join(slices.Compact(names), ", ")
	}
}

// origins is a tab-separated line per fact that something was made from.
func (o *Order) origins() []string {
	var out []string
	for _, d := range o.Derived {
		name := strings.TrimSpace(string(d.EventType) + " " + short(d.EventID))
		if d.Facts == nil || d.Given != GivenYes {
			out = append(out, cells(name, d.FactsID, "", "", "", string(d.Given)+": "+d.Detail))
		}
		if d.Facts == nil {
			continue
		}
		for _, x := range d.Facts.Facts {
			agree := map[Agreement]string{AgreeYes: "systems agree", AgreeNo: "systems differ", AgreeUnknown: "nobody else has spoken"}[x.Agree]
			out = append(out, cells(name, d.FactsID, strings.Join(strings.Fields(string(x.Field)+" "+x.Object+" "+x.SKU), " "), string(x.Owner), about(time.Duration(x.AgeSeconds)*time.Second).String(), agree))
		}
	}
	return out
}

// cells is a row of a table: what others wrote breaks none.
func cells(texts ...string) string {
	for i := range texts {
		texts[i] = flat(texts[i])
	}
	return strings.Join(texts, "\t")
}
