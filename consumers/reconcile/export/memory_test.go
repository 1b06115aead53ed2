package export_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

// wide gives n rows of a good kilobyte, and calls each with the number of every one.
func wide(n int, note string, each func(int)) export.Table {
	table := orders()
	rest := strings.Repeat("0123456789abcdef", 64)
	row := export.Row{{}, amount("12.5"), export.StringValue("EUR"), {}}
	table.Rows = func(yield func(export.Row, error) bool) {
		for i := range n {
			each(i)
			row[0], row[3] = export.StringValue(id(i)), export.StringValue(note+rest+id(i))
			if !yield(row, nil) {
				return
			}
		}
	}
	return table
}

// TestMemory exports and corrects some 200 MB, and never has more than a fraction of them alive.
func TestMemory(t *testing.T) { // not parallel: it measures the heap
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const rows, limit = 200_000, 64 << 20
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	to := newFolder(t)
	before, most := live(), uint64(0)
	for _, note := range []string{"a", "b"} {
		write(t, to, snapshot(t, wide(rows, note, func(i int) {
			if i%20_000 == 15_000 {
				most = max(most, live())
			}
		})))
	}
	if m := reader(t, to); m.Version != 2 || m.Corrects.Tables[0].Changed != rows {
		t.Errorf("newest is %s, which corrects %v", m.Version, m.Corrects)
	}
	if most > before+limit {
		t.Errorf("%d MB alive, of %d rows", (most-before)>>20, rows)
	}
	t.Logf("%d MB alive at most", (most-min(most, before))>>20)
}

func BenchmarkWrite(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		write(b, newFolder(b), snapshot(b, wide(100_000, "", func(int) {})))
	}
}
