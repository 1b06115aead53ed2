package review

import (
	"maps"
	"slices"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const operationsFile = "operations.yaml"

// successRules ask whether success can be observed across systems.
var successRules = []Rule{
	{ID: "transport-success-only", Question: Success, Severity: Error, Title: "A 200 is all that is known",
		Why:  "The downstream said 200. Whether the order is in it, and is right, nobody can see: no event comes back and no field is compared.",
		Mend: "read back what it made (read_back), add a source that tells what it did and name that under seen in operations.yaml, or list its system among the copies in ownership.yaml",
		in: func(s *scope, in *topology.Integration) {
			if !s.observed(in) && !recorder(in) {
				s.found("deliver", "nothing comes back from %s", in.Name)
			}
		}},
	{ID: "recorder-unseen", Question: Success, Severity: Note, Title: "A record of events that nobody reads back",
		Why:  "It takes every event as a record of its own and decides nothing; that a record is missing shows only in its own counts.",
		Mend: "compare its counts with seam totals now and then",
		in: func(s *scope, in *topology.Integration) {
			if !s.observed(in) && recorder(in) {
				s.found("deliver", "nothing comes back from %s", in.Name)
			}
		}},
	{ID: "accepted-is-not-done", Question: Success, Severity: Error, Title: "Accepted is taken for done",
		Why:  "202 says that the downstream has read the request. What becomes of it comes later, or never: nothing here waits for it.",
		Mend: "name under seen in operations.yaml the event by which the downstream says that it is done",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if s.says(route(i, "answers.delivered")) && slices.Contains(r.Answers.Delivered, 202) && len(s.seenOf(in)) == 0 {
					s.found(route(i, "answers.delivered"), "%s answers 202, and no operation waits for what comes of it", in.Name)
				}
			}
		}},
	{ID: "failure-taken-for-success", Question: Success, Severity: Error, Title: "A failure is taken for success",
		Why:  "A status that is no 2xx says that it was not done. Listed as delivered, a missing order looks finished in every report.",
		Mend: "leave delivered to 2xx; what was there before is already_done, and problem types can say so exactly",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				for _, code := range r.Answers.Delivered {
					if code < 200 || code > 299 {
						s.found(route(i, "answers.delivered"), "%s takes %d for delivered", in.Name, code)
					}
				}
			}
		}},
	{ID: "event-never-comes", Question: Success, Severity: Error, Title: "Waiting for an event that nobody sends",
		Why:  "The route never acts, or what must come first never comes: the order waits until a person is asked, each order.",
		Mend: "add the source that sends it, or take the type out",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				for key, types := range map[string][]schemas.EventType{"on": r.On, "needs": r.Needs, "superseded_by": r.SupersededBy} {
					for _, et := range types {
						if len(s.t.Sources) > 0 && s.known(et) && len(s.emitters(et)) == 0 {
							s.found(route(i, key), "no source sends %s, which %s names under %s", et, in.Name, key)
						}
					}
				}
			}
		}},
	{ID: "success-not-watched", Question: Success, Severity: Error, Title: "No operation waits for the integration",
		Why:  "What operations.yaml does not name is never missing: an order that is not in this system shows nowhere.",
		Mend: "name it under done of the operation that it completes, with the time it may take",
		in: func(s *scope, in *topology.Integration) {
			if len(s.operationsOf(in)) == 0 {
				s.found("operation", "operations.yaml waits for nothing of %s", in.Name)
			}
		}},
	{ID: "due-before-late", Question: Success, Severity: Error, Title: "Missing for one, in time for the other",
		Why:  "The operation calls the order missing while the integration may still take its time. Whoever is paged finds nothing wrong.",
		Mend: "make the time under done at least complete_within",
		all: func(s *scope) {
			for _, op := range s.t.Operations {
				for _, key := range slices.Sorted(maps.Keys(op.Done)) {
					if in, _ := s.t.DoneBy(key); in != nil && op.Done[key] > 0 && op.Done[key] < in.CompleteWithin {
						s.at("operations/"+op.Name, operationsFile, op.Name+".done."+key, "%s is due from %s after %s, and may take %s", op.Name, key, long(op.Done[key]), long(in.CompleteWithin))
					}
				}
			}
		}},
	{ID: "operation-never-begins", Question: Success, Severity: Error, Title: "An operation that never begins",
		Why:  "No source sends what begins it, so that it watches nothing and is green for ever.",
		Mend: "name under begins a type that a source sends",
		all: func(s *scope) {
			for _, op := range s.t.Operations {
				if len(op.Begins) > 0 && len(s.t.Sources) > 0 && !slices.ContainsFunc(op.Begins, func(et schemas.EventType) bool { return len(s.emitters(et)) > 0 }) {
					s.at("operations/"+op.Name, operationsFile, op.Name+".begins", "no source sends %s, which begins %s", op.Begins[0], op.Name)
				}
			}
		}},
	{ID: "seen-never-comes", Question: Success, Severity: Error, Title: "Success is to be seen by an event that nobody sends",
		Why:  "Every order is missing, everybody is paged, and soon nobody looks.",
		Mend: "add the source that sends it, or name the type by which the system really says so",
		all: func(s *scope) {
			for _, op := range s.t.Operations {
				for _, et := range slices.Sorted(maps.Keys(op.Seen)) {
					if len(s.t.Sources) > 0 && s.known(et) && len(s.emitters(et)) == 0 {
						s.at("operations/"+op.Name, operationsFile, op.Name+".seen."+string(et), "%s is to be seen by %s, which no source sends", op.Name, et)
					}
				}
			}
		}},
	{ID: "payment-without-order", Question: Success, Severity: Error, Title: "A payment without an order is not missed",
		Why:  "Money that was taken and whose order never came is found by the customer.",
		Mend: "add an operation that begins with payment.captured and has order.created under seen",
		all: func(s *scope) {
			if len(s.emitters(schemas.PaymentCaptured)) == 0 || len(s.t.Sources) == 0 {
				return
			}
			for _, op := range s.t.Operations {
				if _, ok := op.Seen[schemas.OrderCreated]; ok && slices.Contains(op.Begins, schemas.PaymentCaptured) {
					return
				}
			}
			s.at("operations", operationsFile, "", "nothing waits for the order of a payment")
		}},
	{ID: "reference-missing", Question: Success, Severity: Note, Title: "The downstream's own id is not kept",
		Why:  "Who asks the downstream's people about an order has no number that they know.",
		Mend: "write answers: {reference: id}, the path of its id in the answer",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.HTTP != nil && r.HTTP.Method != "DELETE" && !r.Each && r.Answers.Reference == "" {
					s.found(route(i, "http"), "what %s calls its record on %s is not kept", in.Name, r.On[0])
				}
			}
		}},
}

