package topologytest

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const (
	cleanupTimeout    = 30 * time.Second // of the removal of what a test made on a real cluster
	eventuallyTimeout = time.Minute      // a loaded machine with the race detector is slow
)

// Kafka is a broker with its registry, for one test.
type Kafka struct {
	Brokers  []string       // host:port, at least one
	Registry string         // URL of a registry with the Confluent API, without a slash at the end
	Prefix   string         // put it before every topic, group, transactional id and subject; never empty, ends in a dot
	Fake     *kfake.Cluster // for faults on purpose; nil on a real cluster, never nil with Embedded
}

// Option changes what Cluster gives.
type Option func(*options)

type options struct {
	embedded bool
	fake     []kfake.Opt
}

// Embedded asks for the broker inside the process whatever the environment says: for tests that inject faults through
// Kafka.Fake.
func Embedded() Option { return func(o *options) { o.embedded = true } }

// Brokers is the number of brokers of an embedded cluster. Default 1; a real cluster has what it has.
func Brokers(n int) Option {
	return func(o *options) { o.fake = append(o.fake, kfake.NumBrokers(n)) }
}

// Cluster gives a Kafka with its registry that lives as long as the test. It fails the test when SEAM_BROKERS is set
// without SEAM_REGISTRY, as half a real cluster would prove half of what it seems to.
func Cluster(t testing.TB, opts ...Option) *Kafka {
	t.Helper()
	o := options{fake: []kfake.Opt{kfake.NumBrokers(1)}}
	for _, opt := range opts {
		opt(&o)
	}
	brokers, registry := os.Getenv("SEAM_BROKERS"), os.Getenv("SEAM_REGISTRY")
	if o.embedded || brokers == "" {
		return embedded(t, o)
	}
	if registry == "" {
		t.Fatal("SEAM_BROKERS is set, SEAM_REGISTRY is not: set both, or neither for the embedded broker")
	}
	k := &Kafka{Brokers: strings.Split(brokers, ","), Registry: strings.TrimSuffix(registry, "/"), Prefix: prefix(t)}
	if err := held(); err != nil {
		t.Fatalf("register what keeps the schemas in the registry: %v", err)
	}
	t.Cleanup(func() { k.remove(t) })
	return k
}

// held registers every schema of ours under a subject that no test removes. Apicurio deletes a schema with its last subject,
// also while another test is given a subject with it, which then answers 404 for good.
var held = sync.OnceValue(func() error {
	client, err := registryClient(os.Getenv("SEAM_REGISTRY"))
	if err != nil {
		return err
	}
	serde, ctx := schemas.NewSerde(client), context.Background()
	for _, name := range schemas.SchemaNames() {
		if err := topology.Register(ctx, serde, "topologytest."+name, name); err != nil {
			return err
		}
	}
	return nil
})

// embedded starts the broker and the registry inside the process.
func embedded(t testing.TB, o options) *Kafka {
	t.Helper()
	fake, err := kfake.NewCluster(append(o.fake, kfake.MaxVersions(topology.EmbeddedVersions()))...)
	if err != nil {
		t.Fatalf("start the embedded broker: %v", err)
	}
	t.Cleanup(fake.Close)
	registry := httptest.NewServer(schemas.NewMemoryRegistry())
	t.Cleanup(registry.Close)
	return &Kafka{Brokers: fake.ListenAddrs(), Registry: registry.URL, Prefix: prefix(t), Fake: fake}
}

// prefix is unique to the test and names it, in the letters that Kafka allows.
func prefix(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimPrefix(t.Name(), "Test")))
	return name[:min(len(name), 40)] + "-" + strings.ToLower(rand.Text()[:10]) + "."
}

// Client is a client of the cluster that is closed before the cluster goes. opts come after the defaults of a test, which
// are the seed brokers and quick metadata.
func (k *Kafka) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	quick := []kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.MetadataMinAge(100 * time.Millisecond)}
	client, err := kgo.NewClient(append(quick, opts...)...)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// RegistryClient is a client of the registry. Register with its RegisterSchema: CreateSchema also looks up every other
