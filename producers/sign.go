package producers

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The signers make of a saved body the delivery that its platform would send, for seam ingest and for tests. Ids that a
// saved body has lost are derived from topic and body, so that the same file is the same delivery each time.

// firstKey is the first of keys; a key that fits nothing when there is none.
func firstKey(keys [][]byte) []byte {
	if len(keys) == 0 {
		return nil
	}
	return keys[0]
}

// setNew sets a header unless the saved headers have it.
func (d *delivery) setNew(name, value string) {
	if d.header.Get(name) == "" {
		d.header.Set(name, value)
	}
}

func (d *delivery) savedID(topic string) string { return "saved-" + topic + "-" + d.bodyHash()[:32] }

func shopifySign(d *delivery, topic string) {
	d.setNew("X-Shopify-Topic", strings.Replace(topic, "__", "/", 1))
	d.setNew("X-Shopify-Shop-Domain", "saved.myshopify.com")
	d.setNew("X-Shopify-Webhook-Id", d.savedID(topic))
	d.header.Set("X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(mac(firstKey(d.textKeys()), d.body)))
}

func wooSign(d *delivery, topic string) {
	d.setNew("X-WC-Webhook-Topic", strings.Replace(topic, "__", ".", 1))
	d.setNew("X-WC-Webhook-Source", "https://saved.example/")
	d.header.Set("X-WC-Webhook-Signature", base64.StdEncoding.EncodeToString(mac(firstKey(d.textKeys()), d.body)))
}

func stripeSign(d *delivery, _ string) {
	stamp := strconv.FormatInt(d.received.Unix(), 10)
	sig := hex.EncodeToString(mac(firstKey(d.textKeys()), []byte(stamp), dot, d.body))
	d.header.Set("Stripe-Signature", "t="+stamp+",v1="+sig)
}

func webhookSign(d *delivery, topic string) {
	stamp := strconv.FormatInt(d.received.Unix(), 10)
	d.setNew("webhook-id", d.savedID(topic))
	d.header.Set("webhook-timestamp", stamp)
	sig := mac(firstKey(d.webhookKeys()), []byte(d.header.Get("webhook-id")), dot, []byte(stamp), dot, d.body)
	d.header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sig))
}

// adyenSign writes the signature of each item into the body.
func adyenSign(d *delivery, _ string) {
	root, err := parseJSON(d.body)
	if err != nil {
		return // it will be refused, as it should
	}
	items := adyenItems(root)
	for i := len(items) - 1; i >= 0; i-- { // from the end, so that offsets before stay true
		it := items[i]
		sig := base64.StdEncoding.EncodeToString(mac(firstKey(d.hexKeys()), []byte(adyenSigned(it))))
		from, to, text := it.from+1, it.from+1, fmt.Sprintf(`"additionalData":{"hmacSignature":%q},`, sig)
		if data := it.member("additionalData"); data != nil && data.kind == kindObject {
			from, to, text = data.from+1, data.from+1, fmt.Sprintf(`"hmacSignature":%q,`, sig)
			if old := data.member("hmacSignature"); old != nil {
				from, to, text = old.from, old.to, strconv.Quote(sig)
			} else if len(data.kids) == 0 {
				text = strings.TrimSuffix(text, ",")
			}
		}
		d.body = []byte(string(d.body[:from]) + text + string(d.body[to:]))
	}
}
