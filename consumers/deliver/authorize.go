package deliver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/topology"
)

// tokenError is of a token that was not to be had: nothing was sent, or what was sent was refused for its token.
type tokenError struct{ err error }

// Error says why.
func (t *tokenError) Error() string { return t.err.Error() }

// Unwrap is why.
func (t *tokenError) Unwrap() error { return t.err }

// tokensOf are the tokens of a grant, shared by the routes that have the same one; nil without OAuth 2.0.
func (k *httpKind) tokensOf(o *topology.OAuth2) *outbound.Tokens {
	if o == nil {
		return nil
	}
	name := fmt.Sprintf("%q %q %q %q", o.TokenURL, o.ClientID, o.Scopes, o.Audience)
	if have, ok := k.tokens.Load(name); ok {
		return have.(*outbound.Tokens)
	}
	have, _ := k.tokens.LoadOrStore(name, k.guard.Tokens(o.Grant(), k.in.Timeout.D(), k.tls))
	return have.(*outbound.Tokens)
}

// carry carries a message with its token. One that is answered with 401 is carried once more, with a token that is new: it had no
// effect, as the downstream did not know who asked, and it has the same key and the same time to be sent.
func (k *httpKind) carry(ctx context.Context, r Request, call *httpCall, m message) (reply, bool, error) {
	if call.tokens == nil {
		return k.carrier(m.url).carry(ctx, m)
	}
	fields := m.fields
	for again := false; ; again = true {
		token, err := call.tokens.Token(ctx)
		if err != nil {
			return reply{}, false, &tokenError{err}
		}
		m.fields = append(fields[:len(fields):len(fields)], field{"Authorization", "Bearer " + token})
		got, sent, err := k.carrier(m.url).carry(ctx, m)
		if err == nil {
			got.body = []byte(strings.ReplaceAll(string(got.body), token, "***")) // who repeats it must not have it kept
		}
		if err != nil || got.status != http.StatusUnauthorized || k.meaning(got, r.Route) != Credentials {
			return got, sent, err
		}
		call.tokens.Refuse(token)
		call.auth.OAuth2.Stale()
		if again {
			return got, sent, nil
		}
	}
}

// tokenResult is what a token that was not to be had means: the integration waits, as for a key that is refused.
func (k *httpKind) tokenResult(err *tokenError) Result {
	class := Credentials
	if outbound.Barred(err) {
		class = Barred
	}
	return Result{Class: class, Detail: excerpt(k.mask.Load().Replace(err.Error()))}
}

// signed adds the headers of Standard Webhooks: the id is the idempotency key, the same at every attempt, the time that of this one.
func (k *httpKind) signed(fields []field, r Request, body []byte) []field {
	now := time.Now()
	if !strings.EqualFold(k.in.Idempotency.Key, "Webhook-Id") {
		fields = append(fields, field{"Webhook-Id", r.Key})
	}
	return append(fields, field{"Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10)},
		field{"Webhook-Signature", outbound.Sign(signers(k.in.Sign), r.Key, now, body)})
}

// signers are those of the secrets as they are now.
func signers(s *topology.Signing) []outbound.Signer {
	var out []outbound.Signer
	for _, secret := range s.Keys() {
		if signer, err := outbound.NewSigner(secret.Reveal()); err == nil { // read by Load; a file that has changed to nonsense leaves the other
			out = append(out, signer)
		}
	}
	return out
}
