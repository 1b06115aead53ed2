package topology

import (
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// validate checks what types cannot: names, references between files, answers that must be there.
func (l *loader) validate(t *Topology, c clusterFile, unowned []schemas.Field) {
	if t.Partitions < 1 {
		l.at("topics.yaml", "partitions", "partitions must be at least 1")
	}
	if t.Learn < 1 {
		l.at("topics.yaml", "learn", "learn is %d: of how many documents is a shape learned? 200 where nothing is said", t.Learn)
	}
	if _, known := t.Teams[t.Team]; t.Team != "" && !known {
		l.at("topics.yaml", "team", "team %q is not in teams.yaml: who is paged for Kafka and for Seam itself?", t.Team)
	}
	for name, d := range c.Retention {
		if !slices.Contains([]string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory, TopicQuarantine, TopicReconciliation, TopicCommands, TopicDisagreements, TopicContracts}, name) {
			l.at("topics.yaml", "retention."+name, "retention of unknown topic %q", name)
		}
		if d.D() < time.Hour {
			l.at("topics.yaml", "retention."+name, "retention of %s is %s: under an hour nobody can replay", name, d.D())
		}
	}
	for name, team := range t.Teams {
		if team.Pager == "" {
			l.at("teams.yaml", name, "team %s has no pager: name where it is paged", name)
		}
	}
	l.ownership(t)
	l.unowned(t, unowned)
	for i := range t.Sources {
		l.source(t, &t.Sources[i])
	}
	for i := range t.Integrations {
		l.integration(t, &t.Integrations[i])
	}
}

// named checks name against the file's and its form.
func (l *loader) named(mark, name string) string {
	file := strings.TrimSuffix(mark, ":1")
	if want := strings.TrimSuffix(path.Base(file), ".yaml"); name != want {
		l.at(file, "name", "name is %q: write %q, as the file is called", name, want)
	} else if !nameForm.MatchString(name) {
		l.at(file, "name", "name %q: use lower case letters, digits and -, at most 40", name)
	}
	return file
}

func (l *loader) team(t *Topology, file, team string) {
	if _, ok := t.Teams[team]; !ok {
		l.at(file, "team", "team %q is not in teams.yaml: name the team that answers for this", team)
	}
}

func (l *loader) source(t *Topology, s *Source) {
	file := l.named(s.Mark, s.Name)
	l.team(t, file, s.Team)
	if s.System == "" {
		l.at(file, "system", "system is missing: name whose opinion these events are (shop, erp, warehouse, ...)")
	}
	l.checks(file, s)
	l.edgeLimits(file, s)
	if s.Platform != Files {
		l.eventTypes(file, "emits", s.Emits)
	}
	l.noTeam(file, s.System)
	if s.Wait != nil {
		l.wait(t, file, s)
	}
	switch s.Platform {
	case Shopify, WooCommerce, Stripe, Adyen, StandardWebhooks:
	case Files:
		if len(s.Files) == 0 { // without dir it is switched off
			l.at(file, "platform", "platform files needs files: say how they are read")
		}
		for _, f := range s.Files {
			if _, err := path.Match(f.Match, ""); err != nil || f.Match == "" {
				l.at(file, "files", "bad match %q: write a pattern like orders_*.csv", f.Match)
			}
			l.eventTypes(file, "files", []schemas.EventType{f.Type})
			l.notCorrected(file, "files", f.types())
			if _, err := time.LoadLocation(f.Zone); err != nil {
				l.at(file, "files", "unknown zone %q: write an IANA zone like Europe/Vienna", f.Zone)
			}
		}
	case Poll:
		if s.URL == "" {
			return // switched off
		}
		if of := t.Source(s.Of); of == nil {
			l.at(file, "of", "of: source %q does not exist: name the webhook source whose missed deliveries this finds", s.Of)
		}
	default:
		l.at(file, "platform", "unknown platform %q: shopify, woocommerce, stripe, adyen, standardwebhooks, files or poll", s.Platform)
	}
}

// wait holds what callers may wait for to what there is, and to the source's patience.
func (l *loader) wait(t *Topology, file string, s *Source) {
	if s.Platform == Files || s.Platform == Poll {
		l.at(file, "wait", "nobody waits at a source of platform %s: take wait out", s.Platform)
	}
	if len(s.Wait.For) == 0 {
		l.at(file, "wait", "wait.for is missing: name the integrations whose outcomes are waited for")
	}
	for _, name := range s.Wait.For {
		if t.Integration(name) == nil {
			l.at(file, "wait", "wait.for: integration %q does not exist: name files of integrations/", name)
		}
	}
	if w := s.AnswerWithin.D(); s.Wait.AtMost.D() < 0 || w > 0 && s.Wait.AtMost.D() > w {
		l.at(file, "wait", "wait.at_most %s is longer than the source waits for any answer (answer_within %s): lower it, or raise that", s.Wait.AtMost.D(), w)
	}
	if s.Wait.Otherwise != Accepted && s.Wait.Otherwise != Unavailable {
		l.at(file, "wait", "wait.otherwise %q is neither %s nor %s", s.Wait.Otherwise, Accepted, Unavailable)
	}
}

