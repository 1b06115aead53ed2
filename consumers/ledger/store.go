package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Store is the memory of one input partition in one integration. It is not safe for concurrent use: its worker's one loop
// owns it.
type Store struct {
	topic   string
	topicID string
	entries map[string]*schemas.LedgerEntry
	parked  map[string][]*schemas.ParkedRecord // by key, by offset
	refs    map[string]*schemas.ParkedRecord   // by record key
}

// NewStore is an empty Store for a partition of an event topic; topicID is Kafka's id of that topic.
func NewStore(topic, topicID string) *Store {
	return &Store{topic: topic, topicID: topicID, entries: map[string]*schemas.LedgerEntry{}, parked: map[string][]*schemas.ParkedRecord{}, refs: map[string]*schemas.ParkedRecord{}}
}

// Entry is what is known of a key; never nil, and not to be written to: Put a changed copy.
func (s *Store) Entry(key string) *schemas.LedgerEntry {
	if e := s.entries[key]; e != nil {
		return e
	}
	return &schemas.LedgerEntry{Topic: s.topic, TopicID: s.topicID, Key: key, Settled: -1}
}

// Put replaces the entry of its key.
func (s *Store) Put(e *schemas.LedgerEntry) { s.entries[e.Key] = e }

// Settled tells whether the record at offset of a key was finished or parked before: then it is only read again.
func (s *Store) Settled(key string, offset int64) bool {
	e := s.entries[key]
	return e != nil && offset <= e.Settled
}

// Parked lists what waits for a key, in the order of offsets.
func (s *Store) Parked(key string) []*schemas.ParkedRecord { return s.parked[key] }

// ParkedKeys lists every key that something waits for.
func (s *Store) ParkedKeys() []string {
	out := make([]string, 0, len(s.parked))
	for k := range s.parked {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// ParkedCount is how many events wait.
func (s *Store) ParkedCount() int { return len(s.refs) }

// Len is how many keys the store knows.
func (s *Store) Len() int { return len(s.entries) }

// Park adds a parked event or replaces the one with its id.
func (s *Store) Park(p *schemas.ParkedRecord) {
	s.refs[ParkedKey(s.topic, p.Key, p.EventID)] = p
	list := slices.Clone(s.parked[p.Key])
	if i := slices.IndexFunc(list, func(o *schemas.ParkedRecord) bool { return o.EventID == p.EventID }); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	list = append(list, p)
	slices.SortStableFunc(list, func(a, b *schemas.ParkedRecord) int { return cmp.Compare(a.Offset, b.Offset) })
	s.parked[p.Key] = list
}

// Unpark takes a parked event out.
func (s *Store) Unpark(key string, id schemas.EventID) {
	delete(s.refs, ParkedKey(s.topic, key, id))
	list := s.parked[key]
	for i := range list {
		if list[i].EventID == id {
			list = slices.Delete(slices.Clone(list), i, i+1) // whoever ranges over Parked keeps what it had
			break
		}
	}
	if len(list) == 0 {
		delete(s.parked, key)
		return
	}
	s.parked[key] = list
}

// Prune is the entry without events finished before a time; the entry itself when there are none.
func Prune(e *schemas.LedgerEntry, before time.Time) *schemas.LedgerEntry {
	if !slices.ContainsFunc(e.Events, func(f schemas.FinishedEvent) bool { return f.At.Before(before) }) {
		return e
	}
	c := *e
	c.Events = slices.DeleteFunc(slices.Clone(e.Events), func(f schemas.FinishedEvent) bool { return f.At.Before(before) })
	return &c
}

// EntryKey is the record key of an entry. Orders stand under their ID, as design and tools expect; the keys of other event
// topics, which share the ledger, are told apart by their topic.
func EntryKey(topic, key string) string {
	if topic == schemas.TopicOrders {
		return key
	}
	return topic + ":" + key
}

// ParkedKey is the record key of a parked event.
func ParkedKey(topic, key string, id schemas.EventID) string {
	return EntryKey(topic, key) + "|" + string(id)
}

// PoisonID stands for the id of an event that cannot be decoded: where it was read.
func PoisonID(topic string, partition int32, offset int64) schemas.EventID {
	return schemas.EventID(strings.Join([]string{topic, strconv.Itoa(int(partition)), strconv.FormatInt(offset, 10)}, "/"))
}
