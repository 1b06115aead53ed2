package trial

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

const down = `
name: down
team: ops
operation: do
complete_within: 1h
stale_after: 1h
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.created]
    once: true
    needs: [payment.captured]
    http: {url: "${DOWN_URL}/orders/{order.id}", headers: {X-Tenant: tenant-secret}, auth: {bearer: "${DOWN_TOKEN}"}}
    required: [id]
    body: {id: order.id, mail: order.email, total: order.total.amount, gift: 'event.extensions["data.gift"]', local: '(order.email ?? "") == "jane@example.com"'}
  - on: [order.cancelled]
    operation: stop
    undoes: do
    http: {url: "${DOWN_URL}/stops/{event.subject}"}
`

const downTests = `env: {DOWN_URL: "http://down.example", DOWN_TOKEN: token-secret}
system: shop
cases:
  - name: passes
    given: {before: [{type: payment.captured, timestamp: "2026-11-23T08:00:00Z", data: {order_id: "1", payment: {id: p, amount: {amount: "1.00", currency: EUR}}}}]}
    event: &e {type: order.created, timestamp: "2026-11-23T08:00:00Z", data: {order_id: "1", order: {status: open, total: {amount: "1.00", currency: EUR}}}}
    want: {withheld: {order.total: not_owner}, request: {method: POST, url: "http://down.example/orders/1", headers: {Authorization: Bearer ***, X-Tenant: "***"}, body: {id: "1", local: false}}}
  - name: another request
    given: {seen: [payment.captured]}
    event: *e
    want: {request: {method: PUT, headers: {X-Nothing: there}, body: {id: "2", mail: x}, body_has: {local: true}}}
  - name: another decision
    event: *e
    want: {decision: call}
  - name: nothing wanted
    event: {type: order.cancelled, timestamp: "2026-11-23T08:00:00Z", data: {order_id: "1"}}
  - name: a broken event
    event: {type: order.made, timestamp: "2026-11-23T08:00:00Z", data: {}}
    want: {decision: call}
`

