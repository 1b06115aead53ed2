package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/schemas"
)

// Source says what to restore: one input partition of one integration.
type Source struct {
	Options   []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Group     string    // the consumer group, whose live members' transactions are left alone
	Serde     *schemas.Serde
	Ledger    string // topic names, prefix included
	Parked    string
	Topic     string // the event topic, without prefix
	TopicID   string
	Partition int32
	Disk      *Disk         // local copy; nil keeps everything in memory
	Window    time.Duration // how long the ledger topic keeps an entry
	Logger    *slog.Logger  // told of what holds a restore up; nil for nobody

	reader bool // ends nobody's transaction
}

// tombstones is for how long a deletion can be read in the ledger topic: Kafka's default of delete.retention.ms is a day. A
// local copy that is older may hold what was erased since.
const tombstones = 20 * time.Hour

// patience is how long a restore waits for a record before it looks for what holds it up.
const patience = 5 * time.Second

// Restore reads the partition's ledger and parked events as of now. It first ends transactions that a dead owner left open
// on either topic, then reads committed records up to the high watermark: all of them, or with a Disk those that came since.
// While a transaction is open before that, it waits, and says for whom.
func Restore(ctx context.Context, src Source) (*Store, error) {
	s, err := restore(ctx, src)
	if err != nil {
		return nil, fmt.Errorf("restore %s/%d: %w", src.Ledger, src.Partition, err)
	}
	return s, nil
}

// Read is Restore for those who do not own the partition: it ends nobody's transaction, and has no Disk. What a dead owner
// left open it waits for, as long as Kafka does.
func Read(ctx context.Context, src Source) (*Store, error) {
	src.reader, src.Disk = true, nil
	s, err := restore(ctx, src)
	if err != nil {
		return nil, fmt.Errorf("read %s/%d: %w", src.Ledger, src.Partition, err)
	}
	return s, nil
}

func restore(ctx context.Context, src Source) (*Store, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, src.Options...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is nearly always a transaction's marker
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := src.fence(ctx, cl); err != nil {
		return nil, err
	}
	store := NewStore(src.Topic, src.TopicID)
	store.decode = func(value []byte) (*schemas.LedgerEntry, error) { return src.Serde.DecodeLedgerEntry(ctx, value) }
	from, left, err := unread(ctx, cl, src)
	if err != nil {
		return nil, err
	}
	if src.Disk != nil {
		if store.shelf, err = resume(ctx, cl, src, from, left); err != nil {
			return nil, err
		}
	}
	at := map[string]map[int32]kgo.Offset{}
	for topic := range left {
		at[topic] = map[int32]kgo.Offset{src.Partition: kgo.NewOffset().At(from[topic])}
	}
	end := left[src.Ledger]
	cl.AddConsumePartitions(at)
	for len(left) > 0 {
		step, cancel := context.WithTimeout(ctx, patience)
		fetches := cl.PollFetches(step)
		cancel()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, fe := range fetches.Errors() {
			if errors.Is(fe.Err, context.DeadlineExceeded) {
				src.heldUp(ctx, cl, left)
			} else if !kerr.IsRetriable(fe.Err) {
				return nil, fe.Err
			}
		}
		var entries []Record
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset+1 >= left[rec.Topic] {
				delete(left, rec.Topic)
			}
			if rec.Attrs.IsControl() {
				continue
			}
			store.read++
			if rec.Topic == src.Ledger {
				if entry, ours, err := store.entryOf(rec); err != nil {
					return nil, err
				} else if ours {
					entries = append(entries, entry)
				}
			} else if err := store.parkedOf(ctx, src, rec); err != nil {
				return nil, err
			}
		}
		if err := store.Shelve(entries); err != nil {
			return nil, err
		}
	}
	if err := store.shelf.put(nil, end); err != nil {
		return nil, err
	}
	return store, nil
}

