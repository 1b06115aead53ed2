package reconcile_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// goodDay is an order that is placed, paid, handed to everybody, known to the ERP and shipped.
func (s *tale) goodDay() {
	s.order("created", schemas.OrderCreated, "shop", 0, "1", "20.00 EUR", "pending")
	s.order("updated", schemas.OrderUpdated, "shop", 31, "2", "20.00 EUR", "paid")
	s.captured("paid", "shop", 30)
	s.captured("psp", "psp", 35)
	s.erp(5*minute, "5", "20.00 EUR", "paid")
	s.say("shipped", 2*hour, &schemas.Event{Type: schemas.FulfillmentShipped, System: "warehouse", SourceVersion: "1", Fulfillment: &schemas.Fulfillment{ID: "f" + s.key, Status: "success"}})
}

// say tells an event, and a moment later what every integration that acts on it made of it.
func (s *tale) say(name string, seconds int, ev *schemas.Event) {
	ev.ID, ev.Source, ev.Subject = schemas.EventID(s.key+"/"+name), "/test/"+string(ev.System), s.key
	ev.Time, ev.IngestedAt, ev.DeliveryID = at(seconds), at(seconds), string(ev.ID)
	s.all = append(s.all, told{at: seconds, ev: ev})
	for i := range s.topo.Integrations {
		if in := &s.topo.Integrations[i]; in.ActsOn(ev.Type) {
			s.all = append(s.all, s.made(in, ev, max(seconds, 30)+30))
		}
	}
}

// made is what an integration makes of an event when all is well.
func (s *tale) made(in *topology.Integration, ev *schemas.Event, seconds int) told {
	o := &schemas.Outcome{Integration: in.Name, EventID: ev.ID, EventType: ev.Type, OrderID: s.key, Kind: schemas.Withheld, Reason: schemas.ReasonPrerequisite, EventTime: ev.Time, IngestedAt: ev.IngestedAt,
		At: at(seconds), Topic: schemas.TopicOrders}
	for _, r := range in.Deliver {
		if slices.Contains(r.On, ev.Type) {
			o.Kind, o.Reason, o.Operation = schemas.Delivered, "", r.Operation
		}
	}
	if ev.System != "shop" && ev.Type == schemas.OrderUpdated {
		o.Kind, o.Reason, o.Operation = schemas.Withheld, schemas.ReasonNotOwner, ""
	}
	return told{at: seconds, o: o}
}

func (s *tale) order(name string, et schemas.EventType, system schemas.System, seconds int, version, total, payment string) {
	s.say(name, seconds, &schemas.Event{Type: et, System: system, SourceVersion: version,
		Order: &schemas.Order{ID: s.key, Status: "open", PaymentStatus: payment, Total: money(s.T, total), Email: "jane@example.com"}})
}

// erp is the ERP's word, of an export that it makes.
func (s *tale) erp(seconds int, version, total, payment string) {
	s.order("erp"+version, schemas.OrderUpdated, "erp", seconds, version, total, payment)
}

func (s *tale) captured(name string, system schemas.System, seconds int) {
	when := at(seconds)
	s.say(name, seconds, &schemas.Event{Type: schemas.PaymentCaptured, System: system, SourceVersion: "1",
		Payment: &schemas.Payment{ID: name + s.key, Reference: "ref" + s.key, Kind: "capture", Status: "success", Amount: money(s.T, "20.00 EUR"), ProcessedAt: &when}})
}

// about tells whether something is an event, or an outcome of one.
func (s *tale) about(t told, name string) bool {
	id := schemas.EventID(s.key + "/" + name)
	return t.ev != nil && t.ev.ID == id || t.o != nil && t.o.EventID == id
}

// wanted tells that a person had an event delivered again in an integration, where newer stood.
func (s *tale) wanted(integration, name string, seconds int) {
	for _, t := range slices.Clone(s.all) {
		if t.o == nil || !s.about(t, name) || t.o.Integration != integration {
			continue
		}
		parked := *t.o
		parked.At, parked.Replay = at(seconds), &schemas.Replay{ID: "r1", Who: "ann", Why: "lost"}
		parked.Kind, parked.Reason = schemas.Parked, schemas.ReasonReplay
		stale := parked
		stale.Kind, stale.Reason = schemas.Superseded, schemas.ReasonStale
		s.all = append(s.all, told{at: seconds, o: &parked}, told{at: seconds, o: &stale})
	}
}

