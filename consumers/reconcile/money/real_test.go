package money_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// topics says of which topic saved API answers are; the others carry it in their names.
var topics = map[string]string{
	"order": "orders__updated", "order_partially_refunded": "orders__updated", "order_sample": "orders__updated",
	"order_updated_old": "orders__updated", "order_updated_new": "orders__updated",
	"refund_create_response": "refunds__create", "legacy_refund": "refunds__create",
	"fulfillment": "fulfillments__update", "fulfillment_create_response": "fulfillments__update", "legacy_fulfillment": "fulfillments__update",
	"woocommerce/order": "order__updated", "order-without-data": "order__updated", "order-fully-refunded": "order__updated",
}

// ground is an edge on a broker, and what became of what was sent to it.
type ground struct {
	t      *testing.T
	topo   *topology.Topology
	serde  *schemas.Serde
	client *kgo.Client
	edge   *producers.Edge
	dir    string
	from   map[schemas.EventID]payload // by the events that came of it
}

// payload is a body and the file that it or the list it was in is from.
type payload struct {
	file string
	body []byte
}

// inputs is the folder of real payloads; without it the test is skipped.
func inputs(t *testing.T) string {
	t.Helper()
	root := os.Getenv("SEAM_INPUTS")
	if root == "" {
		t.Skip("SEAM_INPUTS is not set")
	}
	return root
}

func newGround(t *testing.T, sources ...topology.Source) *ground {
	t.Helper()
	kafka := topologytest.Cluster(t, topologytest.Embedded())
	g := &ground{t: t, dir: t.TempDir(), from: map[schemas.EventID]payload{}}
	g.topo = &topology.Topology{Prefix: kafka.Prefix, Partitions: 1, Sources: sources}
	g.serde = schemas.NewSerde(kafka.RegistryClient(t))
	for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory, topology.TopicQuarantine} {
		kafka.Topic(t, topic, 1, nil)
	}
	g.client = kafka.Client(t, producers.ClientOpts()...)
	edge, err := producers.New(producers.Config{Topology: g.topo, Publisher: producers.NewPublisher(g.client, g.serde, g.topo)})
	if err != nil {
		t.Fatal(err)
	}
	g.edge = edge
	return g
}

// put saves a body where Ingest finds it as one of a platform's topic.
func (g *ground) put(platform topology.Platform, topic string, p payload) {
	g.t.Helper()
	dir, err := os.MkdirTemp(g.dir, string(platform)+"-")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, topic+".json"), p.body, 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	rep, err := producers.Ingest(g.t.Context(), producers.IngestConfig{Source: g.topo.Source(string(platform)), Dir: dir, Handler: g.edge.Handler()})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, f := range rep.Files {
		for _, id := range f.EventIDs {
			g.from[id] = p
		}
	}
}

