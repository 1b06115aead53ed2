package review

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const ownershipFile = "ownership.yaml"

// ownerRules ask of integrations and sources which system owns a field.
var ownerRules = []Rule{
	{ID: "body-own-field", Question: Owner, Severity: Error, Title: "A system is sent the field that it owns",
		Why:  "Nothing is written into a system that it owns itself: the member is empty in every request, and whoever reads the file believes otherwise.",
		Mend: "take the member out of the body, or give the field to the system that says it",
		in: func(s *scope, in *topology.Integration) {
			for i := range in.Deliver {
				if len(in.Deliver[i].Fields) > 0 {
					continue // what a person decides is told to whoever is wrong
				}
				for _, f := range s.sent(&in.Deliver[i]) {
					if o, ok := s.t.Ownership[f]; ok && len(o.Owner) == 1 && o.Owner.Has(in.System) && len(o.Transfers) == 0 {
						s.found(route(i, "body"), "%s is sent %s, which is its own", in.Name, f)
					}
				}
			}
		}},
	{ID: "ai-owns-business-field", Question: Owner, Severity: Error, Title: "A model decides what a person answers for",
		Why:  "A step that is told facts and writes back is a guess with good grammar. As owner of an amount or a state, its guess reaches the books and the warehouse.",
		Mend: "let it own order.enrichment alone, and let the system that answers for it own the field",
		in: func(s *scope, in *topology.Integration) {
			if in.Facts == nil {
				return
			}
			for _, f := range slices.Sorted(maps.Keys(s.t.Ownership)) {
				o := s.t.Ownership[f]
				if business := f.IsMoney() || strings.HasSuffix(string(f), "status"); business && slices.ContainsFunc(o.Ever(), func(l topology.Systems) bool { return l.Has(in.System) }) {
					s.at("ownership/"+string(f), ownershipFile, string(f), "%s is owned by %s, which is told facts and answers with its own words", f, in.System)
				}
			}
		}},
	{ID: "facts-flag-money", Question: Owner, Severity: Warning, Title: "Facts that systems differ about are told as facts",
		Why:  "With flag a step is told an amount while another system says another one, and must not overlook the flag.",
		Mend: "write on_disagreement: refuse, or leave amounts out of facts.fields",
		in: func(s *scope, in *topology.Integration) {
			if in.Facts == nil || in.Facts.OnDisagreement != topology.DisagreementFlag {
				return
			}
			for _, pattern := range in.Facts.Fields {
				if slices.ContainsFunc(schemas.Fields(), func(f schemas.Field) bool { return f.IsMoney() && topology.MatchField(pattern, f) }) {
					s.found("facts.on_disagreement", "%s is told %s while systems differ about it", in.Name, pattern)
					return
				}
			}
		}},
	{ID: "source-unheard", Question: Owner, Severity: Warning, Title: "A source whose word counts for nothing",
		Why:  "Its system owns no field and holds no copy of one: what it says is neither passed on nor compared, and nobody finds out.",
		Mend: "name its system as owner or among the copies in ownership.yaml, or take the source away",
		src: func(s *scope, src *topology.Source) {
			for _, o := range s.t.Ownership {
				if slices.Contains(o.Copies, src.System) || slices.ContainsFunc(o.Ever(), func(l topology.Systems) bool { return l.Has(src.System) }) {
					return
				}
			}
			s.found("system", "%s speaks for %s, which owns nothing and holds no copy", src.Name, src.System)
		}},
}

