package review

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

const teamsFile = "teams.yaml"

// placeholder is what somebody wrote who meant to come back.
var placeholder = regexp.MustCompile(`(?i)^(\W*|tbd|todo|none|n/?a|xxx+|changeme|someone|nobody|unknown|later|soon)$|\b(tbd|todo|fixme|changeme)\b|example\.(com|org|net)`)

// pagedRules ask who is paged when numbers differ.
var pagedRules = []Rule{
	{ID: "pager-vague", Question: Paged, Severity: Error, Title: "A pager that is a promise to fill it in",
		Why:  "The page goes nowhere, and everybody believes that somebody has it.",
		Mend: "write where the team is really paged",
		all: teams(func(s *scope, name string, t topology.Team) {
			if t.Pager != "" && placeholder.MatchString(t.Pager) {
				s.at("teams/"+name, teamsFile, name+".pager", "the pager of %s is %q", name, t.Pager)
			}
		})},
	{ID: "hours-vague", Question: Paged, Severity: Error, Title: "Nobody knows when a team answers",
		Why:  "A page at night to a team that works by day is read in the morning. Without hours that can be computed with, that gap cannot be seen.",
		Mend: "write hours: \"24x7\", or \"mon-fri 08:00-18:00 Europe/Vienna\"",
		all: teams(func(s *scope, name string, t topology.Team) {
			if _, ok := hours(t, s.now); !ok {
				s.at("teams/"+name, teamsFile, name+".hours", "the hours of %s are %q", name, t.Hours)
			}
		})},
	{ID: "hours-gap", Question: Paged, Severity: Error, Title: "Nobody answers for longer than the data may be stale",
		Why:  "Saturday's outage is found on Monday. Harm begins after stale_after, whatever day it is.",
		Mend: "name the team that is paged outside of hours (after_hours in teams.yaml), or say that stale_after is longer",
		in: func(s *scope, in *topology.Integration) {
			if gap, ok := s.unattended(in.Team); ok && in.StaleAfter > 0 && gap > in.StaleAfter.D() {
				s.found("team", "nobody answers for %s for %s, and %s is harmed after %s", in.Team, long(gap), in.Name, long(in.StaleAfter))
			}
		}},
	{ID: "hours-gap-operation", Question: Paged, Severity: Error, Title: "Nobody answers for an operation for days",
		Why:  "What is missing on Friday evening is told to a team that comes back on Monday.",
		Mend: "name the team that is paged outside of hours (after_hours in teams.yaml), or page one that answers",
		all: func(s *scope) {
			for _, op := range s.t.Operations {
				least := topology.Duration(0)
				for _, d := range slices.Concat(slices.Collect(maps.Values(op.Done)), slices.Collect(maps.Values(op.Seen))) {
					if least == 0 || d < least {
						least = d
					}
				}
				if gap, ok := s.unattended(op.Page); ok && least > 0 && gap > max(least.D(), 24*time.Hour) {
					s.at("operations/"+op.Name, operationsFile, op.Name+".page", "%s pages %s, for whom nobody answers for %s", op.Name, op.Page, long(gap))
				}
			}
		}},
	{ID: "after-hours-unknown", Question: Paged, Severity: Error, Title: "Outside of hours a team is paged that does not exist",
		Why:  "The page at night goes nowhere.",
		Mend: "name a team of teams.yaml that answers then, and not the team itself",
		all: teams(func(s *scope, name string, t topology.Team) {
			if _, known := s.t.Teams[t.AfterHours]; t.AfterHours != "" && (!known || t.AfterHours == name) {
				s.at("teams/"+name, teamsFile, name+".after_hours", "outside of its hours %s pages %q", name, t.AfterHours)
			}
		})},
	{ID: "chat-missing", Question: Paged, Severity: Warning, Title: "No place to talk about it",
		Why:  "Who is paged at night about another team's numbers has to find that team first.",
		Mend: "write chat: \"#name\"",
		all: teams(func(s *scope, name string, t topology.Team) {
			if t.Chat == "" || placeholder.MatchString(t.Chat) {
				s.at("teams/"+name, teamsFile, name+".chat", "%s has no chat", name)
			}
		})},
	{ID: "money-nobody-paged", Question: Paged, Severity: Error, Title: "Nobody is paged when the money differs",
		Why:  "Finance and operations see different numbers, each is right about its own system, and no one's task is the difference.",
		Mend: "write page: finance in money.yaml",
		all: func(s *scope) {
			if s.t.Money.Page == "" {
				s.at("money", "money.yaml", "page", "who is paged when systems differ about amounts?")
			}
		}},
	{ID: "money-not-in-time", Question: Paged, Severity: Error, Title: "Money may differ for longer than a month is open",
		Why:  "A difference that is told after days belongs to a closed book, and nobody remembers the order.",
		Mend: "make agree_within in money.yaml three days at most: a weekend of a payment provider",
		all: func(s *scope) {
			if s.t.Money.AgreeWithin.D() > 3*24*time.Hour {
				s.at("money", "money.yaml", "agree_within", "systems may differ about amounts for %s", long(s.t.Money.AgreeWithin))
			}
		}},
	{ID: "money-tolerance-wide", Question: Paged, Severity: Error, Title: "A tolerance that adds up to a salary",
		Why:  "It is per order. At a thousand orders a day a tolerance of one is a thousand a day that nobody looks for.",
		Mend: "make tolerance in money.yaml what rounding makes: \"0\", or \"0.01\"",
		all: func(s *scope) {
			if d, ok := amount(s.t.Money.Tolerance); ok && d > 0.05 {
				s.at("money", "money.yaml", "tolerance", "systems agree while an order differs by %s", s.t.Money.Tolerance)
			}
		}},
}

// teams makes a rule of all of one about each team.
func teams(rule func(*scope, string, topology.Team)) func(*scope) {
	return func(s *scope) {
		for _, name := range slices.Sorted(maps.Keys(s.t.Teams)) {
			rule(s, name, s.t.Teams[name])
		}
	}
}
