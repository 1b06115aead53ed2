package export_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

func object(name, content string) export.Object {
	sum := sha256.Sum256([]byte(content))
	return export.Object{Name: name, Body: bytes.NewReader([]byte(content)), Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		first := []one{{"1001", "10", "EUR", "a"}, {"1002", "20.5", "EUR", "-"}, {"1003", "-7", "JPY", ""}}
		r := write(t, to, snapshot(t, orders(first...)))
		if got := r.String(); got != "2026-11-24: wrote v1" {
			t.Error(got)
		}
		before := all(t, to)

		// Read further, known later, told when: the content is the same.
		again := snapshot(t, orders(first...))
		again.Offsets[0].Next++
		again.Cutoff.KnownAt = again.Cutoff.KnownAt.Add(time.Hour)
		again.WrittenAt = again.Cutoff.KnownAt
		if got := write(t, to, again).String(); got != "2026-11-24: unchanged v1" {
			t.Error(got)
		}
		if d := cmp.Diff(before, all(t, to)); d != "" {
			t.Errorf("an unchanged export changed (-before +after):\n%s", d)
		}

		// 1002 went, 1003 has another amount, 1000 and 1004 came late.
		second := []one{{"1000", "1", "EUR", "a"}, {"1001", "10", "EUR", "a"}, {"1003", "-8", "JPY", ""}, {"1004", "1", "EUR", "-"}}
		r = write(t, to, snapshot(t, orders(second...)))
		if got := r.String(); got != "2026-11-24: wrote v2, which corrects v1" {
			t.Error(got)
		}
		want := &export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{{Table: "orders", Added: 2, Removed: 1, Changed: 1}}}
		if d := cmp.Diff(want, reader(t, to).Corrects); d != "" {
			t.Errorf("corrects (-want +got):\n%s", d)
		}
		after := all(t, to)
		for name, content := range before {
			if !strings.HasSuffix(name, "/latest.json") && after[name] != content {
				t.Errorf("%s was changed by v2", name)
			}
		}
		// And back: a version of its own, for v2 is what readers have.
		if got := write(t, to, snapshot(t, orders(first...))).String(); got != "2026-11-24: wrote v3, which corrects v2" {
			t.Error(got)
		}
		wantNames := []string{"latest.json", "v1/manifest.json", "v1/orders.csv", "v1/orders.parquet", "v2/manifest.json", "v2/orders.csv",
			"v2/orders.parquet", "v3/manifest.json", "v3/orders.csv", "v3/orders.parquet"}
		if d := cmp.Diff(wantNames, names(t, to)); d != "" {
			t.Errorf("objects (-want +got):\n%s", d)
		}
	})
}

func TestManifest(t *testing.T) {
	t.Parallel()
	to := newFolder(t)
	s := snapshot(t, orders(one{"1001", "9999999999999999.9999", "EUR", "a"}, one{"1002", "0.0001", "EUR", "a"}, one{"1003", "-300", "JPY", "a"}, one{"1004", "", "JPY", "a"}))
	s.WrittenAt = time.Date(2026, 11, 25, 3, 0, 0, 0, time.FixedZone("", 3600))
	r := write(t, to, s)
	table := r.Manifest.Tables[0]
	want := `{"format_version":1,"environment":"test","business_day":"2026-11-24","version":"v1",` +
		`"cutoff":{"zone":"Europe/Berlin","happened_before":"2026-11-24T23:00:00Z","known_at":"2026-11-25T02:00:00Z"},"late_arrivals":"corrects_its_day",` +
		`"written_at":"2026-11-25T02:00:00Z","created_from":[{"topic":"orders","partition":0,"next":12},{"topic":"orders","partition":1,"next":7}],` +
		`"tables":[{"name":"orders","columns":[{"name":"order_id","type":"string","nullable":false},` +
		`{"name":"amount","type":"decimal(20,4)","nullable":true,"currency":"currency"},{"name":"currency","type":"string","nullable":false},` +
		`{"name":"note","type":"string","nullable":true}],"key":["order_id"],"rows":4,` +
		`"totals":[{"column":"amount","currency":"EUR","rows":2,"sum":"10000000000000000.0000"},{"column":"amount","currency":"JPY","rows":1,"sum":"-300.0000"}],` +
		`"csv":` + asJSON(t, table.CSV) + `,"parquet":` + asJSON(t, table.Parquet) + `}]}`
	if d := cmp.Diff(want, asJSON(t, reader(t, to))); d != "" {
		t.Errorf("manifest (-want +got):\n%s", d)
	}
	if want := "orders-" + table.CSV.SHA256[:12] + ".csv"; table.CSV.Name != want {
		t.Errorf("CSV is %s, want %s", table.CSV.Name, want)
	}
}

