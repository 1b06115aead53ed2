package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ErrNoVersion tells that a day was not exported.
var ErrNoVersion = errors.New("no version")

// maxJSON is the largest manifest that is read, in bytes: some thousand tables.
const maxJSON = 64 << 20

// Newest gives the manifest that a reader of the day is shown by latest.json; ErrNoVersion where there is none.
func Newest(ctx context.Context, from Destination, day Date) (*Manifest, error) {
	text, err := readAll(ctx, from, latestPath(day))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("business day %s: %w", day, ErrNoVersion)
	}
	if err != nil {
		return nil, err
	}
	var latest Latest
	if err := json.Unmarshal(text, &latest); err != nil {
		return nil, fmt.Errorf("%s: %w: export the day again, which writes it anew", latestPath(day), err)
	}
	name := manifestPath(day, latest.Version)
	if text, err = readAll(ctx, from, name); err != nil {
		return nil, err
	}
	if got := digest(text); got != latest.SHA256 {
		return nil, damaged(name, fmt.Errorf("its SHA-256 is %s, and latest.json says %s", got, latest.SHA256))
	}
	return decodeManifest(name, text)
}

// Verify reads every file of a version and gives all that are not as the manifest says.
func Verify(ctx context.Context, from Destination, m *Manifest) error {
	var faults []error
	for _, f := range m.files() {
		faults = append(faults, verify(ctx, from, m.filePath(f), f))
	}
	return errors.Join(faults...)
}

func verify(ctx context.Context, from Destination, name string, f File) error {
	body, err := from.Open(ctx, name)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, cancelable(ctx, body))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != f.Bytes || got != f.SHA256 {
		return damaged(name, fmt.Errorf("%d bytes of SHA-256 %s, and the manifest says %d of %s", n, got, f.Bytes, f.SHA256))
	}
	return nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func readAll(ctx context.Context, from Destination, name string) ([]byte, error) {
	body, err := from.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxJSON))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}
