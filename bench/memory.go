package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
)

// limit is the memory a worker may hold, in MB.
const limit = 300

// memory measures what a worker holds at most while things stand still: behind one order that is never done, and while its
// downstream is closed, each before a backlog of all events.
func (s *suite) memory(ctx context.Context) ([]Result, error) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer refuses.Close()
	// Retries of the stuck order go on for ever, and its breaker never has enough calls to trip.
	const route = "idempotency: {upsert: true}\nretry: {max: 1s, give_up_after: 240h}\nbreaker: {of: %d}\ndeliver:\n  - on: [%s]\n    http: {url: %q}\n    body: {id: event.id}\n"
	integrations := map[string]string{
		"stuck":  fmt.Sprintf(route, 1_000_000, schemas.OrderCreated, refuses.URL),
		"closed": fmt.Sprintf(route, 20, schemas.OrderUpdated, "http://127.0.0.1:1/"),
	}
	g, err := s.ground(ctx, integrations, nil)
	if err != nil {
		return nil, err
	}
	out, err := g.standstill(ctx)
	return out, errors.Join(err, g.remove())
}

// standstill runs both workers, one after the other.
func (g *ground) standstill(ctx context.Context) ([]Result, error) {
	f := feed{events: g.Events, duplicates: true, system: "shop"}
	head := f.event(0)
	head.ID, head.Type, head.Subject, head.Order.ID = schemas.NewEventID("/bench", "stuck", ""), schemas.OrderCreated, "stuck", "stuck"
	topic := g.topo.TopicName(schemas.TopicOrders)
	value, err := g.serde.EncodeEvent(ctx, topic+"-value", head)
	if err != nil {
		return nil, err
	}
	if err := g.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(head.Subject), Value: value, Headers: schemas.EventHeaders(head, "")}).FirstErr(); err != nil {
		return nil, err
	}
	written, err := g.write(ctx, f)
	if err != nil {
		return nil, err
	}
	stuck := Result{Case: "memory/stuck", Unit: "MB", Target: limit, Most: true, Note: fmt.Sprintf("peak while %d events pass one order that is never done; the whole process", written)}
	peak, err := g.hold(ctx, "stuck", func(m *meter) bool { return m.sum("seam_outcomes_total") >= float64(written) })
	if err != nil {
		return nil, err
	}
	stuck.Seam = []float64{peak}
	closed := Result{Case: "memory/closed", Unit: "MB", Target: limit, Most: true, Note: fmt.Sprintf("peak while nobody answers and %d events wait; the whole process", written)}
	until := time.Now().Add(5 * time.Second)
	if peak, err = g.hold(ctx, "closed", func(m *meter) bool {
		return time.Now().After(until) && m.sum("seam_circuit_open") > 0
	}); err != nil {
		return []Result{stuck}, err
	}
	closed.Seam = []float64{peak}
	return []Result{stuck, closed}, nil
}

// hold runs a worker until it stands where it should, and gives the most memory that was held meanwhile, in MB.
func (g *ground) hold(ctx context.Context, name string, there func(*meter) bool) (float64, error) {
	g.tell("memory: %s", name)
	debug.FreeOSMemory()
	m, stop := g.worker(name)
	end := make(chan struct{})
	var peak float64
	var sampling sync.WaitGroup
	sampling.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, held())
			select {
			case <-end:
				return
			case <-tick.C:
			}
		}
	})
	err := until(ctx, func() bool { return there(m) })
	close(end)
	sampling.Wait()
	return peak, errors.Join(err, stop())
}

// until asks every 20 ms until it is so, within patience after the last time that something else was true for the first time.
func until(ctx context.Context, so func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * patience)
	for !so() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("it did not come to that within %s", 5*patience)
		case <-tick.C:
		}
	}
	return nil
}

// held is the memory that the process has from the system, in MB: what the Go runtime has mapped less what it gave back.
func held() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()-s[1].Value.Uint64()) / 1e6
}