func (l *loader) eventTypes(file, key string, types []schemas.EventType) {
	for _, et := range types {
		if et != RefundFull && !slices.Contains(schemas.EventTypes, et) {
			l.at(file, key, "unknown event type %q: the types are %s", et, join(schemas.EventTypes))
		}
	}
}

func (l *loader) integration(t *Topology, in *Integration) {
	file := l.named(in.Mark, in.Name)
	l.team(t, file, in.Team)
	l.noTeam(file, in.System)
	if in.CompleteWithin == 0 {
		l.at(file, "complete_within", "complete_within is missing: how long may an order wait for %s?", in.Name)
	}
	if in.StaleAfter == 0 {
		l.at(file, "stale_after", "stale_after is missing: how long can %s work on stale data before the business is harmed?", in.Name)
	}
	if len(in.Deliver) == 0 {
		l.at(file, "deliver", "deliver is missing: name at least one route")
	}
	if in.Order != "hold" && in.Order != "pass" {
		l.at(file, "order", "order is %q: write hold or pass", in.Order)
	}
	for _, w := range in.Windows {
		if err := w.check(); err != nil {
			l.at(file, "windows", "%v", err)
		}
	}
	for i, s := range in.Rate.Slow {
		if err := s.check(); err != nil {
			l.at(file, fmt.Sprintf("rate.slow.%d", i), "%v", err)
		}
		if s.Limit <= 0 {
			l.at(file, fmt.Sprintf("rate.slow.%d", i), "limit is missing: how many calls in these hours?")
		}
	}
	l.idempotency(file, in)
	l.facts(t, file, in.Facts)
	l.handshake(file, in.Environment)
	l.secured(file, in)
	for i := range in.Deliver {
		l.route(t, file, in, i)
		l.unsendable(t, file, fmt.Sprintf("deliver.%d", i), &in.Deliver[i])
	}
}

func (l *loader) idempotency(file string, in *Integration) {
	id, n := in.Idempotency, 0
	for _, set := range []bool{id.Key != "", id.Upsert, id.Probe != "", id.None} {
		if set {
			n++
		}
	}
	if n != 1 {
		l.at(file, "idempotency", "declare one of key, upsert, probe or none: what happens if this call is made twice?")
	}
	if id.Key != "" {
		l.headers(file, "idempotency", []string{id.Key}, nil)
	}
	if id.Key != "" && id.Remembers == 0 {
		l.at(file, "idempotency", "remembers is missing: how long does %s know a key?", in.Name)
	}
	if id.Key != "" && id.Remembers > 0 && id.Remembers < in.Retry.GiveUpAfter {
		l.at(file, "idempotency", "the key is remembered for %s but retried for %s: a late retry would be a second effect", id.Remembers.D(), in.Retry.GiveUpAfter.D())
	}
	if id.Settles != 0 && id.Probe == "" {
		l.at(file, "idempotency", "settles is about a probe, and none is declared")
	}
	if id.Probe != "" {
		if id.Settles < in.Timeout {
			l.at(file, "idempotency", "settles is %s and a call may take %s: its effect may come as late as that", id.Settles.D(), in.Timeout.D())
		}
		method, address, ok := strings.Cut(id.Probe, " ")
		if !ok || (method != "GET" && method != "HEAD") {
			l.at(file, "idempotency", "probe %q: write \"GET <url>\"", id.Probe)
		} else if _, err := ParseTemplate(address); err != nil {
			l.at(file, "idempotency", "probe: %v", err)
		}
		l.fixedHost(file, "idempotency", address)
	}
}

