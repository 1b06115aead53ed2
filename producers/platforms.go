package producers

import (
	"github.com/binaryandbeyond/seam/topology"
)

// platform is how one kind of source speaks; each is one file and one line here.
type platform struct {
	// authenticate checks the raw body; its error is a refusal.
	authenticate func(*delivery) error
	// origin is the identity of the delivery; root is nil when the body does not parse.
	origin func(d *delivery, root *node) origin
	// normalize reads the body into r, with a reject for what cannot be.
	normalize func(d *delivery, root *node, r *reading)
	// sign gives the delivery the headers (or body) that its source would, with the source's first secret.
	sign func(d *delivery, topic string)
	// plain is the body of a 200 for platforms that read it; empty for ours.
	plain string
}

// platforms are the webhook platforms.
var platforms = map[topology.Platform]platform{
	topology.Shopify:          {shopifyAuthenticate, shopifyOrigin, shopifyNormalize, shopifySign, ""},
	topology.WooCommerce:      {wooAuthenticate, wooOrigin, wooNormalize, wooSign, ""},
	topology.Stripe:           {stripeAuthenticate, stripeOrigin, stripeNormalize, stripeSign, ""},
	topology.Adyen:            {adyenAuthenticate, adyenOrigin, adyenNormalize, adyenSign, "[accepted]"},
	topology.StandardWebhooks: {webhookAuthenticate, webhookOrigin, webhookNormalize, webhookSign, ""},
}

// read turns an authentic delivery into events and rejects. It does no I/O.
func (p *platform) read(d *delivery) *reading {
	r := &reading{}
	withJSON(d.body, func(root *node, err error) {
		r.origin = p.origin(d, root)
		if err != nil {
			r.refuse("", &fault{"", "the body is not exact JSON: " + err.Error()})
			return
		}
		d.observe(root)
		p.normalize(d, root, r)
	})
	r.check(d.source)
	if len(r.events) == 0 && len(r.rejects) == 0 {
		r.refuse("", &fault{"", "the body holds nothing"})
	}
	return r
}
