package topology

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
)

// Step is what a change does.
type Step string

// The steps, in the order Apply makes them.
const (
	CreateTopic      Step = "create_topic"
	Claim            Step = "claim_environment" // writes down whose the cluster is
	AddConfig        Step = "set_config"
	RemoveConfig     Step = "remove_config" // what somebody set by hand goes back to the broker's default
	RegisterSchema   Step = "register_schema"
	SetCompatibility Step = "set_compatibility"
	SetQuota         Step = "set_quota"
	Grant            Step = "grant_access"
	Revoke           Step = "revoke_access"
	Refuse           Step = "refuse" // cannot be done: Why says so and what to do instead
)

// Mark says how a change must be treated.
type Mark string

// The marks.
const (
	Safe    Mark = "safe"
	Danger  Mark = "danger"  // something is lost or somebody shut out: Why says what; only on purpose
	Refused Mark = "refused" // of Refuse
)

// Change is one line of a plan.
type Change struct {
	Step Step   `json:"step"`
	Mark Mark   `json:"mark"`
	Name string `json:"name"`          // topic, subject, principal or, of a claim, the prefix
	Key  string `json:"key,omitempty"` // config, quota, or what access is to
	Have string `json:"have,omitempty"`
	Want string `json:"want,omitempty"`
	Why  string `json:"why,omitempty"`

	topic Topic
	acl   ACL
}