// TestRun shows what differs, with the place of the case, and fills in what is wanted.
func TestRun(t *testing.T) {
	t.Parallel()
	fsys := small(t, down, downTests)
	files, err := Files(fsys, "down")
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(fsys, none, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteResults(&out, "mine/", results); err != nil {
		t.Fatal(err)
	}
	want := `ok    down: passes
FAIL  down: another request
      mine/integrations/down.test.yaml:8
        request.method: want PUT, got POST
        request.headers.X-Nothing: want there, got none
        request.body.id: want 2, got 1
        request.body.mail: want x, got nothing
        request.body.local: got false, which is not wanted
        request.body.local: want true, got false
FAIL  down: another decision
      mine/integrations/down.test.yaml:12
        decision: want call, got parked/needs
          rule needs looked at: waits for payment.captured; seen: order.created; it said: hold: needs, waits for [payment.captured]
          waits for [payment.captured]
FAIL  down: nothing wanted
      mine/integrations/down.test.yaml:15
        want: is missing: say what is to become of it, or let --update write it
FAIL  down: a broken event
      mine/integrations/down.test.yaml:17
        line 18: event: type: found "order.made": send one of Seam's event types (order.updated, fulfillment.shipped, ...)
1 passed, 4 failed
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	text, err := files[0].Update(results)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Files(fstest.MapFS{"integrations/down.test.yaml": {Data: text}}, "down")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if results, err = Run(fsys, none, again, regexp.MustCompile("another|nothing")); err != nil || len(results) != 3 || slices.ContainsFunc(results, func(r Result) bool { return !r.OK }) {
		t.Errorf("after the update: %+v (%v)\n%s", results, err, text)
	}
	if text, err := again[0].Update(results); text != nil || err != nil {
		t.Errorf("nothing fails, and the update writes\n%s (%v)", text, err)
	}
}

// TestFilesRefuses: what cannot be a case is said with its place.
func TestFilesRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"cases: [{name: a, event: {}, wants: {}}]":                      "integrations/down.test.yaml: yaml: unmarshal errors:\n  line 1: field wants not found in type trial.Case",
		"cases:\n  - name: a\n":                                         `integrations/down.test.yaml:2: case "a" has no event`,
		"cases:\n  - event: {a: b}\n":                                   "integrations/down.test.yaml:2: the case has no name",
		"cases: [{name: a, event: {a: b}},\n {name: a, event: {a: b}}]": `integrations/down.test.yaml:2: case "a" has the name of the one in line 1`,
	} {
		_, err := Files(fstest.MapFS{"integrations/down.test.yaml": {Data: []byte(text)}}, "down")
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	if _, err := Files(fstest.MapFS{}, "up"); err == nil || !strings.Contains(err.Error(), "integrations/up.test.yaml does not exist") {
		t.Errorf("a file that is not there: %v", err)
	}
}

const story = `[
 {"id": "e1", "type": "order.created", "timestamp": "2026-11-23T08:00:00Z", "data": {"order_id": "1", "gift": "for Jim", "order": {"status": "open", "email": "jane@example.com", "total": {"amount": "1.00", "currency": "EUR"}}}},
 {"id": "e2", "type": "payment.captured", "timestamp": "2026-11-23T08:01:00Z", "data": {"order_id": "1", "payment": {"id": "p", "amount": {"amount": "1.00", "currency": "EUR"}}}},
 {"id": "e2", "type": "payment.captured", "timestamp": "2026-11-23T08:01:00Z", "data": {"order_id": "1", "payment": {"id": "p", "amount": {"amount": "1.00", "currency": "EUR"}}}},
 {"id": "e3", "type": "order.cancelled", "timestamp": "2026-11-23T08:02:00Z", "data": {"order_id": "1"}}
]`

// TestLane plays an order: what is held goes on when what it waits for comes, and what was done is known afterwards. No secret
// and nothing personal is shown.
func TestLane(t *testing.T) {
	t.Parallel()
	lane := newLane(t, false)
	var got []string
	var out bytes.Buffer
	for _, ev := range events(t) {
		trials := lane.Try(Input{Event: ev})
		for _, tr := range trials {
			got = append(got, string(tr.Event)+" "+tr.Decision+" "+string(tr.After))
		}
		if err := Write(&out, "down", trials); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"e1 parked/needs ", "e2 withheld/prerequisite_only ", "e1 call payment.captured", "e2 duplicate/same_event ", "e3 call "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, secret := range []string{"token-secret", "tenant-secret", "jane", "Jim"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown:\n%s", secret, out.String())
		}
	}
	for _, want := range []string{"POST http://down.example/orders/1", "Authorization: Bearer ***", `"mail": "j***@***.com"`, `"gift": "f***"`, `"local": "***"`, "order.total   of erp   withheld: not_owner  1.00 EUR"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, out.String())
		}
	}
}

// TestLanePersonal shows the request as it is where that is asked for.
func TestLanePersonal(t *testing.T) {
	t.Parallel()
	lane, evs := newLane(t, true), events(t)
	lane.Try(Input{Event: evs[1]})
	tr := lane.Try(Input{Event: evs[0]})[0]
	if body, ok := tr.Request.Body.(map[string]any); !ok || body["mail"] != "jane@example.com" || body["local"] != true || body["gift"] != "for Jim" {
		t.Errorf("body %v", tr.Request.Body)
	}
}

func newLane(t *testing.T, personal bool) *Lane {
	t.Helper()
	topo, err := topology.Load(small(t, down, downTests), func(name string) (string, bool) {
		v, ok := map[string]string{"DOWN_URL": "http://down.example", "DOWN_TOKEN": "token-secret"}[name]
		return v, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	lane, err := New(Config{Topology: topo, Integration: "down", Personal: personal})
	if err != nil {
		t.Fatal(err)
	}
	return lane
}

func events(t *testing.T) []*schemas.Event {
	t.Helper()
	evs, err := ParseEvents([]byte(story), Defaults{System: "shop", ID: "story"}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return evs
}
