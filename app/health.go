package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// stuckAfter is how long a loop may take to go round. They do so every second, the monitor's every 15 s.
	stuckAfter = time.Minute
	// askEvery is how often Kafka and the view are asked whether they are there; askLimit is how long they may take.
	askEvery = 5 * time.Second
	askLimit = 4 * time.Second
)

// health says whether the process lives and whether it can work: the first is mended by a restart, the second is not.
// Docs: docs/metrics.md.
type health struct {
	now   func() time.Time
	beats *prometheus.GaugeVec

	mu      sync.Mutex
	loops   map[string]time.Time // of the roles whose loop runs: when it last went round
	process string               // why the process does not work; empty while it does
	asked   []check              // what was last said by those who are asked in the background
	full    func() error         // why the edge cannot take what comes; nil where there is none
	spools  func() bool          // whether the edge takes some of what comes while Kafka is away
}

// check is one line of an answer.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not; of one that is, what is to be known of it
}

func newHealth(reg prometheus.Registerer, now func() time.Time) *health {
	h := &health{now: now, loops: map[string]time.Time{}, process: "it is starting", spools: func() bool { return false }, full: func() error { return nil },
		beats: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "seam_heartbeat_timestamp_seconds", Help: "When the loop of a role last went round."}, []string{"role"})}
	reg.MustRegister(h.beats)
	return h
}

// loop is told by the loop of a role each time it goes round, and false when it waits for what no restart mends: then it is not
// judged.
func (h *health) loop(role string) func(runs bool) {
	beat := h.beats.WithLabelValues(role)
	beat.Set(unix(h.now()))
	return func(runs bool) {
		now := h.now()
		h.mu.Lock()
		defer h.mu.Unlock()
		if !runs {
			delete(h.loops, role)
			return
		}
		h.loops[role] = now
		beat.Set(unix(now))
	}
}

// unix is a time as Prometheus has it: seconds since 1970.
func unix(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// works says why the process does not work; empty that it does.
func (h *health) works(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.process = why
}

// watch asks, until ctx ends, what the process needs to work, each by a name. Then the process is stopping, which it says at once.
func (h *health) watch(ctx context.Context, needs map[string]func(context.Context) error) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		h.ask(ctx, needs)
		select {
		case <-ctx.Done():
			h.works("it is stopping")
			return nil
		case <-tick.C:
		}
	}
}

// ask asks once.
func (h *health) ask(ctx context.Context, needs map[string]func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var got []check
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		c := check{Name: name, OK: true}
		if err := needs[name](ctx); err != nil {
			c.OK, c.Reason = false, err.Error()
		}
		got = append(got, c)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = got
}

// alive is whether each loop goes round.
func (h *health) alive() []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []check{}
	for _, role := range slices.Sorted(maps.Keys(h.loops)) {
		c := check{Name: role, OK: true}
		if since := h.now().Sub(h.loops[role]); since > stuckAfter {
			c.OK, c.Reason = false, fmt.Sprintf("its loop has not gone round for %s", since.Round(time.Second))
		}
		out = append(out, c)
	}
	return out
}

// ready is whether the process can do its work now.
func (h *health) ready() []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []check{{Name: "process", OK: h.process == "", Reason: h.process}}
	for _, c := range h.asked {
		if c.Name == needKafka && !c.OK && h.spools() { // to send nobody here would lose what nobody sends again
			c.OK, c.Reason = true, c.Reason+"; what sources with spool: true send is kept on disk"
		}
		out = append(out, c)
	}
	if err := h.full(); err != nil {
		out = append(out, check{Name: "edge", Reason: err.Error()})
	}
	return out
}

// The needs of a process.
const (
	needKafka = "kafka"
	needView  = "view"
)

// leaders tells whether Kafka can be reached and every partition of some topics has a leader, so that they can be written to. It
// asks itself: kadm may answer from what the client knows.
func leaders(client *kgo.Client, topics []string) func(context.Context) error {
	return func(ctx context.Context) error {
		req := kmsg.NewPtrMetadataRequest()
		for _, topic := range topics {
			rt := kmsg.NewMetadataRequestTopic()
			rt.Topic = &topic
			req.Topics = append(req.Topics, rt)
		}
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return fmt.Errorf("kafka cannot be reached: %w", err)
		}
		for _, rt := range resp.Topics {
			if err := kerr.ErrorForCode(rt.ErrorCode); err != nil && rt.Topic != nil {
				return fmt.Errorf("topic %s: %w", *rt.Topic, err)
			}
			for _, p := range rt.Partitions {
				if p.Leader < 0 {
					return fmt.Errorf("partition %d of %s has no leader", p.Partition, *rt.Topic)
				}
			}
		}
		return nil
	}
}

// probes serves liveness and readiness. To the world only the status is told, not why.
func probes(mux *http.ServeMux, h *health, toWorld bool) {
	serve := func(path string, of func() []check) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			list := of()
			answer := struct {
				Status string  `json:"status"`
				Checks []check `json:"checks,omitempty"`
			}{"ok", list}
			w.Header().Set("Content-Type", "application/json")
			if slices.ContainsFunc(list, func(c check) bool { return !c.OK }) {
				answer.Status = "failing"
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			if toWorld {
				answer.Checks = nil
			}
			_ = json.NewEncoder(w).Encode(answer) // who asked is gone
		})
	}
	serve("/healthz", h.alive)
	serve("/readyz", h.ready)
}
