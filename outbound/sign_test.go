package outbound

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// TestSign makes the signature of the known answer that Standard Webhooks publishes, and by a key of Ed25519 one that its public half
// verifies; two secrets sign beside each other.
func TestSign(t *testing.T) {
	t.Parallel()
	const id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	at := time.Unix(1614265330, 0)
	shared, err := NewSigner("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	const known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := Sign([]Signer{shared}, id, at, []byte(body)); got != known {
		t.Errorf("signed %s, want %s", got, known)
	}
	seed := []byte(strings.Repeat("s", ed25519.SeedSize))
	private := ed25519.NewKeyFromSeed(seed)
	for _, secret := range [][]byte{seed, private} {
		own, err := NewSigner("whsk_" + base64.StdEncoding.EncodeToString(secret))
		if err != nil {
			t.Fatal(err)
		}
		first, second, _ := strings.Cut(Sign([]Signer{shared, own}, id, at, []byte(body)), " ")
		sig, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(second, "v1a,"))
		if err != nil || first != known || !strings.HasPrefix(second, "v1a,") {
			t.Fatalf("signed %q and %q (%v)", first, second, err)
		}
		if !ed25519.Verify(private.Public().(ed25519.PublicKey), []byte(id+".1614265330."+body), sig) {
			t.Error("the public key does not verify")
		}
	}
	for _, bad := range []string{"", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := NewSigner(bad); err == nil || bad != "" && len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
