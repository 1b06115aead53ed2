package export_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

func TestSnapshotFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(*export.Snapshot)
		want string
	}{
		{"all at once", func(s *export.Snapshot) { *s = export.Snapshot{} },
			"environment is empty: name it, so that nobody takes a test for the books\n" +
				`late-arrival policy "" is not one of corrects_its_day, counts_when_known` + "\n" +
				"business day 0000-00-00 is not a day of the calendar\nno tables"},
		{"zone", func(s *export.Snapshot) { s.Cutoff.Zone = "Mars/Olympus" }, `time zone "Mars/Olympus" is not known: give an IANA name, as Europe/Berlin`},
		{"early", func(s *export.Snapshot) { s.Cutoff.Before = time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC) },
			"cut-off 2026-11-23T23:00:00Z is before business day 2026-11-24 begins in Europe/Berlin"},
		{"not over", func(s *export.Snapshot) { s.Cutoff.KnownAt = time.Date(2026, 11, 24, 22, 59, 0, 0, time.UTC) },
			"known at 2026-11-24T22:59:00Z is before the cut-off 2026-11-24T23:00:00Z: the day is not over, export it later"},
		{"offsets", func(s *export.Snapshot) {
			s.Offsets = []export.Offset{{Topic: "a", Next: 1}, {Topic: "a", Next: 2}, {Topic: "b", Next: -1}}
		}, "offset of a/0 is there twice\noffset -1 of b/0 is none: give the first offset that was not read"},
		{"tables", func(s *export.Snapshot) { s.Tables = append(s.Tables, s.Tables[0]) }, "table orders is there twice"},
		{"columns", func(s *export.Snapshot) {
			s.Tables[0] = export.Table{Name: "../x", Key: []string{"a", "n", "a", "z"}, Columns: []export.Column{
				{Name: "a", Type: export.TypeAmount, Currency: "n"}, {Name: "n", Type: export.TypeInt64, Nullable: true}, {Name: "a", Type: export.TypeBool}, {Name: "B"}}}
		}, `table "../x": the name must match ^[a-z][a-z0-9_]{0,62}$, for it is part of a file name` + "\n" +
			"table ../x: has no Rows: give an empty iterator where there are none\n" +
			`table ../x: column a: currency "n": an amount names a string column of its table` + "\n" +
			"table ../x: column a is there twice\n" +
			`table ../x: column "B": the name must match ^[a-z][a-z0-9_]{0,62}$` + "\n" +
			"table ../x: column B has no type\n" +
			"table ../x: key column n is nullable: a key has a value in every row\n" +
			"table ../x: key column a is there twice\ntable ../x: key column z is not a column"},
		{"no key", func(s *export.Snapshot) { s.Tables[0].Key = nil }, "table orders: has no Key: name the columns that the rows are sorted by"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := snapshot(t, orders())
			tt.make(&s)
			_, err := export.Write(t.Context(), newFolder(t), s)
			if err == nil {
				t.Fatal("was not refused")
			}
			if d := cmp.Diff(tt.want, err.Error()); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

// TestDayEnds takes the end of the day from its zone, also where the clocks change.
func TestDayEnds(t *testing.T) {
	t.Parallel()
	tests := []struct{ day, zone, want string }{
		{"2026-11-24", "Europe/Berlin", "2026-11-24T23:00:00Z"},
		{"2026-03-29", "Europe/Berlin", "2026-03-29T22:00:00Z"}, // 23 hours
		{"2026-12-31", "America/New_York", "2027-01-01T05:00:00Z"},
		{"2026-11-24", "UTC", "2026-11-25T00:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.day+" "+tt.zone, func(t *testing.T) {
			t.Parallel()
			day, err := export.ParseDate(tt.day)
			if err != nil {
				t.Fatal(err)
			}
			s := snapshot(t, orders())
			s.Cutoff = export.Cutoff{Day: day, Zone: tt.zone, KnownAt: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)}
			if got := write(t, newFolder(t), s).Manifest.Cutoff.HappenedBefore.Format(time.RFC3339Nano); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "2026-02-30", "24.11.2026", "2026-11-24T00:00:00Z", "0000-01-01"} {
		if d, err := export.ParseDate(bad); err == nil {
			t.Errorf("%q is %s", bad, d)
		}
	}
}
