package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// Disk is a process's local copy of its ledgers: it bounds memory, and a restart reads only what was written since. It may
// be deleted while nobody runs; the topics are the truth. It is safe for concurrent use.
//
// There is no write-ahead log: after a crash it is as it was some seconds before, entries and checkpoint alike, and the
// difference is read from Kafka.
type Disk struct {
	db    *pebble.DB
	now   func() time.Time
	mu    sync.Mutex
	lives map[string]*diskShelf // the newest of each partition
	work  sync.WaitGroup        // sweeps
	end   chan struct{}         // closed by Close
}

const (
	diskCache    = 32 << 20 // of blocks that were read, for the whole process
	diskMemtable = 8 << 20  // written and not flushed yet
)

// Open opens the store in a folder, which one process at a time may have. Close it.
func Open(dir string, log *slog.Logger) (*Disk, error) {
	cache := pebble.NewCache(diskCache)
	defer cache.Unref() // the store holds it
	opts := &pebble.Options{DisableWAL: true, MemTableSize: diskMemtable, Cache: cache, Logger: pebbleLog{log}}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most events are of orders never seen: 1 % of them cost a read
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("local ledger store %s: %w (one process at a time may have it; if it is damaged, delete the folder: it is made anew from Kafka)", dir, err)
	}
	return &Disk{db: db, now: time.Now, lives: map[string]*diskShelf{}, end: make(chan struct{})}, nil
}

// Close writes what is in memory and closes the files.
func (d *Disk) Close() error {
	close(d.end)
	d.work.Wait()
	return errors.Join(d.db.Flush(), d.db.Close())
}

// checkpoint says what a partition's shelf holds.
type checkpoint struct {
	LedgerID string          // Kafka's id of the ledger topic
	Next     int64           // every record below is taken in
	At       time.Time       // when that was written
	Swept    time.Time       // when expired entries were taken out
	Schemas  map[uint32]bool // ids that values may carry
}

// diskShelf is one partition of one integration in a Disk, for one life of its worker.
type diskShelf struct {
	disk   *Disk
	prefix []byte // of its entries' keys
	name   []byte // of its checkpoint
	window time.Duration

	mu   sync.Mutex // of writers
	at   checkpoint
	dead bool // another life took over: nothing is written any more
}

