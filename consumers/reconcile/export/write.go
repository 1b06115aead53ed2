package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// Result is what became of an export.
type Result struct {
	Manifest *Manifest // of the version that now holds the snapshot's content
	// Unchanged is that the version was there already, written by an earlier run or by another at the same time.
	Unchanged bool
}

// String is "2026-11-24: unchanged v1", "2026-11-24: wrote v1" or "2026-11-24: wrote v2, which corrects v1".
func (r Result) String() string {
	day, v := r.Manifest.BusinessDay, r.Manifest.Version
	switch {
	case r.Unchanged:
		return fmt.Sprintf("%s: unchanged %s", day, v)
	case r.Manifest.Corrects != nil:
		return fmt.Sprintf("%s: wrote %s, which corrects %s", day, v, r.Manifest.Corrects.Version)
	}
	return fmt.Sprintf("%s: wrote %s", day, v)
}

// claims is how many versions others may write while we try to write ours.
const claims = 100

// Write exports a snapshot: its content becomes the day's newest version, unless it is that already. Every table is read
// once, into files in Scratch, before anything is delivered.
//
// An error before the manifest is written leaves what a reader sees as it was; after it, a Result comes with the error: the
// version is written, and the next run mends latest.json and what is left over. A row that cannot be exported is a
// *RowError; a snapshot that cannot be gives all its faults at once.
func Write(ctx context.Context, to Destination, s Snapshot) (Result, error) {
	s, err := s.normal()
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp(s.Scratch, "seam-export-")
	if err != nil {
		return Result{}, fmt.Errorf("scratch: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &delivery{to: to, day: s.Cutoff.Day}
	for i := range s.Tables {
		t, err := stage(ctx, dir, &s.Tables[i])
		if err != nil {
			return Result{}, fmt.Errorf("export %s: %w", d.day, err)
		}
		d.tables = append(d.tables, t)
	}
	r, err := d.deliver(ctx, s.manifest(d.tables))
	if err != nil {
		return r, fmt.Errorf("export %s: %w", d.day, err)
	}
	return r, nil
}

// manifest is what the snapshot's next version says, but for its number and what it corrects.
func (s *Snapshot) manifest(tables []staged) Manifest {
	m := Manifest{FormatVersion: FormatVersion, Environment: s.Environment, BusinessDay: s.Cutoff.Day, Late: s.Late, Offsets: s.Offsets,
		Cutoff: Terms{Zone: s.Cutoff.Zone, HappenedBefore: s.Cutoff.Before, KnownAt: s.Cutoff.KnownAt}}
	if m.Offsets == nil {
		m.Offsets = []Offset{}
	}
	if !s.WrittenAt.IsZero() {
		at := s.WrittenAt.UTC()
		m.WrittenAt = &at
	}
	for _, t := range tables {
		m.Tables = append(m.Tables, t.entry)
	}
	return m
}

// delivery brings one day's staged tables to a destination.
type delivery struct {
	to     Destination
	day    Date
	tables []staged
	sent   Version // whose files are there
}

// deliver claims the next version until it has one, or finds that the newest says the same.
func (d *delivery) deliver(ctx context.Context, m Manifest) (Result, error) {
	for range claims {
		old, err := d.newest(ctx)
		if err != nil {
			return Result{}, err
		}
		m.Version, m.Corrects = 1, nil
		if old != nil {
			if old.Environment != m.Environment {
				return Result{}, fmt.Errorf("%s is of environment %s, and this is %s: give each its own destination", old.path(), old.Environment, m.Environment)
			}
			if old.sameContent(&m) {
				return Result{Manifest: old, Unchanged: true}, d.settle(ctx)
			}
			m.Version = old.Version + 1
			if m.Corrects, err = correct(ctx, d.to, old, old.terms(&m), d.tables); err != nil {
				return Result{}, err
			}
		}
		err = d.claim(ctx, &m)
		if errors.Is(err, ErrExists) {
			continue // another run wrote it first: ours may now be unchanged, or correct that one
		}
		if err != nil {
			return Result{}, err
		}
		return Result{Manifest: &m}, d.settle(ctx)
	}
	return Result{}, fmt.Errorf("%d other versions were written meanwhile: let one run at a time export a day", claims)
}

// claim writes the files, then the manifest that makes them a version.
func (d *delivery) claim(ctx context.Context, m *Manifest) error {
	if d.sent != m.Version {
		for _, t := range d.tables {
			if err := d.send(ctx, m, t.entry.CSV, t.csv); err != nil {
				return err
			}
			if err := d.send(ctx, m, t.entry.Parquet, t.parquet); err != nil {
				return err
			}
		}
		d.sent = m.Version
	}
	text, err := encode(m)
	if err != nil {
		return err
	}
	return d.to.Put(ctx, Object{Name: m.path(), Body: bytes.NewReader(text), Size: int64(len(text)), SHA256: digest(text), Once: true})
}

func (d *delivery) send(ctx context.Context, m *Manifest, f File, path string) error {
	body, err := os.Open(path)
	if err != nil {
		return err
	}
	defer body.Close()
	return d.to.Put(ctx, Object{Name: m.filePath(f), Body: body, Size: f.Bytes, SHA256: f.SHA256})
}

// newest is the manifest of the day's newest version, whatever latest.json says; nil where there is none.
func (d *delivery) newest(ctx context.Context) (*Manifest, error) {
	names, err := d.to.List(ctx, d.day.String()+"/")
	if err != nil {
		return nil, err
	}
	if v := newestOf(d.day, names); v > 0 {
		return d.manifest(ctx, v)
	}
	return nil, nil
}

func (d *delivery) manifest(ctx context.Context, v Version) (*Manifest, error) {
	name := manifestPath(d.day, v)
	text, err := readAll(ctx, d.to, name)
	if err != nil {
		return nil, err
	}
	return decodeManifest(name, text)
}

// newestOf is the greatest version that has a manifest; 0 where none has.
func newestOf(day Date, names []string) Version {
	var newest Version
	for _, name := range names {
		var v Version
		middle, ok := strings.CutSuffix(strings.TrimPrefix(name, day.String()+"/"), "/manifest.json")
		if ok && v.UnmarshalText([]byte(middle)) == nil {
			newest = max(newest, v)
		}
	}
	return newest
}

// settle brings latest.json to the newest version and removes what is left over.
func (d *delivery) settle(ctx context.Context) error {
	for range claims {
		m, err := d.newest(ctx)
		if err != nil {
			return err
		}
		written, err := d.point(ctx, m)
		if err != nil {
			return err
		}
		if !written { // whoever writes it looks again: a slower run cannot leave it at an older version
			return d.sweep(ctx)
		}
	}
	return fmt.Errorf("%s was written by others %d times meanwhile: let one run at a time export a day", latestPath(d.day), claims)
}

// point makes latest.json name a version; false where it did.
func (d *delivery) point(ctx context.Context, m *Manifest) (bool, error) {
	manifest, err := readAll(ctx, d.to, m.path())
	if err != nil {
		return false, err
	}
	want, err := encode(Latest{FormatVersion: FormatVersion, BusinessDay: d.day, Version: m.Version,
		Manifest: m.Version.String() + "/manifest.json", SHA256: digest(manifest)})
	if err != nil {
		return false, err
	}
	got, err := readAll(ctx, d.to, latestPath(d.day))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if bytes.Equal(got, want) {
		return false, nil
	}
	return true, d.to.Put(ctx, Object{Name: latestPath(d.day), Body: bytes.NewReader(want), Size: int64(len(want)), SHA256: digest(want)})
}

// ours are the names of files that runs make: a person's file beside them is not touched.
var ours = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}/(v\d+)/(?:[a-z][a-z0-9_]*-[0-9a-f]{12}\.(?:csv|parquet)|\.seam-[A-Z0-9]+\.tmp)$|^\d{4}-\d{2}-\d{2}/\.seam-[A-Z0-9]+\.tmp$`)

// sweep removes, up to the newest version, what runs left that died or came too late. A version that has its manifest is
// written, so whatever else is beside it is of no run that can still succeed; one without is left to the run that claims it.
func (d *delivery) sweep(ctx context.Context) error {
	names, err := d.to.List(ctx, d.day.String()+"/")
	if err != nil {
		return err
	}
	keep := map[Version]map[string]bool{}
	for v := newestOf(d.day, names); v > 0; v-- {
		m, err := d.manifest(ctx, v)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		keep[v] = map[string]bool{}
		for _, f := range m.files() {
			keep[v][m.filePath(f)] = true
		}
	}
	var faults []error
	for _, name := range names {
		match := ours.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		var v Version
		if match[1] != "" && v.UnmarshalText([]byte(match[1])) != nil {
			continue
		}
		if named, written := keep[v]; v == 0 || written && !named[name] {
			if err := d.to.Remove(ctx, name); err != nil {
				faults = append(faults, fmt.Errorf("remove what a run left: %w", err))
			}
		}
	}
	return errors.Join(faults...)
}
