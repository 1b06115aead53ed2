package producers

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Stripe. Signature: Stripe-Signature "t=seconds,v1=hex", HMAC over "t.body"; several v1 while a secret rolls. Identity:
// event.id. Orders: events do not come in order and created does not order them, so they carry no version. Stripe knows
// no order id of ours: it is read from metadata.order_id, which the shop sets on the payment.
// Source: https://docs.stripe.com/webhooks and https://docs.stripe.com/currencies.

// stripeOdd are the currencies whose minor unit in Stripe's API is not that of ISO 4217.
var stripeOdd = map[string]int32{"ISK": 2, "UGX": 2, "MGA": 0}

// stripeNoOrder is the mend for payments that do not name their order.
const stripeNoOrder = "Stripe knows no order id: set metadata[order_id] to the shop's order id when the payment is made"

func stripeAuthenticate(d *delivery) error {
	var stamp string
	var sigs [][]byte
	for _, part := range strings.Split(d.head("Stripe-Signature"), ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "t":
			stamp = v
		case "v1":
			if s, err := hex.DecodeString(v); err == nil {
				sigs = append(sigs, s)
			}
		}
	}
	if stamp == "" || len(sigs) == 0 {
		return errNoSignature
	}
	if !anyMatch(d.textKeys(), sigs, []byte(stamp), dot, d.body) {
		return errBadSignature
	}
	return d.signedAt(stamp)
}

func stripeOrigin(d *delivery, root *node) origin {
	o := origin{"/stripe/" + d.source.Name, d.rawRef()}
	if v := root.get("account"); v.leaf() { // Connect: one endpoint for many accounts
		o.source += "/" + v.text
	}
	if v := root.get("id"); v.leaf() && root.get("object").leaf() && root.get("object").text == "event" {
		o.id = v.text
	}
	return o
}

// stripeRead is one read of one event.
type stripeRead struct {
	*taker
	d    *delivery
	r    *reading
	root *node
	n    *node // data.object
	cur  string
	at   *time.Time
}

func stripeNormalize(d *delivery, root *node, r *reading) {
	if obj := root.get("object"); !obj.leaf() || obj.text != "event" || root.get("data.object") == nil {
		what := "it has " + root.names()
		if obj.leaf() {
			what = "it is a " + obj.text
		}
		r.refuse("", &fault{"object", "the body is not a Stripe event: " + what + "; point the endpoint at events, not at API objects"})
		return
	}
	s := &stripeRead{taker: &taker{}, d: d, r: r, root: root, n: root.get("data.object")}
	typ := s.peek(root, "type")
	read, ok := stripeTypes[typ]
	if !ok {
		r.refuse("", &fault{"type", "event type \"" + typ + "\" is not one that Seam reads: take it off the endpoint, or ask for it"})
		return
	}
	s.at = s.epoch(root, "created")
	s.cur = s.peek(s.n, "currency")
	read(s)
	if s.err != nil { // a fault met after the last add
		r.events, r.rejects = nil, []reject{{"", s.err}}
	}
}

// stripeTypes are the event types that Seam reads. Source: https://docs.stripe.com/api/events/types.
var stripeTypes = map[string]func(*stripeRead){
	"charge.succeeded": stripeCharge, "charge.captured": stripeCharge, "charge.failed": stripeCharge, "charge.expired": stripeCharge, "charge.pending": stripeCharge,
	"charge.refunded": stripeChargeRefunded,
	"refund.created":  stripeRefund, "refund.updated": stripeRefund, "refund.failed": stripeRefund, "charge.refund.updated": stripeRefund,
	"charge.dispute.created": stripeDispute, "charge.dispute.updated": stripeDispute, "charge.dispute.closed": stripeDispute,
	"payment_intent.succeeded": stripeIntent, "payment_intent.payment_failed": stripeIntent, "payment_intent.canceled": stripeIntent, "payment_intent.amount_capturable_updated": stripeIntent,
	"checkout.session.completed": stripeCheckout, "checkout.session.async_payment_succeeded": stripeCheckout,
	"radar.early_fraud_warning.created": stripeWarning, "radar.early_fraud_warning.updated": stripeWarning,
	"review.opened": stripeReview, "review.closed": stripeReview,
}

// event starts an event of the delivery.
func (s *stripeRead) event(typ schemas.EventType, part, order string) *schemas.Event {
	ev := s.d.event(s.r.origin, part, typ, order, s.at)
	if v := s.root.get("request.id"); v.present() && v.leaf() {
		ev.CorrelationID = v.text
	}
	return ev
}

