package money

import (
	"cmp"
	"strconv"

	"github.com/binaryandbeyond/seam/schemas"
)

// outcome is what became of a payment or refund.
type outcome int

const (
	happened outcome = iota
	pending          // nothing moved yet
	failed
)

// statuses says what the status of a payment or refund means; none said means that it happened, as the source lists it.
var statuses = map[string]outcome{
	"": happened, "success": happened, "succeeded": happened, "paid": happened,
	"pending": pending, "requires_action": pending, "awaiting_response": pending, "unpaid": pending,
	"failure": failed, "failed": failed, "error": failed, "canceled": failed, "cancelled": failed,
}

// outcomeOf is what a status means; otherwise is for a source's own word.
func outcomeOf(status string, otherwise outcome) outcome {
	if out, known := statuses[status]; known {
		return out
	}
	return otherwise
}

// transactions are the kinds of payments that say what they are, each under an id of its own, whatever event they came
// in. Stripe's charges and intents are read by the event's type.
var transactions = map[string]Kind{"authorization": Authorized, "capture": Captured, "sale": Captured, "void": Voided, "refund": Refunded}

// paymentTypes are the types that say what became of a payment.
var paymentTypes = map[schemas.EventType]Kind{schemas.PaymentAuthorized: Authorized, schemas.PaymentCaptured: Captured, schemas.PaymentVoided: Voided}

// payment tells one payment of an event of a type; type "" is for payments in an order's state.
func (t *teller) payment(p *schemas.Payment, fallback string, typ schemas.EventType) {
	kind, explicit := transactions[p.Kind]
	out := outcomeOf(p.Status, pending)
	switch typed, known := paymentTypes[typ]; {
	case p.Kind == paidObject:
		t.claim(p, out)
		return
	case typ == schemas.PaymentFailed:
		out = failed
	case explicit && known:
		out = outcomeOf(p.Status, happened)
	case known:
		kind, out = typed, happened
	case p.Kind == "charge" || p.Kind == "checkout.session":
		kind = Captured
	}
	m := Movement{Kind: kind, Object: cmp.Or(p.ID, p.Reference, fallback), Payment: cmp.Or(p.ParentID, p.ID), Reference: p.Reference}
	switch {
	case kind == "":
		return
	case kind == Authorized && out == happened: // an adjusted authorization replaces the first
		m.Object = cmp.Or(p.ParentID, m.Object)
	case kind == Captured && out == happened:
		m.Whole = paidObject
	case kind == Refunded:
		m.Payment = p.ParentID
	}
	switch {
	case out == happened:
		t.moved(m, p.Amount, p.ProcessedAt)
	case out == failed && explicit: // the next attempt of a charge has the same id: one that failed moved nothing
		t.withdrawn(m)
	}
}

// claim tells that the whole order is paid, where a source names no transaction: the total it has to pay, in the currency
// the customer saw.
func (t *teller) claim(p *schemas.Payment, out outcome) {
	amount := p.Amount
	if o := t.ev.Order; amount == nil && o != nil {
		amount = cmp.Or(o.PresentmentTotal, o.Total)
	}
	if out == happened {
		t.moved(Movement{Kind: Captured, Object: paidObject, Reference: p.Reference}, amount, p.ProcessedAt)
	}
}

// refund tells a refund by its transactions where it has them, else whole.
func (t *teller) refund(r *schemas.Refund, fallback string, typ schemas.EventType) {
	m := Movement{Kind: Refunded, Object: cmp.Or(r.ID, fallback), Payment: r.PaymentID}
	if len(r.Payments) > 0 {
		for i := range r.Payments {
			t.part(&r.Payments[i], m.Object, m.Object+"#"+strconv.Itoa(i))
		}
		return
	}
	out := outcomeOf(r.Status, pending)
	switch typ {
	case schemas.RefundSucceeded:
		out = happened
	case schemas.RefundRequested:
		out = pending
	case schemas.RefundFailed:
		out = failed
	default:
	}
	switch out {
	case happened:
		t.moved(m, r.Amount, r.CreatedAt)
	case failed:
		t.withdrawn(m)
	case pending:
	}
}

// part tells one transaction of a refund. One that is no refund (a void) says also that this part gave nothing back.
func (t *teller) part(p *schemas.Payment, whole, fallback string) {
	m := Movement{Kind: Refunded, Object: cmp.Or(p.ID, p.Reference, fallback), Whole: whole, Payment: p.ParentID, Reference: p.Reference}
	if kind, known := transactions[p.Kind]; known && kind != Refunded {
		t.payment(p, fallback, "")
		t.withdrawn(m)
		return
	}
	switch outcomeOf(p.Status, pending) {
	case happened:
		t.moved(m, p.Amount, p.ProcessedAt)
	case failed:
		t.withdrawn(m)
	case pending:
	}
}