// unread is the log's start and high watermark of each topic's partition that has anything to read.
func unread(ctx context.Context, cl *kgo.Client, src Source) (from, left map[string]int64, err error) {
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, src.Ledger, src.Parked)
	if err != nil {
		return nil, nil, err
	}
	starts, err := adm.ListStartOffsets(ctx, src.Ledger, src.Parked)
	if err != nil {
		return nil, nil, err
	}
	from, left = map[string]int64{}, map[string]int64{}
	for _, topic := range []string{src.Ledger, src.Parked} {
		end, ok := ends.Lookup(topic, src.Partition)
		if !ok {
			return nil, nil, fmt.Errorf("%s has no partition %d: it must have as many as the event topics (seam plan shows it)", topic, src.Partition)
		}
		start, _ := starts.Lookup(topic, src.Partition)
		if end.Err != nil || start.Err != nil {
			return nil, nil, errors.Join(end.Err, start.Err)
		}
		from[topic] = start.Offset
		if end.Offset > start.Offset {
			left[topic] = end.Offset
		}
	}
	return from, left, nil
}

// resume opens the partition's local copy, and moves from and left to what it lacks. A copy of another topic, or one that
// the log does not reach any more or never did, is made anew.
func resume(ctx context.Context, cl *kgo.Client, src Source, from, left map[string]int64) (shelf, error) {
	topics, err := kadm.NewClient(cl).ListTopics(ctx, src.Ledger)
	if err == nil {
		err = topics[src.Ledger].Err
	}
	if err != nil {
		return nil, err
	}
	id := TopicID(topics[src.Ledger].ID)
	s, known, err := src.Disk.shelf(src.Ledger, src.Topic, src.Partition, src.Window)
	if err != nil {
		return nil, fmt.Errorf("local ledger store: %w", err)
	}
	end := max(from[src.Ledger], left[src.Ledger])
	if !known || !s.at.belongs(id, from[src.Ledger], end, src.Disk.now()) {
		return s, s.clear(id)
	}
	for schema := range s.at.Schemas { // values are decoded by a loop that must not wait for the registry
		if err := src.Serde.Learn(ctx, schema); err != nil {
			return nil, err
		}
	}
	if from[src.Ledger] = s.at.Next; s.at.Next == end {
		delete(left, src.Ledger)
	}
	return s, nil
}

// belongs tells whether a copy is one of the ledger topic with that id, whose log goes from start to end, and lacks nothing
// that the log cannot tell any more.
func (c checkpoint) belongs(id string, start, end int64, now time.Time) bool {
	whole := c.Next == end || now.Sub(c.At) <= tombstones
	return c.LedgerID == id && start <= c.Next && c.Next <= end && whole
}

