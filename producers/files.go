package producers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Files. A file is known by the sha256 of its bytes, a row by that and its number: the same file under any name is a
// no-op, a corrected file is a new one. Equal rows are two facts (an invoice may list a line twice), so a row is never
// known by its content. What was done is kept in <dir>/.seam/done, written after every row is acknowledged; a file that a
// stop cut short is published again from its start under the same ids.

const (
	// settle is how long a file must not have changed before it is read; a file renamed into the folder may be older.
	settle = 5 * time.Second
	// rowBatch is how many rows are published at once.
	rowBatch = 500
	// keptWhole is how much of a file that is unreadable as a whole goes to the quarantine.
	keptWhole = 512 << 10
)

// watcher looks at one source's folder.
type watcher struct {
	e       *Edge
	source  *topology.Source
	formats []fileFormat
	done    map[string]bool   // sha256 of files that were published to the end
	seen    map[string]string // name to size and time of files that need no other look
	loaded  bool
}

// newWatcher checks the source's formats. It does no I/O: the folder may come later.
func newWatcher(e *Edge, s *topology.Source) (*watcher, error) {
	w := &watcher{e: e, source: s, done: map[string]bool{}, seen: map[string]string{}}
	var faults []error
	for _, f := range s.Files {
		format, err := newFileFormat(f)
		faults = append(faults, err)
		w.formats = append(w.formats, format)
	}
	return w, errors.Join(faults...)
}

// run looks every source.Every until ctx ends, and sooner while a file is still being written.
func (w *watcher) run(ctx context.Context) error {
	every := w.source.Every.D()
	if every <= 0 {
		every = time.Minute
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		unsettled, err := w.look(ctx)
		next := every
		if unsettled {
			next = min(every, settle)
		}
		if err != nil && ctx.Err() == nil {
			w.e.cfg.Logger.Warn("folder not read", "source", w.source.Name, "dir", w.source.Dir, "error", err)
		} else {
			w.e.metrics.lastLook.WithLabelValues(w.source.Name).Set(unix(w.e.cfg.Now()))
		}
		timer.Reset(next)
	}
}

// look takes every file that is new and settled. unsettled tells that some file was left for the next look.
func (w *watcher) look(ctx context.Context) (unsettled bool, err error) {
	if !w.loaded {
		if err := w.loadDone(); err != nil {
			return false, err
		}
	}
	entries, err := os.ReadDir(w.source.Dir)
	if err != nil {
		return false, fmt.Errorf("look at folder: %w", err)
	}
	var faults []error
	for _, entry := range entries {
		name := entry.Name()
		format := w.formatOf(name)
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || ignored(name) || format == nil {
			continue // gone again, or none of ours
		}
		print := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
		if w.seen[name] == print {
			continue
		}
		if w.e.cfg.Now().Sub(info.ModTime()) < min(settle, max(w.source.Every.D(), time.Millisecond)) {
			unsettled = true
			continue
		}
		if err := w.take(ctx, name, info, format); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
			continue
		}
		w.seen[name] = print
	}
	return unsettled, errors.Join(faults...)
}

// ignored tells names that writers use until a file is whole.
func ignored(name string) bool {
	lower := strings.ToLower(name)
	for _, ending := range []string{".tmp", ".part", ".partial", ".crdownload", ".swp", "~"} {
		if strings.HasSuffix(lower, ending) {
			return true
		}
	}
	return strings.HasPrefix(name, ".")
}

// formatOf is the first format whose pattern fits the name; nil when none does.
func (w *watcher) formatOf(name string) *fileFormat {
	for i := range w.formats {
		if ok, _ := path.Match(w.formats[i].Match, name); ok { // patterns were checked by newFileFormat
			return &w.formats[i]
		}
	}
	return nil
}

// batchFile is a file being published.
type batchFile struct {
	w      *watcher
	format *fileFormat
	name   string
	hash   string
	trace  schemas.Trace
	taken  time.Time
	mtime  time.Time
}

// take publishes one file unless its content was published before.
func (w *watcher) take(ctx context.Context, name string, info os.FileInfo, format *fileFormat) error {
	full := filepath.Join(w.source.Dir, name)
	b := &batchFile{w: w, format: format, name: name, trace: w.e.begun(), taken: w.e.cfg.Now(), mtime: info.ModTime()}
	limit := int64(w.source.MaxBody)
	if limit <= 0 {
		limit = 64 << 20
	}
	if info.Size() > limit {
		b.hash = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d %d", name, info.Size(), info.ModTime().UnixNano())))
		if w.done[b.hash] {
			return nil
		}
		f := &fault{"", fmt.Sprintf("the file has %d bytes, more than max_body (%d) of source %s: split it, or raise max_body", info.Size(), limit, w.source.Name)}
		if err := w.e.quarantine(ctx, b.trace, one(b.reject(row{}, f))); err != nil {
			return err
		}
		return w.finish(b)
	}
	content, err := os.ReadFile(full)
	if err != nil {
		return err
	}
	if now, err := os.Stat(full); err != nil || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return errors.New("it changed while it was read: it is looked at again")
	}
	sum := sha256.Sum256(content)
	b.hash = hex.EncodeToString(sum[:])
	if w.done[b.hash] {
		return nil
	}
	if err := b.publish(ctx, content); err != nil {
		return err
	}
	return w.finish(b)
}

