package topology_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

// write replaces a file as who rotates a secret does.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSecretFile follows its file, holds on to what it had while that is empty, and takes the one before for a day.
func TestSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "one\n")
	now := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	f := topology.OpenSecretFile(path, "one", func() time.Time { return now })
	check := func(what string, want ...topology.Secret) {
		t.Helper()
		got := f.Accepted()
		if d := cmp.Diff(want, got, cmp.Transformer("", topology.Secret.Reveal)); d != "" || f.Current() != want[0] {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	write(t, path, "two\n")
	check("within ten seconds", "one")
	f.Stale()
	check("refused", "two", "one")
	write(t, path, "")
	now = now.Add(time.Minute)
	check("while it is empty", "two", "one")
	write(t, path, "bad\x00text")
	now = now.Add(time.Minute)
	check("with a control character", "two", "one")
	now = now.Add(24 * time.Hour)
	check("a day later", "two")
}

// TestSecretsOfFiles come by NAME_FILE where NAME is not set, change while Seam runs, and are missed loudly.
func TestSecretsOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token, sign := filepath.Join(dir, "token"), filepath.Join(dir, "sign")
	write(t, token, "t1\n")
	write(t, sign, "s1")
	files := small("")
	files["sources/s.yaml"].Data = []byte("name: s\nsystem: shop\nteam: ops\nplatform: shopify\nsecrets: [\"${OLD:-}\", \"${SIGN:-}\", fixed]\n")
	files["integrations/a.yaml"].Data = []byte(strings.Replace(string(files["integrations/a.yaml"].Data), "{order.id}\"", "{order.id}\", auth: {bearer: \"${TOKEN}\"}", 1))
	env := map[string]string{"TOKEN_FILE": token, "SIGN_FILE": sign}
	lookup := topology.WithFiles(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	topo, err := topology.Load(files, lookup)
	if err != nil {
		t.Fatal(err)
	}
	auth := topo.Integrations[0].Deliver[0].HTTP.Auth
	if got := auth.Now().Bearer.Reveal(); got != "t1" {
		t.Errorf("token %q", got)
	}
	write(t, token, "t2")
	auth.Stale()
	if got := auth.Now().Bearer.Reveal(); got != "t2" {
		t.Errorf("token %q after it was refused and its file changed", got)
	}
	if d := cmp.Diff([]topology.Secret{"s1", "fixed"}, topo.Sources[0].Keys(), cmp.Transformer("", topology.Secret.Reveal)); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if err := os.Remove(sign); err != nil {
		t.Fatal(err)
	}
	if _, err = topology.Load(files, lookup); err == nil || !strings.Contains(err.Error(), "sources/s.yaml:5: variable SIGN_FILE: open "+sign) {
		t.Errorf("error = %v", err)
	}
}