func (s *tale) drop(which func(told) bool) { s.all = slices.DeleteFunc(s.all, which) }

// again tells an event a second time, which all integrations know.
func (s *tale) again(name string) {
	for _, t := range slices.Clone(s.all) {
		if !s.about(t, name) {
			continue
		}
		if t.o != nil {
			c := *t.o
			c.Kind, c.Reason, c.Operation = schemas.Duplicate, schemas.ReasonSameEvent, ""
			t.o = &c
		}
		t.at += 2 * minute
		s.all = append(s.all, t)
	}
}

// replayed is every event read again, and known.
func (s *tale) replayed() {
	for _, t := range slices.Clone(s.all) {
		if t.o != nil {
			c := *t.o
			c.Kind, c.Reason, c.Operation = schemas.Duplicate, schemas.ReasonSameEvent, ""
			c.At = at(3 * hour)
			s.all = append(s.all, told{at: 3 * hour, o: &c})
		}
	}
}

// delay lets events, and what follows from them, come later.
func (s *tale) delay(by int, names ...string) {
	for i, t := range s.all {
		for _, name := range names {
			if s.about(t, name) {
				s.all[i] = later(t, by)
			}
		}
	}
}

func (s *tale) delayOutcomes(integration string, by int) {
	for i, t := range s.all {
		if t.o != nil && t.o.Integration == integration {
			s.all[i] = later(t, by)
		}
	}
}

func later(t told, by int) told {
	t.at += by
	if t.ev != nil {
		t.ev.IngestedAt = at(t.at)
	}
	if t.o != nil {
		t.o.At = at(t.at)
	}
	return t
}

// outcome replaces what an integration made of an event.
func (s *tale) outcome(integration, name string, kind schemas.Kind, reason schemas.Reason) {
	for _, t := range s.all {
		if t.o != nil && t.o.Integration == integration && s.about(t, name) {
			t.o.Kind, t.o.Reason = kind, reason
		}
	}
}

// read is what a read-back of the warehouse's record finds.
func (s *tale) read(seconds int, result string) {
	ev := &schemas.Event{ID: schemas.EventID(fmt.Sprintf("%s/read/%d", s.key, seconds)), Type: schemas.OrderObserved, System: "warehouse", Source: schemas.ReadBackSource("warehouse"), Subject: s.key,
		Time: at(seconds), IngestedAt: at(seconds), DeliveryID: "read", ReadBack: &schemas.ReadBack{Integration: "warehouse", Operation: "fulfill", EventID: schemas.EventID(s.key + "/created"), Result: result}}
	if result == schemas.ReadFound {
		ev.Fulfillment = &schemas.Fulfillment{ID: "f" + s.key, Status: "pending"}
	}
	s.all = append(s.all, told{at: seconds, ev: ev})
}

// poison is bytes that are no event, which the ERP's integration parks.
func (s *tale) poison() {
	ev := &schemas.Event{ID: schemas.EventID(s.key + "/junk"), Type: schemas.OrderUpdated, System: "shop", Source: "/test/shop", Subject: s.key, Time: at(60), IngestedAt: at(60), DeliveryID: "junk"}
	s.all = append(s.all, told{at: 60, ev: ev, by: []byte("junk")})
	for i := range s.topo.Integrations {
		if in := &s.topo.Integrations[i]; in.ActsOn(ev.Type) {
			t := s.made(in, ev, 90)
			if in.Name == "erp" {
				t.o.Kind, t.o.Reason, t.o.Operation = schemas.Parked, schemas.ReasonPoison, ""
			}
			s.all = append(s.all, t)
		}
	}
}

// skewed sets a system's clock ahead.
func (s *tale) skewed(system schemas.System, by int) {
	for _, t := range s.all {
		if t.ev != nil && t.ev.System == system {
			t.ev.Time = t.ev.Time.Add(at(by).Sub(noon))
		}
	}
}

// foreign is the AI step's answer, which says a payment status beside the field that it owns.
func (s *tale) foreign(seconds int) {
	s.say("enriched", seconds, &schemas.Event{Type: schemas.OrderEnriched, System: "enrichment", SourceVersion: "1", Enrichment: &schemas.Enrichment{Summary: "a mug"},
		Order: &schemas.Order{ID: s.key, PaymentStatus: "refunded"}})
	for _, t := range s.all {
		if t.o != nil && strings.HasSuffix(string(t.o.EventID), "/enriched") {
			t.o.WithheldFields = []string{"order.payment_status"}
		}
	}
}