// TestSameBytes holds two runs over one snapshot, in two places, to the same bytes.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, to export.Destination) map[string]string {
		lines := make([]one, 0, 3000)
		for i := range 3000 {
			lines = append(lines, one{id(i), "12.5", "EUR", strings.Repeat("x", i%50)})
		}
		write(t, to, snapshot(t, samples(), orders(lines...)))
		write(t, to, snapshot(t, orders(lines[1:]...)))
		return all(t, to)
	}
	if d := cmp.Diff(run(t, newFolder(t)), run(t, newBucket(t))); d != "" {
		t.Errorf("two runs differ (-first +second):\n%s", d)
	}
}

func TestCorrection(t *testing.T) {
	t.Parallel()
	line := one{"1001", "10", "EUR", "a"}
	renamed := func() export.Table {
		o := orders(line)
		o.Columns[3].Name = "remark"
		return o
	}
	rekeyed := func() export.Table {
		o := orders(line)
		o.Key = []string{"currency", "order_id"}
		return o
	}
	other := func() export.Table {
		o := orders(line, one{"1002", "10", "EUR", "a"})
		o.Name = "refunds"
		return o
	}
	tests := []struct {
		name string
		make func(*export.Snapshot)
		want export.Correction
	}{
		{"cut-off", func(s *export.Snapshot) { s.Cutoff.Before = time.Date(2026, 11, 24, 21, 0, 0, 0, time.UTC) },
			export.Correction{Version: 1, Terms: []string{"cutoff.happened_before"}, Tables: []export.Difference{}}},
		{"zone and policy", func(s *export.Snapshot) { s.Cutoff.Zone, s.Late = "Asia/Tokyo", export.LateNextDay },
			export.Correction{Version: 1, Terms: []string{"cutoff.zone", "cutoff.happened_before", "late_arrivals"}, Tables: []export.Difference{}}},
		{"column renamed", func(s *export.Snapshot) { s.Tables = []export.Table{renamed()} },
			export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{{Table: "orders", ColumnsChanged: true}}}},
		{"other key", func(s *export.Snapshot) { s.Tables = []export.Table{rekeyed()} },
			export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{{Table: "orders", Added: 1, Removed: 1, ColumnsChanged: true}}}},
		{"table for table", func(s *export.Snapshot) { s.Tables = []export.Table{other()} },
			export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{
				{Table: "orders", Removed: 1, ColumnsChanged: true}, {Table: "refunds", Added: 2, ColumnsChanged: true}}}},
		{"null for empty", func(s *export.Snapshot) { s.Tables = []export.Table{orders(one{"1001", "10", "EUR", "-"})} },
			export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{{Table: "orders", Changed: 1}}}},
		{"nothing left", func(s *export.Snapshot) { s.Tables = []export.Table{orders()} },
			export.Correction{Version: 1, Terms: []string{}, Tables: []export.Difference{{Table: "orders", Removed: 1}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := newFolder(t)
			write(t, to, snapshot(t, orders(line)))
			s := snapshot(t, orders(line))
			tt.make(&s)
			write(t, to, s)
			if d := cmp.Diff(&tt.want, reader(t, to).Corrects); d != "" {
				t.Errorf("corrects (-want +got):\n%s", d)
			}
		})
	}
}

