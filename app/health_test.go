package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// clinic is a health with a clock that the test moves.
type clinic struct {
	*testing.T
	h   *health
	now time.Time
}

func newClinic(t *testing.T) *clinic {
	c := &clinic{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	c.h = newHealth(prometheus.NewRegistry(), func() time.Time { return c.now })
	return c
}

// says fails the test unless a path answers so, to those inside.
func (c *clinic) says(path string, status int, body string) {
	c.Helper()
	mux := http.NewServeMux()
	probes(mux, c.h, false)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	if got := strings.TrimSpace(rec.Body.String()); rec.Code != status || got != body {
		c.Errorf("%s: %d %s\nwant %d %s", path, rec.Code, got, status, body)
	}
}

// TestAlive: a loop that does not go round any more is told, and one that waits for others is not judged.
func TestAlive(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.says("/healthz", 200, `{"status":"ok"}`) // nothing runs yet
	warehouse, monitor := c.h.loop("warehouse"), c.h.loop("monitor")
	warehouse(true)
	monitor(true)
	c.now = c.now.Add(time.Minute)
	c.says("/healthz", 200, `{"status":"ok","checks":[{"name":"monitor","ok":true},{"name":"warehouse","ok":true}]}`)
	monitor(true)
	c.now = c.now.Add(12 * time.Second)
	c.says("/healthz", 503, `{"status":"failing","checks":[{"name":"monitor","ok":true},{"name":"warehouse","ok":false,"reason":"its loop has not gone round for 1m12s"}]}`)
	warehouse(false)
	c.says("/healthz", 200, `{"status":"ok","checks":[{"name":"monitor","ok":true}]}`)
	var m dto.Metric
	if err := c.h.beats.WithLabelValues("warehouse").Write(&m); err != nil {
		t.Fatal(err)
	}
	if at := m.GetGauge().GetValue(); at != float64(c.now.Add(-72*time.Second).Unix()) {
		t.Errorf("the last beat was at %v: to wait is none", at)
	}
}

// TestReady walks through the life of a process.
func TestReady(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.says("/readyz", 503, `{"status":"failing","checks":[{"name":"process","ok":false,"reason":"it is starting"}]}`)
	var away, closed error
	needs := map[string]func(context.Context) error{needKafka: func(context.Context) error { return away }, needView: func(context.Context) error { return closed }}
	c.h.works("")
	c.h.ask(t.Context(), needs)
	c.says("/readyz", 200, `{"status":"ok","checks":[{"name":"process","ok":true},{"name":"kafka","ok":true},{"name":"view","ok":true}]}`)
	closed = errors.New("the view's database does not answer")
	c.h.ask(t.Context(), needs)
	c.says("/readyz", 503, `{"status":"failing","checks":[{"name":"process","ok":true},{"name":"kafka","ok":true},{"name":"view","ok":false,"reason":"the view's database does not answer"}]}`)
	away, closed = errors.New("kafka cannot be reached"), nil
	c.h.ask(t.Context(), needs)
	c.says("/readyz", 503, `{"status":"failing","checks":[{"name":"process","ok":true},{"name":"kafka","ok":false,"reason":"kafka cannot be reached"},{"name":"view","ok":true}]}`)
	c.says("/healthz", 200, `{"status":"ok"}`) // a restart mends nothing of that
	c.h.spools = func() bool { return true }
	c.says("/readyz", 200, `{"status":"ok","checks":[{"name":"process","ok":true},{"name":"kafka","ok":true,"reason":"kafka cannot be reached; what sources with spool: true send is kept on disk"},{"name":"view","ok":true}]}`)
	c.h.spools, c.h.full = func() bool { return false }, func() error { return errors.New("the spool of woo is full (512 MiB)") }
	c.says("/readyz", 503, `{"status":"failing","checks":[{"name":"process","ok":true},{"name":"kafka","ok":false,"reason":"kafka cannot be reached"},{"name":"view","ok":true},{"name":"edge","ok":false,"reason":"the spool of woo is full (512 MiB)"}]}`)

	away, c.h.full = nil, func() error { return nil }
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := c.h.watch(ctx, needs); err != nil {
		t.Error(err)
	}
	c.h.works("") // told to stop while it was starting
	c.says("/readyz", 503, `{"status":"failing","checks":[{"name":"process","ok":false,"reason":"it is stopping"},{"name":"kafka","ok":true},{"name":"view","ok":true}]}`)
}

// TestTheWorldIsNotToldWhy: on the edge's address only the status stands.
func TestTheWorldIsNotToldWhy(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	mux := http.NewServeMux()
	probes(mux, c.h, true)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if got := strings.TrimSpace(rec.Body.String()); rec.Code != 503 || got != `{"status":"failing"}` {
		t.Errorf("%d %s", rec.Code, got)
	}
}

// TestLeaders: a partition without a leader cannot be written to, and neither can a cluster that is away.
func TestLeaders(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t, topologytest.Embedded())
	topic := k.Topic(t, "orders", 2, nil)
	ask := leaders(k.Client(t, kgo.MetadataMaxAge(time.Hour)), []string{topic})
	if err := ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.Fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.Fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic = &topic
		for i := range int32(2) {
			rp := kmsg.NewMetadataResponseTopicPartition()
			rp.Partition, rp.Leader = i, 0-i // of the second nobody
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := ask(ctx); err == nil || err.Error() != "partition 1 of "+topic+" has no leader" {
		t.Errorf("without a leader: %v", err)
	}
	k.Fake.Close()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := ask(short); err == nil || !strings.HasPrefix(err.Error(), "kafka cannot be reached: ") {
		t.Errorf("of a cluster that is away: %v", err)
	}
}

// written hears of a batch that was written once the hooks before it have: kgo calls them beside the record's own answer.
type written chan struct{}

func (w written) OnProduceBatchWritten(kgo.BrokerMetadata, string, int32, kgo.ProduceBatchMetrics) {
	w <- struct{}{}
}

// TestRoomsOfClients: all clients of a room count together, what they counted outlives them, and none is counted twice.
func TestRoomsOfClients(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topic := k.Topic(t, "orders", 1, nil)
	kafka := &kafkaClients{cluster: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}}
	reg := prometheus.NewRegistry()
	reg.MustRegister(kafka)
	room, other := kafka.of("room"), kafka.of("other")
	for i, opts := range [][]kgo.Opt{room, room, other} {
		counted := make(written, 1)
		cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.WithHooks(counted))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		<-counted
		if i == 0 {
			cl.Close() // the next of the room comes after it
		} else {
			defer cl.Close()
		}
	}
	families, err := reg.Gather() // fails where two say the same
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	buffered := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if strings.HasPrefix(f.GetName(), "seam_kafka_buffered_") {
				buffered++
			}
			if f.GetName() == "seam_kafka_produce_records_total" {
				for _, l := range m.GetLabel() {
					if l.GetName() == "client" {
						got[l.GetValue()] += m.GetCounter().GetValue()
					}
				}
			}
		}
	}
	if got["room"] != 2 || got["other"] != 1 || buffered != 8 {
		t.Errorf("records produced %v, want room 2, other 1; %d gauges of buffers, want 4 a room", got, buffered)
	}
}
