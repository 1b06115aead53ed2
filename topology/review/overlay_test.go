package review

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/topology"
)

// overlay is the shipped topology with changes: for each file either its whole text, or null to leave it out, or a map of paths
// ("deliver/0/http/url", "copies/+" for one more) to what stands there, null for nothing.
func overlay(t *testing.T, changes string) fs.FS {
	t.Helper()
	files := shipped(t)
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(changes), &doc); err != nil {
		t.Fatalf("the changes are no YAML: %v\n%s", err, changes)
	}
	top := doc.Content[0]
	for i := 0; i < len(top.Content); i += 2 {
		name, change := top.Content[i].Value, top.Content[i+1]
		switch {
		case change.Tag == "!!null":
			delete(files, name)
		case change.Kind == yaml.ScalarNode:
			files[name] = &fstest.MapFile{Data: []byte(change.Value)}
		default:
			files[name] = &fstest.MapFile{Data: changed(t, name, files[name], change)}
		}
	}
	return files
}

// shipped is a copy of the shipped files, but for tests.
func shipped(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(topology.Default(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" || strings.HasSuffix(name, topology.TestSuffix) {
			return err
		}
		b, err := fs.ReadFile(topology.Default(), name)
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func changed(t *testing.T, name string, file *fstest.MapFile, change *yaml.Node) []byte {
	t.Helper()
	if file == nil {
		t.Fatalf("%s does not ship: give its whole text", name)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(file.Data, &doc); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(change.Content); i += 2 {
		put(t, doc.Content[0], strings.Split(change.Content[i].Value, "/"), change.Content[i+1])
	}
	b, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put sets or takes out what stands at a path below n.
func put(t *testing.T, n *yaml.Node, at []string, value *yaml.Node) {
	t.Helper()
	last := len(at) == 1
	if n.Kind == yaml.SequenceNode {
		if at[0] == "+" {
			n.Content = append(n.Content, value)
			return
		}
		i, err := strconv.Atoi(at[0])
		switch {
		case err != nil || i >= len(n.Content):
			t.Fatalf("there is no %q in a list of %d", at[0], len(n.Content))
		case last:
			n.Content[i] = value
		default:
			put(t, n.Content[i], at[1:], value)
		}
		return
	}
	i := 0
	for i < len(n.Content) && n.Content[i].Value != at[0] {
		i += 2
	}
	gone := value.Tag == "!!null"
	switch {
	case i == len(n.Content) && gone:
		t.Fatalf("there is no %q to take out", at[0])
	case i == len(n.Content):
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: at[0]}, &yaml.Node{Kind: yaml.MappingNode})
	}
	switch {
	case last && gone:
		n.Content = slices.Delete(n.Content, i, i+2)
	case last:
		n.Content[i+1] = value
	default:
		put(t, n.Content[i+1], at[1:], value)
	}
}

// found is the ids that a review of changes finds beside those that it finds in what ships, sorted. What is waived is left out.
func found(t *testing.T, changes string) []string {
	t.Helper()
	report := Folder(overlay(t, changes), nothing, today)
	var out []string
	for _, f := range report.Findings {
		known := slices.ContainsFunc(usual(), func(u Finding) bool { return u.Rule == f.Rule && u.On == f.On && u.Text == f.Text })
		if !known && f.Waived == nil && !slices.Contains(out, f.Rule) {
			out = append(out, f.Rule)
		}
	}
	slices.Sort(out)
	return out
}

// usual is what a review finds in what ships.
var usual = sync.OnceValue(func() []Finding { return Folder(topology.Default(), nothing, today).Findings })
