package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// contractFiles are a shop whose orders go to an ERP; shapes are learned from three documents.
var contractFiles = map[string]string{
	"topics.yaml":           "prefix: \"%PREFIX%\"\npartitions: 2\nlearn: 3\n",
	"teams.yaml":            "commerce: {pager: p}\nfinance: {pager: p}\n",
	"ownership.yaml":        "order.total: {owner: shop, page: finance}\norder.status: {owner: shop, page: finance}\nunowned: [\"*\"]\n",
	"sources/shopify.yaml":  "name: shopify\nsystem: shop\nteam: commerce\nplatform: shopify\nsecrets: [shop-secret]\n",
	"integrations/erp.yaml": integration("erp", "  - {on: [order.created], http: {method: PUT, url: \"%URL%/erp\"}, body: {id: order.id, total: order.total.amount}, answers: {delivered: [200], rejected: [422], reference: id}}\n"),
}

// contracted is a running Seam, a shop and an ERP beside it, and the command line.
type contracted struct {
	*testing.T
	kafka  *topologytest.Kafka
	dir    string
	answer atomic.Pointer[string] // "200 {...}" of the ERP
	edge   string
	orders int
}

func newContracted(t *testing.T) *contracted {
	t.Helper()
	c := &contracted{T: t, kafka: topologytest.Cluster(t), dir: t.TempDir()}
	c.answers(`200 {"id":"F-1","status":"posted","lines":[]}`)
	erp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var status int
		text := *c.answer.Load()
		_, _ = fmt.Sscan(text, &status)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text[4:])
	}))
	t.Cleanup(erp.Close)
	for name, text := range contractFiles {
		c.write(name, strings.NewReplacer("%PREFIX%", c.kafka.Prefix, "%URL%", erp.URL).Replace(text))
	}
	return c
}

func (c *contracted) answers(text string) { c.answer.Store(&text) }

func (c *contracted) write(name, text string) {
	c.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		c.Fatal(err)
	}
}

// start runs Seam; stop ends it, which publishes what it has seen.
func (c *contracted) start() (stop func()) {
	c.Helper()
	topo, err := topology.Load(os.DirFS(c.dir), os.LookupEnv)
	if err != nil {
		c.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan app.Info, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{Topology: topo, Brokers: c.kafka.Brokers, Registry: c.kafka.Registry, Apply: true, Listen: "127.0.0.1:0",
			Only: []string{"edge", "erp"}, Ready: func(i app.Info) { ready <- i }})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			c.Error(err)
		}
	})
	c.Cleanup(stop)
	select {
	case i := <-ready:
		c.edge = i.EdgeURL
	case err := <-ended:
		ended <- err
		c.Fatalf("seam did not start: %v", err)
	}
	return stop
}

// order sends an order of its own number; %d in the body stands for that.
func (c *contracted) order(body string) {
	c.Helper()
	c.orders++
	body = fmt.Sprintf(body, c.orders)
	mac := hmac.New(sha256.New, []byte("shop-secret"))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.edge+"/in/shopify", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	for name, v := range map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": "orders/create", "X-Shopify-Shop-Domain": "demo.example",
		"X-Shopify-Webhook-Id": fmt.Sprint("w-", c.orders), "X-Shopify-Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
		req.Header.Set(name, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.Fatalf("order %d: %s", c.orders, resp.Status)
	}
}

