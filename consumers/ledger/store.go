package ledger

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Store is the memory of one input partition in one integration: the entries of live orders as they are, those of all
// others encoded on a shelf. But for Shelve it is not safe for concurrent use: its worker's one loop owns it.
type Store struct {
	topic   string
	topicID string
	decode  decoder
	shelf   shelf
	young   map[string]*held // used since the last turn, or not on the shelf yet
	old     map[string]*held // used before that
	turn    int              // how many young ones make the next turn
	shelved int64            // every put up to this one is on the shelf
	err     error
	onFault func(error)
	read    int             // records that restoring it took
	schemas map[uint32]bool // that values read were written with

	parked map[string][]*schemas.ParkedRecord // by key, by offset
	refs   map[string]*schemas.ParkedRecord   // by record key
}

// held is an entry in memory.
type held struct {
	entry *schemas.LedgerEntry
	put   int64 // of the Put that made it, from 1; 0 when it came from the shelf, and -1 when nothing is known
}

// live is how many entries a partition holds at least before it forgets those that were not used: about 1 KB each.
const live = 4096

// NewStore is an empty Store for a partition of an event topic, all in memory; topicID is Kafka's id of that topic.
func NewStore(topic, topicID string) *Store {
	return &Store{topic: topic, topicID: topicID, shelf: newMemory(), young: map[string]*held{}, old: map[string]*held{}, turn: live, schemas: map[uint32]bool{},
		parked: map[string][]*schemas.ParkedRecord{}, refs: map[string]*schemas.ParkedRecord{}}
}

// Entry is what is known of a key; never nil, and not to be written to: Put a changed copy. See Err.
func (s *Store) Entry(key string) *schemas.LedgerEntry {
	if h := s.young[key]; h != nil {
		return h.entry
	}
	h := s.old[key]
	if h == nil {
		h = s.fetch(key)
	} else {
		delete(s.old, key)
	}
	s.hold(key, h)
	return h.entry
}

// fetch reads an entry from the shelf.
func (s *Store) fetch(key string) *held {
	none := &held{&schemas.LedgerEntry{Topic: s.topic, TopicID: s.topicID, Key: key, Settled: -1}, -1}
	value, err := s.shelf.get(key)
	if err == nil && value == nil {
		return none
	}
	var e *schemas.LedgerEntry
	if err == nil {
		e, err = s.decode(value)
	}
	if err != nil {
		s.err = cmp.Or(s.err, fmt.Errorf("ledger entry of %s: %w", key, err))
		if s.onFault != nil {
			s.onFault(s.err)
		}
		return none
	}
	e.Key = key // the value's copy is text, and a key may be any bytes
	if e.TopicID != s.topicID {
		e.TopicID, e.Settled, e.Calls, e.Skipped = s.topicID, -1, nil, nil // the event topic was made anew: its offsets say nothing, its event ids do
	}
	return &held{e, 0}
}

// OnFault has f called as soon as an entry could not be read: see Err.
func (s *Store) OnFault(f func(error)) { s.onFault = f }

// Err is why an entry could not be read; from then on nothing that Entry gave may be acted on.
func (s *Store) Err() error { return s.err }

// hold keeps an entry in memory. When many came since the last turn, those that were not used since the one before are
// forgotten, if the shelf has them.
func (s *Store) hold(key string, h *held) {
	s.young[key] = h
	if len(s.young) < s.turn {
		return
	}
	maps.DeleteFunc(s.old, func(_ string, h *held) bool { return h.put <= s.shelved })
	s.young, s.old = s.old, s.young
	s.turn = max(live, 2*len(s.young))
}

// Put replaces the entry of its key. put counts up from 1: it names the transaction that will carry the entry.
func (s *Store) Put(e *schemas.LedgerEntry, put int64) {
	delete(s.old, e.Key)
	s.hold(e.Key, &held{e, put})
}

// Shelve takes entries that are committed to the shelf, in the order of their offsets. It is safe beside all else; the next
// call must wait for this one.
func (s *Store) Shelve(records []Record) error {
	next := int64(0)
	for _, r := range records {
		next = max(next, r.Offset+1)
	}
	if err := s.shelf.put(records, next); err != nil {
		return fmt.Errorf("local ledger store: %w", err)
	}
	return nil
}

// Shelved says that every entry of puts up to this one is on the shelf: it may be forgotten.
func (s *Store) Shelved(put int64) { s.shelved = put }

// Settled tells whether the record at offset of a key was finished or parked before: then it is only read again.
func (s *Store) Settled(key string, offset int64) bool { return offset <= s.Entry(key).Settled }

// Read is how many records of the ledger and parked topics restoring took.
func (s *Store) Read() int { return s.read }

// Len counts the keys that are known. It walks them all.
func (s *Store) Len() (n int, err error) {
	err = s.shelf.each(func(key string, _ []byte) error {
		if s.young[key] == nil && s.old[key] == nil {
			n++
		}
		return nil
	})
	for _, held := range []map[string]*held{s.young, s.old} {
		for _, h := range held {
			if h.put >= 0 {
				n++
			}
		}
	}
	return n, err
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

// EachParked calls see with every event that waits, in no order.
func (s *Store) EachParked(see func(*schemas.ParkedRecord)) {
	for _, w := range s.refs {
		see(w)
	}
}

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

// PartitionKey stands for an order in the entry that is the partition's own: up to where everything was settled at some
// time (Settled), which calls may have been made (Calls, Skipped), and the newest replay that it took in.
const PartitionKey = "\x00partition"

// TopicID is Kafka's id of a topic as entries have it.
func TopicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

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
