package main

import (
	"bytes"
	"context"
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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// acceptFiles is a shop that owns the payment status and the address, and three downstreams with copies: the ERP's takes both,
// tax the status, and the CRM, which tells what it has, neither.
var acceptFiles = map[string]string{
	"topics.yaml": "prefix: \"%PREFIX%\"\npartitions: 2\n",
	"teams.yaml":  "finance: {pager: p}\ncrm: {pager: p}\n",
	"ownership.yaml": "order.payment_status: {owner: shop, copies: [erp, tax], agree_within: 1h, page: finance}\norder.email: {owner: shop, copies: [crm, erp], agree_within: 1h, page: crm}\n" +
		"payment.amount: {owner: shop, page: finance}\nunowned: [\"*\"]\n",
	"integrations/erp.yaml": integration("erp", "  - {on: [order.updated, payment.captured], http: {method: PUT, url: \"%URL%/erp\"}, body: {status: order.payment_status, email: order.email}}\n"+
		"  - {on: [order.corrected], fields: [order.payment_status, order.email], http: {method: PATCH, url: \"%URL%/erp\"}, body: {status: order.payment_status, email: order.email}}\n"),
	"integrations/tax.yaml": integration("tax", "  - {on: [order.updated, payment.captured], http: {method: PUT, url: \"%URL%/tax\"}, body: {status: order.payment_status}}\n"+
		"  - {on: [order.corrected], fields: [order.payment_status], http: {method: PATCH, url: \"%URL%/tax\"}, body: {status: order.payment_status, why: correction.why}}\n"),
	"integrations/crm.yaml": integration("crm", "  - {on: [order.created], http: {method: PUT, url: \"%URL%/crm\"}, body: {id: order.id}}\n"),
}

func integration(name, routes string) string {
	return "name: " + name + "\nteam: finance\noperation: book\ncomplete_within: 1h\nstale_after: 1h\nidempotency: {upsert: true}\ndeliver:\n" + routes
}

// accepting is a running Seam with the command line beside it.
type accepting struct {
	*testing.T
	kafka  *topologytest.Kafka
	topo   *topology.Topology
	serde  *schemas.Serde
	dir    string // of the topology
	view   string
	mu     sync.Mutex
	calls  []string // "PATCH /tax {...}"
	stop   func()
	client *kgo.Client
	now    time.Time
}

func newAccepting(t *testing.T) *accepting {
	t.Helper()
	a := &accepting{T: t, kafka: topologytest.Cluster(t), dir: t.TempDir(), now: time.Now().UTC().Add(-time.Minute).Truncate(time.Second)}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.calls = append(a.calls, r.Method+" "+r.URL.Path+" "+string(body))
	}))
	t.Cleanup(srv.Close)
	for name, text := range acceptFiles {
		file := filepath.Join(a.dir, name)
		text = strings.NewReplacer("%PREFIX%", a.kafka.Prefix, "%URL%", srv.URL).Replace(text)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if a.topo, err = topology.Load(os.DirFS(a.dir), os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	a.view = filepath.Join(t.TempDir(), "view.db")
	a.serde = schemas.NewSerde(a.kafka.RegistryClient(t))
	a.client = a.kafka.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	a.start()
	t.Cleanup(func() { a.stop() })
	return a
}

// start runs the integrations and the reconciler.
func (a *accepting) start() {
	a.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan app.Info, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Config{Topology: a.topo, Brokers: a.kafka.Brokers, Registry: a.kafka.Registry, Apply: true, Listen: "127.0.0.1:0", View: a.view,
			Only: []string{"erp", "tax", "crm", "reconcile"}, Ready: func(i app.Info) { ready <- i }})
	}()
	a.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			a.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		a.Fatalf("seam did not start: %v", err)
	}
}

// say publishes what a system says of order 1001 at a version.
func (a *accepting) say(system schemas.System, et schemas.EventType, version int, status, email string) {
	a.Helper()
	at := a.now.Add(time.Duration(version) * time.Second)
	ev := &schemas.Event{ID: schemas.NewEventID(string(system), fmt.Sprint(et, version), ""), Type: et, Source: "/test", System: system, Subject: "1001", Time: at, IngestedAt: at, SourceVersion: fmt.Sprint(version),
		Order: &schemas.Order{ID: "1001", PaymentStatus: status, Email: email}}
	if et == schemas.PaymentCaptured {
		amount, err := schemas.NewMoney("1.00", "EUR")
		if err != nil {
			a.Fatal(err)
		}
		ev.Payment = &schemas.Payment{ID: "p", Amount: amount}
	}
	topic := a.topo.TopicName(schemas.TopicOrders)
	value, err := a.serde.EncodeEvent(a.Context(), topic+"-value", ev)
	if err != nil {
		a.Fatal(err)
	}
	if err := a.client.ProduceSync(a.Context(), &kgo.Record{Topic: topic, Key: []byte("1001"), Value: value, Headers: schemas.EventHeaders(ev, "")}).FirstErr(); err != nil {
		a.Fatal(err)
	}
}

