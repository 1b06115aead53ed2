package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/binaryandbeyond/seam/operate"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestSoak sends orders at a steady rate to two processes for as long as SEAM_SOAK says, restarts both one after the other in the
// middle, and has Prometheus and Alertmanager watch with the rules of the topology. Then nothing is lost or doubled, the memory of
// the second half is flat, every chart of the dashboards has data, and nobody was paged. On a real Kafka, with the two programs:
//
//	SEAM_SOAK=10m SEAM_SOAK_RATE=2000 go test -run TestSoak -timeout 30m -v .
func TestSoak(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("SEAM_SOAK"))
	if err != nil {
		t.Skip("SEAM_SOAK says for how long: SEAM_SOAK=10m")
	}
	k := newSoak(t, float64(fromEnv("SEAM_SOAK_RATE", 2000)))
	ctx, cancel := context.WithTimeout(t.Context(), lasts+10*time.Minute)
	defer cancel()
	began := time.Now()
	half := k.send(ctx, lasts/2)
	for _, p := range k.procs { // while orders go on coming
		if err := p.stop(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	restarted := time.Now()
	k.send(ctx, lasts-time.Since(began))
	close(k.enough)
	k.sending.Wait()
	sent := int(k.sent.Load())
	t.Logf("%d orders in %s, %d in the first half, %d of them repeated by the source", sent, time.Since(began).Round(time.Second), half, k.again.Load())
	k.judge(ctx, sent)
	k.charts(began)
	k.flat(restarted)
	for _, page := range k.pages() {
		t.Errorf("somebody was paged: %s", page)
	}
}

// soak is the shop of testdata/small under load, and who watches it.
type soak struct {
	*small
	procs      []*proc
	edges      []string
	prometheus string
	topo       *topology.Topology

	sent, again atomic.Int64
	enough      chan struct{}
	sending     sync.WaitGroup
	keys        []atomic.Uint64 // by order: the hash of the key under which its effect was made; 0 before
	hash        maphash.Seed
	repeated    atomic.Int64 // calls under a key that is known: no effect
	doubled     atomic.Int64 // effects beyond the first of an order

	mu    sync.Mutex
	paged []string
}

// soakMost is how many orders a run may have.
const soakMost = 10_000_000

func newSoak(t *testing.T, perSecond float64) *soak {
	k := &soak{small: newSmall(t), edges: []string{freeAddress(t), freeAddress(t)}, enough: make(chan struct{}), keys: make([]atomic.Uint64, soakMost), hash: maphash.MakeSeed()}
	down := httptest.NewServer(http.HandlerFunc(k.called))
	t.Cleanup(down.Close)
	pager := httptest.NewServer(http.HandlerFunc(k.page))
	t.Cleanup(pager.Close)
	k.env = append(k.env, "DOWN_URL="+down.URL, "SEAM_LOG_OUTCOMES=none")
	k.edit("integrations/down.yaml", "volume: {usual: 1/s, peak: 5/s}", "volume: {usual: 2000/s, peak: 2500/s}")
	k.edit("integrations/down.yaml", "idempotency: {none: true}", "idempotency: {key: Idempotency-Key, remembers: 24h}")
	k.edit("integrations/down.yaml", "limit: 500/s", "limit: 10000/s")
	k.edit("integrations/down.yaml", "in_flight: 64", "in_flight: 6000")
	k.edit("integrations/down.yaml", "timeout: 10s", "timeout: 2s")
	k.edit("sources/web.yaml", "volume: {usual: 1/s, peak: 10/s}", "volume: {usual: 2000/s, peak: 2500/s}")
	k.edit("topics.yaml", "partitions: 4", "partitions: 8\nteam: ops")
	k.edit("teams.yaml", `pager: p, chat: "#ops"`, fmt.Sprintf("pager: %s/pager, chat: %s/chat", pager.URL, pager.URL))
	consoles := []string{freeAddress(t), freeAddress(t)}
	k.procs = []*proc{
		k.proc("one", "--only", "edge,down,reconcile", "--instance", "one", "--listen", k.edges[0], "--console", consoles[0], "--data", filepath.Join(t.TempDir(), "one")),
		k.proc("two", "--only", "edge,down", "--instance", "two", "--listen", k.edges[1], "--console", consoles[1], "--data", filepath.Join(t.TempDir(), "two")),
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, p := range k.procs {
		if err := p.start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	k.watch(consoles)
	limit := rate.NewLimiter(rate.Limit(perSecond), int(max(1, 5*perSecond))) // a shop catches up what it could not send while one restarted
	k.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for range 64 {
		k.sending.Go(func() { k.sends(t.Context(), limit) })
	}
	return k
}

// sends posts orders until it is enough; a source repeats what was not taken, and some of what was.
func (k *soak) sends(ctx context.Context, limit *rate.Limiter) {
	for {
		select {
		case <-k.enough:
			return
		default:
		}
		if err := limit.Wait(ctx); err != nil {
			return
		}
		n := k.sent.Add(1) - 1
		order := "o" + strconv.FormatInt(n, 10)
		times := 1
		if n%50 == 49 {
			times = 2
			k.again.Add(1)
		}
		for range times {
			for try := 0; ; try++ {
				err := k.order(ctx, k.edges[(int(n)+try)%2], order)
				if err == nil {
					break
				}
				if ctx.Err() != nil {
					k.Errorf("%s was never taken: %v", order, err)
					return
				}
			}
		}
	}
}

// send waits so long, and gives how many orders there are by then.
func (k *soak) send(ctx context.Context, d time.Duration) int64 {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		k.Fatal(ctx.Err())
	}
	return k.sent.Load()
}

// called is the downstream, which knows its keys.
func (k *soak) called(w http.ResponseWriter, r *http.Request) {
	var body struct{ Reference string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(body.Reference, "o")); err == nil && n < soakMost {
		switch key := maphash.String(k.hash, r.Header.Get("Idempotency-Key")) | 1; {
		case k.keys[n].CompareAndSwap(0, key):
		case k.keys[n].Load() == key:
			k.repeated.Add(1)
		default:
			k.doubled.Add(1)
		}
	}
	fmt.Fprintf(w, `{"id":"ref-%s"}`, body.Reference)
}

// judge holds every order to one effect and one final outcome.
func (k *soak) judge(ctx context.Context, sent int) {
	k.Helper()
	client := k.kafka.Client(k.T, kgo.ConsumeTopics(k.kafka.Prefix+topology.TopicReconciliation), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	serde, finals, done := schemas.NewSerde(k.kafka.RegistryClient(k.T)), make([]uint8, sent), 0
	other := map[string]int{}
	for done < sent {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			k.Fatalf("%d orders of %d are done: %v", done, sent, other)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			o, err := serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				k.Error(err)
				return
			}
			if o.Kind != schemas.Delivered {
				other[string(o.Kind)+"/"+string(o.Reason)]++
				return
			}
			if n, err := strconv.Atoi(strings.TrimPrefix(o.OrderID, "o")); err == nil {
				if finals[n]++; finals[n] == 1 {
					done++
				}
			}
		})
	}
	delete(other, string(schemas.Duplicate)+"/"+string(schemas.ReasonSameEvent))
	if len(other) > 0 {
		k.Errorf("outcomes that should not be: %v", other)
	}
	for n := range sent {
		if k.keys[n].Load() == 0 || finals[n] != 1 {
			k.Errorf("o%d: the downstream knows it %v, and it is delivered %d times", n, k.keys[n].Load() != 0, finals[n])
		}
	}
	if n := k.doubled.Load(); n != 0 {
		k.Errorf("%d effects too many", n)
	}
	k.Logf("%d calls were made again under their key", k.repeated.Load())
}

