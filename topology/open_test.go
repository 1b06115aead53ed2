package topology

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestOpenQuestions: what nobody has decided is refused with the question of its line, and nothing else is said of that line.
func TestOpenQuestions(t *testing.T) {
	t.Parallel()
	_, err := Load(fstest.MapFS{
		"topics.yaml": {Data: []byte("partitions: 1\n")}, "teams.yaml": {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte("order.status: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"integrations/down.yaml": {Data: []byte(`name: down
team: TODO            # who?
operation: do
complete_within: TODO # by when?
stale_after: 1h
idempotency: TODO
deliver:
  - on: [TODO]        # what?
    http: {url: TODO, method: TODO} # where?
    body: TODO        # which?
`)},
		"integrations/down.test.yaml": {Data: []byte("no: [file, of, the, topology]\n")},
	}, everything)
	want := []string{
		"integrations/down.yaml:2: team is open: who?",
		"integrations/down.yaml:4: complete_within is open: by when?",
		"integrations/down.yaml:6: idempotency is open: write a value",
		"integrations/down.yaml:8: on is open: what?",
		"integrations/down.yaml:9: url is open: where?",
		"integrations/down.yaml:10: body is open: which?",
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("err =\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	if open, rest := OpenQuestions(Faults(err)); len(open) != len(want) || len(rest) != 0 {
		t.Errorf("%d open, %d others", len(open), len(rest))
	}
}