// TestRefused names what a destination holds that an export does not go on from.
func TestRefused(t *testing.T) {
	t.Parallel()
	const manifest = "2026-11-24/v1/manifest.json"
	change := func(from, to string) func(*testing.T, export.Destination) {
		return func(t *testing.T, d export.Destination) {
			put(t, d, manifest, strings.ReplaceAll(read(t, d, manifest), from, to))
		}
	}
	tests := []struct {
		name   string
		damage func(*testing.T, export.Destination)
		want   string
	}{
		{"another environment", change(`"test"`, `"production"`),
			"export 2026-11-24: 2026-11-24/v1/manifest.json is of environment production, and this is test: give each its own destination"},
		{"newer format", change(`"format_version": 1`, `"format_version": 2`),
			"export 2026-11-24: 2026-11-24/v1/manifest.json has format 2, and this seam reads 1: use the seam that wrote it, or a newer one"},
		{"moved", change(`"v1"`, `"v2"`),
			"export 2026-11-24: 2026-11-24/v1/manifest.json says that it is 2026-11-24/v2/manifest.json: it was moved, put it back"},
		{"not a manifest", func(t *testing.T, d export.Destination) { put(t, d, manifest, "{") },
			"export 2026-11-24: 2026-11-24/v1/manifest.json: unexpected end of JSON input: it was damaged since it was written, restore it"},
		{"file changed", func(t *testing.T, d export.Destination) {
			name := "2026-11-24/v1/" + reader(t, d).Tables[0].CSV.Name
			put(t, d, name, strings.Replace(read(t, d, name), "1001", "1002", 1))
		}, "it was changed since it was written, restore it"},
		{"file cut", func(t *testing.T, d export.Destination) {
			name := "2026-11-24/v1/" + reader(t, d).Tables[0].CSV.Name
			put(t, d, name, strings.TrimSuffix(read(t, d, name), "\r\n"))
		}, "not as it was written: it ends within a line: it was changed since it was written, restore it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			to := newFolder(t)
			write(t, to, snapshot(t, orders(one{"1001", "10", "EUR", "a"})))
			tt.damage(t, to)
			before := all(t, to)
			_, err := export.Write(t.Context(), to, snapshot(t, orders()))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if d := cmp.Diff(before, all(t, to)); d != "" {
				t.Errorf("a refused export changed (-before +after):\n%s", d)
			}
		})
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	to := newFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	endless := orders()
	endless.Rows = func(yield func(export.Row, error) bool) {
		for i := 0; yield(export.Row{export.StringValue(id(i)), amount("1"), export.StringValue("EUR"), text("-")}, nil); i++ {
			if i == 1000 {
				cancel()
			}
		}
	}
	if _, err := export.Write(ctx, to, snapshot(t, endless)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := names(t, to); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func TestNewestOfNone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		if _, err := export.Newest(t.Context(), to, day); !errors.Is(err, export.ErrNoVersion) {
			t.Errorf("got %v", err)
		}
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		m := write(t, to, snapshot(t, orders(one{"1001", "10", "EUR", "a"}))).Manifest
		put(t, to, "2026-11-24/v1/"+m.Tables[0].CSV.Name, "short")
		if err := to.Remove(t.Context(), "2026-11-24/v1/"+m.Tables[0].Parquet.Name); err != nil {
			t.Fatal(err)
		}
		err := export.Verify(t.Context(), to, m)
		if err == nil || !strings.Contains(err.Error(), "5 bytes of SHA-256") || !strings.Contains(err.Error(), m.Tables[0].Parquet.Name) {
			t.Errorf("got %v", err)
		}
	})
}

// TestLeftovers lets a run remove what others left, and nothing that people put there.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		write(t, to, snapshot(t, orders(one{"1001", "10", "EUR", "a"})))
		want := all(t, to)
		for _, mine := range []string{"2026-11-24/signed.pdf", "2026-11-24/v1/notes.txt", "2026-11-24/v1/orders-final.csv", "2026-11-24/v2/orders-0123456789ab.csv"} {
			put(t, to, mine, "mine")
			want[mine] = "mine"
		}
		for _, left := range []string{"2026-11-24/v1/orders-0123456789ab.csv", "2026-11-24/v1/gone-0123456789ab.parquet", "2026-11-24/v1/.seam-ABC2.tmp", "2026-11-24/.seam-ABC2.tmp"} {
			put(t, to, left, "left")
		}
		write(t, to, snapshot(t, orders(one{"1001", "10", "EUR", "a"})))
		if d := cmp.Diff(want, all(t, to)); d != "" {
			t.Errorf("after the next run (-want +got):\n%s", d)
		}
		write(t, to, snapshot(t, orders()))
		if got := maps.Collect(maps.All(all(t, to))); got["2026-11-24/v2/orders-0123456789ab.csv"] != "" {
			t.Error("v2 keeps the file of the run that died before it")
		}
	})
}