// publish sends the file's rows in batches and waits for each.
func (b *batchFile) publish(ctx context.Context, content []byte) error {
	events, rejects := []*schemas.Event{}, []*schemas.Quarantined{}
	rows, total, bad := 0, 0, 0
	flush := func() error {
		if err := b.send(ctx, events, rejects); err != nil {
			return err
		}
		total, bad = total+len(events)+len(rejects), bad+len(rejects)
		events, rejects, rows = nil, nil, 0
		return nil
	}
	for r := range b.format.rows(bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))) {
		ev, f := b.event(r)
		if f != nil {
			rejects = append(rejects, b.reject(r, f))
		} else {
			events = append(events, ev)
		}
		if rows++; rows == rowBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	b.w.e.cfg.Logger.Info("file taken", "source", b.w.source.Name, "file", b.name, "rows", total, "quarantined", bad)
	return nil
}

// send publishes one batch.
func (b *batchFile) send(ctx context.Context, events []*schemas.Event, rejects []*schemas.Quarantined) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("no acknowledgement within a minute"))
	defer cancel()
	e := b.w.e
	e.metrics.received.WithLabelValues(b.w.source.Name).Add(float64(len(events) + len(rejects)))
	e.metrics.came(b.w.source.Name, e.cfg.Now())
	r := &reading{events: events}
	if err := e.publishEvents(ctx, &delivery{source: b.w.source, trace: b.trace}, r); err != nil {
		return err
	}
	for _, rej := range r.rejects { // an event that does not fit Kafka
		rejects = append(rejects, b.reject(row{}, rej.fault))
	}
	return e.quarantine(ctx, b.trace, rejects)
}

// reject is the quarantine record of a row, or of the whole file for row 0.
func (b *batchFile) reject(r row, f *fault) *schemas.Quarantined {
	o := b.origin(r)
	raw := r.raw[:min(len(r.raw), keptWhole)]
	headers := map[string]string{"file": b.name, "sha256": b.hash}
	if r.columns != "" {
		headers["columns"] = r.columns
	}
	where := b.name
	if r.line > 0 {
		where = fmt.Sprintf("%s line %d", b.name, r.line)
	}
	return &schemas.Quarantined{
		ID: schemas.NewEventID(o.source, o.id, "quarantine/"), Source: b.w.source.Name, Platform: string(topology.Files), DeliveryID: o.id,
		Reason: where + ": " + schemas.MaskText(f.Error()), Field: clip(f.Field), File: b.name, Line: r.line, ContentType: b.format.contentType(),
		Headers: headers, Body: raw, ReceivedAt: b.taken.UTC().Truncate(time.Microsecond),
	}
}

func (b *batchFile) origin(r row) origin {
	return origin{"/files/" + b.w.source.Name, fmt.Sprintf("sha256:%s#%d", b.hash, r.number)}
}

// doneFile is where the folder's memory is.
func (w *watcher) doneFile() string { return filepath.Join(w.source.Dir, ".seam", "done") }

// loadDone reads the memory; a folder that has none is new. A line that a stop cut short is no whole hash and is left out.
func (w *watcher) loadDone() error {
	if err := os.MkdirAll(filepath.Dir(w.doneFile()), 0o755); err != nil {
		return fmt.Errorf("folder's memory: %w", err)
	}
	content, err := os.ReadFile(w.doneFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("folder's memory: %w", err)
	}
	for line := range strings.Lines(string(content)) {
		if hash, _, ok := strings.Cut(line, " "); ok && len(hash) == 2*sha256.Size && strings.HasSuffix(line, "\n") {
			w.done[hash] = true
		}
	}
	w.loaded = true
	return nil
}

// finish remembers that the file was published to its end.
func (w *watcher) finish(b *batchFile) error {
	f, err := os.OpenFile(w.doneFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("folder's memory: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s %s\n", b.hash, b.taken.UTC().Format(time.RFC3339), b.name)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("folder's memory: %w", err)
	}
	w.done[b.hash] = true
	return nil
}

func one(q *schemas.Quarantined) []*schemas.Quarantined { return []*schemas.Quarantined{q} }