// done adds the event with what is left of the body.
func (s *stripeRead) done(ev *schemas.Event, part string) {
	s.rest(s.root, ev.Extensions)
	s.r.add(ev, part, s.taker)
}

// order is the order id from the metadata of n or, where an object is expanded in it, of its charge or payment.
func (s *stripeRead) order(n *node) string {
	for _, p := range []string{"metadata.order_id", "charge.metadata.order_id", "payment_intent.metadata.order_id", "client_reference_id"} {
		if v := n.get(p); v.present() && v.text != "" {
			return s.id(n, p)
		}
	}
	return s.need(n, "metadata.order_id", stripeNoOrder)
}

// payment is the id that a charge and its intent share, so that both tell one fact.
func (s *stripeRead) payment() string {
	if v := s.n.get("payment_intent"); v.leaf() && v.text != "" {
		return s.text(s.n, "payment_intent")
	}
	return s.id(s.n, "id")
}

func stripeCharge(s *stripeRead) {
	order, kind := s.order(s.n), s.root.get("type").text
	typ, amount := schemas.PaymentAuthorized, "amount"
	captured := s.n.get("captured")
	switch {
	case kind == "charge.failed":
		typ = schemas.PaymentFailed
	case kind == "charge.expired":
		typ = schemas.PaymentVoided
	case kind == "charge.pending":
		typ = schemas.OrderUpdated
	case captured.present() && captured.text == "true":
		typ, amount = schemas.PaymentCaptured, "amount_captured"
		if !s.n.get(amount).present() {
			amount = "amount"
		}
	}
	p := s.charge(amount)
	ev := s.event(typ, "", order)
	if typ == schemas.OrderUpdated {
		ev.Order = &schemas.Order{ID: order, Payments: []schemas.Payment{*p}}
	} else {
		ev.Payment = p
	}
	ev.BusinessID = business(ev, p.ID, paymentVersion(typ, p))
	s.done(ev, "")
}

// charge is the charge that the event is about; amount is the path of its amount.
func (s *stripeRead) charge(amount string) *schemas.Payment {
	return &schemas.Payment{
		ID: s.payment(), Kind: "charge", Status: s.text(s.n, "status"), Gateway: "stripe", Reference: s.id(s.n, "id"),
		Amount: s.minor(s.n, amount, s.cur, stripeOdd), ProcessedAt: s.epoch(s.n, "created"),
	}
}

// paymentVersion tells apart two captures of one payment by their amount, and two failures by their charge.
func paymentVersion(typ schemas.EventType, p *schemas.Payment) string {
	switch {
	case typ == schemas.PaymentFailed && p.Reference != p.ID:
		return p.Reference
	case typ == schemas.PaymentVoided || p.Amount == nil:
		return ""
	}
	return p.Amount.String()
}

// stripeChargeRefunded tells every refund of the charge that the event's previous state did not have: two partial
// refunds give two events of one charge and type.
func stripeChargeRefunded(s *stripeRead) {
	order := s.order(s.n)
	before := map[string]bool{}
	for _, r := range s.root.get("data.previous_attributes.refunds.data").items() {
		if id := r.get("id"); id.leaf() {
			before[id.text] = true
		}
	}
	found := false
	for _, r := range s.n.get("refunds.data").items() {
		if id := r.get("id"); id.leaf() && !before[id.text] {
			found = true
			s.refund(r, order, "refund/"+id.text)
		}
	}
	if found || s.err != nil {
		return
	}
	// API versions from 2022-11-15 on leave the list out: how much was refunded is the charge's state then. Which refunds
	// that were refund.created tells, under their ids; to tell them here too would be to tell them twice.
	p := s.charge("amount_captured")
	ev := s.event(schemas.OrderUpdated, "", order)
	ev.Order = &schemas.Order{ID: order, Payments: []schemas.Payment{*p}}
	ev.BusinessID = business(ev, p.ID, "refunded "+s.peek(s.n, "amount_refunded"))
	s.done(ev, "")
}

// refundTypes reads the status of a refund.
var refundTypes = map[string]schemas.EventType{
	"succeeded": schemas.RefundSucceeded, "pending": schemas.RefundRequested, "requires_action": schemas.RefundRequested,
	"failed": schemas.RefundFailed, "canceled": schemas.RefundFailed,
}

