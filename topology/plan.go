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
	CreateTopic    Step = "create_topic"
	AddConfig      Step = "set_config"
	RegisterSchema Step = "register_schema"
	Refuse         Step = "refuse" // cannot be done: Why says so and what to do instead
)

// Change is one line of a plan.
type Change struct {
	Step    Step   `json:"step"`
	Name    string `json:"name"` // topic or subject
	Key     string `json:"key,omitempty"`
	Have    string `json:"have,omitempty"`
	Want    string `json:"want,omitempty"`
	Why     string `json:"why,omitempty"`
	topic   Topic
	subject string
}

// String is the line a person reads: "+" creates, "~" changes, "!" is refused.
func (c Change) String() string {
	switch c.Step {
	case CreateTopic:
		return fmt.Sprintf("+ topic   %s  %s", c.Name, c.Want)
	case AddConfig:
		return fmt.Sprintf("~ topic   %s  %s: %s -> %s", c.Name, c.Key, c.Have, c.Want)
	case RegisterSchema:
		return fmt.Sprintf("+ schema  %s  %s", c.Name, c.Want)
	case Refuse:
		return fmt.Sprintf("! refused %s  %s", c.Name, c.Why)
	}
	return string(c.Step)
}

// ErrRefused is the error of a plan that holds a Refuse.
var ErrRefused = errors.New("the plan holds changes that Kafka or Seam refuses")

// State is what a cluster has.
type State struct {
	Topics   map[string]TopicState
	Subjects map[string]bool // subject holds the schema we would register
	Errors   map[string]string
}

// TopicState is one topic of a cluster.
type TopicState struct {
	Partitions int32
	Configs    map[string]string
}

// Plan returns the changes that turn have into what the topology wants, in the order Apply makes them; it does no I/O. A
// topic is never shrunk, and a topic keyed by order never grown, as that would move orders between partitions: both are a
// Refuse. Configs the files do not name are left alone.
func Plan(t *Topology, have State) []Change {
	var creates, configs, registers, refusals []Change
	for _, want := range t.Topics {
		got, ok := have.Topics[want.Name]
		subject := want.Name + "-value"
		if want.Schema != "" && !have.Subjects[subject] {
			c := Change{Step: RegisterSchema, Name: subject, Want: want.Schema, topic: want, subject: subject}
			if why := have.Errors[subject]; why != "" {
				refusals = append(refusals, Change{Step: Refuse, Name: subject, Why: why})
			} else {
				registers = append(registers, c)
			}
		}
		if !ok {
			creates = append(creates, Change{Step: CreateTopic, Name: want.Name, Want: describe(want), topic: want})
			continue
		}
		if got.Partitions != want.Partitions {
			refusals = append(refusals, Change{Step: Refuse, Name: want.Name, Have: strconv.Itoa(int(got.Partitions)), Want: strconv.Itoa(int(want.Partitions)), Why: partitionsWhy(got.Partitions, want.Partitions)})
		}
		for _, k := range sortedKeys(want.Configs) {
			if got.Configs[k] != want.Configs[k] {
				configs = append(configs, Change{Step: AddConfig, Name: want.Name, Key: k, Have: got.Configs[k], Want: want.Configs[k], topic: want})
			}
		}
	}
	return slices.Concat(refusals, creates, configs, registers)
}

func partitionsWhy(have, want int32) string {
	if want < have {
		return fmt.Sprintf("it has %d partitions and the files want %d: Kafka cannot shrink a topic; set partitions: %d", have, want, have)
	}
	return fmt.Sprintf("it has %d partitions and the files want %d: growing it moves orders between partitions and breaks order and dedup; make a new prefix and replay into it", have, want)
}

func describe(t Topic) string {
	s := fmt.Sprintf("partitions=%d", t.Partitions)
	for _, k := range sortedKeys(t.Configs) {
		s += " " + k + "=" + t.Configs[k]
	}
	return s
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
