package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const learnedFrom = `{"id":1,"status":"paid","note":null,"customer":{"email":"a@b.example"},"refunds":[],"lines":[{"sku":"A","price":"1.00"}],"address":null}`

// TestDrift is what counts, and what does not, against what forty documents taught.
func TestDrift(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, then string
		want       []string
	}{
		{"as before", learnedFrom, nil},
		{"new", strings.Replace(learnedFrom, `"note"`, `"tax_id":{"country":"AT","number":7},"note"`, 1), []string{"new tax_id object"}},
		{"new, below a list", strings.Replace(learnedFrom, `"sku"`, `"gift":true,"sku"`, 1), []string{"new lines[].gift boolean"}},
		{"new and null", strings.Replace(learnedFrom, `"note"`, `"tax_id":null,"note"`, 1), []string{"new tax_id null"}},
		{"missing", strings.Replace(learnedFrom, `"id":1,`, ``, 1), []string{"missing id"}},
		{"null where there always was a value", strings.Replace(learnedFrom, `"id":1`, `"id":null`, 1), []string{"missing id"}},
		{"missing in one line", strings.Replace(learnedFrom, `[{"sku"`, `[{"price":"2.00"},{"sku"`, 1), []string{"missing lines[].sku"}},
		{"another type", strings.Replace(learnedFrom, `"price":"1.00"`, `"price":1.00`, 1), []string{"type lines[].price number"}},
		{"an object became a text: one drift, not one for each member", strings.Replace(learnedFrom, `{"email":"a@b.example"}`, `"a@b.example"`, 1), []string{"type customer string"}},
		{"another word", strings.Replace(learnedFrom, `"paid"`, `"partially_paid"`, 1), []string{"value status partially_paid"}},
		{"another word that may be personal", strings.Replace(learnedFrom, `"paid"`, `"paid by +43 660 1234567"`, 1), []string{"value status"}},
		{"an empty list", strings.Replace(learnedFrom, `[{"sku":"A","price":"1.00"}]`, `[]`, 1), nil},
		{"a list that was always empty", strings.Replace(learnedFrom, `"refunds":[]`, `"refunds":[{"id":1,"amount":"2.00"}]`, 1), nil},
		{"missing in place of null", strings.Replace(learnedFrom, `"note":null,`, ``, 1), nil},
		{"a value in place of null", strings.Replace(learnedFrom, `"address":null`, `"address":{"city":"Wien"}`, 1), nil},
		{"an optional one that is seldom there, with its members", strings.Replace(learnedFrom, `"note":null`, `"note":null,"coupon":{"code":"X"}`, 1), nil},
		{"a number of another kind", strings.Replace(learnedFrom, `"id":1`, `"id":1.5`, 1), nil},
		{"several at once", `{"id":"1","status":"paid"}`, []string{"missing customer", "missing lines", "missing refunds", "type id number|string"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 40, nil)
			s := b.subject("orders/create")
			b.see(s, strings.Replace(learnedFrom, `"note":null`, `"note":"x","coupon":{"code":"Y"}`, 1))
			b.see(s, repeat(learnedFrom, 38)...)
			if s.declared != "" {
				t.Fatal("it was learned early")
			}
			b.see(s, learnedFrom)
			if s.declared != ByLearned {
				t.Fatal("it is not learned from 40 documents")
			}
			b.see(s, tt.then, tt.then)
			for i := range tt.want {
				tt.want[i] = strings.ReplaceAll(tt.want[i], "number|string", "string")
			}
			if d := cmp.Diff(tt.want, drifts(s)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, d := range s.snapshot("one", noon).Drifts {
				if d.Count != 2 || !d.Last.After(d.Since) {
					t.Errorf("%s %s: %d documents, %s to %s", d.Kind, d.Path, d.Count, d.Since, d.Last)
				}
			}
			if got := total(t, b.watch.drifted, map[string]string{"side": "source", "name": "shop"}); got != float64(2*len(tt.want)) {
				t.Errorf("counted %v", got)
			}
		})
	}
}

