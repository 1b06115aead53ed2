package producers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

// TestSignedByUs: what Seam signs when it calls, Seam's own edge takes from others: by the secret, by the one it is rotated to, and by
// no third; and not with another body.
func TestSignedByUs(t *testing.T) {
	t.Parallel()
	secret := func(c string) string { return "whsec_" + strings.Repeat(c, 32) }
	var signers []outbound.Signer
	for _, c := range []string{"A", "B"} {
		s, err := outbound.NewSigner(secret(c))
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, s)
	}
	now, body := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), `{"type":"order.created"}`
	sent := http.Header{"Webhook-Id": {"key-1"}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {outbound.Sign(signers, "key-1", now, []byte(body))}}
	for _, tt := range []struct {
		secret, body string
		want         error
	}{{secret("A"), body, nil}, {secret("B"), body, nil}, {secret("C"), body, errBadSignature}, {secret("A"), body + " ", errBadSignature}} {
		d := &delivery{source: &topology.Source{Secrets: []topology.Secret{topology.Secret(tt.secret)}}, header: sent, body: []byte(tt.body), received: now}
		if err := webhookAuthenticate(d); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.secret, err, tt.want)
		}
	}
}
