package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// planFormat is the version of the layout of a plan file.
const planFormat = 1

// PlanFile is a plan that was written down to be reviewed: what would be done, and the files and the cluster it was made
// against. It holds no secret.
type PlanFile struct {
	Format      int               `json:"format"` // 1
	At          time.Time         `json:"at"`
	Who         string            `json:"who"`
	Environment string            `json:"environment"`
	Prefix      string            `json:"prefix"`
	ClusterID   string            `json:"cluster_id"`
	Files       map[string]string `json:"files"`   // see Fingerprint
	Wanted      string            `json:"wanted"`  // SHA-256 of what the files want once their variables are filled in
	Cluster     map[string]string `json:"cluster"` // see State.Facts
	Changes     []Change          `json:"changes"`
	Notes       []string          `json:"notes"`
}

// NewPlanFile writes down a plan that was made of the topology against a state.
func NewPlanFile(t *Topology, have State, files map[string]string, who string, at time.Time) PlanFile {
	return PlanFile{Format: planFormat, At: at.UTC(), Who: who, Environment: t.Environment, Prefix: t.Prefix, ClusterID: have.ClusterID, Files: files, Wanted: t.wanted(),
		Cluster: have.Facts(t), Changes: append([]Change{}, Plan(t, have)...), Notes: append([]string{}, Notes(t, have)...)}
}

// ParsePlanFile reads one; a layout of another Seam is an error, and so is an unknown member.
func ParsePlanFile(text []byte) (PlanFile, error) {
	var p PlanFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, fmt.Errorf("it is no plan of seam plan --out: %w", err)
	}
	if p.Format != planFormat {
		return p, fmt.Errorf("it is a plan of format %d, and this Seam reads %d: plan again", p.Format, planFormat)
	}
	return p, nil
}

// ErrMoved is the error of a plan whose files or cluster are not what they were when it was made.
var ErrMoved = errors.New("files or cluster have moved since the plan was made: plan again and have that reviewed")

// Rest is what of a written plan is still to be done, which after an apply that was cut off is not all of it. ErrMoved, with every
// difference, when the files, or what is neither as it was nor as the plan makes it, have moved.
func (p PlanFile) Rest(t *Topology, have State, files map[string]string) ([]Change, error) {
	var moved []string
	say := func(format string, args ...any) { moved = append(moved, fmt.Sprintf(format, args...)) }
	differ(p.Files, files, func(name, was, is string) {
		switch {
		case was == "":
			say("%s is new", name)
		case is == "":
			say("%s is gone", name)
		default:
			say("%s has changed", name)
		}
	})
	if p.Environment != t.Environment {
		say("the plan is of environment %s, and this is %s (SEAM_ENVIRONMENT)", p.Environment, t.Environment)
	}
	if p.Prefix != t.Prefix {
		say("the plan is of prefix %q, and this is %q (SEAM_PREFIX)", p.Prefix, t.Prefix)
	}
	if p.ClusterID != have.ClusterID {
		say("the plan is of cluster %s, and this is %s", p.ClusterID, have.ClusterID)
	}
	if len(moved) == 0 && p.Wanted != t.wanted() {
		say("the files are the same and want something else: a variable that they name has changed")
	}
	fresh := Plan(t, have)
	for _, c := range fresh {
		if !slices.ContainsFunc(p.Changes, c.same) && !p.completes(c) {
			say("not in the plan: %s", c)
		}
	}
	differ(p.Cluster, have.Facts(t), func(fact, was, is string) {
		if !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.touches(fact) && !slices.ContainsFunc(fresh, c.same) }) {
			say("%s was %s and is %s", fact, orWord(was, "not there"), orWord(is, "not there"))
		}
	})
	if len(moved) > 0 {
		return nil, fmt.Errorf("%w:\n  %s", ErrMoved, strings.Join(moved, "\n  "))
	}
	return fresh, nil
}

// completes tells whether a change is the second half of one of the plan: a schema that was registered, and its level not yet set.
func (p PlanFile) completes(c Change) bool {
	return c.Step == SetCompatibility && slices.ContainsFunc(p.Changes, func(o Change) bool { return o.Step == RegisterSchema && o.Name == c.Name })
}

// differ tells of every key that two maps do not agree on, sorted.
func differ(a, b map[string]string, f func(key, was, is string)) {
	for _, k := range keysOfBoth(a, b) {
		if a[k] != b[k] {
			f(k, a[k], b[k])
		}
	}
}

// same tells whether two changes are one, whatever is said of them.
func (c Change) same(o Change) bool {
	return c.Step == o.Step && c.Name == o.Name && c.Key == o.Key && c.Have == o.Have && c.Want == o.Want
}

// touches tells whether the change makes a fact of State.Facts another.
func (c Change) touches(fact string) bool {
	switch c.Step {
	case CreateTopic:
		return strings.HasPrefix(fact, "topic "+c.Name+" ")
	case AddConfig, RemoveConfig:
		return fact == "topic "+c.Name+" "+c.Key
	case RegisterSchema:
		return strings.HasPrefix(fact, "subject "+c.Name+" ")
	case SetCompatibility:
		return fact == "subject "+c.Name+" compatibility"
	case SetQuota:
		return fact == "quota "+c.Name+" "+c.Key
	case Grant, Revoke:
		return fact == "access "+c.Name+" "+c.Key
	case Claim:
		return fact == "environment"
	case Refuse:
	}
	return false
}

// Facts are what of a state concerns the topology, a line each: "topic orders retention.ms" is "7776000000".
func (s State) Facts(t *Topology) map[string]string {
	out := map[string]string{}
	if s.Claim != nil {
		out["environment"] = s.Claim.Environment
	}
	for _, topic := range t.Topics {
		got, ok := s.Topics[topic.Name]
		if !ok {
			continue
		}
		at := "topic " + topic.Name + " "
		out[at+"partitions"], out[at+"replicas"] = fmt.Sprint(got.Partitions), fmt.Sprint(got.Replicas)
		for _, m := range []map[string]string{topic.Configs, got.Set} {
			for k := range m {
				if v, ok := got.Configs[k]; ok {
					out[at+k] = v
				}
			}
		}
	}
	for name, sub := range s.Subjects {
		at := "subject " + name + " "
		out[at+"versions"], out[at+"compatibility"] = fmt.Sprint(sub.Versions), orWord(sub.Level, "the registry's default")
	}
	if s.Access == nil {
		return out
	}
	principals := append(t.PrincipalNames(), s.Access.Known...)
	for _, a := range s.Access.ACLs {
		if t.ours(a, principals) {
			out["access "+a.Principal+" "+a.String()] = "allow"
		}
	}
	wanted := t.Quotas()
	for p, values := range s.Access.Quotas {
		for k, v := range values {
			_, want := wanted[p][k]
			if _, set := s.Access.Set[p][k]; want || set {
				out["quota "+p+" "+k] = number(v)
			}
		}
	}
	return out
}

// wanted is the SHA-256 of all that the topology wants of a cluster.
func (t *Topology) wanted() string {
	text, err := json.Marshal([]any{t.Environment, t.Prefix, t.Topics, t.ACLs(), t.Quotas()})
	if err != nil {
		panic(err) // plain values
	}
	return sum(text)
}
