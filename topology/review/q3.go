package review

import (
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// staleRules ask how long the target can operate on stale data.
var staleRules = []Rule{
	{ID: "stale-after-late", Question: Stale, Severity: Error, Title: "Two numbers for how late is too late",
		Why:  "An order that is late before what it says is stale is late for no reason; one of the two numbers was not thought about.",
		Mend: "make stale_after, when harm begins, at most complete_within, when somebody is told",
		in: func(s *scope, in *topology.Integration) {
			if in.CompleteWithin > 0 && in.StaleAfter > in.CompleteWithin {
				s.found("stale_after", "%s is harmed after %s, and orders are late after %s", in.Name, long(in.StaleAfter), long(in.CompleteWithin))
			}
		}},
	{ID: "expires-before-late", Question: Stale, Severity: Error, Title: "Events end before they are late",
		Why:  "An event that expires is never delivered. Where that happens before the order is late, orders vanish and nobody is told.",
		Mend: "make expires_after longer than complete_within",
		in: func(s *scope, in *topology.Integration) {
			if in.ExpiresAfter > 0 && in.ExpiresAfter <= in.CompleteWithin {
				s.found("expires_after", "events end after %s, and orders are late in %s after %s", long(in.ExpiresAfter), in.Name, long(in.CompleteWithin))
			}
		}},
	{ID: "expires-in-outage", Question: Stale, Severity: Error, Title: "An hour's outage throws events away",
		Why:  "After an hour without the downstream the backlog is older than expires_after and ends undelivered, all of it.",
		Mend: "make expires_after longer than an hour and the time to drain it together",
		in: func(s *scope, in *topology.Integration) {
			b := s.budget(in)
			if last := time.Hour + max(0, time.Duration(b.Drain)); in.ExpiresAfter > 0 && in.ExpiresAfter > in.CompleteWithin && in.ExpiresAfter.D() < last {
				s.found("expires_after", "events end after %s, and after an hour's outage the last is delivered after %s", long(in.ExpiresAfter), long(last))
			}
		}},
	{ID: "source-slower-than-stale", Question: Stale, Severity: Error, Title: "What is told is stale when it is told",
		Why:  "A file every quarter of an hour cannot keep a system fresher than that, whatever is done afterwards.",
		Mend: "look more often (every), add a webhook source, or say honestly how stale the downstream is: stale_after",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				for _, et := range r.On {
					var slow *topology.Source
					for _, src := range s.emitters(et) {
						if src.Platform.Webhooks() {
							slow = nil
							break
						}
						if slow == nil || src.Every < slow.Every {
							slow = src
						}
					}
					if slow != nil && in.StaleAfter > 0 && slow.Every > in.StaleAfter {
						s.found(route(i, "on"), "%s comes only from %s, every %s, and %s is harmed after %s", et, slow.Name, long(slow.Every), in.Name, long(in.StaleAfter))
					}
				}
			}
		}},
	{ID: "window-too-long", Question: Stale, Severity: Error, Title: "A maintenance window longer than the completion objective",
		Why:  "Every order that comes at its beginning is late at its end, each week, by plan.",
		Mend: "shorten the window, or make complete_within longer than it",
		in: func(s *scope, in *topology.Integration) {
			if run := closed(in.Windows, s.now).longest(true); in.CompleteWithin > 0 && run > in.CompleteWithin.D() {
				s.found("windows", "%s is closed for %s, and orders are late after %s", in.Name, long(run), long(in.CompleteWithin))
			}
		}},
	{ID: "window-stale", Question: Stale, Severity: Warning, Title: "A maintenance window longer than the tolerated staleness",
		Why:  "At its end the downstream works on data that is older than the business stands.",
		Mend: "shorten the window, or have the downstream's people not work on it then and waive this",
		in: func(s *scope, in *topology.Integration) {
			run := closed(in.Windows, s.now).longest(true)
			if in.StaleAfter > 0 && run > in.StaleAfter.D() && run <= in.CompleteWithin.D() {
				s.found("windows", "%s is closed for %s, and is harmed by data older than %s", in.Name, long(run), long(in.StaleAfter))
			}
		}},
	{ID: "windows-miss-objective", Question: Stale, Severity: Error, Title: "The windows alone miss the objective",
		Why:  "What is closed for more than the objective leaves cannot be met on the best of months.",
		Mend: "shorten the windows, or lower objective to what can be kept",
		in: func(s *scope, in *topology.Integration) {
			b := s.budget(in)
			if run := closed(in.Windows, s.now).longest(true); run <= in.CompleteWithin.D() {
				return // nothing is late by them
			}
			if b.Availability < b.Objective {
				s.found("windows", "%s is open for %s%% of the week, and promises %s%%", in.Name, trim(b.Availability), trim(b.Objective))
			}
		}},
	{ID: "objective-vague", Question: Stale, Severity: Error, Title: "An objective that promises nothing, or everything",
		Why:  "100% allows no outage at all and is broken by the first; under 90% one order in ten is late and nothing is wrong.",
		Mend: "write an objective that can be kept and that somebody would miss: 99.5%",
		in: func(s *scope, in *topology.Integration) {
			if in.Objective >= 100 || in.Objective < 90 {
				s.found("objective", "%s promises %s%% in time", in.Name, trim(float64(in.Objective)))
			}
		}},
	{ID: "breaker-open-long", Question: Stale, Severity: Error, Title: "The breaker stays open for longer than the data may be stale",
		Why:  "While it is open nobody finds out that the downstream is back.",
		Mend: "make breaker.open shorter than stale_after: 30s finds out soon and costs two calls a minute",
		in: func(s *scope, in *topology.Integration) {
			if in.StaleAfter > 0 && in.Breaker.Open > in.StaleAfter {
				s.found("breaker.open", "%s is not asked for %s, and is harmed after %s", in.Name, long(in.Breaker.Open), long(in.StaleAfter))
			}
		}},
	{ID: "retry-wait-long", Question: Stale, Severity: Error, Title: "One wait between attempts makes the data stale",
		Why:  "The order waits for its next attempt while the downstream has long been well.",
		Mend: "make retry.max shorter than stale_after",
		in: func(s *scope, in *topology.Integration) {
			if in.StaleAfter > 0 && in.Retry.Max > in.StaleAfter {
				s.found("retry.max", "%s waits up to %s between attempts, and is harmed after %s", in.Name, long(in.Retry.Max), long(in.StaleAfter))
			}
		}},
	{ID: "timeout-over-stale", Question: Stale, Severity: Error, Title: "One call may take longer than the data may be stale",
		Why:  "A single slow call is already the harm, and it holds its order's line meanwhile.",
		Mend: "make timeout a small part of stale_after",
		in: func(s *scope, in *topology.Integration) {
			if in.StaleAfter > 0 && in.Timeout >= in.StaleAfter {
				s.found("timeout", "a call of %s may take %s, and it is harmed after %s", in.Name, long(in.Timeout), long(in.StaleAfter))
			}
		}},
	{ID: "facts-any-age", Question: Stale, Severity: Error, Title: "Facts of any age are told as facts",
		Why:  "A step that decides by facts decides by last week's stock as if it were today's.",
		Mend: "write facts.max_staleness, and max_staleness_of for what changes seldom",
		in: func(s *scope, in *topology.Integration) {
			if in.Facts != nil && in.Facts.MaxStaleness == 0 {
				s.found("facts", "how old may a fact be that %s is told?", in.Name)
			}
		}},
	{ID: "needs-longer-than-late", Question: Stale, Severity: Note, Title: "A prerequisite may be waited for longer than the order may be late",
		Why:  "The event waits in silence for needs_within; that the order is late is told before, and is right.",
		Mend: "nothing, where the prerequisite is another's to send; else make needs_within at most complete_within",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if s.says(route(i, "needs_within")) && len(r.Needs) > 0 && r.NeedsWithin > in.CompleteWithin {
					s.found(route(i, "needs_within"), "%s waits %s for %s, and the order is late after %s", in.Name, long(r.NeedsWithin), r.Needs[0], long(in.CompleteWithin))
				}
			}
		}},
	{ID: "silence-unnoticed", Question: Stale, Severity: Error, Title: "The silence of a source that never repeats is not noticed",
		Why:  "A webhook that its sender has switched off sends nothing, and says nothing of it. What it does not send is not sent again.",
		Mend: "write silent_after: the longest quiet time that is normal",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.RetriesFor == 0 && s.knownRetries(src) && src.SilentAfter == 0 {
				s.found("platform", "%s never repeats a delivery, and nothing says how long it may be silent", src.Name)
			}
		}},
	{ID: "silence-late", Question: Stale, Severity: Error, Title: "The silence is noticed after the topic has forgotten",
		Why:  "Silence that is told after days leaves no time to fetch what is missing before everyone has asked for it.",
		Mend: "make silent_after a day or two at most",
		src: func(s *scope, src *topology.Source) {
			if src.SilentAfter.D() > 7*24*time.Hour {
				s.found("silent_after", "%s may be silent for %s", src.Name, long(src.SilentAfter))
			}
		}},
}

// knownRetries tells whether it is known for how long a webhook source repeats.
func (s *scope) knownRetries(src *topology.Source) bool {
	return src.Platform != topology.StandardWebhooks || s.says("retries_for")
}
