package review

import (
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

const waiversFile = "waivers.yaml"

// longestWaiver is how far ahead a waiver may end: what is let be for longer is a decision, and belongs into the rules.
const longestWaiver = 366 * 24 * time.Hour

// waiverRules are about waivers.yaml itself; waive looks for them, once everything else is found.
var waiverRules = []Rule{
	{ID: "waiver-incomplete", Question: Paged, Severity: Error, Invariant: true, Title: "A waiver without an owner, a reason or an end",
		Why:  "A waiver is a decision of somebody for a while. Without owner, reason and end it is a rule that was switched off.",
		Mend: "write rule, on, owner (a team of teams.yaml), reason and expires (2027-03-31)"},
	{ID: "waiver-unknown-rule", Question: Paged, Severity: Error, Invariant: true, Title: "A waiver of a rule that does not exist",
		Why:  "It waives nothing, and whoever wrote it believes that it does.",
		Mend: "name a rule: seam review --rules lists them"},
	{ID: "waiver-expired", Question: Paged, Severity: Error, Invariant: true, Title: "A waiver that has ended",
		Why:  "The time in which it was to be mended is over.",
		Mend: "mend what it waives and take it out, or have its owner decide again"},
	{ID: "waiver-too-long", Question: Paged, Severity: Error, Invariant: true, Title: "A waiver for good",
		Why:  "What is let be for more than a year is not going to be mended, and nobody will look at it again.",
		Mend: "make expires a day within a year"},
	{ID: "waiver-forbidden", Question: Paged, Severity: Error, Invariant: true, Title: "A waiver of what cannot be waived",
		Why:  "These rules keep secrets, environments and the waivers themselves; no reason makes their failure harmless.",
		Mend: "mend what it waives"},
	{ID: "waiver-idle", Question: Paged, Severity: Warning, Title: "A waiver that waives nothing",
		Why:  "What it was about has been mended, or is spelt otherwise. It would hide the next one.",
		Mend: "take it out, or name what the finding is about, as seam review prints it"},
}

// waive marks what waivers.yaml waives, and finds what is wrong with it.
func (s *scope) waive() {
	for i, w := range s.t.Waivers {
		at := strconv.Itoa(i)
		say := func(id, key, format string, args ...any) {
			s.rule = ruleOf(id)
			s.at("waivers/"+at, waiversFile, at+key, format, args...)
		}
		rule, missing := ruleOf(w.Rule), incomplete(w, s.t)
		until, _ := w.Until()
		switch {
		case len(missing) > 0:
			say("waiver-incomplete", "", "the waiver of %q has no %s", w.Rule, strings.Join(missing, ", no "))
		case rule == nil:
			say("waiver-unknown-rule", ".rule", "there is no rule %q", w.Rule)
		case rule.Invariant || rule.Question == Files:
			say("waiver-forbidden", ".rule", "%s cannot be waived", w.Rule)
		case !s.now.Before(until):
			say("waiver-expired", ".expires", "the waiver of %s on %s ended on %s; ask %s", w.Rule, w.On, w.Expires, w.Owner)
		case until.Sub(s.now) > longestWaiver:
			say("waiver-too-long", ".expires", "the waiver of %s on %s ends on %s", w.Rule, w.On, w.Expires)
		case !s.mark(w):
			say("waiver-idle", "", "nothing of %s was found on %s", w.Rule, w.On)
		}
	}
}

// mark waives the findings that a waiver is about; false when there are none.
func (s *scope) mark(w topology.Waiver) bool {
	any := false
	for i := range s.report.Findings {
		if f := &s.report.Findings[i]; f.Rule == w.Rule && (f.On == w.On || f.Name() == w.On) {
			f.Waived, any = &Waived{Owner: w.Owner, Reason: w.Reason, Expires: w.Expires}, true
		}
	}
	return any
}

// incomplete lists what a waiver lacks.
func incomplete(w topology.Waiver, t *topology.Topology) []string {
	var out []string
	for _, member := range []struct {
		name string
		ok   bool
	}{
		{"rule", w.Rule != ""}, {"on", w.On != ""}, {"owner of teams.yaml", t.Teams[w.Owner].Name != ""},
		{"reason that says something", len(strings.Fields(w.Reason)) >= 3 && !placeholder.MatchString(w.Reason)},
	} {
		if !member.ok {
			out = append(out, member.name)
		}
	}
	if _, ok := w.Until(); !ok {
		out = append(out, "expires like 2027-03-31")
	}
	return out
}
