package scaffold

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// text builds a file line by line.
type text struct{ strings.Builder }

// line writes one, with the comment where there is one.
func (t *text) line(comment, format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if comment != "" {
		s = fmt.Sprintf("%-24s # %s", s, comment)
	}
	t.WriteString(s + "\n")
}

// asked writes a key with its answer, or open with its question.
func (t *text) asked(q Question, indent, key, value string) {
	if value == "" {
		t.line(q.text(), "%s%s: %s", indent, key, topology.Open)
		return
	}
	t.line("", "%s%s: %s", indent, key, value)
}

// integration is the text of integrations/NAME.yaml.
func integration(name string, questions []Question, a map[string]string) string {
	q := map[string]Question{}
	for _, one := range questions {
		q[one.Key] = one
	}
	t := &text{}
	t.line("", "# %s: say here what it is for. docs/integrations.md has every key with its default; seam try %s shows what would be sent.", name, name)
	t.line("", "name: %s", name)
	t.asked(q[KeyTeam], "", "team", quoted(a[KeyTeam]))
	t.asked(q[KeyOperation], "", "operation", quoted(a[KeyOperation]))
	t.asked(q[KeyCompleteWithin], "", "complete_within", quoted(a[KeyCompleteWithin]))
	t.asked(q[KeyStaleAfter], "", "stale_after", quoted(a[KeyStaleAfter]))
	t.idempotency(q[KeyIdempotency], a[KeyIdempotency])
	t.line("how long finished events are remembered: longer than the topics keep them, so that no replay repeats one", "dedup_window: 95d")
	t.volume(q[KeyVolume], a[KeyVolume])
	if a[KeyRate] == "" {
		t.asked(q[KeyRate], "", "rate", "")
	} else {
		t.line("", "rate: {limit: %s}", quoted(a[KeyRate]))
	}
	if a[KeyGiveUpAfter] == "" {
		t.asked(q[KeyGiveUpAfter], "", "retry", "")
	} else {
		t.line("then the event waits for a person, and its order with it", "retry: {give_up_after: %s}", quoted(a[KeyGiveUpAfter]))
	}
	t.line("", "deliver:")
	if a[KeyOn] == "" {
		t.line(q[KeyOn].text(), "  - on: [%s]", topology.Open)
	} else {
		t.line("", "  - on: [%s]", strings.Join(words(a[KeyOn]), ", "))
	}
	switch strings.ToLower(a[KeyOnce]) {
	case "yes", "true":
		t.line("one call for each order, whatever the event ids", "    once: true")
	case "no", "false":
	default:
		t.line("", "    # once: true         # %s", q[KeyOnce].text())
	}
	t.line("", "    # needs: [payment.captured]            # held until these were seen")
	t.line("", "    # superseded_by: [order.cancelled]     # pointless once these were seen")
	t.line("", "    http:")
	t.asked(q[KeyMethod], "      ", "method", quoted(strings.ToUpper(a[KeyMethod])))
	t.asked(q[KeyURL], "      ", "url", quoted(a[KeyURL]))
	t.line("", "      auth: {bearer: \"${%s_TOKEN}\"}", variable(name))
	if method := strings.ToUpper(a[KeyMethod]); method != http.MethodGet && method != http.MethodDelete {
		t.body(q[KeyBody], a[KeyBody])
	}
	t.line("", "    # answers: {already_done: [409], rejected: [400, 422], reference: id}   # what its statuses mean, and where its own id stands")
	t.readBack(name, q[KeyReadBack], a[KeyReadBack])
	return t.String()
}

// readBack writes "GET address, field=expression, ...".
func (t *text) readBack(name string, q Question, answer string) {
	if answer == "" {
		t.line("", "    # read_back: {get: \"${%s_URL}/v1/orders/{event.subject}\", says: {order.total: answer.total}}   # %s", variable(name), q.Of+": a 200 is not yet success; docs/observations.md")
		return
	}
	list := split(answer)
	t.line("a 200 is not yet success: what it made is read there, and compared", "    read_back:")
	t.line("", "      get: %s", quoted(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(list[0]), "GET "))))
	if len(list) > 1 {
		t.line("", "      says:")
		t.pairs("        ", list[1:])
	}
}

