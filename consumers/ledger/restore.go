package ledger

import (
	"context"
	"errors"
	"fmt"
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
}

// Restore reads the partition's ledger and parked events as of now. It first ends transactions that a dead owner left open
// on either topic, then reads committed records up to the high watermark.
func Restore(ctx context.Context, src Source) (*Store, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, src.Options...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is nearly always a transaction's marker
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			src.Ledger: {src.Partition: kgo.NewOffset().AtStart()},
			src.Parked: {src.Partition: kgo.NewOffset().AtStart()},
		}),
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("restore %s/%d: %w", src.Ledger, src.Partition, err)
	}
	defer cl.Close()
	if err := Fence(ctx, cl, src.Group, src.Partition, src.Ledger, src.Parked); err != nil {
		return nil, fmt.Errorf("restore %s/%d: %w", src.Ledger, src.Partition, err)
	}
	left, err := unread(ctx, cl, src)
	if err != nil {
		return nil, fmt.Errorf("restore %s/%d: %w", src.Ledger, src.Partition, err)
	}
	store := NewStore(src.Topic, src.TopicID)
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, fe := range fetches.Errors() {
			if !kerr.IsRetriable(fe.Err) {
				return nil, fmt.Errorf("restore %s/%d: %w", fe.Topic, fe.Partition, fe.Err)
			}
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset+1 >= left[rec.Topic] {
				delete(left, rec.Topic)
			}
			if rec.Attrs.IsControl() {
				continue
			}
			if err := store.apply(ctx, src, rec); err != nil {
				return nil, err
			}
		}
	}
	return store, nil
}

// unread is the high watermark of each topic's partition that has anything to read.
func unread(ctx context.Context, cl *kgo.Client, src Source) (map[string]int64, error) {
	adm := kadm.NewClient(cl)
	ends, err := adm.ListEndOffsets(ctx, src.Ledger, src.Parked)
	if err != nil {
		return nil, err
	}
	starts, err := adm.ListStartOffsets(ctx, src.Ledger, src.Parked)
	if err != nil {
		return nil, err
	}
	left := map[string]int64{}
	for _, topic := range []string{src.Ledger, src.Parked} {
		end, ok := ends.Lookup(topic, src.Partition)
		if !ok {
			return nil, fmt.Errorf("%s has no partition %d: it must have as many as the event topics (seam plan shows it)", topic, src.Partition)
		}
		start, _ := starts.Lookup(topic, src.Partition)
		if end.Err != nil || start.Err != nil {
			return nil, errors.Join(end.Err, start.Err)
		}
		if end.Offset > start.Offset {
			left[topic] = end.Offset
		}
	}
	return left, nil
}

// apply takes one record of either topic into the store. Records of other event topics that share the partition are not its.
func (s *Store) apply(ctx context.Context, src Source, rec *kgo.Record) error {
	if rec.Topic == src.Ledger {
		key, ours := strings.CutPrefix(string(rec.Key), EntryKey(s.topic, ""))
		if rec.Value == nil {
			if ours {
				delete(s.entries, key) // erased
			}
			return nil
		}
		e, err := src.Serde.DecodeLedgerEntry(ctx, rec.Value)
		if err != nil {
			return fmt.Errorf("restore %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		if e.Topic != s.topic || !ours {
			return nil
		}
		e.Key = key // the value's copy is text, and a key may be any bytes
		if e.TopicID != s.topicID {
			e.TopicID, e.Settled = s.topicID, -1 // the event topic was made anew: its offsets say nothing, its event ids do
		}
		s.Put(e)
		return nil
	}
	if rec.Value == nil {
		s.forget(string(rec.Key))
		return nil
	}
	p, err := src.Serde.DecodeParkedRecord(ctx, rec.Value)
	if err != nil {
		return fmt.Errorf("restore %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
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
