package deliver

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// secrets pairs everything that a request carries to prove who we are with the text that stands for it: an answer or an
// error may repeat it, and Result.Detail is kept and shown.
func secrets(in *topology.Integration) []string {
	var out []string
	hide := func(s string) {
		if len(s) >= 4 {
			out = append(out, s, "***")
		}
	}
	for _, r := range in.Deliver {
		if r.HTTP == nil {
			continue
		}
		for _, auth := range []topology.Auth{r.HTTP.Auth, r.HTTP.Auth.Now()} {
			hide(auth.Bearer.Reveal())
			hide(auth.Value.Reveal())
		}
		if o := r.HTTP.Auth.OAuth2; o != nil {
			for _, secret := range []topology.Secret{o.ClientSecret, o.Secret()} {
				hide(secret.Reveal())
				hide(url.QueryEscape(secret.Reveal()))
			}
		}
		for name, value := range r.HTTP.Headers {
			if !strings.EqualFold(name, "Accept") && !strings.EqualFold(name, "Content-Type") {
				hide(value)
			}
		}
		if u, err := url.Parse(r.HTTP.URL); err == nil && u.User != nil {
			password, _ := u.User.Password()
			hide(password)
			hide(base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password)))
		}
		for _, address := range addresses(in, &r) {
			hideQuery(address, hide)
		}
	}
	if in.Sign != nil {
		for _, secret := range in.Sign.Keys() {
			hide(secret.Reveal())
			hide(strings.TrimPrefix(secret.Reveal(), "whsec_"))
		}
	}
	return out
}

// credential is in the name of a parameter whose value authenticates.
var credential = regexp.MustCompile(`(?i)auth|key|token|secret|password|sig`)

// addresses are those that a route calls, as the file has them.
func addresses(in *topology.Integration, r *topology.Route) []string {
	out := []string{r.HTTP.URL}
	if r.ReadBack != nil {
		out = append(out, r.ReadBack.Get.String())
	}
	if _, probe, ok := strings.Cut(in.Idempotency.Probe, " "); ok {
		out = append(out, probe)
	}
	return out
}

// hideQuery hides what the parameters of an address authenticate with.
func hideQuery(address string, hide func(string)) {
	_, query, _ := strings.Cut(address, "?")
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !credential.MatchString(name) || strings.Contains(value, "{") {
			continue
		}
		hide(value)
		if plain, err := url.QueryUnescape(value); err == nil && plain != value {
			hide(plain)
		}
	}
}
