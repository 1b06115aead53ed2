package topology

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestOperationFaults names the line and the mend of everything in operations.yaml and money.yaml that cannot come true.
func TestOperationFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, text, want string }{
		{"nothing begins it", "operations.yaml", "place: {done: {a: 1h}, page: ops}\n", "operations.yaml:1: begins is missing"},
		{"nothing is to come true", "operations.yaml", "place: {begins: [order.created], page: ops}\n", "operations.yaml:1: nothing is to come true"},
		{"a type that is none", "operations.yaml", "place:\n  begins: [order.born]\n  done: {a: 1h}\n  page: ops\n", `operations.yaml:2: unknown event type "order.born"`},
		{"a refund begins nothing", "operations.yaml", "place: {begins: [refund.full], done: {a: 1h}, page: ops}\n", "operations.yaml:1: refund.full begins nothing"},
		{"an integration that is none", "operations.yaml", "place:\n  begins: [order.created]\n  done:\n    b: 1h\n  page: ops\n", `operations.yaml:4: there is no integration "b"`},
		{"an operation that nobody does", "operations.yaml", "place:\n  begins: [order.created]\n  done:\n    a/pack: 1h\n  page: ops\n", `operations.yaml:4: no route of a has the operation "pack"`},
		{"within no time", "operations.yaml", "place:\n  begins: [order.created]\n  seen:\n    order.updated: 0s\n  page: ops\n", "operations.yaml:4: within how long? For example order.updated: 4h"},
		{"nobody is paged", "operations.yaml", "place:\n  begins: [order.created]\n  done: {a: 1h}\n  page: nobody\n", `operations.yaml:4: page is "nobody"`},
		{"an unknown key", "operations.yaml", "place: {begins: [order.created], done: {a: 1h}, page: ops, within: 1h}\n", `operations.yaml:1: unknown key "within"`},
		{"a zone that is none", "money.yaml", "zone: Vienna\n", `money.yaml:1: zone "Vienna" is unknown`},
		{"a tolerance that is none", "money.yaml", "zone: UTC\ntolerance: a cent\n", `money.yaml:2: tolerance "a cent" is no amount`},
		{"a kind that is none", "money.yaml", "expected:\n  psp: [paid]\n", `money.yaml:2: "paid" is no kind of money`},
		{"no time to agree", "money.yaml", "agree_within: 0s\n", "money.yaml:1: agree_within must be more than 0"},
		{"a team that is none", "money.yaml", "page: nobody\n", `money.yaml:1: page is "nobody"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fsys := base()
			fsys[tt.file] = &fstest.MapFile{Data: []byte(tt.text)}
			if _, err := Load(fsys, func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestOperationsLoad reads what is right, gives what is left out its default, and scales with the day.
func TestOperationsLoad(t *testing.T) {
	t.Parallel()
	fsys := base()
	fsys["operations.yaml"] = &fstest.MapFile{Data: []byte("place: {begins: [order.created], void: [refund.full], done: {a: 1h}, seen: {order.updated: 2h}, page: ops}\n")}
	topo, err := Load(fsys, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	topo.Scale(0.5)
	op := topo.Operations[0]
	if op.Name != "place" || op.Done["a"].D() != 30*time.Minute || op.Seen[schemas.OrderUpdated].D() != time.Hour {
		t.Errorf("%+v", op)
	}
	if in, operation := topo.DoneBy("a"); in == nil || in.Name != "a" || operation != "do" {
		t.Errorf("done by %v, %q", in, operation)
	}
	if m := topo.Money; m.Zone != "UTC" || m.Tolerance != "0" || m.AgreeWithin.D() != 12*time.Hour || m.Location() != time.UTC {
		t.Errorf("%+v", m)
	}
}
