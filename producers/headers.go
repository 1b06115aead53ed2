package producers

import (
	"net/http"
	"strings"
)

// head is the first value of a header; bytes that are not UTF-8 are replaced, as records hold text.
func (d *delivery) head(name string) string {
	return strings.ToValidUTF8(d.header.Get(name), "\ufffd")
}

// credentialWords are parts of header names that carry something secret or made with a secret.
var credentialWords = []string{"authorization", "cookie", "token", "secret", "signature", "hmac", "api-key", "apikey", "password"}

// plainHeaders is the first value of each header, without credentials.
func plainHeaders(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		if len(values) > 0 && !credential(name) {
			out[name] = strings.ToValidUTF8(values[0], "\ufffd")
		}
	}
	return out
}

func credential(name string) bool {
	name = strings.ToLower(name)
	for _, w := range credentialWords {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// headersOf turns kept headers back.
func headersOf(m map[string]string) http.Header {
	h := http.Header{}
	for name, v := range m {
		h.Set(name, v)
	}
	return h
}