// refund adds the event of one refund object.
func (s *stripeRead) refund(n *node, order, part string) {
	cur := s.peek(n, "currency")
	f := &schemas.Refund{
		ID: s.id(n, "id"), Status: s.text(n, "status"), Reason: s.text(n, "reason"), Amount: s.minor(n, "amount", cur, stripeOdd), CreatedAt: s.epoch(n, "created"),
	}
	for _, p := range []string{"payment_intent", "charge"} {
		if v := n.get(p); f.PaymentID == "" && v.leaf() {
			f.PaymentID = s.text(n, p)
		}
	}
	typ, ok := refundTypes[f.Status]
	if !ok {
		s.fail(n.get("status"), "status", "refund status %q is not known: ask for it to be added", f.Status)
	}
	ev := s.event(typ, part, order)
	ev.Refund = f
	ev.BusinessID = business(ev, f.ID, "")
	s.done(ev, part)
}

func stripeRefund(s *stripeRead) { s.refund(s.n, s.order(s.n), "") }

func stripeDispute(s *stripeRead) {
	order := s.order(s.n)
	ev := s.event(schemas.DisputeOpened, "", order)
	ev.Dispute = &schemas.Dispute{
		ID: s.id(s.n, "id"), Kind: "dispute", Reason: s.text(s.n, "reason"), Status: s.text(s.n, "status"),
		Amount: s.minor(s.n, "amount", s.cur, stripeOdd), DueBy: s.epoch(s.n, "evidence_details.due_by"),
	}
	if v := s.n.get("charge"); v.leaf() {
		ev.Dispute.PaymentID = s.text(s.n, "charge")
	}
	ev.BusinessID = business(ev, ev.Dispute.ID, ev.Dispute.Status)
	s.done(ev, "")
}

func stripeIntent(s *stripeRead) {
	order := s.order(s.n)
	typ, amount := schemas.PaymentCaptured, "amount_received"
	switch s.root.get("type").text {
	case "payment_intent.payment_failed":
		typ, amount = schemas.PaymentFailed, "amount"
	case "payment_intent.canceled":
		typ, amount = schemas.PaymentVoided, "amount"
	case "payment_intent.amount_capturable_updated":
		typ, amount = schemas.PaymentAuthorized, "amount_capturable"
	}
	p := &schemas.Payment{
		ID: s.id(s.n, "id"), Kind: "payment_intent", Status: s.text(s.n, "status"), Gateway: "stripe",
		Amount: s.minor(s.n, amount, s.cur, stripeOdd), ProcessedAt: s.epoch(s.n, "created"),
	}
	for _, path := range []string{"latest_charge", "last_payment_error.charge"} {
		if v := s.n.get(path); p.Reference == "" && v.leaf() {
			p.Reference = s.text(s.n, path)
		}
	}
	ev := s.event(typ, "", order)
	ev.Payment = p
	ev.BusinessID = business(ev, p.ID, paymentVersion(typ, p))
	s.done(ev, "")
}

func stripeCheckout(s *stripeRead) {
	order := s.order(s.n)
	p := schemas.Payment{
		ID: s.payment(), Kind: "checkout.session", Status: s.text(s.n, "payment_status"), Gateway: "stripe", Reference: s.id(s.n, "id"),
		Amount: s.minor(s.n, "amount_total", s.cur, stripeOdd),
	}
	if p.Status != "paid" {
		ev := s.event(schemas.OrderUpdated, "", order)
		ev.Order = &schemas.Order{ID: order, Payments: []schemas.Payment{p}}
		ev.BusinessID = business(ev, p.ID, p.Status)
		s.done(ev, "")
		return
	}
	ev := s.event(schemas.PaymentCaptured, "", order)
	ev.Payment = &p
	ev.BusinessID = business(ev, p.ID, paymentVersion(ev.Type, &p))
	s.done(ev, "")
}

func stripeWarning(s *stripeRead) {
	order := s.order(s.n)
	ev := s.event(schemas.FraudAssessed, "", order)
	ev.Fraud = &schemas.Fraud{ID: s.id(s.n, "id"), Level: "high", Recommendation: s.text(s.n, "fraud_type"), Provider: "stripe radar"}
	ev.BusinessID = business(ev, ev.Fraud.ID, s.r.id)
	s.done(ev, "")
}

func stripeReview(s *stripeRead) {
	order := s.order(s.n)
	ev := s.event(schemas.FraudAssessed, "", order)
	ev.Fraud = &schemas.Fraud{ID: s.id(s.n, "id"), Recommendation: s.text(s.n, "reason"), Provider: "stripe radar"}
	ev.BusinessID = business(ev, ev.Fraud.ID, ev.Fraud.Recommendation)
	s.done(ev, "")
}