// watch starts Alertmanager and Prometheus over the processes.
func (k *soak) watch(consoles []string) {
	k.Helper()
	topo, err := topology.Load(os.DirFS(k.dir), func(name string) (string, bool) {
		for _, e := range slices.Backward(k.env) {
			if n, v, _ := strings.Cut(e, "="); n == name {
				return v, true
			}
		}
		return "", false
	})
	if err != nil {
		k.Fatal(err)
	}
	k.topo = topo
	files, err := operate.Alerts(operate.Config{Topology: topo})
	if err != nil {
		k.Fatal(err)
	}
	dir := k.TempDir()
	alertmanager, prometheus := freeAddress(k.T), freeAddress(k.T)
	targets, err := json.Marshal(consoles)
	if err != nil {
		k.Fatal(err)
	}
	write := func(name string, text []byte) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			k.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			k.Fatal(err)
		}
	}
	for _, f := range files {
		write(f.Name, f.Text)
	}
	write("prometheus.yaml", fmt.Appendf(nil, `global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: ["rules/*.yaml"]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs: [{job_name: seam, static_configs: [{targets: %s}]}]
`, alertmanager, targets))
	for name, args := range map[string][]string{
		"prometheus-alertmanager": {"--config.file=" + filepath.Join(dir, "alertmanager.yaml"), "--storage.path=" + filepath.Join(dir, "am"), "--web.listen-address=" + alertmanager, "--cluster.listen-address="},
		"prometheus":              {"--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(dir, "tsdb"), "--web.listen-address=" + prometheus},
	} {
		cmd := exec.Command(name, args...)
		if err := cmd.Start(); err != nil {
			k.Fatalf("%s: %v (Debian: apt-get install %s)", name, err, name)
		}
		k.Cleanup(func() {
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended
			_ = cmd.Wait()
		})
	}
	k.prometheus = "http://" + prometheus
	for _, ready := range []string{"http://" + alertmanager + "/-/ready", k.prometheus + "/-/ready"} {
		topologytest.Eventually(k.T, ready, func() error {
			_, err := get(ready)
			return err
		})
	}
}

