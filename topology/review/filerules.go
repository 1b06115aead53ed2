package review

import (
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// fileRules are looked for by loading, in package topology; checks says which of its checks is which rule.
var fileRules = []Rule{
	{ID: "file-unreadable", Question: Files, Severity: Error, Title: "A file that cannot be read",
		Why: "What is not read is not answered.", Mend: "mend the YAML at the line, or put the file there"},
	{ID: "key-unknown", Question: Files, Severity: Error, Title: "A key that nothing reads",
		Why: "A misspelt key is a setting that somebody believes in and that is not there.", Mend: "use one of the keys that the finding lists"},
	{ID: "key-twice", Question: Files, Severity: Error, Title: "A key that stands twice",
		Why: "Two owners of one field, two answers to one question: which of them counts is an accident.", Mend: "leave one"},
	{ID: "value-malformed", Question: Files, Severity: Error, Title: "A value without its unit, or of another kind",
		Why: "30 is half a minute to one and half an hour to another.", Mend: "write 30s, 15m, 2h or 35d; 50/s or 600/m; 50%; 512KiB"},
	{ID: "open-question", Question: Files, Severity: Error, Title: "A value that nobody has decided yet",
		Why: "seam new leaves it open, and no default is an answer.", Mend: "answer the question of the line, and write the answer in place of TODO"},
	{ID: "name-wrong", Question: Files, Severity: Error, Title: "A name that is not its file's",
		Why: "Group, topics, ledger and metrics follow from the name. A copied file with the old name shares another's ledger.", Mend: "write the file's name; lower case letters, digits and -"},
	{ID: "expression-wrong", Question: Files, Severity: Error, Title: "An expression that names what no event has",
		Why: "The request would go out without the member.", Mend: "name a member that the finding's text knows"},
	{ID: "choice-unknown", Question: Files, Severity: Error, Title: "A word that is not among the choices",
		Why: "What becomes of the order would be whatever the default is.", Mend: "write one of the words that the finding lists"},
	{ID: "source-wrong", Question: Files, Severity: Error, Title: "A source that cannot be taken from",
		Why: "Nothing would come from it, in silence.", Mend: "say platform, and what the platform needs, as the finding says"},
	{ID: "route-incomplete", Question: Files, Severity: Error, Title: "A route that lacks a part",
		Why: "Nothing says when it acts, what it completes or where it goes.", Mend: "name on, operation, and one of http or file"},
	{ID: "header-wrong", Question: Files, Severity: Error, Title: "A header that HTTP itself sets, or that breaks the request",
		Why: "A second line in a header is a second header, or a second request.", Mend: "take it out, or the line's end out of the secret's file"},
	{ID: "event-type-unknown", Question: Files, Severity: Error, Title: "A type of event that the model does not have",
		Why: "It never comes.", Mend: "name one of the types that the finding lists"},

	{ID: "idempotency-unanswered", Question: Twice, Severity: Error, Invariant: true, Title: "Nobody has said what a second call does",
		Why: "Every call is made twice one day: a timeout, a restart, a webhook that is repeated.", Mend: "declare one of key, upsert, probe or none"},
	{ID: "key-memory-unanswered", Question: Twice, Severity: Error, Title: "Nobody knows how long the downstream remembers a key",
		Why: "A key that is forgotten is a new request. Stripe forgets after a day.", Mend: "ask, and write remembers: 24h"},
	{ID: "key-forgotten-before-give-up", Question: Twice, Severity: Error, Title: "The downstream forgets the key while the call is still retried",
		Why: "The late retry is a second effect.", Mend: "make remembers longer than retry.give_up_after"},
	{ID: "probe-wrong", Question: Twice, Severity: Error, Title: "A probe that cannot be asked, or is believed too early",
		Why: "An effect that comes after the probe has found nothing comes twice.", Mend: "write \"GET <url>\", and settles of at least the timeout"},
	{ID: "two-routes-one-event", Question: Twice, Severity: Error, Title: "Two routes act on one event",
		Why: "One event would be two calls with one outcome.", Mend: "leave the type in one route"},

	{ID: "owner-missing", Question: Owner, Severity: Error, Title: "A field without an owner",
		Why: "Whoever wrote last is right.", Mend: "name the system whose word counts"},
	{ID: "ownership-undecided", Question: Owner, Severity: Error, Title: "Fields of which nothing is said",
		Why: "They would be sent whoever says them.", Mend: "give each an owner, or list it under unowned"},
	{ID: "ownership-contradiction", Question: Owner, Severity: Error, Title: "Ownership that contradicts itself",
		Why: "A system that owns a field and holds a copy of it is compared with itself.", Mend: "leave each system one role, as the finding says"},
	{ID: "transfer-wrong", Question: Owner, Severity: Error, Title: "A transfer without a time, a receiver or an order",
		Why: "On the day of the change both systems own the field, or none.", Mend: "write to and from, the earliest first"},
	{ID: "tolerance-wrong", Question: Owner, Severity: Error, Title: "A tolerance that can count for nothing",
		Why: "It is read as agreement where there is none, or not read.", Mend: "write a decimal, of a field that is an amount or a count"},
	{ID: "field-unknown", Question: Owner, Severity: Error, Title: "A field that the model does not have, or nobody owns",
		Why: "It is never propagated and never told.", Mend: "name a field of the model, and give it an owner"},
	{ID: "body-unowned-field", Question: Owner, Severity: Error, Title: "A field is sent, or corrected, that nobody owns",
		Why: "What nobody owns is never propagated: the member is always empty, and the downstream's people wait for it.", Mend: "give the field an owner in ownership.yaml, or take it out"},
	{ID: "correction-wrong", Question: Owner, Severity: Error, Title: "A route on corrections that cannot take any",
		Why: "A person decides which system is right, and the one that is wrong is never told.", Mend: "give corrections a route of their own, with fields: those that the downstream takes"},
	{ID: "system-unknown", Question: Owner, Severity: Error, Title: "A system that neither speaks nor is spoken to",
		Why: "A field that is its own never comes; a copy that it holds is never compared.", Mend: "name a system that a source or integration has"},

	{ID: "stale-unanswered", Question: Stale, Severity: Error, Invariant: true, Title: "Nobody has said how stale is harmful",
		Why: "Without the number nobody is paged in time, and everybody too often.", Mend: "write stale_after: 15m; ask who works with the data"},
	{ID: "facts-unanswered", Question: Stale, Severity: Error, Title: "A step that may be told anything",
		Why: "What it may know is decided by whoever asks.", Mend: "list facts.fields, and on_disagreement: refuse"},

	{ID: "window-wrong", Question: Outage, Severity: Error, Title: "Hours that cannot be read",
		Why: "Calls are made in the middle of the maintenance.", Mend: "write {every: sun, from: \"02:00\", to: \"04:00\", tz: Europe/Vienna}, and a limit for slow hours"},
	{ID: "undoes-nothing", Question: Outage, Severity: Error, Title: "A route that takes back what nobody does",
		Why: "A cancellation is withheld as there is nothing to undo, and the parcel leaves.", Mend: "name the operation of a route of the same integration"},
	{ID: "topics-wrong", Question: Outage, Severity: Error, Title: "Topics that cannot hold what is promised",
		Why: "What a topic forgets within the hour nobody can replay.", Mend: "write partitions of 1 or more, and retention of known topics of an hour or more"},

	{ID: "completion-unanswered", Question: Success, Severity: Error, Invariant: true, Title: "Nobody has said by when an order is done",
		Why: "An order that never arrives is never late.", Mend: "write complete_within: 30m"},
	{ID: "operation-wrong", Question: Success, Severity: Error, Title: "An operation that waits for what cannot come true",
		Why: "It is missing for every order, or never.", Mend: "name begins, and under done or seen what integrations and sources have, each with a time"},

	{ID: "pager-missing", Question: Paged, Severity: Error, Invariant: true, Title: "A team without a pager",
		Why: "What is found is told to nobody.", Mend: "write pager: where the team is paged"},
	{ID: "team-unknown", Question: Paged, Severity: Error, Invariant: true, Title: "A team that does not exist",
		Why: "Its page goes nowhere.", Mend: "name a team of teams.yaml"},
	{ID: "page-missing", Question: Paged, Severity: Error, Title: "Nobody decides when systems differ about a field",
		Why: "The difference is seen and is nobody's.", Mend: "name the team: page: finance"},
	{ID: "money-wrong", Question: Paged, Severity: Error, Title: "Money that cannot be compared as it is written",
		Why: "Business days of another zone, and amounts that agree by accident.", Mend: "write an IANA zone, a tolerance like \"0.01\", an agree_within and known kinds of money"},
}

// checks gives checks of package topology the ids of rules. One without an id has that of its file.
var checks = map[string]string{
	"cannot be read: %v": "file-unreadable", "is empty": "file-unreadable", "is no YAML": "file-unreadable",
	"%s is open: %s": "open-question",
	"unknown key":    "key-unknown", "mapping key": "key-twice",
	"bad duration": "value-malformed", "bad size": "value-malformed", "bad share": "value-malformed", "bad rate": "value-malformed", "cannot unmarshal": "value-malformed",
	"name one system, or several as [shop, admin]": "value-malformed", "body must map members to expressions": "value-malformed",
	"name is %q: write %q, as the file is called": "name-wrong", "name %q: use lower case letters, digits and -, at most 40": "name-wrong",
	"body member": "expression-wrong", "url: %v": "expression-wrong", "probe: %v": "expression-wrong",
	"order is %q: write hold or pass": "choice-unknown", "on_rejected is %q: write park or final": "choice-unknown",
	"problem %s means %q: write delivered, already_done, rejected, retry or unknown": "choice-unknown", "on_conflict of %s is %q: write refuse or park": "choice-unknown",
	"on_disagreement is %q: write refuse or flag":                                    "choice-unknown",
	"%q is no name of a header":                                                      "header-wrong",
	"header %s is not yours to set: it says where the request ends or where it goes": "header-wrong",
	"header %s holds a control character, perhaps a line's end":                      "header-wrong",
	"bearer holds a control character, perhaps a line's end":                         "header-wrong",
	"unknown event type %q: the types are %s":                                        "event-type-unknown",

	"declare one of key, upsert, probe or none: what happens if this call is made twice?":                           "idempotency-unanswered",
	"remembers is missing: how long does %s know a key?":                                                            "key-memory-unanswered",
	"the key is remembered for %s but retried for %s: a late retry would be a second effect":                        "key-forgotten-before-give-up",
	"settles is about a probe, and none is declared":                                                                "probe-wrong",
	"settles is %s and a call may take %s: its effect may come as late as that":                                     "probe-wrong",
	"probe %q: write \"GET <url>\"":                                                                                 "probe-wrong",
	"two routes act on %s: one event is one call":                                                                   "two-routes-one-event",
	"%s has no owner: name the system whose word counts":                                                            "owner-missing",
	"nothing is said of %s: give each an owner, or list it under unowned, and it is never propagated":               "ownership-undecided",
	"a transfer of %s has no to: name the system that owns it then":                                                 "transfer-wrong",
	"a transfer of %s is to %s, which owns it already":                                                              "transfer-wrong",
	"a transfer of %s has no from: write from when, such as 2026-12-01T00:00:00Z":                                   "transfer-wrong",
	"a transfer of %s is from %s, not after the one before it: put the earliest first":                              "transfer-wrong",
	"%s is shared and has a tolerance: systems that share a field agree exactly; leave it out":                      "tolerance-wrong",
	"%s has tolerance %q, which is not a decimal: write 0.01; it counts in the currency of the amounts":             "tolerance-wrong",
	"%s has a tolerance, but its values are no amounts and no counts: leave it out":                                 "tolerance-wrong",
	"%s has tolerance %s: write the greatest difference, 0 or more":                                                 "tolerance-wrong",
	"%s has tolerance %s: an amount has at most %d decimals, so that this is no amount of any currency":             "tolerance-wrong",
	"%s has tolerance %s: it is a count, and differs by whole numbers":                                              "tolerance-wrong",
	"unknown field %q: the fields are %s":                                                                           "field-unknown",
	"unknown field %q: the fields are %s, and patterns like order.*":                                                "field-unknown",
	"unowned names the unknown field %q: the fields are %s":                                                         "field-unknown",
	"nobody owns %q: give it an owner in ownership.yaml":                                                            "field-unknown",
	"{%s} is always empty: %s":                                                                                      "body-unowned-field",
	"body member %s uses %s and is never sent: %s":                                                                  "body-unowned-field",
	"%s has no owner in ownership.yaml, so nobody corrects it: give it one, or take it out":                         "body-unowned-field",
	"fields is about corrections, and the route acts on none: take it out, or let the route act on order.corrected": "correction-wrong",
	"a route on %s needs fields: the fields it takes corrections of, such as [order.payment_status]":                "correction-wrong",
	"a route on corrections acts on nothing else, as a correction is one field: give %s a route of its own":         "correction-wrong",
	"a route on corrections cannot be once: each is a decision of its own":                                          "correction-wrong",
	"what two systems say of %s cannot be compared, so nobody corrects it: take it out":                             "correction-wrong",
	"%s is of topic %s: let the route act on %s":                                                                    "correction-wrong",
	"%s is a person's decision (seam disagreements accept), which no system tells and nothing waits for":            "correction-wrong",
	"unknown system %q of %s: no source and no integration has it; they have %s":                                    "system-unknown",
	"system is missing: name whose opinion these events are (shop, erp, warehouse, ...)":                            "system-unknown",
	"stale_after is missing: how long can %s work on stale data before the business is harmed?":                     "stale-unanswered",
	"fields is missing: which facts may it be told?":                                                                "facts-unanswered",
	"%v": "window-wrong",
	"limit is missing: how many calls in these hours?":                  "window-wrong",
	"undoes %q, which no route of %s does":                              "undoes-nothing",
	"complete_within is missing: how long may an order wait for %s?":    "completion-unanswered",
	"team %s has no pager: name where it is paged":                      "pager-missing",
	"team %q is not in teams.yaml: name the team that answers for this": "team-unknown",
	"%s pages team %q, which teams.yaml does not have":                  "team-unknown",
	"page is %q: name a team of teams.yaml":                             "team-unknown",
	"%s has no page: name the team that decides when %s":                "page-missing",
}

// ofFile is the rule of a file's checks that have no id of their own.
func ofFile(file string) string {
	switch kind, _, _ := strings.Cut(file, "/"); kind {
	case "integrations":
		return "route-incomplete"
	case "sources":
		return "source-wrong"
	case "ownership.yaml":
		return "ownership-contradiction"
	case "operations.yaml":
		return "operation-wrong"
	case "money.yaml":
		return "money-wrong"
	case "topics.yaml":
		return "topics-wrong"
	}
	return "file-unreadable"
}

// withheld are the questions that cannot be asked while a file of all cannot be read: every answer would be wrong.
var withheld = map[string][]Question{
	"ownership.yaml": {Owner, Success}, "operations.yaml": {Success}, "teams.yaml": {Paged}, "topics.yaml": {Outage, Twice},
}

// faults turns what loading found into findings. Of a file that could not be read, and of what follows from that, it tells no more.
func (s *scope) faults(list []*topology.Fault) {
	s.blind, s.silent = map[string]bool{}, map[Question]bool{}
	for _, f := range list {
		if id := idOf(f); id == "file-unreadable" || id == "key-twice" {
			s.blind[f.File] = true
			for _, q := range withheld[f.File] {
				s.silent[q] = true
			}
		}
	}
	for _, f := range list {
		id := idOf(f)
		rule := ruleOf(id)
		told := id == "file-unreadable" || id == "key-twice"
		if !told && (s.blind[f.File] || s.silent[rule.Question]) {
			continue
		}
		s.report.Findings = append(s.report.Findings, Finding{Rule: id, Question: rule.Question, Severity: Error, On: strings.TrimSuffix(f.File, ".yaml"),
			File: f.File, Line: max(1, f.Line), Text: f.Text, Mend: rule.Mend})
	}
}

// idOf is the rule of a fault.
func idOf(f *topology.Fault) string {
	if id := checks[f.Check]; id != "" {
		return id
	}
	return ofFile(f.File)
}
