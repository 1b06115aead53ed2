package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
)

// Read is the State of the cluster and registry as far as the topology speaks of it.
func Read(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client) (State, error) {
	adm := kadm.NewClient(client)
	st := State{Topics: map[string]TopicState{}, Subjects: map[string]bool{}, Errors: map[string]string{}}
	names := make([]string, len(t.Topics))
	for i, topic := range t.Topics {
		names[i] = topic.Name
	}
	details, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return st, fmt.Errorf("list topics: %w", err)
	}
	var have []string
	for _, d := range details.Sorted() {
		if d.Err == nil {
			st.Topics[d.Topic] = TopicState{Partitions: int32(len(d.Partitions)), Configs: map[string]string{}}
			have = append(have, d.Topic)
		}
	}
	if len(have) > 0 {
		configs, err := adm.DescribeTopicConfigs(ctx, have...)
		if err != nil {
			return st, fmt.Errorf("describe topic configs: %w", err)
		}
		for _, rc := range configs {
			for _, c := range rc.Configs {
				if c.Value != nil {
					st.Topics[rc.Name].Configs[c.Key] = *c.Value
				}
			}
		}
	}
	return st, readSubjects(ctx, t, registry, &st)
}

// readSubjects asks which subjects hold our schema, and whether the others would take it.
func readSubjects(ctx context.Context, t *Topology, registry *sr.Client, st *State) error {
	subjects, err := registry.Subjects(ctx)
	if err != nil {
		return fmt.Errorf("list subjects: %w", err)
	}
	var lock sync.Mutex // guards st's maps
	return forEach(t.Topics, func(topic Topic) error {
		subject := topic.Name + "-value"
		if topic.Schema == "" || !slices.Contains(subjects, subject) {
			return nil
		}
		schema := sr.Schema{Schema: schemas.SchemaText(topic.Schema)}
		_, err := registry.LookupSchema(ctx, subject, schema)
		if err == nil {
			lock.Lock()
			st.Subjects[subject] = true
			lock.Unlock()
			return nil
		}
		ok, err := registry.CheckCompatibility(ctx, subject, -1, schema)
		if err == nil && !ok.Is {
			lock.Lock()
			st.Errors[subject] = fmt.Sprintf("the schema %s cannot read what was written: %v; give new fields a default", topic.Schema, ok.Messages)
			lock.Unlock()
		}
		return nil
	})
}

// Apply makes the changes in their order. It refuses a plan that holds a Refuse before it does anything. A topic or schema
// that is there by now is taken as made, so a plan that was cut off can be applied again.
func Apply(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client, plan []Change) error {
	if slices.ContainsFunc(plan, func(c Change) bool { return c.Step == Refuse }) {
		return ErrRefused
	}
	adm := kadm.NewClient(client)
	serde := schemas.NewSerde(registry)
	var registers []Change
	for _, c := range plan {
		switch c.Step {
		case CreateTopic:
			if err := createTopic(ctx, adm, c.topic); err != nil {
				return err
			}
		case AddConfig:
			res, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: c.Key, Value: &c.Want}}, c.Name)
			if err == nil && len(res) > 0 {
				err = res[0].Err
			}
			if err != nil {
				return fmt.Errorf("set %s of topic %s: %w", c.Key, c.Name, err)
			}
		case RegisterSchema:
			registers = append(registers, c)
		case Refuse:
		}
	}
	if err := known(ctx, adm, plan); err != nil {
		return err
	}
	return forEach(registers, func(c Change) error {
		if err := Register(ctx, serde, c.subject, c.topic.Schema); err != nil {
			return err
		}
		// A later schema must read all that was ever written; some registries check nothing unless told to.
		for _, res := range registry.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatBackwardTransitive}, c.subject) {
			if res.Err != nil {
				return fmt.Errorf("set the compatibility of %s: %w", c.subject, res.Err)
			}
		}
		return nil
	})
}

// registerFor is how long a registry that does not answer as it should is asked again.
const registerFor = 5 * time.Second

// Register makes a schema of ours known under a subject, as Serde.Register does. A registry that fails is asked again for a while, for some fail when two subjects are given
// the same schema at one moment, and registering twice is harmless.
func Register(ctx context.Context, serde *schemas.Serde, subject, schema string) error {
	deadline := time.Now().Add(registerFor)
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		_, err := serde.Register(ctx, subject, schema)
		if err == nil || !errors.Is(err, schemas.ErrRegistry) || time.Now().Add(wait).After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// known waits until the brokers tell of every topic that was created, which on a real cluster is a moment later: who comes
// next would be told that it does not exist.
func known(ctx context.Context, adm *kadm.Client, plan []Change) error {
	var names []string
	for _, c := range plan {
		if c.Step == CreateTopic {
			names = append(names, c.Name)
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(names) > 0 {
		details, err := adm.ListTopics(ctx, names...)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		if err = details.Error(); err == nil {
			break
		}
		if !kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("list topics: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func createTopic(ctx context.Context, adm *kadm.Client, want Topic) error {
	configs := make(map[string]*string, len(want.Configs))
	for k, v := range want.Configs {
		configs[k] = &v
	}
	_, err := adm.CreateTopic(ctx, want.Partitions, want.Replicas, configs, want.Name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", want.Name, err)
	}
	return nil
}

// Ensure brings the cluster to the topology: Read, Plan, Apply. It gives the plan that it made.
func Ensure(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client) ([]Change, error) {
	have, err := Read(ctx, t, client, registry)
	if err != nil {
		return nil, err
	}
	plan := Plan(t, have)
	return plan, Apply(ctx, t, client, registry, plan)
}

// forEach runs f over the list, eight at a time, and joins the errors: a registry answers one request in milliseconds, and
// there are dozens.
func forEach[T any](list []T, f func(T) error) error {
	slots := make(chan struct{}, 8)
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, v := range list {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			errs[i] = f(v)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}
