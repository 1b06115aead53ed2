package review

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// outageCallRules ask of the recovery path what a call means and where it goes.
var outageCallRules = []Rule{
	{ID: "breaker-hair-trigger", Question: Outage, Severity: Error, Title: "One failure stops the integration",
		Why:  "A breaker over a handful of calls opens on the noise of every day, and each time all orders wait.",
		Mend: "leave breaker.of at 20, and failures at 50%",
		in: func(s *scope, in *topology.Integration) {
			if float64(in.Breaker.Of)*float64(in.Breaker.Failures)/100 < 3 {
				s.found("breaker", "%d calls with %s%% failures stop %s", in.Breaker.Of, trim(float64(in.Breaker.Failures)), in.Name)
			}
		}},
	{ID: "breaker-never", Question: Outage, Severity: Error, Title: "A breaker that does not open",
		Why:  "Where nine calls of ten must fail before it opens, a downstream that is down half of the time is called all of the time, and every order uses up its retries.",
		Mend: "leave breaker.failures at 50%",
		in: func(s *scope, in *topology.Integration) {
			if in.Breaker.Failures > 90 {
				s.found("breaker.failures", "%s is called until %s%% of its calls fail", in.Name, trim(float64(in.Breaker.Failures)))
			}
		}},
	{ID: "breaker-blind", Question: Outage, Severity: Warning, Title: "The breaker sees the outage after the harm",
		Why:  "It decides over so many calls that at the usual volume they take longer than the data may be stale.",
		Mend: "lower breaker.of",
		in: func(s *scope, in *topology.Integration) {
			if v := float64(in.Volume.Usual); v > 0 && in.StaleAfter > 0 {
				if takes := time.Duration(float64(in.Breaker.Of) / v * float64(time.Second)); takes > in.StaleAfter.D() {
					s.found("breaker.of", "%d calls of %s take %s, and it is harmed after %s", in.Breaker.Of, in.Name, long(takes.Round(time.Second)), long(in.StaleAfter))
				}
			}
		}},
	{ID: "outage-taken-for-no", Question: Outage, Severity: Error, Title: "An outage is taken for a \"no\"",
		Why:  "401, 403, 408, 429 and 5xx say nothing of the order. Listed as rejected, an hour with a disabled key or a full queue parks or ends every order of it.",
		Mend: "take them out of answers.rejected; Seam waits for them by itself",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				for _, code := range r.Answers.Rejected {
					if code >= 500 || slices.Contains([]int{401, 403, 408, 425, 429}, code) {
						s.found(route(i, "answers.rejected"), "%s takes %d for a \"no\" to the order", in.Name, code)
					}
				}
			}
		}},
	{ID: "rejected-money-final", Question: Outage, Severity: Error, Title: "A \"no\" to money ends in silence",
		Why:  "on_rejected: final ends the event. A refund that was not booked, or a cancellation that came too late, is nobody's then.",
		Mend: "leave on_rejected at park: a person is asked",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.OnRejected != "final" {
					continue
				}
				if r.Undoes != "" || len(s.money(in, i)) > 0 || slices.Contains(r.On, schemas.RefundSucceeded) || slices.Contains(r.On, schemas.OrderCancelled) {
					s.found(route(i, "on_rejected"), "a \"no\" of %s to %s ends the event", in.Name, r.On[0])
				}
			}
		}},
	{ID: "cancel-not-carried", Question: Outage, Severity: Error, Title: "A cancellation stops only what has not been sent",
		Why:  "superseded_by drops the request while it waits. Once it was made, the parcel leaves though the order is cancelled.",
		Mend: "add a route on the same types with undoes: the operation",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				for _, et := range r.SupersededBy {
					if !slices.ContainsFunc(in.Deliver, func(o topology.Route) bool { return o.Undoes == r.Operation && slices.Contains(o.On, et) }) {
						s.found(route(i, "superseded_by"), "%s supersedes %s in %s, and no route takes it back once it is made", et, r.Operation, in.Name)
					}
				}
			}
		}},
	{ID: "cancel-overtakes", Question: Outage, Severity: Error, Title: "A cancellation overtakes what it cancels",
		Why:  "order: pass lets later events go on past a parked one. The cancellation finds nothing to undo, and the request is released afterwards.",
		Mend: "leave order at hold in an integration that has a route with undoes",
		in: func(s *scope, in *topology.Integration) {
			if in.Order == "pass" && slices.ContainsFunc(in.Deliver, func(r topology.Route) bool { return r.Undoes != "" }) {
				s.found("order", "later events of an order go past a parked one in %s, cancellations too", in.Name)
			}
		}},
	{ID: "auth-missing", Question: Outage, Severity: Warning, Title: "Calls that anybody could make",
		Why:  "A downstream that takes calls without credentials takes them from anyone, and a key that was forgotten here is a 401 for every order.",
		Mend: "write auth: {bearer: \"${NAME_TOKEN}\"}, or waive it for a downstream that the network keeps",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.HTTP != nil && !authenticated(in) && !s.says(route(i, "http.auth")) && !s.says(route(i, "http.headers")) {
					s.found(route(i, "http"), "%s is called without credentials", in.Name)
				}
			}
		}},
	{ID: "secret-in-file", Question: Outage, Severity: Error, Invariant: true, Title: "A secret in a file",
		Why:  "It is in the history of the repository for ever, and changing it after a leak needs a release.",
		Mend: "write ${NAME} and put the value into the environment; then change the secret, as it has been read",
		in: func(s *scope, in *topology.Integration) {
			for i := range 8 {
				s.secret("sign.secrets." + string(rune('0'+i)))
			}
			for i := range in.Deliver {
				for _, key := range []string{"http.auth.bearer", "http.auth.value", "http.auth.oauth2.client_secret"} {
					s.secret(route(i, key))
				}
				for _, name := range slices.Sorted(maps.Keys(headersOf(&in.Deliver[i]))) {
					if credential.MatchString(name) {
						s.secret(route(i, "http.headers."+name))
					}
				}
				if u, err := url.Parse(s.text(route(i, "http.url"))); err == nil && u.User != nil && variable.ReplaceAllString(u.User.String(), "") != "" {
					s.found(route(i, "http.url"), "the address of %s holds a user or password", in.Name)
				}
			}
		},
		src: func(s *scope, src *topology.Source) {
			s.secret("token")
			for i := range 8 {
				s.secret("secrets." + string(rune('0'+i)))
			}
		}},
	{ID: "secret-not-rotatable", Question: Outage, Severity: Warning, Title: "No place for the next secret",
		Why:  "While a sender changes its secret it signs with the old one for a while. With one secret here, deliveries are refused until both sides have changed.",
		Mend: "list two: secrets: [\"${NAME_SECRET:-}\", \"${NAME_SECRET_OLD:-}\"]",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && s.says("secrets.0") && !s.says("secrets.1") {
				s.found("secrets", "%s has one secret", src.Name)
			}
		}},
	{ID: "source-unsigned", Question: Outage, Severity: Error, Invariant: true, Title: "A source without a secret is off",
		Why:  "The edge takes nothing that it cannot authenticate. A source that names no secret gets 401 for every delivery until its sender switches the webhook off.",
		Mend: "write secrets: [\"${NAME_SECRET:-}\", \"${NAME_SECRET_OLD:-}\"]",
		src: func(s *scope, src *topology.Source) {
			if src.Platform.Webhooks() && !s.says("secrets.0") {
				s.found("platform", "%s names no secret", src.Name)
			}
		}},
	{ID: "plain-http", Question: Outage, Severity: Error, Title: "Credentials and orders go over plain HTTP",
		Why:  "Whoever is on the way reads customers' addresses and the key, and answers 200 in the downstream's place.",
		Mend: "use https, or waive it for an address that only this network has",
		in: func(s *scope, in *topology.Integration) {
			if s.t.Environment == topology.Development || s.t.Environment == "test" {
				return
			}
			for _, a := range called(in) {
				if u := address(a.text); u != nil && u.Scheme == "http" && !loopback(u.Hostname()) && !strings.HasSuffix(a.key, "token_url") {
					s.found(a.key, "%s is called at http://%s in %s", in.Name, u.Host, s.t.Environment)
				}
			}
		}},
	{ID: "wrong-environment", Question: Outage, Severity: Error, Title: "Staging points at production, or production at staging",
		Why:  "A test order becomes a parcel, or a real order none.",
		Mend: "give the environment its own addresses and keys (SEAM_ENVIRONMENT says which it is); waive it where the word means something else there",
		in: func(s *scope, in *topology.Integration) {
			for i, r := range in.Deliver {
				if r.HTTP == nil {
					continue
				}
				if u := address(r.HTTP.URL); u != nil && misplaced(s.t.Environment, labelsOf(u.Hostname())) {
					s.found(route(i, "http.url"), "this is %s, and %s is called at %s", s.t.Environment, in.Name, u.Hostname())
				}
				if key := r.HTTP.Auth.Bearer.Reveal(); misplaced(s.t.Environment, keyWords(key)) {
					s.found(route(i, "http.auth.bearer"), "this is %s, and the key of %s says that it is of another environment", s.t.Environment, in.Name)
				}
			}
		}},
}