// shelf gives the partition to a new life; an earlier one writes no more. known is whether it holds anything.
func (d *Disk) shelf(ledger, topic string, partition int32, window time.Duration) (_ *diskShelf, known bool, err error) {
	name := binary.BigEndian.AppendUint32([]byte(ledger+"\x00"+topic+"\x00"), uint32(partition))
	s := &diskShelf{disk: d, prefix: append([]byte{'e'}, name...), name: append([]byte{'c'}, name...), window: window, at: checkpoint{Schemas: map[uint32]bool{}}}
	d.mu.Lock()
	before := d.lives[string(name)]
	d.lives[string(name)] = s
	d.mu.Unlock()
	if before != nil {
		before.mu.Lock()
		before.dead = true
		before.mu.Unlock()
	}
	value, closer, err := d.db.Get(s.name)
	if errors.Is(err, pebble.ErrNotFound) {
		return s, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer closer.Close()
	return s, true, json.Unmarshal(value, &s.at)
}

// clear forgets everything of the partition.
func (s *diskShelf) clear(ledgerID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = checkpoint{LedgerID: ledgerID, Schemas: map[uint32]bool{}, Swept: s.disk.now()}
	b := s.disk.db.NewBatch()
	defer b.Close()
	if err := errors.Join(b.DeleteRange(s.prefix, after(s.prefix), nil), b.Delete(s.name, nil)); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

// after is the first key behind all with a prefix. A prefix ends with a partition's number: it is never all ones.
func after(prefix []byte) []byte {
	out := bytes.Clone(prefix)
	for i := len(out) - 1; ; i-- {
		if out[i]++; out[i] != 0 {
			return out[:i+1]
		}
	}
}

func (s *diskShelf) key(key string) []byte {
	return append(append(make([]byte, 0, len(s.prefix)+len(key)), s.prefix...), key...)
}

// stamp is the length of the time before each value: Unix seconds.
const stamp = 8

func (s *diskShelf) get(key string) ([]byte, error) {
	value, closer, err := s.disk.db.Get(s.key(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return bytes.Clone(value[stamp:]), nil
}

func (s *diskShelf) put(records []Record, next int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil // these records are read by the life that took over
	}
	b := s.disk.db.NewBatch()
	defer b.Close()
	for _, r := range records {
		if r.Value == nil {
			if err := b.Delete(s.key(r.Key), nil); err != nil {
				return err
			}
			continue
		}
		s.at.Schemas[schemaID(r.Value)] = true
		value := append(binary.BigEndian.AppendUint64(make([]byte, 0, stamp+len(r.Value)), uint64(r.At)), r.Value...)
		if err := b.Set(s.key(r.Key), value, nil); err != nil {
			return err
		}
	}
	s.at.Next, s.at.At = max(s.at.Next, next), s.disk.now()
	sweep := s.at.At.Sub(s.at.Swept) > 24*time.Hour
	if sweep {
		s.at.Swept = s.at.At
		s.disk.work.Go(s.sweep)
	}
	text, err := json.Marshal(s.at)
	if err != nil {
		return err
	}
	if err := b.Set(s.name, text, nil); err != nil {
		return err
	}
	return b.Commit(pebble.NoSync)
}

// schemaID is the id in a value's wire header; 0 where there is none.
func schemaID(value []byte) uint32 {
	if len(value) < 5 {
		return 0
	}
	return binary.BigEndian.Uint32(value[1:])
}

func (s *diskShelf) each(f func(key string, value []byte) error) error {
	iter, err := s.disk.db.NewIter(&pebble.IterOptions{LowerBound: s.prefix, UpperBound: after(s.prefix)})
	if err != nil {
		return err
	}
	defer iter.Close()
	for iter.First(); iter.Valid(); iter.Next() {
		if err := f(string(iter.Key()[len(s.prefix):]), iter.Value()[stamp:]); err != nil {
			return err
		}
	}
	return iter.Error()
}

// sweep takes out what the ledger topic has forgotten by its retention.
func (s *diskShelf) sweep() {
	iter, err := s.disk.db.NewIter(&pebble.IterOptions{LowerBound: s.prefix, UpperBound: after(s.prefix)})
	if err != nil {
		return // the next one tries again
	}
	defer iter.Close()
	before := s.disk.now().Add(-s.window).Unix()
	for iter.First(); iter.Valid(); iter.Next() {
		select {
		case <-s.disk.end:
			return
		default:
		}
		if expired(iter.Value(), before) {
			s.expire(bytes.Clone(iter.Key()), before)
		}
	}
}

func expired(value []byte, before int64) bool {
	return len(value) >= stamp && int64(binary.BigEndian.Uint64(value)) < before
}

// expire deletes an entry unless it was written again.
func (s *diskShelf) expire(key []byte, before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return
	}
	value, closer, err := s.disk.db.Get(key)
	if err != nil {
		return
	}
	defer closer.Close()
	if expired(value, before) {
		_ = s.disk.db.Delete(key, pebble.NoSync) // a failure leaves it for the next sweep
	}
}

// pebbleLog passes on what pebble says. Only what it cannot go on after is more than talk.
type pebbleLog struct{ log *slog.Logger }

func (l pebbleLog) Infof(format string, args ...any) {
	l.log.Debug("local ledger store", "says", fmt.Sprintf(format, args...))
}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.Warn("local ledger store", "err", fmt.Sprintf(format, args...))
}

// Fatalf ends the process, as pebble expects: what the store holds can no longer be trusted.
func (l pebbleLog) Fatalf(format string, args ...any) {
	panic("local ledger store: " + fmt.Sprintf(format, args...))
}
