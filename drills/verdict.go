package drills

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/schemas"
)

// Report is what a story came to.
type Report struct {
	Orders, Customers, Refunds, Cancelled int
	Posts, Attempts, Twice, NeverTold     int // webhooks and call-backs: how many, how often tried, told under a second id, never told
	Events, Outcomes, Absorbed            int // records of the event topics, outcomes, and those that are duplicates
	Systems                               []SystemReport
	Parked                                []ParkedReport
	Disagreements                         []DisagreementReport
	Violations                            []string // of what Seam promises; none is a good day
	Took                                  time.Duration
}

// SystemReport compares what a downstream should have done with what it did.
type SystemReport struct {
	System                   string
	Should, Did              int // effects that have a right number
	Doubled, Missing, Parked int // effects too many; effects that are missing; those of them whose event is parked
}

// ParkedReport counts what waits for a person, by integration and reason.
type ParkedReport struct {
	Integration string
	Reason      schemas.Reason
	Events      int
	Example     string // one of them: its order and what its outcome says
}

// DisagreementReport is how long two systems differed about a field.
type DisagreementReport struct {
	Field   schemas.Field
	Owner   schemas.System
	System  schemas.System // who said otherwise
	Times   int
	Overdue int           // lasted longer than the topology allows
	Open    int           // not over yet
	Longest time.Duration // of the story
}

// settle waits until everything that happened has an end, then judges. What is doubled or unexplained never settles, so
// waiting ends early only when all is well.
func (t *tale) settle(ctx context.Context) Report {
	t.paper.act("Everything comes to an end")
	t.world.Shop().Behave(sim.Behaviour{})
	var report Report
	// Polls and files come at intervals: what they find comes after the last webhook.
	t.pass(ctx, sim.BatchEvery)
	t.until(ctx, t.cfg.Deadline, func() bool {
		if t.world.Pending() > 0 {
			return false
		}
		report = t.judge()
		return len(report.Violations) == 0
	})
	// An ERP tells in its next file but one what it learns now: that is how long a difference may last.
	t.until(ctx, time.Duration(3*float64(sim.BatchEvery)*t.cfg.Scale), func() bool { return t.books.open(ctx) == 0 })
	report = t.judge()
	var err error
	if report.Disagreements, err = t.books.disagreements(ctx, t.cfg.Scale); err != nil {
		report.Violations = append(report.Violations, err.Error())
	}
	said := fmt.Sprintf("%s events have an outcome in every system that reads them.", grouped(report.Events))
	if report.NeverTold > 0 && len(report.Violations) == 0 {
		said += fmt.Sprintf(" The %d webhooks that never came were found by the poll.", report.NeverTold)
	}
	t.paper.say(said)
	return report
}

// judge compares the shop's truth, the downstreams' effects and Seam's outcomes.
func (t *tale) judge() Report {
	sums := t.told()
	r := Report{Posts: sums.posts, Attempts: sums.attempts, Twice: sums.twice, NeverTold: len(t.world.Shop().Silenced()), Took: time.Since(t.begun)}
	orders, customers := t.world.Shop().Orders(), t.world.Shop().Customers()
	r.Orders, r.Customers = len(orders), len(customers)
	for _, o := range orders {
		r.Refunds += len(o.Refunds)
		if o.Status == "cancelled" {
			r.Cancelled++
		}
	}
	r.Events, r.Outcomes = t.books.size()
	parked, duplicates := t.books.parked()
	for _, n := range duplicates {
		r.Absorbed += n
	}
	held := map[string]int{} // integration/order to parked events
	for _, o := range parked {
		held[o.Integration+"/"+o.OrderID]++
	}
	should := truthOf(orders, customers)
	for _, system := range slices.Sorted(maps.Keys(should)) {
		s, faults := compare(system, should[system], t.world.System(system).Effects(), held)
		r.Systems = append(r.Systems, s)
		r.Violations = append(r.Violations, faults...)
	}
	r.Parked = group(parked)
	r.Violations = append(r.Violations, t.unexplained(parked)...)
	r.Violations = append(r.Violations, t.believed(orders, held)...)
	r.Violations = append(r.Violations, t.lost()...)
	r.Violations = append(r.Violations, t.books.faults()...)
	return r
}

