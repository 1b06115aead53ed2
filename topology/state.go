package topology

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"
)

// State is what a cluster has.
type State struct {
	ClusterID string
	Topics    map[string]TopicState   // by full name; those of the topology alone
	Subjects  map[string]SubjectState // by subject
	Claim     *ClaimRecord            // whose it is; nil while nobody's
	From      string                  // what names the cluster, for errors: "SEAM_BROKERS"; empty where nobody said
	Access    *AccessState            // nil where nobody asked: a process that only runs does not
}

// TopicState is one topic of a cluster.
type TopicState struct {
	Partitions int32
	Replicas   int16             // of its first partition; 0 where that is not known
	Configs    map[string]string // as they hold, whoever set them
	Set        map[string]string // those set on the topic itself, with what would hold without
}

// Read is the State of the cluster and registry as far as the topology speaks of it, without access.
func Read(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client) (State, error) {
	adm := kadm.NewClient(client)
	st := State{Topics: map[string]TopicState{}, Subjects: map[string]SubjectState{}}
	names := make([]string, len(t.Topics))
	for i, topic := range t.Topics {
		names[i] = topic.Name
	}
	meta, err := adm.Metadata(ctx, names...)
	if err != nil {
		return st, fmt.Errorf("list topics: %w", err)
	}
	st.ClusterID = meta.Cluster
	var have []string
	for _, d := range meta.Topics.Sorted() {
		switch {
		case d.Err == nil:
			ts := TopicState{Partitions: int32(len(d.Partitions)), Configs: map[string]string{}, Set: map[string]string{}}
			if first, ok := d.Partitions[0]; ok {
				ts.Replicas = int16(len(first.Replicas))
			}
			st.Topics[d.Topic] = ts
			have = append(have, d.Topic)
		case !errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return st, fmt.Errorf("topic %s: %w", d.Topic, d.Err) // to see it as missing would be to plan a second one
		}
	}
	if err := readConfigs(ctx, adm, have, &st); err != nil {
		return st, err
	}
	if _, ok := st.Topics[t.TopicName(TopicTopology)]; ok {
		journal, err := ReadJournal(ctx, t, client)
		if err != nil {
			return st, err
		}
		st.Claim = journal.Claim
	}
	return st, readSubjects(ctx, t, registry, &st)
}

func readConfigs(ctx context.Context, adm *kadm.Client, topics []string, st *State) error {
	if len(topics) == 0 {
		return nil
	}
	configs, err := adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return fmt.Errorf("describe topic configs: %w", err)
	}
	for _, rc := range configs {
		if rc.Err != nil {
			return fmt.Errorf("describe the configs of topic %s: %w", rc.Name, rc.Err)
		}
		for _, c := range rc.Configs {
			if c.Value == nil {
				continue
			}
			st.Topics[rc.Name].Configs[c.Key] = *c.Value
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				st.Topics[rc.Name].Set[c.Key] = without(c)
			}
		}
	}
	return nil
}

// without is what would hold if the topic did not say; empty where the broker does not tell.
func without(c kadm.Config) string {
	for _, s := range c.Synonyms {
		if s.Source != kmsg.ConfigSourceDynamicTopicConfig && s.Value != nil {
			return *s.Value
		}
	}
	return ""
}

// Survey is Read with access: ACLs, quotas and all topics of the cluster, for those who plan. Its principal needs Describe on the
// cluster for that.
func Survey(ctx context.Context, t *Topology, client *kgo.Client, registry *sr.Client) (State, error) {
	st, err := Read(ctx, t, client, registry)
	if err != nil {
		return st, err
	}
	adm := kadm.NewClient(client)
	access := &AccessState{Quotas: map[string]map[string]float64{}}
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return st, fmt.Errorf("list topics: %w", err)
	}
	access.Topics = topics.Names()
	if _, ok := st.Topics[t.TopicName(TopicTopology)]; ok {
		journal, err := ReadJournal(ctx, t, client)
		if err != nil {
			return st, err
		}
		access.Known, access.Set = journal.Principals(), journal.Quotas()
	}
	if err := readACLs(ctx, client, access); err != nil {
		return st, err
	}
	if len(t.Quotas())+len(access.Set) > 0 {
		if err := readQuotas(ctx, adm, access); err != nil {
			return st, err
		}
	}
	st.Access = access
	return st, nil
}

func readACLs(ctx context.Context, client *kgo.Client, access *AccessState) error {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAllow
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.SecurityDisabled) {
		access.NoAuthorizer = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("describe ACLs: %w", err)
	}
	for _, r := range resp.Resources {
		for _, a := range r.ACLs {
			access.ACLs = append(access.ACLs, ACL{Principal: a.Principal, Host: a.Host, Operation: word(a.Operation), Resource: word(r.ResourceType), Name: r.ResourceName,
				Prefixed: r.ResourcePatternType == kmsg.ACLResourcePatternTypePrefixed})
		}
	}
	return nil
}

// word is an enum of the protocol as our files and Kafka's tools write it.
func word(v fmt.Stringer) string {
	s := v.String()
	switch v.(type) {
	case kmsg.ACLResourceType:
		return strings.ToLower(s)
	}
	return s
}

func readQuotas(ctx context.Context, adm *kadm.Client, access *AccessState) error {
	quotas, err := adm.DescribeClientQuotas(ctx, true, []kadm.DescribeClientQuotaComponent{{Type: "user", MatchType: 2}}) // 2: any name
	if err != nil {
		return fmt.Errorf("describe quotas: %w", err)
	}
	for _, q := range quotas {
		if len(q.Entity) != 1 || q.Entity[0].Name == nil {
			continue
		}
		values := map[string]float64{}
		for _, v := range q.Values {
			values[v.Key] = v.Value
		}
		access.Quotas["User:"+*q.Entity[0].Name] = values
	}
	return nil
}
