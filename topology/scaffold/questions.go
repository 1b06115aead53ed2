package scaffold

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// Question is one that a new file must answer.
type Question struct {
	Key     string // of the answer
	Of      string // which of the six questions it belongs to; empty for none
	Ask     string // with the form of an answer
	Default string // taken for an empty line; empty where no default would be honest
}

// text is the question as a comment has it.
func (q Question) text() string {
	if q.Of == "" {
		return q.Ask
	}
	return q.Of + ": " + q.Ask
}

// The answers to the questions of a new integration, by key.
const (
	KeyOn             = "on"
	KeyURL            = "url"
	KeyBody           = "body"
	KeyIdempotency    = "idempotency"
	KeyCompleteWithin = "complete_within"
	KeyStaleAfter     = "stale_after"
	KeyVolume         = "volume"
	KeyOnce           = "once"
	KeyReadBack       = "read_back"
	KeyRate           = "rate"
	KeyGiveUpAfter    = "give_up_after"
	KeyOperation      = "operation"
	KeyTeam           = "team"
	KeyMethod         = "method"
	KeySystem         = "system"
	KeyPlatform       = "platform"
)

// IntegrationQuestions are those of a new integration, in the order they are asked. teams are those of teams.yaml.
func IntegrationQuestions(name string, teams []string) []Question {
	host := "${" + variable(name) + "_URL}"
	return []Question{
		{KeyOn, "", "which events does it act on? order.created, refund.succeeded, ...", ""},
		{KeyMethod, "", "how is it called? POST, PUT, DELETE", "POST"},
		{KeyURL, "", "where is it called? " + host + "/v1/orders; with PUT or DELETE {order.id} in it names the record", ""},
		{KeyIdempotency, "question 1, a message arrives twice", "what happens if a call is made twice? key (it knows an Idempotency-Key), upsert (our id names the record), probe GET <url> (it can be asked), none (nobody can tell: a person decides)", ""},
		{KeyOnce, "question 1, a message arrives twice", "is it one call for each order, whatever the event ids? yes, no", ""},
		{KeyBody, "question 2, who owns a field", "what is it told? member=expression, ...: order_id=order.id, total=order.total; only what a field's owner says is ever sent", ""},
		{KeyStaleAfter, "question 3, how stale may it be", "how old may what it knows be before the business is harmed? 15m, 4h", ""},
		{KeyGiveUpAfter, "question 4, it is down for an hour", "how long is a call repeated before it waits for a person?", "2h"},
		{KeyVolume, "question 4, it is down for an hour", "how many events come, usually and at their peak? 30/m 3/s", ""},
		{KeyRate, "question 4, it is down for an hour", "how many calls a second can it take, over all processes? 20/s", ""},
		{KeyOperation, "question 5, what is success", "which business step does it complete? a word of yours: fulfill, book, reward", ""},
		{KeyReadBack, "question 5, what is success", "where can be read what it made, and what does that say? GET address, field=expression, ...: " + host + "/v1/orders/{event.subject}, order.total=answer.total", ""},
		{KeyCompleteWithin, "question 5, what is success", "by when must an order have it? 30m, 4h", ""},
		{KeyTeam, "question 6, who is paged", "which team answers for it? " + strings.Join(teams, ", "), ""},
	}
}

// SourceQuestions are those of a new source.
func SourceQuestions(teams []string) []Question {
	platforms := []string{}
	for _, p := range []topology.Platform{topology.Shopify, topology.WooCommerce, topology.Stripe, topology.Adyen, topology.StandardWebhooks} {
		platforms = append(platforms, string(p))
	}
	return []Question{
		{KeyPlatform, "", "how does it speak? " + strings.Join(platforms, ", "), ""},
		{KeySystem, "question 2, who owns a field", "whose word are its events? shop, warehouse, ...: a system of ownership.yaml", ""},
		{KeyTeam, "question 6, who is paged", "which team answers for it? " + strings.Join(teams, ", "), ""},
	}
}

// Ask asks what has no answer yet, one line each, and puts the answers in. An empty line takes the default, and leaves the
// question open where there is none. It ends with the input.
func Ask(in io.Reader, out io.Writer, questions []Question, answers map[string]string) error {
	lines := bufio.NewScanner(in)
	for _, q := range questions {
		if answers[q.Key] != "" {
			continue
		}
		def := ""
		if q.Default != "" {
			def = " [" + q.Default + "]"
		}
		fmt.Fprintf(out, "%s%s: ", q.text(), def)
		if !lines.Scan() {
			fmt.Fprintln(out)
			return lines.Err()
		}
		answers[q.Key] = strings.TrimSpace(lines.Text())
	}
	return lines.Err()
}

// variable is the name of a file as variables have it: "loyalty-club" is LOYALTY_CLUB.
func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
