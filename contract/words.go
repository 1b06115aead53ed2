package contract

import "strings"

// anyName stands in a path for names that are data: ids, addresses, what a customer wrote.
const anyName = "*"

// maxName bounds a member's name in a path, in bytes; a longer one is data.
const maxName = 64

// step is how a member's name stands in a path.
func step(name string) string {
	if name == "" || len(name) > maxName {
		return anyName
	}
	digits, letters := 0, false
	for i := range len(name) {
		switch c := name[i]; {
		case '0' <= c && c <= '9':
			if digits++; digits > 3 { // a year, an id, a part of a telephone number
				return anyName
			}
			continue
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			letters = true
		case c == '_' || c == '-' || c == '$':
		default: // a point would be read as a step, and everything else is no name of a program
			return anyName
		}
		digits = 0
	}
	if !letters {
		return anyName
	}
	return name
}

// freeNames are objects whose names the sender's customers choose.
var freeNames = map[string]bool{"metadata": true, "attributes": true, "custom_fields": true, "customFields": true}

// wordNames are the names under which programs put the words of an enumeration. Each is that of a state, a kind or a code of
// the model that is not personal, or is so called by Shopify, WooCommerce, Stripe or Adyen. A reason is
// not among them, as people write reasons, nor a currency: another one is new to the shop, not to the API.
var wordNames = map[string]bool{
	"status": true, "financial_status": true, "fulfillment_status": true, "payment_status": true, "fulfilment_status": true,
	"return_status": true, "shipment_status": true, "display_status": true, "request_status": true, "state": true, "kind": true, "type": true,
	"cancel_reason": true, "restock_type": true,
	"object": true, "eventCode": true, "success": true, "risk_level": true, "recommendation": true, "level": true, "outcome": true,
	"result": true, "verdict": true, "event": true, "action": true, "capture_method": true, "confirmation_method": true,
	"failure_code": true, "cancellation_reason": true, "inventory_behaviour": true, "weight_unit": true, "target_type": true, "value_type": true,
	"allocation_method": true, "target_selection": true,
}

// personalNames are objects about a person, in whole or in part: no value below them is kept.
var personalNames = []string{"customer", "address", "billing", "shipping", "client", "user", "buyer", "shopper", "person", "contact", "recipient", "receiver",
	"consumer", "card", "wallet", "owner", "note", "email", "phone", "name", "company", "account", "birth", "message", "comment", "destination", "staff", "employee"}

// keepsWords tells whether texts at a path may be kept. topic is that of the subject: nothing is kept of one about people.
func keepsWords(topic, path string) bool {
	at := strings.LastIndexByte(path, '.')
	if !wordNames[strings.TrimSuffix(path[at+1:], "[]")] {
		return false
	}
	where := strings.ToLower(topic + "." + path[:max(at, 0)])
	if strings.Contains(where, anyName) {
		return false
	}
	for _, name := range personalNames {
		if strings.Contains(where, name) {
			return false
		}
	}
	return true
}

const (
	maxWord  = 32 // bytes of a word of an enumeration
	maxWords = 24 // words of one; more are a free text
)

// word tells whether a text looks like a word of a program: partially_refunded, EUR, CAPTURE_FAILED.
func word(text string) bool {
	if text == "" || len(text) > maxWord {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && (c == '_' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
