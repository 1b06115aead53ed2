package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// one is the evidence of one order that was created, paid, refunded and told to everybody as it should be: the events are
// named by their offset, all in partition 0 of orders.
func one() evidence {
	const id, refund = "9001", "r1"
	kinds := []schemas.EventType{schemas.OrderCreated, schemas.PaymentCaptured, schemas.OrderUpdated, schemas.RefundSucceeded}
	versions := []string{"v1", "v2", "v2", ""}
	l := &life{id: id, paid: true, refunds: []string{refund}, facts: map[schemas.EventType]int{}, version: "v2"}
	e := evidence{lives: map[string]*life{id: l}, posts: map[schemas.EventID]*post{}, events: map[place]schemas.EventID{},
		readers: map[string][]string{schemas.TopicOrders: {"analytics", "enrichment", "erp", "export", "fraud", "support", "tax", "warehouse"}}}
	for offset, kind := range kinds {
		event := schemas.EventID(kind)
		l.facts[kind]++
		e.posts[event] = &post{kind: kind, subject: id, fact: string(kind) + " " + id, version: versions[offset], id: event, taken: time.Unix(1, 0)}
		e.events[place{schemas.TopicOrders, 0, int64(offset)}] = event
	}
	tell := func(system string, offset int, kind schemas.Kind, reason schemas.Reason, op, key string) {
		event := schemas.EventID(kinds[offset])
		e.said = append(e.said, &said{end: end{system, place{schemas.TopicOrders, 0, int64(offset)}}, id: event, kind: kind, reason: reason, subject: id, key: key})
		if kind == schemas.Delivered {
			e.calls = append(e.calls, call{system: system, op: op, subject: id, key: key, event: event, version: map[bool]string{true: versions[offset]}[system == "erp"], effect: true})
		}
	}
	done := func(system string, offset int, op, key string) {
		tell(system, offset, schemas.Delivered, schemas.ReasonNone, op, key)
	}
	not := func(system string, offset int) {
		tell(system, offset, schemas.Withheld, schemas.ReasonNotSubscribed, "", "")
	}
	for offset, kind := range kinds {
		done("analytics", offset, string(kind), "")
		if kind == schemas.OrderUpdated {
			not("export", offset)
		} else {
			done("export", offset, string(kind), "x"+string(kind))
		}
	}
	done("enrichment", 0, "enrich", "")
	done("fraud", 0, "assess", "f")
	done("erp", 0, "order", "")
	done("tax", 0, "transaction", "t")
	tell("warehouse", 0, schemas.Parked, schemas.ReasonNeeds, "", "")
	not("support", 0)
	for _, system := range []string{"enrichment", "fraud", "erp", "tax", "warehouse", "support"} {
		not(system, 1)
	}
	done("warehouse", 0, "fulfill", "w")
	done("erp", 2, "update", "")
	for _, system := range []string{"enrichment", "fraud", "tax", "warehouse", "support"} {
		not(system, 2)
	}
	done("erp", 3, "refund/"+refund, "")
	done("tax", 3, "refund/"+refund, "t2")
	done("support", 3, string(schemas.RefundSucceeded), "")
	for _, system := range []string{"enrichment", "fraud", "warehouse"} {
		not(system, 3)
	}
	return e
}

// outcome finds an integration's last outcome at an offset, and call its first call of an operation.
func (e *evidence) outcome(system string, offset int64) *said {
	at := end{system, place{schemas.TopicOrders, 0, offset}}
	i := slices.IndexFunc(e.said, func(s *said) bool { return s.end == at && s.kind.Final() })
	return e.said[i]
}

func (e *evidence) call(system, op string) int {
	return slices.IndexFunc(e.calls, func(c call) bool { return c.system == system && c.op == op })
}

// drop takes away what an integration said at an offset.
func (e *evidence) drop(system string, offset int64) {
	s := e.outcome(system, offset)
	e.said = slices.DeleteFunc(e.said, func(x *said) bool { return x == s })
}

// undo takes away a call.
func (e *evidence) undo(system, op string) {
	i := e.call(system, op)
	e.calls = slices.Delete(e.calls, i, i+1)
}

// again repeats a call after all others, with its effect.
func (e *evidence) again(system, op, key string) {
	c := e.calls[e.call(system, op)]
	c.key = key
	e.calls = append(e.calls, c)
}

// park makes an outcome a parked one.
func (e *evidence) park(system string, offset int64, reason schemas.Reason) {
	s := e.outcome(system, offset)
	s.kind, s.reason = schemas.Parked, reason
}