// seam runs a verb against the cluster.
func (c *contracted) seam(code int, args ...string) string {
	c.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--topology", c.dir, "--bootstrap-server", strings.Join(c.kafka.Brokers, ","), "--registry", c.kafka.Registry)
	if got := run(args, &out, &errs); got != code {
		c.Fatalf("seam %v: exit %d, want %d: %s%s", args, got, code, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// report is what seam contract says as JSON.
func (c *contracted) report(code int) contract.Report {
	c.Helper()
	var r contract.Report
	if err := json.Unmarshal([]byte(c.seam(code, "contract", "--json")), &r); err != nil {
		c.Fatal(err)
	}
	return r
}

// open are the open drifts as "side kind path seen".
func open(r contract.Report) []string {
	out := []string{}
	for _, s := range r.Subjects {
		for _, d := range s.Drifts {
			out = append(out, strings.Join(strings.Fields(strings.Join([]string{s.Side, d.Kind, d.Path, d.Seen}, " ")), " "))
		}
	}
	slices.Sort(out)
	return out
}

// until waits until what is published while Seam runs is so.
func (c *contracted) until(what string, so func(contract.Report) bool) {
	c.Helper()
	topologytest.Eventually(c, what, func() error {
		var out bytes.Buffer
		var r contract.Report
		run([]string{"contract", "--json", "--topology", c.dir, "--bootstrap-server", strings.Join(c.kafka.Brokers, ","), "--registry", c.kafka.Registry}, &out, io.Discard)
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			return err
		}
		if !so(r) {
			return fmt.Errorf("%d subjects, %v", len(r.Subjects), open(r))
		}
		return nil
	})
}

// TestContractDrift: a shop and an ERP change what they say; people see it, accept it, and it is over. Nothing is held up.
func TestContractDrift(t *testing.T) {
	t.Parallel()
	c := newContracted(t)
	stop := c.start()
	const body = `{"id": %d, "email": "jo.bench@example.org", "total_price": "42.50", "currency": "EUR", "financial_status": "paid", "created_at": "2026-11-02T08:00:00Z", "line_items": [{"id": 1, "sku": "MUG", "quantity": 1, "price": "42.50"}]}`
	for range 3 {
		c.order(body)
	}
	c.until("both are learned", func(r contract.Report) bool {
		return len(r.Subjects) == 2 && r.Subjects[0].Declared == "learned" && r.Subjects[1].Declared == "learned"
	})
	stop()
	if r := c.report(0); len(r.Subjects) != 2 || r.Subjects[0].Declared != "learned" || r.Subjects[0].Team != "commerce" || r.Subjects[1].Name != "erp" {
		t.Fatalf("%+v", r)
	}

	stop = c.start()
	c.answers(`299 {"id":"F-2"}`)
	c.order(strings.NewReplacer(`"currency"`, `"tax_region": "AT", "currency"`, `"quantity": 1`, `"quantity": "1"`).Replace(body))
	c.until("drift of both", func(r contract.Report) bool { return r.Open >= 3 })
	want := []string{"integration status 299", "source new tax_region string", "source type line_items[].quantity string"}
	if d := cmp.Diff(want, open(c.report(1))); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	text := c.seam(1, "contract", "shopify")
	for _, line := range []string{"source shopify, orders/create, asks team commerce", "DRIFT new", "tax_region", "line_items[].quantity", "number?", "1 documents"} {
		if !strings.Contains(text, line) {
			t.Errorf("seam contract shopify lacks %q:\n%s", line, text)
		}
	}
	if strings.Contains(text, "example.org") || strings.Contains(text, "MUG") {
		t.Errorf("it shows values:\n%s", text)
	}
	if parked := c.seam(0, "parked", "list"); !strings.Contains(parked, "contract") {
		t.Errorf("what is answered outside the contract is not parked as before:\n%s", parked)
	}
	stop()

	if text := c.seam(0, "contract", "shopify", "--write"); !strings.Contains(text, "contracts/shopify.yaml") {
		t.Error(text)
	}
	if d := cmp.Diff([]string{"integration status 299"}, open(c.report(1))); d != "" {
		t.Errorf("after accepting (-want +got):\n%s", d)
	}
	erp, err := os.ReadFile(filepath.Join(c.dir, "integrations/erp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c.write("integrations/erp.yaml", strings.Replace(string(erp), "[200]", "[200, 299]", 1))
	if r := c.report(0); r.Open != 0 || r.Subjects[0].Declared != "file" {
		t.Errorf("%+v", r)
	}

	// With the file it goes on: what was accepted is no drift, and what is missing from it is.
	stop = c.start()
	c.order(strings.NewReplacer(`"currency"`, `"tax_region": "AT", "currency"`, `"quantity": 1`, `"quantity": "1"`, `"id": 1,`, `"id": 1, "gift": true,`).Replace(body))
	stop()
	if d := cmp.Diff([]string{"source new line_items[].gift boolean"}, open(c.report(1))); d != "" {
		t.Errorf("with the file (-want +got):\n%s", d)
	}
	again := c.seam(0, "contract", "shopify", "erp", "--write")
	if !strings.Contains(again, "contracts/erp.yaml") || c.report(0).Open != 0 {
		t.Error(again)
	}
	file, err := os.ReadFile(filepath.Join(c.dir, "contracts/shopify.yaml"))
	if err != nil || !strings.Contains(string(file), "    line_items[].quantity: number|string?\n") || !strings.Contains(string(file), "  orders/create:\n") {
		t.Errorf("%v\n%s", err, file)
	}
}