const production = "production"

var (
	liveWord = []string{"prod", "production", "live"}
	testWord = []string{"test", "testing", "staging", "stage", "sandbox", "dev", "development", "qa", "uat"}
	// Parts of a label: live-chat and dev-tools are names of products, and count only where they are the whole label.
	splitter   = regexp.MustCompile(`[\-_]+`)
	whole      = []string{"live", "dev", "development", "stage"}
	credential = regexp.MustCompile(`(?i)authorization|api-?key|token|secret|password`)
	variable   = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(:-)?\}`) // without a default
)

// misplaced tells whether words of an address or key are of another environment.
func misplaced(environment string, words []string) bool {
	foreign := liveWord
	if environment == production {
		foreign = testWord
	}
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(foreign, w) })
}

func labelsOf(host string) []string {
	var out []string
	for _, label := range strings.FieldsFunc(strings.ToLower(host), func(r rune) bool { return r == '.' }) {
		out = append(out, label)
		for _, part := range splitter.Split(label, -1) {
			if !slices.Contains(whole, part) {
				out = append(out, part)
			}
		}
	}
	return out
}

func headersOf(r *topology.Route) map[string]string {
	if r.HTTP == nil {
		return nil
	}
	return r.HTTP.Headers
}

// keyWords is what a key says of itself before its random part: sk_live_..., pk_test_....
func keyWords(key string) []string {
	words := strings.Split(strings.ToLower(key), "_")
	return words[:min(len(words)-1, 3)]
}

// address is a URL whose host is known; nil where a variable is not set.
func address(text string) *url.URL {
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(text))
	if err != nil || strings.HasPrefix(text, topology.Unset) {
		return nil
	}
	return u
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secret finds one that is written out at a key. It never shows it.
func (s *scope) secret(key string) {
	text := s.text(key)
	if rest := variable.ReplaceAllString(text, ""); rest != "" && (rest == text || strings.Contains(rest, "${")) {
		s.found(key, "%s holds a secret in plain text", key)
	}
}
