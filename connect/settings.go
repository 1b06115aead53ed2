package connect

import (
	"fmt"
	"os"
	"strings"

	"github.com/binaryandbeyond/seam/topology"
)

// settings reads the variables of one peer, which all begin with its prefix.
type settings struct {
	prefix string // SEAM_KAFKA_ or SEAM_REGISTRY_
	lookup func(string) (string, bool)
}

func newSettings(prefix string, lookup func(string) (string, bool)) settings {
	return settings{prefix, topology.WithFiles(lookup)}
}

// name is a variable's whole name.
func (s settings) name(short string) string { return s.prefix + short }

// get is a variable's value, or that of its file, as it is at this moment; empty when there is none.
func (s settings) get(short string) string {
	v, _ := s.lookup(s.name(short))
	return v
}

// has tells whether a variable or its _FILE is set, readable or not.
func (s settings) has(short string) bool { return s.get(short) != "" || s.get(short+"_FILE") != "" }

// need is the value of a variable without which why cannot be done.
func (s settings) need(short, why string) (string, error) {
	if v := s.get(short); v != "" {
		return v, nil
	}
	name := s.name(short)
	path := s.get(short + "_FILE")
	if path == "" {
		return "", fmt.Errorf("%s and there is no %s: set it, or %s_FILE to a file that holds it", why, name, name)
	}
	text, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	case strings.TrimSpace(string(text)) == "":
		return "", fmt.Errorf("%s_FILE: %s is empty", name, path)
	}
	return "", fmt.Errorf("%s_FILE is %s: write a path with a folder", name, path)
}

// pairs reads a list like logicalCluster=lkc-1,identityPoolId=pool-1.
func (s settings) pairs(short string) (map[string]string, error) {
	text := s.get(short)
	if text == "" {
		return nil, nil
	}
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("%s is %q: write name=value,name=value", s.name(short), text)
		}
		out[key] = value
	}
	return out, nil
}