// subject with that schema, and stumbles over one that another test removes at that moment.
func (k *Kafka) RegistryClient(t testing.TB) *sr.Client {
	t.Helper()
	client, err := registryClient(k.Registry)
	if err != nil {
		t.Fatalf("make a registry client: %v", err)
	}
	return client
}

// registryClient waits longer than the 5 s of sr: with the race detector a busy machine may stand still as long.
func registryClient(url string) (*sr.Client, error) {
	return sr.NewClient(sr.URLs(url), sr.HTTPClient(&http.Client{Timeout: time.Minute}))
}

// Topic makes a topic of one replica and gives its full name: the prefix and name. configs are Kafka's, by Kafka's names.
// It returns when the broker knows the topic, which on a real one is a moment after it was made.
func (k *Kafka) Topic(t testing.TB, name string, partitions int32, configs map[string]string) string {
	t.Helper()
	values := make(map[string]*string, len(configs))
	for key, v := range configs {
		values[key] = &v
	}
	topic := k.Prefix + name
	admin := kadm.NewClient(k.Client(t))
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, values, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
	Eventually(t, "topic "+topic+" is known", func() error {
		topics, err := admin.ListTopics(t.Context(), topic)
		if err == nil {
			err = topics[topic].Err
		}
		return err
	})
	return topic
}

// Eventually asks every 20 ms until ask gives nil, and fails the test with its last words after 30 s. It is for facts that
// nobody announces, such as what a broker has applied.
func Eventually(t testing.TB, what string, ask func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(eventuallyTimeout)
	defer end.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %v: %s: %v", eventuallyTimeout, what, err)
		}
	}
}

// remove deletes the topics, groups and subjects with the prefix. What cannot be removed is logged and does not fail the
// test: the next start of the cluster is empty anyway.
func (k *Kafka) remove(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Errorf("make a client to clean up with: %v", err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)

	if groups, err := admin.ListGroups(ctx); err != nil {
		t.Logf("clean up: list groups: %v", err)
	} else {
		for _, g := range k.ours(groups.Groups()) {
			if _, err := admin.DeleteGroup(ctx, g); err != nil {
				t.Logf("clean up: delete group %s: %v", g, err)
			}
		}
	}
	if topics, err := admin.ListTopics(ctx); err != nil {
		t.Logf("clean up: list topics: %v", err)
	} else if mine := k.ours(topics.Names()); len(mine) > 0 {
		if _, err := admin.DeleteTopics(ctx, mine...); err != nil {
			t.Logf("clean up: delete topics: %v", err)
		}
	}
	k.removeAccess(ctx, t, client)
	registry := k.RegistryClient(t)
	subjects, err := registry.Subjects(ctx)
	if err != nil {
		t.Logf("clean up: list subjects: %v", err)
	}
	for _, s := range k.ours(subjects) {
		for _, how := range []sr.DeleteHow{sr.SoftDelete, sr.HardDelete} {
			if _, err := registry.DeleteSubject(ctx, s, how); err != nil {
				t.Logf("clean up: delete subject %s: %v", s, err)
			}
		}
	}
}

// removeAccess deletes the ACLs of what has the prefix, where the cluster has any.
func (k *Kafka) removeAccess(ctx context.Context, t testing.TB, client *kgo.Client) {
	ask := kmsg.NewPtrDescribeACLsRequest()
	ask.ResourceType, ask.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	ask.Operation, ask.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	have, err := ask.RequestWith(ctx, client)
	if err != nil {
		t.Logf("clean up: describe ACLs: %v", err)
		return
	}
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, r := range have.Resources {
		if strings.HasPrefix(r.ResourceName, k.Prefix) {
			f := kmsg.NewDeleteACLsRequestFilter()
			f.ResourceType, f.ResourceName, f.ResourcePatternType = r.ResourceType, &r.ResourceName, r.ResourcePatternType
			f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
			req.Filters = append(req.Filters, f)
		}
	}
	if len(req.Filters) == 0 {
		return
	}
	if _, err := req.RequestWith(ctx, client); err != nil {
		t.Logf("clean up: delete ACLs: %v", err)
	}
}

// ours are the names with the test's prefix.
func (k *Kafka) ours(names []string) []string {
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, k.Prefix) {
			out = append(out, n)
		}
	}
	return out
}
