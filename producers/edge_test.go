package producers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// produceFault makes the broker drop the connection of every Produce while it is set, and tell of it.
func produceFault(r *rig, refused ...func()) *atomic.Bool {
	var away atomic.Bool
	r.kafka.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.kafka.Fake.KeepControl()
		if away.Load() {
			for _, tell := range refused {
				tell()
			}
			return nil, errors.New("the broker is away"), true
		}
		return nil, nil, false
	})
	return &away
}

func TestEdgeStatuses(t *testing.T) {
	t.Parallel()
	small := webhookSource(topology.Shopify)
	small.MaxBody = 100
	off := webhookSource(topology.Stripe)
	off.Secrets = nil
	folder := topology.Source{Name: "erp", Platform: topology.Files, Dir: t.TempDir(), Files: []topology.FileFormat{{Match: "*.csv", Type: schemas.OrderUpdated}}}
	r := newRig(t, small, off, folder, webhookSource(topology.WooCommerce))
	signed := func(d *delivery) { shopifySign(d, "orders/create") }
	for _, tt := range []struct {
		name, method, path, contentType, body string
		change                                func(*delivery)
		want                                  int
	}{
		{"taken", "POST", "/in/shopify", "application/json", `{"id":1}`, signed, 200},
		{"with a charset", "POST", "/in/shopify", "application/json; charset=utf-8", `{"id":1}`, signed, 200},
		{"unknown source", "POST", "/in/nobody", "application/json", `{}`, nil, 404},
		{"switched off", "POST", "/in/stripe", "application/json", `{}`, nil, 404},
		{"a folder takes no requests", "POST", "/in/erp", "application/json", `{}`, nil, 404},
		{"method", "GET", "/in/shopify", "", ``, nil, 405},
		{"content type", "POST", "/in/shopify", "text/plain", `{"id":1}`, signed, 415},
		{"no content type", "POST", "/in/shopify", "", `{"id":1}`, signed, 415},
		{"too large", "POST", "/in/shopify", "application/json", `{"id":1,"note":"` + strings.Repeat("x", 100) + `"}`, signed, 413},
		{"unsigned", "POST", "/in/shopify", "application/json", `{"id":1}`, nil, 401},
		{"signed otherwise", "POST", "/in/shopify", "application/json", `{"id":1}`, func(d *delivery) { d.header.Set("X-Shopify-Hmac-Sha256", "c2lnbmVk") }, 401},
		{"authentic nonsense", "POST", "/in/shopify", "application/json", `no json`, signed, 200},
		{"first ping of WooCommerce", "POST", "/in/woocommerce", "application/x-www-form-urlencoded", `webhook_id=7`, nil, 200},
		{"a form that is no ping", "POST", "/in/woocommerce", "application/x-www-form-urlencoded", `webhook_id=7&x=1`, nil, 415},
	} {
		d := given(topology.Shopify, tt.body)
		if tt.change != nil {
			tt.change(d)
		}
		if tt.contentType != "" {
			d.header.Set("Content-Type", tt.contentType)
		}
		req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		req.Header = d.header
		rec := httptest.NewRecorder()
		r.edge.Handler().ServeHTTP(rec, req)
		if rec.Code != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, rec.Code, rec.Body, tt.want)
		}
		if tt.want == 405 && rec.Header().Get("Allow") != "POST" {
			t.Errorf("Allow = %q", rec.Header().Get("Allow"))
		}
		if tt.want == 401 && strings.TrimSpace(rec.Body.String()) != "unauthorized" {
			t.Errorf("%s: the refusal says %q", tt.name, rec.Body)
		}
	}
	if n := counted(t, r.edge.metrics.refused.WithLabelValues("shopify", "bad_signature")); n != 1 {
		t.Errorf("refused for a bad signature: %v", n)
	}
	if got := len(r.events(schemas.TopicOrders)); got != 2 {
		t.Errorf("%d events of 2 that were taken", got)
	}
}

