package reconcile_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// paidIs is a system's word on the payment status.
func paidIs(t testing.TB, id string, system schemas.System, seconds int, status string) *schemas.Event {
	return order(t, event(id, schemas.OrderUpdated, system, seconds), "", status)
}

// accepted is finance's correction of the payment status: whose value, which one, and when the shop said what it was decided
// against.
func accepted(t testing.TB, id string, seconds int, of schemas.System, status string, shop int) *schemas.Event {
	ev := paidIs(t, id, schemas.TeamSystem("finance"), seconds, status)
	ev.Order.Status = ""
	ev.Type, ev.Correction = schemas.OrderCorrected, &schemas.Correction{Field: "order.payment_status", Of: of, Held: []schemas.System{of}, Who: "jo", Why: "asked the bank",
		Basis: []schemas.OwnerWord{{System: "shop", Version: at(shop).Format(time.RFC3339), Time: at(shop)}}}
	return ev
}

// TestAccepted is how disagreements stand once a person accepted a value. 15 minutes are tolerated.
func TestAccepted(t *testing.T) {
	t.Parallel()
	topo := load(t, "")
	paid := func(id string, system schemas.System, seconds int, status string) *schemas.Event {
		return paidIs(t, id, system, seconds, status)
	}
	late := func(ev *schemas.Event, seconds int) *schemas.Event {
		ev.IngestedAt = at(seconds)
		return ev
	}
	two := []fact{paid("s1", "shop", 0, "paid"), paid("b1", "erp", 60, "refunded")}
	for _, tt := range []struct {
		name  string
		facts []fact
		now   int
		owner schemas.System
		want  []string
	}{
		{"the others have as long as they may differ, from then on", []fact{accepted(t, "f1", 800, "erp", "refunded", 0)}, 1600, "team:finance",
			[]string{"erp refunded, shop paid since 60 until 1700: accepted erp refunded by finance jo"}},
		{"who does not come round is overdue again", []fact{accepted(t, "f1", 800, "erp", "refunded", 0)}, 1701, "team:finance",
			[]string{"erp refunded, shop paid since 60 until 1700: overdue page finance erp refunded by finance jo"}},
		{"it closes when the owner says so too", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), paid("s2", "shop", 900, "refunded")}, 9999, "shop",
			[]string{"erp refunded, shop paid since 60 until 1700: closed at 900 erp refunded by finance jo"}},
		{"what the owner says newer counts, and what differs from it opens anew", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), paid("s2", "shop", 900, "paid")}, 1000, "shop",
			[]string{"erp refunded, shop paid since 900 until 1800: opened", "erp refunded, shop paid since 60 until 1700: closed at 900 erp refunded by finance jo"}},
		{"an older word of the owner changes nothing", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), late(paid("s0", "shop", -60, "pending"), 900)}, 1000, "team:finance",
			[]string{"erp refunded, shop paid since 60 until 1700: accepted erp refunded by finance jo"}},
		{"nor does the same again", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), late(paid("s9", "shop", 0, "paid"), 900)}, 1000, "team:finance",
			[]string{"erp refunded, shop paid since 60 until 1700: accepted erp refunded by finance jo"}},
		{"a correction that the owner had overtaken is void", []fact{paid("s2", "shop", 700, "pending"), accepted(t, "f1", 800, "erp", "refunded", 0)}, 900, "shop",
			[]string{"erp refunded, shop pending since 60 until 960: opened"}},
		{"the owner's value may be the one", []fact{accepted(t, "f1", 800, "shop", "paid", 0)}, 900, "team:finance", []string{"erp refunded, shop paid since 60 until 1700: accepted shop paid by finance jo"}},
		{"it closes when the other comes round", []fact{accepted(t, "f1", 800, "shop", "paid", 0), paid("b2", "erp", 850, "paid")}, 900, "team:finance", []string{"erp refunded, shop paid since 60 until 1700: closed at 850 shop paid by finance jo"}},
		{"who agrees with an owner that was wrong differs from then on", []fact{paid("t1", "tax", 70, "paid"), accepted(t, "f1", 800, "erp", "refunded", 0)}, 900, "team:finance",
			[]string{"erp refunded, shop paid since 60 until 1700: accepted erp refunded by finance jo", "tax paid, shop paid since 800 until 1700: accepted erp refunded by finance jo"}},
		{"and comes round alone", []fact{paid("t1", "tax", 70, "paid"), accepted(t, "f1", 800, "erp", "refunded", 0), paid("t2", "tax", 820, "refunded"), paid("s2", "shop", 850, "refunded")}, 900, "shop",
			[]string{"erp refunded, shop paid since 60 until 1700: closed at 850 erp refunded by finance jo", "tax refunded, shop paid since 800 until 1700: closed at 850 erp refunded by finance jo"}},
		{"a later decision counts", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), accepted(t, "f2", 830, "shop", "paid", 0)}, 900, "team:finance", []string{"erp refunded, shop paid since 60 until 1730: accepted shop paid by finance jo"}},
		{"whatever order they come in", []fact{accepted(t, "f2", 830, "shop", "paid", 0), late(accepted(t, "f1", 800, "erp", "refunded", 0), 840)}, 900, "team:finance", []string{"erp refunded, shop paid since 60 until 1730: accepted shop paid by finance jo"}},
		{"a copy of it is nothing new", []fact{accepted(t, "f1", 800, "erp", "refunded", 0), accepted(t, "f1", 850, "erp", "refunded", 0)}, 900, "team:finance", []string{"erp refunded, shop paid since 60 until 1700: accepted erp refunded by finance jo"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := fold(topo, append(append([]fact{}, two...), tt.facts...)...)
			o := f.Order(at(tt.now))
			var got []string
			for _, d := range o.Disagreements {
				s := fmt.Sprintf("%s %s, %s %s since %.0f until %.0f: %s", d.System, d.Value, d.Owner, d.OwnerValue, d.Since.Sub(noon).Seconds(), d.Deadline.Sub(noon).Seconds(), d.State)
				if d.Closed != nil {
					s = strings.Replace(s, "shop refunded", "shop paid", 1) + fmt.Sprintf(" at %.0f", d.Closed.Sub(noon).Seconds())
				}
				if d.State == reconcile.DisagreementOverdue {
					s += " page " + d.Page
				}
				if d.Accepted != "" {
					s += fmt.Sprintf(" %s %s by %s %s", d.Accepted, d.AcceptedValue, d.AcceptedBy, d.Who)
				}
				got = append(got, s)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, field := range o.Fields {
				if field.Field == "order.payment_status" && field.Owner != tt.owner {
					t.Errorf("the word of %s counts, want %s's", field.Owner, tt.owner)
				}
			}
		})
	}
}

