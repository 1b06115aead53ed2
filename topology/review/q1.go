package review

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// twiceRules ask of integrations what happens if a message arrives twice.
var twiceRules = []Rule{
	{ID: "once-missing", Question: Twice, Severity: Error, Title: "One order, two requests",
		Why:  "A webhook, its twin under another id and the poll that looks after both tell of one order. A request that is not once per order is made for each of them: two parcels, two documents.",
		Mend: "write once: true on the route, or address the record by its id with idempotency: {upsert: true}",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.Once || r.Each || in.Idempotency.Upsert || r.File != nil {
					continue
				}
				for _, et := range r.On {
					if et == schemas.OrderCreated || et == schemas.PaymentCaptured {
						s.found(route(i, "on"), "%s makes a request for every %s of an order, and nothing says once", in.Name, et)
					}
				}
			}
		}},
	{ID: "key-forgotten-in-outage", Question: Twice, Severity: Error, Title: "The downstream forgets the key before the retries end",
		Why:  "While the downstream is away no clock of an event runs, so that after an outage or a maintenance window the last retry comes that much later. A key that is forgotten by then is a new request.",
		Mend: "make remembers longer than give_up_after, the longest window and an hour together, or give up earlier",
		in: func(s *scope, in *topology.Integration) {
			id, longest := in.Idempotency, closed(in.Windows, s.now).longest(true)
			last := in.Retry.GiveUpAfter.D() + max(longest, time.Hour)
			if id.Key != "" && id.Remembers > in.Retry.GiveUpAfter && id.Remembers.D() < last {
				s.found("idempotency.remembers", "%s remembers a key for %s, and after an outage the last retry comes %s after the first", in.Name, long(id.Remembers), long(last))
			}
		}},
	{ID: "dedup-window-short", Question: Twice, Severity: Error, Title: "A source repeats what the ledger has forgotten",
		Why:  "A delivery that comes again after the ledger has let go of its id is a new event: the refund is made twice.",
		Mend: "make dedup_window longer than the longest time for which a source, or a person at it, repeats a delivery",
		in: func(s *scope, in *topology.Integration) {
			for i := range s.t.Sources {
				src := &s.t.Sources[i]
				if in.DedupWindow.D() <= src.RepeatedFor() && slices.ContainsFunc(in.Subscribes(), src.May) {
					s.found("dedup_window", "%s remembers events for %s, and %s may repeat one for %s", in.Name, long(in.DedupWindow), src.Name, long(src.RepeatedFor()))
				}
			}
		}},
	{ID: "ledger-shorter-than-topic", Question: Twice, Severity: Error, Title: "A replay reaches further back than the ledger",
		Why:  "Reset offsets, a new group or a replay read the topic from its start. What lies in it and not in the ledger any more is done again, by a downstream that does not address its records by our ids.",
		Mend: "make dedup_window longer than the retention of the topics it reads, shorten that, or end old events with expires_after",
		in: func(s *scope, in *topology.Integration) {
			if id := in.Idempotency; id.Upsert || id.Key == "" && id.Probe == "" && !id.None || in.ExpiresAfter > 0 && in.ExpiresAfter < in.DedupWindow {
				return
			}
			for _, topic := range s.t.InputTopics(in) {
				if kept := s.retention(topic); in.DedupWindow.D() < kept && in.Idempotency.Remembers.D() < kept {
					s.found("dedup_window", "%s remembers events for %s, and %s keeps them for %s", in.Name, long(in.DedupWindow), topic, long(kept))
				}
			}
		}},
	{ID: "retry-outlives-ledger", Question: Twice, Severity: Error, Title: "A call is retried for longer than it is remembered",
		Why:  "What the ledger has dropped while its call was still being tried is done again by the next event that says the same.",
		Mend: "make give_up_after, and needs_within, shorter than dedup_window",
		in: func(s *scope, in *topology.Integration) {
			if in.Retry.GiveUpAfter >= in.DedupWindow {
				s.found("retry.give_up_after", "%s retries for %s and remembers for %s", in.Name, long(in.Retry.GiveUpAfter), long(in.DedupWindow))
			}
			for i, r := range in.Deliver {
				if len(r.Needs) > 0 && r.NeedsWithin >= in.DedupWindow {
					s.found(route(i, "needs_within"), "%s holds an event for %s and remembers for %s", in.Name, long(r.NeedsWithin), long(in.DedupWindow))
				}
			}
		}},
	{ID: "probe-without-reference", Question: Twice, Severity: Error, Title: "The probe asks the same of every order",
		Why:  "A probe without our reference finds some record, or none, whatever became of the call: it is taken for done when it is not, or done twice.",
		Mend: "put the order's or event's id into the probe's address: GET https://host/records/{event.subject}",
		in: func(s *scope, in *topology.Integration) {
			if p := in.Idempotency.Probe; p != "" && !strings.Contains(p, "{") {
				s.found("idempotency.probe", "the probe of %s names no order: %s", in.Name, s.text("idempotency.probe"))
			}
		}},
	{ID: "probe-settles-late", Question: Twice, Severity: Error, Title: "A lost answer is settled only when the order is late",
		Why:  "A probe that finds nothing is believed only after settles. Longer than complete_within, every lost answer is a late order.",
		Mend: "make settles shorter than complete_within, and ask the downstream's owner how late an effect can really come",
		in: func(s *scope, in *topology.Integration) {
			if id := in.Idempotency; id.Probe != "" && in.CompleteWithin > 0 && id.Settles >= in.CompleteWithin {
				s.found("idempotency.settles", "%s settles after %s, and an order is late after %s", in.Name, long(id.Settles), long(in.CompleteWithin))
			}
		}},
	{ID: "upsert-not-addressed", Question: Twice, Severity: Error, Title: "An upsert that names no record",
		Why:  "Writing twice is writing once only where the address names the record by our id. Without it the downstream makes a second one.",
		Mend: "name the record in the address ({order.id}), or declare a key, a probe or none",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if in.Idempotency.Upsert && r.HTTP != nil && !strings.Contains(r.HTTP.URL, "{") {
					s.found(route(i, "http.url"), "%s says upsert, and the address of its route on %s is the same for every record", in.Name, r.On[0])
				}
			}
		}},
	{ID: "upsert-by-event", Question: Twice, Severity: Error, Title: "An upsert under the event's id is an insert",
		Why:  "A record per event is not a record per order: every update of an order makes another one beside the first.",
		Mend: "address the record by order.id or event.subject; where every event is to be a record of its own, write each: true",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if in.Idempotency.Upsert && r.HTTP != nil && !r.Each && strings.Contains(r.HTTP.URL, "{event.id}") {
					s.found(route(i, "http.url"), "%s writes each event of an order to an address of its own", in.Name)
				}
			}
		}},
	{ID: "each-overwrites", Question: Twice, Severity: Error, Title: "Older states overwrite newer ones",
		Why:  "each: true sends an older state after a newer one. At an address per order it overwrites it: an ERP that goes back to Processing.",
		Mend: "take each away, or address every event by itself ({event.id})",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.Each && in.Idempotency.Upsert && r.HTTP != nil && strings.Contains(r.HTTP.URL, "{") && !strings.Contains(r.HTTP.URL, "{event.id}") {
					s.found(route(i, "each"), "%s sends every state, the older too, to one address per order", in.Name)
				}
			}
		}},
	{ID: "answers-overlap", Question: Twice, Severity: Error, Title: "One status, two meanings",
		Why:  "A status that is both done and to be repeated is decided by the order of our code, and not by you: done twice, or never.",
		Mend: "leave each status in one of delivered, already_done, rejected and retry",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				seen := map[int]string{}
				for _, list := range []struct {
					name  string
					codes []int
				}{{"delivered", r.Answers.Delivered}, {"already_done", r.Answers.AlreadyDone}, {"rejected", r.Answers.Rejected}, {"retry", r.Answers.Retry}} {
					for _, code := range list.codes {
						if other := seen[code]; other != "" && other != list.name {
							s.found(route(i, "answers."+list.name), "%s takes %d for %s and for %s", in.Name, code, other, list.name)
						}
						seen[code] = list.name
					}
				}
			}
		}},
	{ID: "none-on-money", Question: Twice, Severity: Error, Title: "A call that moves money cannot be repeated or asked after",
		Why:  "With idempotency none every lost answer waits for a person. Where the call books or moves money, that person cannot know either.",
		Mend: "ask the downstream for a key or a way to ask by reference, and declare it",
		in: func(s *scope, in *topology.Integration) {
			if !in.Idempotency.None {
				return
			}
			for i, r := range in.Deliver {
				if money := s.money(in, i); len(money) > 0 {
					s.found("idempotency", "%s sends %s on %s, knows no key and cannot be asked", in.Name, money[0], r.On[0])
				}
			}
		}},
	{ID: "version-not-sent", Question: Twice, Severity: Note, Title: "The downstream cannot refuse an older state",
		Why:  "Seam sends no older state after a newer one. A downstream that others write to as well can hold to the same only if it is told the version.",
		Mend: "send event.source_version in the body, if the downstream can keep it",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				stateful := slices.Contains(r.On, schemas.OrderUpdated) || slices.Contains(r.On, schemas.CustomerUpdated)
				if in.Idempotency.Upsert && !r.Each && stateful && !slices.ContainsFunc(s.t.TextsUnder(s.file, route(i, "body")), func(text string) bool { return strings.Contains(text, "source_version") }) {
					s.found(route(i, "body"), "%s takes whole states and is not told their version", in.Name)
				}
			}
		}},
}

