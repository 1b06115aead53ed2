package app

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// kafkaClients measures the Kafka clients of a process by the room that has them. kprom measures one client for its life; rooms make
// clients anew, and several, so all of a room count together. It is a prometheus.Collector that announces nothing, as rooms come
// when they are opened.
type kafkaClients struct {
	cluster []kgo.Opt
	mu      sync.Mutex
	rooms   []*room
}

// room is the metrics of one room's clients: hooks of each.
type room struct {
	*kprom.Metrics
	labels prometheus.Labels
	first  sync.Once
	made   atomic.Bool
	mu     sync.Mutex
	live   map[*kgo.Client]bool
}

// of is how the clients of a room reach the cluster, measured. A room that is asked for again, as a worker that begins anew asks,
// counts on.
func (k *kafkaClients) of(name string) []kgo.Opt {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.rooms, func(r *room) bool { return r.labels["client"] == name })
	if i < 0 {
		labels := prometheus.Labels{"client": name}
		i, k.rooms = len(k.rooms), append(k.rooms, &room{labels: labels, live: map[*kgo.Client]bool{}, Metrics: kprom.NewMetrics("seam_kafka", kprom.Registry(nil), kprom.WithStaticLabel(labels),
			kprom.FetchAndProduceDetail(kprom.ByNode, kprom.ByTopic, kprom.Batches, kprom.Records, kprom.CompressedBytes, kprom.UncompressedBytes, kprom.ConsistentNaming))})
	}
	return append(slices.Clone(k.cluster), kgo.WithHooks(k.rooms[i]))
}

// OnNewClient takes in a client of the room.
func (r *room) OnNewClient(cl *kgo.Client) {
	r.first.Do(func() { r.Metrics.OnNewClient(cl); r.made.Store(true) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[cl] = true
}

// OnClientClosed forgets a client; what it counted stays.
func (r *room) OnClientClosed(cl *kgo.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, cl)
}

// Describe announces nothing.
func (k *kafkaClients) Describe(chan<- *prometheus.Desc) {}

// Collect gives the metrics of every room.
func (k *kafkaClients) Collect(ch chan<- prometheus.Metric) {
	k.mu.Lock()
	rooms := slices.Clone(k.rooms)
	k.mu.Unlock()
	for _, r := range rooms {
		if r.made.Load() {
			r.counted(ch)
			r.buffered(ch)
		}
	}
}

// counted gives what kprom counts, less what it measures of the room's first client alone.
func (r *room) counted(ch chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric)
	go func() { r.Metrics.Collect(all); close(all) }()
	for m := range all {
		if !strings.Contains(m.Desc().String(), `"seam_kafka_buffered_`) {
			ch <- m
		}
	}
}

// buffered gives what the room's clients hold, together.
func (r *room) buffered(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	clients := make([]*kgo.Client, 0, len(r.live))
	for cl := range r.live {
		clients = append(clients, cl)
	}
	r.mu.Unlock()
	for _, b := range []struct {
		name, help string
		of         func(*kgo.Client) int64
	}{
		{"buffered_produce_records", "Records that wait to be produced", (*kgo.Client).BufferedProduceRecords},
		{"buffered_produce_bytes", "Bytes of records that wait to be produced", (*kgo.Client).BufferedProduceBytes},
		{"buffered_fetch_records", "Records that were fetched and not polled", (*kgo.Client).BufferedFetchRecords},
		{"buffered_fetch_bytes", "Bytes of records that were fetched and not polled", (*kgo.Client).BufferedFetchBytes},
	} {
		sum := int64(0)
		for _, cl := range clients {
			sum += b.of(cl)
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("seam_kafka_"+b.name, b.help, nil, r.labels), prometheus.GaugeValue, float64(sum))
	}
}
