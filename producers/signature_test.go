package producers

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	body := `{"type":"order.updated"}`
	adyen := `{"notificationItems":[{"NotificationRequestItem":{"eventCode":"CAPTURE","pspReference":"p","success":"true","merchantReference":"007","amount":{"value":1,"currency":"EUR"}}}]}`
	old := strconv.FormatInt(noon.Add(-6*time.Minute).Unix(), 10)
	for _, tt := range []struct {
		name     string
		platform topology.Platform
		body     string
		change   func(*delivery)
		want     refusal
	}{
		{"shopify", topology.Shopify, body, nil, ""},
		{"shopify, old secret", topology.Shopify, body, func(d *delivery) { d.source.Secrets = []topology.Secret{"new", hexSecret} }, ""},
		{"shopify, body changed", topology.Shopify, body, func(d *delivery) { d.body = []byte(`{"type":"order.updated" }`) }, errBadSignature},
		{"shopify, no header", topology.Shopify, body, func(d *delivery) { d.header.Del("X-Shopify-Hmac-Sha256") }, errNoSignature},
		{"shopify, other secret", topology.Shopify, body, func(d *delivery) { d.source.Secrets = []topology.Secret{"other"} }, errBadSignature},
		{"shopify, not base64", topology.Shopify, body, func(d *delivery) { d.header.Set("X-Shopify-Hmac-Sha256", "%%%") }, errBadSignature},
		{"woocommerce", topology.WooCommerce, body, nil, ""},
		{"woocommerce, body changed", topology.WooCommerce, body, func(d *delivery) { d.body = []byte("x") }, errBadSignature},
		{"stripe", topology.Stripe, body, nil, ""},
		{"stripe, two signatures", topology.Stripe, body, func(d *delivery) {
			d.header.Set("Stripe-Signature", d.header.Get("Stripe-Signature")+",v1=00ff,v0=11")
		}, ""},
		{"stripe, late", topology.Stripe, body, func(d *delivery) { d.received = noon.Add(5*time.Minute + time.Second) }, errOldSignature},
		{"stripe, ahead", topology.Stripe, body, func(d *delivery) { d.received = noon.Add(-5*time.Minute - time.Second) }, errOldSignature},
		{"stripe, own tolerance", topology.Stripe, body, func(d *delivery) {
			d.source.Tolerance, d.received = topology.Duration(time.Hour), noon.Add(59*time.Minute)
		}, ""},
		{"stripe, time changed", topology.Stripe, body, func(d *delivery) {
			d.header.Set("Stripe-Signature", "t="+old+d.header.Get("Stripe-Signature")[12:])
		}, errBadSignature},
		{"stripe, none", topology.Stripe, body, func(d *delivery) { d.header.Set("Stripe-Signature", "t=1") }, errNoSignature},
		{"standard webhooks", topology.StandardWebhooks, body, nil, ""},
		{"standard webhooks, id changed", topology.StandardWebhooks, body, func(d *delivery) { d.header.Set("webhook-id", "other") }, errBadSignature},
		{"standard webhooks, late", topology.StandardWebhooks, body, func(d *delivery) { d.received = noon.Add(6 * time.Minute) }, errOldSignature},
		{"adyen", topology.Adyen, adyen, nil, ""},
		{"adyen, no secret in hex", topology.Adyen, adyen, func(d *delivery) { d.source.Secrets = []topology.Secret{"no hex"} }, errBadSignature},
		{"adyen, empty list", topology.Adyen, `{"notificationItems":[]}`, nil, errNoSignature},
		{"adyen, one item unsigned", topology.Adyen, adyen, func(d *delivery) {
			item := `{"NotificationRequestItem":{"eventCode":"CHARGEBACK","pspReference":"q"}}`
			d.body = []byte(string(d.body[:len(d.body)-2]) + "," + item + "]}")
		}, errNoSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := given(tt.platform, tt.body)
			platforms[tt.platform].sign(d, "orders__updated")
			if tt.change != nil {
				tt.change(d)
			}
			if got := refusalOf(platforms[tt.platform].authenticate(d)); got != tt.want {
				t.Errorf("refusal = %q, want %q", got, tt.want)
			}
		})
	}
}

// known reads a file of published known answers.
func known(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(inputs(t, "signatures", file))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStandardWebhooksKnownAnswers(t *testing.T) {
	t.Parallel()
	var file struct {
		Vectors []struct {
			Name, Secret, Payload string
			Headers               map[string]string
			Now                   int64
			Valid                 bool
		}
	}
	known(t, "standard_webhooks_vectors.json", &file)
	if len(file.Vectors) < 8 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	for _, v := range file.Vectors {
		d := given(topology.StandardWebhooks, v.Payload)
		d.source.Secrets = []topology.Secret{topology.Secret(v.Secret)}
		d.received = time.Unix(v.Now, 0)
		for name, value := range v.Headers {
			d.header.Set(name, value)
		}
		if err := webhookAuthenticate(d); (err == nil) != v.Valid {
			t.Errorf("%s: err = %v, valid = %v", v.Name, err, v.Valid)
		}
	}
}

func TestAdyenKnownAnswers(t *testing.T) {
	t.Parallel()
	var doc struct {
		KeyHex string `json:"key_hex"`
		Body   json.RawMessage
		Data   string
	}
	known(t, "adyen_documented_item.json", &doc)
	d := given(topology.Adyen, string(doc.Body))
	d.source.Secrets = []topology.Secret{topology.Secret(doc.KeyHex)}
	if err := adyenAuthenticate(d); err != nil {
		t.Errorf("the documented item is refused: %v", err)
	}
	root, err := parseJSON(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := adyenSigned(adyenItems(root)[0]); got != doc.Data {
		t.Errorf("signed text = %q, want %q", got, doc.Data)
	}
	var file struct {
		Vectors []struct {
			Name, Data, Signature string
			KeyHex                string `json:"key_hex"`
			Valid                 bool
		}
	}
	known(t, "adyen_hmac_vectors.json", &file)
	for _, v := range file.Vectors {
		body := `{"notificationItems":[{"NotificationRequestItem":{"pspReference":"pspReference","originalReference":"originalReference","merchantAccountCode":"merchantAccount",
			"merchantReference":"reference","amount":{"value":1000,"currency":"EUR"},"eventCode":"CAPTURE","success":"true","additionalData":{"hmacSignature":"` + v.Signature + `"}}}]}`
		d := given(topology.Adyen, body)
		d.source.Secrets = []topology.Secret{topology.Secret(v.KeyHex)}
		if err := adyenAuthenticate(d); (err == nil) != v.Valid {
			t.Errorf("%s: err = %v, valid = %v", v.Name, err, v.Valid)
		}
	}
}