// String is the line a person reads: "+" creates, "~" changes, "-" takes away, "!" is refused.
func (c Change) String() string {
	line := string(c.Step)
	switch c.Step {
	case CreateTopic:
		line = fmt.Sprintf("+ topic   %s  %s", c.Name, c.Want)
	case Claim:
		line = fmt.Sprintf("+ claim   the cluster is %s's for prefix %q", c.Want, c.Name)
	case AddConfig:
		line = fmt.Sprintf("~ topic   %s  %s: %s -> %s", c.Name, c.Key, c.Have, c.Want)
	case RemoveConfig:
		line = fmt.Sprintf("- topic   %s  %s: %s -> %s", c.Name, c.Key, c.Have, orWord(c.Want, "the broker's default"))
	case RegisterSchema:
		line = fmt.Sprintf("+ schema  %s  %s  %s", c.Name, c.Want, compatibility)
	case SetCompatibility:
		line = fmt.Sprintf("~ schema  %s  compatibility: %s -> %s", c.Name, orWord(c.Have, "the registry's default"), c.Want)
	case SetQuota:
		line = fmt.Sprintf("~ quota   %s  %s: %s -> %s", c.Name, c.Key, orWord(c.Have, "none"), orWord(c.Want, "none"))
	case Grant:
		line = fmt.Sprintf("+ access  %s  %s", c.Name, c.Key)
	case Revoke:
		line = fmt.Sprintf("- access  %s  %s", c.Name, c.Key)
	case Refuse:
		return fmt.Sprintf("! refused %s  %s", c.Name, c.Why)
	}
	if c.Mark == Danger {
		line += "  DANGER: " + c.Why
	}
	return line
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// Errors of what may not be applied.
var (
	// ErrRefused is the error of a plan that holds a Refuse.
	ErrRefused = errors.New("the plan holds changes that Kafka or Seam refuses")
	// ErrDanger is the error of a plan with dangerous changes that nobody allowed.
	ErrDanger = errors.New("the plan holds dangerous changes: read them, and allow them with seam apply --allow-danger")
)

// Plan returns the changes that turn have into what the topology wants, in the order Apply makes them; it does no I/O:
//
//  1. the topic `topology` and the claim of the cluster for the environment, so that from then on nobody else's process starts here
//  2. the other topics
//  3. configs: what differs from the files, and what somebody set by hand beside them
//  4. schemas, each with its subject's compatibility level
//  5. quotas, before access, so that whoever comes in is limited from the start
//  6. access that is granted, then access that is taken away
//
// A topic is never shrunk, and a topic keyed by order never grown, as that would move orders between partitions; retention below
// what an integration or its ledger needs, a schema that cannot read what was written, and a cluster that another environment
// claimed: all are a Refuse, and stand first. Nothing that is not ours is in a plan; nothing is ever deleted but configs and
// access.
func Plan(t *Topology, have State) []Change {
	var creates, configs, registers []Change
	refusals := t.retentionRefusals()
	for _, want := range t.Topics {
		refused, registered := t.planSubject(want, have)
		refusals, registers = append(refusals, refused...), append(registers, registered...)
		got, ok := have.Topics[want.Name]
		if !ok {
			c := Change{Step: CreateTopic, Mark: Safe, Name: want.Name, Want: describe(want), topic: want}
			if want.Name == t.TopicName(TopicTopology) {
				creates = append([]Change{c}, creates...)
			} else {
				creates = append(creates, c)
			}
			continue
		}
		if got.Partitions != want.Partitions {
			refusals = append(refusals, Change{Step: Refuse, Mark: Refused, Name: want.Name, Key: "partitions", Have: strconv.Itoa(int(got.Partitions)), Want: strconv.Itoa(int(want.Partitions)),
				Why: partitionsWhy(got.Partitions, want.Partitions)})
		}
		if want.Replicas > 0 && got.Replicas > 0 && got.Replicas != want.Replicas {
			refusals = append(refusals, Change{Step: Refuse, Mark: Refused, Name: want.Name, Key: "replicas", Have: strconv.Itoa(int(got.Replicas)), Want: strconv.Itoa(int(want.Replicas)),
				Why: fmt.Sprintf("it has %d replicas and the files want %d: move it with kafka-reassign-partitions.sh, which Seam does not; or set replicas: %d", got.Replicas, want.Replicas, got.Replicas)})
		}
		configs = append(configs, planConfigs(want, got)...)
	}
	refused, claims := t.planClaim(have)
	refusals = append(refusals, refused...)
	if len(creates) > 0 && creates[0].Name == t.TopicName(TopicTopology) {
		creates = slices.Insert(creates, 1, claims...)
	} else {
		creates = append(claims, creates...)
	}
	return slices.Concat(refusals, creates, configs, registers, t.planQuotas(have), t.planAccess(have))
}

func partitionsWhy(have, want int32) string {
	if want < have {
		return fmt.Sprintf("it has %d partitions and the files want %d: Kafka cannot shrink a topic; set partitions: %d", have, want, have)
	}
	return fmt.Sprintf("it has %d partitions and the files want %d: growing it moves orders between partitions and breaks order and dedup; make a new prefix and replay into it", have, want)
}

// planClaim is the claim that is lacking, or the refusal of a cluster that is another environment's. A topology without the topic
// `topology` claims nothing.
func (t *Topology) planClaim(have State) (refused, claims []Change) {
	if !slices.ContainsFunc(t.Topics, func(x Topic) bool { return x.Name == t.TopicName(TopicTopology) }) {
		return nil, nil
	}
	if have.Claim == nil {
		return nil, []Change{{Step: Claim, Mark: Safe, Name: t.Prefix, Want: t.Environment}}
	}
	if have.Claim.Environment != t.Environment {
		return []Change{{Step: Refuse, Mark: Refused, Name: t.TopicName(TopicTopology), Key: "environment", Have: have.Claim.Environment, Want: t.Environment,
			Why: (&ClaimedError{Claim: *have.Claim, Environment: t.Environment, From: have.From}).Error()}}, nil
	}
	return nil, nil
}

// Needed are the changes without which nothing may run: a topic, schema or claim that is missing, and what is refused of them.
// The rest is drift, which a process that restarts at night must survive.
func Needed(plan []Change) []Change {
	var out []Change
	for _, c := range plan {
		switch c.Step {
		case CreateTopic, Claim, RegisterSchema:
			out = append(out, c)
		case Refuse:
			if c.Key != "replicas" && c.Key != "retention.ms" {
				out = append(out, c)
			}
		case AddConfig, RemoveConfig, SetCompatibility, SetQuota, Grant, Revoke:
		}
	}
	return out
}

// Has tells whether a change of the plan bears the mark.
func Has(plan []Change, m Mark) bool {
	return slices.ContainsFunc(plan, func(c Change) bool { return c.Mark == m })
}

func describe(t Topic) string {
	s := fmt.Sprintf("partitions=%d", t.Partitions)
	for _, k := range sortedKeys(t.Configs) {
		s += " " + k + "=" + t.Configs[k]
	}
	return s
}

// keysOfBoth are the keys that either map has, sorted.
func keysOfBoth[V any](a, b map[string]V) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(a), sortedKeys(b)...))))
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