// TestAcceptedFacts: who decides by the field is told the accepted value, and that it is not everybody's yet.
func TestAcceptedFacts(t *testing.T) {
	t.Parallel()
	f := fold(load(t, ""), paidIs(t, "s1", "shop", 0, "paid"), paidIs(t, "b1", "erp", 60, "refunded"), accepted(t, "f1", 800, "erp", "refunded", 0))
	for _, fact := range f.Facts(at(900)) {
		if fact.Field != "order.payment_status" {
			continue
		}
		if fact.Value != "refunded" || fact.Owner != "team:finance" || fact.Agree != reconcile.AgreeNo || fact.EventID != "f1" || len(fact.Others) != 1 || fact.Others[0].System != "shop" || fact.AgeSeconds != 100 || fact.Overdue {
			t.Errorf("%+v", fact)
		}
	}
	text := text(t, f.Order(at(900)))
	for _, want := range []string{"erp's \"refunded\" was accepted at 2026-11-23 12:13:20.000 by finance (jo): asked the bank; to come round until 2026-11-23 12:28:20.000",
		"order.corrected  f1: order.payment_status is what erp says, decided by jo: asked the bank"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %q:\n%s", want, text)
		}
	}
}

func text(t *testing.T, o *reconcile.Order) string {
	t.Helper()
	var b strings.Builder
	if err := o.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// correcting is a topology in which books (the ERP's integration), tax and records take corrections.
func correcting(t *testing.T) *topology.Topology {
	const head = "team: finance\noperation: book\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\ndeliver:\n"
	call := "    http: {method: PATCH, url: \"http://127.0.0.1:1/{event.subject}\"}\n    body: {payment_status: order.payment_status}\n"
	return loadWith(t, map[string]string{
		"integrations/books.yaml":   "name: books\nsystem: erp\n" + head + "  - on: [order.corrected]\n    fields: [order.payment_status, order.total]\n" + call,
		"integrations/tax.yaml":     "name: tax\n" + head + "  - on: [order.corrected]\n    fields: [order.total]\n" + call,
		"integrations/records.yaml": "name: records\n" + head + "  - on: [order.corrected]\n    each: true\n" + call,
	})
}

// TestAccept is who is told, who holds the value and who must be corrected by hand.
func TestAccept(t *testing.T) {
	t.Parallel()
	topo := correcting(t)
	both := func(id string, system schemas.System, seconds int, total, status string) *schemas.Event {
		return order(t, event(id, schemas.OrderUpdated, system, seconds), total, status)
	}
	o := fold(topo, both("s1", "shop", 0, "20.00 EUR", "paid"), both("b1", "erp", 60, "25.00 EUR", "refunded"), both("w1", "warehouse", 70, "20.01 EUR", "refunded"), both("c1", "crm", 80, "20.00 EUR", "pending")).Order(at(100))
	for _, tt := range []struct {
		name string
		ask  reconcile.Accepting
		want string
	}{
		{"a copy's value", reconcile.Accepting{Field: "order.payment_status", Of: "erp"}, "held erp warehouse; told records by PATCH http://127.0.0.1:1/{event.subject}; crm by hand: no integration delivers order.corrected to it; shop by hand: no integration delivers order.corrected to it"},
		{"the owner's value: who is silent was told by the owner", reconcile.Accepting{Field: "order.total", Of: "shop", Team: "finance"}, "held crm shop warehouse tax; told books by PATCH http://127.0.0.1:1/{event.subject}; told records by PATCH http://127.0.0.1:1/{event.subject}"},
		{"a copy's value: who is silent was told another", reconcile.Accepting{Field: "order.total", Of: "erp"}, "held erp; told records by PATCH http://127.0.0.1:1/{event.subject}; told tax by PATCH http://127.0.0.1:1/{event.subject}; crm by hand: no integration delivers order.corrected to it; shop by hand: no integration delivers order.corrected to it; warehouse by hand: no integration delivers order.corrected to it"},
		{"a field that nobody differs on", reconcile.Accepting{Field: "order.status", Of: "shop"}, "nobody differs about order.status of 1001 now: seam order 1001 shows what is open"},
		{"an object that is not there", reconcile.Accepting{Field: "order.total", Object: "x", Of: "shop"}, "nobody differs about order.total of x of 1001 now: seam order 1001 shows what is open"},
		{"a system that has said nothing", reconcile.Accepting{Field: "order.total", Of: "tax"}, "tax has said nothing of order.total of 1001: --of names one of those who have: crm (20.00 EUR), erp (25.00 EUR), shop (20.00 EUR), warehouse (20.01 EUR)"},
		{"another team", reconcile.Accepting{Field: "order.total", Of: "erp", Team: "crm"}, "order.total is finance's to decide, which ownership.yaml pages for it, and not crm's: let finance decide, or change page there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.ask.Who, tt.ask.Why, tt.ask.Now = "jo", "asked", at(100)
			var got string
			if p, err := reconcile.Accept(topo, o, tt.ask); err != nil {
				got = err.Error()
			} else {
				ev, err := p.Correction(both(string(p.From), p.Of, 0, map[bool]string{true: "25.00 EUR", false: "20.00 EUR"}[p.Of == "erp"], "refunded"))
				if err != nil {
					t.Fatal(err)
				}
				got = "held"
				for _, s := range ev.Correction.Held {
					got += " " + string(s)
				}
				for _, told := range p.Told {
					got += "; told " + told.Integration + " by " + told.Call
				}
				for _, h := range p.Hand {
					got += "; " + string(h.System) + " by hand: " + h.Why
				}
			}
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestAcceptEvent is the correction itself: one field, in the team's name, the same for the same decision, and never a mask.
func TestAcceptEvent(t *testing.T) {
	t.Parallel()
	topo := correcting(t)
	mail := func(id string, system schemas.System, seconds int, address string) *schemas.Event {
		ev := event(id, schemas.OrderUpdated, system, seconds)
		ev.Order = &schemas.Order{ID: "7", Status: "open", Email: address}
		return ev
	}
	theirs := mail("c1", "crm", 60, "john@example.com")
	facts := []fact{mail("s1", "shop", 0, "jane@example.com"), theirs}
	ask := reconcile.Accepting{Field: "order.email", Of: "crm", Who: "jo", Why: "asked her", Now: at(30)} // our clock is behind the edge's
	plan := func(facts ...fact) *reconcile.Acceptance {
		t.Helper()
		p, err := reconcile.Accept(topo, fold(topo, facts...).Order(at(100)), ask)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan(facts...)
	got, err := p.Correction(theirs)
	if err != nil {
		t.Fatal(err)
	}
	after := at(60).Add(time.Microsecond)
	want := &schemas.Event{ID: p.EventID, Type: schemas.OrderCorrected, Source: "/seam/people/crm", System: "team:crm", Subject: "1001", Time: after, IngestedAt: after, SourceVersion: after.Format(time.RFC3339Nano),
		DeliveryID: "orders|1001|order.email||crm|c1|shop|s1", BusinessID: "order.corrected/1001/order.email/" + string(p.EventID), CorrelationID: "orders|1001|order.email|", CausationID: "c1",
		Order: &schemas.Order{ID: "1001", Email: "john@example.com"},
		Correction: &schemas.Correction{Field: "order.email", Of: "crm", Held: []schemas.System{"crm"}, Who: "jo", Why: "asked her",
			Basis: []schemas.OwnerWord{{System: "shop", Version: at(0).Format(time.RFC3339), Time: at(0)}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if again := plan(facts...); again.EventID != p.EventID {
		t.Error("the same decision about the same words is another event")
	}
	decided := append(facts, got)
	if again := plan(decided...); !again.Already || again.Who != "jo" {
		t.Errorf("it was accepted, and is %+v", again)
	}
	// Back and forth are three decisions.
	ids := map[schemas.EventID]bool{got.ID: true}
	for _, back := range []*schemas.Event{mail("s1", "shop", 0, "jane@example.com"), theirs} {
		ask.Of, ask.Now = back.System, ask.Now.Add(time.Hour)
		ev, err := plan(decided...).Correction(back)
		if err != nil {
			t.Fatal(err)
		}
		decided, ids[ev.ID] = append(decided, ev), true
	}
	if len(ids) != 3 {
		t.Errorf("%d events of three decisions", len(ids))
	}
	erased, other := *theirs, *theirs
	erased.Order, other.Order = &schemas.Order{}, &schemas.Order{Email: "joan@example.com"}
	for _, ev := range []*schemas.Event{&erased, &other, mail("c2", "crm", 60, "john@example.com")} {
		if _, err := p.Correction(ev); !errors.Is(err, reconcile.ErrNoValue) {
			t.Errorf("of an event that does not say it: %v", err)
		}
	}
}

// TestWithheldIsTold: what was not sent, and why, stands in the text, the JSON and the table, also of a view that was read again.
func TestWithheldIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := outcome("books", "e1", schemas.OrderCreated, schemas.Delivered, "", 2)
	o.WithheldFields, o.WithheldReasons = []string{"order.status", "order.total"}, []schemas.Reason{schemas.ReasonStale, schemas.ReasonNotOwner}
	p := outcome("warehouse", "e1", schemas.OrderCreated, schemas.Withheld, schemas.ReasonNotOwner, 3)
	p.WithheldFields, p.WithheldReasons = []string{"order.total"}, []schemas.Reason{schemas.ReasonNotOwner}
	b.produce(b.record(order(t, event("e1", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid"), ""), b.record(o, ""), b.record(p, ""))
	file := filepath.Join(t.TempDir(), "view.db")
	m := b.open(file, 60)
	m.judged(m.view)
	m.stop()
	view, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: file, Topology: b.topo, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close() //nolint:errcheck // it is only read
	got := answer(t, view, "1001")
	for _, want := range []string{"order.created e1: delivered; withheld order.status: stale, order.total: not_owner", "order.created e1: withheld (not_owner); withheld order.total: not_owner"} {
		if s := text(t, got); !strings.Contains(s, want) {
			t.Errorf("the text has no %q:\n%s", want, s)
		}
	}
	if s := asJSON(t, *got); !strings.Contains(fmt.Sprint(s), "not_owner") {
		t.Errorf("the JSON does not say why:\n%v", s)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var fields string
	if err := db.QueryRow("SELECT fields FROM withheld WHERE integration = 'books' AND key = '1001'").Scan(&fields); err != nil || fields != `{"order.status":"stale","order.total":"not_owner"}` {
		t.Errorf("the table says %q: %v", fields, err)
	}
}
