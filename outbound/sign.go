package outbound

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Signatures of requests as Standard Webhooks has them, over "id.timestamp.body". Source: https://www.standardwebhooks.com.

// Signer signs with one secret.
type Signer struct {
	scheme string
	sign   func(content []byte) []byte
}

// NewSigner reads a secret: whsec_ before base64 of 24 to 64 bytes signs by HMAC-SHA256 (v1), whsk_ before that of an Ed25519 seed or
// private key by that key (v1a). The error does not show it.
func NewSigner(secret string) (Signer, error) {
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) < 24 || len(key) > 64 {
			return Signer{}, errors.New("a secret that begins with whsec_ goes on with base64 of 24 to 64 bytes")
		}
		return Signer{"v1,", func(content []byte) []byte {
			h := hmac.New(sha256.New, key)
			h.Write(content)
			return h.Sum(nil)
		}}, nil
	}
	if text, ok := strings.CutPrefix(secret, "whsk_"); ok {
		key, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err == nil && len(key) == ed25519.SeedSize:
			key = ed25519.NewKeyFromSeed(key)
		case err != nil || len(key) != ed25519.PrivateKeySize:
			return Signer{}, errors.New("a key that begins with whsk_ goes on with base64 of an Ed25519 seed or private key: 32 or 64 bytes")
		}
		return Signer{"v1a,", func(content []byte) []byte { return ed25519.Sign(key, content) }}, nil
	}
	return Signer{}, errors.New("a signing secret begins with whsec_ (HMAC-SHA256) or whsk_ (Ed25519): openssl rand -base64 32 makes what follows whsec_")
}

// Sign is the value of webhook-signature: one signature for each signer, with blanks between.
func Sign(signers []Signer, id string, at time.Time, body []byte) string {
	content := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	var out strings.Builder
	for i, s := range signers {
		if i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(s.scheme)
		out.WriteString(base64.StdEncoding.EncodeToString(s.sign(content)))
	}
	return out.String()
}
