package contract

import (
	"maps"
	"slices"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// place is one path of a subject's shape.
type place struct {
	path    string
	free    bool // its names are data
	worded  bool // its texts may be kept
	kids    map[string]*place
	items   *place // of its arrays
	kinds   Kind
	present int64           // values other than null, since this process began
	nulls   int64           // of elements of arrays
	objects int64           // of present
	at      int64           // the object of its parent that last had it
	words   map[string]bool // nil once open
	open    bool            // the texts are no enumeration
	first   time.Time
	last    time.Time
	before  schemas.ContractPath // what was known when this process began
	rule    *rule                // nil: not expected
	needs   int                  // kids that are required
}

// rule is what is expected at a place.
type rule struct {
	kinds    Kind // 0: any, and anything below
	required bool
	words    map[string]bool // nil: any
}

func newPlace(path string, worded bool) *place {
	p := &place{path: path, worded: worded, open: !worded}
	if worded {
		p.words = map[string]bool{}
	}
	return p
}

// note keeps a text, if texts are kept here.
func (p *place) note(text string) {
	if p.open || p.words[text] {
		return
	}
	if len(p.words) == maxWords || !word(text) {
		p.words, p.open = nil, true
		return
	}
	p.words[text] = true
}

// each visits the place and all below it.
func (p *place) each(visit func(*place, *place)) { p.eachBelow(nil, visit) }

func (p *place) eachBelow(parent *place, visit func(p, parent *place)) {
	visit(p, parent)
	if p.items != nil {
		p.items.eachBelow(p, visit)
	}
	for _, kid := range p.kids {
		kid.eachBelow(p, visit)
	}
}

// seen is what is known of the place, from before and since.
func (p *place) seen(parent *place) schemas.ContractPath {
	out := schemas.ContractPath{Path: p.path, Types: (p.kinds | kindsOf(p.before.Types)).String(), Present: p.before.Present + p.present,
		Absent: p.before.Absent + p.nulls, Open: p.open, First: p.first, Last: p.last}
	if parent != nil && parent.items != p {
		out.Absent = p.before.Absent + max(0, parent.objects-p.present)
		if p.before.Path == "" { // it is new: nothing before had it
			out.Absent += parent.before.Present
		}
	}
	if !p.before.First.IsZero() {
		out.First = p.before.First
	}
	if out.Last.IsZero() {
		out.Last = p.before.Last
	}
	if p.worded && !p.open {
		out.Values = slices.Sorted(maps.Keys(p.words))
	}
	return out
}

// recall gives the place what was known before this process.
func (p *place) recall(c schemas.ContractPath) {
	p.before = c
	if c.Open {
		p.words, p.open = nil, true
	}
	for _, text := range c.Values {
		p.note(text)
	}
}
