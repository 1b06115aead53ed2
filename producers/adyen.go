package producers

import (
	"encoding/base64"
	"strings"

	"github.com/binaryandbeyond/seam/schemas"
)

// Adyen. Each item of notificationItems is signed by itself, in its additionalData: HMAC with a hex key over eight of its
// fields. An unsigned item makes the whole delivery a refusal. Identity of an item: eventCode, pspReference, success.
// The order is merchantReference, zeros in front and all. Adyen waits for the text [accepted].
// Source: https://docs.adyen.com/development-resources/webhooks and /development-resources/currency-codes.

// adyenOdd are the currencies whose minor unit at Adyen is not that of ISO 4217.
var adyenOdd = map[string]int32{"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}

// adyenItems are the items of a notification; nil when the body is none.
func adyenItems(root *node) []*node {
	var out []*node
	for _, it := range root.get("notificationItems").items() {
		if n := it.member("NotificationRequestItem"); n != nil {
			out = append(out, n)
		}
	}
	return out
}

// adyenSigned is what an item's signature is made over; a missing field is empty between its colons.
func adyenSigned(item *node) string {
	var parts []string
	for _, p := range []string{"pspReference", "originalReference", "merchantAccountCode", "merchantReference", "amount.value", "amount.currency", "eventCode", "success"} {
		text := ""
		if v := item.get(p); v.leaf() {
			text = v.text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ":")
}

func adyenAuthenticate(d *delivery) error {
	root, err := parseJSON(d.body)
	if err != nil {
		return errBadSignature
	}
	items := adyenItems(root)
	if len(items) == 0 || len(items) != len(root.get("notificationItems").items()) {
		return errNoSignature
	}
	keys := d.hexKeys()
	for _, it := range items {
		v := it.get("additionalData.hmacSignature")
		if !v.leaf() || v.text == "" {
			return errNoSignature
		}
		sig, err := base64.StdEncoding.DecodeString(v.text)
		if err != nil || !anyMatch(keys, [][]byte{sig}, []byte(adyenSigned(it))) {
			return errBadSignature
		}
	}
	return nil
}

func adyenOrigin(d *delivery, root *node) origin {
	o := origin{"/adyen/" + d.source.Name, d.rawRef()}
	if items := adyenItems(root); len(items) == 1 {
		o.id = adyenIdentity(items[0])
	}
	return o
}

func adyenIdentity(item *node) string {
	var parts []string
	for _, p := range []string{"eventCode", "pspReference", "success"} {
		if v := item.get(p); v.leaf() {
			parts = append(parts, v.text)
		}
	}
	return strings.Join(parts, "/")
}

// adyenFact is what an event code means when it succeeded and when it did not. An empty type is only the order's state.
type adyenFact struct {
	yes, no schemas.EventType
	kind    string
}

// adyenFacts are the event codes that Seam reads. Source: https://docs.adyen.com/development-resources/webhooks/webhook-types.
var adyenFacts = map[string]adyenFact{
	"AUTHORISATION":              {schemas.PaymentAuthorized, schemas.PaymentFailed, "authorization"},
	"AUTHORISATION_ADJUSTMENT":   {schemas.PaymentAuthorized, "", "authorization"},
	"CAPTURE":                    {schemas.PaymentCaptured, schemas.PaymentFailed, "capture"},
	"CAPTURE_FAILED":             {schemas.PaymentFailed, schemas.PaymentFailed, "capture"},
	"CANCELLATION":               {schemas.PaymentVoided, "", "void"},
	"TECHNICAL_CANCEL":           {schemas.PaymentVoided, "", "void"},
	"EXPIRE":                     {schemas.PaymentVoided, "", "void"},
	"OFFER_CLOSED":               {schemas.PaymentFailed, schemas.PaymentFailed, "authorization"},
	"PENDING":                    {"", "", "pending"},
	"REFUND":                     {schemas.RefundSucceeded, schemas.RefundFailed, "refund"},
	"REFUND_WITH_DATA":           {schemas.RefundSucceeded, schemas.RefundFailed, "refund"},
	"REFUND_FAILED":              {schemas.RefundFailed, schemas.RefundFailed, "refund"},
	"REFUNDED_REVERSED":          {schemas.RefundFailed, schemas.RefundFailed, "refund"},
	"NOTIFICATION_OF_FRAUD":      {schemas.FraudAssessed, schemas.FraudAssessed, "fraud"},
	"REQUEST_FOR_INFORMATION":    {schemas.DisputeOpened, schemas.DisputeOpened, "dispute"},
	"NOTIFICATION_OF_CHARGEBACK": {schemas.DisputeOpened, schemas.DisputeOpened, "dispute"},
	"CHARGEBACK":                 {schemas.DisputeOpened, schemas.DisputeOpened, "dispute"},
	"CHARGEBACK_REVERSED":        {schemas.DisputeOpened, schemas.DisputeOpened, "dispute"},
	"SECOND_CHARGEBACK":          {schemas.DisputeOpened, schemas.DisputeOpened, "dispute"},
}

func adyenNormalize(d *delivery, root *node, r *reading) {
	for _, it := range adyenItems(root) {
		it.own = true
	}
	for _, it := range adyenItems(root) {
		o := origin{r.source, adyenIdentity(it)}
		t := &taker{}
		part := ""
		if len(root.get("notificationItems").items()) > 1 {
			part = o.id
		}
		ev := adyenEvent(d, o, it, t)
		if t.err == nil {
			t.rest(it, ev.Extensions)
			t.rest(root, ev.Extensions)
		}
		r.add(ev, part, t)
	}
}

func adyenEvent(d *delivery, o origin, n *node, t *taker) *schemas.Event {
	code := t.peek(n, "eventCode")
	order := t.need(n, "merchantReference", "send the shop's order id as the reference of the payment and of its modifications")
	fact, known := adyenFacts[code]
	if code == "CANCEL_OR_REFUND" {
		known, fact = true, adyenFacts["CANCELLATION"]
		if action := n.get("additionalData.modification.action"); action.leaf() && action.text == "refund" {
			fact = adyenFacts["REFUND"]
		}
	}
	if !known {
		t.fail(n.get("eventCode"), "eventCode", "event code %q is not one that Seam reads: switch it off in the webhook's settings, or ask for it", code)
	}
	success := t.peek(n, "success") == "true"
	typ, status := fact.yes, "success"
	if !success {
		typ, status = fact.no, "failure"
	}
	ev := d.event(o, "", typ, order, t.when(n, "eventDate"))
	d.timeText(ev, n, "eventDate")
	ref, parent := t.id(n, "pspReference"), t.text(n, "originalReference")
	ev.CorrelationID = ref
	if parent != "" {
		ev.CorrelationID = parent
	}
	var amount *schemas.Money
	if currency := t.peek(n, "amount.currency"); currency != "" {
		amount = t.minor(n, "amount.value", currency, adyenOdd)
	}
	reason := t.text(n, "reason")
	switch {
	case typ == "":
		ev.Type = schemas.OrderUpdated
		ev.Order = &schemas.Order{ID: order, Payments: []schemas.Payment{{ID: ref, ParentID: parent, Kind: fact.kind, Status: status, Gateway: "adyen", Amount: amount}}}
	case fact.kind == "refund":
		ev.Refund = &schemas.Refund{ID: ref, PaymentID: parent, Status: status, Reason: reason, Amount: amount}
	case fact.kind == "dispute":
		ev.Dispute = &schemas.Dispute{ID: ref, Kind: strings.ToLower(code), Reason: reason, PaymentID: parent, Amount: amount}
	case fact.kind == "fraud":
		ev.Fraud = &schemas.Fraud{ID: ref, Level: "high", Recommendation: reason, Provider: "adyen"}
	default:
		ev.Payment = &schemas.Payment{ID: ref, ParentID: parent, Kind: fact.kind, Status: status, Gateway: "adyen", Reference: ref, Amount: amount, ProcessedAt: t.when(n, "eventDate")}
	}
	if ev.Refund == nil && ev.Dispute == nil && ev.Fraud == nil && reason != "" {
		n.get("reason").taken = false
	}
	ev.BusinessID = business(ev, ref, strings.ToLower(code))
	return ev
}