// compare holds one system's effects to what it should have done; what is missing is excused where an event of that order
// is parked.
func compare(system string, should map[string]due, effects map[string]map[string]int, held map[string]int) (SystemReport, []string) {
	s := SystemReport{System: system}
	var faults []string
	for _, id := range slices.Sorted(maps.Keys(should)) {
		for _, op := range slices.Sorted(maps.Keys(should[id])) {
			want, got := should[id][op], effects[id][op]
			s.Should += max(want.least, min(got, want.most))
			s.Did += got
			switch {
			case got > want.most:
				s.Doubled += got - want.most
				faults = append(faults, fmt.Sprintf("%s did %s for %s %s, and should have %s", system, op, id, times(got), most(want)))
			case got < want.least:
				s.Missing += want.least - got
				if held[integrationOf(system)+"/"+id] > 0 {
					s.Parked += want.least - got
				} else {
					faults = append(faults, fmt.Sprintf("%s did not do %s for %s", system, op, id))
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(effects)) {
		for _, op := range slices.Sorted(maps.Keys(effects[id])) {
			if _, known := should[id][op]; !known && !uncounted[system+"/"+op] {
				s.Did += effects[id][op]
				s.Doubled += effects[id][op]
				faults = append(faults, fmt.Sprintf("%s did %s for %s, which nobody asked for", system, op, id))
			}
		}
	}
	return s, faults
}

func most(s span) string {
	if s.most == 0 {
		return "not at all"
	}
	return times(s.most)
}

// unexplained holds what is parked to the faults that were made: an answer outside the contract may park one event, an
// answer of the help desk that did not come in time as many as it says (how many that are is the machine's to say: a slow
// one loses more), a "too late" of the warehouse one; what stands behind them waits for them; nothing else may wait. An answer can give cause twice, when the call it answered is made again under
// the same key, but never not at all.
func (t *tale) unexplained(parked []*schemas.Outcome) []string {
	got, first := map[string]int{}, map[string]bool{}
	for _, o := range parked {
		got[o.Integration+" "+string(o.Reason)]++
		if o.Reason != schemas.ReasonBehind {
			first[o.Integration+"/"+o.OrderID] = true
		}
	}
	support := t.world.System("support").Calls()
	want := map[string]int{
		"tax " + string(schemas.ReasonContract):         t.world.System("tax").Calls()["299"],
		"support " + string(schemas.ReasonUnknown):      support["reset"] + support["too late"],
		"warehouse " + string(schemas.ReasonBusinessNo): t.world.System("warehouse").Calls()["409"],
	}
	var faults []string
	for _, why := range slices.Sorted(maps.Keys(want)) {
		more := got[why] > want[why] && !strings.HasSuffix(why, string(schemas.ReasonUnknown))
		if more || got[why] == 0 && want[why] > 0 && !t.cfg.Crashes { // who died before it could say so was answered otherwise later
			faults = append(faults, fmt.Sprintf("parked (%s): %d events, and %d answers gave cause", why, got[why], want[why]))
		}
	}
	for _, o := range parked {
		_, known := want[o.Integration+" "+string(o.Reason)]
		behind := o.Reason == schemas.ReasonBehind && first[o.Integration+"/"+o.OrderID]
		// A call that nobody answered is in the outcome, unless the process that made it died.
		answered := o.Reason == schemas.ReasonUnknown && !t.cfg.Crashes && !slices.ContainsFunc(o.Attempts, func(a schemas.Attempt) bool { return a.Status == 0 && a.Class == "unknown" })
		if !known && !behind || answered {
			faults = append(faults, fmt.Sprintf("%s parked %s of %s without cause: %s, %s", o.Integration, o.EventType, o.OrderID, o.Reason, o.Detail))
		}
	}
	return faults
}

// believed holds the ERP's records to the shop's: status, payment and total.
func (t *tale) believed(orders []sim.Order, held map[string]int) []string {
	var faults []string
	records := t.world.ERPOrders()
	for _, o := range orders {
		have, ok := records[o.ID]
		if !ok || held["erp/"+o.ID] > 0 {
			continue // missing is compare's to say
		}
		if have.Status != o.Status || have.PaymentStatus != o.Payment || have.Currency != o.Currency || !sameAmount(have.Amount, o.Total) {
			faults = append(faults, fmt.Sprintf("the ERP believes %s is %s, %s, %s %s; the shop says %s, %s, %s %s", o.ID,
				have.Status, have.PaymentStatus, have.Amount, have.Currency, o.Status, o.Payment, o.Total, o.Currency))
		}
	}
	return faults
}

// lost names the webhooks that were not taken, and those the edge took that are in no topic.
func (t *tale) lost() []string {
	var faults []string
	has := t.books.has()
	for _, p := range t.world.Posts() {
		switch id := schemas.NewEventID("/shopify/"+sim.ShopDomain, p.ID, ""); {
		case !p.Taken:
			faults = append(faults, fmt.Sprintf("%s %s of %s was never taken: %d %s", p.Source, p.Type, p.Subject, p.Status, p.Answer))
		case p.Source == "shopify" && !has[id]:
			faults = append(faults, fmt.Sprintf("shopify %s of %s was taken (webhook %s) and is in no topic", p.Type, p.Subject, p.ID))
		}
	}
	slices.Sort(faults)
	return faults
}

// faults are what the topics should not hold, and what is not settled.
func (b *books) faults() []string {
	out := b.unsettled(time.Now().Add(-time.Second)) // what came in the last second may be on its way
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.quarantined {
		out = append(out, fmt.Sprintf("quarantined without cause: %s %s: %s", q.Source, q.DeliveryID, q.Reason))
	}
	if b.fault != nil {
		out = append(out, strings.Split(b.fault.Error(), "\n")...)
	}
	return out
}

// group counts what is parked by integration and reason; it is sorted that way already.
func group(parked []*schemas.Outcome) []ParkedReport {
	var out []ParkedReport
	for _, o := range parked {
		if n := len(out); n == 0 || out[n-1].Integration != o.Integration || out[n-1].Reason != o.Reason {
			out = append(out, ParkedReport{Integration: o.Integration, Reason: o.Reason, Example: fmt.Sprintf("order %s: %s", o.OrderID, o.Detail)})
		}
		out[len(out)-1].Events++
	}
	return out
}
