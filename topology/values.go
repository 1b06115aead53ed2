package topology

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is one scalar of a topology file with its variables filled in.
type Value struct {
	Text      string
	Variables []string // whose values are in the text, in its order
	Line      int
	Secret    bool // it authenticates: show Masked
}

// Masked is the text for people: a secret, and a password in an address, is "***".
func (v Value) Masked() string {
	if v.Secret && v.Text != "" && v.Text != unsetValue {
		return "***"
	}
	return password.ReplaceAllString(v.Text, "$1***@")
}

const unsetValue = "(unset)" // stands for a variable that is not set and has no default

var (
	password = regexp.MustCompile(`(://[^/@:]*:)[^/@]+@`)
	// Keys of the files that hold secrets, and words by which variables say that they do.
	secretKey  = regexp.MustCompile(`(^|\.)(auth\.(bearer|value|oauth2\.client_secret)|token|secrets\.\d+|headers\.(?i:[^.]*(authorization|cookie|key|token|secret)[^.]*))$`)
	secretName = regexp.MustCompile(`(^|_)(SECRET|TOKEN|PASSWORD|PASSWD|KEY|HMAC|CREDENTIALS?)(_|$)`)
)

// Values are all scalars of the files by "file#dotted.key" ("integrations/erp.yaml#deliver.0.http.url"). A variable that is not set
// is "(unset)". Files that are no YAML are the error.
func Values(fsys fs.FS, lookup func(string) (string, bool)) (map[string]Value, error) {
	l := &loader{fsys: fsys, lookup: lookup, unset: unsetValue}
	for _, dir := range []string{".", "sources", "integrations", "subscribers"} {
		for _, name := range l.list(dir) {
			text, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			var doc yaml.Node
			if err := yaml.Unmarshal(text, &doc); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			l.expand(path.Clean(name), &doc)
			l.keep(path.Clean(name), "", &doc)
		}
	}
	return l.values, nil
}

// list names the YAML files of a folder but for tests, sorted.
func (l *loader) list(dir string) []string {
	names, err := fs.Glob(l.fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		l.fault(dir, 0, "%v", err)
	}
	sort.Strings(names)
	return slices.DeleteFunc(names, isTest)
}

// origin remembers which variables a scalar names, before they are filled in. A file that should hold one and cannot be read is a
// fault, also where there is a default: a source without its secret would be off.
func (l *loader) origin(file string, n *yaml.Node) {
	if l.origins == nil {
		l.origins = map[*yaml.Node][]string{}
	}
	for _, m := range variable.FindAllStringSubmatch(n.Value, -1) {
		l.origins[n] = append(l.origins[n], m[1])
		if v, _ := l.lookup(m[1]); secretName.MatchString(m[1]) && len(v) >= 4 {
			l.secrets = append(l.secrets, v)
		}
		if l.unset != "" {
			continue
		}
		if v, _ := l.lookup(m[1]); v == "" {
			if path := secretPath(l.lookup, m[1]); path != "" {
				if _, err := readSecret(path); err != nil {
					l.fault(file, n.Line, "variable %s_FILE: %v", m[1], err)
				}
			}
		}
	}
}

// keep remembers every scalar below n.
func (l *loader) keep(file, at string, n *yaml.Node) {
	if l.values == nil {
		l.values = map[string]Value{}
	}
	for i, c := range n.Content {
		switch n.Kind {
		case yaml.DocumentNode:
			l.keep(file, at, c)
		case yaml.SequenceNode:
			l.keep(file, strings.TrimPrefix(fmt.Sprintf("%s.%d", at, i), "."), c)
		case yaml.MappingNode:
			if i%2 == 1 {
				l.keep(file, strings.TrimPrefix(at+"."+n.Content[i-1].Value, "."), c)
			}
		}
	}
	if n.Kind == yaml.ScalarNode {
		vars := l.origins[n]
		l.values[file+"#"+at] = Value{Text: n.Value, Variables: vars, Line: n.Line, Secret: secretKey.MatchString(at) || slices.ContainsFunc(vars, secretName.MatchString)}
	}
}

// Difference is a value that two environments do not share; it holds no secret.
type Difference struct {
	File      string   `json:"file"`
	Key       string   `json:"key"`
	Variables []string `json:"variables,omitempty"` // by which the value differs
	A         string   `json:"a"`                   // "***" for a secret
	B         string   `json:"b"`
	Secret    bool     `json:"secret,omitempty"`
}

// Absent is the text of a value that one of two environments does not have.
const Absent = "(absent)"

// Differ lists what differs between two environments, by file and key, and the secrets that they share, as "file key (VARIABLE)":
// what opens staging should not open production.
func Differ(a, b map[string]Value) (differences []Difference, shared []string) {
	for _, k := range keysOfBoth(a, b) {
		file, key, _ := strings.Cut(k, "#")
		va, inA := a[k]
		vb, inB := b[k]
		secret := va.Secret || vb.Secret
		if inA && inB && va.Text == vb.Text {
			if secret && va.Text != "" && va.Text != unsetValue {
				shared = append(shared, fmt.Sprintf("%s %s (%s)", file, key, strings.Join(va.Variables, ", ")))
			}
			continue
		}
		va.Secret, vb.Secret = secret, secret
		d := Difference{File: file, Key: key, Variables: va.Variables, A: Absent, B: Absent, Secret: secret}
		if inA {
			d.A = va.Masked()
		}
		if inB {
			d.B = vb.Masked()
		}
		for _, name := range vb.Variables {
			if !slices.Contains(d.Variables, name) {
				d.Variables = append(slices.Clone(d.Variables), name)
			}
		}
		differences = append(differences, d)
	}
	return differences, shared
}

// hideSecrets takes secrets out of the faults: one that was written where an address or a duration belongs is told of like any other
// mistake, and would be shown.
func (l *loader) hideSecrets() {
	for _, err := range l.faults {
		f, ok := err.(*Fault) //nolint:errorlint // they are not wrapped here
		if !ok {
			continue
		}
		for _, secret := range l.secrets {
			f.Text = strings.ReplaceAll(f.Text, secret, "***")
		}
		f.Text = password.ReplaceAllString(f.Text, "$1***@")
	}
}
