package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/app"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// everything is a topology that has each thing which is measured: a downstream that is told facts and read back, one whose input
// retention took and whose other input is poison, a source that signs times and is spooled, and a folder.
func everything(prefix, downstream, dir string) fstest.MapFS {
	about := "team: ops\ncomplete_within: 1h\nstale_after: 1h\noperation: do\n"
	return fstest.MapFS{
		"topics.yaml":        {Data: fmt.Appendf(nil, "prefix: %q\npartitions: 2\n", prefix)},
		"teams.yaml":         {Data: []byte("ops: {pager: p}\n")},
		"ownership.yaml":     {Data: []byte("order.total: {owner: shop, page: ops}\nunowned: [\"*\"]\n")},
		"operations.yaml":    {Data: []byte("place: {begins: [order.created], done: {a: 1h}, page: ops}\n")},
		"sources/hooks.yaml": {Data: []byte("name: hooks\nsystem: shop\nteam: ops\nplatform: standardwebhooks\npatience: 5s\nretries_for: 0s\nspool: true\nsecrets: [secret]\n")},
		"sources/files.yaml": {Data: []byte("name: files\nsystem: erp\nteam: ops\nplatform: files\nevery: 1s\ndir: " + dir + "\nfiles:\n  - {match: \"*.csv\", type: order.updated, columns: {subject: id, time: at, order.total: total, currency: currency}}\n")},
		"integrations/a.yaml": {Data: []byte("name: a\n" + about + "idempotency: {key: Idempotency-Key, remembers: 24h}\ndeliver:\n  - on: [order.created]\n    http: {url: \"" + downstream + "/things\"}\n    body: {reference: event.subject, total: order.total, facts: facts}\n" +
			"    read_back: {get: \"" + downstream + "/things?id={event.subject}\", after: 1ms, version: answer.v, says: {fulfillment.status: answer.status}}\n" +
			"facts: {fields: [order.total], max_staleness: 1h, wait: 1h}\n")},
		"integrations/b.yaml": {Data: []byte("name: b\n" + about + "idempotency: {upsert: true}\ndeliver:\n  - on: [customer.registered]\n    http: {url: \"" + downstream + "/people/{customer.id}\"}\n    body: {id: customer.id}\n")},
	}
}

// TestMetricsPage holds docs/metrics.md to a run of all roles: every metric that is exported stands there with its type and
// labels, and everything that stands there is exported.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	downstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"v":"1","status":"open"}`) }))
	t.Cleanup(downstream.Close)
	topo, err := topology.Load(everything(k.Prefix, downstream.URL, t.TempDir()), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	client := k.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := topology.Ensure(t.Context(), topo, client, k.RegistryClient(t)); err != nil {
		t.Fatal(err)
	}
	lose(t, topo, client)
	info := run(t, app.Config{Topology: topo, Brokers: k.Brokers, Registry: k.Registry, Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	webhook(t, info.EdgeURL+"/in/hooks", `{"type":"order.created","timestamp":"`+time.Now().UTC().Format(time.RFC3339)+`","data":{"order_id":"7","order":{"total":{"amount":"1.00","currency":"EUR"}}}}`)

	page := metricsPage(t)
	seen := map[string]metricRow{}
	topologytest.Eventually(t, "every metric of docs/metrics.md is exported", func() error {
		for name, row := range scrape(t, info.ConsoleURL) {
			if had, is := seen[name]; is && len(had.labels) > len(row.labels) {
				continue
			}
			seen[name] = row
		}
		var lacking []string
		for name := range page {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(s string) bool { return fits(name, s) }) {
				lacking = append(lacking, name)
			}
		}
		if lacking != nil {
			return fmt.Errorf("not exported: %v", lacking)
		}
		return nil
	})
	for name, got := range seen {
		want, ok := page[name]
		for prefix, row := range page {
			if strings.HasSuffix(prefix, "*") && fits(prefix, name) {
				want, ok = row, true
				got.kind = "" // of many
				if slices.ContainsFunc(got.labels, func(l string) bool { return !slices.Contains(want.labels, l) }) {
					t.Errorf("%s has the labels %v, docs/metrics.md says %v of %s", name, got.labels, want.labels, prefix)
				}
				got.labels = want.labels
			}
		}
		switch got.help, want.help = got.help != "", true; {
		case !ok:
			t.Errorf("%s{%s} is exported and not in docs/metrics.md", name, strings.Join(got.labels, ","))
		case !cmp.Equal(want, got, cmp.AllowUnexported(metricRow{})):
			t.Errorf("%s is exported as %+v, docs/metrics.md says %+v", name, got, want)
		}
	}
	probed(t, info)
	topologytest.Eventually(t, "the end to end time has an exemplar in OpenMetrics", func() error {
		text := openMetrics(t, info.ConsoleURL)
		if !regexp.MustCompile(`(?m)^seam_end_to_end_duration_seconds_bucket\{integration="a",.*\} 1 # \{trace_id="[0-9a-f]{32}"\}`).MatchString(text) {
			return errors.New("there is none")
		}
		return nil
	})
}

// openMetrics is a scrape by who takes OpenMetrics.
func openMetrics(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	status, body := do(t, req)
	if status != http.StatusOK || !strings.HasSuffix(body, "# EOF\n") {
		t.Fatalf("OpenMetrics: %d, and it ends in %q", status, body[max(0, len(body)-40):])
	}
	return body
}

// lose has retention take what group b has not read of one partition, and puts what nobody can decode into the other.
func lose(t *testing.T, topo *topology.Topology, client *kgo.Client) {
	t.Helper()
	adm, topic := kadm.NewClient(client), topo.TopicName(schemas.TopicCustomers)
	for _, p := range []int32{0, 0, 0, 1} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: p, Key: []byte("k"), Value: []byte("junk")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	at := func(offset int64) kadm.Offsets {
		out := kadm.Offsets{}
		out.AddOffset(topic, 0, offset, -1)
		return out
	}
	err := adm.CommitAllOffsets(t.Context(), topo.Group("b"), at(0))
	if err == nil {
		_, err = adm.DeleteRecords(t.Context(), at(2))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run runs Seam until the test ends.
func run(t *testing.T, c app.Config) app.Info {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan app.Info, 1), make(chan error, 1)
	c.Ready = func(i app.Info) { ready <- i }
	c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	go func() { ended <- app.Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("seam: %v", err)
		}
	})
	select {
	case i := <-ready:
		return i
	case err := <-ended:
		ended <- nil
		t.Fatalf("seam did not start: %v", err)
		return app.Info{}
	}
}