// twiceSourceRules ask it of sources.
var twiceSourceRules = []Rule{
	{ID: "source-retries-unknown", Question: Twice, Severity: Error, Title: "Nobody knows for how long a source repeats",
		Why:  "How long ids must be remembered, and whether an hour without Kafka loses deliveries, follows from how long the sender repeats. Standard Webhooks leaves that to the sender.",
		Mend: "ask the sender, and write retries_for: 24h (0s: never)",
		src: func(s *scope, src *topology.Source) {
			if src.Platform == topology.StandardWebhooks && !s.says("retries_for") {
				s.found("platform", "for how long does %s repeat a delivery that was not taken?", src.Name)
			}
		}},
	{ID: "source-patience-unknown", Question: Twice, Severity: Error, Title: "Nobody knows how long a source waits for an answer",
		Why:  "A sender whose patience ends before our answer takes the delivery for failed and sends it again, on and on, though it was taken.",
		Mend: "ask the sender, and write patience: 10s",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.Patience == 0 {
				s.found("platform", "how long does %s wait for an answer?", src.Name)
			}
		}},
	{ID: "answer-after-patience", Question: Twice, Severity: Error, Title: "We answer after the source has stopped waiting",
		Why:  "The delivery is taken and the source does not hear it: it repeats it, counts a failure, and in the end switches the webhook off.",
		Mend: "make answer_within shorter than the source's patience, with a second for the way",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.Patience > 0 && src.AnswerWithin >= src.Patience {
				s.found("answer_within", "%s waits %s for an answer, and one may take %s", src.Name, long(src.Patience), long(src.AnswerWithin))
			}
		}},
	{ID: "signature-good-for-long", Question: Twice, Severity: Error, Title: "A captured delivery can be sent again for hours",
		Why:  "The signed time is what tells an old delivery from a new one. A tolerance of hours lets whoever read one of our logs send it again.",
		Mend: "leave tolerance at its 5m, and mend the sender's clock",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.Tolerance.D() > time.Hour {
				s.found("tolerance", "%s takes signatures that are %s old", src.Name, long(src.Tolerance))
			}
		}},
	{ID: "poll-overlap-short", Question: Twice, Severity: Error, Title: "A poll misses what changes while it asks",
		Why:  "Records become visible after the time they carry. A poll that begins where the last one ended never sees them; what it sees twice is known by its id.",
		Mend: "make overlap at least a minute",
		src: func(s *scope, src *topology.Source) {
			if src.Platform == topology.Poll && src.Overlap.D() < time.Minute {
				s.found("overlap", "%s asks again for only %s before its cursor", src.Name, long(src.Overlap))
			}
		}},
}

// route is the key of something in a route.
func route(i int, key string) string { return "deliver." + strconv.Itoa(i) + "." + key }

// retention is how long a topic keeps its records; 0 where it is not known or they stay.
func (s *scope) retention(topic string) time.Duration {
	for _, t := range s.t.Topics {
		if ms, err := strconv.ParseInt(t.Configs["retention.ms"], 10, 64); t.Name == topic && err == nil {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 0
}