func (l *loader) route(t *Topology, file string, in *Integration, i int) {
	r, at := &in.Deliver[i], fmt.Sprintf("deliver.%d", i)
	l.eventTypes(file, at+".on", r.On)
	l.eventTypes(file, at+".needs", r.Needs)
	l.eventTypes(file, at+".superseded_by", r.SupersededBy)
	l.corrections(t, file, at, r)
	if len(r.On) == 0 {
		l.at(file, at, "a route has no on: name the event types it acts on")
	}
	if r.Operation == "" {
		l.at(file, at, "the route on %s has no operation: name the business step it completes", join(r.On))
	}
	if (r.HTTP == nil) == (r.File == nil) {
		l.at(file, at, "the route on %s needs one of http or file", join(r.On))
	}
	if r.OnRejected != "park" && r.OnRejected != "final" {
		l.at(file, at+".on_rejected", "on_rejected is %q: write park or final", r.OnRejected)
	}
	if r.HTTP != nil {
		if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(r.HTTP.URL)); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			l.at(file, at+".http.url", "url %q is not an http address", r.HTTP.URL)
		}
		if _, err := ParseTemplate(r.HTTP.URL); err != nil {
			l.at(file, at+".http.url", "url: %v", err)
		}
		l.fixedHost(file, at+".http.url", r.HTTP.URL)
		l.oauth2(file, at+".http.auth", r.HTTP.Auth)
		l.headers(file, at+".http.headers", slices.Sorted(maps.Keys(r.HTTP.Headers)), r.HTTP.Headers)
		if auth := r.HTTP.Auth; auth.Header != "" {
			l.headers(file, at+".http.auth", []string{auth.Header}, map[string]string{auth.Header: auth.Value.Reveal()})
		}
		if !HeaderValue(r.HTTP.Auth.Bearer.Reveal()) {
			l.at(file, at+".http.auth", "bearer holds a control character, perhaps a line's end")
		}
	}
	l.routeFacts(file, at, in, r)
	l.readBack(file, at, r)
	for _, problem := range slices.Sorted(maps.Keys(r.Answers.Problems)) {
		if class := r.Answers.Problems[problem]; !slices.Contains([]string{"delivered", "already_done", "rejected", "retry", "unknown"}, class) {
			l.at(file, at+".answers.problems."+problem, "problem %s means %q: write delivered, already_done, rejected, retry or unknown", problem, class)
		}
	}
	for _, name := range r.Required {
		if !slices.Contains(r.Body.Names(), name) {
			l.at(file, at+".on", "required %q is not a member of body", name)
		}
	}
	if r.Undoes != "" && !slices.ContainsFunc(in.Deliver, func(o Route) bool { return o.Operation == r.Undoes }) {
		l.at(file, at+".undoes", "undoes %q, which no route of %s does", r.Undoes, in.Name)
	}
	for j := range in.Deliver {
		if o := &in.Deliver[j]; j != i {
			l.apart(file, at+".on", r, o)
		}
	}
}

// framing are the headers by which HTTP itself tells where a message ends, and to whom it goes.
var framing = []string{"Connection", "Content-Length", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// headers checks the lines of a request's head.
func (l *loader) headers(file, at string, names []string, values map[string]string) {
	for _, name := range names {
		switch {
		case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }):
			l.at(file, at, "%q is no name of a header", name)
		case slices.Contains(framing, textproto.CanonicalMIMEHeaderKey(name)):
			l.at(file, at, "header %s is not yours to set: it says where the request ends or where it goes", name)
		case !HeaderValue(values[name]): // it may be a secret
			l.at(file, at, "header %s holds a control character, perhaps a line's end", name)
		}
	}
}

// HeaderValue tells whether a text can be a header's value: no control character ends its line, or begins another.
func HeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// join is "a, b, c".
func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// Subscribes is every type the integration acts on, waits for or is superseded by, without repetition.
func (in *Integration) Subscribes() []schemas.EventType {
	var out []schemas.EventType
	for _, r := range in.Deliver {
		for _, list := range [][]schemas.EventType{r.On, r.Needs, r.SupersededBy} {
			for _, et := range list {
				if et == RefundFull {
					et = schemas.RefundSucceeded
				}
				if !slices.Contains(out, et) {
					out = append(out, et)
				}
			}
		}
	}
	return out
}

// ActsOn tells whether the integration subscribes to a type.
func (in *Integration) ActsOn(et schemas.EventType) bool {
	if et == RefundFull {
		return false // no event is of that type
	}
	for i := range in.Deliver {
		r := &in.Deliver[i]
		for _, list := range [...][]schemas.EventType{r.On, r.Needs, r.SupersededBy} {
			if slices.Contains(list, et) || et == schemas.RefundSucceeded && slices.Contains(list, RefundFull) {
				return true
			}
		}
	}
	return false
}

// InputTopics is the event topics the integration reads, prefix included, without repetition.
func (t *Topology) InputTopics(in *Integration) []string {
	var out []string
	for _, et := range in.Subscribes() {
		if name := t.Prefix + et.Topic(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// String is "sun 02:00-04:00 Europe/Vienna".
func (w Window) String() string { return fmt.Sprintf("%s %s-%s %s", w.Every, w.From, w.To, w.Zone) }

// ValidName tells whether an integration or source may be called so: lower case letters, digits and -, at most 40.
func ValidName(name string) bool { return nameForm.MatchString(name) }