// webhook sends a delivery, signed now.
func webhook(t *testing.T, url, body string) {
	t.Helper()
	stamp := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte("msg_1." + stamp + "." + body))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Webhook-Id": "msg_1", "Webhook-Timestamp": stamp, "Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
		req.Header.Set(k, v)
	}
	if status, answer := do(t, req); status != http.StatusOK {
		t.Fatalf("the webhook was answered %d %s", status, answer)
	}
}

func do(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

// probed checks that a process which works says so, with its checks to those inside alone.
func probed(t *testing.T, info app.Info) {
	t.Helper()
	for path, want := range map[string]string{
		"/healthz": `{"status":"ok","checks":[{"name":"a","ok":true},{"name":"b","ok":true},{"name":"monitor","ok":true},{"name":"reconcile","ok":true}]}`,
		"/readyz":  `{"status":"ok","checks":[{"name":"process","ok":true},{"name":"kafka","ok":true},{"name":"view","ok":true}]}`,
	} {
		if status, body := get(t, info.ConsoleURL+path); status != http.StatusOK || strings.TrimSpace(body) != want {
			t.Errorf("%s on the console: %d %s, want %s", path, status, body, want)
		}
		if status, body := get(t, info.EdgeURL+path); status != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` {
			t.Errorf("%s on the edge: %d %s, want the status alone", path, status, body)
		}
	}
}

// metricRow is what the page says, or a scrape shows, of a metric.
type metricRow struct {
	kind   string
	labels []string // sorted
	help   any      // whether there is one
}

// metricsPage is the rows of docs/metrics.md by name; one that ends in * stands for all that begin so.
func metricsPage(t *testing.T) map[string]metricRow {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]metricRow{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+\\*?)` \\| ([a-z]*) ?\\| ([^|]*)\\| ([^|]*)\\| (.+) \\|$").FindAllStringSubmatch(string(b), -1) {
		row := metricRow{kind: m[2], labels: []string{}}
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			row.labels = append(row.labels, l[1])
		}
		if slices.Sort(row.labels); out[m[1]].labels != nil {
			t.Errorf("docs/metrics.md has %s twice", m[1])
		}
		out[m[1]] = row
	}
	if len(out) < 50 {
		t.Fatalf("read %d rows of docs/metrics.md: that is not all of it", len(out))
	}
	return out
}

func fits(row, name string) bool {
	prefix, many := strings.CutSuffix(row, "*")
	return row == name || many && strings.HasPrefix(name, prefix)
}

// scrape is every metric that a process exports.
func scrape(t *testing.T, url string) map[string]metricRow {
	t.Helper()
	status, body := get(t, url+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil || status != http.StatusOK {
		t.Fatalf("scrape: %d %v", status, err)
	}
	out := map[string]metricRow{}
	for name, f := range families {
		row := metricRow{kind: strings.ToLower(f.GetType().String()), labels: []string{}, help: f.GetHelp()}
		for _, m := range f.GetMetric() {
			row.labels = labelsOf(row.labels, m)
		}
		slices.Sort(row.labels)
		out[name] = row
	}
	return out
}

func labelsOf(labels []string, m *dto.Metric) []string {
	for _, l := range m.GetLabel() {
		if !slices.Contains(labels, l.GetName()) {
			labels = append(labels, l.GetName())
		}
	}
	return labels
}
