package producers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// refusal is why a delivery is not authentic: a word for the metric. The sender is told only that it is refused.
type refusal string

// Error is the word.
func (r refusal) Error() string { return string(r) }

// The refusals of authentication.
const (
	errNoSignature  refusal = "no_signature"
	errBadSignature refusal = "bad_signature"
	errOldSignature refusal = "old_signature" // signed at a time too far from our clock
)

// refusalOf is the refusal in err's chain; empty when there is none.
func refusalOf(err error) refusal {
	var r refusal
	errors.As(err, &r)
	return r
}

// dot stands between the parts of what some platforms sign.
var dot = []byte(".")

// authenticate tells whether a delivery is its source's, and counts what it is.
func (e *Edge) authenticate(in *inlet, d *delivery) error {
	err := in.platform.authenticate(d)
	if !d.signed.IsZero() { // also of one that is too old: then it is what must be seen
		e.metrics.skew.WithLabelValues(in.source.Name).Set(d.received.Sub(d.signed).Seconds())
	}
	if err != nil {
		e.metrics.forged.WithLabelValues(in.source.Name).Inc()
		return err
	}
	in.received.Inc()
	in.lastCame.Set(unix(d.received))
	return nil
}

// mac is HMAC-SHA256.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// anyMatch tells whether one of the keys makes one of the signatures. Every pair is compared, in constant time.
func anyMatch(keys [][]byte, signatures [][]byte, parts ...[]byte) bool {
	ok := false
	for _, k := range keys {
		want := mac(k, parts...)
		for _, s := range signatures {
			if hmac.Equal(want, s) {
				ok = true
			}
		}
	}
	return ok
}

// textKeys are the secrets as they are written.
func (d *delivery) textKeys() [][]byte {
	var keys [][]byte
	for _, s := range d.source.Keys() {
		if s != "" {
			keys = append(keys, []byte(s.Reveal()))
		}
	}
	return keys
}

// hexKeys are the secrets decoded from hex; one that is not hex fits nothing.
func (d *delivery) hexKeys() [][]byte {
	var keys [][]byte
	for _, s := range d.source.Keys() {
		if k, err := hex.DecodeString(s.Reveal()); err == nil && len(k) > 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

// webhookKeys are the secrets of Standard Webhooks: what follows "whsec_" is base64. A secret without that prefix is
// tried as base64 and as plain text, as senders differ.
func (d *delivery) webhookKeys() [][]byte {
	var keys [][]byte
	for _, s := range d.source.Keys() {
		keys = append(keys, webhookKey(s.Reveal())...)
	}
	return keys
}

func webhookKey(secret string) [][]byte {
	if secret == "" {
		return nil
	}
	var keys [][]byte
	rest, prefixed := strings.CutPrefix(secret, "whsec_")
	if k, err := base64.StdEncoding.DecodeString(rest); err == nil && len(k) > 0 {
		keys = append(keys, k)
	}
	if !prefixed {
		keys = append(keys, []byte(secret))
	}
	return keys
}

// bodyHMAC authenticates a body signed whole in base64, as Shopify and WooCommerce do.
func (d *delivery) bodyHMAC(header string) error {
	given := d.head(header)
	if given == "" {
		return errNoSignature
	}
	sig, err := base64.StdEncoding.DecodeString(given)
	if err != nil || !anyMatch(d.textKeys(), [][]byte{sig}, d.body) {
		return errBadSignature
	}
	return nil
}

// signedAt takes a signed timestamp (seconds since 1970) whose signature fits, and checks it against our clock.
func (d *delivery) signedAt(text string) error {
	s, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errBadSignature
	}
	d.signed = time.Unix(s, 0)
	tolerance := d.source.Tolerance.D()
	if tolerance <= 0 {
		tolerance = 5 * time.Minute
	}
	if d.received.Sub(d.signed).Abs() > tolerance {
		return errOldSignature
	}
	return nil
}
