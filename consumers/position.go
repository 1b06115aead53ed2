package consumers

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
)

// identities is Kafka's ids of the cluster and of the input topics: requests that carry them, entries of the ledger and the marks
// of commits need them.
type identities struct {
	mu      sync.Mutex
	cluster string
	topics  map[string][16]byte
}

func (i *identities) of(topic string) [16]byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.topics[topic]
}

// learn takes in what the cluster says of a topic; an error says that it is another than it was.
func (i *identities) learn(cluster, topic string, id [16]byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if known, ok := i.topics[topic]; ok && known != id {
		return fmt.Errorf("topic %s was made anew", topic)
	}
	if i.topics == nil {
		i.topics = map[string][16]byte{}
	}
	i.cluster, i.topics[topic] = cluster, id
	return nil
}

// markPrefix begins the metadata of every offset that a worker commits. Tools leave it out, or keep that of another offset.
const markPrefix = "seam/1"

// mark is the metadata of a commit: of which topic of which cluster it is, and the offset.
func (i *identities) mark(topic string, offset int64) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join([]string{markPrefix, i.cluster, ledger.TopicID(i.topics[topic]), strconv.FormatInt(offset, 10)}, " ")
}

// deleted tells of a committed offset that it is of a topic of that name which was deleted since: Kafka forgets such offsets, but
// for one whose transaction ended when the topic was gone. Where a tool copied groups from another cluster, the offset is for
// this topic.
func (i *identities) deleted(o kadm.Offset) bool {
	f := strings.Split(o.Metadata, " ")
	i.mu.Lock()
	defer i.mu.Unlock()
	id, known := i.topics[o.Topic]
	return known && len(f) == 4 && f[0] == markPrefix && f[1] == i.cluster && f[2] != ledger.TopicID(id)
}

// identify asks the cluster for its id and the topic's.
func (e *engine) identify(ctx context.Context, topic string) error {
	m, err := kadm.NewClient(e.cl).Metadata(ctx, topic)
	if err != nil {
		return err
	}
	t := m.Topics[topic]
	if t.Err != nil {
		return fmt.Errorf("topic %s: %w", topic, t.Err)
	}
	return e.identities.learn(m.Cluster, topic, t.ID)
}

// position is where the group stands in a partition: at the offset that it committed, or where the log starts. Every transaction
// carries it until a record was received: one without offsets would be taken from a member that lost the partition. moved tells
// that no worker committed it, but another tool.
func (e *engine) position(ctx context.Context, tp topicPartition) (offset int64, moved bool, err error) {
	adm := kadm.NewClient(e.cl)
	offsets, err := adm.FetchOffsetsForTopics(ctx, e.Topology.Group(e.in.Name), tp.topic)
	if err != nil {
		return 0, false, fmt.Errorf("committed offset of %s/%d: %w", tp.topic, tp.partition, err)
	}
	if o, ok := offsets.Lookup(tp.topic, tp.partition); ok && o.Err == nil && o.At >= 0 && !e.identities.deleted(o.Offset) {
		return o.At, o.Metadata != e.identities.mark(tp.topic, o.At), nil
	}
	starts, err := adm.ListStartOffsets(ctx, tp.topic)
	if err != nil {
		return 0, false, fmt.Errorf("start of %s/%d: %w", tp.topic, tp.partition, err)
	}
	start, _ := starts.Lookup(tp.topic, tp.partition)
	return start.Offset, false, start.Err
}

// onFetchedOffsets has the client begin at the start of a log whose committed offset is of a deleted topic of that name.
func (e *engine) onFetchedOffsets(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-e.made: // the group is joined while the client is being made
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	committed, err := kadm.NewClient(e.cl).FetchOffsets(ctx, e.Topology.Group(e.in.Name))
	if err != nil {
		return nil, err
	}
	for topic, parts := range offsets {
		if err := e.identify(ctx, topic); err != nil {
			return nil, err
		}
		for partition := range parts {
			if o, ok := committed.Lookup(topic, partition); ok && o.Err == nil && e.identities.deleted(o.Offset) {
				e.log.Warn("the group's offset is of a deleted topic of that name: all that is in the topic now is read", "topic", topic, "partition", partition, "offset", o.At)
				parts[partition] = kgo.NewOffset().AtStart()
			}
		}
	}
	return offsets, nil
}
