package producers

import (
	"slices"
	"strings"
)

// bearerNames are members whose value opens something to whoever holds it: they and what is below them never leave
// the raw body. Sources: Shopify orders, WooCommerce orders, Stripe charges and intents, Adyen additionalData.
var bearerNames = map[string]bool{
	"order_status_url": true, "token": true, "cart_token": true, "checkout_token": true, "multipass_identifier": true,
	"authenticate_url": true, "authenticate_key": true, "authenticate": true, "status_page_url": true, "abandoned_checkout_url": true,
	"order_key": true, "payment_url": true,
	"receipt_url": true, "client_secret": true, "hosted_invoice_url": true, "invoice_pdf": true, "hosted_verification_url": true,
	"hmacSignature": true, "access_token": true, "api_key": true, "password": true, "secret": true,
}

// bearerMark is a part of a value that makes it a bearer secret whatever its name.
const bearerMark = "authenticate?key="

// path is the dotted path from the root: "line_items.0.id"; empty for the root.
func (n *node) path() string { return n.pathFrom(nil) }

func (n *node) pathFrom(root *node) string {
	var parts []string
	for ; n != nil && n != root && n.up != nil; n = n.up {
		parts = append(parts, n.name)
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}

// get is the value at a dotted path below n; nil when any step is missing. A member whose own name has dots wins over
// the path.
func (n *node) get(path string) *node {
	if n == nil {
		return nil
	}
	if kid := n.member(path); kid != nil {
		return kid
	}
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return nil
	}
	return n.member(head).get(rest)
}

// member is the child of that name; nil when there is none.
func (n *node) member(name string) *node {
	if n == nil {
		return nil
	}
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// items are the elements of an array; none for anything else.
func (n *node) items() []*node {
	if n == nil || n.kind != kindArray {
		return nil
	}
	return n.kids
}

// present tells whether there is a value other than null.
func (n *node) present() bool { return n != nil && n.kind != kindNull }

// leaf tells whether n is a string, number or boolean.
func (n *node) leaf() bool {
	return n != nil && (n.kind == kindString || n.kind == kindNumber || n.kind == kindBool)
}

// names lists the member names of an object, for error texts, at most eight.
func (n *node) names() string {
	var out []string
	if n != nil && n.kind == kindObject {
		for _, kid := range n.kids {
			out = append(out, kid.name)
		}
	}
	if len(out) == 0 {
		return "no members"
	}
	if len(out) > 8 {
		out = append(out[:8], "...")
	}
	return strings.Join(out, ", ")
}

// maxExtensions bounds the names and texts of an event's extensions, in bytes: a long name above many values would
// multiply, and Kafka takes no more than a megabyte in one record.
const maxExtensions = 900_000

// rest puts every leaf below n that was not taken into ext by its dotted path from n, but for bearer secrets and empty
// texts.
func (t *taker) rest(n *node, ext map[string]string) {
	t.restFrom(n, n, ext)
}

func (t *taker) restFrom(root, n *node, ext map[string]string) {
	if n == nil || n.secret || n.own && n != root || t.err != nil {
		return
	}
	for _, kid := range n.kids {
		t.restFrom(root, kid, ext)
	}
	if !n.leaf() || n.taken || n.text == "" || strings.Contains(n.text, bearerMark) {
		return
	}
	key := n.pathFrom(root)
	for twice := true; twice; { // a member whose own name has dots may spell another's path
		if _, twice = ext[key]; twice {
			key += "'"
		}
	}
	if t.rested += len(key) + len(n.text); t.rested > maxExtensions {
		t.fail(nil, "", "its values take more than %d bytes with their paths: send less in one delivery", maxExtensions)
		return
	}
	ext[key] = n.text
}