// page is every receiver of Alertmanager. A ticket is no page.
func (k *soak) page(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if r.URL.Path == "/chat" {
		k.Logf("the chat was told %s", body)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paged = append(k.paged, fmt.Sprintf("%s (%v)", body, err))
}

func (k *soak) pages() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.paged)
}

// soakSeries is one of what Prometheus answers: its labels, and its values over time.
type soakSeries struct {
	Metric map[string]string
	Values [][2]any
}

// over asks Prometheus for an expression from a time until now.
func (k *soak) over(expr string, from time.Time) []soakSeries {
	k.Helper()
	body, err := get(k.prometheus + "/api/v1/query_range?" + url.Values{"query": {expr}, "start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)}, "step": {"10"}}.Encode())
	var answer struct{ Data struct{ Result []soakSeries } }
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		k.Fatalf("%s: %v", expr, err)
	}
	return answer.Data.Result
}

// flat holds the memory of each process at the end to what it was some time after its restart.
func (k *soak) flat(restarted time.Time) {
	k.Helper()
	for _, s := range k.over(`process_resident_memory_bytes`, restarted.Add(time.Since(restarted)/4)) {
		sizes := s.line(k, "").values
		third := len(sizes) / 3
		if third == 0 {
			k.Fatalf("%s: %d values of its memory", s.Metric["instance"], len(sizes))
		}
		early, late := slices.Max(sizes[:third]), slices.Max(sizes[2*third:])
		k.Logf("%s: %.0f MB, at the end %.0f MB", s.Metric["instance"], early/1e6, late/1e6)
		if late > early*1.25+32e6 {
			k.Errorf("%s grows: %.0f MB, at the end %.0f MB", s.Metric["instance"], early/1e6, late/1e6)
		}
	}
}

// charts holds every expression of the dashboards to having data, but for what is absent while there is nothing to tell. With
// SEAM_SOAK_PICTURES it draws them into that folder.
func (k *soak) charts(began time.Time) {
	k.Helper()
	boards, err := operate.Dashboards(operate.Config{Topology: k.topo})
	if err != nil {
		k.Fatal(err)
	}
	full, empty := 0, 0
	for _, b := range boards {
		var board struct {
			Title  string
			Panels []drawnPanel
		}
		if err := json.Unmarshal(b.Text, &board); err != nil {
			k.Fatal(err)
		}
		for i := range board.Panels {
			for _, t := range board.Panels[i].Targets {
				answers := k.over(t.Expr, began)
				if full++; len(answers) == 0 {
					full, empty = full-1, empty+1
					if !slices.ContainsFunc([]string{"ALERTS", "seam_lost_records", "seam_parked_oldest_timestamp_seconds", "seam_contract_drift_total"}, func(rare string) bool { return strings.Contains(t.Expr, rare) }) {
						k.Errorf("no data: %s", t.Expr)
					}
				}
				for _, a := range answers {
					board.Panels[i].lines = append(board.Panels[i].lines, a.line(k, legend(t.LegendFormat, a.Metric)))
				}
			}
		}
		if dir := os.Getenv("SEAM_SOAK_PICTURES"); dir != "" {
			file := filepath.Join(dir, strings.TrimSuffix(b.Name, ".json")+".svg")
			if err := os.WriteFile(file, draw(board.Title, board.Panels, began, time.Now()), 0o644); err != nil {
				k.Error(err)
			}
		}
	}
	k.Logf("%d expressions of the dashboards have data, %d tell of what did not happen", full, empty)
}

// line is a series to be drawn; what is no number is left out.
func (s soakSeries) line(k *soak, name string) drawnLine {
	l := drawnLine{legend: name}
	for _, v := range s.Values {
		at, known := v[0].(float64)
		value, err := strconv.ParseFloat(fmt.Sprint(v[1]), 64)
		if !known || err != nil {
			k.Fatalf("Prometheus answered %v", v)
		}
		if !math.IsNaN(value) && !math.IsInf(value, 0) {
			l.at, l.values = append(l.at, at), append(l.values, value)
		}
	}
	return l
}

// get gives the body of an answer that is 200.
func get(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return body, err
}
