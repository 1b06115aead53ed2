package deliver

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// exported is an integration that writes files into a folder of the test.
func exported(t *testing.T) (Set, Request, string) {
	t.Helper()
	dir := t.TempDir()
	in := load(t, dir, `
idempotency: {key: idempotency_key, remembers: 3650d}
deliver:
  - on: [order.created]
    file: {dir: "URL"}
    required: [id]
    body: {id: order.id, total: order.total.amount, note: order.note}
`)
	return set(t, in), request(t, in), filepath.Join(dir, "2026-11-23", "orders-2.csv")
}

// numbered is the request of the nth event.
func numbered(r Request, n int) Request {
	ev := *r.Event
	r.Event, r.Key = &ev, fmt.Sprintf("key-%d", n)
	ev.ID = schemas.EventID(r.Key)
	return r
}

func rows(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s Set) mustDeliver(t *testing.T, r Request, want Class) {
	t.Helper()
	if res := s.Deliver(t.Context(), r); res.Class != want {
		t.Fatalf("%s: %s (%s), want %s", r.Key, res.Class, res.Detail, want)
	}
}

func TestFileHasARowPerKey(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	r.Event.Order.Note = "two\nlines, and \"more\""
	s.mustDeliver(t, r, Delivered)
	s.mustDeliver(t, r, AlreadyDone)
	s.mustDeliver(t, numbered(r, 2), Delivered)
	again, _, _ := exported(t) // another process, which reads what is there
	again.mustDeliver(t, numbered(r, 2), AlreadyDone)
	again.mustDeliver(t, numbered(r, 3), Delivered)
	want := [][]string{{"idempotency_key", "id", "total", "note"}}
	for _, key := range []string{"key-1", "key-2", "key-3"} {
		want = append(want, []string{key, "A/1", "12.50", `two lines, and "more"`})
	}
	if diff := cmp.Diff(want, rows(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFileAfterACrash cuts the file after every byte of its last row: a process died while it wrote.
func TestFileAfterACrash(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	s.mustDeliver(t, numbered(r, 1), Delivered)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.mustDeliver(t, numbered(r, 2), Delivered)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		next := Set{"file": newFile()}
		first := Delivered
		if n >= len(before) {
			first = AlreadyDone
		}
		next.mustDeliver(t, numbered(r, 1), first)
		next.mustDeliver(t, numbered(r, 2), Delivered)
		if got := rows(t, path); len(got) != 3 || got[0][0] != "idempotency_key" || got[1][0] != "key-1" || got[2][0] != "key-2" {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(whole), got)
		}
	}
}

// A worker that lost the partition and does not know it yet writes beside its successor, and over nothing.
func TestTwoWritersOverwriteNothing(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	s.mustDeliver(t, numbered(r, 1), Delivered)
	successor := Set{"file": newFile()}
	successor.mustDeliver(t, numbered(r, 2), Delivered)
	s.mustDeliver(t, numbered(r, 3), Delivered)
	successor.mustDeliver(t, numbered(r, 4), Delivered)
	var keys []string
	for _, row := range rows(t, path)[1:] {
		keys = append(keys, row[0])
	}
	if diff := cmp.Diff([]string{"key-1", "key-2", "key-3", "key-4"}, keys); diff != "" {
		t.Error(diff)
	}
}

// TestAFileThatWasClosedForAnother between finding it and writing to it: certainly nothing was written.
func TestAFileThatWasClosedForAnother(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	s.mustDeliver(t, r, Delivered)
	k := s["file"].(*fileKind)
	open := k.files[path]
	k.drop(path, open)
	k.files[path] = open // as one sees it that found it before
	s.mustDeliver(t, numbered(r, 2), Retry)
	delete(k.files, path)
	s.mustDeliver(t, numbered(r, 2), Delivered)
}

// TestManyDays opens more files than are kept open, from many goroutines, twice.
func TestManyDays(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	const days = 3 * maxSheets
	for round, want := range []Class{Delivered, AlreadyDone} {
		var wg sync.WaitGroup
		for n := range days {
			wg.Go(func() {
				req := numbered(r, n)
				req.Event.Time = req.Event.Time.Add(time.Duration(n) * 24 * time.Hour)
				for {
					res := s.Deliver(t.Context(), req)
					if res.Class == Retry && strings.Contains(res.Detail, "closed for another") {
						continue // as the worker does
					}
					if res.Class != want {
						t.Errorf("round %d, day %d: %s (%s), want %s", round, n, res.Class, res.Detail, want)
					}
					return
				}
			})
		}
		wg.Wait()
	}
	if n := len(s["file"].(*fileKind).files); n > maxSheets {
		t.Errorf("%d files are open, want at most %d", n, maxSheets)
	}
	if got, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(path)), "*", "*.csv")); err != nil || len(got) != days {
		t.Errorf("%d files (%v), want %d", len(got), err, days)
	}
}

func TestFileFaults(t *testing.T) {
	t.Parallel()
	s, r, path := exported(t)
	empty := numbered(r, 1)
	empty.Event.Order = &schemas.Order{}
	if res := s.Deliver(t.Context(), empty); res.Class != Unmappable || !strings.Contains(res.Detail, `"id"`) {
		t.Errorf("%s (%s), want unmappable for the required member", res.Class, res.Detail)
	}
	if err := os.WriteFile(filepath.Dir(path), []byte("a file where the folder should be"), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := s.Deliver(t.Context(), r); res.Class != Retry || res.Detail == "" {
		t.Errorf("%s (%s), want retry: nothing was written", res.Class, res.Detail)
	}
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	s.mustDeliver(t, r, Delivered)
	if err := s["file"].(*fileKind).files[path].f.Close(); err != nil { // as a disk that goes away
		t.Fatal(err)
	}
	s.mustDeliver(t, numbered(r, 2), Unknown)
	s.mustDeliver(t, numbered(r, 2), Delivered)
}
