package contract

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// shapeOf is "path types present/absent [words]" of every path.
func shapeOf(paths []schemas.ContractPath) []string {
	var out []string
	for _, p := range paths {
		text := fmt.Sprintf("%s %s %d/%d", p.Path, p.Types, p.Present, p.Absent)
		if len(p.Values) > 0 {
			text += " " + strings.Join(p.Values, ",")
		}
		out = append(out, text)
	}
	return out
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		documents []string
		want      []string
	}{
		{"a leaf of each type", []string{`{"a":1,"b":"x","c":true,"d":null}`},
			[]string{" object 1/0", "a number 1/0", "b string 1/0", "c boolean 1/0", "d null 0/1"}},
		{"missing and null are absent", []string{`{"a":1}`, `{"a":null}`, `{}`}, []string{" object 3/0", "a null|number 1/2"}},
		{"indices are left out", []string{`{"l":[{"p":1},{"p":"1"},{}]}`, `{"l":[]}`},
			[]string{" object 2/0", "l array 2/0", "l[] object 3/0", "l[].p number|string 2/1"}},
		{"lists of lists", []string{`[[1],[null,2]]`}, []string{" array 1/0", "[] array 2/0", "[][] null|number 2/1"}},
		{"only objects can lack", []string{`{"a":{"b":1}}`, `{"a":null}`, `{"a":"text"}`, `{"a":{}}`},
			[]string{" object 4/0", "a null|object|string 3/1", "a.b number 1/1"}},
		{"words of states", []string{`{"status":"paid"}`, `{"status":"pending"}`, `{"status":null}`}, []string{" object 3/0", "status null|string 2/1 paid,pending"}},
		{"no words elsewhere", []string{`{"greeting":"hello","customer":{"status":"vip"},"shipping_address":{"type":"home"}}`},
			[]string{" object 1/0", "customer object 1/0", "customer.status string 1/0", "greeting string 1/0", "shipping_address object 1/0", "shipping_address.type string 1/0"}},
		{"one that is no word opens the list", []string{`{"status":"paid"}`, `{"status":"4711"}`, `{"status":"open"}`}, []string{" object 3/0", "status string 3/0"}},
		{"names that are data", []string{`{"820982911":1,"jon@example.org":2,"Anna Lee":3,"metadata":{"tier":"a","plan":4}}`},
			[]string{" object 1/0", "* number 1/0", "metadata object 1/0", "metadata.* number|string 1/0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 1000, nil)
			s := b.subject("orders/create")
			b.see(s, tt.documents...)
			if d := cmp.Diff(tt.want, shapeOf(s.seen())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// documents are random ones that share names.
func documents(r *rand.Rand, n int) []string {
	var value func(depth int) string
	value = func(depth int) string {
		switch k := r.IntN(9); {
		case k == 0:
			return "null"
		case k == 1:
			return "true"
		case k < 4:
			return fmt.Sprint(r.IntN(100))
		case k < 6 || depth > 3:
			return `"` + []string{"paid", "open", "EUR", "a b", "x1"}[r.IntN(5)] + `"`
		case k == 6:
			var items []string
			for range r.IntN(4) {
				items = append(items, value(depth+1))
			}
			return "[" + strings.Join(items, ",") + "]"
		}
		var members []string
		for _, name := range []string{"id", "status", "lines", "customer", "kind"} {
			if r.IntN(3) > 0 {
				members = append(members, `"`+name+`":`+value(depth+1))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	out := make([]string, n)
	for i := range out {
		out[i] = value(0)
	}
	return out
}

// still is a snapshot without what tells when things were seen.
func still(c *schemas.Contract) *schemas.Contract {
	c.First, c.Last, c.Passed = noon, noon, 0
	for i := range c.Paths {
		c.Paths[i].First, c.Paths[i].Last = noon, noon
	}
	return c
}

// TestOrderDoesNotMatter: the shape is that of the documents, whatever came first.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		docs := documents(r, 30)
		fold := func() *schemas.Contract {
			b := newBench(t, 1000, nil)
			s := b.subject("t")
			b.see(s, docs...)
			return still(s.snapshot("one", noon))
		}
		want := fold()
		r.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		if d := cmp.Diff(want, fold()); d != "" {
			t.Fatalf("seed %d (-first +shuffled):\n%s", seed, d)
		}
	}
}

// TestJoin: in any order and any grouping, and joining twice changes nothing. Learned rules and drift are joined too.
func TestJoin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		var parts []*schemas.Contract
		for i := range 3 {
			b := newBench(t, 20, nil)
			s := b.subject("t")
			b.see(s, documents(r, 15+r.IntN(25))...)
			parts = append(parts, s.snapshot(fmt.Sprint("i", i), b.now))
		}
		a, b, c := parts[0], parts[1], parts[2]
		want := Join(Join(a, b), c)
		for name, got := range map[string]*schemas.Contract{
			"grouped otherwise": Join(a, Join(b, c)), "in another order": Join(c, Join(a, b)), "turned round": Join(Join(c, b), a),
			"twice": Join(Join(Join(a, b), c), b), "with nothing": Join(nil, Join(Join(a, Join(b, nil)), c)),
		} {
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d, %s (-want +got):\n%s", seed, name, d)
			}
		}
		for _, p := range a.Paths {
			if !slices.ContainsFunc(want.Paths, func(q schemas.ContractPath) bool {
				return q.Path == p.Path && q.Present >= p.Present && q.Absent >= p.Absent
			}) {
				t.Errorf("seed %d: %s is lost or less than in a part", seed, p.Path)
			}
		}
	}
}

// TestBounds: a sender that makes up names costs no more than the bound.
func TestBounds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1000, nil)
	s := b.subject("t")
	var members []string
	for i := range 3 * maxPaths {
		members = append(members, fmt.Sprintf(`"%c%c%c%c":1`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a'+i/17576%26))
	}
	b.see(s, "{"+strings.Join(members, ",")+"}")
	c := s.snapshot("one", noon)
	if len(c.Paths) != maxPaths+1 || c.Crowded != 2*maxPaths {
		t.Errorf("%d paths, %d crowded", len(c.Paths), c.Crowded)
	}
	for i := range 2 * maxTopics {
		b.subject(fmt.Sprintf("t/%c%c", 'a'+i%26, 'a'+i/26))
	}
	if s := b.subject("t/zz/y"); s != nil {
		t.Error("a source has more topics than the bound")
	}
	if s := b.subject("t"); s == nil {
		t.Error("a topic that was there is gone")
	}
}
