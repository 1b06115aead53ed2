package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
)

// inFlight is how many calls are out at once, on both sides.
const inFlight = 64

// http compares one POST per event to a downstream that answers at once, order by order.
func (s *suite) http(ctx context.Context) ([]Result, error) {
	down, err := listen()
	if err != nil {
		return nil, err
	}
	defer down.close()
	g, err := s.ground(ctx, s.rounds("http", fmt.Sprintf(`in_flight: %d
idempotency: {key: Idempotency-Key, remembers: 24h}
deliver:
  - on: [order.updated]
    http: {url: "%s/{event.subject}/{event.source_version}"}
    body: {id: event.id, order: order.id, status: order.status, payment_status: order.payment_status, email: order.email, total: order.total}
`, inFlight, down.url)), nil)
	if err != nil {
		return nil, err
	}
	f := feed{events: max(s.Events/10, 1000), system: "shop"}
	total, err := g.write(ctx, f)
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	res := Result{Case: "http", Unit: "events/s", Target: 0.8,
		Note: "a POST per event, mapped to JSON, with ledger and outcome; against consume and POST of the raw value by net/http, 64 in flight, order by order, nothing kept"}
	called := func(run func(*clock) (time.Time, error)) (float64, error) {
		down.reset()
		clk := &clock{topic: g.topo.TopicName(schemas.TopicOrders)}
		end, err := run(clk)
		if err != nil {
			return 0, err
		}
		if n := down.calls.Load(); n != total {
			res.fault("%d calls were made for %d events", n, total)
		}
		if n := down.inversions.Load(); n != 0 {
			res.fault("%d calls overtook an earlier one of their order", n)
		}
		return clk.rate(total, end), nil
	}
	seam := func(ctx context.Context, round int) (float64, error) {
		return called(func(clk *clock) (time.Time, error) { return g.seamDedup(ctx, clk, roundName("http", round), total) })
	}
	bare := func(ctx context.Context, round int) (float64, error) {
		return called(func(clk *clock) (time.Time, error) {
			return g.bareHTTP(ctx, clk, fmt.Sprintf("%sbare.http-%d", g.topo.Prefix, round), down.url, total)
		})
	}
	err = s.compare(ctx, &res, seam, bare)
	return []Result{res}, errors.Join(err, g.remove())
}

// bareHTTP is the least that keeps orders in order: the records of a key go to one of 64 goroutines, each with one call out.
func (g *ground) bareHTTP(ctx context.Context, clk *clock, group, url string, total int64) (time.Time, error) {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(clk.topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(250 * time.Millisecond), kgo.WithHooks(clk)}, g.cluster...)...)
	if err != nil {
		return time.Time{}, err
	}
	defer cl.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	defer client.CloseIdleConnections()
	var failed firstError
	var work sync.WaitGroup
	lanes, seed := make([]chan *kgo.Record, inFlight), maphash.MakeSeed()
	for i := range lanes {
		lanes[i] = make(chan *kgo.Record, 256)
		work.Go(func() {
			for rec := range lanes[i] {
				if err := post(ctx, client, url, rec); err != nil {
					failed.set(err)
				}
			}
		})
	}
	for done := int64(0); done < total && ctx.Err() == nil && failed.get() == nil; {
		cl.PollRecords(ctx, 1000).EachRecord(func(rec *kgo.Record) {
			lanes[maphash.Bytes(seed, rec.Key)%inFlight] <- rec
			done++
		})
	}
	for _, lane := range lanes {
		close(lane)
	}
	work.Wait()
	err = cl.CommitUncommittedOffsets(ctx)
	return time.Now(), errors.Join(err, failed.get(), ctx.Err())
}

// post sends a record's value to its order's address.
func post(ctx context.Context, client *http.Client, url string, rec *kgo.Record) error {
	version := ""
	for _, h := range rec.Headers {
		if h.Key == "ce_sourceversion" {
			version = string(h.Value)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+string(rec.Key)+"/"+version, bytes.NewReader(rec.Value))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("answered %d", resp.StatusCode))
	}
	return errors.Join(err, resp.Body.Close())
}

// downstream answers 200 at once, and counts its calls and those that came before an earlier one of their order.
type downstream struct {
	url        string
	server     *http.Server
	calls      atomic.Int64
	inversions atomic.Int64
	seed       maphash.Seed
	shards     [64]struct {
		sync.Mutex
		last map[string]int // of an order: the version that was called last
	}
}

// listen starts a downstream on loopback.
func listen() (*downstream, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for calls: %w", err)
	}
	d := &downstream{url: "http://" + ln.Addr().String(), seed: maphash.MakeSeed()}
	d.server = &http.Server{Handler: http.HandlerFunc(d.handle), ReadHeaderTimeout: time.Minute}
	d.reset()
	go func() { _ = d.server.Serve(ln) }() // ends with ErrServerClosed
	return d, nil
}

func (d *downstream) close() { _ = d.server.Close() }

// reset forgets what came.
func (d *downstream) reset() {
	d.calls.Store(0)
	d.inversions.Store(0)
	for i := range d.shards {
		d.shards[i].last = map[string]int{}
	}
}

// handle takes POST /{order}/{version}. A version below the order's last was overtaken; one that comes twice only counts.
func (d *downstream) handle(w http.ResponseWriter, r *http.Request) {
	order, text, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	version, err := strconv.Atoi(text)
	if err != nil {
		http.Error(w, "no version", http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	d.calls.Add(1)
	shard := &d.shards[maphash.String(d.seed, order)%uint64(len(d.shards))]
	shard.Lock()
	if version < shard.last[order] {
		d.inversions.Add(1)
	}
	shard.last[order] = version
	shard.Unlock()
}
