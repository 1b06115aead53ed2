package topology

import (
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// PlatformFacts is what a platform's maker says of its webhooks, and what we make of it.
type PlatformFacts struct {
	Patience     time.Duration // how long it waits for an answer; 0: the sender decides
	AnswerWithin time.Duration // how long we take at most; less than Patience
	RetriesFor   time.Duration // how long it repeats a delivery that was not taken; 0: never
	ByHand       time.Duration // how late a person there can still repeat one; 0: not known
	Disables     string        // when it gives an endpoint up; empty: it does not, as far as known
	Emits        []schemas.EventType
}

var orderTypes = []schemas.EventType{schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.PaymentCaptured,
	schemas.RefundRequested, schemas.RefundSucceeded, schemas.RefundFailed}

// platformFacts is the one place of what is known of each platform. Sources, by platform: Shopify
// shopify.dev/changelog/updates-to-webhook-retry-mechanism (8 retries in 4 h), 5 s from its webhook guides; WooCommerce
// class-wc-webhook.php (60 s, no retry, off after more than 5 failures); Stripe docs.stripe.com/webhooks (3 days; again by hand for
// 30 days with its CLI), 20 s from its support pages; Adyen docs.adyen.com/development-resources/webhooks/troubleshoot (30 days), 10 s.
var platformFacts = map[Platform]PlatformFacts{
	Shopify: {Patience: 5 * time.Second, AnswerWithin: 4 * time.Second, RetriesFor: 4 * time.Hour, Disables: "after 8 failures it deletes a subscription made by API",
		Emits: append(slices.Clone(orderTypes), schemas.OrderEdited, schemas.OrderCancelRequested, schemas.OrderCancelRejected, schemas.PaymentAuthorized,
			schemas.PaymentFailed, schemas.PaymentVoided, schemas.DisputeOpened, schemas.FraudAssessed, schemas.FulfillmentRequested, schemas.FulfillmentAccepted,
			schemas.FulfillmentRejected, schemas.FulfillmentShipped, schemas.FulfillmentDelivered, schemas.FulfillmentCancelled, schemas.ReturnRequested,
			schemas.ReturnReceived, schemas.CustomerRegistered, schemas.CustomerUpdated, schemas.CustomerRedacted, schemas.InventoryLevelSet)},
	WooCommerce: {Patience: 60 * time.Second, AnswerWithin: 20 * time.Second, Disables: "after 5 failures in a row it switches the hook off",
		Emits: append(slices.Clone(orderTypes), schemas.CustomerRegistered, schemas.CustomerUpdated)},
	Stripe: {Patience: 20 * time.Second, AnswerWithin: 15 * time.Second, RetriesFor: 3 * 24 * time.Hour, ByHand: 30 * 24 * time.Hour,
		Emits: []schemas.EventType{schemas.DisputeOpened, schemas.FraudAssessed, schemas.OrderUpdated, schemas.PaymentAuthorized, schemas.PaymentCaptured,
			schemas.PaymentFailed, schemas.PaymentVoided, schemas.RefundFailed, schemas.RefundRequested, schemas.RefundSucceeded}},
	Adyen: {Patience: 10 * time.Second, AnswerWithin: 8 * time.Second, RetriesFor: 30 * 24 * time.Hour,
		Emits: []schemas.EventType{schemas.DisputeOpened, schemas.FraudAssessed, schemas.OrderUpdated, schemas.PaymentAuthorized, schemas.PaymentCaptured,
			schemas.PaymentFailed, schemas.PaymentVoided, schemas.RefundFailed, schemas.RefundSucceeded}},
	StandardWebhooks: {AnswerWithin: 10 * time.Second},
	Poll:             {Emits: append(slices.Clone(orderTypes), schemas.FulfillmentRequested, schemas.FulfillmentAccepted, schemas.FulfillmentRejected, schemas.FulfillmentShipped, schemas.FulfillmentDelivered, schemas.FulfillmentCancelled)},
}

// Facts is what is known of a platform; zero of one that is not.
func (p Platform) Facts() PlatformFacts { return platformFacts[p] }

// Webhooks tells whether a platform comes to us.
func (p Platform) Webhooks() bool { return platformFacts[p].AnswerWithin > 0 }

// platformDefaults fills what a source's file leaves to its platform.
func platformDefaults(s *Source) {
	f := s.Platform.Facts()
	or(&s.Patience, Duration(f.Patience))
	if within := Duration(f.AnswerWithin); s.Patience > 0 {
		or(&s.AnswerWithin, min(within, s.Patience*4/5)) // a fifth is for the way
	} else {
		or(&s.AnswerWithin, within)
	}
	or(&s.RetriesFor, Duration(f.RetriesFor))
	if s.Emits != nil {
		return
	}
	s.Emits = slices.Clone(f.Emits)
	for _, format := range s.Files {
		s.Emits = append(s.Emits, format.Type)
		for _, rule := range format.Rules {
			s.Emits = append(s.Emits, rule.Type)
		}
	}
}

// RepeatedFor is the longest time after which the source, or a person there, may still repeat a delivery.
func (s *Source) RepeatedFor() time.Duration {
	return max(s.RetriesFor.D(), s.Platform.Facts().ByHand)
}

// May tells whether the source's events may have a type.
func (s *Source) May(et schemas.EventType) bool {
	if et == RefundFull {
		et = schemas.RefundSucceeded
	}
	return s.Emits == nil || slices.Contains(s.Emits, et)
}
