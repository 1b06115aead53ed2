package export

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folder is a Destination on a file system.
type folder string

var _ Destination = folder("")

func (f folder) at(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }

// Open opens the file.
func (f folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(f.at(name))
}

// unfinished begins the name of a file that is being written; unfinishedEnd ends it.
const (
	unfinished    = ".seam-"
	unfinishedEnd = ".tmp"
)

// rewrites is how often a file is written again because another run, which takes it for a leftover, removed it.
const rewrites = 10

// Put writes beside the file's place and gives it its name when it is on the disk.
func (f folder) Put(ctx context.Context, o Object) error {
	place := f.at(o.Name)
	if err := f.makeDir(filepath.Dir(place)); err != nil {
		return err
	}
	var err error
	for range rewrites {
		if err = f.put(ctx, o, place); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

func (f folder) put(ctx context.Context, o Object, place string) error {
	temporary := filepath.Join(filepath.Dir(place), unfinished+rand.Text()+unfinishedEnd)
	defer os.Remove(temporary)
	if err := fill(ctx, temporary, o); err != nil {
		return err
	}
	if !o.Once {
		if err := os.Rename(temporary, place); err != nil {
			return err
		}
		return syncDir(filepath.Dir(place))
	}
	if err := os.Link(temporary, place); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", o.Name, ErrExists)
	} else if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: the file system must have hard links: use another, or a bucket", err)
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(place))
}

// fill writes a new file and brings it to the disk.
func fill(ctx context.Context, path string, o Object) error {
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), cancelable(ctx, o.Body))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != o.Size || got != o.SHA256 {
		return fmt.Errorf("%s changed since it was made: %d bytes of SHA-256 %s, not %d of %s: run again", o.Name, n, got, o.Size, o.SHA256)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

// makeDir makes a folder and those above it, and their names durable.
func (f folder) makeDir(path string) error {
	if _, err := os.Stat(path); err == nil || path == string(f) {
		return err
	}
	if err := f.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// List walks the folders that a prefix can be in.
func (f folder) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	top := f.at(prefix[:strings.LastIndexByte(prefix, '/')+1])
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return nil // not made yet, or renamed meanwhile
		case err != nil || d.IsDir():
			return err
		}
		name, err := filepath.Rel(string(f), path)
		if name = filepath.ToSlash(name); err == nil && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// Remove removes the file.
func (f folder) Remove(_ context.Context, name string) error {
	path := f.at(name)
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// readerFunc is a reader made of its one method.
type readerFunc func([]byte) (int, error)

// Read calls the function.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// cancelable reads until the context ends.
func cancelable(ctx context.Context, from io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return from.Read(p)
	})
}
