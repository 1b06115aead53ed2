package review

import (
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// outageRules ask what the recovery path is when the target is away for an hour: can what has waited be caught up with?
var outageRules = []Rule{
	{ID: "volume-missing", Question: Outage, Severity: Error, Title: "Nobody has said how much is to be expected",
		Why:  "How much waits after an hour, and how long it takes to catch up, cannot be known without.",
		Mend: "write volume: {usual: 30/m, peak: 3/s}: calls of a usual working hour, and of the busiest minutes",
		in: func(s *scope, in *topology.Integration) {
			if in.Volume.Usual == 0 {
				s.found("volume", "how many calls of %s are usual?", in.Name)
			}
		}},
	{ID: "volume-peak-low", Question: Outage, Severity: Error, Title: "A peak below the usual",
		Why:  "One of the two numbers is a guess, and the budget is computed from both.",
		Mend: "write the calls of a usual working hour as usual, and of the busiest minutes as peak",
		in: func(s *scope, in *topology.Integration) {
			if v := in.Volume; v.Peak > 0 && v.Peak < v.Usual {
				s.found("volume.peak", "%s usually gets %s and %s at its peak", in.Name, perSecond(float64(v.Usual)), perSecond(float64(v.Peak)))
			}
		}},
	{ID: "rate-missing", Question: Outage, Severity: Error, Title: "No limit protects the downstream from the backlog",
		Why:  "After an hour's outage everything that waited comes at once. What was just up goes down again, or answers 429 for the rest of the day.",
		Mend: "ask the downstream's owner what it stands, and write rate: {limit: 50/s}",
		in: func(s *scope, in *topology.Integration) {
			if in.Rate.Limit == 0 && !s.toFiles(in) {
				s.found("rate", "how many calls a second does %s stand?", in.Name)
			}
		}},
	{ID: "drain-never", Question: Outage, Severity: Error, Title: "After an outage more comes than goes",
		Why:  "At a rate below the usual volume the backlog of an hour grows for ever, and so does that of a usual day.",
		Mend: "raise rate.limit with the downstream's owner, or send less: fewer types, one call for several events",
		in: func(s *scope, in *topology.Integration) {
			if b := s.budget(in); b.Usual > 0 && b.RateDeclared && b.Drain == never {
				s.found("rate.limit", "%s takes %s and %s come", in.Name, perSecond(b.Rate), perSecond(b.Usual))
			}
		}},
	{ID: "drain-too-slow", Question: Outage, Severity: Error, Title: "Catching up takes longer than the data may be stale",
		Why:  "The outage of an hour is an outage of an hour and the time to drain it; for all of it the downstream works on old data.",
		Mend: "raise rate.limit with the downstream's owner, or say with the business that stale_after is longer",
		in: func(s *scope, in *topology.Integration) {
			if b := s.budget(in); b.RateDeclared && b.Drain > b.StaleAfter && b.StaleAfter > 0 {
				s.found("rate.limit", "an hour's %s calls of %s take %s to drain at %s, and it is harmed after %s", trim(b.Backlog), in.Name, b.Drain, perSecond(b.Rate), b.StaleAfter)
			}
		}},
	{ID: "drain-slow-hours", Question: Outage, Severity: Error, Title: "In the slow hours the backlog does not drain in time",
		Why:  "The warehouse is slow on Monday mornings, which is when the weekend's orders wait. An outage then is not caught up with before harm is done.",
		Mend: "raise the slow limit, move its hours, or say that stale_after is longer",
		in: func(s *scope, in *topology.Integration) {
			b := s.budget(in)
			switch {
			case b.Usual == 0 || b.SlowRate == 0 || b.StaleAfter == 0:
			case b.DrainSlow == never:
				s.found("rate.slow", "in its slow hours %s takes %s and %s come", in.Name, perSecond(b.SlowRate), perSecond(b.Usual))
			case b.DrainSlow > b.StaleAfter:
				s.found("rate.slow", "in its slow hours an hour's %s calls of %s take %s to drain, and it is harmed after %s", trim(b.Backlog), in.Name, b.DrainSlow, b.StaleAfter)
			}
		}},
	{ID: "peak-over-rate", Question: Outage, Severity: Warning, Title: "The peak does not fit through the limit",
		Why:  "In the busiest minutes a backlog grows with nothing broken.",
		Mend: "raise rate.limit with the downstream's owner before the campaign, or tell the business how late it will be",
		in: func(s *scope, in *topology.Integration) {
			if b := s.budget(in); b.RateDeclared && b.Usual < b.Rate && b.Peak > b.Rate {
				s.found("rate.limit", "%s takes %s and %s come at its peak", in.Name, perSecond(b.Rate), perSecond(b.Peak))
			}
		}},
	{ID: "retry-budget-over-rate", Question: Outage, Severity: Error, Title: "Repetitions use up the downstream's limit",
		Why:  "What the budget allows beside first calls is more than the downstream takes: while it struggles, first calls starve behind repetitions.",
		Mend: "lower retry.budget, or raise rate.limit with the downstream's owner",
		in: func(s *scope, in *topology.Integration) {
			b := s.budget(in)
			if all := b.Usual * (1 + float64(in.Retry.Budget)/100); b.RateDeclared && b.Usual < b.Rate && all > b.Rate {
				s.found("retry.budget", "%s calls and %s%% repetitions of %s are %s, and it takes %s", perSecond(b.Usual), trim(float64(in.Retry.Budget)), in.Name, perSecond(all), perSecond(b.Rate))
			}
		}},
	{ID: "in-flight-below-peak", Question: Outage, Severity: Error, Title: "Too few calls at once for the peak",
		Why:  "When every call takes its timeout, in_flight divided by timeout is all that can be made. Below the peak, a slow hour is an outage.",
		Mend: "raise in_flight, or lower timeout",
		in: func(s *scope, in *topology.Integration) {
			most := float64(in.InFlight) / max(in.Timeout.D().Seconds(), 1e-3)
			if b := s.budget(in); b.Peak > most {
				s.found("in_flight", "%d calls at once of %s each are %s, and %s come at the peak of %s", in.InFlight, long(in.Timeout), perSecond(most), perSecond(b.Peak), in.Name)
			}
		}},
	{ID: "give-up-within-hour", Question: Outage, Severity: Error, Title: "An hour's trouble parks every order",
		Why:  "Where the downstream fails often enough to hurt and too seldom for the breaker, what is given up within the hour waits for a person, order by order.",
		Mend: "make give_up_after more than an hour",
		in: func(s *scope, in *topology.Integration) {
			if in.Retry.GiveUpAfter.D() < time.Hour {
				s.found("retry.give_up_after", "%s gives up after %s", in.Name, long(in.Retry.GiveUpAfter))
			}
		}},
	{ID: "spool-missing", Question: Outage, Severity: Error, Title: "A source that never repeats, and nowhere to put what it sends",
		Why:  "While Kafka is away it gets 503, counts a failure and forgets the order.",
		Mend: "write spool: true; deliveries then go to local disk and are sent on in order",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.RetriesFor == 0 && s.knownRetries(src) && !src.Spool {
				s.found("platform", "%s never repeats a delivery and has no spool", src.Name)
			}
		}},
	{ID: "spool-volume-missing", Question: Outage, Severity: Error, Title: "Nobody knows whether an hour fits into the spool",
		Why:  "The spool is bounded. What does not fit is refused, and this source does not repeat it.",
		Mend: "write volume: {usual: 30/m, peak: 3/s}: deliveries of the source",
		src: func(s *scope, src *topology.Source) {
			if src.Spool && src.Volume.Usual == 0 {
				s.found("spool", "how many deliveries of %s are usual?", src.Name)
			}
		}},
	{ID: "spool-too-small", Question: Outage, Severity: Error, Title: "An hour does not fit into the spool",
		Why:  "When it is full the edge answers 503, and what a source does not repeat is lost.",
		Mend: "lower max_body to what the source really sends, or run more edges",
		src: func(s *scope, src *topology.Source) {
			if bytes := float64(src.Volume.Most()) * 3600 * typicalBody; src.Spool && bytes > spoolSize {
				s.found("volume", "an hour of %s at its peak is about %s MiB, and the spool holds %d", src.Name, trim(float64(int(bytes)>>20)), spoolSize>>20)
			}
		}},
	{ID: "source-gives-up-within-hour", Question: Outage, Severity: Error, Title: "An hour without Kafka loses deliveries",
		Why:  "The source repeats for less than an hour, nothing keeps its deliveries meanwhile, and no poll looks for what is missing.",
		Mend: "write spool: true, or add a poll source with of: this one",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && src.RetriesFor > 0 && src.RetriesFor.D() < time.Hour && !src.Spool && !s.polled(src) {
				s.found("retries_for", "%s repeats for %s", src.Name, long(src.RetriesFor))
			}
		}},
}

const (
	spoolSize   = 512 << 20 // producers' bound of one source's spool
	typicalBody = 16 << 10  // a webhook of an order with some ten lines; Shopify's samples are 6 to 20 KiB
)

// toFiles tells whether an integration only writes files, which nobody has to be protected from.
func (s *scope) toFiles(in *topology.Integration) bool {
	for _, r := range in.Deliver {
		if r.File == nil {
			return false
		}
	}
	return true
}

// polled tells whether a poll finds what a source did not deliver.
func (s *scope) polled(of *topology.Source) bool {
	for i := range s.t.Sources {
		if src := &s.t.Sources[i]; src.Platform == topology.Poll && src.Of == of.Name {
			return true
		}
	}
	return false
}
