package producers

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// noon is our clock in tests.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// hexSecret is a key that every platform's scheme can use.
const hexSecret = "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"

func webhookSource(p topology.Platform) topology.Source {
	system := map[topology.Platform]schemas.System{topology.Shopify: "shop", topology.WooCommerce: "shop", topology.Stripe: "psp", topology.Adyen: "psp", topology.StandardWebhooks: "warehouse"}[p]
	return topology.Source{Name: string(p), System: system, Team: "ops", Platform: p, Secrets: []topology.Secret{hexSecret}}
}

// given is a delivery of a platform; headers are "Name: value" lines.
func given(p topology.Platform, body string, headers ...string) *delivery {
	s := webhookSource(p)
	d := &delivery{source: &s, header: http.Header{}, body: []byte(body), received: noon}
	for _, h := range headers {
		name, v, _ := strings.Cut(h, ": ")
		d.header.Set(name, v)
	}
	return d
}

// readOne reads a delivery that must come to exactly one event.
func readOne(t *testing.T, d *delivery) *schemas.Event {
	t.Helper()
	r := readAll(t, d)
	if len(r.events) != 1 || len(r.rejects) != 0 {
		t.Fatalf("got %d events and %d rejects, want one event: %v", len(r.events), len(r.rejects), faultsOf(r))
	}
	return r.events[0]
}

func readAll(t *testing.T, d *delivery) *reading {
	t.Helper()
	p := platforms[d.source.Platform]
	return p.read(d)
}

func faultsOf(r *reading) []string {
	var out []string
	for _, rej := range r.rejects {
		out = append(out, rej.fault.Error())
	}
	return out
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// rig is an edge on a broker.
type rig struct {
	t      *testing.T
	kafka  *topologytest.Kafka
	serde  *schemas.Serde
	topo   *topology.Topology
	client *kgo.Client
	edge   *Edge
	now    time.Time
}

// newRig starts a broker, or takes the real one of SEAM_BROKERS, with the topics of the sources and an edge before it.
func newRig(t *testing.T, sources ...topology.Source) *rig {
	t.Helper()
	return rigOn(t, topologytest.Cluster(t), sources)
}

// newFaultRig is newRig on the embedded broker, which can be made to fail.
func newFaultRig(t *testing.T, sources ...topology.Source) *rig {
	t.Helper()
	return rigOn(t, topologytest.Cluster(t, topologytest.Embedded()), sources)
}

func rigOn(t *testing.T, kafka *topologytest.Kafka, sources []topology.Source) *rig {
	t.Helper()
	r := &rig{t: t, kafka: kafka, now: noon}
	r.serde = schemas.NewSerde(r.kafka.RegistryClient(t))
	r.topo = &topology.Topology{Environment: topology.Development, Prefix: r.kafka.Prefix, Partitions: 3, Sources: sources}
	for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory, topology.TopicQuarantine} {
		r.kafka.Topic(t, topic, 3, nil)
	}
	r.client = r.kafka.Client(t, ClientOpts()...)
	r.edge = r.newEdge(t.TempDir())
	return r
}

func (r *rig) newEdge(dir string) *Edge {
	r.t.Helper()
	e, err := New(Config{
		Topology: r.topo, Publisher: NewPublisher(r.client, r.serde, r.topo), SpoolDir: dir,
		Registerer: prometheus.NewRegistry(), Logger: quiet(), Now: func() time.Time { return r.now },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// post sends a signed body and gives status and answer.
func (r *rig) post(source, topic, body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	s := r.topo.Source(source)
	d := given(s.Platform, body, append([]string{"Content-Type: application/json"}, headers...)...)
	d.source, d.received = s, r.now
	p := platforms[s.Platform]
	p.sign(d, topic)
	req := httptest.NewRequest(http.MethodPost, "/in/"+source, strings.NewReader(string(d.body)))
	req.Header = d.header
	rec := httptest.NewRecorder()
	r.edge.Handler().ServeHTTP(rec, req)
	return rec
}

// records reads a topic from its start to what is its end now.
func (r *rig) records(topic string) []*kgo.Record {
	r.t.Helper()
	full := r.topo.TopicName(topic)
	ends, err := kadm.NewClient(r.client).ListEndOffsets(r.t.Context(), full)
	if err != nil {
		r.t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	if left == 0 {
		return nil
	}
	c := r.kafka.Client(r.t, kgo.ConsumeTopics(full), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	var out []*kgo.Record
	for int64(len(out)) < left && ctx.Err() == nil {
		out = append(out, c.PollFetches(ctx).Records()...)
	}
	if int64(len(out)) != left {
		r.t.Fatalf("%s: read %d records of %d", topic, len(out), left)
	}
	return out
}

// events decodes an event topic.
func (r *rig) events(topic string) []*schemas.Event {
	r.t.Helper()
	var out []*schemas.Event
	for _, rec := range r.records(topic) {
		ev, err := r.serde.DecodeEvent(r.t.Context(), rec.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		if string(rec.Key) != ev.Subject {
			r.t.Errorf("record key %q of an event about %q", rec.Key, ev.Subject)
		}
		out = append(out, ev)
	}
	return out
}

// quarantined decodes the quarantine topic.
func (r *rig) quarantined() []*schemas.Quarantined {
	r.t.Helper()
	var out []*schemas.Quarantined
	for _, rec := range r.records(topology.TopicQuarantine) {
		q, err := r.serde.DecodeQuarantined(r.t.Context(), rec.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

// inputs is the folder of real payloads; without it the test is skipped.
func inputs(t *testing.T, path ...string) string {
	t.Helper()
	root := os.Getenv("SEAM_INPUTS")
	if root == "" {
		t.Skip("SEAM_INPUTS is not set")
	}
	return filepath.Join(append([]string{root}, path...)...)
}
