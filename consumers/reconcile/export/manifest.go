package export

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FormatVersion is the version of the layout, of the manifest and of the CSV that this package writes, and the only one it reads.
const FormatVersion = 1

// Version is the number of a day's version, from 1; 0 is none. Its text is "v1".
type Version int

// String is "v1".
func (v Version) String() string { return "v" + strconv.Itoa(int(v)) }

// MarshalText gives String.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (v *Version) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "v")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != digits {
		return fmt.Errorf("version %q is not one: it is v1, v2, …", text)
	}
	*v = Version(n)
	return nil
}

// Manifest is what a version holds, and of what. In a destination it is <day>/<version>/manifest.json.
type Manifest struct {
	FormatVersion int          `json:"format_version"`
	Environment   string       `json:"environment"`
	BusinessDay   Date         `json:"business_day"`
	Version       Version      `json:"version"`
	Cutoff        Terms        `json:"cutoff"`
	Late          Late         `json:"late_arrivals"`
	WrittenAt     *time.Time   `json:"written_at,omitempty"` // as Snapshot.WrittenAt
	Offsets       []Offset     `json:"created_from"`         // by topic and partition
	Corrects      *Correction  `json:"corrects,omitempty"`   // nil for v1
	Tables        []TableEntry `json:"tables"`               // by name
}

// Terms is the cut-off in a manifest; instants are UTC.
type Terms struct {
	Zone           string    `json:"zone"`
	HappenedBefore time.Time `json:"happened_before"` // event time, exclusive
	KnownAt        time.Time `json:"known_at"`        // our clock
}

// TableEntry is one table of a version.
type TableEntry struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"` // in the order of the files
	Key     []string `json:"key"`     // the rows' order
	Rows    int64    `json:"rows"`    // in each file, without the CSV's header
	Totals  []Total  `json:"totals"`  // in each file, by column, then by currency
	CSV     File     `json:"csv"`
	Parquet File     `json:"parquet"`
}

// Total is a control total: the sum of one amount column in one currency.
type Total struct {
	Column   string `json:"column"`
	Currency string `json:"currency,omitempty"` // empty where the column has none
	Rows     int64  `json:"rows"`               // those where the amount is not NULL
	Sum      string `json:"sum"`                // exact, 4 decimals; may be beyond decimal(20,4)
}

// File is one file of a version.
type File struct {
	Name   string `json:"name"` // beside the manifest
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // 64 hex digits
}

// Correction says how a version differs from the one before.
type Correction struct {
	Version Version `json:"version"` // the one that is corrected
	// Terms are the members of the manifest that differ, but for tables: cutoff.zone, cutoff.happened_before, late_arrivals.
	Terms  []string     `json:"terms"`
	Tables []Difference `json:"tables"` // those that differ, by name
}

// Difference is how a table differs, in rows told apart by its key.
type Difference struct {
	Table   string `json:"table"`
	Added   int64  `json:"added"`
	Removed int64  `json:"removed"`
	Changed int64  `json:"changed"` // in a column that both versions have
	// ColumnsChanged is that names, types, key or order of the columns differ. With another key every old row counts as
	// removed and every new one as added.
	ColumnsChanged bool `json:"columns_changed"`
}

// Latest is the content of <day>/latest.json.
type Latest struct {
	FormatVersion int     `json:"format_version"`
	BusinessDay   Date    `json:"business_day"`
	Version       Version `json:"version"`
	Manifest      string  `json:"manifest"` // beside latest.json
	SHA256        string  `json:"sha256"`   // of the manifest
}

// path is the manifest's name in a destination.
func (m *Manifest) path() string { return manifestPath(m.BusinessDay, m.Version) }

func manifestPath(day Date, v Version) string { return fmt.Sprintf("%s/%s/manifest.json", day, v) }

func latestPath(day Date) string { return day.String() + "/latest.json" }

// files are all files of the version.
func (m *Manifest) files() []File {
	var out []File
	for _, t := range m.Tables {
		out = append(out, t.CSV, t.Parquet)
	}
	return out
}

// filePath is a file's name in a destination.
func (m *Manifest) filePath(f File) string {
	return fmt.Sprintf("%s/%s/%s", m.BusinessDay, m.Version, f.Name)
}

// terms lists what differs in two manifests beside the tables and what is not content.
func (m *Manifest) terms(of *Manifest) []string {
	out := []string{}
	if m.Cutoff.Zone != of.Cutoff.Zone {
		out = append(out, "cutoff.zone")
	}
	if !m.Cutoff.HappenedBefore.Equal(of.Cutoff.HappenedBefore) {
		out = append(out, "cutoff.happened_before")
	}
	if m.Late != of.Late {
		out = append(out, "late_arrivals")
	}
	return out
}

// sameContent is whether there is nothing that a new version would say.
func (m *Manifest) sameContent(of *Manifest) bool {
	return len(m.terms(of)) == 0 && slices.EqualFunc(m.Tables, of.Tables, func(a, b TableEntry) bool {
		return a.Name == b.Name && a.sameShape(b) && a.CSV.SHA256 == b.CSV.SHA256
	})
}

// sameShape is whether two tables have the same columns and key.
func (t TableEntry) sameShape(of TableEntry) bool {
	return slices.Equal(t.Columns, of.Columns) && slices.Equal(t.Key, of.Key)
}

// encode gives v as JSON, one member a line: the same for the same v.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// decodeManifest reads a manifest, of this format only.
func decodeManifest(name string, text []byte) (*Manifest, error) {
	var format struct {
		Version int `json:"format_version"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return nil, fmt.Errorf("%s: %w: it was damaged since it was written, restore it", name, err)
	}
	if format.Version != FormatVersion {
		return nil, fmt.Errorf("%s has format %d, and this seam reads %d: use the seam that wrote it, or a newer one", name, format.Version, FormatVersion)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s: %w: it was damaged since it was written, restore it", name, err)
	}
	if name != m.path() {
		return nil, fmt.Errorf("%s says that it is %s: it was moved, put it back", name, m.path())
	}
	return &m, nil
}

// shortHash is what a file's name says of its content.
func shortHash(sum []byte) string { return hex.EncodeToString(sum[:6]) }
