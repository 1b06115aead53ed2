package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// bench is the two topics of an integration, and a producer of both.
type bench struct {
	*testing.T
	kafka  *topologytest.Kafka
	src    ledger.Source
	writer *kgo.Client
}

func newBench(t *testing.T, opts ...topologytest.Option) *bench {
	k := topologytest.Cluster(t, opts...)
	b := &bench{T: t, kafka: k, src: ledger.Source{
		Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Group: k.Prefix + "seam.down", Serde: schemas.NewSerde(k.RegistryClient(t)),
		Ledger: k.Topic(t, "ledger.down", 2, map[string]string{"cleanup.policy": "compact,delete"}), Parked: k.Topic(t, "parked.down", 2, map[string]string{"cleanup.policy": "compact"}),
		Topic: schemas.TopicOrders, TopicID: "this", Partition: 1,
	}}
	b.writer = b.client("")
	return b
}

// client writes to chosen partitions, in transactions where it is named.
func (b *bench) client(id string) *kgo.Client {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}
	if id != "" {
		opts = append(opts, kgo.TransactionalID(id), kgo.TransactionTimeout(time.Minute))
	}
	return b.kafka.Client(b.T, opts...)
}

func (b *bench) produce(cl *kgo.Client, recs ...*kgo.Record) {
	b.Helper()
	if err := cl.ProduceSync(b.Context(), recs...).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// entry is the ledger record of a key of a topic.
func (b *bench) entry(topic, topicID, key string, settled int64) *kgo.Record {
	b.Helper()
	value, err := b.src.Serde.EncodeLedgerEntry(b.Context(), b.src.Ledger+"-value", &schemas.LedgerEntry{Topic: topic, TopicID: topicID, Key: key, Settled: settled, Calls: &schemas.Calls{Below: settled}, Skipped: &schemas.Calls{Below: settled}})
	if err != nil {
		b.Fatal(err)
	}
	return &kgo.Record{Topic: b.src.Ledger, Partition: 1, Key: []byte(ledger.EntryKey(topic, key)), Value: value}
}

// park is the record of a parked event; gone is its tombstone.
func (b *bench) park(topic, key string, id schemas.EventID) *kgo.Record {
	b.Helper()
	value, err := b.src.Serde.EncodeParkedRecord(b.Context(), b.src.Parked+"-value", &schemas.ParkedRecord{Topic: topic, Key: key, EventID: id, Reason: schemas.ReasonNeeds})
	if err != nil {
		b.Fatal(err)
	}
	return &kgo.Record{Topic: b.src.Parked, Partition: 1, Key: []byte(ledger.ParkedKey(topic, key, id)), Value: value}
}

func gone(rec *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key}
}

