package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// Written is what was made.
type Written struct {
	Files     []string          `json:"files"`     // in the folder, with /
	Open      []*topology.Fault `json:"open"`      // questions that nobody answered: until then nothing starts
	Variables []string          `json:"variables"` // that the files ask for and have no default
}

// example is the file of Topology's that lists the variables.
const example = "env.example"

// Topology writes the shipped topology into a folder, made where it is not there, with every variable that its files ask for in
// env.example. It writes nothing where one of the files exists.
func Topology(dir string) (*Written, error) {
	files := map[string]string{}
	var all []string
	err := fs.WalkDir(topology.Default(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(topology.Default(), name)
		files[name] = string(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	w := &Written{Open: []*topology.Fault{}, Variables: []string{}}
	for _, content := range files {
		for _, v := range topology.Variables(content, true) {
			if !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		for _, v := range topology.Variables(content, false) {
			if !slices.Contains(w.Variables, v) {
				w.Variables = append(w.Variables, v)
			}
		}
	}
	sort.Strings(all)
	sort.Strings(w.Variables)
	text := "# What the files here ask for, one NAME=value a line. A source without a secret, folder or URL is switched off.\n"
	for _, v := range all {
		text += v + "=\n"
	}
	files[example] = text
	w.Files, err = write(dir, files)
	return w, err
}

// Integration writes integrations/NAME.yaml and its tests into a topology's folder. answers are by the Key of
// IntegrationQuestions; what is missing is open. An answer that Load refuses is an error, and nothing is left behind then.
func Integration(dir, name string, answers map[string]string) (*Written, error) {
	file, test := "integrations/"+name+".yaml", "integrations/"+name+topology.TestSuffix
	text := integration(name, IntegrationQuestions(name, Teams(dir)), answers)
	return checked(dir, file, map[string]string{file: text, test: tests(name, text, speaker(dir), words(answers[KeyOn]))})
}

// Source writes sources/NAME.yaml, as Integration does.
func Source(dir, name string, answers map[string]string) (*Written, error) {
	file := "sources/" + name + ".yaml"
	return checked(dir, file, map[string]string{file: source(name, SourceQuestions(Teams(dir)), answers)})
}

// checked writes files and takes them back where Load finds more wrong in the first than open questions.
func checked(dir, file string, files map[string]string) (*Written, error) {
	if name := strings.TrimSuffix(path.Base(file), ".yaml"); !topology.ValidName(name) {
		return nil, fmt.Errorf("name %q: use lower case letters, digits and -, at most 40", name)
	}
	made, err := write(dir, files)
	if err != nil {
		return nil, err
	}
	_, err = topology.LoadForReading(os.DirFS(dir), os.LookupEnv)
	var own []*topology.Fault
	for _, f := range topology.Faults(err) {
		if f.File == file {
			own = append(own, f)
		}
	}
	w := &Written{Files: made, Variables: topology.Variables(files[file], false)}
	var rest []*topology.Fault
	if w.Open, rest = topology.OpenQuestions(own); len(rest) == 0 {
		return w, nil
	}
	faults := []error{errors.New("nothing is written: the answers do not make a file that loads")}
	for _, f := range rest {
		faults = append(faults, f)
	}
	for _, name := range made {
		faults = append(faults, os.Remove(filepath.Join(dir, filepath.FromSlash(name))))
	}
	return nil, errors.Join(faults...)
}

// write makes files of a folder, none of which may exist.
func write(dir string, files map[string]string) ([]string, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			return nil, fmt.Errorf("%s exists: nothing is written over", filepath.Join(dir, filepath.FromSlash(name)))
		}
	}
	sort.Strings(names)
	for _, name := range names {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		_, err = f.WriteString(files[name])
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Teams lists the teams of a folder, sorted; none where that cannot be told.
func Teams(dir string) []string {
	t, _ := topology.LoadForReview(os.DirFS(dir), os.LookupEnv)
	var out []string
	if t != nil {
		for name := range t.Teams {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// speaker is the system that owns most orders' words in a folder: whose events a test begins with.
func speaker(dir string) string {
	if t, _ := topology.LoadForReview(os.DirFS(dir), os.LookupEnv); t != nil {
		if owner := t.Ownership["order.status"].Owner; len(owner) > 0 {
			return string(owner[0])
		}
	}
	return "shop"
}