// idempotency writes the answer to question 1: "key [remembers]", "upsert", "probe GET url" or "none".
func (t *text) idempotency(q Question, answer string) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	switch kind {
	case "key":
		t.line("", "idempotency:")
		t.line("", "  key: Idempotency-Key")
		t.asked(Question{Of: q.Of, Ask: "how long does it know a key? 24h: longer than a call is repeated (retry)"}, "  ", "remembers", quoted(strings.TrimSpace(rest)))
	case "upsert", "none":
		t.line("", "idempotency: {%s: true}", kind)
	case "probe":
		t.line("", "idempotency: {probe: %s}", quoted(strings.TrimSpace(rest)))
	default: // whatever else it is, Load says what is wrong with it
		t.asked(q, "", "idempotency", quoted(answer))
	}
}

// volume writes "usual [peak]".
func (t *text) volume(q Question, answer string) {
	list := words(answer)
	if len(list) == 0 {
		t.asked(q, "", "volume", "")
		return
	}
	t.line("", "volume: {usual: %s, peak: %s}", quoted(list[0]), quoted(list[len(list)-1]))
}

// body writes "member=expression, ...", whose commas within brackets part nothing.
func (t *text) body(q Question, answer string) {
	if strings.TrimSpace(answer) == "" {
		t.asked(q, "    ", "body", "")
		return
	}
	t.line("", "    body:")
	t.pairs("      ", split(answer))
}

// pairs writes "name=expression" as members.
func (t *text) pairs(indent string, list []string) {
	for _, pair := range list {
		member, expression, _ := strings.Cut(pair, "=")
		t.line("", "%s%s: %s", indent, quoted(strings.TrimSpace(member)), quoted(strings.TrimSpace(expression)))
	}
}

// split parts a list at its commas, but for those within brackets and quotes.
func split(s string) []string {
	var out []string
	depth, start, quote := 0, 0, rune(0)
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case strings.ContainsRune("([{", c):
			depth++
		case strings.ContainsRune(")]}", c):
			depth--
		case c == ',' && depth == 0:
			out, start = append(out, s[start:i]), i+1
		}
	}
	return append(out, s[start:])
}

// words parts a list at commas and spaces.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// quoted is a text as YAML, quoted where it would be read as something else; empty for an empty one.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	plain := !strings.ContainsAny(s, "{}[],&*#?|<>=!%@`\"'") && !strings.Contains(s, ": ")
	var back any
	if err := yaml.Unmarshal([]byte(s), &back); plain && err == nil && back == any(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// tests is the text of integrations/NAME.test.yaml: a case for each type it acts on, and one it does not act on. Their wants are
// open.
func tests(name, file, system string, on []string) string {
	t := &text{}
	t.line("", "# What %s is to do: an event in, a decision or a request out. seam test %s runs it, and --update writes what a case comes to.", name, name)
	var env []string
	for _, v := range topology.Variables(file, false) {
		value := "secret"
		if strings.HasSuffix(v, "_URL") {
			value = "https://" + name + ".example"
		}
		env = append(env, fmt.Sprintf("%s: %q", v, value))
	}
	t.line("", "env: {%s}", strings.Join(env, ", "))
	t.line("", "system: %-16s # whose word the events are", system)
	t.line("", "cases:")
	for _, et := range on {
		t.line("", "  - name: %s is sent", et)
		t.line("", "    event: %s", sample(schemas.EventType(et)))
		t.line("", "    want:")
	}
	other := schemas.InventoryLevelSet
	if slices.Contains(on, string(other)) {
		other = schemas.OrderCreated
	}
	t.line("", "  - name: %s is nothing to it", other)
	t.line("", "    event: %s", sample(other))
	t.line("", "    want: {decision: withheld/not_subscribed}")
	return t.String()
}

// sample is an event of a type, as small as it makes sense.
func sample(et schemas.EventType) string {
	data := `order_id: "1001"`
	const amount = `amount: {amount: "42.50", currency: EUR}`
	kind, _, _ := strings.Cut(string(et), ".")
	switch kind {
	case "order":
		data += `, version: "1", order: {number: "#1001", status: open, total: {amount: "42.50", currency: EUR}, lines: [{id: "1", sku: MUG, title: Mug, quantity: 2}], email: jane@example.com, customer_id: "7"}`
	case "payment":
		data += `, payment: {id: p-1, ` + amount + `}`
	case "refund":
		data += `, refund: {id: r-1, reason: damaged, ` + amount + `}`
	case "fulfillment":
		data += `, fulfillment: {id: f-1, status: success, tracking_number: 1Z999}`
	case "customer":
		data = `customer_id: "7", customer: {email: jane@example.com, first_name: Jane, last_name: Doe}`
	case "inventory":
		data = `location_id: main, item_id: MUG, inventory: {sku: MUG, available: 4}`
	}
	return fmt.Sprintf("{type: %s, timestamp: '2026-11-23T08:00:00Z', data: {%s}}", et, data)
}
