package sealing

import (
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func fresh(b byte) tree { return tree{wholeRoot: {{}: seed{b}}} }

// TestPuncture: whatever was erased before, an erasure takes the key of its own leaf, and of no other.
func TestPuncture(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		whole := fresh(7)
		left, gone := whole, map[node]bool{}
		var leaves []node
		for range 40 {
			l := node{depth, rnd.Uint64() >> (64 - leafBits)}
			if len(leaves) > 0 && rnd.IntN(2) == 0 { // a relative, at any distance
				l.path = leaves[rnd.IntN(len(leaves))].path ^ 1<<rnd.IntN(leafBits)
			}
			leaves = append(leaves, l)
		}
		for _, l := range leaves[:20] {
			before := left
			after, parts := left.puncture(l)
			if (len(parts) == 0) != gone[l] {
				t.Fatalf("erasing a leaf (erased before: %v) changed %v", gone[l], parts)
			}
			for part := range after {
				if !slices.Contains(parts, part) && len(after[part]) != len(before[part]) {
					t.Fatalf("part %d changed and is not named in %v", part, parts)
				}
			}
			left, gone[l] = after, true
		}
		for _, l := range leaves {
			want, _ := whole.key(l)
			got, ok := left.key(l)
			if ok == gone[l] || ok && got != want {
				t.Errorf("leaf %x: a key is there %v (erased %v), and the right one %v", l.path, ok, gone[l], got == want)
			}
		}
		listed := map[node]bool{}
		for _, l := range left.erased() {
			listed[l] = true
		}
		if !maps.Equal(listed, gone) {
			t.Errorf("%d leaves are listed as erased, and %d are", len(listed), len(gone))
		}
		for _, nodes := range left { // nothing that is left leads to what is gone
			for n := range nodes {
				for l := range gone {
					if l.above(n.depth) == n {
						t.Errorf("node %v is above leaf %x, which is erased", n, l.path)
					}
				}
			}
		}
	}
}

// TestKeyIsFrozen: every key that was ever used must come out of its root again.
func TestKeyIsFrozen(t *testing.T) {
	t.Parallel()
	const want = "f1c940ca82034389d82a6cbb15894bb7304a14d03d0d7648d80ad01483edc6d9"
	key, _ := fresh(1).key(leaf("orders/1001"))
	if got := hex.EncodeToString(key[:]); got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	after, _ := fresh(1).puncture(leaf("orders/1002"))
	if again, ok := after.key(leaf("orders/1001")); !ok || again != key {
		t.Errorf("another's erasure changed the key: %x %v", again, ok)
	}
}
