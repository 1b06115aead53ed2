package contract

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// File is contracts/<name>.yaml for what was seen to be as declared: what the topology declares of the name already stays, and
// what was seen beside is added. False where nothing was seen of the name. Comments of a file that is there are not kept.
func File(t *topology.Topology, seen map[string]*schemas.Contract, name string) ([]byte, bool) {
	sections := map[string]map[string]topology.Shape{topology.SideSource: {}, topology.SideIntegration: {}}
	for _, c := range t.Contracts {
		if c.Name == name {
			maps.Copy(sections[topology.SideSource], c.Source)
			maps.Copy(sections[topology.SideIntegration], c.Integration)
		}
	}
	some := false
	for _, c := range seen {
		if c.Name != name || len(c.Paths) == 0 || c.Documents == 0 || !lives(t, c) {
			continue
		}
		some = true
		sections[c.Side][c.Topic] = Accept(sections[c.Side][c.Topic], c.Paths)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The shape of what %s sends and answers, as it was accepted. Written by: seam contract %s --write\n", name, name)
	fmt.Fprintf(&b, "# path: type, with ? where it may be missing or null; seam contract --help and docs/contracts.md say more.\nname: %s\n", name)
	for _, side := range []string{topology.SideSource, topology.SideIntegration} {
		if len(sections[side]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", side)
		for _, topic := range slices.Sorted(maps.Keys(sections[side])) {
			fmt.Fprintf(&b, "  %s:", quoted(topic))
			shape := sections[side][topic]
			if len(shape) == 0 {
				fmt.Fprint(&b, " {}")
			}
			fmt.Fprintln(&b)
			for _, path := range slices.Sorted(maps.Keys(shape)) {
				fmt.Fprintf(&b, "    %s: %s\n", quoted(path), written(shape[path]))
			}
		}
	}
	return b.Bytes(), some
}

// written is a rule as the file has it.
func written(r topology.ShapeRule) string {
	text := quoted(r.Text())
	if r.Values == nil {
		return text
	}
	list := yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range r.Values {
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v})
	}
	b, err := yaml.Marshal(&list)
	if err != nil {
		return text
	}
	return fmt.Sprintf("{type: %q, values: %s}", r.Text(), bytes.TrimSpace(b))
}

// quoted is a text as a scalar of YAML on one line: bare where it is one.
func quoted(text string) string {
	b, err := yaml.Marshal(text)
	if err != nil || bytes.Count(b, []byte("\n")) > 1 {
		return fmt.Sprintf("%q", text)
	}
	return string(bytes.TrimSpace(b))
}
