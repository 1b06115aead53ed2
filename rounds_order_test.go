package main

import (
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
)

// due is how often a downstream should have done something for a subject.
type due struct {
	system, op  string
	least, most int
}

// dues is what a life asks of every downstream. Where the moment decides, a range: an order that was cancelled or refunded
// after it was paid may or may not have been packed before.
func dues(l *life) []due {
	exactly := func(system, op string, n int) due { return due{system, op, n, n} }
	var out []due
	for _, kind := range []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.PaymentCaptured, schemas.RefundSucceeded,
		schemas.FulfillmentShipped, schemas.FraudAssessed, schemas.CustomerRegistered, schemas.InventoryLevelSet} {
		out = append(out, exactly("analytics", string(kind), l.facts[kind]))
	}
	if l.facts[schemas.CustomerRegistered] > 0 {
		return append(out, exactly("crm", "contact", 1))
	}
	if l.facts[schemas.OrderCreated] == 0 {
		return out
	}
	for _, kind := range []schemas.EventType{schemas.OrderCreated, schemas.PaymentCaptured, schemas.RefundSucceeded, schemas.OrderCancelled} {
		out = append(out, exactly("export", string(kind), l.facts[kind]))
	}
	for _, kind := range []schemas.EventType{schemas.RefundSucceeded, schemas.OrderCancelled} {
		out = append(out, exactly("support", string(kind), l.facts[kind]))
	}
	for _, id := range l.refunds {
		out = append(out, exactly("erp", "refund/"+id, 1), exactly("tax", "refund/"+id, 1))
	}
	paid := 0
	if l.paid {
		paid = 1
	}
	packed, back := exactly("warehouse", "fulfill", paid), exactly("warehouse", "cancel", 0)
	if l.cancelled || l.refunded {
		packed.least, back.most = 0, paid
	}
	return append(out, packed, back, exactly("erp", "order", 1), exactly("tax", "transaction", 1), exactly("fraud", "assess", 1), exactly("enrichment", "enrich", 1))
}

// delivered: an event that is called delivered has its effect, and where the downstream knows keys or is told apart by
// event exactly one.
func (c *court) delivered() {
	for _, s := range c.said {
		if s.kind != schemas.Delivered && s.kind != schemas.AlreadyDone {
			continue
		}
		n, exact := c.byID[s.integration+" "+string(s.id)], true
		switch s.integration {
		case "warehouse", "tax", "fraud", "export":
			n = c.byKey[s.integration+" "+s.key]
		case "enrichment": // once per order, by whichever event
			n = c.did["enrichment "+s.subject+" enrich"]
		case "erp", "crm": // a state that says what is known changes nothing
			n, exact = c.written(s), false
		}
		if n == 0 || exact && n != 1 {
			c.find("effect", s.subject, "%s calls %s of %s %s, and %d effects are there", s.integration, s.id, s.subject, s.kind, n)
		}
	}
}

// written counts the calls that an event made, whether they changed anything or not.
func (c *court) written(s *said) int {
	n := 0
	for _, call := range c.of(s.subject) {
		if call.system == s.integration && call.event == s.id && call.op != "" {
			n++
		}
	}
	return n
}

// of is the calls about a subject, in their order.
func (c *court) of(subject string) []call {
	if c.bySubject == nil {
		c.bySubject = map[string][]call{}
		for _, call := range c.calls {
			c.bySubject[call.subject] = append(c.bySubject[call.subject], call)
		}
	}
	return c.bySubject[subject]
}

// ordered: the effects of a subject come in the order of its events in Kafka, but for events that were parked meanwhile;
// and no state is followed by an older one. What an event wrote once it may write again: after a crash the calls whose
// outcomes were not committed are made again in their order, and for a moment a downstream that takes whole states has an
// older one. That is counted; that the newest stands there in the end is effects's to say.
func (c *court) ordered() {
	for subject := range c.lives {
		offsets, versions, wrote := map[string]int64{}, map[string]string{}, map[string]bool{}
		for _, call := range c.of(subject) {
			if !call.effect {
				continue
			}
			if wrote[call.system+" "+string(call.event)] {
				if isState(call.op) && c.version(call) < versions[call.system] {
					c.rewound++
				}
				continue
			}
			wrote[call.system+" "+string(call.event)] = true
			if version := c.version(call); isState(call.op) {
				if version < versions[call.system] {
					c.find("order", subject, "%s was given %s as of %s after %s", call.system, subject, version, versions[call.system])
				}
				versions[call.system] = version
			}
			at := c.places[call.event]
			if len(at) == 0 || c.ever[call.system+" "+string(call.event)] {
				continue
			}
			first := slices.MinFunc(at, func(a, b place) int { return int(a.offset - b.offset) }).offset
			if first < offsets[call.system] {
				c.find("order", subject, "%s did %s for %s of offset %d after offset %d", call.system, call.op, subject, first, offsets[call.system])
			}
			offsets[call.system] = max(first, offsets[call.system])
		}
	}
}