// ownerFieldRules ask it of fields.
var ownerFieldRules = []Rule{
	{ID: "field-two-owners", Question: Owner, Severity: Error, Title: "A field with two owners, and nothing for when they differ",
		Why:  "Two systems that may both write a field will, at once. Whoever was last wins, and the order is paid in one and cancelled in the other.",
		Mend: "name one owner; if the field must be shared, say what becomes of a conflict: on_conflict: refuse or park",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			shared := slices.ContainsFunc(o.Ever(), func(l topology.Systems) bool { return len(l) > 1 })
			if _, _, said := s.t.Written(ownershipFile, string(f)+".on_conflict"); shared && !said {
				s.field(f, "owner", "%s is owned by %s: what if they differ?", f, o.Owner)
			}
		})},
	{ID: "owner-silent", Question: Owner, Severity: Error, Title: "The owner of a field never speaks",
		Why:  "A field reaches others only from its owner. No source speaks for this one, so that the field stays empty everywhere for ever.",
		Mend: "add a source of that system, or name the owner that does speak",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			if !slices.ContainsFunc(o.Owner, func(sys schemas.System) bool { return len(s.speakers(sys)) > 0 || !s.called(sys) }) && len(o.Owner) > 0 {
				s.field(f, "owner", "%s is %s's to say, and no source speaks for it", f, o.Owner)
			}
		})},
	{ID: "copy-silent", Question: Owner, Severity: Warning, Title: "A copy that nobody can compare",
		Why:  "The system is listed as holding a copy, but no source tells what it holds: the field looks compared and is not.",
		Mend: "add a source of that system, or take it out of copies",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			for _, sys := range o.Copies {
				if len(s.speakers(sys)) == 0 && s.called(sys) { // the loader tells of systems that are neither
					s.field(f, "copies", "nothing tells what %s holds of %s", sys, f)
				}
			}
		})},
	{ID: "agree-within-missing", Question: Owner, Severity: Error, Title: "Systems must agree at once",
		Why:  "Without agree_within every change is a disagreement until the last system has it. A team that is paged for each of them stops reading.",
		Mend: "write agree_within: how long may they differ?",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			if o.AgreeWithin <= 0 && (len(o.Copies) > 0 || len(o.Owner) > 1) {
				s.field(f, "agree_within", "for how long may systems differ about %s?", f)
			}
		})},
	{ID: "agree-before-source-speaks", Question: Owner, Severity: Error, Title: "A copy is called different before its system could say so",
		Why:  "The system writes its files every so often. A disagreement that is overdue before the next file is a page for every order.",
		Mend: "make agree_within at least as long as that system's files or polls are apart (every)",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			for _, sys := range o.Copies {
				every := time.Duration(0)
				for _, src := range s.speakers(sys) {
					if src.Platform.Webhooks() {
						every = 0
						break
					}
					if every == 0 || src.Every.D() < every {
						every = src.Every.D()
					}
				}
				if o.AgreeWithin > 0 && every > o.AgreeWithin.D() {
					s.field(f, "agree_within", "%s must agree within %s, and %s speaks only every %s", f, long(o.AgreeWithin), sys, long(every))
				}
			}
		})},
	{ID: "told-after-late", Question: Owner, Severity: Error, Title: "A disagreement is told after the order is late",
		Why:  "The copy is wrong for longer than the integration may take for everything. The order is late, and nobody knows yet that it is wrong.",
		Mend: "make agree_within at most as long as complete_within of the integration that carries the field",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			for i := range s.t.Integrations {
				in := &s.t.Integrations[i]
				if slices.Contains(o.Copies, in.System) && in.CompleteWithin > 0 && o.AgreeWithin > in.CompleteWithin && slices.Contains(s.sentAll(in), f) {
					s.field(f, "agree_within", "%s may differ for %s, and an order is late in %s after %s", f, long(o.AgreeWithin), in.Name, long(in.CompleteWithin))
				}
			}
		})},
	{ID: "tolerance-hides-money", Question: Owner, Severity: Warning, Title: "A tolerance that hides money",
		Why:  "Rounding makes cents. A tolerance of more than one unit hides a fee, a voucher or a wrong tax rate on every order, and a month's books do not add up.",
		Mend: "make the tolerance what rounding makes: \"0.01\", or a few cents",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			if d, err := decimal.NewFromString(o.Tolerance); err == nil && f.IsMoney() && d.GreaterThan(decimal.NewFromInt(1)) {
				s.field(f, "tolerance", "systems agree about %s while they differ by %s", f, o.Tolerance)
			}
		})},
	{ID: "money-not-compared", Question: Owner, Severity: Error, Title: "An amount that no second system is asked for",
		Why:  "Finance and operations read different systems. If no copy of the amount is compared, they find out from each other.",
		Mend: "name the systems that hold the amount in copies",
		all: fields(func(s *scope, f schemas.Field, o topology.Owner) {
			if compared := []schemas.Field{"order.total", "payment.amount", "refund.amount"}; slices.Contains(compared, f) && len(o.Copies) == 0 && len(o.Owner) < 2 {
				s.field(f, "copies", "nobody else is asked for %s", f)
			}
		})},
}

// fields makes a rule of all of one about each owned field.
func fields(rule func(*scope, schemas.Field, topology.Owner)) func(*scope) {
	return func(s *scope) {
		for _, f := range slices.Sorted(maps.Keys(s.t.Ownership)) {
			if slices.Contains(schemas.Fields(), f) { // else the loader has said so
				rule(s, f, s.t.Ownership[f])
			}
		}
	}
}

// field records a finding on an owned field.
func (s *scope) field(f schemas.Field, key, format string, args ...any) {
	s.at("ownership/"+string(f), ownershipFile, string(f)+"."+key, format, args...)
}

// called tells whether a system is an integration's.
func (s *scope) called(system schemas.System) bool {
	return slices.ContainsFunc(s.t.Integrations, func(in topology.Integration) bool { return in.System == system })
}
