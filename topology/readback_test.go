package topology

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

func loadReadBack(on, readBack string) (*Topology, error) {
	return Load(fstest.MapFS{
		"topics.yaml": {Data: []byte("partitions: 1\n")}, "teams.yaml": {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml": {Data: []byte("unowned: [\"*\"]\n")},
		"integrations/wh.yaml": {Data: []byte("name: wh\nteam: ops\noperation: fulfill\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\ndeliver:\n  - on: [" + on + "]\n    http: {url: \"http://x.example/\"}\n    body: {id: event.subject}\n" +
			"    read_back:\n" + readBack)},
	}, everything)
}

// TestReadBackFaults are the mistakes of a read_back.
func TestReadBackFaults(t *testing.T) {
	t.Parallel()
	const get = "      get: http://x.example/{event.subject}\n"
	tests := []struct{ name, on, readBack, want string }{
		{"as it should be", "order.created", get + "      says: {fulfillment.status: answer.status}\n", ""},
		{"no address", "order.created", "      after: 5m\n", "integrations/wh.yaml:11: get is missing: where is the record of a call read?"},
		{"an address that is none", "order.created", "      get: x.example\n", `get "x.example" is not an http address`},
		{"a name that it does not see", "order.created", "      get: http://x.example/{order.id}\n", "unknown name order"},
		{"the answer before it came", "order.created", "      get: http://x.example/{answer.id}\n", "it sees event, made, reference"},
		{"a member that is none", "order.created", get + "      says: {fulfillment.mood: answer.mood}\n", `integrations/wh.yaml:13: the model has no member "fulfillment.mood"`},
		{"a list", "order.created", get + "      says: {order.lines: answer.lines}\n", `the model has no member "order.lines"`},
		{"its own part", "order.created", get + "      says: {read_back.result: answer.x}\n", `the model has no member "read_back.result"`},
		{"the envelope", "order.created", get + "      says: {subject: answer.x}\n", `the model has no member "subject"`},
		{"an expression that is none", "order.created", get + "      version: answer.(\n", "integrations/wh.yaml:13: expression"},
		{"again, without end", "order.created", get + "      every: 1m\n", "every and until belong together"},
		{"for too long", "order.created", get + "      every: 1m\n      until: 48h\n", "until is more than after (1m0s) and a day at most"},
		{"late", "order.created", get + "      after: 48h\n", "after is 48h0m0s, and a day is the most"},
		{"of customers", "customer.registered", get, "read_back observes orders, and the route acts on customer.registered"},
		{"unknown key", "order.created", get + "      wait: 1m\n", `unknown key "wait": the keys here are get, after, every, until, found, version, time, says`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadReadBack(tt.on, tt.readBack)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("err = %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestReadBackRead is what is made of an answer.
func TestReadBackRead(t *testing.T) {
	t.Parallel()
	topo, err := loadReadBack("order.created", `      get: "http://x.example/{made}/of/{event.subject}?ref={reference}"
      found: answer.state != "none"
      version: answer.version
      time: answer.at
      says:
        order.total: answer.total
        payment.amount: '{"amount": answer.paid, "currency": answer.currency}'
        fulfillment.id: answer.id
        fulfillment.status: answer.state
        fulfillment.created_at: answer.at
        inventory.available: answer.left
        order.note: answer.note
`)
	if err != nil {
		t.Fatal(err)
	}
	rb := topo.Integrations[0].Deliver[0].ReadBack
	call := &Called{Event: "e", Type: schemas.OrderCreated, Subject: "a/1", Key: "k&1", Reference: "f 7"}
	if address, err := rb.Address(call); err != nil || address != "http://x.example/f%207/of/a%2F1?ref=k%261" {
		t.Errorf("address %q, %v", address, err)
	}
	if _, err := rb.Address(&Called{Subject: "1"}); err == nil || err.Error() != "{made} is empty for this call" {
		t.Errorf("without the downstream's id: %v", err)
	}
	tests := []struct {
		name, body string
		found      bool
		want, err  string
	}{
		{"all of it", `{"state":"sent","version":9007199254740993,"at":"2026-11-23T13:00:00.5+01:00","total":"20.50 EUR","paid":12.5,"currency":"EUR","id":900719925474099301,"left":3}`, true,
			"9007199254740993 12:00:00.5 20.50 EUR 12.50 EUR 900719925474099301 sent 12:00:00.5 3", ""},
		{"not in it", `{"state":"none"}`, false, "", ""},
		{"a number as state", `{"state":7}`, true, "- 08:00:00 - - - 7 - -", ""},
		{"no JSON", `<html>`, false, "", "the answer is not JSON: invalid character '<' looking for beginning of value"},
		{"an amount without a currency", `{"state":"sent","total":"20.50"}`, false, "", "says order.total: an amount with its currency was expected, like 12.50 EUR"},
		{"a list as a text", `{"state":["sent"]}`, false, "", "says fulfillment.status: a text or a number was expected, and it is a list or an object"},
		{"a count with a fraction", `{"state":"sent","left":2.5}`, false, "", "says inventory.available: a whole number was expected"},
		{"a time that is none", `{"state":"sent","version":1,"at":"noon"}`, false, "", "says fulfillment.created_at: a time as RFC 3339 was expected"},
		{"an array", `[]`, false, "", "found: expression"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := &schemas.Event{Time: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
			found, err := rb.Read(call, []byte(tt.body), ev)
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("err = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || found != tt.found {
				t.Fatalf("found %v, %v", found, err)
			}
			if !found {
				return
			}
			if d := cmp.Diff(tt.want, shown(ev)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// shown is what the test's mapping sets, "-" for nothing.
func shown(ev *schemas.Event) string {
	or := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	const clock = "15:04:05.999"
	out := []string{or(ev.SourceVersion), ev.Time.Format(clock)}
	for _, field := range []schemas.Field{"order.total", "payment.amount"} {
		text := ""
		for _, v := range schemas.FieldsOf(ev) {
			if v.Field == field {
				text = v.Value
			}
		}
		out = append(out, or(text))
	}
	created, left := "", ""
	if ev.Fulfillment.CreatedAt != nil {
		created = ev.Fulfillment.CreatedAt.Format(clock)
	}
	if ev.Inventory != nil && ev.Inventory.Available != nil {
		left = "3"
	}
	return strings.Join(append(out, or(ev.Fulfillment.ID), ev.Fulfillment.Status, or(created), or(left)), " ")
}
