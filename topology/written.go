package topology

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Unset stands, in a topology that LoadForReading gave, for a variable that is not set and has no default.
const Unset = "http://unset.invalid"

// place is where a key of a file stands, and its scalar as it is written there.
type place struct {
	line int
	text string
}

// Written tells where a dotted key of a file stands ("deliver.0.http.url"), its text with the variables still in it, empty for
// lists and maps, and whether it is there at all. Lines count from 1; a missing key has the line of what holds it.
func (t *Topology) Written(file, key string) (line int, text string, ok bool) {
	p, ok := t.written[file+"#"+key]
	for !ok && key != "" {
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
		if up, found := t.written[file+"#"+key]; found {
			return up.line, "", false
		}
	}
	return max(1, p.line), p.text, ok
}

// File is the name of the file that a Mark names.
func File(mark string) string { return strings.TrimSuffix(mark, ":1") }

// LoadForReview is LoadForReading for who wants to see what is wrong: the topology as far as it could be read, and every fault.
func LoadForReview(fsys fs.FS, lookup func(string) (string, bool)) (*Topology, []*Fault) {
	t, errs := load(&loader{fsys: fsys, lookup: lookup, written: map[string]place{}, unset: Unset})
	return t, Faults(errors.Join(errs...))
}

// Faults are the faults that an error of Load or LoadForReading joins; nil for another error.
func Faults(err error) []*Fault {
	var out []*Fault
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			var f *Fault
			if errors.As(e, &f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// only is a topology without faults, or the faults.
func only(t *Topology, faults []error) (*Topology, error) {
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return t, nil
}

// index remembers the place of every key below n.
func (l *loader) index(name, at string, n *yaml.Node) {
	for i, c := range n.Content {
		switch n.Kind {
		case yaml.DocumentNode:
			l.index(name, at, c)
		case yaml.SequenceNode:
			key := strings.TrimPrefix(fmt.Sprintf("%s.%d", at, i), ".")
			l.written[name+"#"+key] = place{c.Line, c.Value}
			l.index(name, key, c)
		case yaml.MappingNode:
			if i%2 == 1 {
				key := strings.TrimPrefix(at+"."+n.Content[i-1].Value, ".")
				l.written[name+"#"+key] = place{n.Content[i-1].Line, c.Value}
				l.index(name, key, c)
			}
		}
	}
}

// at records a fault at a key, or at the file's first line where the key is missing.
func (l *loader) at(file, key, format string, args ...any) {
	if l.openBelow(file + "#" + key) {
		return // it may follow from that
	}
	l.fault(file, max(1, l.written[file+"#"+key].line), format, args...)
}

// fault records one, but for what follows from a value that nobody has decided.
func (l *loader) fault(file string, line int, format string, args ...any) {
	if l.opened[spot{file, line}] {
		return
	}
	l.faults = append(l.faults, &Fault{File: file, Line: line, Text: fmt.Sprintf(format, args...), Check: format})
}

// yamlFault turns the decoder's "line N: text" into a Fault. The decoder gives no more than a text, so that a check that is not
// given is what stands before the first name in it.
func (l *loader) yamlFault(name, text, check string) {
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if num, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(num); err == nil {
				line, text = n, after
			}
		}
	}
	if m := unknownKey.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("unknown key %q: %s", m[1], knownKeys(m[2]))
	}
	if check == "" {
		check, _, _ = strings.Cut(text, " \"")
	}
	for _, start := range []string{"body member", "cannot unmarshal"} {
		if strings.HasPrefix(text, start) {
			check = start
		}
	}
	if !l.opened[spot{name, line}] {
		l.faults = append(l.faults, &Fault{File: name, Line: line, Text: text, Check: check})
	}
}

// TextsUnder lists the scalars below a dotted key of a file as they are written, sorted by their keys.
func (t *Topology) TextsUnder(file, key string) []string {
	var keys []string
	for k, p := range t.written {
		if strings.HasPrefix(k, file+"#"+key+".") && p.text != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = t.written[k].text
	}
	return keys
}
