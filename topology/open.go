package topology

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Open stands for a value that nobody has decided yet: Load refuses it wherever it stands, and tells the question that the
// comment of its line asks. seam new writes it; nothing is ever taken as a default for it.
const Open = "TODO"

// openCheck is the Check of an open question's Fault.
const openCheck = "%s is open: %s"

// spot is a line of a file.
type spot struct {
	file string
	line int
}

// openQuestions records a fault for every value below n that is Open. What else is wrong with such a line is not told: it follows.
func (l *loader) openQuestions(file, key string, n *yaml.Node, comment string) {
	comment = cmp.Or(n.LineComment, comment)
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Value != Open || l.opened[spot{file, n.Line}] {
			return
		}
		ask := strings.TrimSpace(strings.TrimLeft(comment, "# "))
		l.fault(file, n.Line, openCheck, key, cmp.Or(ask, "write a value"))
		if l.opened == nil {
			l.opened = map[spot]bool{}
		}
		l.opened[spot{file, n.Line}] = true
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			l.openQuestions(file, k.Value, n.Content[i+1], cmp.Or(k.LineComment, comment, k.HeadComment))
		}
	default:
		for _, c := range n.Content {
			l.openQuestions(file, key, c, comment)
		}
	}
}

// openBelow tells whether a value below a place is one that nobody has decided.
func (l *loader) openBelow(at string) bool {
	if len(l.opened) == 0 {
		return false
	}
	for k, p := range l.written {
		if p.text == Open && strings.HasPrefix(k, at+".") {
			return true
		}
	}
	return false
}

// OpenQuestions are the faults that say so of a value nobody has decided, and the rest.
func OpenQuestions(faults []*Fault) (open, rest []*Fault) {
	for _, f := range faults {
		if f.Check == openCheck {
			open = append(open, f)
		} else {
			rest = append(rest, f)
		}
	}
	return open, rest
}

// Variables lists the names that a file's text asks for as ${NAME}, sorted, without repetition; those with a default count
// where all is true.
func Variables(text string, all bool) []string {
	var out []string
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if (all || m[2] == "") && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return out
}
