package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// integration answers the six questions of one.
func (s *scope) integration(in *topology.Integration) Subject {
	b := s.budget(in)
	return Subject{Name: in.Name, On: "integrations/" + in.Name, Team: in.Team, Budget: b, Answers: []Answer{
		s.answer(Twice, s.twice(in, b)), s.answer(Owner, s.owns(in)), s.answer(Stale, s.stale(in, b)),
		s.answer(Outage, s.outage(in, b)), s.answer(Success, s.success(in)), s.answer(Paged, s.paged(in)),
	}}
}

func (s *scope) answer(q Question, says []string) Answer {
	if s.silent[q] {
		says = []string{"Not known: a file that says it cannot be read."}
	} else if len(says) == 0 {
		says = []string{"The files do not say."}
	}
	return Answer{Question: q, Asked: q.String(), Says: says}
}

func (s *scope) twice(in *topology.Integration, b *Budget) []string {
	known := fmt.Sprintf("An event is known by its id, and by what it is about, for %s", b.Dedup)
	if b.RepeatedBy != "" {
		known += fmt.Sprintf("; the longest that a source repeats one is %s (%s)", b.Repeated, b.RepeatedBy)
	}
	out := []string{known + "."}
	switch id := in.Idempotency; {
	case id.Key != "":
		out = append(out, fmt.Sprintf("A call whose answer is lost is made again under the same %s, which %s remembers for %s; after %s of retries it waits for a person.", id.Key, in.Name, long(id.Remembers), long(in.Retry.GiveUpAfter)))
	case id.Upsert:
		out = append(out, fmt.Sprintf("A call names the record by our id, so that making it twice is making it once; after %s of retries it waits for a person.", long(in.Retry.GiveUpAfter)))
	case id.Probe != "":
		out = append(out, fmt.Sprintf("A call whose answer is lost is made again only when %s, asked by our reference, does not have it after %s.", in.Name, long(id.Settles)))
	case id.None:
		out = append(out, fmt.Sprintf("A call whose answer is lost is never made again: %s cannot be asked, and a person decides.", in.Name))
	default:
		out = append(out, "What a call that is made twice does is not said.")
	}
	for _, r := range in.Deliver {
		if r.Once {
			out = append(out, fmt.Sprintf("%s is done once for an order, whichever event asks for it.", r.Operation))
		}
	}
	return out
}

func (s *scope) owns(in *topology.Integration) []string {
	var out, unowned []string
	by := map[string][]string{}
	for _, f := range s.sentAll(in) {
		if o, ok := s.t.Ownership[f]; ok {
			by[o.Owner.String()] = append(by[o.Owner.String()], string(f))
		} else {
			unowned = append(unowned, string(f))
		}
	}
	if len(unowned) > 0 {
		out = append(out, fmt.Sprintf("Of %s it gets nothing, as nobody owns that.", list(unowned)))
	}
	for _, owner := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[owner])
		out = append(out, fmt.Sprintf("It is told %s, in the words of %s alone.", list(by[owner]), owner))
	}
	var own, compared []string
	for _, f := range slices.Sorted(maps.Keys(s.t.Ownership)) {
		o := s.t.Ownership[f]
		if o.Owner.Has(in.System) {
			own = append(own, string(f))
		}
		if slices.Contains(o.Copies, in.System) {
			compared = append(compared, fmt.Sprintf("%s (%s, after %s)", f, o.Page, long(o.AgreeWithin)))
		}
	}
	if len(own) > 0 {
		out = append(out, fmt.Sprintf("Its own word counts for %s; none of that is written into it.", list(own)))
	}
	if len(compared) > 0 {
		out = append(out, fmt.Sprintf("What it says of %s is compared with the owner's word, and the team named is paged.", list(compared)))
	}
	if len(out) == 0 {
		out = append(out, "It is told what events are about, and no field that anybody could contest.")
	}
	return out
}

func (s *scope) stale(in *topology.Integration, b *Budget) []string {
	if b.StaleAfter == 0 || b.CompleteWithin == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("Harm begins when what it knows is older than %s; an order that has waited for %s is late.", b.StaleAfter, b.CompleteWithin)}
	promise := fmt.Sprintf("%s%% of orders are to be in time over 30 days", trim(b.Objective))
	if b.Usual > 0 {
		promise += fmt.Sprintf(": %.0f may be late, which is %s away", b.LateAllowed, b.AwayAllowed)
	}
	out = append(out, promise+".")
	if in.ExpiresAfter > 0 {
		out = append(out, fmt.Sprintf("What is older than %s is of no use to it and is not sent any more.", long(in.ExpiresAfter)))
	}
	for _, w := range in.Windows {
		out = append(out, fmt.Sprintf("It is not called %s.", w))
	}
	if f := in.Facts; f != nil && f.MaxStaleness > 0 {
		out = append(out, fmt.Sprintf("It is told no fact that is older than %s.", long(f.MaxStaleness)))
	}
	return out
}

