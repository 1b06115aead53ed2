package topology

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// WithFiles looks variables up as lookup does, and those that are not set in the file that NAME_FILE names, as images of databases
// do: SHOPIFY_SECRET_FILE=/run/secrets/shopify. White space at the end of the file is not the value's. A file that cannot be read
// is as if the variable were not set: Load says that it is.
func WithFiles(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, ok := lookup(name); ok && v != "" {
			return v, ok
		}
		path := secretPath(lookup, name)
		if path == "" {
			return lookup(name)
		}
		v, err := readSecret(path)
		return v, err == nil
	}
}

// secretPath is the file that holds a variable's value, by NAME_FILE; empty when none is named. It is a path with a folder.
func secretPath(lookup func(string) (string, bool), name string) string {
	if path, _ := lookup(name + "_FILE"); filepath.Base(path) != path {
		return path
	}
	return ""
}

func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(text), " \t\r\n"), nil
}

// EnvironmentNamed is an entry of environments.yaml; an error when there is none of that name.
func EnvironmentNamed(fsys fs.FS, name string) (Environment, error) {
	all := map[string]Environment{}
	l := &loader{fsys: fsys, lookup: func(string) (string, bool) { return "", false }, written: map[string]place{}, unset: unsetValue}
	l.optional("environments.yaml", &all)
	if len(l.faults) > 0 {
		return Environment{}, l.faults[0]
	}
	env, ok := all[name]
	if !ok {
		return env, fmt.Errorf("environments.yaml has no environment %q: it has %s", name, orWord(strings.Join(sortedKeys(all), ", "), "none"))
	}
	return env, nil
}

const (
	rereadEvery = 10 * time.Second // how long the text of a secret's file is trusted
	overlap     = 24 * time.Hour   // how long what a source signs with is taken after its file has another
)

// SecretFile is a secret that stands in a file and may change while Seam runs. Safe for concurrent use.
type SecretFile struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	text    Secret
	before  Secret // the one before it
	changed time.Time
	read    time.Time
}

// OpenSecretFile follows a file whose text is known. now is our clock.
func OpenSecretFile(path string, text Secret, now func() time.Time) *SecretFile {
	return &SecretFile{path: path, text: text, now: now, read: now()}
}

// Current is the secret as its file has it, at most ten seconds old. A file that is empty or cannot be read for a moment, because
// it is being replaced, leaves the last one, and so does one with a control character, which no header can carry.
func (f *SecretFile) Current() Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	return f.text
}

// Accepted is the secret as its file has it and, for a day, the one before it: who signs changes over at another moment than we.
func (f *SecretFile) Accepted() []Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	if f.before != "" && f.now().Sub(f.changed) < overlap {
		return []Secret{f.text, f.before}
	}
	return []Secret{f.text}
}

// Stale makes the next look read the file: the downstream refused the secret.
func (f *SecretFile) Stale() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = time.Time{}
}

func (f *SecretFile) refresh() {
	now := f.now()
	if now.Sub(f.read) < rereadEvery {
		return
	}
	f.read = now
	if v, err := readSecret(f.path); err == nil && v != "" && Secret(v) != f.text && HeaderValue(v) {
		f.before, f.text, f.changed = f.text, Secret(v), now
	}
}

// Now is how a request is authenticated at this moment: secrets of files as the files have them.
func (a Auth) Now() Auth {
	if a.file == nil {
		return a
	}
	if a.Bearer != "" {
		a.Bearer = a.file.Current()
	} else {
		a.Value = a.file.Current()
	}
	return a
}

// Stale has a secret that stands in a file read again before the next request.
func (a Auth) Stale() {
	if a.file != nil {
		a.file.Stale()
	}
}

// Keys are the secrets that a delivery may be signed with at this moment.
func (s *Source) Keys() []Secret { return current(s.Secrets, s.files) }

// current is a list of secrets as their files have them; of one that changed within a day the one before it too.
func current(secrets []Secret, files []*SecretFile) []Secret {
	if len(files) == 0 {
		return secrets
	}
	var out []Secret
	for i, secret := range secrets {
		if f := files[i]; f != nil {
			out = append(out, f.Accepted()...)
		} else {
			out = append(out, secret)
		}
	}
	return out
}

// APIToken is the token of a poll at this moment.
func (s *Source) APIToken() Secret {
	if s.tokenFile == nil {
		return s.Token
	}
	return s.tokenFile.Current()
}

// secretFiles finds the secrets that stand in files, so that they are followed.
func (l *loader) secretFiles(t *Topology) {
	for i := range t.Integrations {
		in := &t.Integrations[i]
		file := strings.TrimSuffix(in.Mark, ":1")
		if in.Sign != nil {
			in.Sign.files = l.followed(file+"#sign.secrets", in.Sign.Secrets)
		}
		for j := range in.Deliver {
			if http := in.Deliver[j].HTTP; http != nil {
				at := fmt.Sprintf("%s#deliver.%d.http.auth.", file, j)
				if http.Auth.file = l.secretFile(at+"bearer", http.Auth.Bearer); http.Auth.file == nil {
					http.Auth.file = l.secretFile(at+"value", http.Auth.Value)
				}
				if o := http.Auth.OAuth2; o != nil {
					o.file = l.secretFile(at+"oauth2.client_secret", o.ClientSecret)
				}
			}
		}
	}
	for i := range t.Sources {
		s := &t.Sources[i]
		file := strings.TrimSuffix(s.Mark, ":1")
		s.tokenFile = l.secretFile(file+"#token", s.Token)
		s.files = l.followed(file+"#secrets", s.Secrets)
	}
}

// followed are the files of a list of secrets, by index; nil for one that is fixed. The empty ones are left out of the list by now.
func (l *loader) followed(key string, secrets []Secret) []*SecretFile {
	var out []*SecretFile
	for _, secret := range secrets {
		var found *SecretFile
		for n := 0; found == nil; n++ {
			v, ok := l.values[fmt.Sprintf("%s.%d", key, n)]
			if !ok {
				break
			}
			if v.Text == secret.Reveal() {
				found = l.secretFile(fmt.Sprintf("%s.%d", key, n), secret)
			}
		}
		out = append(out, found)
	}
	return out
}

// secretFile is the file that the secret at a key came from; nil when its whole text is not that of one.
func (l *loader) secretFile(key string, secret Secret) *SecretFile {
	vars := l.values[key].Variables
	if len(vars) != 1 || secret == "" || l.unset != "" {
		return nil
	}
	path := secretPath(l.lookup, vars[0])
	if path == "" {
		return nil
	}
	if text, err := readSecret(path); err != nil || text != secret.Reveal() {
		return nil // the variable itself is set, and wins; or it is only a part of the text
	}
	return OpenSecretFile(path, secret, time.Now)
}
