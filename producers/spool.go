package producers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

const (
	// spoolAfter is the patience of an Edge; a healthy cluster acknowledges in a hundredth of it.
	spoolAfter = 2 * time.Second
	// spoolLimit is the greatest size of one source's spool, in bytes; beyond it the source gets 503.
	spoolLimit = 512 << 20
	// drainEvery is how often a spool that holds something is tried again.
	drainEvery = time.Second
)

// errSpoolFull is a delivery that neither Kafka nor the spool could take.
var errSpoolFull = fmt.Errorf("the spool is full (%d MiB)", spoolLimit>>20)

// spool is a folder of deliveries that wait for Kafka, one file each, in order of arrival. A file is complete once it
// has its final name: it is written and fsynced under another, then renamed, so a torn write is never read.
type spool struct {
	dir   string
	limit int64
	mu    sync.Mutex
	names []string // waiting, oldest first
	bytes int64
	last  int64         // number of the last name
	wake  chan struct{} // holds a token while there may be something to drain
}

// spooled is the first line of a spool file; the body follows it.
type spooled struct {
	Headers    map[string]string `json:"headers"`
	ReceivedAt time.Time         `json:"received_at"`
	Trace      string            `json:"trace"`
	TraceState string            `json:"trace_state,omitempty"`
	Bytes      int               `json:"bytes"`
	RawRef     string            `json:"raw_ref"`
}

// openSpool reads what an earlier process left.
func openSpool(root, source string) (*spool, error) {
	s := &spool{dir: filepath.Join(root, "spool", source), limit: spoolLimit, wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	entries, err := os.ReadDir(s.dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		var n int64
		if !strings.HasSuffix(name, ".delivery") {
			continue // a torn write, or one set aside as unreadable
		}
		if _, err := fmt.Sscanf(name, "%d.delivery", &n); err != nil {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		s.names, s.bytes, s.last = append(s.names, name), s.bytes+info.Size(), max(s.last, n)
	}
	s.signal()
	return s, nil
}

func (s *spool) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// depth is the number of deliveries that wait.
func (s *spool) depth() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names)
}

// put makes a delivery durable on disk.
func (s *spool) put(d *delivery) error {
	head, err := json.Marshal(spooled{plainHeaders(d.header), d.received, d.trace.Parent, d.trace.State, len(d.body), d.rawRef()})
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	content := slices.Concat(head, []byte("\n"), d.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+int64(len(content)) > s.limit {
		return errSpoolFull
	}
	s.last++
	name := fmt.Sprintf("%020d.delivery", s.last)
	if err := writeDurable(filepath.Join(s.dir, name), content); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.names, s.bytes = append(s.names, name), s.bytes+int64(len(content))
	s.signal()
	return nil
}

// writeDurable makes a file appear whole or not at all, even if the machine stops.
func writeDurable(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// oldest reads the delivery that waits longest; nil when none does. A file that is not what was written is set aside
// under another ending and named in the error.
func (s *spool) oldest(in *inlet) (*delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.names) > 0 {
		path := filepath.Join(s.dir, s.names[0])
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("spool: %w", err)
		}
		head, body, _ := bytes.Cut(content, []byte("\n"))
		var meta spooled
		d := &delivery{source: in.source, body: body}
		if err == nil && json.Unmarshal(head, &meta) == nil && meta.Bytes == len(body) && meta.RawRef == d.rawRef() {
			d.header, d.received, d.trace = headersOf(meta.Headers), meta.ReceivedAt, schemas.Trace{Parent: meta.Trace, State: meta.TraceState}
			return d, nil
		}
		s.names = s.names[1:]
		if err == nil {
			s.bytes -= int64(len(content))
			return nil, errors.Join(fmt.Errorf("spool: %s is damaged and was set aside", path), os.Rename(path, path+".damaged"))
		}
	}
	return nil, nil
}

// drop forgets the oldest delivery: it is in Kafka now, or, with an ending, it is set aside for a person.
func (s *spool) drop(ending string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, s.names[0])
	if info, err := os.Stat(path); err == nil {
		s.bytes -= info.Size()
	}
	s.names = s.names[1:]
	if ending != "" {
		return os.Rename(path, path+ending)
	}
	return os.Remove(path)
}

// drain publishes what waits, oldest first, until ctx ends.
func (e *Edge) drain(ctx context.Context, in *inlet) error {
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.spool.wake:
		case <-tick.C:
		}
		if err := e.drainAll(ctx, in); err != nil && ctx.Err() == nil {
			e.cfg.Logger.Warn("spool waits", "source", in.source.Name, "deliveries", in.spool.depth(), "error", err)
		}
		e.metrics.spooled.WithLabelValues(in.source.Name).Set(float64(in.spool.depth()))
	}
}

func (e *Edge) drainAll(ctx context.Context, in *inlet) error {
	for ctx.Err() == nil {
		d, err := in.spool.oldest(in)
		if d == nil || err != nil {
			return err
		}
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err = e.publish(attempt, d, in.platform.read(d))
		cancel()
		ending := ""
		switch {
		case errors.Is(err, errBodyTooLarge): // logged by quarantine
			ending = ".too_large"
		case err != nil:
			return err
		}
		if err := in.spool.drop(ending); err != nil {
			return err
		}
	}
	return nil
}
