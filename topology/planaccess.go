package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// AccessState is what a cluster says of access and of what nobody asked for.
type AccessState struct {
	NoAuthorizer bool // the cluster checks nobody: ACLs have no meaning there
	ACLs         []ACL
	Quotas       map[string]map[string]float64 // by principal and Kafka's name
	// Known are the principals that applied plans named, beside those of the files: what they may is still ours to take away.
	Known  []string
	Set    map[string]map[string]string // quotas that applied plans set, as Journal.Quotas gives them
	Topics []string                     // all topics of the cluster
}

// planQuotas sets the quotas that differ, and takes away those that an applied plan set, which nobody has changed since and
// the files no longer have.
func (t *Topology) planQuotas(have State) []Change {
	if have.Access == nil {
		return nil
	}
	var out []Change
	want := t.Quotas()
	for _, p := range sortedKeys(want) {
		for _, k := range sortedKeys(want[p]) {
			got, ok := have.Access.Quotas[p][k]
			if ok && got == want[p][k] {
				continue
			}
			c := Change{Step: SetQuota, Mark: Safe, Name: p, Key: k, Want: number(want[p][k])}
			if ok {
				c.Have = number(got)
			}
			out = append(out, c)
		}
	}
	for _, p := range sortedKeys(have.Access.Set) {
		for _, k := range sortedKeys(have.Access.Set[p]) {
			_, wanted := want[p][k]
			if got, ok := have.Access.Quotas[p][k]; ok && !wanted && number(got) == have.Access.Set[p][k] {
				out = append(out, Change{Step: SetQuota, Mark: Safe, Name: p, Key: k, Have: number(got)})
			}
		}
	}
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// planAccess grants what is lacking and revokes what the files no longer give.
func (t *Topology) planAccess(have State) []Change {
	if have.Access == nil || have.Access.NoAuthorizer {
		return nil
	}
	principals := append(t.PrincipalNames(), have.Access.Known...)
	want := t.ACLs()
	var out []Change
	for _, a := range want {
		if !slices.Contains(have.Access.ACLs, a) {
			out = append(out, Change{Step: Grant, Mark: Safe, Name: a.Principal, Key: a.String(), Want: "allow", acl: a})
		}
	}
	extra := slices.Clone(have.Access.ACLs)
	slices.SortFunc(extra, compareACLs)
	for _, a := range extra {
		if !slices.Contains(want, a) && t.ours(a, principals) {
			out = append(out, Change{Step: Revoke, Mark: Danger, Name: a.Principal, Key: a.String(), Have: "allow", acl: a,
				Why: "the files do not give it; whoever uses it is shut out"})
		}
	}
	return out
}

// Notes are what a person should know of the cluster beside the plan; nothing of it is changed.
func Notes(t *Topology, have State) []string {
	if have.Access == nil {
		return nil
	}
	var out []string
	if have.Access.NoAuthorizer && len(t.PrincipalNames()) > 0 {
		out = append(out, "the cluster has no authorizer: the ACLs of access.yaml and subscribers/ are not applied, and anybody may read and write everything")
	}
	for _, name := range have.Access.Topics {
		known := slices.ContainsFunc(t.Topics, func(x Topic) bool { return x.Name == name })
		if !known && (t.Prefix != "" && strings.HasPrefix(name, t.Prefix) || t.state(name)) {
			out = append(out, fmt.Sprintf("topic %s is not of this topology any more: it stays; delete it with kafka-topics.sh when nobody needs it", name))
		}
	}
	if have.Access.NoAuthorizer {
		return out
	}
	principals := append(t.PrincipalNames(), have.Access.Known...)
	keys := t.TopicName(TopicKeys)
	for _, a := range have.Access.ACLs {
		opens := a.Resource == "topic" && (a.Name == keys || a.Name == "*" || a.Prefixed && strings.HasPrefix(keys, a.Name)) && (a.Operation == "READ" || a.Operation == "ALL")
		if opens && !slices.Contains(principals, a.Principal) {
			out = append(out, fmt.Sprintf("%s may read personal data (%s): it is not in the files, and stays", a.Principal, a))
		}
	}
	return out
}

// ExpectedGroup is a consumer group that the files speak of. Groups are never made: they come to be when somebody reads.
type ExpectedGroup struct {
	Group        string   `json:"group"`
	Of           string   `json:"of"` // integration, or team of a subscriber
	Team         string   `json:"team"`
	Reads        []string `json:"reads"`
	LagObjective string   `json:"lag_objective,omitempty"` // of a subscriber
}

// Groups lists the consumer groups of integrations, then those of other teams.
func (t *Topology) Groups() []ExpectedGroup {
	var out []ExpectedGroup
	for i := range t.Integrations {
		in := &t.Integrations[i]
		out = append(out, ExpectedGroup{Group: t.Group(in.Name), Of: in.Name, Team: in.Team, Reads: t.InputTopics(in)})
		if in.ReadsBack() {
			out = append(out, ExpectedGroup{Group: t.ReadBackGroup(in.Name), Of: in.Name, Team: in.Team, Reads: []string{t.TopicName(TopicReconciliation)}})
		}
	}
	for _, s := range t.Subscribers {
		g := ExpectedGroup{Group: s.Group, Of: s.Team, Team: s.Team, LagObjective: s.LagObjective.D().String()}
		for _, topic := range s.Reads {
			g.Reads = append(g.Reads, t.TopicName(topic))
		}
		out = append(out, g)
	}
	return out
}