func (s *scope) outage(in *topology.Integration, b *Budget) []string {
	out := []string{fmt.Sprintf("Nothing is lost: its orders wait in Kafka (%s) while others go on. The breaker opens at %s%% failures of %d calls, then one call each %s finds out whether it is back.",
		b.Kept, trim(float64(in.Breaker.Failures)), in.Breaker.Of, long(in.Breaker.Open))}
	if b.Usual == 0 {
		return append(out, "How long it takes to catch up is not known, as its volume is not.")
	}
	limit := perSecond(b.Rate)
	if !b.RateDeclared {
		limit += ", in_flight over timeout, as no limit is declared"
	}
	out = append(out, fmt.Sprintf("An hour leaves %s calls at %s; at %s they are made within %s.", trim(b.Backlog), perSecond(b.Usual), limit, b.Drain))
	if b.SlowRate > 0 {
		out = append(out, fmt.Sprintf("In its slow hours, at %s, within %s.", perSecond(b.SlowRate), b.DrainSlow))
	}
	if b.Peak > b.Usual {
		out = append(out, fmt.Sprintf("An hour of the peak, at %s, is made within %s.", perSecond(b.Peak), b.DrainPeak))
	}
	out = append(out, fmt.Sprintf("Before the breaker opens it gets %s calls for each event at worst; after, %d in the hour. An event is tried up to %d times over %s, then it waits for %s.",
		trim(b.Amplification), b.OpenCalls, b.Attempts, long(in.Retry.GiveUpAfter), in.Team))
	return out
}

func (s *scope) success(in *topology.Integration) []string {
	var out []string
	for _, op := range s.operationsOf(in) {
		var due, seen []string
		for _, key := range slices.Sorted(maps.Keys(op.Done)) {
			if by, _ := s.t.DoneBy(key); by == in {
				due = append(due, long(op.Done[key]))
			}
		}
		for _, et := range slices.Sorted(maps.Keys(op.Seen)) {
			seen = append(seen, fmt.Sprintf("%s within %s", et, long(op.Seen[et])))
		}
		text := fmt.Sprintf("%s waits for its call within %s", op.Name, list(due))
		if len(seen) > 0 {
			text += ", and for " + list(seen)
		}
		out = append(out, text+fmt.Sprintf("; what is missing is told to %s.", op.Page))
	}
	switch {
	case len(s.seenOf(in)) > 0:
		out = append(out, "That is cross-system success: its own system says so, not our call.")
	case s.observed(in):
		out = append(out, "What its system says of the fields it holds is compared with the owner's word.")
	default:
		out = append(out, "Beyond its answers nothing comes back: only transport success is known.")
	}
	return out
}

func (s *scope) paged(in *topology.Integration) []string {
	out := s.team(in.Team)
	pages := map[string][]string{}
	for _, f := range slices.Sorted(maps.Keys(s.t.Ownership)) {
		if o := s.t.Ownership[f]; slices.Contains(o.Copies, in.System) || o.Owner.Has(in.System) {
			pages[o.Page] = append(pages[o.Page], string(f))
		}
	}
	for _, team := range slices.Sorted(maps.Keys(pages)) {
		out = append(out, fmt.Sprintf("%s is paged when systems differ about %s.", team, list(pages[team])))
	}
	if s.t.Money.Page != "" {
		out = append(out, fmt.Sprintf("%s is paged when amounts still differ after %s.", s.t.Money.Page, long(s.t.Money.AgreeWithin)))
	}
	return out
}

// team is a sentence about who answers.
func (s *scope) team(name string) []string {
	t, ok := s.t.Teams[name]
	if !ok {
		return nil
	}
	var where []string
	for _, part := range []struct{ word, text string }{{"", t.Pager}, {"chat ", t.Chat}, {"", t.Hours}, {"else ", t.AfterHours}} {
		if part.text != "" {
			where = append(where, part.word+part.text)
		}
	}
	return []string{fmt.Sprintf("%s answers for it: %s.", name, strings.Join(where, ", "))}
}

