package export_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

// TestDestination holds every kind to the contract.
func TestDestination(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, to export.Destination) {
		if _, err := to.Open(t.Context(), "d/none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of none: %v", err)
		}
		if err := to.Remove(t.Context(), "d/none"); err != nil {
			t.Errorf("remove of none: %v", err)
		}
		if got, err := to.List(t.Context(), "d/"); err != nil || len(got) != 0 {
			t.Errorf("list of none: %v, %v", got, err)
		}
		put(t, to, "d/a", "one")
		put(t, to, "d/a", "two")
		put(t, to, "d/sub/b", "")
		put(t, to, "dd/c", "c")
		once := object("d/once", "first")
		once.Once = true
		if err := to.Put(t.Context(), once); err != nil {
			t.Error(err)
		}
		again := object("d/once", "second")
		again.Once = true
		if err := to.Put(t.Context(), again); !errors.Is(err, export.ErrExists) {
			t.Errorf("written once, twice: %v", err)
		}
		if d := cmp.Diff(map[string]string{"d/a": "two", "d/sub/b": "", "d/once": "first", "dd/c": "c"}, all(t, to)); d != "" {
			t.Errorf("objects (-want +got):\n%s", d)
		}
		got, err := to.List(t.Context(), "d/")
		if err != nil || len(got) != 3 {
			t.Errorf("below d/: %v, %v", got, err)
		}
		if err := to.Remove(t.Context(), "d/a"); err != nil {
			t.Error(err)
		}
		if _, err := to.Open(t.Context(), "d/a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of what was removed: %v", err)
		}
	})
}

// TestFolderHoldsToDigest refuses a file that is not what it was when it was made.
func TestFolderHoldsToDigest(t *testing.T) {
	t.Parallel()
	to := newFolder(t)
	o := object("d/a", "one")
	o.SHA256 = object("d/a", "two").SHA256
	if err := to.Put(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "d/a changed since it was made: 3 bytes") {
		t.Errorf("got %v", err)
	}
	if got := all(t, to); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for _, p := range pairs {
				if v, ok := strings.CutPrefix(p, name+"="); ok {
					return v
				}
			}
			return ""
		}
	}
	tests := []struct {
		name, where string
		env         func(string) string
		want        string
	}{
		{"no folder", "/nowhere/at/all", env(), "destination: stat /nowhere/at/all: no such file or directory: create the folder, or mount it"},
		{"a file", file, env(), "destination: " + file + " is not a folder: create the folder, or mount it"},
		{"another scheme", "ftp://u:p@host/x", env(), "destination ftp://u:xxxxx@host/x is neither a folder nor s3://bucket/prefix"},
		{"no bucket", "s3:///x", env(), "destination s3:///x is neither a folder nor s3://bucket/prefix"},
		{"short bucket", "s3://b", env(), "destination s3://b: Bucket name cannot be shorter than 3 characters"},
		{"endpoint", "s3://finance", env("AWS_ENDPOINT_URL=localhost:9000"), "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is not an endpoint: write it as https://host:port"},
		{"AWS", "s3://bucket/a/b/", env("AWS_REGION=eu-central-1"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if _, err := export.Open(tt.where, tt.env); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestBucketRequests holds what goes over the wire to a store that checks it: path style, a signature that covers the
// body's SHA-256, and a condition on the manifest alone.
func TestBucketRequests(t *testing.T) {
	t.Parallel()
	type request struct{ Path, IfNoneMatch, Type, Session string }
	seen := make(chan request, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			if r.URL.Query().Has("list-type") {
				fmt.Fprint(w, `<ListBucketResult><Name>finance</Name></ListBucketResult>`)
				return
			}
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		if want := hex.EncodeToString(sum[:]); r.Header.Get("X-Amz-Content-Sha256") != want || r.Header.Get("X-Amz-Meta-Sha256") != want {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		path := r.URL.Path
		if i := strings.LastIndexByte(path, '-'); strings.Contains(path, "orders-") {
			path = path[:i] + filepath.Ext(path)
		}
		seen <- request{path, r.Header.Get("If-None-Match"), r.Header.Get("Content-Type"), r.Header.Get("X-Amz-Security-Token")}
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotImplemented)
		}
	}))
	t.Cleanup(server.Close)
	env := map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
	to, err := export.Open("s3://finance/seam", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	_, err = export.Write(t.Context(), to, snapshot(t, orders()))
	if err == nil || !strings.HasSuffix(err.Error(), "the store does not write once (If-None-Match): use one that does") {
		t.Errorf("got %v", err)
	}
	close(seen)
	var got []request
	for r := range seen {
		got = append(got, r)
	}
	want := []request{
		{"/finance/seam/2026-11-24/v1/orders.csv", "", "text/csv; charset=utf-8; header=present", "t"},
		{"/finance/seam/2026-11-24/v1/orders.parquet", "", "application/vnd.apache.parquet", "t"},
		{"/finance/seam/2026-11-24/v1/manifest.json", "*", "application/json", "t"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

// TestBucketFaults says what to mend.
func TestBucketFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		code, want string
	}{
		{http.StatusNotFound, "NoSuchBucket", "create it, or mend the destination"},
		{http.StatusForbidden, "AccessDenied", "the role needs s3:GetObject, PutObject, DeleteObject and ListBucket below the prefix"},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, tt.code)
			}))
			t.Cleanup(server.Close)
			_, err := export.Write(t.Context(), openBucket(t, "s3://finance", server.URL), snapshot(t, orders()))
			if err == nil || !strings.HasPrefix(err.Error(), "export 2026-11-24: list s3://finance/2026-11-24") || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
