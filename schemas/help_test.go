package schemas

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func mustParse(t testing.TB, text string) *node {
	t.Helper()
	n, err := parseSchema(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// jsonValue reads JSON with its numbers as texts, as parseSchema reads defaults.
func jsonValue(t testing.TB, text string) (v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// input reads a file of the real payloads; the test is skipped where they are not at hand.
func input(t testing.TB, name string, into any) {
	t.Helper()
	dir := os.Getenv("SEAM_INPUTS")
	if dir == "" {
		t.Skip("SEAM_INPUTS is not set")
	}
	b, err := os.ReadFile(filepath.Join(dir, "avro", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
