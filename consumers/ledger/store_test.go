package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

func parked(key string, id schemas.EventID, offset int64) *schemas.ParkedRecord {
	return &schemas.ParkedRecord{Topic: schemas.TopicOrders, Key: key, EventID: id, Offset: offset}
}

// ids is what waits for a key, in order.
func ids(s *Store, key string) []schemas.EventID {
	var out []schemas.EventID
	for _, p := range s.Parked(key) {
		out = append(out, p.EventID)
	}
	return out
}

// count is how many keys are known.
func count(t *testing.T, s *Store) int {
	t.Helper()
	n, err := s.Len()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStoreParksByOffset(t *testing.T) {
	t.Parallel()
	s := NewStore(schemas.TopicOrders, "id")
	for _, p := range []*schemas.ParkedRecord{parked("A", "a9", 9), parked("A", "a2", 2), parked("B", "b1", 1), parked("A", "a5", 5)} {
		s.Park(p)
	}
	before := s.Parked("A")
	s.Park(parked("A", "a2", 7)) // the same event came again, further on
	s.Unpark("A", "a5")
	s.Unpark("A", "nobody")
	s.Unpark("C", "nobody")
	if diff := cmp.Diff([]schemas.EventID{"a2", "a9"}, ids(s, "A")); diff != "" {
		t.Error(diff)
	}
	if got := before[0].EventID + before[1].EventID + before[2].EventID; got != "a2a5a9" {
		t.Errorf("the list that somebody walks has become %s", got)
	}
	if diff := cmp.Diff([]string{"A", "B"}, s.ParkedKeys()); diff != "" || s.ParkedCount() != 3 {
		t.Errorf("%d parked, %s", s.ParkedCount(), diff)
	}
	s.Unpark("B", "b1")
	if diff := cmp.Diff([]string{"A"}, s.ParkedKeys()); diff != "" || s.ParkedCount() != 2 {
		t.Errorf("%d parked, %s", s.ParkedCount(), diff)
	}
}

func TestStoreEntries(t *testing.T) {
	t.Parallel()
	s := NewStore(schemas.TopicOrders, "id")
	if diff := cmp.Diff(&schemas.LedgerEntry{Topic: "orders", TopicID: "id", Key: "A", Settled: -1}, s.Entry("A")); diff != "" || count(t, s) != 0 {
		t.Errorf("of an order that is not known: %s", diff)
	}
	if s.Settled("A", 0) {
		t.Error("offset 0 of an unknown order is settled")
	}
	s.Put(&schemas.LedgerEntry{Key: "A", Settled: 5}, 1)
	for offset, want := range map[int64]bool{0: true, 5: true, 6: false} {
		if s.Settled("A", offset) != want {
			t.Errorf("offset %d: settled %v", offset, !want)
		}
	}
}

func TestPruneForgetsEventsAndNothingElse(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	entry := &schemas.LedgerEntry{Key: "A", Settled: 9, Seen: []schemas.EventType{schemas.OrderCreated}, Operations: []schemas.Operation{{Name: "do", At: noon.Add(-time.Hour)}},
		Events: []schemas.FinishedEvent{{ID: "old", At: noon.Add(-time.Second)}, {ID: "edge", At: noon}, {ID: "new", At: noon.Add(time.Second)}}}
	got := Prune(entry, noon)
	want := *entry
	want.Events = entry.Events[1:]
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if len(entry.Events) != 3 || entry.Events[0].ID != "old" {
		t.Error("the entry itself was changed")
	}
	if Prune(got, noon) != got {
		t.Error("an entry with nothing to forget is copied")
	}
}

func TestKeysOfTopicsDoNotMeet(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory} {
		for _, key := range []string{"1", "a|b", ""} {
			for _, record := range []string{EntryKey(topic, key), ParkedKey(topic, key, "e1")} {
				if was := keys[record]; was != "" {
					t.Errorf("%s/%s has the record key of %s", topic, key, was)
				}
				keys[record] = topic + "/" + key
			}
		}
	}
	if PoisonID("orders", 1, 23) == PoisonID("orders", 12, 3) {
		t.Error("two places have one id")
	}
}
