package consumers

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/topology"
)

// TestATopicMadeAnewIsNotedAsSuch: whoever restores its partitions would mix the ledgers of two.
func TestATopicMadeAnewIsNotedAsSuch(t *testing.T) {
	t.Parallel()
	var ids identities
	for _, id := range []byte{1, 1, 2} {
		if err := ids.learn("c", "orders", [16]byte{id}); (err != nil) != (id == 2) {
			t.Errorf("topic %d: %v", id, err)
		}
	}
	if got := ids.of("orders"); got != [16]byte{1} {
		t.Errorf("it is known as %v now", got)
	}
}

// TestWhereAGroupStands: at what it committed, and who did that; at the start of the log where it did not, or committed of another
// topic of that name.
func TestWhereAGroupStands(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders", "customers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	e := &engine{Config: Config{Topology: &topology.Topology{}}, in: &topology.Integration{Name: "down"}, cl: cl}
	if err := errors.Join(e.identify(t.Context(), "orders"), cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders"}, &kgo.Record{Topic: "orders"}).FirstErr()); err != nil {
		t.Fatal(err)
	}
	own := e.identities.mark("orders", 1)
	words := strings.Split(own, " ")
	for name, tt := range map[string]struct {
		topic, metadata string
		offset          int64
		moved           bool
	}{
		"nobody committed":         {"customers", own, 0, false},
		"a worker":                 {"orders", own, 1, false},
		"a tool":                   {"orders", "", 1, true},
		"a tool with its own word": {"orders", "by ann", 1, true},
		"a tool, elsewhere":        {"orders", e.identities.mark("orders", 2), 1, true},
		"another cluster":          {"orders", strings.Join([]string{words[0], "other", "other", words[3]}, " "), 1, true},
		"of the topic before":      {"orders", strings.Join([]string{words[0], words[1], "other", words[3]}, " "), 0, false},
		"in another form":          {"orders", "seam/2" + own[len("seam/1"):], 1, true},
	} {
		e.in.Name = strings.ReplaceAll(name, " ", "-")
		to := kadm.Offsets{}
		to.Add(kadm.Offset{Topic: tt.topic, At: 1, LeaderEpoch: -1, Metadata: tt.metadata})
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), e.Topology.Group(e.in.Name), to); err != nil {
			t.Fatal(err)
		}
		if offset, moved, err := e.position(t.Context(), topicPartition{"orders", 0}); err != nil || offset != tt.offset || moved != tt.moved {
			t.Errorf("%s: at %d, moved %v, %v", name, offset, moved, err)
		}
	}
}

// TestAPartitionCommitsNothingBeforeItIsRestored: where it stands is not known by then.
func TestAPartitionCommitsNothingBeforeItIsRestored(t *testing.T) {
	t.Parallel()
	e, p := bounded(topology.Route{})
	p.offsets.receive(5)
	store := p.store
	for _, p.store = range []*ledger.Store{nil, store} {
		b := newBatch(8)
		e.build(b)
		if _, commits := b.commits[p.tp]; commits != (p.store != nil) {
			t.Errorf("restored %v: commits %v", p.store != nil, commits)
		}
	}
}
