package deliver

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/binaryandbeyond/seam/outbound"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// local lets calls go to this machine.
var local = outbound.Within()

const basics = `
name: down
team: ops
operation: do
complete_within: 1h
stale_after: 1h
timeout: 2s
`

// load reads an integration from YAML, as topology does. URL stands for an address.
func load(t testing.TB, address, text string) *topology.Integration {
	t.Helper()
	topo, err := topology.Load(fstest.MapFS{
		"topics.yaml":            {Data: []byte("partitions: 1\n")},
		"teams.yaml":             {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml":         {Data: []byte("order.status: {owner: shop, page: ops}\norder.total: {owner: shop, page: ops}\norder.note: {owner: shop, page: ops}\norder.number: {owner: shop, page: ops}\norder.lines: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"integrations/down.yaml": {Data: []byte(basics + strings.ReplaceAll(text, "URL", address))},
	}, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return &topo.Integrations[0]
}

// keyed is an HTTP integration with everything a request may carry.
const keyed = `
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.created]
    http: {url: "URL/orders/{order.id}", headers: {X-Tenant: tenant-secret}, auth: {bearer: bearer-secret, header: X-Api-Key, value: value-secret}}
    required: [id]
    body: {id: order.id, status: order.status, total: order.total, note: order.note}
    answers: {already_done: [409], retry: [423], reference: data.id}
`

// request is the first attempt to deliver an order by the integration's first route.
func request(t testing.TB, in *topology.Integration) Request {
	t.Helper()
	total, err := schemas.NewMoney("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	ev := &schemas.Event{ID: "e1", Type: schemas.OrderCreated, System: "shop", Subject: "A/1", Time: time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC), Order: &schemas.Order{ID: "A/1", Status: "open", Total: total}}
	return Request{Event: ev, Route: &in.Deliver[0], Key: "key-1", Attempt: 3, Topic: "orders", Partition: 2, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
}

// server answers by a function.
func server(t testing.TB, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// written is a file with one block of PEM.
func written(t testing.TB, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// set builds an integration's kinds.
func set(t testing.TB, in *topology.Integration) Set {
	t.Helper()
	s, err := New(in, local)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
