package producers

import (
	"hash/maphash"
	"sync"
)

// nursery makes the values of documents out of memory that it gets in batches. It grows to what the documents need.
type nursery struct {
	nodes []node
	lists []*node
	// The first of each that are in use.
	usedNodes, usedLists int
}

// The least and the most of a batch of nodes. An order of 3 KB has 130 values.
const (
	leastBatch = 32
	mostBatch  = 1024
)

// node is a new empty value.
func (r *nursery) node() *node {
	if r.usedNodes == len(r.nodes) {
		r.nodes, r.usedNodes = make([]node, min(max(2*len(r.nodes), leastBatch), mostBatch)), 0
	}
	r.usedNodes++
	return &r.nodes[r.usedNodes-1]
}

// list is a copy of values; nil of none. Appending to it leaves other lists alone.
func (r *nursery) list(values []*node) []*node {
	if len(values) == 0 {
		return nil
	}
	if r.usedLists+len(values) > len(r.lists) {
		r.lists, r.usedLists = make([]*node, max(min(2*len(r.lists), mostBatch), leastBatch, len(values))), 0
	}
	from := r.usedLists
	r.usedLists += len(values)
	out := r.lists[from:r.usedLists:r.usedLists]
	copy(out, values)
	return out
}

// reset takes everything back that it gave: nothing may use it any more.
func (r *nursery) reset() {
	clear(r.nodes[:r.usedNodes])
	clear(r.lists[:r.usedLists])
	r.usedNodes, r.usedLists = 0, 0
	if len(r.lists) > mostBatch {
		r.lists = nil
	}
}

// parsers are for documents of which nothing but texts outlives the use.
var parsers = sync.Pool{New: func() any { return new(parser) }}

// withJSON reads a document as parseJSON does and has it used. The document ends with use: no node of it may be kept,
// texts may.
func withJSON(b []byte, use func(*node, error)) {
	p := parsers.Get().(*parser)
	use(p.parse(b, maxValues))
	p.reset()
	parsers.Put(p)
}

// reset forgets the document and keeps the memory that is worth it.
func (p *parser) reset() {
	p.room.reset()
	clear(p.open[:cap(p.open)])
	if p.b, p.s, p.open = nil, "", p.open[:0]; cap(p.open) > mostBatch {
		p.open = nil
	}
}

// nameSet is the member names of one object.
type nameSet struct {
	marks [4]uint64       // a bit for each hash: a name whose bit is not set is new
	many  map[string]bool // from manyNames on, where most bits are set
}

const manyNames = 64

var nameSeed = maphash.MakeSeed()

// add tells whether a name is new; others are the members that were added before.
func (s *nameSet) add(name string, others []*node) bool {
	if len(others) >= manyNames {
		return s.addToMany(name, others)
	}
	h := maphash.String(nameSeed, name)
	mark := &s.marks[h>>6&3]
	if bit := uint64(1) << (h & 63); *mark&bit == 0 {
		*mark |= bit
		return true
	}
	for _, other := range others {
		if other.name == name {
			return false
		}
	}
	return true
}

func (s *nameSet) addToMany(name string, others []*node) bool {
	if s.many == nil {
		s.many = make(map[string]bool, 2*manyNames)
		for _, other := range others {
			s.many[other.name] = true
		}
	}
	if s.many[name] {
		return false
	}
	s.many[name] = true
	return true
}
