package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func openDisk(t *testing.T, dir string) *Disk {
	t.Helper()
	d, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d.now = func() time.Time { return noon }
	return d
}

func closeDisk(t *testing.T, d *Disk) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func shelfOf(t *testing.T, d *Disk, topic string, partition int32) (s *diskShelf, known bool) {
	t.Helper()
	s, known, err := d.shelf("ledger.down", topic, partition, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return s, known
}

// all is everything on a shelf.
func all(t *testing.T, s shelf) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := s.each(func(key string, value []byte) error { out[key] = string(value); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, s shelf, next int64, records ...Record) {
	t.Helper()
	if err := s.put(records, next); err != nil {
		t.Fatal(err)
	}
}

func TestShelvesKeepWhatTheyWereGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openDisk(t, dir)
	one, known := shelfOf(t, d, "orders", 0)
	if known {
		t.Error("a new store knows a partition")
	}
	if err := one.clear("ledger-id"); err != nil {
		t.Fatal(err)
	}
	next, _ := shelfOf(t, d, "orders", 1) // whose keys come right behind
	customers, _ := shelfOf(t, d, "customers", 0)
	for _, s := range []shelf{one, newMemory()} {
		put(t, s, 3, Record{Key: "A", Value: []byte("\x00\x00\x00\x00\x07a"), At: noon.Unix()}, Record{Key: "\xff", Value: []byte("b"), At: noon.Unix()}, Record{Key: "A", Value: []byte("c"), At: noon.Unix()},
			Record{Key: "C", Value: []byte("c"), At: noon.Unix()}, Record{Key: "C"})
		if diff := cmp.Diff(map[string]string{"A": "c", "\xff": "b"}, all(t, s)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", s, diff)
		}
		for key, want := range map[string]string{"A": "c", "\xff": "b", "C": "", "D": ""} {
			if got, err := s.get(key); err != nil || string(got) != want || (got == nil) != (want == "") {
				t.Errorf("%T: %q is %q, %v", s, key, got, err)
			}
		}
	}
	put(t, next, 9, Record{Key: "A", Value: []byte("other partition"), At: noon.Unix()})
	put(t, customers, 9, Record{Key: "A", Value: []byte("other topic"), At: noon.Unix()})
	closeDisk(t, d)

	d = openDisk(t, dir)
	defer closeDisk(t, d)
	again, known := shelfOf(t, d, "orders", 0)
	if want := (checkpoint{LedgerID: "ledger-id", Next: 3, At: noon, Swept: noon, Schemas: map[uint32]bool{0: true, 7: true}}); !known || !cmp.Equal(want, again.at) {
		t.Errorf("known %v, checkpoint (-want +got):\n%s", known, cmp.Diff(want, again.at))
	}
	if diff := cmp.Diff(map[string]string{"A": "c", "\xff": "b"}, all(t, again)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if err := again.clear("other"); err != nil {
		t.Fatal(err)
	}
	if _, known := shelfOf(t, d, "orders", 0); known {
		t.Error("after it was cleared it is known")
	}
	next, _ = shelfOf(t, d, "orders", 1)
	customers, _ = shelfOf(t, d, "customers", 0)
	if got := []int{len(all(t, again)), len(all(t, next)), len(all(t, customers))}; !cmp.Equal(got, []int{0, 1, 1}) {
		t.Errorf("after one was cleared they hold %v", got)
	}
}

// TestOneProcessHasTheStore: two would tear it apart.
func TestOneProcessHasTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	defer closeDisk(t, openDisk(t, dir))
	if _, err := Open(dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v", err)
	}
}

// TestAnEarlierLifeWritesNoMore: what it committed late is read by the one that took over, and may be older than what that
// has seen.
func TestAnEarlierLifeWritesNoMore(t *testing.T) {
	t.Parallel()
	d := openDisk(t, t.TempDir())
	defer closeDisk(t, d)
	before, _ := shelfOf(t, d, "orders", 0)
	now, _ := shelfOf(t, d, "orders", 0)
	put(t, now, 5, Record{Key: "A", Value: []byte("new"), At: noon.Unix()})
	put(t, before, 4, Record{Key: "A", Value: []byte("old"), At: noon.Unix()})
	before.expire(before.key("A"), noon.Unix()+1)
	if diff := cmp.Diff(map[string]string{"A": "new"}, all(t, now)); diff != "" || now.at.Next != 5 {
		t.Errorf("next %d (-want +got):\n%s", now.at.Next, diff)
	}
}

// TestWhichCopyBelongs to a topic: one of another, one whose end the log does not reach, and one so old that what was erased
// since cannot be read any more, are made anew.
func TestWhichCopyBelongs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		id         string
		start, end int64
		age        time.Duration
		want       bool
	}{
		{"of today, with a difference", "id", 3, 9, time.Hour, true},
		{"at the start of the log", "id", 5, 9, time.Hour, true},
		{"of another topic", "other", 3, 9, time.Hour, false},
		{"from before the start of the log", "id", 6, 9, time.Hour, false},
		{"from behind the end of the log", "id", 3, 4, time.Hour, false},
		{"of the day before yesterday, with a difference", "id", 3, 9, 48 * time.Hour, false},
		{"of the day before yesterday, and nothing came", "id", 3, 5, 48 * time.Hour, true},
	} {
		c := checkpoint{LedgerID: "id", Next: 5, At: noon}
		if got := c.belongs(tt.id, tt.start, tt.end, noon.Add(tt.age)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSweepTakesOutWhatTheTopicForgot, and nothing that was written again.
func TestSweepTakesOutWhatTheTopicForgot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openDisk(t, dir)
	s, _ := shelfOf(t, d, "orders", 0)
	if err := s.clear("id"); err != nil {
		t.Fatal(err)
	}
	put(t, s, 1, Record{Key: "old", Value: []byte("1"), At: noon.Unix()}, Record{Key: "again", Value: []byte("1"), At: noon.Unix()})
	d.now = func() time.Time { return noon.Add(25 * time.Hour) }
	put(t, s, 2, Record{Key: "again", Value: []byte("2"), At: noon.Add(25 * time.Hour).Unix()}) // starts the day's sweep
	d.work.Wait()
	if diff := cmp.Diff(map[string]string{"again": "2"}, all(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.expire(s.key("again"), noon.Unix()); len(all(t, s)) != 1 {
		t.Error("an entry that was written again meanwhile is gone")
	}
	closeDisk(t, d)
}

// texts decodes values of the form {"Settled": 1}.
func texts(value []byte) (*schemas.LedgerEntry, error) {
	e := new(schemas.LedgerEntry)
	return e, json.Unmarshal(value, e)
}

// TestStoreForgetsOnlyWhatTheShelfHas puts ten times as many orders as stay in memory, each twice, and shelves some of them.
func TestStoreForgetsOnlyWhatTheShelfHas(t *testing.T) {
	t.Parallel()
	d := openDisk(t, t.TempDir())
	defer closeDisk(t, d)
	disk, _ := shelfOf(t, d, "orders", 0)
	for _, shelf := range []shelf{disk, newMemory()} {
		s := NewStore(schemas.TopicOrders, "id")
		s.shelf, s.decode = shelf, texts
		n := (10*live/100 + 1) * 100
		write := func(round int64) {
			var batch []Record
			for i := range n {
				key := fmt.Sprint(i)
				e := *s.Entry(key)
				if e.Settled != round-2 {
					t.Fatalf("%T: %s is settled up to %d in round %d", shelf, key, e.Settled, round)
				}
				e.TopicID, e.Settled = "id", round-1
				seq := round<<20 + int64(i/100)
				s.Put(&e, seq)
				text, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				batch = append(batch, Record{Key: key, Value: text, Offset: seq, At: noon.Unix()})
				if i%100 == 99 && i/100%7 != 0 { // a transaction is late now and then
					if err := s.Shelve(batch); err != nil {
						t.Fatal(err)
					}
					s.Shelved(seq)
					batch = nil
				}
				if held := len(s.young) + len(s.old); held > 3*live {
					t.Fatalf("%T: %d of %d orders are in memory", shelf, held, n)
				}
			}
		}
		write(1)
		write(2)
		if got, err := s.Len(); err != nil || got != n {
			t.Errorf("%T: %d orders are known of %d, %v", shelf, got, n, err)
		}
	}
}

// TestStoreKeepsWhatTheShelfLacks through as many turns as its transaction takes, and no longer.
func TestStoreKeepsWhatTheShelfLacks(t *testing.T) {
	t.Parallel()
	s := NewStore(schemas.TopicOrders, "id")
	s.decode = texts
	s.Shelved(1)
	s.Put(&schemas.LedgerEntry{TopicID: "id", Key: "late", Settled: 9}, 2)
	others := func() {
		for i := range 3 * live {
			s.Put(&schemas.LedgerEntry{TopicID: "id", Key: fmt.Sprint(i), Settled: 1}, 1)
		}
	}
	if others(); s.Entry("late").Settled != 9 {
		t.Errorf("settled up to %d, want 9: an order is unknown until its transaction ends", s.Entry("late").Settled)
	}
	s.Shelved(2)
	if others(); s.young["late"] != nil || s.old["late"] != nil {
		t.Error("it stays in memory for ever")
	}
}

// TestStoreNeverGuesses: an entry that cannot be read is a fault, not an unknown order.
func TestStoreNeverGuesses(t *testing.T) {
	t.Parallel()
	s := NewStore(schemas.TopicOrders, "id")
	fault := errors.New("the registry is away")
	s.decode = func([]byte) (*schemas.LedgerEntry, error) { return nil, fault }
	if s.Entry("A"); s.Err() != nil {
		t.Errorf("of an order nobody knows: %v", s.Err())
	}
	if err := s.Shelve([]Record{{Key: "B", Value: []byte("?")}}); err != nil {
		t.Fatal(err)
	}
	var told error
	s.OnFault(func(err error) { told = err })
	if s.Entry("B"); !errors.Is(told, fault) {
		t.Errorf("told %v of an entry that does not decode", told)
	}
	if !errors.Is(s.Err(), fault) {
		t.Errorf("of an entry that does not decode: %v", s.Err())
	}
}