// entryOf reads a record of the ledger topic. Those of other event topics that share the partition are not ours.
func (s *Store) entryOf(rec *kgo.Record) (_ Record, ours bool, err error) {
	key, ours := strings.CutPrefix(string(rec.Key), EntryKey(s.topic, ""))
	out := Record{Key: key, Value: rec.Value, Offset: rec.Offset, At: rec.Timestamp.Unix()}
	if !ours || rec.Value == nil {
		return out, ours, nil // erased
	}
	if id := schemaID(rec.Value); s.schemas[id] && s.topic == schemas.TopicOrders && !strings.Contains(key, ":") {
		return out, true, nil // an order's: no other topic's key looks like it, so it need not be decoded
	} else {
		s.schemas[id] = true
	}
	e, err := s.decode(rec.Value)
	if err != nil {
		return out, false, fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	return out, e.Topic == s.topic, nil
}

// parkedOf takes a record of the parked topic in.
func (s *Store) parkedOf(ctx context.Context, src Source, rec *kgo.Record) error {
	if rec.Value == nil {
		s.forget(string(rec.Key))
		return nil
	}
	p, err := src.Serde.DecodeParkedRecord(ctx, rec.Value)
	if err != nil {
		return fmt.Errorf("%s offset %d: %w", rec.Topic, rec.Offset, err)
	}
	if p.Topic == s.topic {
		s.Park(p)
	}
	return nil
}

// forget takes out the parked event with a record key, as its tombstone asks.
func (s *Store) forget(recordKey string) {
	if p := s.refs[recordKey]; p != nil {
		s.Unpark(p.Key, p.EventID)
	}
}

// Fence ends every transaction that is open on the partition of any of the topics and belongs to no member of the group: a
// dead process's, which would hold readers back until its timeout. InitProducerID with its transactional id aborts it and
// fences the holder. Members' client ids are their transactional ids (see consumers), so those of the living are known;
// theirs end by themselves.
func Fence(ctx context.Context, cl *kgo.Client, group string, partition int32, topics ...string) error {
	adm := kadm.NewClient(cl)
	open, err := adm.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	ids := slices.DeleteFunc(open.TransactionalIDs(), func(id string) bool { return !strings.HasPrefix(id, group+"/") })
	if len(ids) == 0 { // others' transactions hold no reader of our topics, and are not ours to look at
		return nil
	}
	groups, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return fmt.Errorf("describe group %s: %w", group, err)
	}
	if err := groups[group].Err; err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("describe group %s: %w", group, err) // who lives is not known: nobody's transaction is ended
	}
	alive := map[string]bool{}
	for _, m := range groups[group].Members {
		alive[m.ClientID] = true
	}
	described, err := adm.DescribeTransactions(ctx, ids...)
	if err != nil {
		return fmt.Errorf("describe transactions: %w", err)
	}
	for _, tx := range described.Sorted() {
		if alive[tx.TxnID] || !slices.ContainsFunc(topics, func(t string) bool { return tx.Topics.Lookup(t, partition) }) {
			continue
		}
		if err := abort(ctx, cl, tx.TxnID); err != nil {
			return fmt.Errorf("abort transaction %s: %w", tx.TxnID, err)
		}
	}
	return nil
}

// fence is Fence for an owner, and nothing for a reader.
func (src Source) fence(ctx context.Context, cl *kgo.Client) error {
	if src.reader {
		return nil
	}
	return Fence(ctx, cl, src.Group, src.Partition, src.Ledger, src.Parked)
}

// heldUp tells which transactions are open where a restore waits, and ends those whose owner died since it began. One that its
// coordinator no longer knows as open will not end by itself: brokers were seen to lose the end of a transaction.
func (src Source) heldUp(ctx context.Context, cl *kgo.Client, left map[string]int64) {
	log := slog.New(slog.DiscardHandler)
	if src.Logger != nil {
		log = src.Logger
	}
	log = log.With("partition", src.Partition)
	var where kadm.TopicsSet
	for topic := range left {
		where.Add(topic, src.Partition)
	}
	adm := kadm.NewClient(cl)
	producers, err := adm.DescribeProducers(ctx, where)
	known, listErr := adm.ListTransactions(ctx, nil, nil) // after the partitions: what began since is not among theirs
	if err = errors.Join(err, listErr, src.fence(ctx, cl)); err != nil {
		log.Warn("a restore is held up, and by whom cannot be told", "err", err)
		return
	}
	owners := map[int64]kadm.ListedTransaction{}
	for _, tx := range known {
		owners[tx.ProducerID] = tx
	}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset < 0 {
			return
		}
		tx := owners[p.ProducerID]
		told := log.With("topic", p.Topic, "offset", p.CurrentTxnStartOffset, "transactional_id", tx.TxnID, "producer_id", p.ProducerID, "since", time.UnixMilli(p.LastTimestamp).UTC(), "state", tx.State)
		if tx.State == "Ongoing" || strings.HasPrefix(tx.State, "Prepare") {
			told.Warn("an open transaction holds a restore up")
		} else {
			told.Error("a transaction that its coordinator does not know as open holds a restore up: abort it with kafka-transactions.sh abort")
		}
	})
}

// abort fences a transactional id. Kafka answers CONCURRENT_TRANSACTIONS while the abort is under way.
func abort(ctx context.Context, cl *kgo.Client, id string) error {
	for {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID = &id
		req.TransactionTimeoutMillis = 10_000
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		err = kerr.ErrorForCode(resp.ErrorCode)
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}