// TestDeclared holds documents to a file from the first on.
func TestDeclared(t *testing.T) {
	t.Parallel()
	shape := topology.Shape{"id": {Types: []string{"number"}}, "status": {Types: []string{"string"}, Optional: true, Values: []string{"open", "paid"}},
		"lines": {Types: []string{"array"}}, "lines[]": {Types: []string{"object"}}, "lines[].sku": {Types: []string{"string"}}, "extra": {Optional: true}}
	b := newBench(t, 1000, map[string]topology.Shape{"orders/create": shape})
	s := b.subject("orders/create")
	b.see(s, `{"id":1,"status":"paid","lines":[{"sku":"A"}],"extra":{"what":["ever"]}}`, `{"id":2,"lines":[]}`)
	if got := drifts(s); got != nil {
		t.Fatalf("drift %v", got)
	}
	b.see(s, `{"id":"3","status":"void","lines":[{}],"more":1}`)
	want := []string{"missing lines[].sku", "new more number", "type id string", "value status void"}
	if d := cmp.Diff(want, drifts(s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if other := b.subject("orders/paid"); other.declared != "" {
		t.Error("a topic that the file does not name is not learned")
	}
}

// TestAccepted: a file that says what was seen closes the drift, and what follows is as declared.
func TestAccepted(t *testing.T) {
	t.Parallel()
	b := newBench(t, 40, nil)
	s := b.subject("orders/create")
	b.see(s, repeat(learnedFrom, 40)...)
	b.see(s, `{"id":"1","status":"void","more":{"a":1}}`)
	seen := s.snapshot("one", b.now)
	if n := len(Pending(seen.Drifts, seen.Baseline, Declares(b.topo, seen.Side, seen.Name, seen.Topic))); n != 6 {
		t.Fatalf("%d drifts: %v", n, drifts(s))
	}
	shape := Accept(nil, seen.Paths)
	if got := Pending(seen.Drifts, Rules(shape), func(string) bool { return false }); len(got) > 0 {
		t.Errorf("still open: %+v", got)
	}
	later := newBench(t, 40, map[string]topology.Shape{"orders/create": shape})
	later.watch.before[seen.Subject] = seen
	s = later.subject("orders/create")
	later.see(s, `{"id":"1","status":"void","more":{"a":1}}`, learnedFrom)
	if got := drifts(s); got != nil {
		t.Errorf("drift of what was accepted: %v", got)
	}
	again := Accept(shape, s.snapshot("one", later.now).Paths)
	if d := cmp.Diff(shape, again); d != "" {
		t.Errorf("accepting the same again changes it:\n%s", d)
	}
}

// TestGoesOn: another process begins with what is known, and tells nothing twice.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	first := newBench(t, 40, nil)
	s := first.subject("orders/create")
	first.see(s, repeat(learnedFrom, 40)...)
	first.see(s, `{"id":true}`)
	known := s.snapshot("one", first.now)
	next := newBench(t, 40, nil)
	next.watch.before[known.Subject] = known
	s = next.subject("orders/create")
	if s.declared != ByLearned {
		t.Fatal("what was learned is forgotten")
	}
	if d := cmp.Diff(known.Baseline, s.snapshot("two", noon).Baseline); d != "" {
		t.Errorf("baseline (-before +after):\n%s", d)
	}
	next.see(s, `{"id":true}`)
	got := s.snapshot("two", next.now)
	if got.Documents != 42 || got.Paths[0].Present != 42 {
		t.Errorf("%d documents, %+v", got.Documents, got.Paths[0])
	}
	for _, d := range got.Drifts {
		if d.Count != 2 {
			t.Errorf("%s %s: %d documents, want 2", d.Kind, d.Path, d.Count)
		}
	}
	if d := cmp.Diff(drifts(s), []string{"missing customer", "missing lines", "missing refunds", "missing status", "type id boolean"}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

// TestStatuses: what the route declares, or HTTP, is counted; all else is drift, until the route declares it.
func TestStatuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, 40, nil)
	in := &b.topo.Integrations[0]
	s := b.watch.Integration(in, &in.Deliver[0])
	s.Answered(200, true)
	s.Answered(503, true)
	if got := drifts(s); got != nil {
		t.Fatalf("drift %v", got)
	}
	for range 3 {
		s.Answered(299, false)
	}
	c := s.snapshot("one", noon)
	report := func() Report { return Of(b.topo, map[string]*schemas.Contract{c.Subject: c}, nil) }
	r := report()
	if len(r.Subjects) != 1 || r.Open != 1 || r.Subjects[0].Drifts[0].Count != 3 || r.Subjects[0].Drifts[0].Seen != "299" || r.Subjects[0].Team != "finance" || r.Subjects[0].Topic != "invoice" {
		t.Fatalf("%+v", r)
	}
	if got := total(t, b.watch.drifted, map[string]string{"side": "integration", "name": "erp", "kind": "status"}); got != 3 {
		t.Errorf("counted %v", got)
	}
	in.Deliver[0].Answers.Delivered = append(in.Deliver[0].Answers.Delivered, 299)
	if r = report(); r.Open != 0 {
		t.Errorf("it is declared, and still open: %+v", r)
	}
}

// TestSampling: all of the first documents, then one in sampleEvery.
func TestSampling(t *testing.T) {
	t.Parallel()
	b := newBench(t, 40, nil)
	s := b.subject("t")
	looked := 0
	for range 40 + closely + 100*sampleEvery {
		if s.Wants() {
			looked++
		}
	}
	if looked < 40+closely+99 || looked > 40+closely+101 {
		t.Errorf("looked at %d", looked)
	}
	var nobody *Subject
	nobody.See(nil)
	nobody.Answered(200, true)
	if nobody.Wants() || (*Watch)(nil).Source(&b.topo.Sources[0], "t") != nil || (*Watch)(nil).Integration(nil, nil) != nil {
		t.Error("nobody wants documents")
	}
	for topic, want := range map[string]string{"orders/create": "orders/create", "payment_intent.succeeded": "payment_intent.succeeded", "": "*",
		"820982911946154508": "*", "jon@example.org": "*", "cancel order.cancelled": "cancel order.cancelled", strings.Repeat("a", 400): "*"} {
		if got := topicName(topic); got != want {
			t.Errorf("%.40s is %s, want %s", fmt.Sprintf("%q", topic), got, want)
		}
	}
}
