package deliver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// fileKind appends one CSV row per event to <dir>/<day of the event, UTC>/<topic>-<partition>.csv. The first column is the
// idempotency key: a row whose key the file has is already done. A partition has one owner, so a file has one writer; should
// a writer that lost the partition still append, the row it repeats carries the key of the first.
type fileKind struct {
	mu    sync.Mutex
	files map[string]*sheet
}

// sheet is one open file.
type sheet struct {
	mu     sync.Mutex
	f      *os.File
	keys   map[string]bool
	closed bool
}

// maxSheets is how many files are kept open: the days that late events still reach, times a process's partitions.
const maxSheets = 64

func newFile() *fileKind { return &fileKind{files: map[string]*sheet{}} }

// Probe is unknown: a repeated row is harmless, so nobody asks.
func (k *fileKind) Probe(context.Context, Request) Result {
	return Result{Class: Unknown, Detail: "a file is not asked: a repeated row is known by its key"}
}

// Read is not for files.
func (k *fileKind) Read(context.Context, Request, string) Result {
	return Result{Class: Contract, Detail: "a file is not read back"}
}

// Deliver appends the row and syncs it to disk.
func (k *fileKind) Deliver(_ context.Context, r Request) Result {
	header, row, err := rowOf(r)
	if err != nil {
		return Result{Class: Unmappable, Detail: err.Error()}
	}
	path := pathOf(r)
	known, err := k.append(path, header, row)
	switch {
	case errors.Is(err, errNotOpen):
		return Result{Class: Retry, Detail: excerpt(err.Error())}
	case err != nil:
		return Result{Class: Unknown, Detail: excerpt(err.Error())}
	case known:
		return Result{Class: AlreadyDone, Reference: filepath.Base(path)}
	}
	return Result{Class: Delivered, Reference: filepath.Base(path)}
}

// errNotOpen tells that nothing was written.
var errNotOpen = errors.New("not open")

// append writes the row unless the file has its key.
func (k *fileKind) append(path string, header, row []string) (known bool, err error) {
	s, err := k.open(path, header)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errNotOpen, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed { // by one who needed the place, since we opened it
		return false, fmt.Errorf("%w: %s was closed for another", errNotOpen, filepath.Base(path))
	}
	if s.keys[row[0]] {
		return true, nil
	}
	if err := s.write(row); err != nil {
		k.drop(path, s) // what the disk holds is not known: the next attempt reads it again
		return false, fmt.Errorf("append to %s: %w", filepath.Base(path), err)
	}
	s.keys[row[0]] = true
	return false, nil
}

// write appends one row and syncs.
func (s *sheet) write(row []string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(row); err != nil {
		return err
	}
	w.Flush()
	if _, err := s.f.Write(b.Bytes()); err != nil {
		return err
	}
	return s.f.Sync()
}

// drop closes and forgets a file whose lock the caller holds.
func (k *fileKind) drop(path string, s *sheet) {
	s.f.Close()
	s.closed = true
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files[path] == s {
		delete(k.files, path)
	}
}

// open gives the file at path with its keys read; a torn last line, of a process that died while writing, is cut off.
func (k *fileKind) open(path string, header []string) (*sheet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.files[path]; s != nil {
		return s, nil
	}
	if len(k.files) >= maxSheets {
		for other, s := range k.files {
			if s.mu.TryLock() {
				s.f.Close()
				s.closed = true
				delete(k.files, other)
				s.mu.Unlock()
				break
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	// O_APPEND: a writer that lost the partition and does not know it yet must not write over its successor's rows.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	s := &sheet{f: f}
	if s.keys, err = readKeys(f); err == nil && len(s.keys) == 0 {
		err = s.begin(header)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	k.files[path] = s
	return s, nil
}

// begin writes the header of an empty file and makes the names of the file and of its day durable.
func (s *sheet) begin(header []string) error {
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := s.write(header); err != nil {
		return err
	}
	day := filepath.Dir(s.f.Name())
	return errors.Join(syncDir(day), syncDir(filepath.Dir(day)))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readKeys reads the first column of every whole row and leaves the file positioned after the last of them. No key holds a
// comma, a quote or a line break, so a row's first column is the text before its first comma.
func readKeys(f *os.File) (map[string]bool, error) {
	keys, whole := map[string]bool{}, int64(0)
	r := bufio.NewReader(f)
	for first := true; ; first = false {
		row, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		whole += int64(len(row))
		if key, _, ok := bytes.Cut(row, []byte(",")); ok && !first {
			keys[string(key)] = true
		}
	}
	if err := f.Truncate(whole); err != nil {
		return nil, err
	}
	_, err := f.Seek(whole, io.SeekStart)
	return keys, err
}
