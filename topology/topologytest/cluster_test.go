package topologytest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// TestCluster goes once through what every other test takes for granted: a record out and in, a group, a schema.
func TestCluster(t *testing.T) {
	t.Parallel()
	k := Cluster(t)
	if want := os.Getenv("SEAM_BROKERS"); want != "" && strings.Join(k.Brokers, ",") != want {
		t.Fatalf("SEAM_BROKERS is %s, and the test got %v", want, k.Brokers)
	}
	topic := k.Topic(t, "orders", 3, map[string]string{"cleanup.policy": "compact"})
	client := k.Client(t, kgo.ConsumerGroup(k.Prefix+"reader"), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))

	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("1001"), Value: []byte("paid")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetched := client.PollFetches(t.Context())
	if err := fetched.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	fetched.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Key)+" "+string(r.Value)) })
	if d := cmp.Diff([]string{"1001 paid"}, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	registry := k.RegistryClient(t)
	id, err := registry.RegisterSchema(t.Context(), topic+"-value", sr.Schema{Schema: `{"type":"string"}`}, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := registry.SchemaByID(t.Context(), id); err != nil || text.Schema != `{"type":"string"}` {
		t.Errorf("schema %d is %q, %v", id, text.Schema, err)
	}
}

// TestClusterRemovesWhatItMade looks after a subtest has ended: a real cluster is left as it was found.
func TestClusterRemovesWhatItMade(t *testing.T) {
	t.Parallel()
	outer := Cluster(t)
	if outer.Fake != nil {
		t.Skip("an embedded cluster ends with its test: set SEAM_BROKERS")
	}
	var inner *Kafka
	t.Run("inner", func(t *testing.T) {
		inner = Cluster(t)
		topic := inner.Topic(t, "orders", 1, nil)
		admin := kadm.NewClient(inner.Client(t))
		var at kadm.Offsets
		at.AddOffset(topic, 0, 0, -1)
		if err := admin.CommitAllOffsets(t.Context(), inner.Prefix+"reader", at); err != nil {
			t.Fatal(err)
		}
		if _, err := inner.RegistryClient(t).RegisterSchema(t.Context(), topic+"-value", sr.Schema{Schema: `{"type":"string"}`}, -1, -1); err != nil {
			t.Fatal(err)
		}
	})
	admin := kadm.NewClient(outer.Client(t))
	Eventually(t, "everything is removed", func() error { // a broker hears of a deletion later than the controller answers
		topics, err := admin.ListTopics(t.Context())
		groups, err2 := admin.ListGroups(t.Context())
		subjects, err3 := outer.RegistryClient(t).Subjects(sr.WithParams(t.Context(), sr.ShowDeleted))
		if err := errors.Join(err, err2, err3); err != nil {
			return err
		}
		if left := inner.ours(append(append(topics.Names(), groups.Groups()...), subjects...)); left != nil {
			return fmt.Errorf("still there: %v", left)
		}
		return nil
	})
}

// TestEmbedded gets the broker inside the process even where the environment names another.
func TestEmbedded(t *testing.T) {
	t.Setenv("SEAM_BROKERS", "127.0.0.1:1")
	k := Cluster(t, Embedded(), Brokers(3))
	if len(k.Brokers) != 3 {
		t.Errorf("%d brokers, want 3", len(k.Brokers))
	}
	if err := k.Client(t).Ping(t.Context()); err != nil {
		t.Errorf("ping the broker of %v: %v", k.Brokers, err)
	}
	if k.Fake == nil {
		t.Error("no handle for faults")
	}
}

// TestPrefix is a name that Kafka takes, whatever the test is called, and never the same twice.
func TestPrefix(t *testing.T) {
	t.Run("Öl & a very long name that goes on and on and on", func(t *testing.T) {
		a, b := prefix(t), prefix(t)
		if a == b {
			t.Errorf("twice %q", a)
		}
		if strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || len(a) > 60 || !strings.HasSuffix(a, ".") {
			t.Errorf("%q is no prefix for Kafka's names", a)
		}
	})
}