func (b *bench) restore() *ledger.Store {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	s, err := ledger.Restore(ctx, b.src)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bench) count(s *ledger.Store) int {
	b.Helper()
	n, err := s.Len()
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// settled is the settled offset of each key, as far as it is known.
func settled(s *ledger.Store, keys ...string) map[string]int64 {
	out := map[string]int64{}
	for _, k := range keys {
		out[k] = s.Entry(k).Settled
	}
	return out
}

func TestRestore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if s := b.restore(); b.count(s) != 0 || s.ParkedCount() != 0 {
		t.Errorf("of empty topics: %d entries, %d parked", b.count(s), s.ParkedCount())
	}
	elsewhere := b.entry("orders", "this", "P", 1)
	elsewhere.Partition = 0
	binary := b.entry("orders", "this", "\xff\xfe", 4)
	b.produce(b.writer,
		b.entry("orders", "this", "A", 1), b.entry("orders", "this", "A", 7), b.entry("orders", "this", "B", 2), elsewhere, binary,
		b.entry("customers", "this", "A", 99), // shares the partition, and is another subject
		b.entry("orders", "this", "E", 5), gone(b.entry("orders", "this", "E", 5)),
		b.entry("orders", "before", "R", 50), // of the topic before it was made anew
		b.park("orders", "A", "a1"), b.park("orders", "A", "a2"), gone(b.park("orders", "A", "a1")), b.park("customers", "A", "c1"), gone(b.park("orders", "A", "never")),
	)
	s := b.restore()
	want := map[string]int64{"A": 7, "B": 2, "\xff\xfe": 4, "E": -1, "R": -1, "P": -1}
	if diff := cmp.Diff(want, settled(s, "A", "B", "\xff\xfe", "E", "R", "P")); diff != "" {
		t.Errorf("settled (-want +got):\n%s", diff)
	}
	if b.count(s) != 4 || s.ParkedCount() != 1 || s.Parked("A")[0].EventID != "a2" {
		t.Errorf("%d entries, parked %v", b.count(s), s.Parked("A"))
	}
	if got := s.Entry("R"); got.TopicID != "this" || got.Calls != nil || got.Skipped != nil {
		t.Errorf("an entry of the topic before is taken for %+v", got)
	}
	b.src.Topic = schemas.TopicCustomers
	if s := b.restore(); b.count(s) != 1 || s.Entry("A").Settled != 99 || s.ParkedCount() != 1 {
		t.Errorf("of the other topic: %d entries, A at %d, %d parked", b.count(s), s.Entry("A").Settled, s.ParkedCount())
	}
}

// begin writes records in a transaction and leaves it open.
func (b *bench) begin(id string, recs ...*kgo.Record) *kgo.Client {
	b.Helper()
	cl := b.client(id)
	if err := cl.BeginTransaction(); err != nil {
		b.Fatal(err)
	}
	b.produce(cl, recs...)
	return cl
}

// TestRestoreSeesWhatIsCommittedBehindAnOpenTransaction: the open one holds the last stable offset down; a restore to that
// would miss an outcome, and its owner would call again.
func TestRestoreSeesWhatIsCommittedBehindAnOpenTransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dead := b.begin(b.src.Group+"/dead", b.entry("orders", "this", "A", 1))
	b.begin(b.src.Group+"/parking", b.park("orders", "A", "a1")) // holds the other topic down
	b.produce(b.writer, b.entry("orders", "this", "B", 2))
	aborted := b.begin(b.src.Group+"/aborted", b.entry("orders", "this", "B", 3))
	if err := aborted.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"A": -1, "B": 2}, settled(b.restore(), "A", "B")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := dead.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the dead one, awake again, commits what its successor did not see")
	}
	if diff := cmp.Diff(map[string]int64{"A": -1, "B": 2}, settled(b.restore(), "A", "B")); diff != "" {
		t.Errorf("after the dead one's commit (-want +got):\n%s", diff)
	}
}

// member is a living member of the group, by a name.
func (b *bench) member(name string) *kgo.Client {
	b.Helper()
	cl := b.kafka.Client(b.T, kgo.ClientID(b.src.Group+"/"+name), kgo.ConsumerGroup(b.src.Group), kgo.ConsumeTopics(b.src.Parked))
	topologytest.Eventually(b.T, "the member is in its group", func() error {
		groups, err := kadm.NewClient(b.writer).DescribeGroups(b.Context(), b.src.Group)
		if group := groups[b.src.Group]; err == nil && len(group.AssignedPartitions()) == 0 {
			err = errors.New("not yet")
		}
		return err
	})
	return cl
}

// restoring restores beside the test and gives the settled offsets of keys once that is done.
func (b *bench) restoring(keys ...string) <-chan map[string]int64 {
	out := make(chan map[string]int64, 1)
	go func() {
		s, err := ledger.Restore(b.Context(), b.src)
		if err != nil {
			b.Error(err)
			out <- nil
			return
		}
		out <- settled(s, keys...)
	}()
	return out
}

