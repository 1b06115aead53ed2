package export_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"log"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

var day = export.Date{Year: 2026, Month: time.November, Day: 24}

// one is a line of the orders table in a test.
type one struct{ id, amount, currency, note string }

func orders(lines ...one) export.Table {
	rows := make([]export.Row, 0, len(lines))
	for _, l := range lines {
		rows = append(rows, export.Row{export.StringValue(l.id), amount(l.amount), export.StringValue(l.currency), text(l.note)})
	}
	return export.Table{Name: "orders", Columns: []export.Column{
		{Name: "order_id", Type: export.TypeString},
		{Name: "amount", Type: export.TypeAmount, Nullable: true, Currency: "currency"},
		{Name: "currency", Type: export.TypeString},
		{Name: "note", Type: export.TypeString, Nullable: true},
	}, Key: []string{"order_id"}, Rows: given(rows...)}
}

func given(rows ...export.Row) iter.Seq2[export.Row, error] {
	return func(yield func(export.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// amount is NULL for "".
func amount(s string) export.Value {
	if s == "" {
		return export.Value{}
	}
	return export.AmountValue(decimal.RequireFromString(s))
}

// text is NULL for "-".
func text(s string) export.Value {
	if s == "-" {
		return export.Value{}
	}
	return export.StringValue(s)
}

// snapshot is the test's day with tables.
func snapshot(t testing.TB, tables ...export.Table) export.Snapshot {
	return export.Snapshot{
		Environment: "test",
		Cutoff:      export.Cutoff{Day: day, Zone: "Europe/Berlin", KnownAt: time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)},
		Late:        export.LateCorrects,
		Offsets:     []export.Offset{{Topic: "orders", Partition: 1, Next: 7}, {Topic: "orders", Partition: 0, Next: 12}},
		Tables:      tables,
		Scratch:     t.TempDir(),
	}
}

// each runs a test on every kind of destination.
func each(t *testing.T, test func(t *testing.T, to export.Destination)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) export.Destination{"folder": newFolder, "bucket": newBucket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func newFolder(t testing.TB) export.Destination {
	to, err := export.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// newBucket is a bucket of a store in this process, which honours If-None-Match.
func newBucket(t testing.TB) export.Destination {
	backend := s3mem.New()
	if err := backend.CreateBucket("finance"); err != nil {
		t.Fatal(err)
	}
	quiet := gofakes3.StdLog(log.New(io.Discard, "", 0))
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(quiet)).Server())
	t.Cleanup(server.Close)
	return openBucket(t, "s3://finance/seam/daily", server.URL)
}

func openBucket(t testing.TB, where, endpoint string) export.Destination {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": endpoint}
	to, err := export.Open(where, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// write exports and must succeed.
func write(t testing.TB, to export.Destination, s export.Snapshot) export.Result {
	t.Helper()
	r, err := export.Write(t.Context(), to, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reader is what a reader of the day sees: the newest version, whose files are whole.
func reader(t testing.TB, from export.Destination) *export.Manifest {
	t.Helper()
	m, err := export.Newest(context.Background(), from, day)
	if err != nil {
		t.Fatal(err)
	}
	if err := export.Verify(context.Background(), from, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// all reads every object of a destination.
func all(t testing.TB, from export.Destination) map[string]string {
	t.Helper()
	names, err := from.List(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		out[name] = read(t, from, name)
	}
	return out
}

func read(t testing.TB, from export.Destination, name string) string {
	t.Helper()
	body, err := from.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// put writes a text as an object.
func put(t testing.TB, to export.Destination, name, content string) {
	t.Helper()
	if err := to.Put(context.Background(), object(name, content)); err != nil {
		t.Fatal(err)
	}
}

// names are the objects below the day, the digest in data files' names left out, sorted.
func names(t testing.TB, from export.Destination) []string {
	t.Helper()
	var out []string
	for name := range all(t, from) {
		name = strings.TrimPrefix(name, day.String()+"/")
		if ext := filepath.Ext(name); ext != ".json" && strings.Contains(name, "-") {
			name = name[:strings.LastIndexByte(name, '-')] + ext
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// asJSON is v as a reader of the manifest sees it.
func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