// putFolder sends every saved payload of a platform.
func (g *ground) putFolder(root string, platform topology.Platform) {
	g.t.Helper()
	files, err := filepath.Glob(filepath.Join(root, string(platform), "*.json"))
	deeper, err2 := filepath.Glob(filepath.Join(root, string(platform), "*", "*.json"))
	if err != nil || err2 != nil || len(files)+len(deeper) == 0 {
		g.t.Fatalf("%s: no payloads: %v %v", platform, err, err2)
	}
	for _, file := range append(files, deeper...) {
		body, err := os.ReadFile(file)
		if err != nil {
			g.t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, key := range []string{string(platform) + "/" + name, name} {
			if topic := topics[key]; topic != "" {
				name = topic
				break
			}
		}
		if platform == topology.Stripe { // as a shop sends it that names its orders
			body = bytes.Replace(body, []byte(`"metadata": {`), []byte(`"metadata": {"order_id": "0042",`), 1)
		}
		p := payload{file, body}
		g.put(platform, name, p)
		g.putTransactions(p)
	}
}

// putTransactions sends each of an API answer's transactions as the webhook it came with.
func (g *ground) putTransactions(p payload) {
	g.t.Helper()
	var list struct {
		Transactions []json.RawMessage `json:"transactions"`
	}
	if json.Unmarshal(p.body, &list) != nil || bytes.Contains(p.body, []byte(`"refund_line_items"`)) {
		return
	}
	for _, tx := range list.Transactions {
		g.put(topology.Shopify, "order_transactions__create", payload{p.file, tx})
	}
}

// events reads the orders topic to what is its end now.
func (g *ground) events() []*schemas.Event {
	g.t.Helper()
	topic := g.topo.TopicName(schemas.TopicOrders)
	ends, err := kadm.NewClient(g.client).ListEndOffsets(g.t.Context(), topic)
	if err != nil {
		g.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	g.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	defer g.client.PurgeTopicsFromConsuming(topic)
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	var out []*schemas.Event
	for int64(len(out)) < end.Offset && ctx.Err() == nil {
		for _, rec := range g.client.PollFetches(ctx).Records() {
			ev, err := g.serde.DecodeEvent(ctx, rec.Value)
			if err != nil {
				g.t.Fatal(err)
			}
			out = append(out, ev)
		}
	}
	return out
}

// TestRealWebhooks sends every real payload through the edge and holds what is made of its money to the payload itself.
func TestRealWebhooks(t *testing.T) {
	t.Parallel()
	root := inputs(t)
	systems := map[topology.Platform]schemas.System{topology.Shopify: "shop", topology.WooCommerce: "shop", topology.Stripe: "psp", topology.Adyen: "psp"}
	var sources []topology.Source
	for p, system := range systems {
		sources = append(sources, topology.Source{Name: string(p), System: system, Platform: p, Secrets: []topology.Secret{"44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"}})
	}
	g := newGround(t, sources...)
	for p := range systems {
		g.putFolder(root, p)
	}
	books, kinds, captured := map[string]*money.Book{}, map[money.Kind]int{}, &money.Book{}
	for _, ev := range g.events() {
		if books[ev.Subject] == nil {
			books[ev.Subject] = &money.Book{}
		}
		books[ev.Subject].Add(ev)
		if strings.HasSuffix(g.from[ev.ID].file, "rest/order_transactions.json") {
			captured.Add(ev)
		}
		said := amountsOf(g.from[ev.ID].body)
		for _, m := range money.Of(ev) {
			kinds[m.Kind]++
			if fault := faultOf(m, said); fault != "" {
				t.Errorf("%s %s: %s %s of %q: %s", ev.Source, ev.BusinessID, m.Kind, m.Amount, m.Object, fault)
			}
		}
	}
	var partial []string
	for _, n := range captured.Net() {
		partial = append(partial, fmt.Sprintf("%s %s %s", n.Kind, n.Amount.StringFixed(2), n.Currency))
	}
	for order, b := range books {
		t.Logf("%s: %v", order, b.Net())
		overRefunded(t, order, b)
	}
	for _, kind := range []money.Kind{money.Charged, money.Presented, money.Authorized, money.Captured, money.Refunded, money.Disputed, money.Shipped} {
		if kinds[kind] == 0 {
			t.Errorf("no payload tells of %s: %v", kind, kinds)
		}
	}
	want := []string{"authorized 598.94 USD", "captured 250.94 USD", "refunded 209.00 USD"}
	if d := cmp.Diff(want, partial); d != "" {
		t.Errorf("an order captured in part (-want +got):\n%s", d)
	}
}

// overRefunded holds a book to telling a difference where a system gave back more than it took.
func overRefunded(t *testing.T, order string, b *money.Book) {
	t.Helper()
	sums := map[string]decimal.Decimal{}
	spoke := map[schemas.System]bool{}
	for _, n := range b.Net() {
		spoke[n.System] = spoke[n.System] || n.Kind == money.Captured
		sums[fmt.Sprint(n.Kind, n.System, n.Currency)] = n.Amount
	}
	told := map[string]bool{}
	for _, d := range b.Differences(money.Rules{}) {
		told[fmt.Sprint(d.A.System, d.Currency)] = told[fmt.Sprint(d.A.System, d.Currency)] || d.AtMost && d.A.Plus == money.Refunded
	}
	for _, n := range b.Net() {
		over := n.Kind == money.Refunded && spoke[n.System] && n.Amount.GreaterThan(sums[fmt.Sprint(money.Captured, n.System, n.Currency)])
		if key := fmt.Sprint(n.System, n.Currency); over != told[key] && n.Kind == money.Refunded {
			t.Errorf("%s: %s: refunded more than captured is %v, told %v", order, key, over, told[key])
		}
	}
}

var code = regexp.MustCompile(`^[A-Z]{3}$`)

// faultOf says what is wrong with a movement; empty for nothing. Goods are quantities times prices and not in any payload.
func faultOf(m money.Movement, said []decimal.Decimal) string {
	switch {
	case m.Object == "" || m.System == "" || m.EventID == "" || m.At.IsZero() || m.SaidAt.IsZero() || m.SeenAt.IsZero():
		return "a part is missing"
	case m.Withdrawn && m.Amount.IsZero() && m.Currency == "":
		return ""
	case !code.MatchString(m.Currency) || m.Currency == "XXX":
		return "unknown currency " + m.Currency
	case m.Amount.IsNegative():
		return "below 0"
	case m.Kind == money.Shipped:
		return ""
	}
	for _, d := range said {
		if m.Amount.Equal(d.Abs()) || m.Amount.Shift(2).Equal(d) { // both signs; minor units of the currencies in the inputs
			return ""
		}
	}
	return "no such amount in the payload"
}

// amountsOf is every number of a body, read by another reader than the producers'.
func amountsOf(body []byte) []decimal.Decimal {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var out []decimal.Decimal
	for {
		token, err := dec.Token()
		if err != nil {
			return out
		}
		if d, err := decimal.NewFromString(fmt.Sprint(token)); err == nil {
			out = append(out, d)
		}
	}
}

// TestRealInvoices reads the ERP's files and holds every invoice to the sum of its rows.
func TestRealInvoices(t *testing.T) {
	t.Parallel()
	root := inputs(t)
	dir := t.TempDir()
	want, rows := sums(t, root, dir)
	g := newGround(t, topology.Source{Name: "erp", System: "erp", Platform: topology.Files, Dir: dir, Every: topology.Duration(time.Minute), Files: []topology.FileFormat{{
		Match: "online_retail_*.csv", Type: schemas.InvoiceIssued, Currency: "GBP", Zone: "Europe/London", Time: time.DateTime,
		Columns: map[string]string{"subject": "InvoiceNo", "time": "InvoiceDate", "invoice.id": "InvoiceNo", "invoice.issued_at": "InvoiceDate",
			"invoice.lines.0.sku": "StockCode", "invoice.lines.0.quantity": "Quantity", "invoice.lines.0.price": "UnitPrice"},
		Rules: []topology.FileRule{{Column: "InvoiceNo", Prefix: "C", Type: schemas.InvoiceCancelled},
			{Column: "InvoiceNo", Prefix: "A", Type: schemas.InvoiceIssued, Set: map[string]string{"invoice.kind": "adjustment"}}},
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.edge.Run(ctx) }()
	var events []*schemas.Event
	topologytest.Eventually(t, "all rows are events", func() error {
		if events = g.events(); len(events) < rows {
			return fmt.Errorf("%d of %d", len(events), rows)
		}
		return nil
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	books := map[string]*money.Book{}
	for _, ev := range events {
		if books[ev.Subject] == nil {
			books[ev.Subject] = &money.Book{}
		}
		books[ev.Subject].Add(ev)
	}
	got := map[string]string{}
	for id, b := range books {
		for _, n := range b.Net() {
			got[id] += fmt.Sprintf("%s %s %s", n.Kind, n.Amount, n.Currency)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// sums copies the ERP's files to a folder and adds their rows up by invoice.
func sums(t *testing.T, root, dir string) (want map[string]string, rows int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "erp_batch", "online_retail_*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	total, hour := map[string]decimal.Decimal{}, time.Now().Add(-time.Hour)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(to, hour, hour); err != nil { // so that it is not taken for half written
			t.Fatal(err)
		}
		cells, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range cells[1:] {
			rows++
			total[row[0]] = total[row[0]].Add(decimal.RequireFromString(row[3]).Mul(decimal.RequireFromString(row[5])))
		}
	}
	want = map[string]string{}
	for id, sum := range total {
		kind := "invoiced"
		if strings.HasPrefix(id, "C") {
			kind = "credited"
		}
		if !strings.HasPrefix(id, "A") {
			want[id] = fmt.Sprintf("%s %s GBP", kind, sum.Abs())
		}
	}
	return want, rows
}