// TestRoundsJudge plants every kind of broken promise, and what is none, before the judge of the rounds.
func TestRoundsJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		plant func(e *evidence)
		want  []string // the rules that are broken, each once
	}{
		{"all is well", func(*evidence) {}, nil},
		{"a taken event is in no topic", func(e *evidence) { e.posts["gone"] = &post{subject: "9001", id: "gone", taken: time.Unix(1, 0)} }, []string{"lost"}},
		{"an event that was refused is in no topic", func(e *evidence) { e.posts["gone"] = &post{subject: "9001", id: "gone"} }, nil},
		{"an event that nobody sent", func(e *evidence) { delete(e.posts, schemas.EventID(schemas.PaymentCaptured)) }, []string{"lost"}},
		{"one outcome is missing", func(e *evidence) { e.drop("fraud", 2) }, []string{"outcome"}},
		{"two final outcomes", func(e *evidence) { e.said = append(e.said, e.outcome("fraud", 2)) }, []string{"outcome"}},
		{"parked after it was delivered", func(e *evidence) {
			s := *e.outcome("support", 3)
			s.kind, s.reason = schemas.Parked, schemas.ReasonUnknown
			e.said = append(e.said, &s)
		}, []string{"outcome"}},
		{"an outcome of no event", func(e *evidence) {
			e.said = append(e.said, &said{end: end{"tax", place{schemas.TopicOrders, 7, 7}}, kind: schemas.Withheld})
		}, []string{"outcome"}},
		{"one fact delivered under two ids", func(e *evidence) {
			e.posts["twin"] = &post{subject: "9001", fact: e.posts[schemas.EventID(schemas.RefundSucceeded)].fact, id: "twin"}
			e.events[place{schemas.TopicOrders, 0, 4}] = "twin"
			for _, in := range e.readers[schemas.TopicOrders] {
				e.said = append(e.said, &said{end: end{in, place{schemas.TopicOrders, 0, 4}}, id: "twin", kind: schemas.Duplicate, subject: "9001"})
			}
			s := e.outcome("tax", 4)
			s.kind, s.key = schemas.Delivered, "t2"
		}, []string{"twice"}},
		{"parked without cause", func(e *evidence) { e.park("tax", 3, schemas.ReasonRetryExhausted) }, []string{"parked"}},
		{"unknown where a key is known", func(e *evidence) { e.park("tax", 3, schemas.ReasonUnknown) }, []string{"parked"}},
		{"unknown where nothing can be asked", func(e *evidence) { e.park("support", 3, schemas.ReasonUnknown) }, nil},
		{"unknown, and nothing was done", func(e *evidence) {
			e.park("support", 3, schemas.ReasonUnknown)
			e.undo("support", string(schemas.RefundSucceeded))
		}, nil},
		{"unknown, and done twice", func(e *evidence) {
			e.park("support", 3, schemas.ReasonUnknown)
			e.again("support", string(schemas.RefundSucceeded), "")
		}, nil},
		{"behind nothing", func(e *evidence) { e.park("support", 3, schemas.ReasonBehind) }, []string{"parked"}},
		{"waits although it was paid", func(e *evidence) { e.drop("warehouse", 0) }, []string{"parked"}},
		{"a second case, and nobody said unknown", func(e *evidence) { e.again("support", string(schemas.RefundSucceeded), "") }, []string{"effect"}},
		{"a second parcel under another key", func(e *evidence) { e.again("warehouse", "fulfill", "w2") }, []string{"effect"}},
		{"a key that was ignored", func(e *evidence) { e.again("tax", "transaction", "t") }, []string{"effect"}},
		{"enriched twice", func(e *evidence) { e.again("enrichment", "enrich", "") }, []string{"effect"}},
		{"a row under two keys", func(e *evidence) { e.again("export", string(schemas.RefundSucceeded), "other") }, []string{"effect"}},
		{"delivered, and nothing was done", func(e *evidence) { e.undo("fraud", "assess") }, []string{"effect"}},
		{"done, and nobody asked", func(e *evidence) {
			e.calls = append(e.calls, call{system: "support", op: "order.cancelled", subject: "9001", effect: true})
		}, []string{"effect"}},
		{"packed and not called back", func(e *evidence) { e.lives["9001"].refunded = true }, []string{"effect"}},
		{"an older state after a newer", func(e *evidence) {
			i, j := e.call("erp", "order"), e.call("erp", "update")
			e.calls[i].version, e.calls[j].version = e.calls[j].version, e.calls[i].version
		}, []string{"effect", "order"}},
		{"a crash: both states again", func(e *evidence) {
			e.again("erp", "update", "")
			e.calls[len(e.calls)-1].event, e.calls[len(e.calls)-1].version = schemas.EventID(schemas.OrderCreated), "v1"
			e.again("erp", "update", "")
		}, nil},
		{"frozen: the older state again, and it stays", func(e *evidence) {
			e.again("erp", "update", "")
			e.calls[len(e.calls)-1].event, e.calls[len(e.calls)-1].version = schemas.EventID(schemas.OrderCreated), "v1"
		}, []string{"effect"}},
		{"the newest state never came", func(e *evidence) {
			e.undo("erp", "update")
			e.outcome("erp", 2).kind = schemas.Superseded
		}, []string{"effect"}},
		{"a refund before its document", func(e *evidence) {
			i, j := e.call("tax", "transaction"), e.call("tax", "refund/r1")
			e.calls[i], e.calls[j] = e.calls[j], e.calls[i]
		}, []string{"order"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := one()
			tt.plant(&e)
			rules, found := map[string]bool{}, judge(e)
			for _, f := range found {
				rules[f.rule] = true
			}
			if d := cmp.Diff(tt.want, slices.Sorted(maps.Keys(rules))); d != "" {
				t.Errorf("broken rules (-want +got):\n%s%v", d, found)
			}
		})
	}
}
