package sealing

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// A leaf is named by 48 bits of the hash of its subject: of a hundred million subjects, erasing one takes another's key
// along with a chance of 1 to 3 million. The first level has a node for each shard, so that one record does not grow with
// everything that is erased; the others have four each.
const (
	leafBits  = 48
	shardBits = 12
	fanBits   = 2
	depth     = 1 + (leafBits-shardBits)/fanBits // of leaves; the root's is 0
	wholeRoot = -1                               // the part that holds what is above the shards
)

// seed is what everything under a node follows from; a leaf's is its key.
type seed [sha256.Size]byte

// node names a node: the path is the number of the node among all of its depth.
type node struct {
	depth uint8
	path  uint64
}

// leaf is the node of a subject.
func leaf(subject string) node {
	sum := sha256.Sum256([]byte(subject))
	return node{depth, binary.BigEndian.Uint64(sum[:]) >> (64 - leafBits)}
}

// shard is the part of the tree that a leaf or a node below the shards is in.
func (n node) shard() int { return int(n.path >> (fanBits * (int(n.depth) - 1))) }

// above is the node on the way to n at a depth.
func (n node) above(d uint8) node {
	if d == 0 {
		return node{}
	}
	return node{d, n.path >> (fanBits * (n.depth - d))}
}

// fan is how many children the nodes of a depth have.
func fan(d uint8) uint64 {
	if d == 0 {
		return 1 << shardBits
	}
	return 1 << fanBits
}

// child is the seed of a child: the way back needs a preimage of SHA-256.
func (s seed) child(c node) seed {
	var in [4 + len(s) + 9]byte
	copy(in[:], "seam")
	copy(in[4:], s[:])
	in[4+len(s)] = c.depth
	binary.BigEndian.PutUint64(in[5+len(s):], c.path)
	return sha256.Sum256(in[:])
}

// down is the seed of a node below n.
func (s seed) down(n, to node) seed {
	for d := n.depth + 1; d <= to.depth; d++ {
		s = s.child(to.above(d))
	}
	return s
}

// tree is what is left of one root, in the parts that records hold: part wholeRoot, and one for each shard that something was
// erased of. It is never written to once others can see it.
type tree map[int]map[node]seed

// find is the node that a leaf's key follows from; ok is false when it is destroyed.
func (t tree) find(l node) (n node, s seed, ok bool) {
	if part, punctured := t[l.shard()]; punctured {
		for d := uint8(depth); d > 1; d-- {
			if s, ok = part[l.above(d)]; ok {
				return l.above(d), s, true
			}
		}
		return node{}, seed{}, false
	}
	for _, d := range []uint8{1, 0} {
		if s, ok = t[wholeRoot][l.above(d)]; ok {
			return l.above(d), s, true
		}
	}
	return node{}, seed{}, false
}

// key is a leaf's key; ok is false when it is destroyed.
func (t tree) key(l node) (_ seed, ok bool) {
	n, s, ok := t.find(l)
	return s.down(n, l), ok
}

// puncture is the tree without a leaf's key, and the parts that changed; none when it was destroyed before.
func (t tree) puncture(l node) (tree, []int) {
	n, s, ok := t.find(l)
	if !ok {
		return t, nil
	}
	out := tree{}
	for part, nodes := range t {
		out[part] = nodes
	}
	var changed []int
	writable := func(part int) map[node]seed {
		if !slices.Contains(changed, part) {
			nodes := map[node]seed{}
			for n, s := range out[part] {
				nodes[n] = s
			}
			out[part], changed = nodes, append(changed, part)
		}
		return out[part]
	}
	partOf := func(n node) int {
		if n.depth <= 1 {
			return wholeRoot
		}
		return l.shard()
	}
	delete(writable(partOf(n)), n)
	writable(l.shard())
	for ; n.depth < depth; n = l.above(n.depth + 1) {
		on := l.above(n.depth + 1)
		for i := range fan(n.depth) {
			if c := (node{on.depth, n.path*fan(n.depth) + i}); c != on {
				writable(partOf(c))[c] = s.child(c)
			}
		}
		s = s.child(on)
	}
	return out, changed
}

// erased lists the leaves whose keys are destroyed.
func (t tree) erased() []node {
	var out []node
	for part, nodes := range t {
		var walk func(n node)
		walk = func(n node) {
			if _, there := nodes[n]; there {
				return
			}
			if n.depth == depth {
				out = append(out, n)
				return
			}
			for i := range fan(n.depth) {
				walk(node{n.depth + 1, n.path*fan(n.depth) + i})
			}
		}
		if part != wholeRoot {
			walk(node{1, uint64(part)})
		}
	}
	return out
}