// known tells whether a source has to send a type: it is one of the model's, as the loader sees to, and not what people decide
// here, which comes by their commands: a correction, an erasure.
func (s *scope) known(et schemas.EventType) bool {
	return et != schemas.CustomerRedacted && !et.Corrects() && (et == topology.RefundFull || slices.Contains(schemas.EventTypes, et))
}

// recorder tells whether every event is a record of its own there, or a row of a file.
func recorder(in *topology.Integration) bool {
	return !slices.ContainsFunc(in.Deliver, func(r topology.Route) bool { return !r.Each })
}

// observed tells whether anything beside its answers says what a downstream did: a source of its own whose fields are compared,
// or whose events an operation waits for.
func (s *scope) observed(in *topology.Integration) bool {
	if len(s.seenOf(in)) > 0 || slices.ContainsFunc(in.Deliver, func(r topology.Route) bool { return r.ReadBack != nil }) {
		return true
	}
	if len(s.speakers(in.System)) == 0 {
		return false
	}
	for _, o := range s.t.Ownership {
		if slices.Contains(o.Copies, in.System) || slices.ContainsFunc(o.Ever(), func(l topology.Systems) bool { return l.Has(in.System) }) {
			return true
		}
	}
	return false
}

// seenOf is the types by which an operation of an integration is seen, and that a source of its system may send.
func (s *scope) seenOf(in *topology.Integration) []schemas.EventType {
	var out []schemas.EventType
	for _, op := range s.operationsOf(in) {
		for _, et := range slices.Sorted(maps.Keys(op.Seen)) {
			if slices.ContainsFunc(s.speakers(in.System), func(src *topology.Source) bool { return src.May(et) }) {
				out = append(out, et)
			}
		}
	}
	return out
}

// operationsOf is the operations that wait for an integration.
func (s *scope) operationsOf(in *topology.Integration) []topology.Operation {
	var out []topology.Operation
	for _, op := range s.t.Operations {
		for key := range op.Done {
			if by, _ := s.t.DoneBy(key); by == in {
				out = append(out, op)
				break
			}
		}
	}
	return out
}
