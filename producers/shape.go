package producers

import (
	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/topology"
)

// Kind is the value's kind, for package contract.
func (n *node) Kind() contract.Kind {
	return [...]contract.Kind{kindNull: contract.Null, kindBool: contract.Boolean, kindNumber: contract.Number, kindString: contract.String,
		kindArray: contract.Array, kindObject: contract.Object}[n.kind]
}

// Text is a string's, but for bearer secrets.
func (n *node) Text() string {
	if n.kind != kindString || n.secret {
		return ""
	}
	return n.text
}

// Len counts members or elements.
func (n *node) Len() int { return len(n.kids) }

// At is a member or an element.
func (n *node) At(i int) (string, contract.Value) { return n.kids[i].name, n.kids[i] }

// observe has the shape of an authentic body looked at, under the topic that the platform calls it.
func (d *delivery) observe(root *node) {
	if d.shapes == nil {
		return
	}
	if s := d.shapes.Source(d.source, d.topic(root)); s.Wants() {
		s.See(root)
	}
}

// polledTopic is what orders that were asked for come under.
const polledTopic = "orders"

// look is observe for what came by no webhook.
func (e *Edge) look(source *topology.Source, topic string, n *node) {
	if s := e.cfg.Contracts.Source(source, topic); s.Wants() {
		s.See(n)
	}
}

// topic is what the platform calls this kind of delivery.
func (d *delivery) topic(root *node) string {
	switch d.source.Platform {
	case topology.Shopify:
		return d.head("X-Shopify-Topic")
	case topology.WooCommerce:
		return d.head("X-WC-Webhook-Topic")
	case topology.Adyen:
		if items := root.get("notificationItems").items(); len(items) > 0 {
			root = items[0].get("NotificationRequestItem")
		}
		return leafText(root.get("eventCode"))
	case topology.Stripe, topology.StandardWebhooks, topology.Files, topology.Poll:
	}
	return leafText(root.get("type"))
}

func leafText(n *node) string {
	if !n.leaf() {
		return ""
	}
	return n.text
}