// settled waits until every integration has taken in all there is, and gives the calls since the last time, sorted.
func (a *accepting) settled() []string {
	a.Helper()
	adm := kadm.NewClient(a.client)
	topologytest.Eventually(a, "no group lags", func() error {
		for i := range a.topo.Integrations {
			group := a.topo.Group(a.topo.Integrations[i].Name)
			lags, err := adm.Lag(a.Context(), group)
			if err != nil {
				return err
			}
			if of := lags[group]; of.Error() != nil || of.Lag.Total() > 0 {
				return fmt.Errorf("%s lags by %d: %w", group, of.Lag.Total(), of.Error())
			}
		}
		return nil
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Sorted(slices.Values(a.calls))
	a.calls = nil
	return out
}

// told fails unless the calls since the last time are these.
func (a *accepting) told(what string, want ...string) {
	a.Helper()
	if d := cmp.Diff(want, a.settled()); d != "" {
		a.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// seam runs a verb.
func (a *accepting) seam(code int, args ...string) string {
	a.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--topology", a.dir, "--bootstrap-server", strings.Join(a.kafka.Brokers, ","), "--registry", a.kafka.Registry)
	if got := run(args, &out, &errs); got != code {
		a.Fatalf("seam %v: exit %d, want %d: %s%s", args, got, code, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// has fails unless a text holds all of these.
func (a *accepting) has(text string, want ...string) {
	a.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			a.Errorf("no %q in:\n%s", w, text)
		}
	}
}

// TestAcceptOneSide is a person's decision from the command line to the downstreams and back: who is told it, once; what comes
// over it, and what does not.
func TestAcceptOneSide(t *testing.T) {
	a := newAccepting(t)
	a.say("shop", schemas.OrderUpdated, 5, "paid", "jane@example.com")
	a.say("erp", schemas.OrderUpdated, 9, "refunded", "")
	a.say("crm", schemas.OrderUpdated, 3, "", "john@example.com")
	a.told("the shop's state", `PUT /erp {"email":"jane@example.com","status":"paid"}`, `PUT /tax {"status":"paid"}`)

	accept := []string{"disagreements", "accept", "1001", "--field", "order.payment_status", "--of", "erp", "--why", "the bank paid back", "--who", "jo"}
	a.has(a.seam(0, accept...), "erp says refunded (accepted)", "integration tax tells tax refunded by PATCH http", "shop must be corrected by hand: no integration delivers order.corrected to it", "nothing is decided yet")
	a.told("a plan tells nobody", []string(nil)...)
	a.has(a.seam(1, append(accept, "--team", "crm")...), "order.payment_status is finance's to decide, which ownership.yaml pages for it, and not crm's")
	a.has(a.seam(1, "disagreements", "accept", "1001", "--field", "order.total", "--of", "erp", "--why", "x"), "nobody differs about order.total of 1001 now")
	a.has(a.seam(1, "disagreements", "accept", "1001", "--field", "order.total", "--of", "erp"), "--field, --of, --why and --who are needed")
	a.has(a.seam(0, append(accept, "--execute")...), "decided by jo for finance: order.corrected ")
	a.told("the decision", `PATCH /tax {"status":"refunded","why":"the bank paid back"}`)
	a.has(a.seam(0, append(accept, "--execute")...), "accepted already by jo: the bank paid back", "nothing more is decided")
	var plan struct {
		Already, Executed bool
		Told              []struct{ Integration string }
	}
	if err := json.Unmarshal([]byte(a.seam(0, append(accept, "--execute", "--json")...)), &plan); err != nil || !plan.Already || plan.Executed || len(plan.Told) != 1 || plan.Told[0].Integration != "tax" {
		t.Errorf("%+v, %v", plan, err)
	}
	a.told("the same again", []string(nil)...)
	a.has(a.seam(0, "order", "1001"), "erp's \"refunded\" was accepted at ", " by finance (jo): the bank paid back", "withheld order.payment_status: held")

	a.say("shop", schemas.PaymentCaptured, 4, "pending", "")
	a.told("an older state does not come over it", `PUT /erp {}`, `PUT /tax {}`)
	a.stop()
	adm := kadm.NewClient(a.client)
	for _, name := range []string{"erp", "tax"} {
		starts, err := adm.ListStartOffsets(t.Context(), a.topo.TopicName(schemas.TopicOrders))
		if err != nil {
			t.Fatal(err)
		}
		if err := adm.CommitAllOffsets(t.Context(), a.topo.Group(name), starts.Offsets()); err != nil {
			t.Fatal(err)
		}
	}
	a.start()
	a.told("a reset of offsets does nothing more", []string(nil)...)

	mail := []string{"disagreements", "accept", "1001", "--field", "order.email", "--of", "crm", "--why", "she called", "--who", "jo", "--execute", "--view", a.view}
	topologytest.Eventually(t, "the view knows what the topics do", func() error {
		if out := a.seam(0, "disagreements", "--view", a.view); !strings.Contains(out, "accepted (erp's refunded, by finance)") || !strings.Contains(out, "order.email") {
			return fmt.Errorf("the view says %s", out)
		}
		return nil
	})
	if out := a.seam(0, mail...); !strings.Contains(out, "j***@***.com") || strings.Contains(out, "john") {
		t.Errorf("a personal value is shown:\n%s", out)
	}
	a.told("a personal value comes from the topic", `PATCH /erp {"email":"john@example.com"}`)

	a.say("shop", schemas.OrderUpdated, 6, "refunded", "john@example.com")
	a.told("what the owner says newer is sent", `PUT /erp {"email":"john@example.com","status":"refunded"}`, `PUT /tax {"status":"refunded"}`)
	if out := a.seam(0, "order", "1001"); strings.Contains(out, "to come round") || strings.Contains(out, "its owner") {
		t.Errorf("all agree:\n%s", out)
	}
}