// source answers the six questions of one.
func (s *scope) source(src *topology.Source) Subject {
	return Subject{Name: src.Name, On: "sources/" + src.Name, Team: src.Team, Answers: []Answer{
		s.answer(Twice, sourceTwice(src)), s.answer(Owner, s.sourceOwns(src)), s.answer(Stale, s.sourceStale(src)),
		s.answer(Outage, s.sourceOutage(src)), s.answer(Success, s.sourceSuccess(src)), s.answer(Paged, s.team(src.Team)),
	}}
}

func sourceTwice(src *topology.Source) []string {
	if !src.Platform.Webhooks() {
		if src.Platform == topology.Poll {
			return []string{fmt.Sprintf("It asks again for %s before its cursor; what was seen is known by its id.", long(src.Overlap))}
		}
		return []string{"A file is taken once by its content, whatever its name; a row of a corrected file is a new event of the same thing."}
	}
	repeats := fmt.Sprintf("It repeats a delivery for %s", long(src.RetriesFor))
	if src.RetriesFor == 0 {
		repeats = "It never repeats a delivery"
	}
	if f := src.Platform.Facts(); f.ByHand > src.RetriesFor.D() {
		repeats += fmt.Sprintf(", people there for %s", long(f.ByHand))
	}
	return []string{repeats + "; the same delivery has the same id, and is one event.",
		fmt.Sprintf("It waits %s for an answer; it gets one within %s, once Kafka has the event.", long(src.Patience), long(src.AnswerWithin))}
}

func (s *scope) sourceOwns(src *topology.Source) []string {
	var own, copies []string
	for _, f := range slices.Sorted(maps.Keys(s.t.Ownership)) {
		o := s.t.Ownership[f]
		if o.Owner.Has(src.System) {
			own = append(own, string(f))
		} else if slices.Contains(o.Copies, src.System) {
			copies = append(copies, string(f))
		}
	}
	var out []string
	if len(own) > 0 {
		out = append(out, fmt.Sprintf("It speaks for %s, whose word counts for %s.", src.System, list(own)))
	}
	if len(copies) > 0 {
		out = append(out, fmt.Sprintf("What %s says of %s is compared, and passed on to nobody.", src.System, list(copies)))
	}
	return out
}

func (s *scope) sourceStale(src *topology.Source) []string {
	var out []string
	if !src.Platform.Webhooks() {
		out = append(out, fmt.Sprintf("It is looked at every %s: what it tells is that old.", long(src.Every)))
	}
	if src.SilentAfter > 0 {
		return append(out, fmt.Sprintf("Silence of %s is told to %s.", long(src.SilentAfter), src.Team))
	}
	return append(out, "How long it may be silent is learned from two weeks of it.")
}

func (s *scope) sourceOutage(src *topology.Source) []string {
	switch {
	case src.Spool:
		return []string{"While Kafka is away its deliveries go to local disk, and are sent on in order."}
	case !src.Platform.Webhooks():
		return []string{"While Kafka is away it is not read; it goes on where it was."}
	}
	out := []string{fmt.Sprintf("While Kafka is away it gets 503, and repeats for %s.", long(src.RetriesFor))}
	if d := src.Platform.Facts().Disables; d != "" {
		out = append(out, fmt.Sprintf("Its maker says that %s.", d))
	}
	if s.polled(src) {
		out = append(out, "A poll looks for what it did not deliver.")
	}
	return out
}

func (s *scope) sourceSuccess(src *topology.Source) []string {
	out := []string{"What is authentic and cannot be read goes to the quarantine, whole, with the reason."}
	var seen []string
	for _, op := range s.t.Operations {
		for _, et := range slices.Sorted(maps.Keys(op.Seen)) {
			if src.Emits != nil && slices.Contains(src.Emits, et) {
				seen = append(seen, fmt.Sprintf("%s (%s)", et, op.Name))
			}
		}
	}
	if len(seen) > 0 {
		out = append(out, fmt.Sprintf("Operations wait for its %s.", list(seen)))
	}
	if src.Emits != nil {
		out = append(out, fmt.Sprintf("It may send %s.", list(texts(src.Emits))))
	}
	return out
}

func texts(types []schemas.EventType) []string {
	var out []string
	for _, et := range types {
		if !slices.Contains(out, string(et)) {
			out = append(out, string(et))
		}
	}
	return out
}

// list is "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
