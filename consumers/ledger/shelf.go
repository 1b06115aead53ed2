package ledger

import (
	"sync"

	"github.com/binaryandbeyond/seam/schemas"
)

// Record is an entry as it stands in the ledger topic.
type Record struct {
	Key    string // of the order, without what EntryKey puts before it
	Value  []byte // nil where the entry is erased
	Offset int64  // in the ledger topic
	At     int64  // when it was written, Unix seconds
}

// shelf keeps the committed entries of one partition, encoded, outside the memory of live orders. It is safe for concurrent
// use.
type shelf interface {
	// get is the value of a key; nil when there is none.
	get(key string) ([]byte, error)
	// put takes in records of one partition, in the order of their offsets; next is the offset up to which the ledger topic
	// is taken in by then.
	put(records []Record, next int64) error
	// each walks every entry.
	each(func(key string, value []byte) error) error
}

// memory is a shelf that a restart forgets.
type memory struct {
	mu sync.RWMutex
	m  map[string][]byte
}

func newMemory() *memory { return &memory{m: map[string][]byte{}} }

func (s *memory) get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[key], nil
}

func (s *memory) put(records []Record, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if r.Value == nil {
			delete(s.m, r.Key)
			continue
		}
		// A copy of its own: the record's bytes are a part of a whole fetch or batch, which they would keep.
		s.m[r.Key] = append(make([]byte, 0, len(r.Value)), r.Value...)
	}
	return nil
}

func (s *memory) each(f func(key string, value []byte) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key, value := range s.m {
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// decoder turns a value into its entry.
type decoder func(value []byte) (*schemas.LedgerEntry, error)
