package review

import (
	"slices"

	"github.com/binaryandbeyond/seam/topology"
)

// Rule is one thing that is looked for. Its id never changes and is never used again for another.
type Rule struct {
	ID       string   `json:"id"`
	Question Question `json:"question"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Why      string   `json:"why"`  // what happens to somebody who runs it like this
	Mend     string   `json:"mend"` // what to write
	// Invariant rules cannot be waived.
	Invariant bool `json:"invariant,omitempty"`

	// At most one of these; none for rules that loading looks for, and for those of waivers.
	in  func(*scope, *topology.Integration)
	src func(*scope, *topology.Source)
	all func(*scope)
}

// rules is every rule, by question.
var rules = slices.Concat(fileRules, twiceRules, twiceSourceRules, ownerRules, ownerFieldRules, staleRules, outageRules, outageCallRules, outageOutboundRules, outageClusterRules,
	successRules, pagedRules, waiverRules)

// Rules lists every rule, in the order of the questions.
func Rules() []Rule { return slices.Clone(rules) }

// ruleOf finds a rule; nil when there is none.
func ruleOf(id string) *Rule {
	for i := range rules {
		if rules[i].ID == id {
			return &rules[i]
		}
	}
	return nil
}