func TestEdgePublishes(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Shopify))
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	rec := r.post("shopify", "orders__create", `{"id":820982911946154508,"currency":"USD","total_price":"10.00"}`, "Traceparent: "+trace)
	var rep reply
	if err := json.Unmarshal(rec.Body.Bytes(), &rep); err != nil || rec.Code != 200 || len(rep.EventIDs) != 1 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	records := r.records(schemas.TopicOrders)
	if len(records) != 1 || string(records[0].Key) != "820982911946154508" {
		t.Fatalf("records: %+v", records)
	}
	env, ok := schemas.EnvelopeOf(records[0].Headers)
	if !ok || env.ID != rep.EventIDs[0] || env.Type != schemas.OrderCreated || env.TraceParent != trace {
		t.Errorf("headers: %+v", env)
	}
	if ev := r.events(schemas.TopicOrders)[0]; ev.Order.Total.String() != "10.00 USD" || !ev.IngestedAt.Equal(noon) {
		t.Errorf("event: %+v", ev)
	}
	// The Java client's partitioner: murmur2 of the key.
	want := kgo.StickyKeyPartitioner(nil).ForTopic("x").Partition(records[0], 3)
	if int(records[0].Partition) != want {
		t.Errorf("partition %d, want %d", records[0].Partition, want)
	}
	again := r.post("shopify", "orders__create", `{"id":820982911946154508,"currency":"USD","total_price":"10.00"}`)
	if again.Body.String() != rec.Body.String() {
		t.Errorf("the same delivery is %s, was %s", again.Body, rec.Body)
	}
}

func TestEdgeAnswersAfterTheAck(t *testing.T) {
	t.Parallel()
	r := newFaultRig(t, webhookSource(topology.Shopify))
	if rec := r.post("shopify", "orders__create", `{"id":1}`); rec.Code != 200 { // the schema is registered now
		t.Fatal(rec.Code, rec.Body)
	}
	held, release := make(chan struct{}), make(chan struct{})
	r.kafka.Fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(held)
		r.kafka.Fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() { answered <- r.post("shopify", "orders__create", `{"id":2}`) }()
	<-held
	select {
	case rec := <-answered:
		t.Errorf("answered %d before the broker had the record", rec.Code)
	default:
	}
	close(release)
	if rec := <-answered; rec.Code != 200 {
		t.Errorf("answered %d %s", rec.Code, rec.Body)
	}
}

func TestEdgeUnavailable(t *testing.T) {
	t.Parallel()
	s := webhookSource(topology.Shopify)
	s.AnswerWithin = topology.Duration(300 * time.Millisecond)
	r := newFaultRig(t, s)
	away := produceFault(r)
	away.Store(true)
	start := time.Now()
	rec := r.post("shopify", "orders__create", `{"id":1}`)
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || time.Since(start) > 5*time.Second {
		t.Errorf("%d, Retry-After %q after %v", rec.Code, rec.Header().Get("Retry-After"), time.Since(start))
	}
	away.Store(false)
	topologytest.Eventually(t, "the source's next try is taken", func() error {
		if rec := r.post("shopify", "orders__create", `{"id":1}`); rec.Code != 200 {
			return fmt.Errorf("answered %d", rec.Code)
		}
		return nil
	})
	ids := map[schemas.EventID]bool{}
	for _, ev := range r.events(schemas.TopicOrders) {
		ids[ev.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("one delivery has %d ids", len(ids))
	}
}

func TestEdgeQuarantines(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Shopify))
	body := `{"order_id":null,"risk_level":"medium"}`
	rec := r.post("shopify", "orders__risk_assessment_changed", body, "Authorization: Bearer x")
	var rep reply
	if err := json.Unmarshal(rec.Body.Bytes(), &rep); err != nil || rec.Code != 200 || rep.Quarantined == "" || len(rep.EventIDs) != 0 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	list := r.quarantined()
	if len(list) != 1 {
		t.Fatalf("%d quarantined", len(list))
	}
	q := list[0]
	if q.ID != rep.Quarantined || string(q.Body) != body || q.Field != "order_id" || q.Reason != "order_id: is null: "+noOrder || q.Source != "shopify" {
		t.Errorf("quarantined: %+v", q)
	}
	for name := range q.Headers {
		if credential(name) {
			t.Errorf("header %s is kept", name)
		}
	}
	if q.Headers["X-Shopify-Topic"] != "orders/risk_assessment_changed" {
		t.Errorf("headers: %v", q.Headers)
	}
	if n := counted(t, r.edge.metrics.quarantined.WithLabelValues("shopify")); n != 1 {
		t.Errorf("counted %v", n)
	}
	if _, err := r.edge.Reingest(t.Context(), q); err == nil || !strings.Contains(err.Error(), "order_id: is null") {
		t.Errorf("reingest: %v", err)
	}
	q.Body = []byte(`{"order_id":5,"risk_level":"medium"}`)
	ids, err := r.edge.Reingest(t.Context(), q)
	if err != nil || len(ids) != 1 || len(r.events(schemas.TopicOrders)) != 1 {
		t.Errorf("reingest: %v %v", ids, err)
	}
}

func TestEdgeAdyenAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Adyen))
	rec := r.post("adyen", "", adyenBody(
		`{"eventCode":"CAPTURE","success":"true","pspReference":"1","merchantReference":"0001","amount":{"value":100,"currency":"EUR"}}`,
		`{"eventCode":"NEW_CODE","success":"true","pspReference":"2","merchantReference":"0001"}`))
	if rec.Code != 200 || rec.Body.String() != "[accepted]" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if ev, q := r.events(schemas.TopicOrders), r.quarantined(); len(ev) != 1 || ev[0].Subject != "0001" || len(q) != 1 {
		t.Errorf("%d events, %d quarantined", len(ev), len(q))
	}
}

func TestEdgeConfig(t *testing.T) {
	t.Parallel()
	woo := webhookSource(topology.WooCommerce)
	woo.Spool = true
	bad := topology.Source{Name: "erp", Platform: topology.Files, Dir: "x", Files: []topology.FileFormat{{Match: "[", Type: schemas.OrderUpdated, Zone: "Mars/Base", Format: "xml", Columns: map[string]string{"order.colour": "c"}}}}
	lost := topology.Source{Name: "poll", Platform: topology.Poll, URL: "nowhere", Of: "erp"}
	_, err := New(Config{Topology: &topology.Topology{Sources: []topology.Source{woo, bad, lost, {Name: "fax", Platform: "fax"}}}, Publisher: &Publisher{}, Logger: quiet()})
	if err == nil {
		t.Fatal("taken")
	}
	want := []string{
		`source woocommerce: spool: true needs a spool directory: name one, or set spool: false and lose what comes while Kafka is away`,
		`source erp: files: match "[" is not a pattern: write one like orders_*.csv`,
		`files: [: format "xml" is neither csv nor json`,
		`files: [: zone "Mars/Base" is unknown: write an IANA zone like Europe/Vienna`,
		`files: [: columns: "order.colour" is not a field of the model: write one like order.total, invoice.lines.0.sku, subject, time`,
		`source poll: of: "erp" is not a shopify or woocommerce source: name the one whose missed webhooks this finds`,
		`source fax: platform "fax" is not one of shopify, woocommerce, stripe, adyen, standardwebhooks, files, poll`,
	}
	if d := cmp.Diff(strings.Join(want, "\n"), err.Error()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestSpoolOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	s := webhookSource(topology.WooCommerce)
	s.Spool = true
	r := newFaultRig(t, s)
	dir := t.TempDir()
	r.edge = r.newEdge(dir)
	r.edge.patience = 100 * time.Millisecond
	away := produceFault(r)
	away.Store(true)
	const orders = 5
	for i := range orders {
		body := fmt.Sprintf(`{"id":1,"status":"processing","currency":"EUR","total":"%d.00","date_modified_gmt":"2026-11-02T10:00:0%d"}`, i, i)
		if rec := r.post("woocommerce", "order__updated", body); rec.Code != 200 || !strings.Contains(rec.Body.String(), "event_ids") {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	if n := r.edge.sources["woocommerce"].spool.depth(); n != orders {
		t.Fatalf("%d deliveries on disk, want %d", n, orders)
	}
	// The process ends here; it may have been in the middle of a write, and the disk may have lost a page.
	folder := filepath.Join(dir, "spool", "woocommerce")
	for name, content := range map[string]string{".new-123": `{"headers":{`, "00000000000000000099.delivery": `{"headers":{},"bytes":50}` + "\nshort"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	away.Store(false)
	next := r.newEdge(dir)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- next.Run(ctx) }()
	topologytest.Eventually(t, "the spool is empty", func() error {
		if n := next.sources["woocommerce"].spool.depth(); n > 0 {
			return fmt.Errorf("%d wait", n)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var got []string // the first time each state is seen: what the first edge gave up may have been written late
	seen := map[string]bool{}
	for _, ev := range r.events(schemas.TopicOrders) {
		if ev.RawRef == "" || seen[ev.SourceVersion] {
			continue
		}
		seen[ev.SourceVersion] = true
		got = append(got, ev.SourceVersion[18:])
	}
	if d := cmp.Diff([]string{"0", "1", "2", "3", "4"}, got); d != "" {
		t.Errorf("states in order (-want +got):\n%s", d)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 2 { // the torn write and the damaged file, set aside
		t.Errorf("left on disk: %v %v", left, err)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	t.Parallel()
	s, err := openSpool(t.TempDir(), "woo")
	if err != nil {
		t.Fatal(err)
	}
	s.limit = 600
	d := given(topology.WooCommerce, strings.Repeat("x", 200))
	if err := s.put(d); err != nil {
		t.Fatal(err)
	}
	if err := s.put(d); !errors.Is(err, errSpoolFull) {
		t.Errorf("err = %v, want a full spool", err)
	}
	in := &inlet{source: d.source}
	if got, err := s.oldest(in); err != nil || string(got.body) != string(d.body) {
		t.Fatalf("oldest: %v %v", got, err)
	}
	if err := s.drop(""); err != nil {
		t.Fatal(err)
	}
	if err := s.put(d); err != nil {
		t.Errorf("after a drop: %v", err)
	}
}

// counted is the value of a counter.
func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// What is larger than Kafka takes is refused with 413, and what only its event is too large for is kept whole.
func TestEdgeTooLargeForKafka(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Shopify))
	rec := r.post("shopify", "orders__create", `{"id":1,"note":"`+strings.Repeat("x", 1_010_000)+`"}`)
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %.200s", rec.Code, rec.Body)
	}
	long := strings.Repeat("n", 100_000)
	rec = r.post("shopify", "orders__create", `{"id":1,"`+long+`":[1,2,3,4,5,6,7,8,9,10]}`)
	q := r.quarantined()
	if rec.Code != 200 || len(q) != 1 || q[0].Reason != "its values take more than 900000 bytes with their paths: send less in one delivery" || !strings.Contains(string(q[0].Body), long) {
		t.Errorf("%d, %d quarantined", rec.Code, len(q))
	}
	rec = r.post("shopify", "orders__create", `[`+strings.Repeat("1,", maxValues)+`1]`)
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), "more values than one delivery may have") {
		t.Errorf("%d %.200s", rec.Code, rec.Body)
	}
}

// Run watches folders, asks APIs and drains until its context ends, and leaves nothing running.
func TestEdgeRun(t *testing.T) {
	t.Parallel()
	s := folder(t, retail("*.csv"))
	r := newRig(t, s)
	drop(t, s.Dir, "a.csv", retailHead+"1,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,UK\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.edge.Run(ctx) }()
	topologytest.Eventually(t, "the file is taken", func() error {
		if len(r.records(schemas.TopicOrders)) == 0 {
			return errors.New("no record")
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Every shipped source opens once its variables are set.
func TestShippedSourcesOpen(t *testing.T) {
	t.Parallel()
	topo, err := topology.Load(topology.Default(), func(name string) (string, bool) {
		return "http://127.0.0.1:1/" + name, !strings.HasPrefix(name, "SEAM_")
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{Topology: topo, Publisher: &Publisher{}, SpoolDir: t.TempDir(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(e.sources) + len(e.files) + len(e.polls); n != len(topo.Sources) || n < 15 {
		t.Errorf("%d of %d sources are open", n, len(topo.Sources))
	}
}
