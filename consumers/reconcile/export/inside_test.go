package export

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// FuzzCSV writes texts and reads them back.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"", "'", "''", "=1", "'=1", "a\"b", "\"", "\"\"", ",", "\r\n", "\n", "\t", "＋1", "ä", strings.Repeat("x", 70_000) + "\""} {
		f.Add(s, "b", true)
		f.Add("a", s, false)
	}
	columns := []Column{{Name: "a", Type: TypeString}, {Name: "b", Type: TypeString, Nullable: true}}
	f.Fuzz(func(t *testing.T, a, b string, null bool) {
		rows := [][]cell{{{text: []byte(a)}, {text: []byte(b)}}, {{text: []byte(b)}, {null: null}}}
		file := appendHeader(nil, columns)
		for _, r := range rows {
			file = appendLine(file, columns, r)
		}
		got, err := newCSVReader(bytes.NewReader(file), columns)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range rows {
			ok, err := got.next()
			if !ok || err != nil || !slices.EqualFunc(want, got.cells, cell.equal) {
				t.Fatalf("%v, %v: got %v, want %v of %q", ok, err, got.cells, want, file)
			}
		}
		if ok, err := got.next(); ok || err != nil {
			t.Errorf("after the end: %v, %v", ok, err)
		}
	})
}

// TestCSVDamaged refuses what was not written here.
func TestCSVDamaged(t *testing.T) {
	t.Parallel()
	columns := []Column{{Name: "a", Type: TypeString}, {Name: "b", Type: TypeInt64}}
	for _, file := range []string{"", "a", "a,c\r\n", "a,b\r\n\"x\"", "a,b\r\n\"x\",1\r", "a,b\r\n\"x\",1\rx", "a,b\r\n\"x", "a,b\r\n\"x\"y,1\r\n"} {
		r, err := newCSVReader(strings.NewReader(file), columns)
		if err == nil {
			_, err = r.next()
		}
		if err == nil {
			t.Errorf("%q is read", file)
		}
	}
}

// TestParts sends a large object in parts.
func TestParts(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("finance"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.StdLog(log.New(io.Discard, "", 0)))).Server())
	t.Cleanup(server.Close)
	env := map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": server.URL}
	opened, err := Open("s3://finance", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	to := opened.(*bucket)
	to.single = 1 << 20
	want := bytes.Repeat([]byte("0123456789abcdef"), (partBytes+partBytes/2)/16)
	if err := to.Put(t.Context(), Object{Name: "x/large.csv", Body: bytes.NewReader(want), Size: int64(len(want)), SHA256: digest(want)}); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(context.Background(), to, "x/large.csv")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
	}
}
