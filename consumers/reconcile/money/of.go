package money

import (
	"cmp"
	"strconv"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Of is every movement that one event tells of, in the order of the model: of its own payment, refund, invoice, dispute or
// parcel, and of those that the order's state beside it lists. Nil for events without money, of other topics than orders
// and of no system, and for people's corrections, which move none. The same event always gives the same movements.
func Of(ev *schemas.Event) []Movement {
	if ev.System == "" || ev.Type.Corrects() || ev.Type.Topic() != schemas.TopicOrders {
		return nil
	}
	t := &teller{ev: ev, fact: cmp.Or(ev.BusinessID, string(ev.ID)), said: ev.Time}
	if ev.Order != nil && ev.Order.UpdatedAt != nil {
		t.said = *ev.Order.UpdatedAt // a fact told with the whole state has the fact's time
	}
	t.order()
	if ev.Payment != nil {
		t.payment(ev.Payment, t.fact, ev.Type)
	}
	if ev.Refund != nil {
		t.refund(ev.Refund, t.fact, ev.Type)
	}
	if ev.Dispute != nil {
		t.dispute(ev.Dispute)
	}
	if ev.Invoice != nil {
		t.invoice(ev.Invoice)
	}
	if ev.Fulfillment != nil {
		t.fulfillment(ev.Fulfillment, t.fact, ev.Type)
	}
	return t.out
}

// teller collects what one event says.
type teller struct {
	ev   *schemas.Event
	fact string    // the object of what has no id
	said time.Time // as of when the event speaks
	out  []Movement
}

// tell adds a movement with what the event gives to all of its.
func (t *teller) tell(m Movement, at *time.Time) {
	m.System, m.EventID, m.Version, m.SaidAt, m.SeenAt = t.ev.System, t.ev.ID, t.ev.SourceVersion, t.said, t.ev.IngestedAt
	m.At = t.ev.Time
	if at != nil {
		m.At = *at
	}
	t.out = append(t.out, m)
}

// moved adds a movement without the sign that some sources give it; none where no amount is said.
func (t *teller) moved(m Movement, amount *schemas.Money, at *time.Time) {
	if amount == nil {
		return
	}
	m.Amount, m.Currency = amount.Amount.Abs(), amount.Currency
	t.tell(m, at)
}

// withdrawn adds that it did not move, or no longer.
func (t *teller) withdrawn(m Movement) {
	m.Withdrawn = true
	t.tell(m, nil)
}

// order tells the order's total and what its state lists.
func (t *teller) order() {
	o := t.ev.Order
	if t.ev.Type == schemas.OrderCancelled || o != nil && (o.Status == "cancelled" || o.Status == "deleted") {
		t.withdrawn(Movement{Kind: Charged, Object: t.ev.Subject})
		t.withdrawn(Movement{Kind: Presented, Object: t.ev.Subject})
	} else if o != nil {
		t.owed(Charged, o.Total)
		t.owed(Presented, o.PresentmentTotal)
	}
	if o == nil {
		return
	}
	for i := range o.Payments {
		t.payment(&o.Payments[i], "payments#"+strconv.Itoa(i), "")
	}
	for i := range o.Refunds {
		t.refund(&o.Refunds[i], "refunds#"+strconv.Itoa(i), "")
	}
	for i := range o.Fulfillments {
		t.fulfillment(&o.Fulfillments[i], "fulfillments#"+strconv.Itoa(i), "")
	}
}

func (t *teller) owed(kind Kind, total *schemas.Money) {
	if total != nil {
		t.tell(Movement{Kind: kind, Object: t.ev.Subject, Amount: total.Amount, Currency: total.Currency}, &t.said)
	}
}

// disputes says what the words of a dispute's kind and status mean where they do not mean that money is asked back.
// Sources: https://docs.stripe.com/api/disputes/object, https://docs.adyen.com/risk-management/disputes-api/dispute-notifications,
// https://shopify.dev/docs/api/admin-rest/latest/resources/dispute.
var disputes = map[string]outcome{
	"inquiry": pending, "warning_needs_response": pending, "warning_under_review": pending, "warning_closed": pending,
	"request_for_information": pending, "notification_of_chargeback": pending,
	"won": failed, "chargeback_reversed": failed,
}

func (t *teller) dispute(d *schemas.Dispute) {
	m := Movement{Kind: Disputed, Object: cmp.Or(d.ID, t.fact), Payment: d.PaymentID}
	switch cmp.Or(disputes[d.Kind], disputes[d.Status]) {
	case happened:
		t.moved(m, d.Amount, nil)
	case failed:
		t.withdrawn(m)
	case pending:
	}
}