// TestFenceLeavesOthersAlone: a living member's transaction ends by itself, and is waited for; other groups' and other
// partitions' are nobody's business.
func TestFenceLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.entry("orders", "this", "A", 1)
	other.Partition = 0
	open := map[string]*kgo.Client{
		"another group":     b.begin(b.kafka.Prefix+"seam.down2/x", b.entry("orders", "this", "B", 2)),
		"another partition": b.begin(b.src.Group+"/y", other),
	}
	member := b.member("alive")
	defer member.Close()
	open["a living member"] = b.begin(b.src.Group+"/alive", b.entry("orders", "this", "C", 3))
	if err := ledger.Fence(t.Context(), b.writer, b.src.Group, 1, b.src.Ledger, b.src.Parked); err != nil {
		t.Fatal(err)
	}
	restored := b.restoring("B", "C")
	for name, cl := range open {
		select {
		case got := <-restored:
			t.Fatalf("restored to %v while a transaction of %s was open", got, name)
		default:
		}
		if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Errorf("the transaction of %s was ended: %v", name, err)
		}
	}
	if diff := cmp.Diff(map[string]int64{"B": 2, "C": 3}, <-restored); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRestoreFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	few := b.src
	few.Partition = 7
	if _, err := ledger.Restore(t.Context(), few); err == nil || !strings.Contains(err.Error(), "no partition 7") {
		t.Errorf("a ledger with fewer partitions than its topic: %v", err)
	}
	b.produce(b.writer, &kgo.Record{Topic: b.src.Ledger, Partition: 1, Key: []byte("A"), Value: []byte("no Avro")})
	if _, err := ledger.Restore(t.Context(), b.src); err == nil || !strings.Contains(err.Error(), "offset 0") {
		t.Errorf("an entry that nobody can read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ledger.Restore(ctx, b.src); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestRestoreFromDiskReadsWhatCameSince: a restart takes the local copy and the difference, whoever wrote that; a copy that
// does not belong to the topic is made anew.
func TestRestoreFromDiskReadsWhatCameSince(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), t.TempDir()
	steps := []struct {
		name string
		do   func()
		read int
		want map[string]int64
	}{
		{"of a new folder", func() {
			b.produce(b.writer, b.entry("orders", "this", "A", 1), b.entry("orders", "this", "B", 2), b.entry("orders", "this", "C", 3), b.park("orders", "P", "p1"))
		}, 4, map[string]int64{"A": 1, "B": 2, "C": 3}},
		{"with nothing new", func() {}, 1, map[string]int64{"A": 1, "B": 2, "C": 3}}, // the parked event
		{"with what another wrote", func() {
			b.produce(b.writer, b.entry("orders", "this", "B", 20), gone(b.entry("orders", "this", "C", 0)), b.entry("orders", "this", "D", 4))
		}, 4, map[string]int64{"A": 1, "B": 20, "C": -1, "D": 4}},
		{"of an event topic made anew", func() { b.src.TopicID = "that" }, 1, map[string]int64{"A": -1, "B": -1, "D": -1}},
		{"of a log that begins behind it", func() {
			b.src.TopicID = "this"
			b.produce(b.writer, b.entry("orders", "this", "E", 5), b.entry("orders", "this", "F", 6))
			offsets := kadm.Offsets{}
			offsets.AddOffset(b.src.Ledger, 1, 7, -1)
			deleted, err := kadm.NewClient(b.writer).DeleteRecords(t.Context(), offsets)
			if err = errors.Join(err, deleted.Error()); err != nil {
				t.Fatal(err)
			}
		}, 2, map[string]int64{"A": -1, "E": -1, "F": 6}},
	}
	for _, step := range steps {
		step.do()
		disk, err := ledger.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		src := b.src
		src.Disk, src.Window, src.Serde = disk, 24*time.Hour, schemas.NewSerde(b.kafka.RegistryClient(t)) // as after a restart
		s, err := ledger.Restore(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(step.want))
		if diff := cmp.Diff(step.want, settled(s, keys...)); diff != "" || s.Err() != nil || s.Read() != step.read || s.ParkedCount() != 1 {
			t.Errorf("%s: %d records read, want %d; %d parked; %v; settled (-want +got):\n%s", step.name, s.Read(), step.read, s.ParkedCount(), s.Err(), diff)
		}
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestoreReadsToTheHighWatermark: what a living member has written and commits after the restore has begun is part of the
// ledger.
func TestRestoreReadsToTheHighWatermark(t *testing.T) {
	t.Parallel()
	b := newBench(t, topologytest.Embedded())
	open := b.begin("another's", b.entry("orders", "this", "A", 1))
	asked := make(chan struct{}, 100)
	b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1, When: func(kmsg.Request) bool {
		asked <- struct{}{}
		return true
	}})
	go func() {
		for range 2 { // the ends, and then the starts: the ends are known
			<-asked
		}
		if err := open.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Error(err)
		}
	}()
	if diff := cmp.Diff(map[string]int64{"A": 1}, settled(b.restore(), "A")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReadEndsNobodysTransaction: who only looks waits for what looks dead, and fences nobody.
func TestReadEndsNobodysTransaction(t *testing.T) {
	t.Parallel()
	b := newBench(t, topologytest.Embedded())
	open := b.begin(b.src.Group+"/looks-dead", b.entry("orders", "this", "A", 1))
	asked := make(chan struct{}, 100)
	b.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Observe: true, Count: -1, When: func(kmsg.Request) bool {
		asked <- struct{}{}
		return true
	}})
	go func() {
		<-asked // a restore would have fenced by now
		if err := open.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Error(err)
		}
	}()
	s, err := ledger.Read(t.Context(), b.src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"A": 1}, settled(s, "A")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatHoldsARestoreUp is told, and ended where its owner dies meanwhile.
func TestWhatHoldsARestoreUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	told := make(chan string, 100)
	b.src.Logger = slog.New(slog.NewJSONHandler(lines(told), nil))
	stranger := b.begin(b.kafka.Prefix+"another's", b.entry("orders", "this", "A", 1))
	member := b.member("dies")
	b.begin(b.src.Group+"/dies", b.entry("orders", "this", "B", 2))
	restored := b.restoring("A", "B")
	for want := range map[string]bool{"another's": true, b.src.Group + "/dies": true} {
		for line := range told {
			if strings.Contains(line, want) && strings.Contains(line, b.src.Ledger) && strings.Contains(line, `"state":"Ongoing"`) {
				break
			}
		}
	}
	member.Close()
	if err := stranger.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int64{"A": 1, "B": -1}, <-restored); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// lines is a writer of lines to a channel.
type lines chan<- string

// Write is io.Writer's.
func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestTheLocalCopyNeedsNoRegistry once it is open: the loop that reads it must not wait.
func TestTheLocalCopyNeedsNoRegistry(t *testing.T) {
	t.Parallel()
	b, dir := newBench(t), t.TempDir()
	b.produce(b.writer, b.entry("orders", "this", "A", 1))
	var away atomic.Bool
	for _, restarted := range []bool{false, true} {
		disk, err := ledger.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		registry, err := sr.NewClient(sr.URLs(b.kafka.Registry), sr.HTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if away.Load() {
				return nil, errors.New("the registry is away")
			}
			return http.DefaultTransport.RoundTrip(r)
		})}))
		if err != nil {
			t.Fatal(err)
		}
		src := b.src
		src.Disk, src.Window, src.Serde = disk, 24*time.Hour, schemas.NewSerde(registry)
		s, err := ledger.Restore(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if restarted && s.Read() != 0 {
			t.Errorf("%d records were read from Kafka: nothing is proved", s.Read())
		}
		away.Store(restarted)
		if diff := cmp.Diff(map[string]int64{"A": 1}, settled(s, "A")); diff != "" || s.Err() != nil {
			t.Errorf("%v (-want +got):\n%s", s.Err(), diff)
		}
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// roundTrip is a transport of one function.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip is HTTP's.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
