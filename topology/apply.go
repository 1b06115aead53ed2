package topology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
)

// Apply makes the changes in their order. It refuses a plan that holds a Refuse before it does anything. A topic, schema or
// access that is there by now is taken as made, so a plan that was cut off can be applied again.
func Apply(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client, plan []Change) error {
	return (&applying{t: t, client: client, adm: kadm.NewClient(client), registry: registry, serde: schemas.NewSerde(registry), who: "seam", now: time.Now}).run(ctx, plan)
}

// applying makes the changes of one plan.
type applying struct {
	t        *Topology
	client   *kgo.Client
	adm      *kadm.Client
	registry *sr.Client
	serde    *schemas.Serde
	who      string
	now      func() time.Time
	made     func(Change) // called after each; from several goroutines, one at a time. nil for nobody
	lock     sync.Mutex   // of made
}

func (a *applying) run(ctx context.Context, plan []Change) error {
	if err := refused(plan); err != nil {
		return err
	}
	var registers, rest []Change
	for _, c := range plan {
		switch c.Step {
		case RegisterSchema, SetCompatibility:
			registers = append(registers, c)
		case SetQuota, Grant, Revoke:
			rest = append(rest, c)
		case CreateTopic, Claim, AddConfig, RemoveConfig, Refuse:
			if err := a.do(ctx, c, a.change); err != nil {
				return err
			}
		}
	}
	if err := known(ctx, a.adm, plan); err != nil {
		return err
	}
	if err := forEach(registers, func(c Change) error { return a.do(ctx, c, a.schema) }); err != nil {
		return err
	}
	for _, c := range rest {
		if err := a.do(ctx, c, a.access); err != nil {
			return err
		}
	}
	return nil
}

// refused is ErrRefused with what is refused first.
func refused(plan []Change) error {
	i := slices.IndexFunc(plan, func(c Change) bool { return c.Step == Refuse })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: %s", ErrRefused, plan[i].Name, plan[i].Why)
}

// do makes one change, unless nobody waits any more.
func (a *applying) do(ctx context.Context, c Change, f func(context.Context, Change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f(ctx, c); err != nil {
		return err
	}
	if a.made != nil {
		a.lock.Lock()
		defer a.lock.Unlock()
		a.made(c)
	}
	return nil
}

// change makes one of a topic.
func (a *applying) change(ctx context.Context, c Change) error {
	switch c.Step {
	case CreateTopic:
		return createTopic(ctx, a.adm, c.topic)
	case Claim:
		if err := known(ctx, a.adm, []Change{{Step: CreateTopic, Name: a.t.TopicName(TopicTopology)}}); err != nil {
			return err
		}
		return a.t.claim(ctx, a.client, a.who, a.now())
	case AddConfig:
		return a.alterConfig(ctx, kadm.AlterConfig{Op: kadm.SetConfig, Name: c.Key, Value: &c.Want}, c.Name)
	case RemoveConfig:
		return a.alterConfig(ctx, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: c.Key}, c.Name)
	default:
		return fmt.Errorf("step %s is not of a topic", c.Step)
	}
}

func (a *applying) alterConfig(ctx context.Context, change kadm.AlterConfig, topic string) error {
	res, err := a.adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, topic)
	if err == nil && len(res) > 0 {
		err = res[0].Err
	}
	if err != nil {
		return fmt.Errorf("set %s of topic %s: %w", change.Name, topic, err)
	}
	return nil
}

// schema registers one, or only sets the level of its subject.
func (a *applying) schema(ctx context.Context, c Change) error {
	if c.Step == RegisterSchema {
		if err := Register(ctx, a.serde, c.Name, c.topic.Schema); err != nil {
			return err
		}
	}
	for _, res := range a.registry.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatBackwardTransitive}, c.Name) {
		if res.Err != nil {
			return fmt.Errorf("set the compatibility of %s: %w", c.Name, res.Err)
		}
	}
	return nil
}

// access sets one quota, or gives or takes one ACL.
func (a *applying) access(ctx context.Context, c Change) error {
	var err error
	switch c.Step {
	case SetQuota:
		err = a.quota(ctx, c)
	case Grant:
		req := kmsg.NewPtrCreateACLsRequest()
		n := kmsg.NewCreateACLsRequestCreation()
		n.Principal, n.Host, n.ResourceName, n.PermissionType = c.acl.Principal, c.acl.Host, c.acl.Name, kmsg.ACLPermissionTypeAllow
		if n.ResourceType, n.ResourcePatternType, n.Operation, err = c.acl.parts(); err != nil {
			break
		}
		req.Creations = append(req.Creations, n)
		var resp *kmsg.CreateACLsResponse
		if resp, err = req.RequestWith(ctx, a.client); err == nil && len(resp.Results) > 0 {
			err = kerr.ErrorForCode(resp.Results[0].ErrorCode)
		}
	case Revoke:
		req := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.Principal, f.Host, f.ResourceName, f.PermissionType = &c.acl.Principal, &c.acl.Host, &c.acl.Name, kmsg.ACLPermissionTypeAllow
		if f.ResourceType, f.ResourcePatternType, f.Operation, err = c.acl.parts(); err != nil {
			break
		}
		req.Filters = append(req.Filters, f)
		var resp *kmsg.DeleteACLsResponse
		if resp, err = req.RequestWith(ctx, a.client); err == nil && len(resp.Results) > 0 {
			err = kerr.ErrorForCode(resp.Results[0].ErrorCode)
		}
	default:
		err = fmt.Errorf("step %s is not of access", c.Step)
	}
	if err != nil {
		return fmt.Errorf("%s of %s, %s: %w", c.Step, c.Name, c.Key, err)
	}
	return nil
}

func (a *applying) quota(ctx context.Context, c Change) error {
	op := kadm.AlterClientQuotaOp{Key: c.Key, Remove: c.Want == ""}
	if !op.Remove {
		var err error
		if op.Value, err = strconv.ParseFloat(c.Want, 64); err != nil {
			return err
		}
	}
	name := strings.TrimPrefix(c.Name, "User:")
	res, err := a.adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &name}}, Ops: []kadm.AlterClientQuotaOp{op}}})
	if err == nil && len(res) > 0 {
		err = res[0].Err
	}
	return err
}

// parts are the protocol's enums.
func (a ACL) parts() (resource kmsg.ACLResourceType, pattern kmsg.ACLResourcePatternType, operation kmsg.ACLOperation, err error) {
	pattern = kmsg.ACLResourcePatternTypeLiteral
	if a.Prefixed {
		pattern = kmsg.ACLResourcePatternTypePrefixed
	}
	if resource, err = kmsg.ParseACLResourceType(a.Resource); err != nil {
		return
	}
	operation, err = kmsg.ParseACLOperation(a.Operation)
	return
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
